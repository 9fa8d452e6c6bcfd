//! A Redis server of a test's own, to stop and to flush.

use std::sync::Arc;
use std::time::Duration;

use helpsync_coordinator::Coordinator;
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_model::SystemClock;
use test_servers::{Death, Service};

pub(crate) const LATE: Duration = Duration::from_secs(30);

/// Ends with the test.
pub(crate) struct OwnServer {
    pub(crate) port: u16,
    server: test_servers::OwnServer,
}

impl OwnServer {
    /// `None`, with a word about it, when there is no `redis-server`.
    pub(crate) fn start() -> Option<Self> {
        let server = test_servers::OwnServer::start(Service::Redis)?;
        Some(Self { port: server.port(), server })
    }

    pub(crate) fn launch(&mut self) {
        self.server.launch();
    }

    pub(crate) fn stop(&mut self) {
        self.server.end(Death::Crash);
    }

    pub(crate) fn coordinator(&self, deadline: Duration) -> Arc<RedisCoordinator> {
        let url = self.server.url(self.port);
        let settings = RedisSettings { deadline, workers: 4, ..RedisSettings::new(url.into()) };
        Arc::new(RedisCoordinator::new(settings, Arc::new(SystemClock)).unwrap())
    }
}

/// Waits until Redis itself answers.
pub(crate) async fn answers(coordinator: &RedisCoordinator) {
    let deadline = tokio::time::Instant::now() + LATE;
    while coordinator.cursor("ping").await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "redis never answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
