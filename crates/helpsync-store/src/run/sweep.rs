//! Putting right what got lost: leases that ran out, messages that never arrived.

use std::time::Duration;

use helpsync_model::{ShardEvent, ShardState};

use crate::db::decode::millis;
use crate::db::states::{CHUNK_TO_EMBED, OUTSTANDING_SHARD, RUNNING_SHARD, Step};
use crate::db::{QueueStore, StoreError, sql};

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
            "select cast(coalesce(sum(case when state = {RUNNING_SHARD} and lease_until < $1 then 1 else 0 end), 0) as bigint),
               cast(coalesce(sum(case when {} then 1 else 0 end), 0) as bigint)
             from shard where state in {OUTSTANDING_SHARD}",
            lost()
        )))
        .bind(now)
        .bind(lost_before)
        .fetch_one(&self.pool)
        .await?;
        if expired + lost == 0 {
            return Ok(SweepOutcome::default());
        }
        self.reclaim(now, lost_before, now).await
    }

    /// At the start of the only process that uses this database: whatever was out is nobody's now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn reclaim_all(&self) -> Result<SweepOutcome, StoreError> {
        let mut write = self.write().await?;
        sqlx::query("update outbox set claimed_until = 0").execute(&mut *write.tx).await?;
        sqlx::query("update webhook_delivery set lease_until = null where lease_until is not null")
            .execute(&mut *write.tx)
            .await?;
        sqlx::query("update connection set refresh_until = 0 where refresh_until > 0")
            .execute(&mut *write.tx)
            .await?;
        for (table, waiting) in [
            ("chunking", "chunked_version < version".to_owned()),
            ("chunk", format!("state in {CHUNK_TO_EMBED}")),
        ] {
            sqlx::query(sql(format!(
                "update {table} set lease_until = null where {waiting} and lease_until is not null"
            )))
            .execute(&mut *write.tx)
            .await?;
        }
        write.commit().await?;
        self.reclaim(i64::MAX, i64::MAX, self.clock.now_ms()).await
    }

    async fn reclaim(
        &self,
        lease_before: i64,
        released_before: i64,
        now: i64,
    ) -> Result<SweepOutcome, StoreError> {
        let mut write = self.write().await?;
        // A row that somebody holds right now is left for the next sweep: waiting for one worker that was stopped in
        // the middle of a write would keep everybody else's shards waiting too.
        let free = self.dialect.for_update_skip_locked();
        let Step { from, to } = Step::of::<ShardState>(ShardEvent::LeaseExpired);
        let expired = sqlx::query(sql(format!(
            "update shard set state = {to}, lease_until = null, holder = null, due_at = $2, updated_at = $2
             where id in (select id from shard where state in {from} and lease_until < $1 order by id{free})"
        )))
        .bind(lease_before)
        .bind(now)
        .execute(&mut *write.tx)
        .await?
        .rows_affected();
        let Step { to, .. } = Step::of::<ShardState>(ShardEvent::MessageLost);
        let lost = sqlx::query(sql(format!(
            "update shard set state = {to}, due_at = $1, updated_at = $1
             where id in (select id from shard where {} order by id{free})",
            lost()
        )))
        .bind(now)
        .bind(released_before)
        .execute(&mut *write.tx)
        .await?
        .rows_affected();
        write.commit().await?;
        Ok(SweepOutcome { expired, lost })
    }
}
