//! The end of a shard, and the worker that goes on with the one that follows.
//!
//! Where one shard alone follows, it need not go through the queue: it is added already taken, by the worker that ended
//! the one before and in the same transaction. Its row, its attempt and its lease are as those of any other, so if that
//! worker dies, the sweeper hands the shard out.

use std::time::Duration;

use helpsync_model::{ConnectionId, Lane, ShardId, ShardKind, ShardState, Stage};
use helpsync_telemetry::metrics as telemetry;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::decode::millis;
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_CONNECTION, DONE_SHARD, FAILED_SHARD, OPEN_SHARD, PENDING_SHARD, Step};
use crate::db::{Dialect, StoreError, Write, decode, sql};
use crate::run::counters::PageCounts;
use crate::run::fence::{Fence, OF_EPOCH, check_epoch, home, refused};
use crate::run::note::RunNote;
use crate::run::runs::{RUN, Run, run_of};
use crate::run::shards::{NewShard, Shard, ShardEnd, StartedShard, insert_shard};
use crate::run::stages::{NextStage, begin, next_stage};
use crate::run::start::{started_of, take_new};
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

/// The end of a shard, and what is written with it.
pub(crate) struct Ending<'a> {
    pub(crate) fence: &'a Fence,
    pub(crate) end: &'a ShardEnd,
    pub(crate) found: Found<'a>,
    /// The lock of the connection's row that is taken first; `None`: it is held, and so is the shard's.
    pub(crate) lock: Option<&'static str>,
    /// The connection's high-water mark, in epoch seconds, if the end may move it.
    pub(crate) high_water: Option<i64>,
    pub(crate) onward: Option<&'a Onward>,
}

/// What is written into the run's row with the end of a shard.
#[derive(Clone, Copy)]
pub(crate) enum Found<'a> {
    /// What the work found out.
    Note(&'a RunNote),
    /// What is counted of its last page.
    Page(&'a PageCounts),
}

impl Found<'_> {
    /// What it sets: placeholders from `first` on, as [`Found::bind`] binds them.
    fn set(self, first: usize) -> String {
        match self {
            Self::Note(_) => RunNote::set(first),
            Self::Page(_) => PageCounts::set(first),
        }
    }

    fn bind<'q>(&'q self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        match self {
            Self::Note(note) => note.bind(query),
            Self::Page(counts) => counts.bind(query),
        }
    }
}

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
    /// Where the hindmost walk stands that is not at its end, in epoch seconds.
    hindmost: Option<i64>,
    /// The latest change that a walk has stored, in epoch seconds.
    latest: Option<i64>,
}

/// Records the end of a shard. Answers with the shard that `onward` has from now on.
pub(crate) async fn end_in(
    write: &mut Write,
    ending: &Ending<'_>,
) -> Result<Option<StartedShard>, StoreError> {
    let Ending { fence, end, found, .. } = *ending;
    // From here on the run's row is locked: two last shards cannot both see the other open.
    let (mut run, lane) = settle(write, ending).await?;
    if let Found::Note(note) = found {
        note.count(write);
        note.write_to_connection(write, fence.connection).await?;
    }
    let more: &[NewShard] = match end {
        ShardEnd::Done(more) => more,
        ShardEnd::Failed(_) => &[],
        ShardEnd::Snooze { .. } | ShardEnd::Retry { .. } => return Ok(None),
    };
    let left = look(write, fence, lane).await?;
    if let Some(known) = ending.high_water {
        move_high_water(write, fence.connection, known, left.hindmost, left.latest).await?;
    }
    if left.waiting && matches!(end, ShardEnd::Done(_)) {
        wake::zendesk_answers(write, fence.connection).await?;
    }
    let onward = ending.onward.filter(|_| left.free && left.open == 0);
    let (mut open, mut next) = (left.open, None);
    let lane_of_more = run.lane.of_shards(more.len());
    for shard in more {
        let onward = onward.filter(|_| more.len() == 1 && lane_of_more == lane);
        let added = add(write, fence, lane_of_more, shard, None, onward).await?;
        open += i64::from(!matches!(added, Added::Known));
        next = added.taken(shard.clone());
    }
    if open == 0
        && let Some(stage) = next_stage(write, &run, left.failed.unsigned_abs()).await?
    {
        let onward = onward.filter(|_| run.lane == lane);
        next = add(write, fence, run.lane, &stage.shard(), Some((&run, &stage)), onward)
            .await?
            .taken(stage.shard());
        stage.has_begun(&mut run);
    }
    let Some((row, shard)) = next else { return Ok(None) };
    write.once_committed(move || telemetry::shard_started(lane.as_str(), Duration::ZERO));
    let fence = Fence { shard: ShardId(row.try_get("taken")?), attempt: write.now, ..*fence };
    let shard = Shard { id: fence.shard, key: shard.key, params: shard.params, cursor: None, failures: 1 };
    started_of(fence, shard, run, &row).map(Some)
}

