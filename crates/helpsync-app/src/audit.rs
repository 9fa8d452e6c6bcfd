//! The audit log is kept for a set time.

use std::time::Duration;

use helpsync_model::chain;
use tokio_util::sync::CancellationToken;

use crate::Parts;

/// Between two looks for entries that are old enough.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Between two steps of removing many.
const STEP_EVERY: Duration = Duration::from_millis(50);

/// Removes entries that are older than the settings say, step by step, until `stop`.
pub(crate) async fn shorten(parts: Parts, stop: CancellationToken) {
    let kept = i64::try_from(parts.settings().api.audit_log.as_millis()).unwrap_or(i64::MAX);
    loop {
        let before = parts.runtime.clock.now_ms().saturating_sub(kept);
        let wait = match parts.store.admin().shorten_audit_log(before).await {
            Ok(0) => LOOK_EVERY,
            Ok(_) => STEP_EVERY,
            Err(error) => {
                tracing::warn!(error = chain(&error), "the audit log was not shortened");
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
