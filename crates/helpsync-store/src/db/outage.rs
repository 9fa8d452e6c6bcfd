//! A store that fails is told of once, however many meet it, and once when it works again.

use std::sync::{Mutex, MutexGuard, PoisonError};

use helpsync_model::chain;

use crate::db::error::StoreError;
use crate::db::pool::Database;

/// What somebody who uses the store again and again has told of its failing.
///
/// A success ends an outage only if it shows what failed to work again. A look that finds nothing to do only reads, and a
/// database that takes no writes can be read: so the store is asked whether it takes them. A statement that is refused
/// ends with a look that did something, for only that one has come to the statement.
#[derive(Debug, Default)]
pub struct StoreOutage(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    of: Option<Kind>,
    /// Failures so far.
    failures: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The database is away, or takes nothing.
    Away,
    /// It refuses a statement.
    Refused,
}

/// One use of the store: begun before it, told how it ended.
#[derive(Debug)]
pub struct Look<'a> {
    outage: &'a StoreOutage,
    /// Failures before it began: a success that others overlap with their failures ends nothing.
    failures: u64,
}

impl StoreOutage {
    /// Begins a use of the store.
    #[must_use]
    pub fn look(&self) -> Look<'_> {
        Look { outage: self, failures: self.told().failures }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Nothing panics under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look<'_> {
    /// It failed. `true`: with something that has not been told yet.
    #[must_use]
    pub fn begins(&self, error: &StoreError) -> bool {
        let kind = if error.is_transient() { Kind::Away } else { Kind::Refused };
        let mut told = self.outage.told();
        told.failures = told.failures.wrapping_add(1);
        told.of.replace(kind) != Some(kind)
    }

    /// [`Look::begins`], logged: at WARN what is new, at DEBUG the rest.
    pub fn failed(&self, error: &StoreError, what: &'static str) {
        if self.begins(error) {
            tracing::warn!(error = chain(error), "{what}");
        } else {
            tracing::debug!(error = chain(error), "{what}");
        }
    }

    /// It succeeded; `did`: and had something to do. `true`: an outage that has been told ends with it.
    pub async fn ends(&self, store: &Database, did: bool) -> bool {
        match self.outage.told().of {
            None => return false,
            Some(_) if did => {}
            Some(Kind::Refused) => return false,
            Some(Kind::Away) => {}
        }
        if !did && store.takes_writes().await.is_err() {
            return false;
        }
        let mut told = self.outage.told();
        told.failures == self.failures && told.of.take().is_some()
    }

    /// [`Look::ends`], logged.
    pub async fn worked(&self, store: &Database, did: bool, what: &'static str) {
        if self.ends(store, did).await {
            tracing::info!("{what}");
        }
    }
}
