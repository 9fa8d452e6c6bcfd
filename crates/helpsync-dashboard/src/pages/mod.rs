//! One file a page.

pub(crate) mod audit;
mod budget;
pub(crate) mod customer;
pub(crate) mod customers;
pub(crate) mod dead_letters;
pub(crate) mod deliveries;
pub(crate) mod files;
pub(crate) mod overview;
pub(crate) mod runs;
pub(crate) mod settings;
pub(crate) mod verify;
pub(crate) mod webhooks;
