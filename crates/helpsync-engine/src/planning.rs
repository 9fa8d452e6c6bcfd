//! What planning decides without asking anybody: for the simulation of a day (`bench/src/day`).

pub use crate::find_removed::{audit_is_due, confirmations};
pub use crate::plan::whole_list;
pub use crate::probe::probes;
pub use crate::walk_export::{RANGES_MAX, split};
