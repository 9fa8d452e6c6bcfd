//! Running one shard: with its lease renewed, its panics caught, and an end to it when the process stops.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use helpsync_model::{RENEWALS_PER_LEASE, SILENT_RENEWALS_MAX, chain};
use helpsync_store::{ShardEnd, StartedShard, StoreError};
use helpsync_telemetry::metrics as telemetry;
use tokio_util::sync::CancellationToken;

use crate::Worker;

impl Worker {
    pub(crate) async fn run_shard(&self, started: &StartedShard, abandon: &CancellationToken) {
        let fence = started.fence;
        tracing::debug!("shard started");
        let run = AssertUnwindSafe(self.engine.run(started)).catch_unwind();
        let ended = tokio::select! {
            ended = run => ended,
            () = self.renew_until_lost(started) => {
                telemetry::lease_lost();
                tracing::warn!("lease lost, work stopped");
                return;
            }
            () = abandon.cancelled() => Ok(self.engine.hand_back(started).await),
        };
        match ended {
            Ok(Ok(())) => {}
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
