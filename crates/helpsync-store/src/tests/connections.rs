//! Connections as outside programs see them.

use helpsync_model::{ConnectionState, DataSourceStatus, EventKind, SyncAction};
use secrecy::ExposeSecret;

use crate::testing::stores;
use crate::{ConnectionOrder, ConnectionQuery, StoreError};

#[tokio::test]
async fn disconnecting_forgets_the_tokens_and_says_so_once() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let id = store.connect(&customer, "acme").await;
        let token = store.admin().disconnect(organization, id).await.unwrap().unwrap();
        assert_eq!(token.expose_secret(), "access-1");
        assert!(store.admin().disconnect(organization, id).await.unwrap().is_none());

        let now = store.admin().connection(organization, id).await.unwrap();
        assert_eq!((now.state, now.last_sync_action), (ConnectionState::Revoked, SyncAction::Revoke));
        assert_eq!(now.sync_status, DataSourceStatus::Ready);
        assert!(store.tokens().tokens(id).await.unwrap().is_none());
        let kinds: Vec<EventKind> = store
            .webhooks()
            .events(organization, 0, 10)
            .await
            .unwrap()
            .iter()
            .map(|event| event.kind)
            .collect();
        assert_eq!(kinds, [EventKind::Add, EventKind::Revoke]);
        let missing = store.admin().disconnect(organization, helpsync_model::ConnectionId(99)).await;
        assert!(matches!(missing, Err(StoreError::NotFound(_))));
    }
}

#[tokio::test]
async fn a_refused_grant_is_noted_on_the_connection() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let id = store.connect(&customer, "acme").await;
        store.clock.advance(std::time::Duration::from_secs(5));
        store.admin().note_refused_grant(customer.id, "acme").await.unwrap();
        let now = store.admin().connection(organization, id).await.unwrap();
        assert_eq!(now.last_sync_action, SyncAction::Cancel);
        assert_eq!(now.last_synced_at, now.created_at + 5_000);
        assert_eq!(store.webhooks().events(organization, 1, 10).await.unwrap()[0].kind, EventKind::Cancel);
    }
}

#[tokio::test]
async fn connections_are_filtered_counted_and_paged() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let mut ids = Vec::new();
        for number in 0..5 {
            let customer = store.admin().customer(organization, &format!("cust-{number}")).await.unwrap();
            ids.push(store.connect(&customer, "acme").await);
        }
        store.admin().disconnect(organization, ids[0]).await.unwrap();
        let all = ConnectionQuery {
            organization,
            customer: None,
            ids: None,
            revoked: None,
            starting_id: 0,
            order: ConnectionOrder::CreatedAt,
            descending: false,
            limit: 100,
            offset: 0,
        };
        let found = async |query: ConnectionQuery| {
            let (page, count) = store.admin().connections(&query).await.unwrap();
            (page.iter().map(|connection| connection.id).collect::<Vec<_>>(), count)
        };
        assert_eq!(found(all.clone()).await, (ids.clone(), 5));
        assert_eq!(found(ConnectionQuery { revoked: Some(true), ..all.clone() }).await, (vec![ids[0]], 1));
        assert_eq!(found(ConnectionQuery { revoked: Some(false), ..all.clone() }).await.1, 4);
        let named = ConnectionQuery { ids: Some(vec![ids[2].0, 99]), ..all.clone() };
        assert_eq!(found(named).await, (vec![ids[2]], 1));
        assert_eq!(found(ConnectionQuery { ids: Some(Vec::new()), ..all.clone() }).await.1, 0);
        let page = ConnectionQuery { limit: 2, offset: 1, ..all.clone() };
        assert_eq!(found(page).await, (vec![ids[1], ids[2]], 5));
        let customer = store.admin().customer(organization, "cust-3").await.unwrap().id;
        assert_eq!(
            found(ConnectionQuery { customer: Some(customer), ..all.clone() }).await,
            (vec![ids[3]], 1)
        );
        let later = ConnectionQuery { starting_id: ids[2].0, descending: true, ..all };
        assert_eq!(found(later).await.0, [ids[4], ids[3]]);
    }
}
