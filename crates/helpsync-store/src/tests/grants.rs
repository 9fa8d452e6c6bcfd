//! Grants on their way, and who wins.

use std::time::Duration;

use helpsync_model::{ConnectionState, EventKind, GrantBegunBy, RunParams, RunState, SyncAction, Trigger};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::testing::{TestStore, article, grant, name_of, stores};
use crate::{Consumed, Customer, GrantOutcome, NewGrant, RunRequest};

/// As if our page had been there.
const PAGE: Option<GrantBegunBy> = Some(GrantBegunBy::Page);
const TTL: Duration = Duration::from_secs(600);

async fn customer(store: &TestStore) -> Customer {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    store.admin().customer(organization, "cust-1").await.unwrap()
}

async fn put(store: &TestStore, state: &str) -> SecretString {
    put_begun(store, state, PAGE).await
}

async fn put_begun(store: &TestStore, state: &str, begun_by: Option<GrantBegunBy>) -> SecretString {
    let customer = customer(store).await;
    let state: SecretString = state.to_owned().into();
    let grant = NewGrant {
        organization: customer.organization,
        customer: customer.id,
        customer_external_id: customer.external_id.clone(),
        subdomain: "acme".to_owned(),
        client_id: "client".to_owned(),
        redirect_uri: "https://sync.example.com/integrations/zendesk".to_owned(),
        verifier: "verifier".to_owned().into(),
        sync_options: json!({"request_id": "r1"}),
        tags: json!({"a": "b"}),
        scopes: vec!["hc:read".to_owned(), "read".to_owned()],
        return_url: Some("https://app.example.com/".to_owned()),
        begun_by,
        api_key: None,
    };
    store.admin().put_pending_grant(&state, &grant, TTL).await.unwrap();
    state
}

#[tokio::test]
async fn a_state_is_good_once() {
    for store in stores().await {
        let state = put(&store, "state-1").await;
        let Consumed::Pending(grant) = store.admin().consume_grant(&state, PAGE).await.unwrap() else {
            panic!("not pending")
        };
        assert_eq!(grant.verifier.expose_secret(), "verifier");
        assert_eq!((grant.subdomain.as_str(), &grant.sync_options), ("acme", &json!({"request_id": "r1"})));
        assert!(matches!(store.admin().consume_grant(&state, PAGE).await.unwrap(), Consumed::Replayed(_)));
        let forged = "state-2".to_owned().into();
        assert!(matches!(store.admin().consume_grant(&forged, PAGE).await.unwrap(), Consumed::Unknown));
    }
}

#[tokio::test]
async fn a_grant_is_for_whoever_began_it_and_a_page_takes_over_from_programs() {
    let (program, page) = (GrantBegunBy::Program, GrantBegunBy::Page);
    for store in stores().await {
        let admin = store.admin();
        let state = put_begun(&store, "state-1", Some(GrantBegunBy::Nobody)).await;
        let begun_by = async || match admin.pending_grant(&state).await.unwrap() {
            Consumed::Pending(grant) => grant.begun_by,
            other => panic!("{other:?}"),
        };
        assert_eq!(begun_by().await, Some(GrantBegunBy::Nobody));
        assert!(matches!(admin.consume_grant(&state, Some(page)).await.unwrap(), Consumed::Unknown));
        for (by, is_begun) in [(program, true), (program, true), (page, true), (program, false), (page, true)]
        {
            assert_eq!(admin.begin_grant(&state, by).await.unwrap(), is_begun, "{}: {by}", name_of(&store));
        }
        assert_eq!(begun_by().await, Some(page));
        for wrong in [None, Some(program), Some(GrantBegunBy::Nobody)] {
            assert!(
                matches!(admin.consume_grant(&state, wrong).await.unwrap(), Consumed::Unknown),
                "{wrong:?}"
            );
        }
        let Consumed::Pending(grant) = admin.consume_grant(&state, Some(page)).await.unwrap() else {
            panic!("not pending")
        };
        assert_eq!(
            (grant.scopes, grant.customer_external_id.as_str()),
            (vec!["hc:read".to_owned(), "read".to_owned()], "cust-1")
        );
        assert!(!admin.begin_grant(&state, page).await.unwrap(), "it is used up");

        // Of the version before: nobody begins it, and whoever comes may end it.
        let old = put_begun(&store, "state-2", None).await;
        for by in [program, page] {
            assert!(!admin.begin_grant(&old, by).await.unwrap(), "{by}");
        }
        assert!(matches!(admin.consume_grant(&old, None).await.unwrap(), Consumed::Pending(_)));
    }
}

