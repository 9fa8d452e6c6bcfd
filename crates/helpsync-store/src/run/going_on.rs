//! The end of a shard, and the worker that goes on with the one that follows.
//!
//! Where one shard alone follows, it need not go through the queue: it is added already taken, by the worker that ended
//! the one before and in the same transaction. Its row, its attempt and its lease are as those of any other, so if that
//! worker dies, the sweeper hands the shard out.

use std::time::Duration;

use helpsync_model::{Lane, ShardEvent, ShardId, ShardKind, ShardState, Stage};
use helpsync_telemetry::metrics as telemetry;
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_CONNECTION, FAILED_SHARD, OPEN_SHARD, PENDING_SHARD, Step};
use crate::db::{StoreError, Write, decode, sql};
use crate::run::fence::{Fence, refused};
use crate::run::note::RunNote;
use crate::run::runs::{RUN, Run, run_of};
use crate::run::shards::{NewShard, Shard, ShardEnd, StartedShard, insert_shard};
use crate::run::stages::advance;
use crate::run::start::{connection_of, started_of};
use crate::run::timeline::{WAITS_BYTES_MAX, line_of};
use crate::run::wake;

/// Who goes on with the shard that follows.
#[derive(Debug, Clone)]
pub struct Onward {
    /// Names the worker in leases and logs.
    pub holder: String,
    /// How long the shard may be silent.
    pub lease: Duration,
}

/// Asked at the end of a shard: who goes on. `None`: what follows goes through the queue, for the process stops.
pub type GoesOn<'a> = &'a (dyn Fn() -> Option<Onward> + Send + Sync);

/// What is to be known of a run when one of its shards has ended.
struct Left {
    /// Shards that are open.
    open: i64,
    /// Shards that have failed.
    failed: i64,
    /// A shard of the connection or its brands waits for Zendesk to come back.
    waiting: bool,
    /// Nobody has paused the customer or the lane, and the connection is synced.
    free: bool,
}

/// Records the end of a shard, whose connection's row is locked under its fence. Answers with the shard that `onward`
/// has from now on.
pub(crate) async fn end_in(
    write: &mut Write,
    fence: &Fence,
    end: &ShardEnd,
    note: &RunNote,
    onward: Option<&Onward>,
) -> Result<Option<StartedShard>, StoreError> {
    let (kind, lane) = settle(write, fence, end).await?;
    note.write_to_connection(write, fence.connection).await?;
    // From here on the run's row is locked: two last shards cannot both see the other open.
    let mut run = settle_run(write, fence, end, kind, note).await?;
    let more: &[NewShard] = match end {
        ShardEnd::Done(more) => more,
        ShardEnd::Failed(_) => &[],
        ShardEnd::Snooze { .. } | ShardEnd::Retry { .. } => return Ok(None),
    };
    let left = look(write, fence, lane).await?;
    if left.waiting && matches!(end, ShardEnd::Done(_)) {
        wake::zendesk_answers(write, fence.connection).await?;
    }
    let onward = onward.filter(|_| left.free && left.open == 0);
    let (mut open, mut next) = (left.open, None);
    let lane_of_more = run.lane.of_shards(more.len());
    for shard in more {
        let onward = onward.filter(|_| more.len() == 1 && lane_of_more == lane);
        let added = add(write, fence, lane_of_more, shard, onward).await?;
        open += i64::from(added != Added::Known);
        next = added.taken(shard.clone());
    }
    if open == 0
        && let Some(shard) = advance(write, &mut run, left.failed.unsigned_abs()).await?
    {
        let onward = onward.filter(|_| run.lane == lane);
        next = add(write, fence, run.lane, &shard, onward).await?.taken(shard);
    }
    let Some((id, shard)) = next else { return Ok(None) };
    let connection = connection_of(write, fence.connection).await?;
    write.once_committed(move || telemetry::shard_started(lane.as_str(), Duration::ZERO));
    let fence = Fence { shard: ShardId(id), attempt: write.now, ..*fence };
    let shard = Shard { id: fence.shard, key: shard.key, params: shard.params, cursor: None, failures: 1 };
    started_of(fence, shard, run, &connection).map(Some)
}

/// Writes how the work ended into the shard's row. Answers what kind of shard it was, and in which lane.
async fn settle(write: &mut Write, fence: &Fence, end: &ShardEnd) -> Result<(ShardKind, Lane), StoreError> {
    let (wait, spent, error, why) = match end {
        ShardEnd::Done(_) => (Duration::ZERO, 0, None, None),
        ShardEnd::Snooze { wait, reason } => (*wait, -1, None, Some(reason)),
        ShardEnd::Retry { wait, error } => (*wait, 0, Some(error), Some(error)),
        ShardEnd::Failed(error) => (Duration::ZERO, 0, Some(error), None),
    };
    let until = write.now.saturating_add(millis(wait));
    let waited = why.map(|why| line_of(write.now, until, why)).unwrap_or_default();
    let Step { to, .. } = Step::of::<ShardState>(end.event());
    let settled = SHARDS.settle(&format!(
        "holder = null, state = {to}, due_at = $3, failures = failures + $4, error = coalesce($5, error),
           updated_at = $6, waits = case when length(waits) < $7 then waits || $8 else waits end"
    ));
    let row = sqlx::query(sql(format!("{settled} returning id, kind, lane")))
        .bind(fence.shard.0)
        .bind(fence.attempt)
        .bind(until)
        .bind(spent)
        .bind(error)
        .bind(write.now)
        .bind(WAITS_BYTES_MAX)
        .bind(waited)
        .fetch_optional(&mut *write.tx)
        .await?
        .ok_or_else(|| refused(fence))?;
    Ok((decode::named(&row, "shard", "kind")?, decode::named(&row, "shard", "lane")?))
}

