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
    pub(crate) _turn: Option<OwnedSemaphorePermit>,
}

impl Write {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}

/// SQL put together from our own constants and numbered placeholders; values are always bound.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}
