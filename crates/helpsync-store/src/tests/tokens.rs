//! Tokens: who may refresh, and what a refresh leaves.

use std::time::Duration;

use helpsync_model::{ConnectionId, ConnectionState, EventKind};
use secrecy::ExposeSecret;

use crate::NewTokens;
use crate::testing::{TestStore, stores};

const LEASE: Duration = Duration::from_secs(30);

async fn connected(store: &TestStore) -> ConnectionId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    store.connect(&customer, "acme").await
}

fn pair(access: &str, refresh: Option<&str>) -> NewTokens {
    NewTokens {
        access: access.to_owned().into(),
        refresh: refresh.map(|text| text.to_owned().into()),
        expires_at: Some(5),
        refresh_expires_at: None,
    }
}

#[tokio::test]
async fn one_refresher_at_a_time_until_it_gives_back_or_its_lease_ends() {
    for store in stores().await {
        let id = connected(&store).await;
        let version = store.tokens().tokens(id).await.unwrap().unwrap().version;
        let other = store.reopen().await;
        assert!(store.tokens().claim_refresh(id, version, "one", LEASE).await.unwrap());
        assert!(!other.tokens().claim_refresh(id, version, "two", LEASE).await.unwrap());
        store.tokens().end_refresh(id, "two").await.unwrap();
        assert!(
            !other.tokens().claim_refresh(id, version, "two", LEASE).await.unwrap(),
            "not two's to give back"
        );
        store.tokens().end_refresh(id, "one").await.unwrap();
        assert!(other.tokens().claim_refresh(id, version, "two", LEASE).await.unwrap());
        store.clock.advance(LEASE);
        assert!(store.tokens().claim_refresh(id, version, "one", LEASE).await.unwrap());
        assert!(!store.tokens().claim_refresh(id, version + 1, "one", LEASE).await.unwrap());
    }
}

#[tokio::test]
async fn a_pair_is_replaced_once_and_an_absent_refresh_token_keeps_the_stored_one() {
    for store in stores().await {
        let id = connected(&store).await;
        let version = store.tokens().tokens(id).await.unwrap().unwrap().version;
        assert!(store.tokens().store_refreshed(id, version, &pair("access-2", None)).await.unwrap());
        assert!(!store.tokens().store_refreshed(id, version, &pair("late", Some("late"))).await.unwrap());
        let now = store.tokens().tokens(id).await.unwrap().unwrap();
        assert_eq!((now.access.expose_secret(), now.version), ("access-2", version + 1));
        assert_eq!(now.refresh.unwrap().expose_secret(), "refresh-1");
        assert_eq!(now.expires_at, Some(5));
    }
}

#[tokio::test]
async fn a_dead_grant_pauses_the_connection_unless_the_pair_was_replaced_meanwhile() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let id = connected(&store).await;
        let version = store.tokens().tokens(id).await.unwrap().unwrap().version;
        assert!(store.tokens().store_refreshed(id, version, &pair("access-2", None)).await.unwrap());
        assert!(!store.tokens().pause(id, version, "refused").await.unwrap());
        assert!(store.tokens().pause(id, version + 1, "refused").await.unwrap());
        let now = store.admin().connection(organization, id).await.unwrap();
        assert_eq!(now.state, ConnectionState::Paused);
        assert_eq!(now.pause_reason.as_deref(), Some("refused"));
        let events = store.webhooks().events(organization, 0, 10).await.unwrap();
        let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
        assert_eq!(
            kinds,
            [EventKind::Add, EventKind::Revoke],
            "announced once, and not where nothing was paused"
        );
        let last = events.last().unwrap();
        assert_eq!(
            (last.object_type.as_str(), last.object_id.as_str()),
            ("DATA_SOURCE", id.to_string().as_str())
        );
        assert_eq!(last.detail, serde_json::json!({ "state": "paused", "reason": "refused" }));
        assert!(!store.tokens().pause(id, version + 1, "refused").await.unwrap());
        assert_eq!(store.webhooks().events(organization, 0, 10).await.unwrap().len(), 2);
    }
}
