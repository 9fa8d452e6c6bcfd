//! Webhooks and their deliveries.

use crate::show::number;

pub(crate) const NO_WEBHOOKS: &str = "No webhook is set up. The API adds one.";
pub(crate) const MADE: &str = "Made";
pub(crate) const DELIVERIES: &str = "Deliveries";
pub(crate) const NO_DELIVERIES: &str = "No delivery is like that.";
pub(crate) const REDELIVER: &str = "Send again";
pub(crate) const REDELIVER_DEAD: &str = "Send all dead ones again";

/// So many are sent again; `more`: that was the most at once, and more are dead.
pub(super) fn redelivered(count: u64, more: bool) -> String {
    let what = match count {
        1 => "1 delivery is sent again.".to_owned(),
        count => format!("{} deliveries are sent again.", number(i64::try_from(count).unwrap_or(i64::MAX))),
    };
    if more { format!("{what} More are dead: send these again too.") } else { what }
}

pub(crate) const WEBHOOK: &str = "Webhook";
pub(crate) const SENT_TO_WEBHOOKS: &str = "Sent to webhooks";
pub(crate) const ALL_DELIVERIES: &str = "All that was sent";
pub(crate) const NOTHING_SENT: &str =
    "Nothing of this customer was sent to a webhook, or it was too long ago.";
pub(crate) const NOTHING_SENT_YET_LOOKED_AT: &str =
    "Nothing of the events that were looked at was sent. The next page looks at older ones.";
pub(crate) const EVENT: &str = "Event";
pub(crate) const OBJECT: &str = "Object";
pub(crate) const ANSWER: &str = "Answer";

/// What an event is about.
pub(crate) fn object(kind: &str) -> &str {
    match kind {
        "FILE" => "file",
        "FILE_LIST" => "files",
        "DATA_SOURCE" => "data source",
        "ORGANIZATION_USER" => "customer",
        "UPLOAD_REQUEST_ID" => "request",
        other => other,
    }
}

/// What an event of several files is about.
pub(crate) fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
