//! `[webhooks]`

use std::time::Duration;

use crate::{Problem, declare::section};

section! {
    /// Outgoing webhooks: whom events may be sent to, and how hard it is tried.
    pub struct WebhooksSettings "webhooks";

    /// Webhooks of one organization.
    "HELPSYNC_WEBHOOKS__PER_ORGANIZATION_MAX" per_organization_max: usize = "3", 1..=100;
    /// Whether events may also be sent to private addresses (loopback, 10.0.0.0/8 and the like): for installations
    /// whose receivers are in their own network, and whose API keys are in trusted hands.
    "HELPSYNC_WEBHOOKS__ALLOW_PRIVATE" allow_private: bool = "false";
    /// How long a receiver may take to answer.
    "HELPSYNC_WEBHOOKS__TIMEOUT_SECONDS" timeout: Duration = "10", 1..=60;
    /// Deliveries to one webhook that may be under way at once, over all processes.
    "HELPSYNC_WEBHOOKS__CONCURRENCY" concurrency: u32 = "4", 1..=64;
    /// Webhooks that one process serves at once.
    "HELPSYNC_WEBHOOKS__SERVED_MAX" served_max: usize = "64", 1..=1_000;
    /// Tries of one delivery, after which it is dead until a person sends it again.
    "HELPSYNC_WEBHOOKS__ATTEMPTS_MAX" attempts_max: u32 = "12", 1..=100;
    /// The longest wait after a first failure; every further failure of the delivery doubles it. The wait itself is
    /// random up to that.
    "HELPSYNC_WEBHOOKS__RETRY_FIRST_MS" retry_first: Duration = "10000", 1..=3_600_000;
    /// The longest wait between two tries of a delivery.
    "HELPSYNC_WEBHOOKS__RETRY_MAX_SECONDS" retry_max: Duration = "3600", 1..=86_400;
    /// A delivery that still waits after so long is dead.
    "HELPSYNC_WEBHOOKS__RETRY_AGE_HOURS" retry_age: Duration = "72", 1..=720;
    /// Failures in a row after which a webhook is left alone for a while.
    "HELPSYNC_WEBHOOKS__BREAKER_FAILURES" breaker_failures: u32 = "5", 1..=1_000;
    /// How long a failing webhook is left alone at first; every failed probe doubles it.
    "HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS" breaker_open: Duration = "60000", 1..=3_600_000;
    /// The longest that a failing webhook is left alone between two probes.
    "HELPSYNC_WEBHOOKS__BREAKER_OPEN_MAX_SECONDS" breaker_open_max: Duration = "3600", 1..=86_400;
    /// Time between looks for new events and due deliveries.
    "HELPSYNC_WEBHOOKS__POLL_MS" poll: Duration = "1000", 10..=60_000;
    /// How long events, and deliveries that have ended, are kept.
    "HELPSYNC_WEBHOOKS__KEEP_HOURS" keep: Duration = "168", 1..=8_760;
}

impl WebhooksSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.retry_first > self.retry_max {
            problems.push(Problem::value(
                "HELPSYNC_WEBHOOKS__RETRY_FIRST_MS",
                "the first wait is longer than the longest one",
                "at most webhooks.retry_max_seconds",
            ));
        }
        if self.breaker_open > self.breaker_open_max {
            problems.push(Problem::value(
                "HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS",
                "the first pause is longer than the longest one",
                "at most webhooks.breaker_open_max_seconds",
            ));
        }
        problems
    }
}
