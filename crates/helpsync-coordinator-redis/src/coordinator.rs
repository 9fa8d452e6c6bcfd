//! The port on Redis.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helpsync_coordinator::{
    BudgetView, Coordinator, CoordinatorError, Decision, LeaseOutcome, PermitId, PermitRequest, Report, Step,
    Terms,
};
use helpsync_model::{Clock, Timestamp, chain};
use redis::{Client, RedisResult};
use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::breaker::Breaker;
use crate::fallback::Fallback;
use crate::link::{Link, is_of_the_server};
use crate::scripts::{BudgetKeys, LeaseAnswer, Scripts};
use crate::settings::RedisSettings;

/// How long what a ping writes is kept.
const PING_TTL: Duration = Duration::from_secs(10);

/// Budgets, leases and cursors on a Redis server.
pub struct RedisCoordinator {
    settings: RedisSettings,
    link: Link,
    scripts: Scripts,
    breaker: Breaker,
    fallback: Fallback,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for RedisCoordinator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisCoordinator")
            .field("settings", &self.settings)
            .field("breaker", &self.breaker)
            .finish_non_exhaustive()
    }
}

impl RedisCoordinator {
    /// Prepares the connection; it is made with the first call. `clock` serves the local share while Redis is away.
    /// To be called within a tokio runtime.
    ///
    /// # Errors
    /// [`CoordinatorError::Unavailable`] when the URL is not a Redis URL.
    pub fn new(settings: RedisSettings, clock: Arc<dyn Clock>) -> Result<Self, CoordinatorError> {
        let client = Client::open(settings.url.expose_secret()).map_err(|error| unavailable(&error))?;
        let link = Link::new(client, settings.deadline).map_err(|error| unavailable(&error))?;
        let fallback = Fallback::new(Arc::clone(&clock), settings.workers, settings.window);
        Ok(Self { settings, link, scripts: Scripts::new(), breaker: Breaker::default(), fallback, clock })
    }

    /// The server's `maxmemory-policy`. Anything but `noeviction` deserves a warning: evicted budgets and
    /// leases cost requests and useless work.
    ///
    /// # Errors
    /// [`CoordinatorError`] when it cannot be asked.
    pub async fn eviction_policy(&self) -> Result<Option<String>, CoordinatorError> {
        let mut connection = self.link.connection();
        let info: String =
            self.call(async { redis::cmd("INFO").arg("memory").query_async(&mut connection).await }).await?;
        Ok(info
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"))
            .map(|it| it.trim().to_owned()))
    }

    pub(crate) fn connection(&self) -> redis::aio::ConnectionManager {
        self.link.connection()
    }

    fn keys(&self, account: &str) -> BudgetKeys {
        BudgetKeys::new(&self.settings.prefix, account)
    }

    fn key(&self, kind: &str, name: &str) -> String {
        format!("{}:{kind}:{name}", self.settings.prefix)
    }

    /// One call under the deadline and the breaker.
    pub(crate) async fn call<T>(
        &self,
        call: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, CoordinatorError> {
        if !self.breaker.lets_through(Instant::now()) {
            let why = self.breaker.why().unwrap_or_default();
            return Err(CoordinatorError::Unavailable(format!("redis did not answer lately: {why}")));
        }
        let answer = match tokio::time::timeout(self.settings.deadline, call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                if is_of_the_server(&error) {
                    self.link.renew();
                }
                Err(unavailable(&error))
            }
            Err(_elapsed) => Err(CoordinatorError::Timeout(self.settings.deadline)),
        };
        let was_open = self.breaker.is_open();
        self.breaker.record(answer.as_ref().err().map(|error| chain(error)), Instant::now());
        if self.breaker.is_open() {
            // Whatever it is: a connection that has gone silent looks like a server that does not answer.
            self.link.renew();
        }
        match (was_open, self.breaker.is_open()) {
            (false, true) => {
                let error = self.breaker.why();
                tracing::warn!(error, "redis does not answer: budgets come from the local share");
            }
            (true, false) => tracing::info!("redis answers again"),
            _ => {}
        }
        answer
    }

