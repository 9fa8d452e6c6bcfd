//! The backends that the settings name.

use std::sync::Arc;

use helpsync_account::{AccountOptions, Accounts};
use helpsync_config::Settings;
use helpsync_content::Limits;
use helpsync_coordinator::{Coordinator, InProcessCoordinator};
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_embeddings::Client;
use helpsync_engine::{Engine, EngineOptions};
use helpsync_model::{Clock, Entropy, OrganizationId, OsEntropy, Subdomain, SystemClock, chain};
use helpsync_queue::{InProcessQueue, InProcessSettings, Queue};
use helpsync_queue_rabbitmq::{RabbitQueue, RabbitSettings};
use helpsync_store::{Holder, RemovalCeiling, Store, StoreOptions, Vault};
use helpsync_zendesk::{Class, Http, HttpOptions, OAuthApp};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Notify;

use crate::AppError;
use crate::embeddings;
use crate::home::{self, Home};
use crate::keys::KeySource;

/// The organization that the bootstrap key and the configured OAuth client belong to.
const DEFAULT_ORGANIZATION: &str = "default";
/// A handler waits this long for budget before it hands its shard back, so that a lease or a slot is never held idle.
const BUDGET_PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
/// Dead letters that the in-process queue keeps.
const DEAD_LETTERS_MAX: usize = 10_000;

/// Time and randomness of a process.
#[derive(Debug, Clone)]
pub struct Runtime {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes secrets, ids and jitter.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for Runtime {
    /// The machine's.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
    }
}

/// Everything that roles are made of. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What must last.
    pub store: Store,
    /// How jobs travel.
    pub queue: Arc<dyn Queue>,
    /// The broker, when jobs travel over one: it has requests of upstream services too.
    pub rabbit: Option<Arc<RabbitQueue>>,
    /// Zendesk clients.
    pub accounts: Accounts,
    /// Runs shards.
    pub engine: Engine,
    /// Whom texts are embedded by, if by anybody.
    pub embeddings: Option<Client>,
    /// Rung by whoever made work.
    pub wake: Arc<Notify>,
    /// The organization of the bootstrap key.
    pub organization: OrganizationId,
    /// The API key of this installation, when it has one: the bootstrap key, or the one made beside a SQLite file.
    pub api_key: Option<SecretString>,
    /// Where its sealing keys come from.
    pub(crate) keys: KeySource,
    /// Rung when the process has taken other keys.
    pub(crate) keys_changed: Arc<Notify>,
    pub(crate) runtime: Runtime,
    pub(crate) settings: Arc<Settings>,
    /// Held while any part lives.
    _home: Option<Arc<Home>>,
}

impl Parts {
    /// Opens the store (and migrates it), connects what is remote, and takes back what a killed process left behind.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn open(settings: Settings, runtime: Runtime) -> Result<Self, AppError> {
        for warning in settings.warnings() {
            tracing::warn!("{warning}");
        }
        let Runtime { clock, entropy } = &runtime;
        let url = settings.store.url.expose();
        let home = Home::enter(url)?.map(Arc::new);
        let keys = KeySource::of(&settings);
        let ring = keys.open(&settings, &**entropy).await?;
        let vault = Vault::new(&ring, Arc::clone(entropy));
        let options = StoreOptions {
            url: url.to_owned(),
            connections_max: settings.store.connections_max,
            acquire_timeout: settings.store.acquire_timeout,
        };
        let store = Store::open(&options, vault, Arc::clone(clock)).await?;
        if let Some(home) = &home {
            store.hold(&(Arc::clone(home) as Arc<dyn Holder>));
        }
        store.admin().take_ring(&ring).await?;
        let organization = store.admin().ensure_organization(DEFAULT_ORGANIZATION).await?;
        let api_key = match &settings.api.bootstrap_key {
            Some(key) => Some(key.clone()),
            None => home::api_key(url, &**entropy)?,
        };
        if let Some(key) = &api_key
            && !store.admin().set_bootstrap_key(organization, key).await?
        {
            tracing::warn!(
                "the bootstrap key is a key of another organization and stays that: name another one"
            );
        }
        let rabbit = open_rabbit(&settings, &runtime)?;
        let queue: Arc<dyn Queue> = match &rabbit {
            Some(rabbit) => Arc::clone(rabbit) as Arc<dyn Queue>,
            None => Arc::new(in_process_queue(&settings, clock)),
        };
        if home.is_some() && rabbit.is_none() {
            take_up_again(&store).await?;
        }
        let coordinator = open_coordinator(&settings, clock).await?;
        let accounts = open_accounts(&settings, &store, coordinator, &runtime)?;
        let engine = Engine::new(
            store.sync().clone(),
            store.queue().clone(),
            accounts.clone(),
            engine_options(&settings),
            Arc::clone(clock),
            Arc::clone(entropy),
        );
        Ok(Self {
            store,
            queue,
            rabbit,
            accounts,
            engine,
            embeddings: embeddings::client(&settings, Arc::clone(&runtime.clock))?,
            wake: Arc::new(Notify::new()),
            keys,
            keys_changed: Arc::new(Notify::new()),
            organization,
            api_key,
            runtime,
            settings: Arc::new(settings),
            _home: home,
        })
    }

    /// The settings it was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether something that speaks like Zendesk answers for `subdomain`; the texts are for a person.
    ///
    /// # Errors
    /// Why not.
    pub async fn probe(&self, subdomain: &str) -> Result<String, String> {
        let subdomain = Subdomain::parse(subdomain).map_err(|error| chain(&error))?;
        // No token of anybody's: the right answer is a refusal.
        let account = self
            .accounts
            .with_token(&subdomain, SecretString::from("doctor"))
            .map_err(|error| chain(&error))?;
        match account.client.count_articles().await {
            Ok(_) => Ok("it answers".to_owned()),
            Err(failure) if failure.class() == Class::Unauthorized => {
                Ok("it answers, and wants a grant".to_owned())
            }
            Err(failure) => Err(chain(&failure)),
        }
    }

    /// The API key in clear, to show to the person who started the process.
    #[must_use]
    pub fn api_key_text(&self) -> Option<&str> {
        self.api_key.as_ref().map(SecretString::expose_secret)
    }
}

