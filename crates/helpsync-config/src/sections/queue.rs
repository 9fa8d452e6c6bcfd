//! `[queue]`

use super::unencrypted;
use crate::{ConnectionUrl, Problem, declare::section};

section! {
    /// How jobs travel from the dispatcher to workers.
    pub struct QueueSettings "queue";

    /// `amqp://` or `amqps://` URL of RabbitMQ. When it is not set, jobs stay in the process.
    "HELPSYNC_QUEUE__URL" url: Option<ConnectionUrl>;
    /// `http://` or `https://` URL of RabbitMQ's management API, where `helpsync doctor` looks for policies over the queues.
    /// Without it: port 15672 (15671 with `amqps`) of the broker's host. User and password are the broker's unless it has some:
    /// plain http to another machine is refused like `amqp://`.
    "HELPSYNC_QUEUE__MANAGEMENT_URL" management_url: Option<ConnectionUrl>;
    /// Whether the broker, and its management API, may be on another machine without TLS (`amqps://` and `https://` do): for
    /// private networks that nobody else listens in.
    "HELPSYNC_QUEUE__ALLOW_UNENCRYPTED" allow_unencrypted: bool = "false";
    /// Put before the names of exchanges and queues, so that installations can share a broker.
    "HELPSYNC_QUEUE__NAME_PREFIX" name_prefix: String = "helpsync";
    /// Which users of the broker may ask for work of which organizations: pairs `user=organization`, several for one user
    /// if need be, the first of them for requests that name none. Once any is set, requests of other users are refused,
    /// and those that do not name their user (`user_id`, which RabbitMQ checks). Without any, whoever may write to the
    /// exchange may ask for everybody's.
    "HELPSYNC_QUEUE__UPSTREAM_USERS" upstream_users: Vec<String> = "";
    /// Jobs of one lane that the in-process queue holds; the rest wait in the store.
    "HELPSYNC_QUEUE__LANE_JOBS_MAX" lane_jobs_max: usize = "10000", 1..=1_000_000;
}

impl QueueSettings {
    /// The organizations that a user of the broker may ask for, the one for requests that name none first; `None`: users
    /// are not told apart.
    #[must_use]
    pub fn organizations_of(&self, user: Option<&str>) -> Option<Vec<&str>> {
        if self.upstream_users.is_empty() {
            return None;
        }
        let pairs = self.upstream_users.iter().filter_map(|pair| pair.split_once('='));
        Some(pairs.filter(|(named, _)| Some(*named) == user).map(|(_, organization)| organization).collect())
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (url, plain, env, secured) in [
            (&self.url, "amqp", "HELPSYNC_QUEUE__URL", "amqps://"),
            (&self.management_url, "http", "HELPSYNC_QUEUE__MANAGEMENT_URL", "https://"),
        ] {
            let is_readable = |url: &ConnectionUrl| url.scheme() == plain && url.is_readable_on_the_way();
            if !self.allow_unencrypted && url.as_ref().is_some_and(is_readable) {
                problems.push(unencrypted(env, secured, "HELPSYNC_QUEUE__ALLOW_UNENCRYPTED"));
            }
        }
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
        if self.upstream_users.iter().any(|pair| !matches!(pair.split_once('='), Some((user, organization)) if !user.is_empty() && !organization.is_empty())) {
            problems.push(Problem::value(
                "HELPSYNC_QUEUE__UPSTREAM_USERS",
                "one of them is no pair of a user and an organization",
                "for example billing=acme search=acme",
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
