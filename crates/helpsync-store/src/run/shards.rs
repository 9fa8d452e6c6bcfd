//! Shards: the units of work of a run, their leases, and the stages that they carry the run through.
//!
//! `plan -> walk -> removal -> finalize`. A stage ends when none of its shards is open, decided from the rows in
//! the transaction that ends the last of them, so it ends once however often a message is delivered.

use std::time::Duration;

use helpsync_model::{
    ConnectionId, CustomerId, ExportAccess, Lane, OrganizationId, RunId, SelectionFilter, ShardCursor,
    ShardEvent, ShardId, ShardKind, ShardParams, ShardState, WaitKind, chain,
};
use helpsync_telemetry::metrics as telemetry;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::event::events::Owner;
pub(crate) use crate::run::fence::{Fence, check_fence, check_fence_to_change};

use crate::db::decode::{millis, since};
use crate::db::lease::SHARDS;
use crate::db::{QueueStore, StoreError, Write, decode, sql};
use crate::run::file_options::FileOptions;
use crate::run::going_on::{Ending, Found, Onward, end_in};
use crate::run::note::RunNote;
use crate::run::runs::{Run, run_of};
use crate::run::start::{start, started_of};

/// A shard to be added to a run. Adding one key twice changes nothing.
#[derive(Debug, Clone)]
pub struct NewShard {
    /// Unique in its run.
    pub key: String,
    /// What it does, and what it does it to.
    pub params: ShardParams,
    /// For a walk that the high-water mark must not overtake: where it starts, in epoch seconds.
    pub position: Option<i64>,
}

/// A shard as a worker sees it.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Its id.
    pub id: ShardId,
    /// Unique in its run.
    pub key: String,
    /// What it does, and what it does it to.
    pub params: ShardParams,
    /// Where the last attempt got to.
    pub cursor: Option<ShardCursor>,
    /// Tries spent since it last got anywhere, this one included.
    pub failures: i64,
}

/// A shard that this worker now holds under a lease, with all it needs to know.
#[derive(Debug, Clone)]
pub struct StartedShard {
    /// For every write.
    pub fence: Fence,
    /// The work.
    pub shard: Shard,
    /// Its run.
    pub run: Run,
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// By the organization's id for it.
    pub customer_name: String,
    /// The help center's address.
    pub subdomain: String,
    /// Who holds the grant that it is read with.
    pub granted: Granted,
    /// When the account was last asked for its brands, in ms. `None` where its grant does not show them, and for a
    /// brand; 0: never.
    pub brands_asked_at: Option<i64>,
    /// Everything changed up to then (epoch seconds) is stored.
    pub high_water: Option<i64>,
    /// A limit kept articles out when they were last read.
    pub kept_out: bool,
    /// When the whole listing was last compared, in ms.
    pub last_audit_at: Option<i64>,
    /// What becomes of the files that it finds.
    pub files: FileOptions,
    /// Whether the grant's user may read the incremental export; `None`: not yet tried.
    pub export_access: Option<ExportAccess>,
    /// What changed up to this second (epoch) was read by a listing since: seconds with more changes than a page of the
    /// export holds are passed up to it.
    pub passed_second: Option<i64>,
    /// What tells whether sections and categories are as they were last read.
    pub tree_mark: Option<String>,
    /// The locales by which lists are asked for, the default one first; empty = without.
    pub list_locales: Vec<String>,
    /// How many articles each of them had when all was last read.
    pub locale_counts: Option<Vec<i64>>,
    /// What the connection keeps. Only to plan with: what is stored is decided by the selection of that moment.
    pub selection: SelectionFilter,
}

impl Shard {
    /// What it does.
    #[must_use]
    pub const fn kind(&self) -> ShardKind {
        self.params.kind()
    }

    fn of(row: &AnyRow) -> Result<Self, StoreError> {
        let id = row.try_get("shard_id")?;
        let params: String = row.try_get("shard_params")?;
        let cursor: Option<String> = row.try_get("shard_cursor")?;
        let corrupt = |column| {
            move |source: serde_json::Error| StoreError::Corrupt {
                table: "shard",
                column,
                row: id,
                source: source.into(),
            }
        };
        Ok(Self {
            id: ShardId(id),
            key: row.try_get("shard_key")?,
            params: ShardParams::read(decode::named(row, "shard", "shard_kind")?, &params)
                .map_err(corrupt("params"))?,
            cursor: cursor
                .map(|cursor| serde_json::from_str(&cursor))
                .transpose()
                .map_err(corrupt("cursor"))?,
            failures: row.try_get("shard_failures")?,
        })
    }
}

impl StartedShard {
    /// Whom the events of its run concern.
    pub(crate) const fn owner(&self) -> Owner {
        Owner { organization: self.organization, customer: self.customer, connection: self.fence.connection }
    }
}

/// The connection whose token and budget a shard uses: its own, or that of the connection that a brand belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The connection.
    pub connection: ConnectionId,
    /// Its workspace.
    pub subdomain: String,
}

