//! The dispatcher: turns due work in the store into messages, and puts right what got lost on the way.
//!
//! Nothing is elected and nothing is remembered here: any number of dispatchers may run over one store, and claims
//! decide. Being woken makes it fast, looking every tick makes it safe.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use helpsync_model::{Clock, Outage};
use helpsync_queue::{Message, Queue};
use helpsync_store::{OutboxMessage, PrunedTo, QueueStore, Released, StoreError, StoreOutage};
use helpsync_telemetry::{metrics as telemetry, trace};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tracing::Span;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct DispatcherOptions {
    /// Looks for due work at least this often.
    pub tick: Duration,
    /// Looks for due schedules this often.
    pub schedule_tick: Duration,
    /// Looks for lost work this often.
    pub sweep_every: Duration,
    /// A released shard that nobody started within this time is issued again.
    pub lost_after: Duration,
    /// Shards of one connection that are out at once.
    pub window: u32,
    /// Messages moved in one go.
    pub batch: u32,
    /// The interval of customers and organizations that have set none.
    pub default_interval: Duration,
    /// How long ended runs are kept.
    pub keep_runs: Duration,
}

/// A claimed outbox message may be published by another dispatcher after this.
const CLAIM_LEASE: Duration = Duration::from_secs(30);
/// The outbox is looked into at most so often: whoever releases publishes too, and leaves messages in it only when he dies
/// or the queue refuses them.
const LEFT_EVERY: Duration = Duration::from_secs(5);
/// So many times longer a released shard is waited for while the queue holds messages, or cannot be asked.
const BACKLOG_PATIENCE: u32 = 10;
/// Never sleeps shorter than this while something is due soon.
const TICK_MIN: Duration = Duration::from_millis(10);
/// Steps of removing old runs in one sweep: a backlog of them takes some sweeps, and nothing else waits for it.
const PRUNING_STEPS: u32 = 10;
/// What is told when an outage of the store has ended.
const GOES_ON: &str = "dispatching goes on";
/// Schedules turned into runs in one go.
const SCHEDULES_PER_TICK: u32 = 100;

/// A dispatcher, ready to run.
#[derive(Debug, Clone)]
pub struct Dispatcher {
    store: QueueStore,
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    options: DispatcherOptions,
    wake: Arc<Notify>,
    /// The queue does not take messages.
    refused: Arc<Outage>,
    /// The store fails.
    away: Arc<StoreOutage>,
    /// How far old runs are removed.
    pruned_to: Arc<Mutex<PrunedTo>>,
}

impl Dispatcher {
    /// One or more per deployment. `wake` is rung by whoever made work.
    #[must_use]
    pub fn new(
        store: QueueStore,
        queue: Arc<dyn Queue>,
        clock: Arc<dyn Clock>,
        options: DispatcherOptions,
        wake: Arc<Notify>,
    ) -> Self {
        let (refused, away, pruned_to) = (Arc::default(), Arc::default(), Arc::default());
        Self { store, queue, clock, options, wake, refused, away, pruned_to }
    }

