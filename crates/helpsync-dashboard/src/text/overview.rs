//! The overview.

use crate::show::number;

pub(crate) const OVERVIEW: &str = "Overview";
pub(crate) const CONNECTED: &str = "Connected";
pub(crate) const TO_RECONNECT: &str = "To reconnect";
pub(crate) const SYNCING: &str = "Syncing";
pub(crate) const WEBHOOKS_FAILING: &str = "Webhooks failing";
pub(crate) const FRESHNESS: &str = "How fresh copies are";
pub(crate) const FRESHNESS_CHART: &str = "Copies by the time since they were complete";
pub(crate) const OLDEST: &str = "Oldest copies";
pub(crate) const NO_COPIES: &str = "No workspace is connected yet.";
pub(crate) const TO_LOOK_AT: &str = "For you to look at";
pub(crate) const NOTHING_TO_LOOK_AT: &str = "Nothing waits for a person.";
pub(crate) const UNDER_WAY: &str = "Under way";
pub(crate) const NO_RUNS: &str = "No sync is under way.";
pub(crate) const LAST_DAY: &str = "The last day";
pub(crate) const NO_HISTORY: &str = "Nothing is noted yet: the first numbers come within five minutes.";
pub(crate) const LANES: &str = "Lanes";
pub(crate) const ENDED_A_MINUTE: &str = "Ended a minute, last hour";
pub(crate) const OUT: &str = "Handed out";
pub(crate) const PROCESSES: &str = "Processes";
pub(crate) const PROCESS: &str = "Process";
pub(crate) const SEEN: &str = "Seen";
pub(crate) const WORK: &str = "Work";
/// Numbers of the last day: name, label, whether they are counted (shown a minute) or seen.
pub(crate) const SERIES: [(&str, &str, bool); 10] = [
    ("requests", "Requests to Zendesk a minute", true),
    ("throttled", "429 a minute", true),
    ("articles", "Articles stored a minute", true),
    ("shards_ended", "Shards ended a minute", true),
    ("published", "Messages published a minute", true),
    ("pending", "Shards waiting", false),
    ("outbox", "Messages in the outbox", false),
    ("dead_letters", "Dead letters", false),
    ("held", "Held removals", false),
    ("stale", "Copies older than 25 hours", false),
];

/// `None`: older than every bound.
pub(crate) fn age_up_to(duration: Option<String>) -> String {
    duration.map_or_else(|| "older, or never".to_owned(), |duration| format!("up to {duration}"))
}

pub(crate) fn dead_of(count: usize, customers: usize) -> String {
    format!("{count} of {customers} {}", if customers == 1 { "customer" } else { "customers" })
}

/// So many files of a customer whose removal is held.
pub(crate) fn held_of(count: i64, customer: &str) -> String {
    format!("{} of {customer}", number(count))
}

pub(crate) fn works_on(shards: usize, of: i64) -> String {
    format!("{shards} of {of}")
}

pub(crate) fn spark(label: &str, now: &str, most: &str) -> String {
    format!("{label} over the last day: now {now}, at most {most}")
}
