//! `[worker]`

use std::{net::SocketAddr, time::Duration};

use crate::{Problem, declare::section};

section! {
    /// The processes that fetch pages.
    pub struct WorkerSettings "worker";

    /// Jobs that one worker process runs at once, of any lane; a quarter as many of the on-demand lane beside them.
    "HELPSYNC_WORKER__CONCURRENCY" concurrency: usize = "8", 1..=256;
    /// How long a worker owns a shard without renewing; then another may take it.
    "HELPSYNC_WORKER__SHARD_LEASE_SECONDS" shard_lease: Duration = "60", 5..=3_600;
    /// Failures of one shard after which its job ends in the dead-letter list.
    "HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX" shard_attempts_max: u32 = "8", 1..=100;
    /// How long a stopping process lets its jobs reach a safe point.
    "HELPSYNC_WORKER__DRAIN_SECONDS" drain: Duration = "25", 0..=600;
    /// Where `helpsync-worker` answers health checks.
    "HELPSYNC_WORKER__HEALTH_LISTEN" health_listen: SocketAddr = "127.0.0.1:8081";
}

impl WorkerSettings {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