#[tokio::test]
async fn of_two_that_spend_a_state_at_once_one_gets_it() {
    for store in stores().await {
        let state = put(&store, "state-1").await;
        let other = store.reopen().await;
        let (a, b) = tokio::join!(
            store.admin().consume_grant(&state, PAGE),
            other.admin().consume_grant(&state, PAGE)
        );
        let won = [a.unwrap(), b.unwrap()]
            .iter()
            .filter(|consumed| matches!(consumed, Consumed::Pending(_)))
            .count();
        assert_eq!(won, 1, "{}", name_of(&store));
    }
}

#[tokio::test]
async fn a_state_ends_and_is_forgotten_a_day_later() {
    for store in stores().await {
        let state = put(&store, "state-1").await;
        store.clock.advance(TTL);
        assert!(matches!(store.admin().consume_grant(&state, PAGE).await.unwrap(), Consumed::Expired(_)));
        store.clock.advance(Duration::from_secs(24 * 3_600));
        assert!(
            matches!(store.admin().consume_grant(&state, PAGE).await.unwrap(), Consumed::Expired(_)),
            "the day is not over"
        );
        store.clock.advance(Duration::from_millis(1));
        put(&store, "state-2").await; // new states sweep old ones away
        assert!(matches!(store.admin().consume_grant(&state, PAGE).await.unwrap(), Consumed::Unknown));
    }
}

#[tokio::test]
async fn one_call_sweeps_a_hundred_old_states_away_and_no_more() {
    for store in stores().await {
        for number in 0..101 {
            put(&store, &format!("old-{number}")).await;
        }
        store.clock.advance(TTL + Duration::from_secs(24 * 3_600 + 1));
        put(&store, "new").await;
        let left: i64 = sqlx::query_scalar("select count(*) from oauth_state")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(left, 2, "one old, one new");
    }
}

#[tokio::test]
async fn a_second_workspace_is_refused_by_name_and_changes_nothing() {
    for store in stores().await {
        let customer = customer(&store).await;
        let first = store.connect(&customer, "acme").await;
        let refused = store.admin().complete_grant(&grant(&customer, "other")).await.unwrap();
        assert_eq!(refused, GrantOutcome::OtherWorkspace { subdomain: "acme".to_owned() });
        assert_eq!(
            store.admin().connection(customer.organization, first).await.unwrap().state,
            ConnectionState::Active
        );
        assert_eq!(store.webhooks().events(customer.organization, 0, 10).await.unwrap().len(), 1);

        // Once the first is disconnected the second may come, and then the first may not return.
        store.admin().disconnect(customer.organization, first).await.unwrap();
        store.connect(&customer, "other").await;
        let refused = store.admin().complete_grant(&grant(&customer, "acme")).await.unwrap();
        assert_eq!(refused, GrantOutcome::OtherWorkspace { subdomain: "other".to_owned() });
        assert_eq!(
            store.admin().connection(customer.organization, first).await.unwrap().state,
            ConnectionState::Revoked
        );
    }
}