/// What the end of a shard says of it and of its run.
struct Written<'a> {
    /// Until it is due again.
    wait: Duration,
    /// Tries that it spends besides the one that was counted at its start.
    spent: i32,
    error: Option<&'a String>,
    /// What it waits for, in words and as a kind.
    why: Option<&'a String>,
    waiting: Option<&'static str>,
}

fn written(end: &ShardEnd) -> Written<'_> {
    let ended = Written { wait: Duration::ZERO, spent: 0, error: None, why: None, waiting: None };
    match end {
        ShardEnd::Done(_) => ended,
        ShardEnd::Snooze { wait, kind, reason } => {
            Written { wait: *wait, spent: -1, why: Some(reason), waiting: Some(kind.as_str()), ..ended }
        }
        ShardEnd::Retry { wait, kind, error } => {
            let (error, waiting) = (Some(error), Some(kind.as_str()));
            Written { wait: *wait, error, why: error, waiting, ..ended }
        }
        ShardEnd::Failed(error) => Written { error: Some(error), ..ended },
    }
}

/// Writes how the work ended into the shard's row, and into the run's what it waits for, of what kind that is, what its shard found out, and that
/// the walk begins if the shard was the plan and is done: from here on an equal request comes too late for this run.
/// Answers the run, and the lane of the shard.
async fn settle(write: &mut Write, ending: &Ending<'_>) -> Result<(Run, Lane), StoreError> {
    let Ending { fence, end, found, lock, .. } = ending;
    if write.dialect == Dialect::Sqlite && lock.is_some() {
        check_epoch(write, fence, "").await?;
    }
    let Written { wait, spent, error, why, waiting } = written(end);
    let until = write.now.saturating_add(millis(wait));
    let waited = why.map(|why| line_of(write.now, until, why)).unwrap_or_default();
    let Step { to, .. } = Step::of::<ShardState>(end.event());
    let settled = SHARDS.settle(&format!(
        "holder = null, state = {to}, due_at = $3, failures = failures + $4, error = coalesce($5, error),
           updated_at = $6, waits = case when length(waits) < $7 then waits || $8 else waits end"
    ));
    let planned =
        if matches!(end, ShardEnd::Done(_)) { Stage::Plan.planned(ShardKind::Plan) } else { Stage::Plan };
    let (plan, planned) = (Stage::Plan.as_str(), planned.as_str());
    // `kind`: of the shard, as an expression.
    let run_set = |first: usize, kind: &str| {
        let (planning, second, third) = (ShardKind::Plan.as_str(), first + 1, first + 2);
        format!(
            "waiting_for = ${first}, waiting_kind = ${second},
               stage = case when run.stage = '{plan}' and {kind} = '{planning}' then ${third} else run.stage end, {}",
            found.set(first + 3)
        )
    };
    let shard_of = |text| {
        sqlx::query(sql(text))
            .bind(fence.shard.0)
            .bind(fence.attempt)
            .bind(until)
            .bind(spent)
            .bind(error)
            .bind(write.now)
            .bind(WAITS_BYTES_MAX)
            .bind(waited.as_str())
    };
    let row = match write.dialect {
        Dialect::Postgres => {
            let text = format!(
                "with {}, settled as ({settled} and {OF_EPOCH} = $10 returning run_id, kind, lane),
                 run as (update run set {} from settled where run.id = settled.run_id returning run.*)
                 select {RUN}, settled.lane as shard_lane from run cross join settled",
                home("id = $9", lock.unwrap_or_default()),
                run_set(11, "settled.kind")
            );
            let query = shard_of(text)
                .bind(fence.connection.0)
                .bind(fence.epoch)
                .bind(why)
                .bind(waiting)
                .bind(planned);
            found.bind(query).fetch_optional(&mut *write.tx).await?.ok_or_else(|| refused(fence))?
        }
        Dialect::Sqlite => {
            let ended = shard_of(format!("{settled} returning id, kind"));
            let ended = ended.fetch_optional(&mut *write.tx).await?.ok_or_else(|| refused(fence))?;
            let kind: String = ended.try_get("kind")?;
            let text = format!(
                "update run set {} where id = $1 returning {RUN},
                   (select lane from shard where shard.id = $3) as shard_lane",
                run_set(4, "$2")
            );
            let query = sqlx::query(sql(text)).bind(fence.run.0).bind(kind).bind(fence.shard.0);
            found.bind(query.bind(why).bind(waiting).bind(planned)).fetch_one(&mut *write.tx).await?
        }
    };
    Ok((run_of(&row)?, decode::named(&row, "shard", "shard_lane")?))
}

