//! What several ask for at the same time: no change is lost, and one that came too late to change anything says so.

use std::time::Duration;

use helpsync_model::FileStatus;
use secrecy::ExposeSecret as _;

use crate::testing::{article, name_of, stores};
use crate::{Branding, FileFilters, FileOrder, FileQuery, OauthClient, ScheduleChange, StoreError};

/// Often enough for each order to come.
const ROUNDS: usize = 10;

fn client(secret: Option<String>, host: &str) -> OauthClient {
    OauthClient {
        client_id: "c".to_owned(),
        client_secret: secret.map(Into::into),
        redirect_uri: format!("https://{host}/integrations/zendesk"),
    }
}

#[tokio::test]
async fn changes_of_different_members_are_all_kept() {
    for store in stores().await {
        let admin = store.admin();
        let organization = admin.ensure_organization("default").await.unwrap();
        for round in 0..ROUNDS {
            let text = |what: &str| Some(format!("{what} {round}"));
            let color = |before: Branding| Ok::<_, ()>(Branding { color: text("color"), ..before });
            let contact = |before: Branding| Ok::<_, ()>(Branding { contact: text("contact"), ..before });
            let changed = tokio::join!(
                admin.change_branding(organization, color),
                admin.change_branding(organization, contact)
            );
            changed.0.unwrap().unwrap();
            changed.1.unwrap().unwrap();
            let (_, branding) = admin.branding(organization).await.unwrap();
            assert_eq!(
                (branding.color, branding.contact),
                (text("color"), text("contact")),
                "{}",
                name_of(&store)
            );
        }
        assert_eq!(
            admin.change_branding(organization, |_| Err("refused")).await.unwrap().unwrap_err(),
            "refused"
        );
    }
}

#[tokio::test]
async fn a_secret_that_was_replaced_does_not_come_back() {
    for store in stores().await {
        let (admin, name) = (store.admin(), name_of(&store));
        let organization = admin.ensure_organization("default").await.unwrap();
        assert!(!admin.update_oauth_client(organization, client(None, "a.example")).await.unwrap());
        admin
            .put_oauth_clients(organization, &[client(Some("first".to_owned()), "a.example")])
            .await
            .unwrap();
        for round in 0..ROUNDS {
            let secret = format!("secret {round}");
            let (replaced, moved) = tokio::join!(
                admin.update_oauth_client(organization, client(Some(secret.clone()), "a.example")),
                admin.update_oauth_client(organization, client(None, "b.example"))
            );
            assert!(replaced.unwrap() && moved.unwrap());
            let kept = store.tokens().oauth_client_named(organization, "c").await.unwrap().unwrap();
            assert_eq!(kept.client_secret.unwrap().expose_secret(), secret, "{name}, round {round}");
        }
    }
}

#[tokio::test]
async fn a_customer_is_deleted_once_and_its_deletion_noted_once() {
    for store in stores().await {
        let (admin, name) = (store.admin(), name_of(&store));
        let organization = admin.ensure_organization("default").await.unwrap();
        for round in 0..ROUNDS {
            let called = format!("cust-{round}");
            let customer = admin.customer(organization, &called).await.unwrap();
            let delete = || admin.delete_rows(organization, customer.id, &called);
            let deleted = tokio::join!(delete(), delete(), delete());
            assert!(deleted.0.is_ok() && deleted.1.is_ok() && deleted.2.is_ok(), "{name}: {deleted:?}");
        }
        let noted: i64 = sqlx::query_scalar("select count(*) from customer_deletion")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(noted, i64::try_from(ROUNDS).unwrap(), "{name}");
    }
}

#[tokio::test]
async fn statuses_are_asked_for_once_each_however_many_are_named() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        store.sync_articles(connection, vec![article(11, "A", 5), article(12, "B", 5)]).await;
        let found = async |statuses: Vec<String>| {
            let filters = FileFilters { statuses: Some(statuses), ..FileFilters::default() };
            let query = FileQuery {
                customer: customer.id,
                filters,
                starting_id: 0,
                order: FileOrder::Id,
                descending: false,
                limit: 10,
                offset: 0,
            };
            store.admin().files(&query).await.unwrap().1
        };
        let ready = FileStatus::Ready.as_str().to_owned();
        let many: Vec<String> = (0..1_000).map(|number| format!("s{number}")).collect();
        assert_eq!(found(vec![ready.clone(); 1_000]).await, 2);
        assert_eq!(found(many.iter().cloned().chain([ready]).collect()).await, 2);
        assert_eq!(found(many).await, 0);
        assert_eq!(found(Vec::new()).await, 0);
    }
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_ended_by_the_server() {
    let [_, store] = stores().await;
    let slow = sqlx::query("select cast(pg_sleep(600) as text)");
    let error = store.admin().answered_within(slow, Duration::from_millis(50)).await.map(|_| ()).unwrap_err();
    assert!(matches!(error, StoreError::TooSlow(_)), "{error:?}");
    // The bound is that transaction's alone.
    let bound: String = sqlx::query_scalar("select current_setting('statement_timeout')")
        .fetch_one(&store.store.pool)
        .await
        .unwrap();
    assert_eq!(bound, "0");
}

#[tokio::test]
async fn schedules_of_the_same_customers_in_any_order_do_not_wait_for_each_other_for_ever() {
    for store in stores().await {
        let admin = store.admin();
        let organization = admin.ensure_organization("default").await.unwrap();
        let names: Vec<String> = (0..20).map(|number| format!("c{number:02}")).collect();
        let backwards: Vec<String> = names.iter().rev().cloned().collect();
        for round in 1..=ROUNDS {
            let every = |hours: usize| ScheduleChange {
                interval_hours: i64::try_from(hours).ok(),
                ..ScheduleChange::default()
            };
            let (one, other) = (every(round), every(round + ROUNDS));
            let (one, other) = tokio::join!(
                admin.set_schedules(organization, &names, &one),
                admin.set_schedules(organization, &backwards, &other)
            );
            one.unwrap();
            other.unwrap();
        }
    }
}
