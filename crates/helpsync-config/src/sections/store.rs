//! `[store]`

use std::time::Duration;

use super::unencrypted;
use crate::{ConnectionUrl, Problem, declare::section};

section! {
    /// What must last: a SQLite file for one process, or Postgres for many.
    pub struct StoreSettings "store";

    /// `sqlite:` and a path, or `postgres://user:password@host/database`. Parameters behind a `?` that Postgres's driver does
    /// not know are refused: it would log them. On this machine Postgres is asked without TLS unless `sslmode` says otherwise: name `sslmode=require` where it takes nothing else.
    "HELPSYNC_STORE__URL" url: ConnectionUrl = "sqlite:helpsync.db";
    /// Whether the database may be on another machine without TLS (of Postgres, `sslmode=require` and the stricter ones do): for private networks that nobody else listens in.
    "HELPSYNC_STORE__ALLOW_UNENCRYPTED" allow_unencrypted: bool = "false";
    /// Connections that one process may hold open.
    "HELPSYNC_STORE__CONNECTIONS_MAX" connections_max: u32 = "10", 1..=500;
    /// How long a caller waits for a free connection.
    "HELPSYNC_STORE__ACQUIRE_TIMEOUT_SECONDS" acquire_timeout: Duration = "10", 1..=300;
}

impl StoreSettings {
    /// Whether the store is Postgres (else it is SQLite).
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        matches!(self.url.scheme(), "postgres" | "postgresql")
    }

    fn problems(&self) -> Vec<Problem> {
        if !self.is_postgres() && self.url.scheme() != "sqlite" {
            return vec![Problem::value(
                "HELPSYNC_STORE__URL",
                format!("the scheme {:?} is neither sqlite nor postgres", self.url.scheme()),
                "sqlite:helpsync.db or postgres://user:password@host/database",
            )];
        }
        let mut problems = Vec::new();
        if !self.allow_unencrypted && self.url.is_readable_on_the_way() {
            problems.push(unencrypted(
                "HELPSYNC_STORE__URL",
                "?sslmode=verify-full",
                "HELPSYNC_STORE__ALLOW_UNENCRYPTED",
            ));
        }
        if let Some(unknown) = self.url.unknown_parameter().filter(|_| self.is_postgres()) {
            problems.push(Problem::value(
                "HELPSYNC_STORE__URL",
                format!("it has a parameter {unknown}, which the driver does not know"),
                "the same without it; what a value holds of & or ? must be percent-encoded",
            ));
        }
        problems
    }
}
