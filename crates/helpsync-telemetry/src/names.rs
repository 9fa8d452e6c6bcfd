//! Every metric: its name, kind and meaning. `docs/metrics.md` is the same list for people; a test compares them.

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, from the start of the process.
    Counter,
    /// A value of this moment.
    Gauge,
    /// Durations or ages in seconds, counted by size.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// As in a scrape.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

/// For what takes milliseconds to seconds.
const CALLS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// For what takes seconds to days.
const AGES: &[f64] =
    &[0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0, 86_400.0, 259_200.0];

/// Upper bounds of the ages that copies are counted by, in seconds: a quarter of an hour to a month.
pub const COPY_AGES: [i64; 8] = [900, 3_600, 21_600, 43_200, 90_000, 172_800, 604_800, 2_592_000];

macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident $name:literal $kind:expr;)+) => {
        $($(#[doc = $help])+ pub const $constant: &str = $name;)+

        /// All of them.
        pub const ALL: &[Metric] = &[
            $(Metric { name: $name, kind: $kind, help: concat!($($help),+) }),+
        ];
    };
}

metrics! {
    /// Runs that have ended, by `kind`, `trigger`, `lane` and `outcome`.
    RUNS "helpsync_runs_total" Kind::Counter;
    /// Articles by what became of them (`outcome`): as in the receipts of runs, page by page.
    ARTICLES "helpsync_articles_total" Kind::Counter;
    /// Articles read from Zendesk, repeats included.
    LISTED "helpsync_articles_listed_total" Kind::Counter;
    /// From a change in Zendesk to its stored text, of changes that a delta or a resync has found.
    CHANGE_DELAY "helpsync_change_delay_seconds" Kind::Histogram(AGES);
    /// Shards worked on, by `kind`, `lane` and `outcome`: `done`, `put_off`, `retried`, `failed`, `taken_over`, `unrecorded`.
    SHARD "helpsync_shard_duration_seconds" Kind::Histogram(AGES);
    /// From a message's writing into the outbox to its arrival in the queue, by `lane`.
    DISPATCH "helpsync_dispatch_seconds" Kind::Histogram(AGES);
    /// From a shard's release to its start by a worker, by `lane`.
    PICKUP "helpsync_pickup_seconds" Kind::Histogram(AGES);
    /// Messages offered to the queue, by `lane` and `outcome`: `stored` or `refused`.
    PUBLISHED "helpsync_messages_published_total" Kind::Counter;
    /// Shards issued again by the sweeper, by `reason`: `expired` (a worker went silent) or `lost` (a message never arrived).
    REISSUED "helpsync_shards_reissued_total" Kind::Counter;
    /// Shards that a worker could not start because the store refused a statement: they are issued again.
    NOT_STARTED "helpsync_shards_not_started_total" Kind::Counter;
    /// Leases that this process lost while it worked.
    LEASES_LOST "helpsync_leases_lost_total" Kind::Counter;
    /// Messages that nobody could read, moved to the dead letters by this process.
    DEAD_MADE "helpsync_dead_messages_total" Kind::Counter;
    /// Requests to Zendesk, by `http_request_method`, `url_template` and `http_response_status_code`; without an answer the
    /// status is 0.
    HTTP_CLIENT "http_client_request_duration_seconds" Kind::Histogram(CALLS);
    /// Permits used, by `account`.
    BUDGET_USED "helpsync_zendesk_budget_used_total" Kind::Counter;
    /// Answers with status 429, by `account`.
    TOO_MANY "helpsync_zendesk_too_many_requests_total" Kind::Counter;
    /// Time that calls waited for a permit, by `account`; calls that wait at once count each.
    BUDGET_WAITED "helpsync_zendesk_budget_waited_milliseconds_total" Kind::Counter;
    /// Calls that were put off because their account has no budget now, by `account`.
    BUDGET_REFUSED "helpsync_zendesk_budget_refused_total" Kind::Counter;
    /// Requests a minute that the account's headers allow, by `account` and `family`.
    BUDGET_LIMIT "helpsync_zendesk_budget_limit" Kind::Gauge;
    /// Requests left in the account's present minute, as its last answer said, by `account` and `family`.
    BUDGET_LEFT "helpsync_zendesk_budget_left" Kind::Gauge;
    /// Webhook deliveries tried, by `outcome`: `delivered`, `retried` or `dead`.
    WEBHOOKS "helpsync_webhook_deliveries_total" Kind::Counter;
    /// From an event to its delivery.
    WEBHOOK_AGE "helpsync_webhook_delivery_age_seconds" Kind::Histogram(AGES);
    /// Statements and transactions, by `db_system_name` and `db_operation_name`: `read`, `begin` (with the wait for a
    /// connection) or `transaction`.
    DATABASE "db_client_operation_duration_seconds" Kind::Histogram(CALLS);
    /// Connections of the pool, by `db_client_connection_state`: `idle` or `used`.
    POOL "db_client_connection_count" Kind::Gauge;
    /// The most connections of the pool.
    POOL_MAX "db_client_connection_max" Kind::Gauge;
    /// Secrets that no key of the ring opens: it lacks the key that sealed them.
    KEYS_MISSING "helpsync_unknown_keys_total" Kind::Counter;
    /// Requests to the API, by `http_request_method`, `http_route` and `http_response_status_code`.
    HTTP_SERVER "http_server_request_duration_seconds" Kind::Histogram(CALLS);
    /// 1 while a dependency works: `store`, `queue` or `coordinator`.
    DEPENDENCY_UP "helpsync_dependency_up" Kind::Gauge;
    /// Messages ready in the queue, by `lane`. Told by dispatchers.
    QUEUE "helpsync_queue_messages" Kind::Gauge;
    /// Messages in the dead-letter list. Told by dispatchers.
    DEAD_MESSAGES "helpsync_queue_dead_messages" Kind::Gauge;
    /// Open and failed shards, by `lane` and `state`. Told by dispatchers.
    SHARDS "helpsync_shards" Kind::Gauge;
    /// How long the shard that is due longest has been due and not started, by `lane`. Told by dispatchers.
    SHARDS_OLDEST "helpsync_shards_oldest_due_seconds" Kind::Gauge;
    /// Messages in the outbox. Told by dispatchers.
    OUTBOX "helpsync_outbox_messages" Kind::Gauge;
    /// Age of the oldest message in the outbox. Told by dispatchers.
    OUTBOX_OLDEST "helpsync_outbox_oldest_seconds" Kind::Gauge;
    /// Connections of customers, by `state`. Told by dispatchers.
    CONNECTIONS "helpsync_connections" Kind::Gauge;
    /// Copies that were complete at most `le` seconds ago: a histogram of this moment, cumulative. Told by dispatchers.
    COPIES "helpsync_copy_age_seconds_bucket" Kind::Gauge;
    /// Age of the oldest copy: since it was complete last, or since its connection was made. Told by dispatchers.
    COPY_OLDEST "helpsync_copy_age_oldest_seconds" Kind::Gauge;
    /// How long the scheduled sync that is due longest has been due. Told by dispatchers.
    SYNC_OVERDUE "helpsync_sync_overdue_seconds" Kind::Gauge;
    /// Removals that wait for a person. Told by dispatchers.
    HELD "helpsync_removals_held" Kind::Gauge;
    /// Webhook deliveries that wait. Told by dispatchers.
    WEBHOOKS_PENDING "helpsync_webhook_deliveries_pending" Kind::Gauge;
    /// How long the oldest of them has been tried. Told by dispatchers.
    WEBHOOKS_OLDEST "helpsync_webhook_oldest_pending_seconds" Kind::Gauge;
    /// Size of the database on its disk. Told by dispatchers.
    STORE_BYTES "helpsync_store_bytes" Kind::Gauge;
    /// Bytes that may still be written to the disk of a SQLite file. Told in the embedded shape: a server's disk is its own.
    STORE_FREE_BYTES "helpsync_store_free_bytes" Kind::Gauge;
    /// Processes by `role` and `version`; always 1.
    BUILD "helpsync_build_info" Kind::Gauge;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set, it has the documents written instead of compared.
    const BLESS: &str = "HELPSYNC_TEST_BLESS";
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md");
    const MARKS: [&str; 2] = ["<!-- metrics -->\n", "<!-- /metrics -->"];

    fn row(metric: &Metric) -> String {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        format!("| `{}` | {kind} | {} |\n", metric.name, metric.help.trim())
    }

    #[test]
    fn the_page_about_metrics_has_all_of_them_and_no_others() {
        let page = std::fs::read_to_string(PAGE).unwrap();
        let (before, rest) = page.split_once(MARKS[0]).unwrap();
        let (_, after) = rest.split_once(MARKS[1]).unwrap();
        let table: String = ALL.iter().map(row).collect();
        let head = "| metric | kind | meaning |\n| --- | --- | --- |\n";
        let right = format!("{before}{}{head}{table}{}{after}", MARKS[0], MARKS[1]);
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(PAGE, &right).unwrap();
        }
        assert!(page == right || std::env::var_os(BLESS).is_some(), "run the test with {BLESS}=1");
    }

    #[test]
    fn names_say_what_they_count_in_as_prometheus_wants_it() {
        for metric in ALL {
            match metric.kind {
                Kind::Counter => assert!(metric.name.ends_with("_total"), "{}", metric.name),
                Kind::Histogram(bounds) => {
                    assert!(metric.name.ends_with("_seconds"), "{}", metric.name);
                    assert!(bounds.is_sorted(), "{}", metric.name);
                }
                Kind::Gauge => assert!(!metric.name.ends_with("_total"), "{}", metric.name),
            }
        }
    }
}
