//! A running process: its roles, their tasks, and their end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use helpsync_account::subscriptions::Subscriber;
use helpsync_api::{Api, ApiOptions, Inside, WebhookRules};
use helpsync_config::Settings;
use helpsync_dashboard::{Dashboard, DashboardParts};
use helpsync_dispatcher::{Dispatcher, DispatcherOptions};
use helpsync_embeddings::{Chunker, Embedder};
use helpsync_model::chain;
use helpsync_webhooks::Relay;
use helpsync_worker::{Worker, WorkerOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::front::Fronts;
use crate::{
    AppError, Parts, Runtime, alive, audit, collect, embeddings, forgotten, health, home, keys, requests,
    telemetry, traces, webhooks,
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

/// The tasks of a process, and their common end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tasks {
    pub(crate) stop: CancellationToken,
    running: TaskTracker,
}

/// A running process.
#[derive(Debug)]
pub struct Process {
    parts: Parts,
    api_url: Option<Url>,
    fronts: Fronts,
    tasks: Tasks,
}

impl Process {
    /// Listens, opens everything that the settings name, and starts the roles. `/livez` answers from the first moment.
    ///
    /// # Errors
    /// [`AppError`]; nothing is left running then.
    pub async fn open(settings: Settings, runtime: Runtime, role: Role) -> Result<Self, AppError> {
        check_shared(&settings, role)?;
        telemetry::start();
        let tasks = Tasks::default();
        let fronts = match Fronts::of(&settings, role, &tasks).await {
            Ok(fronts) => fronts,
            Err(error) => {
                tasks.end().await;
                // Of two processes on one file the second hears of that, not of the address that the first has too.
                home::check_free(settings.store.url.expose())?;
                return Err(error);
            }
        };
        match Parts::open(settings, runtime).await {
            Ok(parts) => Self::begin(parts, role, tasks, fronts).await,
            Err(error) => {
                tasks.end().await;
                Err(error)
            }
        }
    }

    /// [`Process::open`] on parts that are open already.
    ///
    /// # Errors
    /// [`AppError`]; nothing is left running then.
    pub async fn start(parts: Parts, role: Role) -> Result<Self, AppError> {
        check_shared(parts.settings(), role)?;
        telemetry::start();
        let tasks = Tasks::default();
        match Fronts::of(parts.settings(), role, &tasks).await {
            Ok(fronts) => Self::begin(parts, role, tasks, fronts).await,
            Err(error) => {
                tasks.end().await;
                Err(error)
            }
        }
    }

    async fn begin(parts: Parts, role: Role, tasks: Tasks, fronts: Fronts) -> Result<Self, AppError> {
        let settings = Arc::clone(&parts.settings);
        let api_url =
            fronts.api.as_ref().map(|front| public_url(settings.api.public_url.clone(), front.address));
        let process = Self { api_url, fronts, tasks, parts: parts.clone() };
        if role != Role::Worker {
            let Runtime { clock, entropy } = &parts.runtime;
            let options = webhooks::relay_options(&settings);
            let relay =
                Relay::new(parts.store.webhooks().clone(), Arc::clone(clock), Arc::clone(entropy), options);
            match relay {
                Ok(relay) => process.spawn("webhooks", relay.run(process.tasks.stop.clone())),
                Err(error) => {
                    process.tasks.end().await;
                    return Err(error.into());
                }
            }
        }
        process.begin_roles(role);
        if let Some((front, url)) = process.fronts.api.as_ref().zip(process.api_url.clone()) {
            front.open(router(&parts, url, &process.tasks.stop));
        }
        if let Some(front) = &process.fronts.health {
            front.open(health::router(parts));
        }
        Ok(process)
    }

    fn begin_roles(&self, role: Role) {
        let (process, parts, settings) = (self, &self.parts, &self.parts.settings);
        process.spawn("gauges", collect::run(parts.clone(), role, process.tasks.stop.clone()));
        let holder = format!("{}-{}", std::process::id(), parts.runtime.entropy.uuid().simple());
        let concurrency = settings.worker.concurrency;
        process.spawn(
            "alive",
            alive::tell(parts.clone(), alive::sign(&holder, role, concurrency), process.tasks.stop.clone()),
        );
        process.spawn("keys", keys::watch(parts.clone(), process.tasks.stop.clone()));
        if role != Role::Worker {
            let stop = process.tasks.stop.clone();
            process.spawn("audit log", audit::shorten(parts.clone(), audit::LOOK_EVERY, stop));
            process.spawn("forgotten", forgotten::forget(parts.clone(), process.tasks.stop.clone()));
            process.spawn("reseal", keys::reseal(parts.clone(), process.tasks.stop.clone()));
        }
        process.start_roles(role, holder);
    }

    fn start_roles(&self, role: Role, holder: String) {
        let (parts, stop) = (&self.parts, &self.tasks.stop);
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
        self.spawn("chunker", chunker.run(self.tasks.stop.clone()));
        if let Some(client) = parts.embeddings.clone() {
            let options = embeddings::embedder_options(parts.settings());
            let entropy = Arc::clone(&parts.runtime.entropy);
            let embedder = Embedder::new(parts.store.search().clone(), client, entropy, options, made);
            self.spawn("embedder", embedder.run(self.tasks.stop.clone()));
        }
    }

    fn spawn(&self, name: &'static str, role: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(name, role);
    }

    /// Where the API answers, as browsers see it.
    #[must_use]
    pub fn api_url(&self) -> Option<&Url> {
        self.api_url.as_ref()
    }

    /// Where `/livez` and `/readyz` answer, when the process has no API.
    #[must_use]
    pub fn health_address(&self) -> Option<SocketAddr> {
        self.fronts.health.as_ref().map(|front| front.address)
    }

    /// Where `/metrics` answers besides the health port, if `telemetry.listen` says so.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.fronts.metrics
    }

    /// The parts it runs on.
    #[must_use]
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// Ends when a role has ended before its time.
    pub async fn failed(&self) {
        self.tasks.stop.cancelled().await;
    }

    /// Stops: takes nothing new, lets shards reach a safe point within `worker.drain_seconds`, hands the rest back,
    /// and closes everything. Takes at most two seconds more than that, whatever is away.
    pub async fn stop(self) {
        let Tasks { stop, running } = &self.tasks;
        stop.cancel();
        running.close();
        let bound = self.parts.settings().worker.drain + STOP_GRACE;
        if tokio::time::timeout(bound, running.wait()).await.is_err() {
            tracing::warn!(tasks = running.len(), "stopping takes too long, leaving the rest to the sweeper");
        }
        let flushed = tokio::task::spawn_blocking(traces::flush);
        if tokio::time::timeout(CLOSE_GRACE, flushed).await.is_err() {
            tracing::warn!("the last traces were not taken in time");
        }
        for (what, close) in
            [("queue", self.parts.queue.close()), ("store", Box::pin(self.parts.store.close()))]
        {
            if tokio::time::timeout(CLOSE_GRACE, close).await.is_err() {
                tracing::warn!(what, "the {what} does not answer the goodbye, it is left");
            }
        }
    }
}

