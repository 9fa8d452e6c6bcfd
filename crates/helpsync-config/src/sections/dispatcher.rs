//! `[dispatcher]`

use std::{net::SocketAddr, time::Duration};

use crate::{Problem, declare::section};

section! {
    /// The process that turns triggers into jobs.
    pub struct DispatcherSettings "dispatcher";

    /// Time between looks at what is due in the store.
    "HELPSYNC_DISPATCHER__TICK_SECONDS" tick: Duration = "15", 1..=300;
    /// Shards of one connection and lane that may be queued or running at once, so that one huge tenant fills no queue.
    "HELPSYNC_DISPATCHER__RELEASE_WINDOW" release_window: usize = "16", 1..=10_000;
    /// Released work without progress for so long is issued again.
    "HELPSYNC_DISPATCHER__SWEEP_AFTER_SECONDS" sweep_after: Duration = "120", 10..=86_400;
    /// Outbox rows published per round.
    "HELPSYNC_DISPATCHER__OUTBOX_BATCH" outbox_batch: usize = "200", 1..=10_000;
    /// How long runs are kept once they have ended, with their shards and receipts. The latest of each kind stays for every
    /// connection, and so do runs of which a dead letter waits for a person.
    "HELPSYNC_DISPATCHER__KEEP_RUNS_HOURS" keep_runs: Duration = "720", 1..=87_600;
    /// Where `helpsync-dispatcher` answers health checks.
    "HELPSYNC_DISPATCHER__HEALTH_LISTEN" health_listen: SocketAddr = "127.0.0.1:8082";
}

impl DispatcherSettings {
    fn problems(&self) -> Vec<Problem> {
        if self.sweep_after > self.tick {
            return Vec::new();
        }
        vec![Problem::value(
            "HELPSYNC_DISPATCHER__SWEEP_AFTER_SECONDS",
            "it is not longer than one tick, so work would be issued again before it could start",
            "more than dispatcher.tick_seconds",
        )]
    }
}
