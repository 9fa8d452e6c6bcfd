//! An older backup is put in place while somebody still works on what was there: ids and claims come again, and what was
//! begun before counts for nothing.

use std::time::Duration;

use helpsync_model::{ShardId, WebhookId};

use crate::db::sql;
use crate::run::shards::{Fence, check_fence};
use crate::testing::{TestStore, article, name_of, stores};
use crate::{ClaimedDelivery, OutboxMessage, ShardEnd, StoreError, Tried, TriedEnd, WebhookHealth};

const LEASE: Duration = Duration::from_secs(60);
const MANY: u32 = 100;

async fn execute(store: &TestStore, statement: &str) {
    sqlx::query(sql(statement.to_owned())).execute(&store.pool).await.unwrap();
}

/// A store with a shard whose message waits, and a delivery that is due.
async fn with_work(store: &TestStore) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let key = "00ff".to_owned().into();
    store.webhooks().add_webhook(organization, "https://a.example/hook", &key, 3).await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    store.sync_articles(connection, vec![article(1, "T", 1)]).await;
    store.webhooks().fan_out_events(MANY).await.unwrap();
    store.admin().accept_event(crate::testing::FIRST, connection, "e1", 2, None).await.unwrap();
    assert_eq!(store.queue().release_due(MANY, MANY).await.unwrap(), 1);
}

async fn start(store: &TestStore) -> Fence {
    let shard: i64 = sqlx::query_scalar("select max(id) from shard").fetch_one(&store.pool).await.unwrap();
    store.queue().start_shard(ShardId(shard), "worker", LEASE).await.unwrap().unwrap().fence
}

async fn publish(store: &TestStore) -> Vec<OutboxMessage> {
    store.queue().claim_outbox(MANY, LEASE).await.unwrap()
}

async fn deliver(store: &TestStore) -> Vec<ClaimedDelivery> {
    store.webhooks().claim_deliveries(WebhookId(1), 1, LEASE).await.unwrap().unwrap().deliveries
}

async fn settled(store: &TestStore, delivery: &ClaimedDelivery) {
    let tried = Tried { delivery: delivery.id, attempt: delivery.attempt, end: TriedEnd::Delivered };
    store.webhooks().settle_deliveries(WebhookId(1), &[tried], WebhookHealth::clone).await.unwrap();
}

async fn pending(store: &TestStore) -> i64 {
    let count = "select count(*) from webhook_delivery where state = 'pending'";
    sqlx::query_scalar(count).fetch_one(&store.pool).await.unwrap()
}

#[tokio::test]
async fn what_was_begun_before_a_backup_was_restored_changes_nothing_after_it() {
    for store in stores().await {
        with_work(&store).await;
        let (late, sent, told) = (start(&store).await, publish(&store).await, deliver(&store).await);
        let waiting = pending(&store).await;

        // The backup is older than the claims, and so are the rows that were claimed: others get their ids.
        store.clock.advance(Duration::from_millis(1));
        let now = helpsync_model::Clock::now_ms(&*store.clock);
        execute(
            &store,
            "update shard set attempt = 0, lease_until = null, state = 'released' where state = 'running'",
        )
        .await;
        execute(
            &store,
            &format!(
                "update outbox set attempt = 0, lease_until = null, dedup = 'later', created_at = {now}"
            ),
        )
        .await;
        execute(
            &store,
            &format!("update webhook_delivery set attempt = 0, lease_until = null, created_at = {now}, due_at = {now}
                      where state = 'pending'"),
        )
        .await;

        let held = start(&store).await;
        assert_eq!(held.shard, late.shard);
        assert_ne!(held.attempt, late.attempt, "{}", name_of(&store));
        let mut write = store.write().await.unwrap();
        assert!(matches!(check_fence(&mut write, &late).await, Err(StoreError::Fenced)));
        drop(write);
        assert!(!store.queue().renew_shard(&late, LEASE).await.unwrap());
        let ended = store.queue().end_shard(&late, &ShardEnd::Done(Vec::new())).await;
        assert!(matches!(ended, Err(StoreError::Fenced)), "{ended:?}");

        store.queue().settle_outbox(&sent.iter().collect::<Vec<_>>()).await.unwrap();
        let again = publish(&store).await;
        assert_eq!(
            (again.len(), again[0].id),
            (1, sent[0].id),
            "another message with its id is not published yet"
        );
        assert_ne!(again[0].attempt, sent[0].attempt);

        settled(&store, &told[0]).await;
        assert_eq!(pending(&store).await, waiting, "another delivery with its id has not been made yet");
        let again = deliver(&store).await;
        assert_eq!(again[0].id, told[0].id);
        settled(&store, &again[0]).await;
        assert_eq!(pending(&store).await, waiting - 1);
    }
}
