//! What a process tells of itself. `metrics` has every metric by name, with one function for each that counts;
//! `trace` carries a trace from one process to the next. Where it all goes is decided by whoever starts the process.
//!
//! Both are global, as logs are: a metric belongs to the process, and what is counted must not depend on who counts.

mod accounts;
pub mod metrics;
pub mod names;
mod totals;
pub mod trace;

pub use accounts::ACCOUNTS_MAX;
pub use totals::{TOTALS, Total};
pub use trace::TRACEPARENT;
