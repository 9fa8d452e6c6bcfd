//! Shards that wait for Zendesk to come back need not wait to the end: a sign of life, or a person who asks, is enough.

use std::time::Duration;

use helpsync_model::ConnectionId;

use crate::db::decode::millis;
use crate::db::family::FAMILY;
use crate::db::states::PENDING_SHARD;
use crate::db::{StoreError, Write, sql};

/// Waits for less are those of single requests that failed. They are kept, or the tries would be over in no time.
const LONG: Duration = Duration::from_mins(1);

/// A shard of the connection is done, so Zendesk answers: those that wait for it are due.
pub(crate) async fn zendesk_answers(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    let after = due_after(write.now);
    wake(write, connection, after).await
}

/// What waits for Zendesk to come back at `now` (ms) is due after this.
pub(crate) fn due_after(now: i64) -> i64 {
    now.saturating_add(millis(LONG))
}

/// Somebody asks for a sync, which the waiting run is to serve: its shards are due.
pub(crate) async fn asked_for(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    let now = write.now;
    wake(write, connection, now).await
}

async fn wake(write: &mut Write, connection: ConnectionId, due_after: i64) -> Result<(), StoreError> {
    let free = write.dialect.for_update_skip_locked();
    sqlx::query(sql(format!(
        "update shard set due_at = $2, updated_at = $2 where id in
           (select id from shard where connection_id in {FAMILY} and state = {PENDING_SHARD} and failures > 0
              and due_at > $3 order by id{free})"
    )))
    .bind(connection.0)
    .bind(write.now)
    .bind(due_after)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
