//! A customer's workspace: grant, tokens, selection filter, event subscription.

pub(crate) mod connections;
pub(crate) mod event_subscriptions;
pub(crate) mod grants;
pub(crate) mod pending_grants;
pub(crate) mod selection_filter;
pub(crate) mod status;
pub(crate) mod tokens;
