//! What outside programs read and change: files, tags, items, synced items.

pub(crate) mod file_changes;
pub(crate) mod files;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod names;
pub(crate) mod synced_items;
pub(crate) mod tags;
