//! What running each kind of shard does: one file per kind.
//!
//! A handler reads from Zendesk, converts, and writes through the store under its fence. It holds no database
//! connection while it calls out, may be stopped at any await, and may be run again from the start: progress is the
//! cursor that a page's transaction saves. How failures end a shard is decided in one place, `outcome`.

mod articles;
mod attachment_bytes;
mod brands;
mod circles;
mod completeness;
mod confirm_removed;
mod estimate;
mod fetch_articles;
mod fetch_attachments;
mod find_removed;
mod list_by_export;
mod locales;
mod names;
mod outcome;
mod page;
mod places;
mod plan;
pub mod planning;
mod probe;
mod store_waits;
mod translations;
mod verify;
mod walk_export;
mod walk_list;

use std::time::Duration;

use helpsync_account::{Account, Accounts, KeyedMutex};
use helpsync_content::Limits;
use helpsync_model::{Confirm, ShardParams, Subdomain, WaitKind, chain};
use helpsync_store::{
    GoesOn, QueueStore, RemovalCeiling, RunNote, ShardEnd, StartedShard, StoreError, StoreOutage, SyncStore,
};
use helpsync_telemetry::metrics as telemetry;
use tokio::sync::Semaphore;

use store_waits::StoreWaits;

pub use estimate::Estimate;
pub use outcome::HandlerError;
pub use verify::Verified;

/// Between the tries to record how a shard ended while the store is away; after the last the sweeper has to help.
const RECORD_WAITS: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(4)];

/// What the end of a shard whose effect is recorded is called in metrics.
const DONE: &str = "done";
/// What that of a shard is called which goes on later.
const PUT_OFF: &str = "put_off";

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// A delta starts this far before the high-water mark.
    pub overlap: Duration,
    /// The whole listing is compared at least this often.
    pub audit_every: Duration,
    /// What one run may remove without leave.
    pub ceiling: RemovalCeiling,
    /// Articles of one run that are asked for by id, the proof that each is gone. Of more, a second listing has to account for
    /// all.
    pub removals_asked_max: usize,
    /// Bounds of one article's conversion.
    pub limits: Limits,
    /// The longest attachment that is kept.
    pub attachment_bytes_max: u64,
    /// Tries before a shard fails for good.
    pub attempts_max: u32,
    /// Requests to one account that may be under way at once.
    pub concurrency: u32,
}

/// Runs shards. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    store: SyncStore,
    queue: QueueStore,
    accounts: Accounts,
    options: EngineOptions,
    clock: std::sync::Arc<dyn helpsync_model::Clock>,
    entropy: std::sync::Arc<dyn helpsync_model::Entropy>,
    /// Conversions under way at once, over all shards.
    converting: std::sync::Arc<Semaphore>,
    /// Who asks for the names of a connection's tags: one shard at a time.
    naming: std::sync::Arc<KeyedMutex>,
    /// The store does not take the ends of shards.
    away: std::sync::Arc<StoreOutage>,
    /// Nor the pages of these.
    store_waits: std::sync::Arc<StoreWaits>,
}

impl Engine {
    /// One per process.
    #[must_use]
    pub fn new(
        store: SyncStore,
        queue: QueueStore,
        accounts: Accounts,
        options: EngineOptions,
        clock: std::sync::Arc<dyn helpsync_model::Clock>,
        entropy: std::sync::Arc<dyn helpsync_model::Entropy>,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let converting = std::sync::Arc::new(Semaphore::new(cores));
        let (away, store_waits, naming) = Default::default();
        Self { store, queue, accounts, options, clock, entropy, converting, naming, away, store_waits }
    }

