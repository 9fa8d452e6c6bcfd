//! Working cursors: where a run is right now, for the people who watch it.
//!
//! What a run has done is in the store, page by page. This is the finer hand: which page is being stored, what is
//! looked for. It lives in the coordinator because it is worth nothing a minute later, and losing it harms nothing.

use std::time::Duration;

use helpsync_coordinator::{BudgetView, Coordinator};
use helpsync_model::{RunId, ShardId, chain};

use crate::Accounts;

/// A cursor is shown for so long after it was put: a page takes seconds.
const SHOWN: Duration = Duration::from_mins(2);

impl Accounts {
    /// Whether the coordinator takes what it is told. Without it work goes on, slower.
    ///
    /// # Errors
    /// Why not, for people.
    pub async fn ping_coordinator(&self) -> Result<(), String> {
        self.inner.coordinator.ping().await.map_err(|error| chain(&error))
    }

    /// What is left of an account's budget for its help center.
    ///
    /// # Errors
    /// Why it cannot be told, for people.
    pub async fn budget(&self, subdomain: &str) -> Result<BudgetView, String> {
        self.inner.coordinator.budget(subdomain).await.map_err(|error| chain(&error))
    }

    /// Says where a run is. A coordinator that is away is no trouble.
    pub async fn put_working(&self, run: RunId, what: &str) {
        put(&*self.inner.coordinator, run, what).await;
    }

    /// Where a run is, if it said so lately.
    pub async fn working(&self, run: RunId) -> Option<String> {
        self.inner.coordinator.cursor(&name(run)).await.ok().flatten()
    }
}

impl Accounts {
    /// Says how far a shard is with what it asks for one by one.
    pub async fn put_asked(&self, shard: ShardId, asked: usize) {
        let put = self.inner.coordinator.put_cursor(&of_shard(shard), &asked.to_string(), SHOWN).await;
        if let Err(error) = put {
            tracing::debug!(%shard, error = chain(&error), "a working cursor was not kept");
        }
    }

    /// How far a shard is with it, if it said so lately.
    pub async fn asked(&self, shard: ShardId) -> usize {
        let cursor = self.inner.coordinator.cursor(&of_shard(shard)).await.ok().flatten();
        cursor.and_then(|asked| asked.parse().ok()).unwrap_or(0)
    }
}

/// As [`Accounts::put_working`].
pub(crate) async fn put(coordinator: &dyn Coordinator, run: RunId, what: &str) {
    if let Err(error) = coordinator.put_cursor(&name(run), what, SHOWN).await {
        tracing::debug!(%run, error = chain(&error), "a working cursor was not kept");
    }
}

fn name(run: RunId) -> String {
    format!("run/{run}")
}

fn of_shard(shard: ShardId) -> String {
    format!("shard/{shard}")
}