    /// Dispatches until `stop`.
    ///
    /// # Errors
    /// [`JobSchedulerError`] when the ticker cannot start.
    pub async fn run(self, stop: CancellationToken) -> Result<(), JobSchedulerError> {
        let ticker = self.start_ticker(&stop).await?;
        let mut left_looked_for: Option<Instant> = None;
        while !stop.is_cancelled() {
            // Taken before the look: whatever is made after it rings again.
            let woken = self.wake.notified();
            let look = self.away.look();
            let wait = match self.dispatch(&mut left_looked_for).await {
                Ok((did, next_due)) => {
                    look.worked(&self.store, did, GOES_ON).await;
                    self.until(next_due)
                }
                Err(error) => {
                    look.failed(&error, "dispatching failed, it is tried again every tick");
                    self.options.tick
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        let mut ticker = ticker;
        ticker.shutdown().await
    }

    /// Moves work on whenever `wake` rings, until `stop`: for worker processes, whose finished shards make the next
    /// ones due. It takes no decision a dispatcher would not take, and does without schedules, sweeps and ticks; those
    /// are the dispatchers' safety net.
    pub async fn relay_when_woken(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let woken = self.wake.notified();
            // What is left in the outbox is for the dispatchers, too.
            let mut left_looked_for = Some(Instant::now());
            let look = self.away.look();
            match self.dispatch(&mut left_looked_for).await {
                Ok((did, _)) => look.worked(&self.store, did, GOES_ON).await,
                Err(error) => look.failed(&error, "releasing failed, a dispatcher tries again"),
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = woken => {}
            }
        }
    }

    /// Schedules and the sweeper hang on a ticker. It decides nothing: a missed or doubled tick changes nothing,
    /// because the store says what is due.
    ///
    /// Ticks outlive their ticker, and meet a store that is being closed: nothing is told of that.
    async fn start_ticker(&self, stop: &CancellationToken) -> Result<JobScheduler, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let (dispatcher, away) = (self.clone(), Arc::new(StoreOutage::default()));
        let stopping = stop.clone();
        let schedules = Job::new_repeated_async(self.options.schedule_tick, move |_, _| {
            let (dispatcher, away, stop) = (dispatcher.clone(), Arc::clone(&away), stopping.clone());
            Box::pin(async move {
                if stop.is_cancelled() {
                    return;
                }
                let look = away.look();
                match dispatcher.fire_schedules().await {
                    Ok(did) => look.worked(&dispatcher.store, did, "schedules fire again").await,
                    Err(_) if stop.is_cancelled() => {}
                    Err(error) => look.failed(&error, "schedules cannot fire, the next tick tries again"),
                }
            })
        })?;
        let (dispatcher, away) = (self.clone(), Arc::new(StoreOutage::default()));
        let stopping = stop.clone();
        let sweeps = Job::new_repeated_async(self.options.sweep_every, move |_, _| {
            let (dispatcher, away, stop) = (dispatcher.clone(), Arc::clone(&away), stopping.clone());
            Box::pin(async move {
                if stop.is_cancelled() {
                    return;
                }
                let look = away.look();
                match dispatcher.sweep().await {
                    Ok(did) => look.worked(&dispatcher.store, did, "sweeps work again").await,
                    Err(_) if stop.is_cancelled() => {}
                    Err(error) => look.failed(&error, "a sweep failed, the next one tries again"),
                }
            })
        })?;
        scheduler.add(schedules).await?;
        scheduler.add(sweeps).await?;
        scheduler.start().await?;
        Ok(scheduler)
    }

    /// Turns due schedules into runs. Answers whether any was due.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fire_schedules(&self) -> Result<bool, StoreError> {
        let mut did = false;
        loop {
            let fired = self.store.fire_due(SCHEDULES_PER_TICK, self.options.default_interval).await?;
            for one in &fired {
                tracing::info!(connection = %one.connection, run = %one.run, slot = one.slot, "schedule fired");
            }
            if !fired.is_empty() {
                did = true;
                self.wake.notify_one();
            }
            if fired.len() < SCHEDULES_PER_TICK as usize {
                return Ok(did);
            }
        }
    }

    /// Puts right what was lost, and throws old things away. Answers whether there was any of it.
    async fn sweep(&self) -> Result<bool, StoreError> {
        // While messages wait in the queue, those of the shards may be among them: issuing all of a backlog again
        // would make it longer with every sweep.
        let backlog = match self.queue.stats().await {
            Ok(stats) => stats.lanes.values().any(|lane| lane.ready > 0),
            Err(_away) => true,
        };
        let patience = if backlog { BACKLOG_PATIENCE } else { 1 };
        let swept = self.store.sweep(self.options.lost_after.saturating_mul(patience)).await?;
        telemetry::shards_reissued("expired", swept.expired);
        telemetry::shards_reissued("lost", swept.lost);
        if swept.expired + swept.lost > 0 {
            tracing::warn!(
                expired = swept.expired,
                lost = swept.lost,
                "shards were lost and are issued again"
            );
            self.wake.notify_one();
        }
        let mut did = swept.expired + swept.lost > 0;
        while self.store.add_up_totals().await? {
            did = true;
        }
        Ok(self.prune().await? || did)
    }

    /// Removes some of the runs that ended long ago, on from where the last sweep came to. Answers whether there were any.
    async fn prune(&self) -> Result<bool, StoreError> {
        let mut did = false;
        for _ in 0..PRUNING_STEPS {
            let after = self.pruned_to.lock().map_or_else(|_| PrunedTo::default(), |at| *at);
            let pruned = self.store.prune_runs(self.options.keep_runs, after).await?;
            if pruned.runs > 0 {
                did = true;
                tracing::debug!(runs = pruned.runs, "old runs are removed");
            }
            if let Ok(mut at) = self.pruned_to.lock() {
                *at = pruned.next.unwrap_or_default();
            }
            if pruned.next.is_none() {
                break;
            }
        }
        Ok(did)
    }

