//! Webhooks and their deliveries.

pub(crate) const NO_WEBHOOKS: &str = "No webhook is set up. The API adds one.";
pub(crate) const MADE: &str = "Made";
pub(crate) const DELIVERIES: &str = "Deliveries";
pub(crate) const NO_DELIVERIES: &str = "No delivery is like that.";
pub(crate) const REDELIVER: &str = "Send again";
pub(crate) const REDELIVER_DEAD: &str = "Send all dead ones again";
pub(crate) const EVENT: &str = "Event";
pub(crate) const OBJECT: &str = "Object";
pub(crate) const ANSWER: &str = "Answer";
