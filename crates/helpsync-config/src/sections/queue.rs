//! `[queue]`

use crate::{ConnectionUrl, Problem, declare::section};

section! {
    /// How jobs travel from the dispatcher to workers.
    pub struct QueueSettings "queue";

    /// `amqp://` or `amqps://` URL of RabbitMQ. When it is not set, jobs stay in the process.
    "HELPSYNC_QUEUE__URL" url: Option<ConnectionUrl>;
    /// `http://` or `https://` URL of RabbitMQ's management API, where `helpsync doctor` looks for policies over the queues.
    /// Without it: port 15672 (15671 with `amqps`) of the broker's host. User and password are the broker's unless it has some.
    "HELPSYNC_QUEUE__MANAGEMENT_URL" management_url: Option<ConnectionUrl>;
    /// Put before the names of exchanges and queues, so that installations can share a broker.
    "HELPSYNC_QUEUE__NAME_PREFIX" name_prefix: String = "helpsync";
    /// Jobs of one lane that the in-process queue holds; the rest wait in the store.
    "HELPSYNC_QUEUE__LANE_JOBS_MAX" lane_jobs_max: usize = "10000", 1..=1_000_000;
}

impl QueueSettings {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(url) = &self.url
            && !matches!(url.scheme(), "amqp" | "amqps")
        {
            problems.push(Problem::value(
                "HELPSYNC_QUEUE__URL",
                format!("the scheme {:?} is neither amqp nor amqps", url.scheme()),
                "amqp://user:password@host:5672/%2f",
            ));
        }
        if let Some(url) = &self.management_url
            && !matches!(url.scheme(), "http" | "https")
        {
            problems.push(Problem::value(
                "HELPSYNC_QUEUE__MANAGEMENT_URL",
                format!("the scheme {:?} is neither http nor https", url.scheme()),
                "http://host:15672",
            ));
        }
        if !is_name(&self.name_prefix) {
            problems.push(Problem::value(
                "HELPSYNC_QUEUE__NAME_PREFIX",
                "it must be 1 to 64 letters, digits, dots, - or _",
                "for example helpsync",
            ));
        }
        problems
    }
}

/// What brokers, key stores and people's eyes all accept in a name.
pub(super) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}
