//! The keys that sign a webhook's deliveries while it is given others, on both databases.

use std::time::Duration;

use helpsync_model::{Clock as _, OrganizationId, WebhookId};
use secrecy::ExposeSecret;

use crate::testing::{TestStore, article, name_of, stores};
use crate::{KeyRotated, WebhookAdded};

const HOUR: Duration = Duration::from_secs(3_600);
const MS: i64 = 3_600_000;
const LEASE: Duration = Duration::from_secs(30);

/// The keys that sign a delivery now, the oldest first.
async fn signing(store: &TestStore, webhook: WebhookId) -> Vec<String> {
    let round = store.webhooks().claim_deliveries(webhook, 1, LEASE).await.unwrap().unwrap();
    // The next one claims the same delivery again.
    store.clock.advance(LEASE);
    round.signing_keys.iter().map(|key| key.expose_secret().to_owned()).collect()
}

async fn rotate(store: &TestStore, of: (OrganizationId, WebhookId), key: &str, hours: u32) -> KeyRotated {
    store.webhooks().rotate_signing_key(of.0, of.1, &key.to_owned().into(), HOUR * hours).await.unwrap()
}

#[tokio::test]
async fn a_key_signs_for_as_long_as_its_overlap_said_whatever_is_rotated_meanwhile() {
    for store in stores().await {
        let name = name_of(&store);
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let key = "k1".to_owned().into();
        let added = store.webhooks().add_webhook(organization, "https://a.example", &key, 3);
        let WebhookAdded::Added(webhook) = added.await.unwrap() else { panic!("{name}") };
        let of = (organization, webhook.id);
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        store.sync_articles(connection, vec![article(1, "T", 1)]).await;
        while store.webhooks().fan_out_events(10).await.unwrap() > 0 {}
        assert_eq!(signing(&store, webhook.id).await, ["k1"], "{name}");

        let began = store.clock.now_ms();
        assert_eq!(rotate(&store, of, "k2", 24).await, KeyRotated::Until(began + 24 * MS), "{name}");
        rotate(&store, of, "k3", 2).await;
        assert_eq!(signing(&store, webhook.id).await, ["k1", "k2", "k3"], "{name}");
        let refused = rotate(&store, of, "k4", 1).await;
        assert_eq!(refused, KeyRotated::TooSoon(began + 2 * MS), "{name}: the first that ends");
        assert_eq!(signing(&store, webhook.id).await, ["k1", "k2", "k3"], "{name}: nothing was changed");

        store.clock.advance(2 * HOUR);
        assert_eq!(
            signing(&store, webhook.id).await,
            ["k1", "k3"],
            "{name}: the one between has ended first"
        );
        rotate(&store, of, "k4", 3).await;
        assert_eq!(signing(&store, webhook.id).await, ["k1", "k3", "k4"], "{name}");
        store.clock.advance(3 * HOUR);
        assert_eq!(signing(&store, webhook.id).await, ["k1", "k4"], "{name}");
        store.clock.advance(19 * HOUR);
        assert_eq!(signing(&store, webhook.id).await, ["k4"], "{name}");
        rotate(&store, of, "k5", 1).await;
        rotate(&store, of, "k6", 0).await;
        assert_eq!(signing(&store, webhook.id).await, ["k6"], "{name}: no overlap");
    }
}