/// How work on a shard ended.
#[derive(Debug, Clone)]
pub enum ShardEnd {
    /// Its effect is recorded; these shards follow in the same stage.
    Done(Vec<NewShard>),
    /// Not now, through no fault of its own: spends no try.
    Snooze {
        /// How long to wait.
        wait: Duration,
        /// What for.
        kind: WaitKind,
        /// The same in words, as shown to whoever runs Helpsync.
        reason: String,
    },
    /// It failed in a way that may pass.
    Retry {
        /// How long to wait.
        wait: Duration,
        /// What for.
        kind: WaitKind,
        /// Why.
        error: String,
    },
    /// It failed for good.
    Failed(String),
}

impl ShardEnd {
    /// What it is to the shard's state.
    pub(crate) const fn event(&self) -> ShardEvent {
        match self {
            Self::Done(_) => ShardEvent::Done,
            Self::Snooze { .. } | Self::Retry { .. } => ShardEvent::PutBack,
            Self::Failed(_) => ShardEvent::Failed,
        }
    }
}

/// Adds a shard that waits. Answers whether it was not there yet.
pub(crate) async fn insert_shard(
    write: &mut Write,
    run: RunId,
    connection: ConnectionId,
    lane: Lane,
    shard: &NewShard,
) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "insert into shard (run_id, connection_id, key, kind, lane, state, params, position, due_at, created_at,
           updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, cast($8 as bigint), $9, $9, $9)
         on conflict (run_id, key) do nothing",
    )
    .bind(run.0)
    .bind(connection.0)
    .bind(&shard.key)
    .bind(shard.params.kind().as_str())
    .bind(lane.as_str())
    .bind(ShardState::Pending.as_str())
    .bind(shard.params.to_json().map_err(StoreError::unwritable)?)
    .bind(shard.position)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

impl QueueStore {
    /// Takes a shard for `lease`. `None`: it is finished, cancelled or in other hands, and the message can go.
    /// The try is counted before any work, so a shard that kills its worker is counted too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn start_shard(
        &self,
        id: ShardId,
        holder: &str,
        lease: Duration,
    ) -> Result<Option<StartedShard>, StoreError> {
        let mut write = self.write().await?;
        let until = write.now.saturating_add(millis(lease));
        let Some(taken) = start(&mut write, id, holder, until).await? else { return Ok(None) };
        let (row, run) = (taken.shard(), run_of(taken.run())?);
        self.announce_fetching(&mut write, row, &run).await?;
        let lane: Lane = decode::named(row, "shard", "shard_lane")?;
        let released_at: Option<i64> = row.try_get("shard_released_at")?;
        let waited = since(released_at.unwrap_or(write.now), write.now);
        write.once_committed(move || telemetry::shard_started(lane.as_str(), waited));
        write.commit().await?;
        let attempt = row.try_get("shard_attempt")?;
        let fence = Fence { connection: run.connection, epoch: run.epoch, run: run.id, shard: id, attempt };
        match Shard::of(row).and_then(|shard| started_of(fence, shard, run, taken.connection())) {
            Ok(started) => Ok(Some(started)),
            // No worker of this version can do it, and its run must not wait for ever.
            Err(error @ StoreError::Corrupt { .. }) => {
                self.end_shard(&fence, &ShardEnd::Failed(chain(&error))).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Extends a lease. False: the shard is in other hands or cancelled, and its work must stop.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn renew_shard(&self, fence: &Fence, lease: Duration) -> Result<bool, StoreError> {
        let until = self.clock.now_ms().saturating_add(millis(lease));
        let renewal = sqlx::query(sql(SHARDS.renew())).bind(fence.shard.0).bind(fence.attempt).bind(until);
        Ok(self.alone(renewal).await? == 1)
    }

    /// Records how work on a shard ended, and moves the run to its next stage when it was the last.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the shard is no longer this worker's.
    pub async fn end_shard(&self, fence: &Fence, end: &ShardEnd) -> Result<(), StoreError> {
        self.end_shard_and_go_on(fence, end, &RunNote::default(), None).await.map(drop)
    }

    /// [`QueueStore::end_shard`] together with what the work found out. Where one shard alone follows and nothing holds it
    /// back, `onward` has it at once: the answer.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the shard is no longer this worker's.
    pub async fn end_shard_and_go_on(
        &self,
        fence: &Fence,
        end: &ShardEnd,
        note: &RunNote,
        onward: Option<&Onward>,
    ) -> Result<Option<StartedShard>, StoreError> {
        let mut write = self.write().await?;
        // It may end the run and start the one after it, which changes the connection's row.
        let alone = matches!(end, ShardEnd::Failed(_)) || note.concerns_connection();
        let lock = if alone { self.dialect.for_update() } else { self.dialect.for_share() };
        let found = Found::Note(note);
        let ending = Ending { fence, end, found, lock: Some(lock), high_water: None, onward };
        let next = end_in(&mut write, &ending).await?;
        self.announce_waiting(&mut write, fence, end).await?;
        write.commit().await?;
        Ok(next)
    }
}