    /// Works on a started shard and records how it ended. Answers with the shard that follows, if whoever `onward` names
    /// has it from now on.
    ///
    /// # Errors
    /// [`StoreError`] when even that could not be recorded: the shard's lease then runs out and it is issued again.
    /// [`StoreError::Fenced`] is no fault: the work was taken over or cancelled, and nothing was changed.
    pub async fn run(
        &self,
        started: &StartedShard,
        onward: GoesOn<'_>,
    ) -> Result<Option<StartedShard>, StoreError> {
        let since = tokio::time::Instant::now();
        let (outcome, ended) = self.work(started, onward).await;
        if outcome != PUT_OFF {
            self.store_waits.forget(started, &self.queue).await;
        }
        let outcome = match &ended {
            Ok(_) => outcome,
            Err(StoreError::Fenced) => "taken_over",
            Err(_) => "unrecorded",
        };
        let (kind, lane) = (started.shard.kind().as_str(), started.run.lane.as_str());
        telemetry::shard_ended(kind, lane, outcome, since.elapsed());
        ended
    }

    /// What [`Engine::run`] does, and what to call its end.
    async fn work(
        &self,
        started: &StartedShard,
        onward: GoesOn<'_>,
    ) -> (&'static str, Result<Option<StartedShard>, StoreError>) {
        let (end, note) = match self.handle(started, onward).await {
            Ok(Handled::Ends(end, note)) => (end, note),
            Ok(Handled::Ended(next)) => return (DONE, Ok(next.map(|next| *next))),
            Err(HandlerError::Store(StoreError::Fenced)) => return (DONE, Err(StoreError::Fenced)),
            Err(error) => {
                let end = self.end_after(&error, started).await;
                let again_in_seconds = match &end {
                    ShardEnd::Snooze { wait, .. } | ShardEnd::Retry { wait, .. } => Some(wait.as_secs()),
                    ShardEnd::Done(_) | ShardEnd::Failed(_) => None,
                };
                tracing::info!(shard = %started.fence.shard, run = %started.fence.run, kind = %started.shard.kind(),
                    failures = started.shard.failures, error = chain(&error), end = outcome_of(&end), again_in_seconds,
                    "shard did not finish");
                (end, Box::default())
            }
        };
        (outcome_of(&end), self.settle(started, &end, &note, onward).await)
    }

    /// Records the end, and before it what a failure leaves undone.
    async fn settle(
        &self,
        started: &StartedShard,
        end: &ShardEnd,
        note: &RunNote,
        onward: GoesOn<'_>,
    ) -> Result<Option<StartedShard>, StoreError> {
        match (end, &started.shard.params) {
            (ShardEnd::Failed(reason), ShardParams::FetchArticles(asked)) => {
                self.note_unfetched(started, &asked.articles, reason).await?;
            }
            (ShardEnd::Failed(_), ShardParams::ConfirmRemoved(confirm)) => {
                self.give_up_confirming(started, confirm).await?;
            }
            // The next try may be a day away. It asks for the same ones, whether they are shown or not.
            (ShardEnd::Retry { .. }, ShardParams::ConfirmRemoved(Confirm::Articles { articles })) => {
                self.store.show_again(started, articles).await?;
            }
            _ => {}
        }
        self.record(started, end, note, onward).await
    }

