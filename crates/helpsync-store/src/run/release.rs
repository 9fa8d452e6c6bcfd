//! Release: which due shards go into the outbox, and in what order.

use std::collections::HashSet;

use helpsync_model::{RunId, ShardEvent, ShardId, ShardState};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::{FINALIZE, LANE_ORDER, OUTSTANDING_SHARD, PENDING_SHARD, Step};
use crate::db::{QueueStore, StoreError, Write, decode, sql};
use crate::run::outbox::{self, job_of};

impl QueueStore {
    /// Moves up to `limit` due shards into the outbox: urgent lanes first, then the connections that have the least
    /// out, and never more than `window` of one connection in one lane at once. A connection with a million due shards thus delays
    /// another's first one by no more than its window, and its own people's requests by nothing. Within a connection and
    /// lane the end of a run goes before more work of the next. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn release_due(&self, limit: u32, window: u32) -> Result<usize, StoreError> {
        let now = self.clock.now_ms();
        // A look outside the transaction: an idle system takes no write lock every tick.
        let due = sqlx::query(sql(format!(
            "select id, run_id, kind, lane, attempt, (select upload_id from run where run.id = run_id) as upload_id from (
               select shard.id, shard.run_id, shard.kind, shard.lane, shard.attempt, shard.due_at,
                 row_number() over (partition by connection_id, lane
                   order by case kind when {FINALIZE} then 0 else 1 end, due_at, id) as turn,
                 (select count(*) from shard as out where out.connection_id = shard.connection_id
                    and out.lane = shard.lane and out.state in {OUTSTANDING_SHARD}) as outstanding
               from shard where state = {PENDING_SHARD} and due_at <= $1) as candidate
             where turn + outstanding <= $2
             order by case lane {LANE_ORDER} end, turn + outstanding, due_at, id limit $3"
        )))
        .bind(now)
        .bind(i64::from(window))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        if due.is_empty() {
            return Ok(0);
        }
        let mut write = self.write().await?;
        // Locked in one order, passing over what another process releases: two of them never wait for each other.
        let ids = due.iter().map(|row| row.try_get("id")).collect::<Result<Vec<i64>, _>>()?;
        let free: HashSet<i64> = sqlx::query_scalar(sql(format!(
            "select id from shard where state = {PENDING_SHARD} and id in {} order by id{}",
            self.dialect.json_integers("$1"),
            self.dialect.for_update_skip_locked()
        )))
        .bind(json!(ids).to_string())
        .fetch_all(&mut *write.tx)
        .await?
        .into_iter()
        .collect();
        let mut released = 0;
        for row in due {
            let shard = ShardId(row.try_get("id")?);
            if free.contains(&shard.0) {
                released += usize::from(release(&mut write, shard, &row, now).await?);
            }
        }
        write.commit().await?;
        Ok(released)
    }

    /// When the next pending shard is due, in ms.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_due(&self) -> Result<Option<i64>, StoreError> {
        let next = sql(format!("select min(due_at) from shard where state = {PENDING_SHARD}"));
        Ok(sqlx::query_scalar(next).fetch_one(&self.pool).await?)
    }
}

/// Releases one shard, `row`: its message goes into the outbox. False: it does not wait any more.
async fn release(write: &mut Write, shard: ShardId, row: &AnyRow, now: i64) -> Result<bool, StoreError> {
    let attempt: i64 = row.try_get("attempt")?;
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::Released);
    let moved = sqlx::query(sql(format!(
        "update shard set state = {to}, released_at = $2, updated_at = $2 where id = $1 and state in {from}"
    )))
    .bind(shard.0)
    .bind(now)
    .execute(&mut *write.tx)
    .await?;
    if moved.rows_affected() == 0 {
        return Ok(false);
    }
    let job = job_of(
        shard,
        RunId(row.try_get("run_id")?),
        decode::named(row, "shard", "kind")?,
        decode::named(row, "shard", "lane")?,
    );
    let (dedup, upload) = (format!("shard-{shard}-{attempt}-{now}"), row.try_get::<String, _>("upload_id")?);
    outbox::put(write, &dedup, &job, &upload).await?;
    Ok(true)
}