fn open_rabbit(settings: &Settings, runtime: &Runtime) -> Result<Option<Arc<RabbitQueue>>, AppError> {
    let Some(url) = &settings.queue.url else { return Ok(None) };
    let rabbit = RabbitSettings {
        prefix: settings.queue.name_prefix.clone(),
        trusts_publishers: settings.queue.upstream_users.is_empty(),
        ..RabbitSettings::new(url.expose().to_owned().into())
    };
    let queue = RabbitQueue::start(rabbit, Arc::clone(&runtime.clock), Arc::clone(&runtime.entropy))?;
    Ok(Some(Arc::new(queue)))
}

async fn open_coordinator(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn Coordinator>, AppError> {
    let Some(url) = &settings.coordinator.url else {
        return Ok(Arc::new(
            InProcessCoordinator::new(Arc::clone(clock)).with_window(settings.zendesk.budget_window),
        ));
    };
    let redis = RedisSettings {
        prefix: settings.coordinator.key_prefix.clone(),
        deadline: settings.coordinator.call_timeout,
        window: settings.zendesk.budget_window,
        ..RedisSettings::new(url.expose().to_owned().into())
    };
    let coordinator = RedisCoordinator::new(redis, Arc::clone(clock))?;
    match coordinator.eviction_policy().await {
        Ok(Some(policy)) if policy != "noeviction" => {
            tracing::warn!(policy, "Redis may evict budgets and leases: set maxmemory-policy noeviction");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(
            error = chain(&error),
            "Redis does not answer yet: each call asks it again, and until it answers work waits for budgets"
        ),
    }
    Ok(Arc::new(coordinator))
}

fn open_accounts(
    settings: &Settings,
    store: &Store,
    coordinator: Arc<dyn Coordinator>,
    runtime: &Runtime,
) -> Result<Accounts, AppError> {
    let zendesk = &settings.zendesk;
    let http = Http::new(HttpOptions {
        user_agent: zendesk.user_agent.clone(),
        connect_timeout: zendesk.connect_timeout,
        request_timeout: zendesk.request_timeout,
        body_bytes_max: zendesk.body_bytes_max as u64,
        allow_private: zendesk.base_url.is_loopback(),
        clock: Arc::clone(&runtime.clock),
    })?;
    let default_app = match (&zendesk.client_id, &zendesk.client_secret) {
        (Some(id), Some(secret)) => Some(OAuthApp { client_id: id.clone(), client_secret: secret.clone() }),
        _ => None,
    };
    let options = AccountOptions {
        base_url: zendesk.base_url.as_str().to_owned(),
        default_app,
        ceiling_per_minute: zendesk.requests_per_minute,
        concurrency_max: zendesk.concurrency,
        reserve_percent: zendesk.reserve_percent,
        patience: BUDGET_PATIENCE,
    };
    let Runtime { clock, entropy } = runtime;
    Ok(Accounts::new(
        store.tokens().clone(),
        coordinator,
        http,
        options,
        Arc::clone(clock),
        Arc::clone(entropy),
    ))
}

fn in_process_queue(settings: &Settings, clock: &Arc<dyn Clock>) -> InProcessQueue {
    let bounds =
        InProcessSettings { lane_capacity: settings.queue.lane_jobs_max, dead_capacity: DEAD_LETTERS_MAX };
    InProcessQueue::new(bounds, Arc::clone(clock))
}

/// Nobody else can hold anything of this store: what was running when the last process died is free at once.
async fn take_up_again(store: &Store) -> Result<(), AppError> {
    let found = store.queue().reclaim_all().await?;
    if found.expired + found.lost > 0 {
        tracing::info!(shards = found.expired + found.lost, "work of the last process is taken up again");
    }
    Ok(())
}

fn engine_options(settings: &Settings) -> EngineOptions {
    let sync = &settings.sync;
    EngineOptions {
        overlap: sync.overlap,
        audit_every: sync.audit_every,
        removals_asked_max: sync.removals_asked_max,
        ceiling: RemovalCeiling {
            percent: sync.removal_ceiling_percent,
            floor: u32::try_from(sync.removal_ceiling_min).unwrap_or(u32::MAX),
        },
        limits: Limits { input_bytes_max: sync.article_bytes_max, ..Limits::default() },
        attachment_bytes_max: settings.sync.attachment_bytes_max,
        attempts_max: settings.worker.shard_attempts_max,
        concurrency: settings.zendesk.concurrency,
    }
}
