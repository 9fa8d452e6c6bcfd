//! The audit log is kept for a set time.

use std::time::Duration;

use helpsync_model::chain;
use tokio_util::sync::CancellationToken;

use crate::Parts;

/// Between two looks for entries that are old enough.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Between two steps of removing many.
const STEP_EVERY: Duration = Duration::from_millis(50);

/// Removes entries that are older than the settings say, step by step, every so often until `stop`.
pub(crate) async fn shorten(parts: Parts, look_every: Duration, stop: CancellationToken) {
    let kept = i64::try_from(parts.settings().api.audit_log.as_millis()).unwrap_or(i64::MAX);
    loop {
        let before = parts.runtime.clock.now_ms().saturating_sub(kept);
        let wait = match parts.store.admin().shorten_audit_log(before).await {
            Ok(0) => look_every,
            Ok(_) => STEP_EVERY,
            Err(error) => {
                tracing::warn!(error = chain(&error), "the audit log was not shortened");
                look_every
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use helpsync_model::{Clock, ManualClock, SystemClock};
    use helpsync_store::AuditQuery;

    use super::*;
    use crate::testing;

    const DAY: Duration = Duration::from_hours(24);
    /// What an entry that does not go would be waited for.
    const LATE: Duration = Duration::from_mins(1);

    /// The ids of what is there.
    async fn ids(parts: &Parts) -> Vec<i64> {
        let query = AuditQuery { limit: 100, ..AuditQuery::default() };
        let entries = parts.store.admin().audit_log(parts.organization, &query).await.unwrap();
        entries.iter().map(|entry| entry.id).collect()
    }

    async fn until_left(parts: &Parts, left: &[i64]) {
        let gone = async {
            while ids(parts).await != left {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LATE, gone).await.expect("old entries go at a later look");
    }

    #[tokio::test]
    async fn an_entry_goes_at_the_first_look_at_which_it_is_as_old_as_the_setting_says() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let kept = ("HELPSYNC_API__AUDIT_LOG_DAYS", "3");
        let parts = testing::parts(folder.path(), Arc::clone(&clock) as Arc<dyn Clock>, kept).await;
        let first = ids(&parts).await;
        assert!(!first.is_empty(), "the bootstrap key was set");
        let stop = CancellationToken::new();
        let task = tokio::spawn(shorten(parts.clone(), Duration::from_millis(5), stop.clone()));
        clock.advance(DAY);
        let another = "another-key-of-enough-length".to_owned().into();
        parts.store.admin().set_bootstrap_key(parts.organization, &another).await.unwrap();
        let mut second = ids(&parts).await;
        second.retain(|id| !first.contains(id));
        assert!(!second.is_empty(), "it was set anew");
        // Two days and a bit later the first are three days old, and the second two.
        clock.advance(2 * DAY + Duration::from_secs(1));
        until_left(&parts, &second).await;
        clock.advance(DAY);
        until_left(&parts, &[]).await;
        stop.cancel();
        task.await.unwrap();
    }
}