    /// Moves everything that is due from the store into the queue, and once in a while what was left in the outbox. Answers
    /// whether there was anything, and when more is due, in ms.
    async fn dispatch(
        &self,
        left_looked_for: &mut Option<Instant>,
    ) -> Result<(bool, Option<i64>), StoreError> {
        let mut did = false;
        if left_looked_for.is_none_or(|at| at.elapsed() >= LEFT_EVERY) {
            did |= self.publish_left().await?;
            *left_looked_for = Some(Instant::now());
        }
        loop {
            let Released { shards, claimed, next_due } =
                self.store.release_claimed(self.options.batch, self.options.window, CLAIM_LEASE).await?;
            let released = claimed.len();
            did |= shards > 0;
            if self.publish(claimed).await? < released {
                // The queue refused some: the next look takes them up again.
                *left_looked_for = None;
            }
            if shards == 0 {
                return Ok((did, next_due));
            }
        }
    }

    /// Publishes what whoever released it did not: he died, or the queue refused it. Answers whether there was anything.
    async fn publish_left(&self) -> Result<bool, StoreError> {
        let mut did = false;
        loop {
            let claimed = self.store.claim_outbox(self.options.batch, CLAIM_LEASE).await?;
            let left = claimed.len();
            did |= left > 0;
            if self.publish(claimed).await? < left || left < self.options.batch as usize {
                return Ok(did);
            }
        }
    }

    /// Publishes claimed messages. No transaction is open while the queue is waited for. Answers how many the queue took.
    async fn publish(&self, claimed: Vec<OutboxMessage>) -> Result<usize, StoreError> {
        if claimed.is_empty() {
            return Ok(0);
        }
        let since = Instant::now();
        // They last until the queue has answered.
        let spans: Vec<Span> = claimed.iter().map(span_of).collect();
        let messages: Vec<Message> =
            claimed.iter().zip(&spans).map(|(message, span)| message_of(message, span)).collect();
        let outcomes = self.queue.publish(&messages).await;
        drop(spans);
        let stored: Vec<&OutboxMessage> = claimed
            .iter()
            .zip(&outcomes)
            .filter(|(_, outcome)| outcome.is_stored())
            .map(|(message, _)| message)
            .collect();
        self.store.settle_outbox(&stored).await?;
        for (message, outcome) in claimed.iter().zip(&outcomes) {
            if outcome.is_stored() {
                telemetry::message_stored(message.lane.as_str(), message.age + since.elapsed());
            } else {
                telemetry::message_refused(message.lane.as_str());
            }
        }
        if stored.len() < claimed.len() {
            let refused = claimed.iter().zip(&outcomes).filter(|(_, outcome)| !outcome.is_stored());
            let refused: Vec<&OutboxMessage> = refused.map(|(message, _)| message).collect();
            self.store.unclaim_outbox(&refused).await?;
            let refused = claimed.len() - stored.len();
            if self.refused.begins() {
                tracing::warn!(refused, "the queue does not take every message, they wait in the outbox");
            } else {
                tracing::debug!(refused, "the queue does not take every message");
            }
        } else if self.refused.ends() {
            tracing::info!("the queue takes messages again");
        }
        Ok(stored.len())
    }

    /// How long to sleep until then.
    fn until(&self, due: Option<i64>) -> Duration {
        due.map_or(self.options.tick, |due| {
            let wait = u64::try_from(due - self.clock.now_ms()).unwrap_or(0);
            Duration::from_millis(wait).clamp(TICK_MIN, self.options.tick)
        })
    }
}

/// The span of a message's publication, in the trace of its run.
fn span_of(message: &OutboxMessage) -> Span {
    let span = tracing::info_span!("publish", otel.kind = "producer", message_id = message.dedup, lane = %message.lane);
    trace::follow(&span, &message.traceparent);
    span
}

/// The message as it is published: whoever takes it names the publication as its parent.
fn message_of(message: &OutboxMessage, span: &Span) -> Message {
    let written = || Some(message.traceparent.clone()).filter(|trace| !trace.is_empty());
    Message {
        id: message.dedup.clone(),
        job: message.job.clone(),
        traceparent: trace::parent_of(span).or_else(written),
    }
}