#[tokio::test]
async fn of_two_workspaces_granted_at_once_exactly_one_is_connected() {
    for store in stores().await {
        let other = store.reopen().await;
        for round in 0..10 {
            let organization = store.admin().ensure_organization("default").await.unwrap();
            let customer = store.admin().customer(organization, &format!("cust-{round}")).await.unwrap();
            let (left, right) = (grant(&customer, "left"), grant(&customer, "right"));
            let (a, b) =
                tokio::join!(store.admin().complete_grant(&left), other.admin().complete_grant(&right));
            let (a, b) = (a.unwrap(), b.unwrap());
            let connected = |outcome: &GrantOutcome| matches!(outcome, GrantOutcome::Connected { .. });
            assert!(connected(&a) != connected(&b), "{}: {a:?} {b:?}", name_of(&store));
        }
    }
}

#[tokio::test]
async fn two_grants_of_one_workspace_at_once_make_one_connection() {
    for store in stores().await {
        let other = store.reopen().await;
        let customer = customer(&store).await;
        let same = grant(&customer, "acme");
        let (a, b) = tokio::join!(store.admin().complete_grant(&same), other.admin().complete_grant(&same));
        let mut reconnected = [a.unwrap(), b.unwrap()].map(|outcome| match outcome {
            GrantOutcome::Connected { reconnected, .. } => reconnected,
            GrantOutcome::OtherWorkspace { .. } => panic!("refused"),
        });
        reconnected.sort_unstable();
        assert_eq!(reconnected, [false, true], "{}", name_of(&store));
    }
}

#[tokio::test]
async fn reconnecting_keeps_the_files_and_stops_what_ran() {
    for store in stores().await {
        let customer = customer(&store).await;
        let connection = store.connect(&customer, "acme").await;
        store.sync_articles(connection, vec![article(1, "One", 5)]).await;
        let request = RunRequest {
            connection,
            kind: None,
            trigger: Trigger::Request,
            lane: helpsync_model::Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "u".to_owned(),
            params: RunParams::default(),
        };
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let started = store.start(run).await;

        let mut again = grant(&customer, "acme");
        again.tokens.access = "access-2".to_owned().into();
        again.tags = json!({"new": "tag"});
        let outcome = store.admin().complete_grant(&again).await.unwrap();
        assert_eq!(outcome, GrantOutcome::Connected { connection, reconnected: true });

        let now = store.admin().connection(customer.organization, connection).await.unwrap();
        assert_eq!((now.last_sync_action, &now.tags["new"]), (SyncAction::Add, &json!("tag")));
        assert_eq!(
            store.tokens().tokens(connection).await.unwrap().unwrap().access.expose_secret(),
            "access-2"
        );
        assert_eq!(store.admin().run(crate::testing::FIRST, run).await.unwrap().state, RunState::Cancelled);
        let late = store.sync().store_page(&started, &crate::PageWrite::default()).await;
        assert!(matches!(late, Err(crate::StoreError::Fenced)));
        assert_eq!(store.admin().status(customer.organization).await.unwrap().files, 1);
        let events = store.webhooks().events(customer.organization, 0, 100).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::Add).count(), 2);
    }
}

/// The callback takes states from anybody.
#[tokio::test]
async fn an_unknown_state_takes_no_writers_turn() {
    for store in stores().await {
        let _turn = store.admin().write().await.unwrap();
        let made_up = "made up".to_owned().into();
        let asked = store.admin().consume_grant(&made_up, PAGE);
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), asked).await;
        assert!(matches!(answer, Ok(Ok(Consumed::Unknown))), "{answer:?}");
    }
}

#[tokio::test]
async fn a_customer_has_a_bounded_number_of_grants_under_way_and_the_newest_are_kept() {
    for store in stores().await {
        for number in 0..220 {
            put(&store, &format!("state-{number}")).await;
            store.clock.advance(Duration::from_secs(1));
        }
        let kept = sqlx::query_scalar::<_, i64>("select count(*) from oauth_state");
        let kept = kept.fetch_one(&store.store.pool).await.unwrap();
        assert_eq!(kept, 200, "{}", name_of(&store));
        let of = async |number: i64| {
            let state = format!("state-{number}").into();
            store.admin().pending_grant(&state).await.unwrap()
        };
        assert!(matches!(of(219).await, Consumed::Pending(_)));
        assert!(matches!(of(19).await, Consumed::Unknown));
    }
}
