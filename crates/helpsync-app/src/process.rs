//! A running process: its roles, their tasks, and their end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use helpsync_account::subscriptions::Subscriber;
use helpsync_api::{Api, ApiOptions, WebhookRules};
use helpsync_dispatcher::{Dispatcher, DispatcherOptions};
use helpsync_embeddings::{Chunker, Embedder};
use helpsync_model::chain;
use helpsync_webhooks::Relay;
use helpsync_worker::{Worker, WorkerOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::server::ConnectionLimits;
use crate::{
    AppError, Parts, Runtime, alive, collect, embeddings, health, requests, server, telemetry, traces,
    webhooks,
};

/// Beyond draining: answers under way, and handing shards back.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// Saying goodbye to the broker, and to the database. What does not answer is left: it notices by itself.
const CLOSE_GRACE: Duration = Duration::from_millis(400);
/// The sweeper looks this many times within the time after which work counts as lost.
const SWEEPS_PER_LOSS: u32 = 4;
/// One on-demand slot for so many others, and at least one.
const SLOTS_PER_ON_DEMAND: usize = 4;

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything, with the API.
    All,
    /// API, schedules, release, relay, sweep, upstream requests.
    Dispatcher,
    /// Runs shards.
    Worker,
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    parts: Parts,
    api_url: Option<Url>,
    health_address: Option<SocketAddr>,
    metrics_address: Option<SocketAddr>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Process {
    /// Starts the roles. The listeners are open when it returns.
    ///
    /// # Errors
    /// [`AppError`]; nothing is left running then.
    pub async fn start(parts: Parts, role: Role) -> Result<Self, AppError> {
        let settings = parts.settings();
        let shared = settings.store.is_postgres() && parts.rabbit.is_some();
        if role != Role::All && !shared {
            return Err(AppError::NotShared);
        }
        telemetry::start();
        let mut process = Self {
            api_url: None,
            health_address: None,
            metrics_address: None,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            parts: parts.clone(),
        };
        let limits = ConnectionLimits {
            header_timeout: settings.api.header_timeout,
            idle_timeout: settings.api.idle_timeout,
            connections_max: settings.api.connections_max,
            per_address_max: settings.api.connections_per_address_max,
        };
        if role != Role::Worker {
            let (listener, address) = server::listen(settings.api.listen, "HELPSYNC_API__LISTEN").await?;
            let url = public_url(settings.api.public_url.clone(), address);
            let router = api(&parts, url.clone()).router();
            process.api_url = Some(url);
            process.spawn("api", server::serve(listener, router, limits, process.stop.clone()));
        }
        if role != Role::All {
            let (address, setting) = match role {
                Role::Worker => (settings.worker.health_listen, "HELPSYNC_WORKER__HEALTH_LISTEN"),
                _ => (settings.dispatcher.health_listen, "HELPSYNC_DISPATCHER__HEALTH_LISTEN"),
            };
            let (listener, bound) = server::listen(address, setting).await?;
            process.health_address = Some(bound);
            let router = health::router(parts.clone());
            process.spawn("health", server::serve(listener, router, limits, process.stop.clone()));
        }
        if let Some(address) = settings.telemetry.listen {
            let (listener, bound) = server::listen(address, "HELPSYNC_TELEMETRY__LISTEN").await?;
            process.metrics_address = Some(bound);
            tracing::info!("metrics at http://{bound}/metrics");
            let router = telemetry::router();
            process.spawn("metrics", server::serve(listener, router, limits, process.stop.clone()));
        }
        process.spawn("gauges", collect::run(parts.clone(), role, process.stop.clone()));
        if role != Role::Worker {
            let Runtime { clock, entropy } = &parts.runtime;
            let options = webhooks::relay_options(settings);
            let relay =
                Relay::new(parts.store.webhooks().clone(), Arc::clone(clock), Arc::clone(entropy), options)?;
            process.spawn("webhooks", relay.run(process.stop.clone()));
        }
        let holder = format!("{}-{}", std::process::id(), parts.runtime.entropy.uuid().simple());
        let concurrency = settings.worker.concurrency;
        process.spawn(
            "alive",
            alive::tell(parts.clone(), alive::sign(&holder, role, concurrency), process.stop.clone()),
        );
        process.start_roles(role, holder);
        Ok(process)
    }

    fn start_roles(&self, role: Role, holder: String) {
        let (parts, stop) = (&self.parts, &self.stop);
        let dispatcher = Dispatcher::new(
            parts.store.queue().clone(),
            Arc::clone(&parts.queue),
            Arc::clone(&parts.runtime.clock),
            dispatcher_options(parts),
            Arc::clone(&parts.wake),
        );
        if role == Role::Worker {
            self.spawn("relay", dispatcher.relay_when_woken(stop.clone()));
        } else {
            let stop = stop.clone();
            self.spawn("dispatcher", async move {
                if let Err(error) = dispatcher.run(stop).await {
                    tracing::error!(error = chain(&error), "the ticker failed");
                }
            });
        }
        if let Some(public_url) = self.api_url.clone() {
            let tick = parts.settings().dispatcher.tick;
            let subscriber =
                Subscriber::new(parts.store.tokens().clone(), parts.accounts.clone(), public_url, tick);
            self.spawn("subscriber", subscriber.run(Arc::clone(&parts.runtime.entropy), stop.clone()));
        }
        if role != Role::Worker && parts.rabbit.is_some() {
            self.spawn("requests", requests::serve(parts.clone(), stop.clone()));
        }
        if role != Role::Dispatcher {
            let worker = Worker::new(
                parts.store.queue().clone(),
                Arc::clone(&parts.queue),
                parts.engine.clone(),
                worker_options(parts, holder),
                Arc::clone(&parts.wake),
            );
            self.spawn("worker", worker.run(stop.clone()));
            self.start_search(parts);
        }
    }

    /// What makes stored texts searchable, beside the syncs and after them.
    fn start_search(&self, parts: &Parts) {
        let made = Arc::new(Notify::new());
        let chunker =
            Chunker::new(parts.store.search().clone(), parts.settings().embeddings.poll, Arc::clone(&made));
        self.spawn("chunker", chunker.run(self.stop.clone()));
        if let Some(client) = parts.embeddings.clone() {
            let options = embeddings::embedder_options(parts.settings());
            let entropy = Arc::clone(&parts.runtime.entropy);
            let embedder = Embedder::new(parts.store.search().clone(), client, entropy, options, made);
            self.spawn("embedder", embedder.run(self.stop.clone()));
        }
    }

    /// A role that ends before its time ends the process: a supervisor starts a whole one again, which is better than
    /// a half one that looks alive.
    fn spawn(&self, name: &'static str, role: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let ended = guarded(role).await;
            if !stop.is_cancelled() {
                tracing::error!(role = name, panicked = ended.is_err(), "a role ended, stopping");
                stop.cancel();
            }
        });
    }

    /// Where the API answers, as browsers see it.
    #[must_use]
    pub fn api_url(&self) -> Option<&Url> {
        self.api_url.as_ref()
    }

    /// Where `/livez` and `/readyz` answer, when the process has no API.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.health_address
    }

    /// Where `/metrics` answers besides the health port, if `telemetry.listen` says so.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The parts it runs on.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Ends when a role has ended before its time.
    pub async fn failed(&self) {
        self.stop.cancelled().await;
    }

    /// Stops: takes nothing new, lets shards reach a safe point within `worker.drain_seconds`, hands the rest back,
    /// and closes everything. Takes at most two seconds more than that, whatever is away.
    pub async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        let bound = self.parts.settings().worker.drain + STOP_GRACE;
        if tokio::time::timeout(bound, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                tasks = self.tasks.len(),
                "stopping takes too long, leaving the rest to the sweeper"
            );
        }
        let flushed = tokio::task::spawn_blocking(traces::flush);
        if tokio::time::timeout(CLOSE_GRACE, flushed).await.is_err() {
            tracing::warn!("the last traces were not taken in time");
        }
        for (what, close) in
            [("queue", self.parts.queue.close()), ("store", Box::pin(self.parts.store.close()))]
        {
            if tokio::time::timeout(CLOSE_GRACE, close).await.is_err() {
                tracing::warn!(what, "it does not answer the goodbye");
            }
        }
    }
}

