//! Waiting for a permit, but never for long.

use std::time::Duration;

use thiserror::Error;

use crate::{Coordinator, CoordinatorError, Decision, PermitId, PermitRequest, WaitReason, Waited};

/// A worker waits this long for a permit with a job in hand. For more, the job's due time goes to the store and the
/// worker takes another account's job, so that a limited tenant holds no worker.
pub const DEFAULT_PATIENCE: Duration = Duration::from_millis(250);

/// Asks per call, however short the waits are: enough for 25 s of looking for a place among the requests in flight.
const MAX_ASKS: u32 = 256;

/// Added to each wait for which there is no place in line, less than this: not all ask in the same instant.
const SPREAD_MS: u64 = 20;

/// Why no request may be sent now.
#[derive(Debug, Error)]
pub enum NoPermit {
    /// Come back later.
    #[error("no request budget for {delay:?} ({reason})")]
    Throttled {
        /// How long.
        delay: Duration,
        /// What is short.
        reason: WaitReason,
    },
    /// There was no decision.
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
}

/// Asks until a permit comes, sleeping out waits as long as they sum up to at most `patience` (which takes the place of the
/// ask's own). `waited` hears of the sleeping.
///
/// # Errors
/// [`NoPermit::Throttled`] with the wait that was too long; [`NoPermit::Coordinator`] when there was no decision.
pub async fn wait_for_permit(
    coordinator: &dyn Coordinator,
    account: &str,
    ask: &PermitRequest,
    patience: Duration,
    waited: &Waited,
) -> Result<PermitId, NoPermit> {
    let mut left = patience;
    let mut asks = 0;
    loop {
        asks += 1;
        let ask = PermitRequest { patience: left, ..ask.clone() };
        match coordinator.acquire(account, &ask).await? {
            Decision::Granted(permit) => return Ok(permit),
            Decision::Throttled { delay, reason } => {
                if delay > left || asks >= MAX_ASKS {
                    return Err(NoPermit::Throttled { delay, reason });
                }
                let pause = match reason {
                    // A time of our own: later than it would only waste it.
                    WaitReason::Pace | WaitReason::Blocked => delay,
                    WaitReason::Window | WaitReason::InFlight => delay + spread(&ask.request_id, asks),
                };
                left = left.saturating_sub(pause);
                let _waiting = waited.start(reason);
                tokio::time::sleep(pause).await;
            }
        }
    }
}

/// A delay that differs between requests and asks: FNV-1a over both, so that no generator is needed.
fn spread(request_id: &str, asks: u32) -> Duration {
    let hash = request_id.bytes().chain(asks.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Duration::from_millis(hash % SPREAD_MS)
}

#[cfg(test)]
mod tests;