    async fn lease_call(
        &self,
        verb: &str,
        name: &str,
        holder: &str,
        ttl: Duration,
    ) -> Result<LeaseAnswer, CoordinatorError> {
        let mut connection = self.link.connection();
        let key = self.key("lease", name);
        self.call(self.scripts.lease(&mut connection, &key, verb, holder, ttl)).await
    }
}

#[async_trait]
impl Coordinator for RedisCoordinator {
    /// While Redis is away the decision comes from the local share.
    async fn acquire(&self, account: &str, ask: &PermitRequest) -> Result<Decision, CoordinatorError> {
        let mut connection = self.link.connection();
        let (keys, terms) = (self.keys(account), Terms::new(ask, self.settings.window));
        let call = self.scripts.acquire(&mut connection, &keys, &ask.request_id, &terms, None);
        match self.call(call).await {
            Ok(Step::Granted | Step::Repeated) => Ok(Decision::Granted(PermitId(ask.request_id.clone()))),
            Ok(Step::Throttled(delay, reason)) => {
                Ok(Decision::Throttled { delay: Duration::from_micros(delay), reason })
            }
            Err(error) => {
                tracing::debug!(error = chain(&error), account, "deciding alone");
                self.fallback.acquire(account, ask).await
            }
        }
    }

    async fn report(
        &self,
        account: &str,
        permit: &PermitId,
        report: &Report,
    ) -> Result<(), CoordinatorError> {
        let local = self.fallback.report(account, permit, report).await?;
        let mut connection = self.link.connection();
        let keys = self.keys(account);
        let call = self.scripts.report(&mut connection, &keys, &permit.0, report, self.settings.window, None);
        let told = self.call(call).await;
        // Redis never knew of a local permit; that it now misses what the answer said is all that is lost.
        if local { Ok(()) } else { told }
    }

    /// Writes: a server that only reads is no good. By a connection that is in use, so that it tells of that one.
    async fn ping(&self) -> Result<(), CoordinatorError> {
        self.put_cursor("ping", "", PING_TTL).await
    }

    async fn budget(&self, account: &str) -> Result<BudgetView, CoordinatorError> {
        let mut connection = self.link.connection();
        let keys = self.keys(account);
        let state = self.call(self.scripts.state(&mut connection, &keys)).await?;
        Ok(state.budget.view(state.now, state.granted, state.waits))
    }

    async fn lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<LeaseOutcome, CoordinatorError> {
        match self.lease_call("take", name, holder, ttl).await? {
            LeaseAnswer::Done => Ok(LeaseOutcome::Held),
            LeaseAnswer::Taken { by, left } => Ok(LeaseOutcome::Taken { by, until: self.after(left) }),
            LeaseAnswer::NotTheHolder => {
                Err(CoordinatorError::Unavailable("unexpected answer of the lease script".to_owned()))
            }
        }
    }

    async fn renew(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, CoordinatorError> {
        Ok(self.lease_call("renew", name, holder, ttl).await? == LeaseAnswer::Done)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<bool, CoordinatorError> {
        Ok(self.lease_call("release", name, holder, Duration::ZERO).await? == LeaseAnswer::Done)
    }

    async fn put_cursor(&self, name: &str, value: &str, ttl: Duration) -> Result<(), CoordinatorError> {
        let mut connection = self.link.connection();
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4);
        let mut set = redis::cmd("SET");
        set.arg(self.key("cursor", name)).arg(value).arg("PX").arg(ttl_ms);
        self.call(set.query_async(&mut connection)).await
    }

    async fn cursor(&self, name: &str) -> Result<Option<String>, CoordinatorError> {
        let mut connection = self.link.connection();
        let mut get = redis::cmd("GET");
        get.arg(self.key("cursor", name));
        self.call(get.query_async(&mut connection)).await
    }
}

impl RedisCoordinator {
    fn after(&self, left: Duration) -> Timestamp {
        let left = i64::try_from(left.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(self.clock.now_ms().saturating_add(left)).unwrap_or(Timestamp::MAX)
    }
}

/// The client's messages name hosts and codes, never credentials.
fn unavailable(error: &redis::RedisError) -> CoordinatorError {
    CoordinatorError::Unavailable(chain(error))
}
