//! Texts of deleted customers leave the database's files, also where an error or the end of a process came between.

use std::time::Duration;

use helpsync_model::chain;
use tokio_util::sync::CancellationToken;

use crate::Parts;

/// Between two looks for deletions that are not made good. Each is made good by itself where nothing comes between.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);
/// Until the next try, where some is left.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// Makes deletions good, at the start and from then on, until `stop`.
pub(crate) async fn forget(parts: Parts, stop: CancellationToken) {
    loop {
        let forgotten = tokio::select! {
            () = stop.cancelled() => return,
            forgotten = parts.store.admin().forget_deleted() => forgotten,
        };
        let wait = match forgotten {
            Ok(true) => LOOK_EVERY,
            Ok(false) => AGAIN_AFTER,
            Err(error) => {
                tracing::warn!(
                    error = chain(&error),
                    "texts of deleted customers stay in the database for now"
                );
                AGAIN_AFTER
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
