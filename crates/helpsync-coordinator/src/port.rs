//! The port.

use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::Timestamp;
use serde::Serialize;
use thiserror::Error;

/// Budgets, leases and cursors, shared by all workers. Remote backends answer every call within their own deadline.
#[async_trait]
pub trait Coordinator: Send + Sync + std::fmt::Debug {
    /// Asks for one request to `account` now. Asking again with the same `request_id` while its permit is out
    /// returns that permit and costs nothing, so an unanswered call may be repeated.
    ///
    /// # Errors
    /// [`CoordinatorError`]: no permit, so no request may be sent.
    async fn acquire(&self, account: &str, ask: &PermitRequest) -> Result<Decision, CoordinatorError>;

    /// Says how the granted request ended; to be called after every permit, with what the answer's headers said.
    /// Repeating it is harmless.
    ///
    /// # Errors
    /// [`CoordinatorError`]: the permit then ends by its time to live.
    async fn report(&self, account: &str, permit: &PermitId, report: &Report)
    -> Result<(), CoordinatorError>;

    /// Whether it takes what it is told, for readiness and for people. One in the same process always does.
    ///
    /// # Errors
    /// [`CoordinatorError`]: why not.
    async fn ping(&self) -> Result<(), CoordinatorError> {
        Ok(())
    }

    /// The account's budget, for status pages.
    ///
    /// # Errors
    /// [`CoordinatorError`] when it cannot be asked.
    async fn budget(&self, account: &str) -> Result<BudgetView, CoordinatorError>;

    /// Takes the lease `name` for `holder` (unique to one attempt of one process), or prolongs it if `holder` has it.
    ///
    /// # Errors
    /// [`CoordinatorError`]: not known to be held.
    async fn lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<LeaseOutcome, CoordinatorError>;

    /// Prolongs a lease that `holder` has. `false`: it is lost, and the work under it should stop.
    ///
    /// # Errors
    /// [`CoordinatorError`]: not known to be prolonged.
    async fn renew(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, CoordinatorError>;

    /// Gives back a lease that `holder` has. `false`: it had ended already.
    ///
    /// # Errors
    /// [`CoordinatorError`]: it then ends by its time to live.
    async fn release(&self, name: &str, holder: &str) -> Result<bool, CoordinatorError>;

    /// Keeps `value` under `name` for `ttl`; the last one wins.
    ///
    /// # Errors
    /// [`CoordinatorError`]: not known to be kept.
    async fn put_cursor(&self, name: &str, value: &str, ttl: Duration) -> Result<(), CoordinatorError>;

    /// The value kept under `name`, if it has not ended.
    ///
    /// # Errors
    /// [`CoordinatorError`] when it cannot be asked.
    async fn cursor(&self, name: &str) -> Result<Option<String>, CoordinatorError>;
}

/// A request to send one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitRequest {
    /// Unique to the request, stable over repeated asking for it.
    pub request_id: String,
    /// Requests a minute while the account's own limit is not known. Later the limit in the headers holds.
    pub ceiling_per_minute: u32,
    /// Requests in flight for the account, over all workers.
    pub concurrency_max: u32,
    /// Percent (0 to 90) of the limit left to the customer's other integrations.
    pub reserve_percent: u8,
    /// After this long without a report the request counts as ended. Longer than the request's own timeout.
    pub permit_ttl: Duration,
    /// A wait of at most this long will be waited out, so the request gets a place in line: asking again with the same
    /// `request_id` when the wait is over finds it kept. Zero: nothing is kept.
    pub patience: Duration,
}

/// The answer to an [`PermitRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Send one request now, then report.
    Granted(PermitId),
    /// Not now.
    Throttled {
        /// Asking earlier is in vain. Within [`PermitRequest::patience`], asking much later than this loses the place in line.
        delay: Duration,
        /// What is short.
        reason: WaitReason,
    },
}

/// A permit: the request's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PermitId(pub String);

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// The even pace of requests.
    Pace,
    /// The account's window has nothing left but the reserve.
    Window,
    /// As many requests as allowed are in flight.
    InFlight,
    /// The account asked for a pause (429, `Retry-After`).
    Blocked,
}

impl WaitReason {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pace => "pace",
            Self::Window => "window",
            Self::InFlight => "in_flight",
            Self::Blocked => "blocked",
        }
    }
}

impl std::fmt::Display for WaitReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a granted request ended. All from the answer's headers, `None` where it had no such header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// Requests a minute the account may have.
    pub limit: Option<u32>,
    /// Requests left in the present window.
    pub remaining: Option<u32>,
    /// Time to the next window.
    pub reset_after: Option<Duration>,
    /// `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// An account's budget as seen from outside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct BudgetView {
    /// The limit the account's headers gave, requests a minute; `None` until then.
    pub limit: Option<u32>,
    /// What the headers left of the present window; `None` between windows.
    pub remaining: Option<u32>,
    /// When the present window ends.
    pub window_ends_at: Option<Timestamp>,
    /// Requests out at present.
    pub in_flight: u32,
    /// Nobody sends before this.
    pub blocked_until: Option<Timestamp>,
    /// Grants given since the budget was made.
    pub granted: u64,
    /// Waits imposed since the budget was made.
    pub waits: Waits,
}

/// Waits imposed, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waits {
    /// See [`WaitReason::Pace`].
    pub pace: u64,
    /// See [`WaitReason::Window`].
    pub window: u64,
    /// See [`WaitReason::InFlight`].
    pub in_flight: u64,
    /// See [`WaitReason::Blocked`].
    pub blocked: u64,
}

/// The answer to [`Coordinator::lease`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// It is the caller's, for the time to live asked for.
    Held,
    /// Somebody else has it.
    Taken {
        /// The holder.
        by: String,
        /// When it ends if it is not prolonged.
        until: Timestamp,
    },
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CoordinatorError {
    /// It cannot be reached, or failed.
    #[error("the coordinator is not available: {0}")]
    Unavailable(String),
    /// No answer within the deadline: whether it happened is not known.
    #[error("no answer from the coordinator within {0:?}")]
    Timeout(Duration),
}
