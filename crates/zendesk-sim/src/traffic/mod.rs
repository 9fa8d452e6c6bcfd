//! What happens to requests on their way in and out: budgets, faults, and the record of all that was seen.

mod fault;
mod limit;
pub(crate) mod member;
mod record;

pub(crate) use fault::Faults;
pub use fault::{Fault, FaultBody, FaultRule};
pub(crate) use limit::{Budget, Spent, Windows};
pub(crate) use record::Record;
pub use record::SeenRequest;
