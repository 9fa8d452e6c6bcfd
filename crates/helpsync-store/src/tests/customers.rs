//! Customers, schedules and OAuth clients.

use helpsync_model::{AutoSync, Source};
use secrecy::ExposeSecret;

use crate::testing::{name_of, stores};
use crate::{OauthClient, ScheduleChange};

const DAY_MS: i64 = 86_400_000;
const HOUR_MS: i64 = 3_600_000;

fn on() -> ScheduleChange {
    ScheduleChange { auto_sync: Some(AutoSync::Sources(vec![Source::Zendesk])), ..ScheduleChange::default() }
}

#[tokio::test]
async fn the_oauth_client_stored_last_is_the_one_and_its_secret_is_sealed() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        assert!(store.tokens().oauth_client(organization).await.unwrap().is_none());
        for (client_id, secret) in [("one", Some("s3cret-1")), ("two", None), ("one", Some("s3cret-2"))] {
            let client = OauthClient {
                client_id: client_id.to_owned(),
                client_secret: secret.map(|secret| secret.to_owned().into()),
                redirect_uri: "https://sync.example.com/integrations/zendesk".to_owned(),
            };
            // In the same moment: the order is that of the calls all the same.
            store.admin().put_oauth_clients(organization, &[client]).await.unwrap();
        }
        let client = store.tokens().oauth_client(organization).await.unwrap().unwrap();
        assert_eq!(client.client_id, "one");
        assert_eq!(client.client_secret.as_ref().unwrap().expose_secret(), "s3cret-2");
        let sealed: Vec<u8> =
            sqlx::query_scalar("select client_secret_sealed from oauth_client where client_id = 'one'")
                .fetch_one(&store.store.pool)
                .await
                .unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("s3cret"));
        let named = |client_id: &str| OauthClient { client_id: client_id.to_owned(), ..client.clone() };
        store.admin().put_oauth_clients(organization, &[named("three"), named("one")]).await.unwrap();
        let in_front = store.tokens().oauth_client(organization).await.unwrap().unwrap();
        assert_eq!(in_front.client_id, "one", "the last one of a call, though it was made before the others");
    }
}

#[tokio::test]
async fn a_customer_is_made_once_however_many_ask() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        assert!(store.admin().find_customer(organization, "cust-1").await.unwrap().is_none());
        let (a, b, c) = tokio::join!(
            store.admin().customer(organization, "cust-1"),
            store.admin().customer(organization, "cust-1"),
            store.admin().customer(organization, "cust-1"),
        );
        let ids = [a.unwrap().id, b.unwrap().id, c.unwrap().id];
        assert!(ids.iter().all(|id| *id == ids[0]), "{}: {ids:?}", name_of(&store));
        assert_eq!(store.admin().customers(organization, 0, 10).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn switching_schedules_makes_customers_and_plans_their_connections() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        assert_eq!(store.admin().connection(organization, connection).await.unwrap().next_sync_at, None);

        let now = helpsync_model::Clock::now_ms(&*store.clock);
        let ids = ["cust-1".to_owned(), "cust-2".to_owned(), "cust-1".to_owned()];
        store.admin().set_schedules(organization, &ids, &on()).await.unwrap();
        let first = store.admin().connection(organization, connection).await.unwrap().next_sync_at.unwrap();
        assert!((now + 1..=now + DAY_MS).contains(&first));
        let made = store.admin().find_customer(organization, "cust-2").await.unwrap().unwrap();
        assert!(made.auto_sync.covers(Source::Zendesk));

        // A customer that was scheduled before it connected is planned when it connects.
        let later = store.connect(&made, "acme").await;
        assert!(store.admin().connection(organization, later).await.unwrap().next_sync_at.is_some());

        // Naming neither source nor interval changes neither; a slot within the interval stays.
        store.admin().set_schedules(organization, &ids, &ScheduleChange::default()).await.unwrap();
        assert_eq!(
            store.admin().connection(organization, connection).await.unwrap().next_sync_at,
            Some(first)
        );

        // A shorter interval pulls a slot beyond it nearer.
        let hourly = ScheduleChange { interval_hours: Some(1), ..ScheduleChange::default() };
        store.admin().set_schedules(organization, &ids, &hourly).await.unwrap();
        let soon = store.admin().connection(organization, connection).await.unwrap().next_sync_at.unwrap();
        assert!((now + 1..=now + HOUR_MS).contains(&soon), "{soon}");
        let default = ScheduleChange { interval_hours: Some(-1), ..ScheduleChange::default() };
        store.admin().set_schedules(organization, &ids, &default).await.unwrap();
        assert_eq!(
            store.admin().find_customer(organization, "cust-1").await.unwrap().unwrap().interval_hours,
            None
        );

        let off = ScheduleChange { auto_sync: Some(AutoSync::Off), ..ScheduleChange::default() };
        store.admin().set_schedules(organization, &ids, &off).await.unwrap();
        assert_eq!(store.admin().connection(organization, connection).await.unwrap().next_sync_at, None);
    }
}