/// Runs the future; a panic in it is an `Err`.
async fn guarded(role: impl Future<Output = ()> + Send + 'static) -> Result<(), tokio::task::JoinError> {
    tokio::spawn(role).await
}

/// The bound address takes the place of port 0 in the address that browsers are sent to.
fn public_url(configured: Option<Url>, address: SocketAddr) -> Url {
    let local = || format!("http://{address}").parse::<Url>().ok();
    configured.or_else(local).unwrap_or_else(|| unreachable!("an address makes a URL"))
}

fn api(parts: &Parts, public_url: Url) -> Api {
    let settings = parts.settings();
    let options = ApiOptions {
        public_url,
        body_bytes_max: settings.api.body_bytes_max,
        requests_per_minute_of_key: settings.api.requests_per_minute_of_key,
        requests_per_minute_of_address: settings.api.requests_per_minute_of_address,
        access_token_ttl: settings.api.access_token_ttl,
        presigned_url_ttl_max: settings.api.presigned_url_ttl_max,
        default_scopes: settings.zendesk.scopes.join(" "),
        customer_scopes: settings.zendesk.allowed_scopes(),
        operator: parts.organization,
        webhooks: WebhookRules {
            per_organization_max: settings.webhooks.per_organization_max,
            allow_private: settings.webhooks.allow_private,
        },
        engine: parts.engine.clone(),
        embeddings: parts.embeddings.clone(),
        version: env!("CARGO_PKG_VERSION"),
    };
    Api::new(
        parts.store.clone(),
        Arc::clone(&parts.queue),
        Arc::new(parts.accounts.clone()),
        Arc::clone(&parts.runtime.clock),
        Arc::clone(&parts.runtime.entropy),
        options,
        Arc::clone(&parts.wake),
    )
}

fn dispatcher_options(parts: &Parts) -> DispatcherOptions {
    let settings = parts.settings();
    let bounded = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    DispatcherOptions {
        tick: settings.dispatcher.tick,
        schedule_tick: settings.dispatcher.tick,
        sweep_every: settings.dispatcher.sweep_after / SWEEPS_PER_LOSS,
        lost_after: settings.dispatcher.sweep_after,
        window: bounded(settings.dispatcher.release_window),
        batch: bounded(settings.dispatcher.outbox_batch),
        default_interval: settings.sync.interval,
    }
}

fn worker_options(parts: &Parts, holder: String) -> WorkerOptions {
    let worker = &parts.settings().worker;
    WorkerOptions {
        holder,
        concurrency: worker.concurrency,
        on_demand_concurrency: (worker.concurrency / SLOTS_PER_ON_DEMAND).max(1),
        lease: worker.shard_lease,
        drain: worker.drain,
    }
}
