//! Working cursors: where a run is right now, for the people who watch it.
//!
//! What a run has done is in the store, page by page. This is the finer hand: which page is being stored, what is
//! looked for. It lives in the coordinator because it is worth nothing a minute later, and losing it harms nothing.

use std::time::Duration;

use helpsync_coordinator::{BudgetView, Coordinator};
use helpsync_model::{RunId, chain};

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

/// As [`Accounts::put_working`].
pub(crate) async fn put(coordinator: &dyn Coordinator, run: RunId, what: &str) {
    if let Err(error) = coordinator.put_cursor(&name(run), what, SHOWN).await {
        tracing::debug!(%run, error = chain(&error), "a working cursor was not kept");
    }
}

fn name(run: RunId) -> String {
    format!("run/{run}")
}
