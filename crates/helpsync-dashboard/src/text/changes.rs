//! The audit log.

pub(crate) const AUDIT_LOG: &str = "Audit log";
pub(crate) const AUDIT_LOG_LONG: &str =
    "Who changed what, the latest first: by the API, by a page, and by commands.";
pub(crate) const CHANGES_OF_CUSTOMER: &str = "What was changed of this customer";
pub(crate) const NO_CHANGES: &str = "No change is like that.";
pub(crate) const ACTOR: &str = "By whom";
pub(crate) const CHANGE: &str = "Change";
pub(crate) const ASKED_FOR: &str = "Asked for";
