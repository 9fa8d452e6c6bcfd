//! The coordinator port: what workers must agree on while they run, and may forget at any time.
//!
//! * **Budgets**: no request leaves for an account without a permit from the account's shared budget
//!   ([`Coordinator::acquire`], or [`wait_for_permit`]), and every answer is [reported](Coordinator::report).
//! * **Leases**: who works on something at present, to avoid useless work. They give no safety: that is the
//!   store's fencing epoch.
//! * **Cursors**: small values that save a restarted walk some requests.
//!
//! Everything here is a hint with an end: losing it all costs repeated work and time, and budgets restart at
//! the ceiling the caller gives. The budget's rules are a pure state machine ([`Budget`]); the Redis backend runs the
//! same steps as a script and is tested against it with equal inputs.
//!
//! Backends: [`InProcessCoordinator`] here, Redis in `helpsync-coordinator-redis`. Both pass the suite in the
//! `conformance` module (feature `conformance`).

mod budget;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod in_process;
mod permit;
mod port;
mod waited;

pub use budget::{Budget, DEFAULT_BLOCK, DEFAULT_WINDOW, IN_FLIGHT_POLL_US, Step, Terms};
pub use in_process::InProcessCoordinator;
pub use permit::{DEFAULT_PATIENCE, NoPermit, wait_for_permit};
pub use port::{
    BudgetView, Coordinator, CoordinatorError, Decision, LeaseOutcome, PermitId, PermitRequest, Report,
    WaitReason, Waits,
};
pub use waited::{WaitTimes, Waited};
