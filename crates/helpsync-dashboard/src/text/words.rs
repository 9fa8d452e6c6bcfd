//! Words that several pages share.

use crate::show::number;

pub(crate) const PRODUCT: &str = "Helpsync";
pub(crate) const NONE: &str = "–";
pub(crate) const NEVER: &str = "never";
pub(crate) const ANY: &str = "any";
pub(crate) const ALL: &str = "all";
pub(crate) const ON: &str = "on";
pub(crate) const OFF: &str = "off";
pub(crate) const SHOW: &str = "Show";
pub(crate) const SAVE: &str = "Save";
pub(crate) const BACK: &str = "Back";
pub(crate) const TO_START: &str = "To the start";
pub(crate) const NEXT_PAGE: &str = "Next page";
pub(crate) const CUSTOMERS: &str = "Customers";
pub(crate) const DEAD_LETTERS: &str = "Dead letters";
pub(crate) const WEBHOOKS: &str = "Webhooks";
pub(crate) const ORGANIZATION: &str = "Organization";
pub(crate) const KEY: &str = "Key";
pub(crate) const HELD: &str = "Held removals";
pub(crate) const LANE: &str = "Lane";
pub(crate) const WAITING: &str = "Waiting";
pub(crate) const CUSTOMER: &str = "Customer";
pub(crate) const WORKSPACE: &str = "Workspace";
pub(crate) const STATE: &str = "State";
pub(crate) const FILES: &str = "Files";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const SORT: &str = "Order";
pub(crate) const RUN: &str = "Run";
pub(crate) const RUNS: &str = "Runs";
pub(crate) const PROGRESS: &str = "Progress";
pub(crate) const HELD_SINCE: &str = "Held since";
pub(crate) const TITLE: &str = "Title";
pub(crate) const ARTICLE: &str = "Article";
pub(crate) const CHANGED: &str = "Changed here";
pub(crate) const LOCALE: &str = "Locale";
pub(crate) const ADDRESS: &str = "Address";
pub(crate) const ERROR: &str = "Error";
pub(crate) const REASON: &str = "Reason";
pub(crate) const WHEN: &str = "When";
pub(crate) const CAUSE: &str = "Cause";
pub(crate) const COUNT: &str = "Count";
pub(crate) const LAST: &str = "Last";
pub(crate) const ACTIONS: &str = "Actions";
pub(crate) const HISTORY: &str = "History";
pub(crate) const TRIES: &str = "Tries";
/// More than nothing, and less than one.
pub(crate) const UNDER_ONE: &str = "under 1";

/// The word of a state, a kind or a cause, as people say it.
pub(crate) fn state(name: &str) -> String {
    let known = match name {
        "QUEUED_FOR_SYNCING" | "QUEUED_FOR_SYNC" | "queued" => "queued",
        "SYNCING" | "syncing" => "syncing",
        "READY" | "ready" => "up to date",
        "SYNC_ERROR" => "failed",
        "READY_TO_SYNC" => "text not kept",
        "reconnect" => "to reconnect",
        "held" => "removals held",
        "ACTIVE" => "active",
        "FLAGGED" => "failing",
        "webhook" => "Zendesk's event",
        "connect" => "connecting",
        "request" => "a request",
        "schedule" => "the schedule",
        "upstream" => "another service",
        "api_key" => "API key",
        _ => return name.replace('_', " "),
    };
    known.to_owned()
}

/// A text of the API as a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

pub(crate) fn ago(duration: &str) -> String {
    format!("{duration} ago")
}

pub(crate) fn ahead(duration: &str) -> String {
    format!("in {duration}")
}

pub(crate) fn of_all(done: &str, all: &str) -> String {
    format!("{done} of {all}")
}

pub(crate) fn at_most(most: &str) -> String {
    format!("at most {most}")
}

pub(crate) fn of_customer(customer: &str) -> String {
    format!("Of {customer} only.")
}

pub(crate) fn tries(count: i64) -> String {
    if count == 1 { "1 try".to_owned() } else { format!("{} tries", number(count)) }
}
