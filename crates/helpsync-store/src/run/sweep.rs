//! Putting right what got lost: leases that ran out, messages that never arrived.

use std::time::Duration;

use helpsync_model::{ShardEvent, ShardState};

use crate::db::decode::millis;
use crate::db::lease::{LEASE_QUEUES, SHARDS};
use crate::db::states::{RUNNING_SHARD, Step};
use crate::db::{QueueStore, StoreError, Write, sql};

/// A message that still waits in the outbox is not lost: the queue is away, and another would only wait beside it.
fn lost() -> String {
    let Step { from, .. } = Step::of::<ShardState>(ShardEvent::MessageLost);
    format!(
        "state in {from} and released_at < $2 and not exists (select 1 from outbox
           where outbox.dedup = 'shard-' || shard.id || '-' || shard.attempt || '-' || shard.released_at)"
    )
}

/// What a sweep put right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepOutcome {
    /// Shards whose worker went silent.
    pub expired: u64,
    /// Shards whose message never arrived.
    pub lost: u64,
}

impl QueueStore {
    /// Gives back what silent workers and lost messages hold: leases that ran out, and shards released longer than
    /// `lost_after` ago whose messages were published and that nobody started.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sweep(&self, lost_after: Duration) -> Result<SweepOutcome, StoreError> {
        let now = self.clock.now_ms();
        let lost_before = now.saturating_sub(millis(lost_after));
        let (expired, lost): (i64, i64) = sqlx::query_as(sql(format!(
            "select (select count(*) from shard where state = {RUNNING_SHARD} and lease_until < $1),
               (select count(*) from shard where {})",
            lost()
        )))
        .bind(now)
        .bind(lost_before)
        .fetch_one(&self.pool)
        .await?;
        if expired + lost == 0 {
            return Ok(SweepOutcome::default());
        }
        let mut write = self.write().await?;
        let expired = SHARDS.release(&mut write, now).await?;
        let lost = announce_again(&mut write, lost_before).await?;
        write.commit().await?;
        Ok(SweepOutcome { expired, lost })
    }

    /// At the start of the only process that uses this database: whatever was out is nobody's now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reclaim_all(&self) -> Result<SweepOutcome, StoreError> {
        let mut write = self.write().await?;
        let mut expired = 0;
        for queue in LEASE_QUEUES {
            let released = queue.release(&mut write, i64::MAX).await?;
            if queue.table == SHARDS.table {
                expired = released;
            }
        }
        sqlx::query("update connection set refresh_lease_until = null where refresh_lease_until is not null")
            .execute(&mut *write.tx)
            .await?;
        let lost = announce_again(&mut write, i64::MAX).await?;
        write.commit().await?;
        Ok(SweepOutcome { expired, lost })
    }
}

/// Puts back shards that were released before `released_before` and that nobody will hear of. A row that somebody holds
/// right now is left for the next sweep.
async fn announce_again(write: &mut Write, released_before: i64) -> Result<u64, StoreError> {
    let free = write.dialect.for_update_skip_locked();
    let Step { to, .. } = Step::of::<ShardState>(ShardEvent::MessageLost);
    let lost = sqlx::query(sql(format!(
        "update shard set state = {to}, due_at = $1, updated_at = $1
         where id in (select id from shard where {} order by id{free})",
        lost()
    )))
    .bind(write.now)
    .bind(released_before)
    .execute(&mut *write.tx)
    .await?;
    Ok(lost.rows_affected())
}
