//! Watches: made once, and their events taken in once.

use std::time::Duration;

use helpsync_model::{ConnectionId, ShardParams};
use secrecy::ExposeSecret;

use crate::EventAccepted;
use crate::testing::{TestStore, stores};

const LEASE: Duration = Duration::from_secs(60);

async fn watched(store: &TestStore) -> ConnectionId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    store.admin().want_subscription(crate::testing::FIRST, connection, "secret-path").await.unwrap();
    connection
}

#[tokio::test]
async fn a_wanted_event_subscription_is_claimed_by_one_and_tried_again_until_it_is_in_place() {
    for store in stores().await {
        let connection = watched(&store).await;
        let claimed = store.tokens().claim_subscriptions(10, LEASE).await.unwrap();
        assert_eq!((claimed.len(), claimed[0].subdomain.as_str(), claimed[0].failures), (1, "acme", 1));
        assert!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap().is_empty());
        assert!(
            store.admin().event_subscription("secret-path").await.unwrap().is_none(),
            "without a secret it believes nobody"
        );

        store.tokens().put_off_subscription(&claimed[0], Some(Duration::from_secs(5)), "busy").await.unwrap();
        assert!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap().is_empty());
        store.clock.advance(Duration::from_secs(5));
        assert_eq!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap()[0].failures, 2);
        store.clock.advance(LEASE);
        assert_eq!(
            store.tokens().claim_subscriptions(10, LEASE).await.unwrap().len(),
            1,
            "whoever claimed it has died"
        );
        // Its failure comes late, and changes nothing.
        store.tokens().put_off_subscription(&claimed[0], None, "late").await.unwrap();
        assert!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap().is_empty());
        store.clock.advance(LEASE);
        assert_eq!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap()[0].failures, 4);

        assert!(
            store.tokens().put_subscription(connection, "W1", &"s3cret".to_owned().into()).await.unwrap()
        );
        let subscription = store.admin().event_subscription("secret-path").await.unwrap().unwrap();
        assert_eq!((subscription.connection, subscription.secret.expose_secret()), (connection, "s3cret"));
        store.clock.advance(LEASE);
        assert!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap().is_empty());

        // A reconnect makes sure of it, under the same address.
        store.admin().want_subscription(crate::testing::FIRST, connection, "another-path").await.unwrap();
        assert_eq!(store.tokens().claim_subscriptions(10, LEASE).await.unwrap()[0].endpoint, "secret-path");
        assert_eq!(
            store.admin().drop_subscription(crate::testing::FIRST, connection).await.unwrap().as_deref(),
            Some("W1")
        );
        assert!(!store.tokens().put_subscription(connection, "W2", &"late".to_owned().into()).await.unwrap());
        assert!(store.admin().event_subscription("secret-path").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn an_event_is_taken_in_once_and_a_burst_is_fetched_together() {
    for store in stores().await {
        let connection = watched(&store).await;
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let accept = async |event: &str, article| {
            store.admin().accept_event(crate::testing::FIRST, connection, event, article, None).await.unwrap()
        };
        assert_eq!(accept("e1", 7).await, EventAccepted::Queued);
        assert_eq!(accept("e1", 7).await, EventAccepted::Known);
        for number in 0..60 {
            assert_eq!(accept(&format!("burst-{number}"), 100 + number).await, EventAccepted::Queued);
        }
        let runs = store.admin().runs(organization, Some(connection), 10).await.unwrap();
        assert_eq!(runs.len(), 2, "fifty articles a run");
        let first = store.start(runs[1].id).await;
        let ShardParams::FetchArticles(asked) = &first.shard.params else { panic!("{:?}", first.shard) };
        assert_eq!(asked.articles.len(), 50);
        // What runs has been read already, perhaps: a later event of the same article is fetched anew.
        assert_eq!(accept("e2", 7).await, EventAccepted::Queued);

        store.clock.advance(Duration::from_secs(8 * 24 * 3_600));
        assert_eq!(accept("e3", 8).await, EventAccepted::Queued);
        let kept: i64 = sqlx::query_scalar("select count(*) from subscription_event")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(kept, 1, "old events are forgotten");

        store
            .tokens()
            .pause(connection, store.tokens().tokens(connection).await.unwrap().unwrap().version, "dead")
            .await
            .unwrap();
        assert_eq!(accept("e4", 9).await, EventAccepted::Paused);
    }
}
