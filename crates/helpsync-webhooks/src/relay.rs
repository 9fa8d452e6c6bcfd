//! The relay: fans events out, and serves every webhook that has something due.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use helpsync_model::{Backoff, Clock, Entropy, WebhookId, chain};
use helpsync_store::{
    ClaimedDelivery, ClaimedRound, StoreError, StoreOutage, Tried, TriedEnd, WebhookRetention, WebhookStore,
};
use helpsync_telemetry::metrics as telemetry;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::breaker::{BreakerOptions, judge};
use crate::sender::{NotDelivered, Sender, SenderError, SenderOptions};

/// Events fanned out in one transaction.
const FAN_OUT_BATCH: u32 = 500;
/// A webhook gives its place to another after so many rounds.
const ROUNDS_MAX: usize = 16;
/// A lease outlasts the timeout of a delivery by this, so that it runs out only when its process is gone.
const LEASE_MARGIN: Duration = Duration::from_secs(30);
/// Deliveries under way get this long when the process stops; then they are given back.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// Rows pruned in one transaction.
const PRUNE_BATCH: u32 = 1_000;

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// How to send.
    pub sender: SenderOptions,
    /// Looks for new events and due deliveries at least this often.
    pub poll: Duration,
    /// Webhooks served at once by this process.
    pub concurrency: usize,
    /// Deliveries to one webhook under way at once, over all processes.
    pub webhook_concurrency: u32,
    /// Tries of one delivery.
    pub attempts_max: u32,
    /// The longest wait after the first failure; every further one doubles it.
    pub retry_first: Duration,
    /// The longest wait at all.
    pub retry_longest: Duration,
    /// When a webhook is left alone.
    pub breaker: BreakerOptions,
    /// How long things are kept.
    pub retention: WebhookRetention,
}

/// Sends what is due. Any number may run over one store.
#[derive(Debug, Clone)]
pub struct Relay {
    store: WebhookStore,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    sender: Sender,
    options: Arc<RelayOptions>,
    /// What is due cannot be looked for.
    away: Arc<StoreOutage>,
    /// What was sent or waited too long cannot be written down, though the store answers.
    unwritten: Arc<StoreOutage>,
    /// What is old cannot be thrown away.
    unpruned: Arc<StoreOutage>,
}

/// The webhooks that are being served.
#[derive(Default)]
struct Serving {
    tasks: JoinSet<(WebhookId, bool)>,
    ids: HashMap<tokio::task::Id, WebhookId>,
    /// They had nothing that could be sent: not before the next poll.
    resting: HashSet<WebhookId>,
    /// The one that was started last: the next in line come first.
    after: i64,
}

impl Serving {
    fn ended(&mut self, ended: Result<(tokio::task::Id, (WebhookId, bool)), tokio::task::JoinError>) {
        match ended {
            Ok((task, (webhook, sent))) => {
                self.ids.remove(&task);
                if !sent {
                    self.resting.insert(webhook);
                }
            }
            Err(error) => {
                tracing::error!(error = chain(&error), "serving a webhook broke off");
                self.resting.extend(self.ids.remove(&error.id()));
            }
        }
    }

    fn knows(&self, webhook: WebhookId) -> bool {
        self.resting.contains(&webhook) || self.ids.values().any(|id| *id == webhook)
    }
}

impl Relay {
    /// Builds the HTTP client.
    ///
    /// # Errors
    /// [`SenderError`].
    pub fn new(
        store: WebhookStore,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: RelayOptions,
    ) -> Result<Self, SenderError> {
        let sender = Sender::new(&options.sender)?;
        Ok(Self {
            store,
            clock,
            entropy,
            sender,
            options: Arc::new(options),
            away: Arc::default(),
            unwritten: Arc::default(),
            unpruned: Arc::default(),
        })
    }

