//! How long ended runs are kept, with their shards and what they could not store.
//!
//! The latest run of each kind of a connection stays for ever, and so does every run of which a dead letter waits for a
//! person. What goes is looked for in the order in which runs ended, a few rows at a time and on from where the last look
//! came to: however much stays, a look costs the same.

use std::time::Duration;

use helpsync_model::{ShardEvent, ShardState};
use serde_json::json;
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::states::{FAILED_SHARD, Step};
use crate::db::{QueueStore, StoreError, sql};

/// Runs that one step looks at.
const RUNS_PER_STEP: i64 = 100;
/// Records of what could not be stored that one step removes; of runs with more, the rest goes with the next steps.
const SKIPPED_PER_STEP: u64 = 5_000;

/// How far the looks have come: everything that ended before was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PrunedTo {
    /// When the last run that was looked at ended, in ms.
    finished_at: i64,
    /// That run.
    id: i64,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RunsPruned {
    /// Runs that are removed.
    pub runs: u64,
    /// Where the next step goes on; `None`: it has come to the end, and the next begins anew.
    pub next: Option<PrunedTo>,
}

impl QueueStore {
    /// One step of removing runs that ended longer than `keep` ago, on from `after`.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is removed then.
    pub async fn prune_runs(&self, keep: Duration, after: PrunedTo) -> Result<RunsPruned, StoreError> {
        let before = self.clock.now_ms().saturating_sub(millis(keep));
        let rows = sqlx::query(sql(format!(
            "select run.id, run.finished_at,
               cast(case when exists (select 1 from run as later where later.connection_id = run.connection_id
                     and later.kind = run.kind and later.id > run.id and later.finished_at is not null)
                   and not exists (select 1 from shard where shard.run_id = run.id and shard.state = {FAILED_SHARD})
                 then 1 else 0 end as bigint) as goes
             from run where finished_at is not null and finished_at < $1 and finished_at >= $2
               and (finished_at > $2 or id > $3)
             order by finished_at, id limit $4"
        )))
        .bind(before)
        .bind(after.finished_at)
        .bind(after.id)
        .bind(RUNS_PER_STEP)
        .fetch_all(&self.pool)
        .await?;
        let (mut going, mut last) = (Vec::new(), None);
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            if row.try_get::<i64, _>("goes")? == 1 {
                going.push(id);
            }
            last = Some(PrunedTo { finished_at: row.try_get("finished_at")?, id });
        }
        if going.is_empty() {
            return Ok(RunsPruned { runs: 0, next: last });
        }
        match self.remove_runs(&going).await? {
            // Some of it is left: the same runs once more.
            None => Ok(RunsPruned { runs: 0, next: Some(after) }),
            Some(runs) => Ok(RunsPruned { runs, next: last }),
        }
    }

    /// Removes ended runs; `None`: so far only some of what they could not store.
    async fn remove_runs(&self, runs: &[i64]) -> Result<Option<u64>, StoreError> {
        let runs = json!(runs).to_string();
        let ids = self.dialect.json_integers("$1");
        let mut write = self.write().await?;
        let skipped = sqlx::query(sql(format!(
            "delete from skipped where id in (select id from skipped where run_id in {ids} limit {SKIPPED_PER_STEP})"
        )))
        .bind(&runs)
        .execute(&mut *write.tx)
        .await?;
        if skipped.rows_affected() >= SKIPPED_PER_STEP {
            write.commit().await?;
            return Ok(None);
        }
        // A shard that a person has taken up again since the look is one that is not over, and its run stays.
        let Step { from, .. } = Step::of::<ShardState>(ShardEvent::Cancelled);
        let kept = format!("open.state in {from} or open.state = {FAILED_SHARD}");
        sqlx::query(sql(format!(
            "delete from shard where run_id in {ids}
               and not exists (select 1 from shard as open where open.run_id = shard.run_id and ({kept}))"
        )))
        .bind(&runs)
        .execute(&mut *write.tx)
        .await?;
        let removed = sqlx::query(sql(format!(
            "delete from run where id in {ids} and finished_at is not null
               and not exists (select 1 from shard where shard.run_id = run.id)
               and not exists (select 1 from skipped where skipped.run_id = run.id)"
        )))
        .bind(&runs)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(Some(removed.rows_affected()))
    }
}
