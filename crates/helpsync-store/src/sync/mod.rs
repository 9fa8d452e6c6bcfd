//! What a run writes: pages, ledger, removals, brands, attachments, the receipt.

pub(crate) mod attachments;
pub(crate) mod author_and_tag_names;
pub(crate) mod brands;
pub(crate) mod budget_waits;
pub(crate) mod digest;
pub(crate) mod filtered;
pub(crate) mod finalize;
pub(crate) mod incoming;
pub(crate) mod last_page;
pub(crate) mod ledger;
pub(crate) mod noted;
pub(crate) mod page_counts;
pub(crate) mod page_lock;
pub(crate) mod page_rows;
pub(crate) mod pages;
pub(crate) mod quota;
pub(crate) mod removal;
pub(crate) mod settle;
pub(crate) mod skipped;
pub(crate) mod tree;
pub(crate) mod unchanged;
pub(crate) mod unsynced;
pub(crate) mod verify;