    /// Relays and prunes until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        tokio::join!(self.relay(&stop), self.prune(&stop));
    }

    async fn relay(&self, stop: &CancellationToken) {
        let mut serving = Serving::default();
        let mut poll = interval(self.options.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failures = 0;
        while !stop.is_cancelled() {
            while let Some(ended) = serving.tasks.try_join_next_with_id() {
                serving.ended(ended);
            }
            let look = self.away.look();
            match self.look(&mut serving, stop).await {
                Ok(fanned) => {
                    failures = 0;
                    look.worked(&self.store, fanned > 0, "webhooks are served again").await;
                    if fanned == FAN_OUT_BATCH as usize {
                        continue;
                    }
                }
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    look.failed(&error, "looking for deliveries failed, it is tried again");
                    let wait = Backoff::of_looks(self.options.poll).ceiling(failures);
                    tokio::select! {
                        () = stop.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                    continue;
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(ended) = serving.tasks.join_next_with_id() => serving.ended(ended),
                _ = poll.tick() => serving.resting.clear(),
            }
        }
        while serving.tasks.join_next().await.is_some() {}
    }

    /// Answers how many events waited: with as many as there may be, there may be more.
    async fn look(&self, serving: &mut Serving, stop: &CancellationToken) -> Result<usize, StoreError> {
        let fanned = self.store.fan_out_events(FAN_OUT_BATCH).await?;
        let free = self.options.concurrency.saturating_sub(serving.ids.len());
        if free > 0 {
            let enough = free + serving.ids.len() + serving.resting.len();
            let enough = u32::try_from(enough).unwrap_or(u32::MAX);
            let due = self.store.due_webhooks(WebhookId(serving.after), enough).await?;
            for webhook in due.into_iter().filter(|id| !serving.knows(*id)).take(free).collect::<Vec<_>>() {
                let (relay, stop) = (self.clone(), stop.clone());
                let task = serving.tasks.spawn(async move { (webhook, relay.serve(webhook, &stop).await) });
                serving.ids.insert(task.id(), webhook);
                serving.after = webhook.0;
            }
        }
        Ok(fanned)
    }

    /// Sends rounds to one webhook until nothing is due, or for as many as it may. Whether anything was sent.
    async fn serve(&self, webhook: WebhookId, stop: &CancellationToken) -> bool {
        let mut sent = false;
        for _ in 0..ROUNDS_MAX {
            if stop.is_cancelled() {
                break;
            }
            let look = self.unwritten.look();
            match self.round(webhook, stop).await {
                Ok(did) => {
                    look.worked(&self.store, did, "deliveries are written down again").await;
                    if !did {
                        break;
                    }
                    sent = true;
                }
                Err(error) => {
                    look.failed(&error, "deliveries to a webhook failed in the store, they are tried again");
                    return false;
                }
            }
        }
        sent
    }

    async fn round(&self, webhook: WebhookId, stop: &CancellationToken) -> Result<bool, StoreError> {
        let options = &self.options;
        let lease = options.sender.timeout + LEASE_MARGIN;
        let claimed = self.store.claim_deliveries(webhook, options.webhook_concurrency, lease).await?;
        let Some(round) = claimed else { return Ok(false) };
        let given_up = async {
            stop.cancelled().await;
            tokio::time::sleep(STOP_PATIENCE).await;
        };
        let ends = tokio::select! {
            ends = self.send(&round) => ends,
            () = given_up => vec![TriedEnd::Released; round.deliveries.len()],
        };
        let tried: Vec<Tried> = round
            .deliveries
            .iter()
            .zip(ends)
            .map(|(delivery, end)| Tried { delivery: delivery.id, attempt: delivery.attempt, end })
            .collect();
        let now = self.clock.now_ms();
        let breaker = options.breaker;
        let ends = || tried.iter().map(|one| &one.end);
        self.store
            .settle_deliveries(webhook, &tried, |before| {
                let after = judge(breaker, before, ends(), now);
                if before.open_until.is_none() && after.open_until.is_some() {
                    tracing::warn!(%webhook, reason = after.reason, "a webhook keeps failing and is left alone");
                }
                after
            })
            .await?;
        Ok(true)
    }

    async fn send(&self, round: &ClaimedRound) -> Vec<TriedEnd> {
        join_all(round.deliveries.iter().map(|delivery| async {
            match self.sender.send(&round.url, &round.signing_keys, self.clock.now_ms(), delivery).await {
                Ok(()) => {
                    telemetry::webhook_delivered(age(delivery.event.created_at, self.clock.now_ms()));
                    TriedEnd::Delivered
                }
                Err(failed) => self.failed(delivery, failed),
            }
        }))
        .await
    }

    fn failed(&self, delivery: &ClaimedDelivery, failed: NotDelivered) -> TriedEnd {
        let NotDelivered { http_status, error } = failed;
        let options = &self.options;
        if delivery.failures >= i64::from(options.attempts_max) {
            telemetry::webhook_failed("dead");
            tracing::warn!(delivery = %delivery.id, error, "a delivery is given up");
            return TriedEnd::Dead { http_status, error };
        }
        telemetry::webhook_failed("retried");
        let failures = u32::try_from(delivery.failures).unwrap_or(u32::MAX);
        let wait = Backoff::new(options.retry_first, options.retry_longest).wait(failures, &*self.entropy);
        TriedEnd::Retry { wait, http_status, error }
    }

    async fn prune(&self, stop: &CancellationToken) {
        let mut ticks = interval(PRUNE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            loop {
                let look = self.unpruned.look();
                let pruned = match self.store.prune_webhooks(self.options.retention, PRUNE_BATCH).await {
                    Ok(pruned) => pruned,
                    Err(error) => {
                        look.failed(&error, "pruning events failed, the next time tries again");
                        break;
                    }
                };
                let most = pruned.expired.max(pruned.deliveries).max(pruned.events);
                look.worked(&self.store, most > 0, "events are pruned again").await;
                if pruned.expired > 0 {
                    tracing::warn!(
                        deliveries = pruned.expired,
                        "deliveries waited for too long and are given up"
                    );
                }
                if most < u64::from(PRUNE_BATCH) || stop.is_cancelled() {
                    break;
                }
            }
        }
    }
}

/// How long `then` was ago (both in ms).
fn age(then: i64, now: i64) -> Duration {
    Duration::from_millis(now.saturating_sub(then).try_into().unwrap_or(0))
}
