//! The connection to Redis, and when a new one is made.
//!
//! The client's manager makes a new connection when its own breaks. Two ends it does not see: a server that has become a
//! replica answers on, and refuses writes (`READONLY`); and a connection whose other end has gone without a word is silent
//! for ever. Both are left behind here: behind a stable address the next connection leads to the new primary.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisError, RedisResult};
use tokio::time::Instant;

/// For TCP, TLS and the handshake; the caller's deadline is shorter, the connection is made in the background.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A connection is given so long to become useful: it must be longer than making it takes.
const RENEWED_EVERY: Duration = Duration::from_secs(3);

/// Cheap to clone; all clones share one connection.
#[derive(Clone)]
pub(crate) struct Link {
    client: Client,
    config: ConnectionManagerConfig,
    current: Arc<Mutex<Current>>,
}

struct Current {
    manager: ConnectionManager,
    since: Instant,
}

impl Link {
    /// Prepares a connection; it is made with the first call. `deadline`: for every answer.
    pub(crate) fn new(client: Client, deadline: Duration) -> RedisResult<Self> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(deadline))
            .set_number_of_retries(1);
        let manager = client.get_connection_manager_lazy(config.clone())?;
        let current = Arc::new(Mutex::new(Current { manager, since: Instant::now() }));
        Ok(Self { client, config, current })
    }

    pub(crate) fn connection(&self) -> ConnectionManager {
        self.lock().manager.clone()
    }

    /// Leaves the connection behind, unless it is new. What waits on it ends by its own deadline.
    pub(crate) fn renew(&self) {
        let mut current = self.lock();
        if current.since.elapsed() < RENEWED_EVERY {
            return;
        }
        let Ok(manager) = self.client.get_connection_manager_lazy(self.config.clone()) else { return };
        *current = Current { manager: manager.clone(), since: Instant::now() };
        drop(current);
        // Made now and not with the next call, whose deadline may be shorter than making it takes.
        tokio::spawn(tokio::time::timeout(CONNECT_TIMEOUT, async move {
            let mut manager = manager;
            let made: RedisResult<()> = redis::cmd("PING").query_async(&mut manager).await;
            if made.is_ok() {
                tracing::info!("a new connection to redis is made");
            } else if let Err(error) = made {
                tracing::debug!(
                    error = helpsync_model::chain(&error),
                    "the new connection to redis is no better"
                );
            }
        }));
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether another connection may lead to a server that does better: this one takes no writes, or is on its way down or
/// up.
pub(crate) fn is_of_the_server(error: &RedisError) -> bool {
    const STATES: [&str; 5] = ["READONLY", "MASTERDOWN", "LOADING", "CLUSTERDOWN", "NOREPLICAS"];
    error.code().is_some_and(|code| STATES.contains(&code))
        || helpsync_model::chain(error).contains(STATES[0])
}
