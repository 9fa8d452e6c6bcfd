//! Prepared statements that a migration has made useless, while the process that prepared them still runs.
//!
//! Postgres refuses to run a prepared statement whose result would have other columns or types than it had when it was
//! prepared ("cached plan must not change result type"), and goes on refusing on that connection for ever. Our statements
//! name their columns, so that a column which is added changes none of them. Where it happens all the same, every
//! connection that was open by then is closed instead of being used again, and what failed is tried once more: a read at
//! once ([`Reads`](crate::db::reads::Reads)), a transaction by whoever began it, as after any failure that passes.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Postgres: `feature_not_supported`.
const NOT_SUPPORTED: &str = "0A000";
/// The text tells this case from others of that code. Source: PostgreSQL, `plancache.c`.
const RESULT_CHANGED: &str = "cached plan must not change result type";

/// When it was last found, in any pool of the process: they share the database. A connection more or less is no matter.
static FOUND_AT: Mutex<Option<Instant>> = Mutex::new(None);

/// Whether the statement has to be prepared anew.
pub(crate) fn is_outdated(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(said) = error else { return false };
    said.code().as_deref() == Some(NOT_SUPPORTED) && said.message().contains(RESULT_CHANGED)
}

/// From now on no connection that is open is used again.
pub(crate) fn note_outdated() {
    tracing::info!("the schema has changed under prepared statements: database connections are opened anew");
    if let Ok(mut found) = FOUND_AT.lock() {
        *found = Some(Instant::now());
    }
}

/// Whether a connection of this age may hold such a statement.
pub(crate) fn holds_outdated(age: Duration) -> bool {
    FOUND_AT.lock().is_ok_and(|found| found.is_some_and(|at| age >= at.elapsed()))
}
