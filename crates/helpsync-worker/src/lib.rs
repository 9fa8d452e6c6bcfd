//! A worker: receives hints from the queue, runs the shards they name under a lease, and records how they ended.
//!
//! A delivery is settled after its effect is recorded, so a worker that dies repeats work but loses none. While a
//! shard runs its lease is renewed; when that fails the work is stopped at its next await, and whatever it still
//! writes is refused by the fence.

mod shard;
mod slots;

use std::sync::Arc;
use std::time::Duration;

use helpsync_engine::Engine;
use helpsync_model::{Lane, ShardId, chain};
use helpsync_queue::{Consumer, Delivery, Queue};
use helpsync_store::{QueueStore, StartedShard, StoreOutage};
use helpsync_telemetry::{metrics as telemetry, trace};
use tokio::sync::{Notify, OwnedSemaphorePermit};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use slots::{LaneSlots, Slots};

/// Between attempts to consume from a queue that is away.
const RECONSUME_WAIT: Duration = Duration::from_secs(1);

/// Between attempts to start a shard while the store is away.
const STORE_WAIT: Duration = Duration::from_secs(1);
/// Then the message is given up, and the sweeper issues the shard again when the store is back.
const STORE_PATIENCE: Duration = Duration::from_secs(60);

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Names this worker in leases and logs.
    pub holder: String,
    /// Shards run at once in any lane.
    pub concurrency: usize,
    /// Shards of the on-demand lane that run beside them: its own slots, so that a person never waits behind a backfill.
    pub on_demand_concurrency: usize,
    /// How long a shard may be silent.
    pub lease: Duration,
    /// How long running shards may go on after the stop.
    pub drain: Duration,
}

/// A worker, ready to run.
#[derive(Debug, Clone)]
pub struct Worker {
    store: QueueStore,
    queue: Arc<dyn Queue>,
    engine: Engine,
    options: WorkerOptions,
    /// Rung after every shard: something may have become due.
    wake: Arc<Notify>,
    /// No shard can be started.
    away: Arc<StoreOutage>,
}

impl Worker {
    /// One per process.
    #[must_use]
    pub fn new(
        store: QueueStore,
        queue: Arc<dyn Queue>,
        engine: Engine,
        options: WorkerOptions,
        wake: Arc<Notify>,
    ) -> Self {
        Self { store, queue, engine, options, wake, away: Arc::default() }
    }

    /// Works until `stop`, then lets running shards end for [`WorkerOptions::drain`] and hands the rest back.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        let abandon = CancellationToken::new();
        let slots = Slots::new(&self.options);
        let lanes = futures::future::join_all(
            Lane::ALL.map(|lane| self.serve(slots.of(lane), stop.clone(), abandon.clone(), tasks.clone())),
        );
        lanes.await;
        tasks.close();
        if tokio::time::timeout(self.options.drain, tasks.wait()).await.is_err() {
            tracing::warn!(running = tasks.len(), "drain time is over, handing shards back");
            abandon.cancel();
            tasks.wait().await;
        }
    }

    async fn serve(
        &self,
        slots: LaneSlots,
        stop: CancellationToken,
        abandon: CancellationToken,
        tasks: TaskTracker,
    ) {
        let lane = slots.lane;
        while !stop.is_cancelled() {
            let mut consumer = match self.queue.consume(lane, slots.free().max(1)).await {
                Ok(consumer) => consumer,
                Err(error) => {
                    tracing::warn!(%lane, error = chain(&error), "cannot consume, trying again");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(RECONSUME_WAIT) => continue,
                    }
                }
            };
            while let Some((permit, delivery)) = next(&mut *consumer, &slots, &stop).await {
                let (worker, stop, abandon) = (self.clone(), stop.clone(), abandon.clone());
                // The trace of the run, begun where the message was written: one search finds all its lines.
                let span = span_of(&delivery);
                let work = async move {
                    worker.deliver(delivery, &stop, &abandon).await;
                    drop(permit);
                    worker.wake.notify_one();
                };
                tasks.spawn(work.instrument(span));
            }
        }
    }

    async fn deliver(&self, delivery: Delivery, stop: &CancellationToken, abandon: &CancellationToken) {
        let job = match delivery.job() {
            Ok(job) => job,
            Err(error) => {
                tracing::error!(
                    message_id = delivery.id,
                    error = chain(&error),
                    "not a job: to the dead letters"
                );
                telemetry::message_dead();
                settle(delivery.dead(&chain(&error)).await);
                return;
            }
        };
        let started = tokio::select! {
            started = self.start_shard(job.shard) => started,
            () = abandon.cancelled() => {
                // Not even begun: another worker gets it at once.
                settle(delivery.release().await);
                return;
            }
        };
        if let Some(started) = started {
            Box::pin(self.run_shards(started, stop, abandon)).await;
        }
        // Last: of all that followed at once, so that no other message comes while the slot is taken.
        settle(delivery.ack().await);
    }

    /// Takes the shard. A store that is away is waited for with the message in hand: it is back in seconds mostly, and
    /// the sweeper would find the shard much later. `None`: there is nothing to do, or the sweeper has to.
    async fn start_shard(&self, shard: ShardId) -> Option<StartedShard> {
        let since = tokio::time::Instant::now();
        loop {
            let look = self.away.look();
            match self.store.start_shard(shard, &self.options.holder, self.options.lease).await {
                Ok(started) => {
                    look.worked(&self.store, started.is_some(), "shards are started again").await;
                    return started;
                }
                // Every message meets the same trouble: it is told once.
                Err(error) if error.is_transient() => {
                    if look.begins(&error) {
                        tracing::warn!(%shard, error = chain(&error), "the store does not answer, shards wait");
                    } else {
                        tracing::debug!(%shard, error = chain(&error), "the store does not answer");
                    }
                    if since.elapsed() >= STORE_PATIENCE {
                        // The sweeper has it issued again.
                        return None;
                    }
                }
                Err(error) => {
                    telemetry::shard_not_started();
                    if look.begins(&error) {
                        tracing::warn!(%shard, error = chain(&error), "shards cannot be started, they are left to the sweeper");
                    } else {
                        tracing::debug!(%shard, error = chain(&error), "a shard cannot be started");
                    }
                    return None;
                }
            }
            tokio::time::sleep(STORE_WAIT).await;
        }
    }
}

/// The span of the work that a message asks for, in the trace of whoever wrote it.
fn span_of(delivery: &Delivery) -> tracing::Span {
    let trace = delivery.traceparent.as_deref();
    let id = trace.and_then(trace::id_of);
    let span = tracing::info_span!("job", otel.kind = "consumer", message_id = delivery.id, trace = id);
    if let Some(parent) = trace {
        trace::follow(&span, parent);
    }
    span
}

async fn next(
    consumer: &mut dyn Consumer,
    slots: &LaneSlots,
    stop: &CancellationToken,
) -> Option<(OwnedSemaphorePermit, Delivery)> {
    // A slot first, so that no delivery waits in our hands while another worker is free.
    let permit = tokio::select! {
        () = stop.cancelled() => return None,
        permit = slots.acquire() => permit?,
    };
    tokio::select! {
        () = stop.cancelled() => None,
        delivery = consumer.next() => Some((permit, delivery?)),
    }
}

fn settle(settled: Result<(), helpsync_queue::QueueError>) {
    if let Err(error) = settled {
        // The message comes again and finds its shard finished.
        tracing::info!(error = chain(&error), "a delivery could not be settled");
    }
}