async fn look(write: &mut Write, fence: &Fence, lane: Lane) -> Result<Left, StoreError> {
    let row = sqlx::query(sql(format!(
        "select cast(coalesce(sum(case when state in {OPEN_SHARD} then 1 else 0 end), 0) as bigint) as open,
           cast(coalesce(sum(case when state = {FAILED_SHARD} then 1 else 0 end), 0) as bigint) as failed,
           min(case when state <> {DONE_SHARD} then position end) as hindmost, max(newest) as latest,
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
        hindmost: row.try_get("hindmost")?,
        latest: row.try_get("latest")?,
    })
}

/// The mark may go as far as the hindmost walk that is not at its end, or to the latest change if there is none; all in
/// epoch seconds. A time that has not come yet is no mark: it would hide every change until then.
pub(crate) async fn move_high_water(
    write: &mut Write,
    connection: ConnectionId,
    known: i64,
    hindmost: Option<i64>,
    latest: Option<i64>,
) -> Result<(), StoreError> {
    let mark = hindmost.or(latest).map(|mark| mark.min(write.now / 1000)).filter(|mark| *mark > known);
    let Some(mark) = mark else { return Ok(()) };
    sqlx::query("update connection set high_water = $2 where id = $1 and coalesce(high_water, 0) < $2")
        .bind(connection.0)
        .bind(mark)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// What became of a shard that was to be added.
enum Added {
    /// There was one of that key.
    Known,
    /// It waits.
    Waits,
    /// It is taken; with what [`started_of`] reads of the connection.
    Taken(Box<AnyRow>),
}

impl Added {
    fn taken(self, shard: NewShard) -> Option<(Box<AnyRow>, NewShard)> {
        match self {
            Self::Taken(row) => Some((row, shard)),
            Self::Known | Self::Waits => None,
        }
    }
}

/// Adds a shard, taken if somebody goes on with it, and begins the stage that it opens.
async fn add(
    write: &mut Write,
    fence: &Fence,
    lane: Lane,
    shard: &NewShard,
    stage: Option<(&Run, &NextStage)>,
    onward: Option<&Onward>,
) -> Result<Added, StoreError> {
    if let Some(onward) = onward {
        let taken = take_new(write, fence, lane, shard, stage, onward).await?;
        return Ok(taken.map_or(Added::Known, |row| Added::Taken(Box::new(row))));
    }
    if let Some((run, stage)) = stage {
        begin(write, run, stage).await?;
    }
    let added = insert_shard(write, fence.run, fence.connection, lane, shard).await?;
    Ok(if added { Added::Waits } else { Added::Known })
}
