//! One function for each thing that is counted or measured. Values of labels come from fixed lists; only accounts and
//! routes are many, and both are bounded.

use std::sync::LazyLock;
use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

use crate::accounts::{Accounts, OTHER};
use crate::{names, totals};

/// Zendesk's word for asking too often.
const TOO_MANY_REQUESTS: u16 = 429;

static ACCOUNTS: LazyLock<Accounts> = LazyLock::new(Accounts::default);

/// Gives every metric its help text, and those that are alerted on their zero: what was never counted would be no 0
/// but nothing, and no rule sees nothing.
pub fn describe() {
    for metric in names::ALL {
        match metric.kind {
            names::Kind::Counter => ::metrics::describe_counter!(metric.name, metric.help),
            names::Kind::Gauge => ::metrics::describe_gauge!(metric.name, metric.help),
            names::Kind::Histogram(_) => ::metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    for name in [names::LISTED, names::NOT_STARTED, names::LEASES_LOST, names::DEAD_MADE, names::KEYS_MISSING]
    {
        counter!(name).increment(0);
    }
    for outcome in ["created", "updated", "unchanged", "drafts", "unselected", "skipped", "removed", "held"] {
        articles(outcome, 0);
    }
    for reason in ["expired", "lost"] {
        shards_reissued(reason, 0);
    }
    for outcome in ["delivered", "retried", "dead"] {
        counter!(names::WEBHOOKS, "outcome" => outcome).increment(0);
    }
}

/// A run has ended.
pub fn run_ended(kind: &'static str, trigger: &'static str, lane: &'static str, outcome: &'static str) {
    counter!(names::RUNS, "kind" => kind, "trigger" => trigger, "lane" => lane, "outcome" => outcome)
        .increment(1);
}

/// `number` articles came to this.
pub fn articles(outcome: &'static str, number: u64) {
    counter!(names::ARTICLES, "outcome" => outcome).increment(number);
    if matches!(outcome, "created" | "updated") {
        totals::ARTICLES.add(number);
    }
}

/// Articles were read.
pub fn articles_listed(number: u64) {
    counter!(names::LISTED).increment(number);
}

/// A change of Zendesk's is stored, so long after it was made.
pub fn change_stored(delay: Duration) {
    histogram!(names::CHANGE_DELAY).record(delay);
}

/// Work on a shard has ended.
pub fn shard_ended(kind: &'static str, lane: &'static str, outcome: &'static str, took: Duration) {
    histogram!(names::SHARD, "kind" => kind, "lane" => lane, "outcome" => outcome).record(took);
    totals::shard_ended(lane);
}

/// A message was taken by the queue, so long after it was written.
pub fn message_stored(lane: &'static str, age: Duration) {
    counter!(names::PUBLISHED, "lane" => lane, "outcome" => "stored").increment(1);
    histogram!(names::DISPATCH, "lane" => lane).record(age);
    totals::PUBLISHED.add(1);
}

/// A message was not taken by the queue, or nobody knows.
pub fn message_refused(lane: &'static str) {
    counter!(names::PUBLISHED, "lane" => lane, "outcome" => "refused").increment(1);
}

/// A shard was started, so long after its release.
pub fn shard_started(lane: &'static str, waited: Duration) {
    histogram!(names::PICKUP, "lane" => lane).record(waited);
}

/// The store refused a statement that starts a shard.
pub fn shard_not_started() {
    counter!(names::NOT_STARTED).increment(1);
}

/// The sweeper issued shards again.
pub fn shards_reissued(reason: &'static str, number: u64) {
    counter!(names::REISSUED, "reason" => reason).increment(number);
}

/// A lease ended under running work.
pub fn lease_lost() {
    counter!(names::LEASES_LOST).increment(1);
}

/// A message that nobody can read went to the dead letters.
pub fn message_dead() {
    counter!(names::DEAD_MADE).increment(1);
}

/// Zendesk answered, or did not (0).
pub fn request_sent(method: &'static str, template: String, status: u16, took: Duration) {
    histogram!(names::HTTP_CLIENT, "http_request_method" => method, "url_template" => template,
        "http_response_status_code" => status.to_string())
    .record(took);
    totals::REQUESTS.add(1);
    if status == TOO_MANY_REQUESTS {
        totals::THROTTLED.add(1);
    }
}

/// A permit of the account was used.
pub fn budget_used(account: &str) {
    let account = label(account);
    // A rate needs a beginning: the first refusal would otherwise be no growth.
    for name in [names::TOO_MANY, names::BUDGET_REFUSED] {
        counter!(name, "account" => account.clone()).increment(0);
    }
    counter!(names::BUDGET_USED, "account" => account).increment(1);
}

/// A call waited for a permit of the account, in vain if it was `refused`.
pub fn budget_waited(account: &str, waited: Duration, refused: bool) {
    let (account, ms) = (label(account), u64::try_from(waited.as_millis()).unwrap_or(u64::MAX));
    counter!(names::BUDGET_WAITED, "account" => account.clone()).increment(ms);
    if refused {
        counter!(names::BUDGET_REFUSED, "account" => account).increment(1);
    }
}

/// What the account's headers said. Of accounts that have no name of their own only the 429s are counted: a limit of
/// many means nothing.
pub fn budget_told(
    account: &str,
    family: &'static str,
    status: Option<u16>,
    limit: Option<u32>,
    left: Option<u32>,
) {
    if status == Some(429) {
        counter!(names::TOO_MANY, "account" => label(account)).increment(1);
    }
    let Some(account) = ACCOUNTS.label(account) else { return };
    if let Some(limit) = limit {
        gauge!(names::BUDGET_LIMIT, "account" => account.clone(), "family" => family).set(limit);
    }
    if let Some(left) = left {
        gauge!(names::BUDGET_LEFT, "account" => account, "family" => family).set(left);
    }
}

/// An event was delivered, so long after it happened.
pub fn webhook_delivered(age: Duration) {
    counter!(names::WEBHOOKS, "outcome" => "delivered").increment(1);
    histogram!(names::WEBHOOK_AGE).record(age);
}

/// A delivery failed: `retried` or `dead`.
pub fn webhook_failed(outcome: &'static str) {
    counter!(names::WEBHOOKS, "outcome" => outcome).increment(1);
}

/// A statement or transaction has ended.
pub fn database(system: &'static str, operation: &'static str, took: Duration) {
    histogram!(names::DATABASE, "db_system_name" => system, "db_operation_name" => operation).record(took);
}

/// What the pool holds.
pub fn pool(idle: u32, used: u32, most: u32) {
    gauge!(names::POOL, "db_client_connection_state" => "idle").set(idle);
    gauge!(names::POOL, "db_client_connection_state" => "used").set(used);
    gauge!(names::POOL_MAX).set(most);
}

/// A secret was sealed by a key that the ring lacks.
pub fn key_missing() {
    counter!(names::KEYS_MISSING).increment(1);
}

/// The API answered.
pub fn request_answered(method: &'static str, route: String, status: u16, took: Duration) {
    histogram!(names::HTTP_SERVER, "http_request_method" => method, "http_route" => route,
        "http_response_status_code" => status.to_string())
    .record(took);
}

/// Sets a gauge that has no label.
pub fn set(name: &'static str, value: f64) {
    gauge!(name).set(value);
}

/// Sets a gauge of one label.
pub fn set_of(name: &'static str, label: &'static str, of: &str, value: f64) {
    gauge!(name, label => of.to_owned()).set(value);
}

/// Sets a gauge of two labels.
pub fn set_of_both(name: &'static str, labels: [(&'static str, &str); 2], value: f64) {
    let [(first, one), (second, other)] = labels;
    gauge!(name, first => one.to_owned(), second => other.to_owned()).set(value);
}

fn label(account: &str) -> String {
    ACCOUNTS.label(account).unwrap_or_else(|| OTHER.to_owned())
}
