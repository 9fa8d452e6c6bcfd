//! `[coordinator]`

use std::time::Duration;

use super::{queue::is_name, unencrypted};
use crate::{ConnectionUrl, Problem, declare::section};

section! {
    /// Where budgets, leases and cursors are shared between processes.
    pub struct CoordinatorSettings "coordinator";

    /// `redis://` or `rediss://` URL. When it is not set, budgets are kept in the process.
    "HELPSYNC_COORDINATOR__URL" url: Option<ConnectionUrl>;
    /// Whether the server may be on another machine without TLS (`rediss://` does): for private networks that nobody else listens in.
    "HELPSYNC_COORDINATOR__ALLOW_UNENCRYPTED" allow_unencrypted: bool = "false";
    /// Put before every key, so that installations can share a server.
    "HELPSYNC_COORDINATOR__KEY_PREFIX" key_prefix: String = "helpsync";
    /// How long one call may take before the worker falls back to its slow local budget.
    "HELPSYNC_COORDINATOR__CALL_TIMEOUT_MS" call_timeout: Duration = "200", 10..=10_000;
}

impl CoordinatorSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.allow_unencrypted && self.url.as_ref().is_some_and(ConnectionUrl::is_readable_on_the_way) {
            problems.push(unencrypted(
                "HELPSYNC_COORDINATOR__URL",
                "rediss://",
                "HELPSYNC_COORDINATOR__ALLOW_UNENCRYPTED",
            ));
        }
        if let Some(url) = &self.url
            && !matches!(url.scheme(), "redis" | "rediss")
        {
            problems.push(Problem::value(
                "HELPSYNC_COORDINATOR__URL",
                format!("the scheme {:?} is neither redis nor rediss", url.scheme()),
                "redis://host:6379",
            ));
        }
        if !is_name(&self.key_prefix) {
            problems.push(Problem::value(
                "HELPSYNC_COORDINATOR__KEY_PREFIX",
                "it must be 1 to 64 letters, digits, dots, - or _",
                "for example helpsync",
            ));
        }
        problems
    }
}
