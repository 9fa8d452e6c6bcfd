//! Events, and the webhooks that they are delivered to.

pub(crate) mod deliveries;
pub(crate) mod delivery_list;
pub(crate) mod events;
pub(crate) mod webhooks;
