//! A write transaction, and what every statement in it needs to know.

use sqlx::{Any, AssertSqlSafe, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::db::{Dialect, StoreError};

/// A write transaction; rolled back unless committed.
pub(crate) struct Write {
    pub(crate) tx: Transaction<'static, Any>,
    /// Which database it is in.
    pub(crate) dialect: Dialect,
    /// When it began, in ms: the one time of all that it writes.
    pub(crate) now: i64,
    /// SQLite's one writer; given back when the transaction ends.
    _turn: Option<OwnedSemaphorePermit>,
    /// What is done once it is committed.
    after: Vec<Box<dyn FnOnce() + Send>>,
}

impl Write {
    pub(crate) fn new(
        tx: Transaction<'static, Any>,
        dialect: Dialect,
        now: i64,
        turn: Option<OwnedSemaphorePermit>,
    ) -> Self {
        Self { tx, dialect, now, _turn: turn, after: Vec::new() }
    }

    /// Has something done once the transaction is committed, and not at all when it is not. It must not wait.
    pub(crate) fn once_committed(&mut self, what: impl FnOnce() + Send + 'static) {
        self.after.push(Box::new(what));
    }

    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await?;
        for what in self.after {
            what();
        }
        Ok(())
    }
}

/// SQL put together from our own constants and numbered placeholders; values are always bound.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
