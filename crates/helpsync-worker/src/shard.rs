//! Running one shard: with its lease renewed, its panics caught, and an end to it when the process stops.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use helpsync_model::{RENEWALS_PER_LEASE, SILENT_RENEWALS_MAX, chain};
use helpsync_store::{Onward, ShardEnd, StartedShard, StoreError};
use helpsync_telemetry::metrics as telemetry;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{Worker, WorkerOptions};

/// So long a shard may go on whose lease is not renewed: a renewal waits for the transaction that ends the shard, and then finds
/// no lease, before the worker has heard that it ended. What it writes meanwhile is fenced.
const LAST_WORD: Duration = Duration::from_secs(1);

impl Worker {
    /// Runs a shard, and those that follow it as long as this worker goes on with them.
    pub(crate) async fn run_shards(
        &self,
        first: StartedShard,
        stop: &CancellationToken,
        abandon: &CancellationToken,
    ) {
        let mut next = Some(first);
        while let Some(started) = next {
            let span = tracing::info_span!(
                "shard", shard = %started.fence.shard, run = %started.fence.run, kind = %started.shard.kind(),
                attempt = started.fence.attempt, customer = started.customer_name, workspace = started.subdomain,
                connection = %started.fence.connection,
            );
            next = self.run_shard(&started, stop, abandon).instrument(span).await;
        }
    }

    /// Answers with the shard that this worker goes on with.
    async fn run_shard(
        &self,
        started: &StartedShard,
        stop: &CancellationToken,
        abandon: &CancellationToken,
    ) -> Option<StartedShard> {
        let fence = started.fence;
        tracing::debug!("shard started");
        // A worker that stops begins nothing.
        let onward = || {
            let WorkerOptions { holder, lease, .. } = &self.options;
            (!stop.is_cancelled()).then(|| Onward { holder: holder.clone(), lease: *lease })
        };
        let run = AssertUnwindSafe(self.engine.run(started, &onward)).catch_unwind();
        let mut run = std::pin::pin!(run);
        let ended = tokio::select! {
            biased;
            ended = &mut run => ended,
            () = self.renew_until_lost(started) => match tokio::time::timeout(LAST_WORD, run).await {
                Ok(ended) => ended,
                Err(_elapsed) => {
                    telemetry::lease_lost();
                    tracing::warn!("lease lost, work stopped");
                    return None;
                }
            },
            () = abandon.cancelled() => Ok(self.engine.hand_back(started).await.map(|()| None)),
        };
        match ended {
            Ok(Ok(next)) => return next,
            Ok(Err(StoreError::Fenced)) => {
                tracing::info!("work was taken over or cancelled");
            }
            Ok(Err(error)) => {
                tracing::warn!(error = chain(&error), "the end of a shard could not be recorded");
            }
            Err(panic) => {
                let what = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                tracing::error!(what, "a handler panicked");
                let end = ShardEnd::Failed(format!("our bug: {what}"));
                if let Err(error) = self.store.end_shard(&fence, &end).await {
                    tracing::warn!(error = chain(&error), "the end of a shard could not be recorded");
                }
            }
        }
        None
    }

    /// Renews the lease every third of its length; returns when it is lost.
    async fn renew_until_lost(&self, started: &StartedShard) {
        let lease = self.options.lease;
        let pause = lease / RENEWALS_PER_LEASE;
        let mut missed = 0;
        loop {
            tokio::time::sleep(pause).await;
            // A call that hangs is a silence too: the network may have gone without a word.
            let renewed = self.store.renew_shard(&started.fence, lease);
            match tokio::time::timeout(pause, renewed).await {
                Ok(Ok(true)) => missed = 0,
                Ok(Ok(false)) => return,
                // The lease may be over: writes are fenced, but work would be wasted.
                Ok(Err(_)) | Err(_) if missed >= SILENT_RENEWALS_MAX => return,
                Ok(Err(_)) | Err(_) => missed += 1,
            }
        }
    }
}
