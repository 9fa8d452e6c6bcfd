//! The suite of the port.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helpsync_coordinator::Coordinator;
use helpsync_coordinator::conformance::Harness;
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_model::{Entropy, OsEntropy, SystemClock};

pub(crate) struct Live(Arc<RedisCoordinator>);

#[async_trait]
impl Harness for Live {
    fn coordinator(&self) -> Arc<dyn Coordinator> {
        Arc::clone(&self.0) as Arc<dyn Coordinator>
    }
    async fn pass(&self, time: Duration) {
        // The server's clock cannot be moved.
        tokio::time::sleep(time).await;
    }
}

pub(crate) fn redis_url() -> String {
    std::env::var("HELPSYNC_TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned())
}

pub(crate) async fn fresh() -> Option<Live> {
    let settings = RedisSettings {
        prefix: format!("helpsync-test-{}", OsEntropy.uuid().simple()),
        deadline: Duration::from_secs(10),
        ..RedisSettings::new(redis_url().into())
    };
    let coordinator = RedisCoordinator::new(settings, Arc::new(SystemClock)).unwrap();
    if let Err(error) = coordinator.cursor("is anybody there").await {
        eprintln!("SKIPPED: no redis at HELPSYNC_TEST_REDIS_URL or the default: {error}");
        return None;
    }
    Some(Live(Arc::new(coordinator)))
}

helpsync_coordinator::coordinator_conformance!(fresh);

#[tokio::test]
async fn the_eviction_policy_can_be_asked() {
    let Some(live) = fresh().await else { return };
    assert!(live.0.eviction_policy().await.unwrap().is_some());
}
