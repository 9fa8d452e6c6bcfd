//! All lease queues together: the list has each of them, and the start of the only process frees every lease.

use std::collections::BTreeSet;
use std::time::Duration;

use helpsync_model::{ConnectionId, ShardId};

use crate::db::lease::LEASE_QUEUES;
use crate::db::sql;
use crate::testing::{TestStore, article, name_of, stores};
use crate::{Dialect, Store};

const LEASE: Duration = Duration::from_secs(30);
const MANY: u32 = 100;

/// Every table with a lease, and its column.
async fn leases_of(store: &Store) -> BTreeSet<(String, String)> {
    let columns = match store.dialect() {
        Dialect::Sqlite => {
            "select sqlite_master.name, part.name from sqlite_master join pragma_table_info(sqlite_master.name) as part
             where sqlite_master.type = 'table' and part.name like '%lease_until'"
        }
        Dialect::Postgres => {
            "select cast(table_name as text), cast(column_name as text) from information_schema.columns
             where table_schema = 'public' and column_name like '%lease_until'"
        }
    };
    let found: Vec<(String, String)> = sqlx::query_as(columns).fetch_all(&store.pool).await.unwrap();
    found.into_iter().collect()
}

#[tokio::test]
async fn every_table_with_a_lease_is_in_the_list_of_lease_queues() {
    for store in stores().await {
        let queues = LEASE_QUEUES.iter().map(|queue| (queue.table.to_owned(), "lease_until".to_owned()));
        // The claim of a token refresh is no queue: a connection is refreshed when somebody needs its token.
        let refresh = ("connection".to_owned(), "refresh_lease_until".to_owned());
        let listed: BTreeSet<_> = queues.chain([refresh]).collect();
        assert_eq!(leases_of(&store).await, listed, "{}", name_of(&store));
    }
}

/// A connection with something due in every queue.
async fn busy(store: &TestStore) -> ConnectionId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let key = "00ff".to_owned().into();
    store.webhooks().add_webhook(organization, "https://a.example/hook", &key, 3).await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    store.admin().want_subscription(crate::testing::FIRST, connection, "secret-path").await.unwrap();
    store.sync_articles(connection, vec![article(1, "T", 1)]).await;
    store.webhooks().fan_out_events(MANY).await.unwrap();
    sqlx::query(
        "insert into chunk (file_id, connection_id, position, locale, hash, tokens, state, due_at, created_at,
           updated_at, content)
         select id, connection_id, 0, 'en-us', 'h', 1, 'waiting', 0, 0, 0, 'text' from file",
    )
    .execute(&store.pool)
    .await
    .unwrap();
    store.admin().accept_event(crate::testing::FIRST, connection, "e1", 2, None).await.unwrap();
    assert_eq!(store.queue().release_due(MANY, MANY).await.unwrap(), 1);
    connection
}

/// Claims one thing of each queue, and the refresh; how many of the seven there were.
async fn claim_everything(store: &TestStore, connection: ConnectionId) -> usize {
    let webhooks = store.webhooks().due_webhooks(helpsync_model::WebhookId(0), 1).await.unwrap();
    let mut deliveries = false;
    for webhook in webhooks {
        deliveries = store.webhooks().claim_deliveries(webhook, 1, LEASE).await.unwrap().is_some();
    }
    let outbox = store.queue().claim_outbox(1, LEASE).await.unwrap();
    let shard: i64 = sqlx::query_scalar("select max(id) from shard").fetch_one(&store.pool).await.unwrap();
    let version = store.tokens().tokens(connection).await.unwrap().unwrap().version;
    [
        store.queue().start_shard(ShardId(shard), "worker", LEASE).await.unwrap().is_some(),
        !outbox.is_empty(),
        deliveries,
        !store.search().claim_files_to_chunk(connection, 1, i64::MAX, LEASE).await.unwrap().is_empty(),
        !store.search().claim_chunks(connection, 1, i64::MAX, LEASE).await.unwrap().is_empty(),
        !store.tokens().claim_subscriptions(1, LEASE).await.unwrap().is_empty(),
        store.tokens().claim_refresh(connection, version, "worker", LEASE).await.unwrap(),
    ]
    .into_iter()
    .filter(|claimed| *claimed)
    .count()
}

async fn held(store: &Store) -> Vec<String> {
    let mut held = Vec::new();
    for (table, column) in leases_of(store).await {
        let count: i64 =
            sqlx::query_scalar(sql(format!("select count(*) from {table} where {column} is not null")))
                .fetch_one(&store.pool)
                .await
                .unwrap();
        held.extend((count > 0).then_some(table));
    }
    held
}

#[tokio::test]
async fn the_only_process_frees_every_lease_at_its_start() {
    for store in stores().await {
        let connection = busy(&store).await;
        assert!(held(&store).await.is_empty());
        assert_eq!(claim_everything(&store, connection).await, 7, "{}", name_of(&store));
        assert_eq!(held(&store).await.len(), 7);
        assert_eq!(claim_everything(&store, connection).await, 0, "all of it is held");

        assert_eq!(store.queue().reclaim_all().await.unwrap().expired, 1);
        assert_eq!(held(&store).await, Vec::<String>::new(), "{}", name_of(&store));
        assert_eq!(claim_everything(&store, connection).await, 7, "{}", name_of(&store));
    }
}

#[tokio::test]
async fn a_row_that_is_finished_holds_no_lease() {
    for store in stores().await {
        busy(&store).await;
        for finished in [
            "update shard set state = 'done', lease_until = 1",
            "update webhook_delivery set state = 'dead', finished_at = 1, lease_until = 1",
            "update chunking set chunked_version = version, lease_until = 1",
            "update chunk set state = 'failed', lease_until = 1",
            "update event_subscription set due_at = null, lease_until = 1",
        ] {
            let written = sqlx::query(finished).execute(&store.pool).await;
            assert!(written.is_err(), "{} took: {finished}", name_of(&store));
        }
    }
}
