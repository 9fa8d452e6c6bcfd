//! Looking at a Redis without changing anything of it: for `helpsync doctor`.

use helpsync_coordinator::{Coordinator as _, CoordinatorError};

use crate::RedisCoordinator;

/// An account that nobody has: its budget is looked at by the script that all budgets are read with.
const NOBODY: &str = "doctor";

/// What a Redis looks like.
#[derive(Debug, Default)]
pub struct RedisExam {
    /// Its `maxmemory-policy`.
    pub eviction_policy: Option<String>,
    /// `master` or `slave`.
    pub role: Option<String>,
    /// Its clock, in ms.
    pub clock_ms: i64,
}

impl RedisCoordinator {
    /// Asks who it is, what time it has, and whether scripts run.
    ///
    /// # Errors
    /// [`CoordinatorError`]: address, credentials, permissions, or scripts.
    pub async fn examine(&self) -> Result<RedisExam, CoordinatorError> {
        self.budget(NOBODY).await?;
        let mut connection = self.connection();
        let (seconds, micros): (i64, i64) =
            self.call(async { redis::cmd("TIME").query_async(&mut connection).await }).await?;
        let mut connection = self.connection();
        let info: String = self
            .call(async { redis::cmd("INFO").arg("replication").query_async(&mut connection).await })
            .await?;
        let role = info.lines().find_map(|line| line.strip_prefix("role:")).map(|it| it.trim().to_owned());
        Ok(RedisExam {
            eviction_policy: self.eviction_policy().await?,
            role,
            clock_ms: seconds * 1_000 + micros / 1_000,
        })
    }
}