impl Tasks {
    /// A role that ends before its time ends the process: a supervisor starts a whole one again, which is better than
    /// a half one that looks alive.
    pub(crate) fn spawn(&self, name: &'static str, role: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.running.spawn(async move {
            let ended = guarded(role).await;
            if !stop.is_cancelled() {
                tracing::error!(role = name, panicked = ended.is_err(), "a role ended, stopping");
                stop.cancel();
            }
        });
    }

    /// Ends what has been begun of a process that cannot start.
    async fn end(&self) {
        self.stop.cancel();
        self.running.close();
        if tokio::time::timeout(STOP_GRACE, self.running.wait()).await.is_err() {
            tracing::warn!(tasks = self.running.len(), "what was begun does not end");
        }
    }
}

/// Roles apart from each other need a database and a queue that they share.
fn check_shared(settings: &Settings, role: Role) -> Result<(), AppError> {
    let shared = settings.store.is_postgres() && settings.queue.url.is_some();
    if role == Role::All || shared { Ok(()) } else { Err(AppError::NotShared) }
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

fn api(parts: &Parts, public_url: Url, stop: CancellationToken) -> Api {
    let settings = parts.settings();
    let options = ApiOptions {
        public_url,
        body_bytes_max: settings.api.body_bytes_max,
        requests_per_minute_of_key: settings.api.requests_per_minute_of_key,
        requests_per_minute_of_address: settings.api.requests_per_minute_of_address,
        access_token_ttl: settings.api.access_token_ttl,
        presigned_url_ttl_max: settings.api.presigned_url_ttl_max,
        cors_origins: settings.api.cors_origins.clone(),
        default_scopes: settings.zendesk.scopes.join(" "),
        programs_may_connect: settings.api.programs_may_connect,
        customer_scopes: settings.zendesk.allowed_scopes(),
        operator: parts.organization,
        webhooks: WebhookRules {
            per_organization_max: settings.webhooks.per_organization_max,
            allow_private: settings.webhooks.allow_private,
        },
        engine: parts.engine.clone(),
        embeddings: parts.embeddings.clone(),
        version: env!("CARGO_PKG_VERSION"),
        stop,
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

/// The API, and the dashboard beside it.
fn router(parts: &Parts, public_url: Url, stop: &CancellationToken) -> Router {
    let api = api(parts, public_url.clone(), stop.clone());
    let dashboard = Dashboard::new(DashboardParts {
        inside: Inside::new(api.clone()),
        store: parts.store.clone(),
        clock: Arc::clone(&parts.runtime.clock),
        entropy: Arc::clone(&parts.runtime.entropy),
        public_url,
        stop: stop.clone(),
    });
    dashboard.router(api.router())
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
        keep_runs: settings.dispatcher.keep_runs,
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

#[cfg(test)]
mod tests {
    use axum::body::{Body, Bytes};
    use axum::extract::Request;
    use futures::StreamExt as _;
    use helpsync_model::SystemClock;
    use tower::Service as _;

    use super::*;
    use crate::testing;

    /// Two answers of one document are one piece of memory: it is made, and written as JSON, once.
    #[tokio::test]
    async fn the_description_of_the_api_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let parts =
            testing::parts(folder.path(), Arc::new(SystemClock), ("HELPSYNC_API__HTTP2", "false")).await;
        let mut router = router(&parts, "http://127.0.0.1/".parse().unwrap(), &CancellationToken::new());
        let mut answers: Vec<Bytes> = Vec::new();
        for _ in 0..2 {
            let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
            let answer = router.call(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            answers.push(answer.into_body().into_data_stream().next().await.unwrap().unwrap());
        }
        assert!(answers[0].starts_with(b"{") && answers[0].len() > 100_000, "{} bytes", answers[0].len());
        assert_eq!(answers[0].as_ptr(), answers[1].as_ptr());
    }
}