/// Writes into the run's row what it waits for and what its shard found out, and begins the walk if the shard was the plan
/// and is done: from here on an equal request comes too late for this run.
async fn settle_run(
    write: &mut Write,
    fence: &Fence,
    end: &ShardEnd,
    kind: ShardKind,
    note: &RunNote,
) -> Result<Run, StoreError> {
    let waiting_for = match end {
        ShardEnd::Snooze { reason: waiting_for, .. } | ShardEnd::Retry { error: waiting_for, .. } => {
            Some(waiting_for)
        }
        ShardEnd::Done(_) | ShardEnd::Failed(_) => None,
    };
    let planned = if matches!(end, ShardEnd::Done(_)) { Stage::Plan.planned(kind) } else { Stage::Plan };
    let text = format!(
        "update run set waiting_for = $9, stage = case when stage = $10 then $11 else stage end, {}
         where id = $1 returning {RUN}",
        RunNote::SET
    );
    let row = note
        .bind(sqlx::query(sql(text)).bind(fence.run.0))
        .bind(waiting_for)
        .bind(Stage::Plan.as_str())
        .bind(planned.as_str())
        .fetch_one(&mut *write.tx)
        .await?;
    note.count(write);
    run_of(&row)
}

async fn look(write: &mut Write, fence: &Fence, lane: Lane) -> Result<Left, StoreError> {
    let row = sqlx::query(sql(format!(
        "select cast(coalesce(sum(case when state in {OPEN_SHARD} then 1 else 0 end), 0) as bigint) as open,
           cast(coalesce(sum(case when state = {FAILED_SHARD} then 1 else 0 end), 0) as bigint) as failed,
           (select count(*) from shard as waiting where state = {PENDING_SHARD} and failures > 0 and due_at > $4
              and waiting.connection_id in (select id from connection where id = $2 or parent_id = $2)) as waiting,
           (select count(*) from connection join customer on customer.id = connection.customer_id
            where connection.id = $2 and connection.state = {ACTIVE_CONNECTION} and customer.paused_at is null
              and not exists (select 1 from paused_lane where lane = $3)) as free
         from shard where run_id = $1"
    )))
    .bind(fence.run.0)
    .bind(fence.connection.0)
    .bind(lane.as_str())
    .bind(wake::due_after(write.now))
    .fetch_one(&mut *write.tx)
    .await?;
    Ok(Left {
        open: row.try_get("open")?,
        failed: row.try_get("failed")?,
        waiting: row.try_get::<i64, _>("waiting")? > 0,
        free: row.try_get::<i64, _>("free")? > 0,
    })
}

/// What became of a shard that was to be added.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Added {
    /// There was one of that key.
    Known,
    /// It waits.
    Waits,
    /// This shard is taken.
    Taken(i64),
}

impl Added {
    fn taken(self, shard: NewShard) -> Option<(i64, NewShard)> {
        match self {
            Self::Taken(id) => Some((id, shard)),
            Self::Known | Self::Waits => None,
        }
    }
}

async fn add(
    write: &mut Write,
    fence: &Fence,
    lane: Lane,
    shard: &NewShard,
    onward: Option<&Onward>,
) -> Result<Added, StoreError> {
    let Some(onward) = onward else {
        let added = insert_shard(write, fence.run, fence.connection, lane, shard).await?;
        return Ok(if added { Added::Waits } else { Added::Known });
    };
    let Step { to, .. } = Step::of::<ShardState>(ShardEvent::Started);
    let taken: Option<i64> = sqlx::query_scalar(sql(format!(
        "insert into shard (run_id, connection_id, key, kind, lane, state, params, position, due_at, created_at,
           updated_at, attempt, failures, lease_until, holder, started_at)
         values ($1, $2, $3, $4, $5, {to}, $6, cast($7 as bigint), $8, $8, $8, $8, 1, $9, $10, $8)
         on conflict (run_id, key) do nothing returning id"
    )))
    .bind(fence.run.0)
    .bind(fence.connection.0)
    .bind(&shard.key)
    .bind(shard.params.kind().as_str())
    .bind(lane.as_str())
    .bind(shard.params.to_json().map_err(StoreError::unwritable)?)
    .bind(shard.position)
    .bind(write.now)
    .bind(write.now.saturating_add(millis(onward.lease)))
    .bind(&onward.holder)
    .fetch_optional(&mut *write.tx)
    .await?;
    Ok(taken.map_or(Added::Known, Added::Taken))
}