    /// Puts a shard back because this process stops; spends no try.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hand_back(&self, started: &StartedShard) -> Result<(), StoreError> {
        let reason = "a worker".to_owned();
        let end = ShardEnd::Snooze { wait: Duration::ZERO, kind: WaitKind::Turn, reason };
        self.record(started, &end, &RunNote::default(), &|| None).await.map(drop)
    }

    /// Work that is done is not thrown away because the store was away for a moment.
    async fn record(
        &self,
        started: &StartedShard,
        end: &ShardEnd,
        note: &RunNote,
        onward: GoesOn<'_>,
    ) -> Result<Option<StartedShard>, StoreError> {
        for wait in RECORD_WAITS {
            let look = self.away.look();
            match self.queue.end_shard_and_go_on(&started.fence, end, note, onward().as_ref()).await {
                Err(error) if error.is_transient() => {
                    // Every shard under way meets the same outage: it is told once.
                    if look.begins(&error) {
                        tracing::warn!(shard = %started.fence.shard, error = chain(&error), "the end of a shard is recorded again");
                    } else {
                        tracing::debug!(shard = %started.fence.shard, error = chain(&error), "the end of a shard is recorded again");
                    }
                }
                recorded => {
                    if recorded.is_ok() {
                        look.worked(&self.queue, true, "ends of shards are recorded again").await;
                    }
                    return recorded;
                }
            }
            tokio::time::sleep(wait).await;
        }
        self.queue.end_shard_and_go_on(&started.fence, end, note, onward().as_ref()).await
    }

    fn account(&self, started: &StartedShard) -> Result<Account, HandlerError> {
        let parse = |subdomain: &str| {
            Subdomain::parse(subdomain).map_err(|error| HandlerError::Permanent(chain(&error)))
        };
        let (home, subdomain) = (parse(&started.granted.subdomain)?, parse(&started.subdomain)?);
        let mut account = self
            .accounts
            .connected(
                started.organization,
                started.granted.connection,
                Some(started.fence.run),
                &home,
                &subdomain,
            )
            .map_err(|error| HandlerError::Permanent(chain(&error)))?;
        account.client = account.client.in_locale(started.list_locales.first().map(String::as_str));
        Ok(account)
    }

    async fn handle(&self, started: &StartedShard, onward: GoesOn<'_>) -> Result<Handled, HandlerError> {
        if started.shard.params == ShardParams::Finalize {
            self.store.finalize_run(started).await?;
            return Ok(Handled::Ended(None));
        }
        let account = self.account(started)?;
        let ended = match &started.shard.params {
            ShardParams::Plan => Box::pin(self.plan(started, &account)).await,
            ShardParams::WalkExport(range) => {
                Box::pin(self.walk_export(started, &account, *range, onward)).await
            }
            ShardParams::FindRemoved => Box::pin(self.find_removed(started, &account)).await,
            ShardParams::WalkList(list) => {
                Box::pin(self.walk_list(started, &account, *list)).await.map(Handled::from)
            }
            ShardParams::ConfirmRemoved(confirm) => {
                Box::pin(self.confirm_removed(started, &account, confirm)).await.map(Handled::from)
            }
            ShardParams::FetchArticles(asked) => {
                Box::pin(self.fetch_articles(started, &account, &asked.articles)).await.map(Handled::from)
            }
            ShardParams::FetchAttachments => {
                self.fetch_attachments(started, &account).await.map(Handled::from)
            }
            ShardParams::Finalize => return Ok(Handled::Ended(None)),
        };
        let mut ended = match ended {
            // What it took stands in the page that the shard ended with.
            ended @ Ok(Handled::Ended(_)) => return ended,
            Err(error) if Box::pin(self.learn_locales(started, &account, &error)).await? => {
                Ok(walk_list::yielded_turn().into())
            }
            ended => ended,
        };
        // What no stored page accounts for: requests and waits since the last one, and the wait that the shard is put off for.
        let put_off = ended.as_ref().err().map_or(Duration::ZERO, HandlerError::budget_wait);
        let put_off = u64::try_from(put_off.as_millis()).unwrap_or(u64::MAX);
        let mut waits = account.take_waited(self.clock.now_ms(), true);
        waits.all_ms = waits.all_ms.saturating_add(put_off);
        waits.put_off_ms = put_off;
        let mut requests = account.take_requests();
        if let Ok(Handled::Ends(_, note)) = &mut ended {
            note.requests = std::mem::take(&mut requests);
        }
        if waits.all_ms > 0 || requests > 0 {
            self.store.note_attempt(&started.fence, &waits, requests).await?;
        }
        ended
    }
}

/// What handling a shard came to.
pub(crate) enum Handled {
    /// This is to be recorded, together with what was found out.
    Ends(ShardEnd, Box<RunNote>),
    /// The handler has recorded that it is done; whoever goes on has this shard.
    Ended(Option<Box<StartedShard>>),
}

impl From<ShardEnd> for Handled {
    fn from(end: ShardEnd) -> Self {
        Self::Ends(end, Box::default())
    }
}

/// What the end of a shard is called in metrics.
const fn outcome_of(end: &ShardEnd) -> &'static str {
    match end {
        ShardEnd::Done(_) => DONE,
        ShardEnd::Snooze { .. } => PUT_OFF,
        ShardEnd::Retry { .. } => "retried",
        ShardEnd::Failed(_) => "failed",
    }
}
