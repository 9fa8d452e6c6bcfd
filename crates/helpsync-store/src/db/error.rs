//! What can go wrong between us and the database.

use std::fmt;

use helpsync_model::UnknownName;
use thiserror::Error;

use crate::db::outdated::{is_outdated, note_outdated};
use crate::db::vault::{RingError, VaultError};

/// A failed store call. Nothing of the call's transaction was kept, unless the variant says otherwise.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The database could not be reached or refused for now; safe to repeat.
    #[error("the database is unavailable")]
    Unavailable(#[source] DatabaseError),
    /// The connection's epoch or the shard's attempt has moved on: somebody else owns this work now.
    #[error("fenced: this work was taken over or cancelled")]
    Fenced,
    /// An article whose copy was right a moment ago has to be stored, and its texts were not converted. Nothing was
    /// stored: convert the page and store it again.
    #[error("an article has changed since it was compared, and its text was not converted")]
    Unconverted,
    /// It does not exist, or not for this customer.
    #[error("{0} not found")]
    NotFound(Entity),
    /// What would be kept is longer than its bound.
    #[error("{what} would be longer than {bytes_max} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The bound.
        bytes_max: usize,
    },
    /// A statement of what was asked for took longer than it may.
    #[error("the database took too long")]
    TooSlow(#[source] DatabaseError),
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
    /// The key ring is not this database's.
    #[error("the sealing keys do not fit the database")]
    Ring(#[from] RingError),
    /// A text that was to be stored or looked for is none that the database takes: a NUL in it, or too long for its
    /// index.
    #[error("the database does not take a text")]
    Text(#[source] DatabaseError),
    /// The database answered something that our SQL does not allow for: our bug, or a foreign schema.
    #[error("the database refused a statement")]
    Statement(#[source] DatabaseError),
    /// The schema could not be brought up to date.
    #[error("migrations could not be applied")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// `store.url` is of no known form, or its folder cannot be used.
    #[error("store url: {0}")]
    Url(String),
}

/// What was looked for in vain. Callers tell them apart: an inactive connection is another answer than a missing run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// A connection that may sync: disconnected and paused ones may not.
    ActiveConnection,
    /// A brand of a connection.
    Brand,
    /// A connection, whatever its state.
    Connection,
    /// A connection, as callers of the API know it.
    DataSource,
    /// A delivery of a webhook.
    Delivery,
    /// A file.
    File,
    /// An organization.
    Organization,
    /// A run.
    Run,
    /// A webhook.
    Webhook,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActiveConnection => "active connection",
            Self::Brand => "brand",
            Self::Connection => "connection",
            Self::DataSource => "data source",
            Self::Delivery => "webhook delivery",
            Self::File => "file",
            Self::Organization => "organization",
            Self::Run => "run",
            Self::Webhook => "webhook",
        })
    }
}

/// What the database or its driver said, without the driver's preface ("error returned from database").
#[derive(Debug)]
pub struct DatabaseError(sqlx::Error);

impl DatabaseError {
    pub(crate) const fn driver(&self) -> &sqlx::Error {
        &self.0
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            sqlx::Error::Database(said) => f.write_str(said.message()),
            other => other.fmt(f),
        }
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            // Its source is the same text once more.
            sqlx::Error::Database(_) => None,
            other => other.source(),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_outdated(&error) {
            note_outdated();
            return Self::Unavailable(DatabaseError(error));
        }
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            // A stream that a cut left in the middle of a message; the next connection starts a fresh one.
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(DatabaseError(error)),
            sqlx::Error::Database(ref database) if is_passing(database.code().as_deref()) => {
                Self::Unavailable(DatabaseError(error))
            }
            sqlx::Error::Database(ref database) if is_of_text(database.code().as_deref()) => {
                Self::Text(DatabaseError(error))
            }
            other => Self::Statement(DatabaseError(other)),
        }
    }
}

/// Postgres: a byte that is no character, an escape that is no text, a row that is too long for its index.
/// SQLite: too big.
fn is_of_text(code: Option<&str>) -> bool {
    matches!(code, Some("22021" | "22P05" | "54000" | "18"))
}

/// Primary codes of SQLite: the low byte of the extended ones. Source: <https://www.sqlite.org/rescode.html>.
const SQLITE_PASSING: [u32; 6] = [5, 6, 8, 10, 13, 14];

/// Postgres: the classes of connections, operators, resources, rollbacks (serialization, deadlock) and the system; a
/// server that is read-only while another takes over; sessions ended for idling; locks not had in time.
/// SQLite, by its primary code: busy, locked, read-only (its file has moved, or its folder is not writable), IO, full, and
/// a file that cannot be opened.
fn is_passing(code: Option<&str>) -> bool {
    code.is_some_and(|code| {
        matches!(code, "25006" | "25P03" | "55P03")
            || ["08", "57", "53", "40", "58"].iter().any(|class| code.len() == 5 && code.starts_with(class))
            || (code.len() < 5
                && code.parse::<u32>().is_ok_and(|code| SQLITE_PASSING.contains(&(code & 0xff))))
    })
}

/// Postgres: a statement was ended for its time, or by somebody who may end it.
const ENDED: &str = "57014";

impl StoreError {
    /// An error of a statement with a bound on its time.
    pub(crate) fn of_bounded(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(ref database) if database.code().as_deref() == Some(ENDED) => {
                Self::TooSlow(DatabaseError(error))
            }
            other => other.into(),
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether the statement lost against a unique index.
    pub(crate) fn is_unique_violation(&self) -> bool {
        let Self::Statement(DatabaseError(sqlx::Error::Database(said))) = self else { return false };
        said.is_unique_violation()
    }

    pub(crate) fn unwritable(error: serde_json::Error) -> Self {
        Self::from(sqlx::Error::Encode(Box::new(error)))
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
        for passing in [
            "57P01", "57P02", "57P03", "08006", "53300", "40P01", "25006", "25P03", "58030", "53100", "5",
            "517", "13", "1032", "14", "778",
        ] {
            assert!(is_passing(Some(passing)), "{passing}");
        }
        for ours in ["23505", "42601", "42P01", "25P02", "1", "2067"] {
            assert!(!is_passing(Some(ours)), "{ours}");
        }
        assert!(!is_passing(None));
    }
}
