//! What can go wrong between us and the database.

use helpsync_model::UnknownName;
use thiserror::Error;

use crate::db::vault::VaultError;

/// A failed store call. Nothing of the call's transaction was kept, unless the variant says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database could not be reached or refused for now; safe to repeat.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// The connection's epoch or the shard's attempt has moved on: somebody else owns this work now.
    #[error("fenced: this work was taken over or cancelled")]
    Fenced,
    /// The named thing does not exist (or not for this customer).
    #[error("{0} not found")]
    NotFound(&'static str),
    /// A stored value cannot be read.
    #[error("{table}.{column} of row {row} cannot be read")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's id.
        row: i64,
        /// What was wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A sealed value cannot be opened with the keys of the ring.
    #[error("a sealed value cannot be opened")]
    Sealed(#[from] VaultError),
    /// The database answered something that our SQL does not allow for: our bug, or a foreign schema.
    #[error("the database refused a statement")]
    Statement(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migrations could not be applied")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// `store.url` is of no known form, or its folder cannot be used.
    #[error("store url: {0}")]
    Url(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            // A stream that a cut left in the middle of a message; the next connection starts a fresh one.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(ref database) if is_passing(database.code().as_deref()) => {
                Self::Unavailable(error)
            }
            other => Self::Statement(other),
        }
    }
}

/// Postgres: the classes of connections, operators, resources, rollbacks (serialization, deadlock) and the system; a
/// server that is read-only while another takes over; sessions ended for idling; locks not had in time.
/// SQLite: busy, locked, full, IO.
fn is_passing(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        matches!(code, "25006" | "25P03" | "55P03")
            || ["08", "57", "53", "40", "58"].iter().any(|class| code.len() == 5 && code.starts_with(class))
            || matches!(code, "5" | "6" | "10" | "13" | "261" | "517")
    })
}

impl StoreError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(crate) fn unwritable(error: serde_json::Error) -> Self {
        Self::Statement(sqlx::Error::Encode(Box::new(error)))
    }

    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        row: i64,
    ) -> impl Fn(UnknownName) -> Self {
        move |source| Self::Corrupt { table, column, row, source: source.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::is_passing;

    #[test]
    fn what_a_restarting_server_says_passes_and_what_our_sql_does_wrong_does_not() {
        for passing in
            ["57P01", "57P02", "57P03", "08006", "53300", "40P01", "25006", "25P03", "58030", "5", "517"]
        {
            assert!(is_passing(Some(passing)), "{passing}");
        }
        for ours in ["23505", "42601", "42P01", "25P02", "1", "2067"] {
            assert!(!is_passing(Some(ours)), "{ours}");
        }
        assert!(!is_passing(None));
    }
}
