//! The distributed shape under faults: real processes, servers of the suite's own, proxies in between.
//!
//! `docs/chaos.md` has the invariants, the figures, and the command of the long run.

mod drain;
mod faults;
mod fleet;
mod invariants;
mod readiness;
mod services;
mod sleeper;
mod suite;
mod traffic;
