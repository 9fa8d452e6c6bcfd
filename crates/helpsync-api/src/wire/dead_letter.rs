//! Work that gave up: shards from the store and messages from the queue, in one form.

use std::collections::{BTreeMap, BTreeSet};

use helpsync_model::ShardId;
use helpsync_queue::Origin;
use helpsync_store::FailedShard;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Int, time};

/// Of a message's body, so many bytes are shown: the longest that a request may have.
pub(crate) const BODY_BYTES_SHOWN_MAX: usize = 16 * 1024;

/// Digits of an HTTP status.
const STATUS_DIGITS: usize = 3;

const SHARD: &str = "shard-";
const MESSAGE: &str = "message-";

/// Names a dead letter: `shard-<number>`, or `message-<the publisher's id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeadLetterId {
    /// A shard that failed too often; it is in the store.
    Shard(ShardId),
    /// A message that could not be read or done; it is in the queue.
    Message(String),
}

impl DeadLetterId {
    /// `None`: the text names neither.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(number) = text.strip_prefix(SHARD) {
            return number.parse().ok().map(|number| Self::Shard(ShardId(number)));
        }
        text.strip_prefix(MESSAGE).filter(|id| !id.is_empty()).map(|id| Self::Message(id.to_owned()))
    }
}

impl std::fmt::Display for DeadLetterId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Shard(id) => write!(f, "{SHARD}{}", id.0),
            Self::Message(id) => write!(f, "{MESSAGE}{id}"),
        }
    }
}

/// Work that gave up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadLetter {
    /// `shard-<number>`, or `message-<the publisher's id>`.
    pub id: String,
    /// What a shard did; `request` for a message of an upstream service, `job` for one of our own.
    pub kind: String,
    /// Whose, as far as it is known.
    pub customer_id: Option<String>,
    /// Why it gave up.
    pub error: Option<String>,
    /// What its error has in common with others: the cause of its group.
    pub cause: String,
    pub failed_at: String,
    /// The shard; null for a message.
    pub shard: Option<DeadShard>,
    /// The message; null for a shard.
    pub message: Option<DeadMessage>,
}

/// What is known of a shard that gave up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadShard {
    pub run_id: i64,
    pub run_kind: String,
    pub data_source_id: i64,
    pub subdomain: String,
    pub key: String,
    #[schema(value_type = Object)]
    pub params: Value,
    pub attempts: i64,
}

/// What is known of a message that could not be read or done.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadMessage {
    /// The queue it was in: `requests`, or a lane.
    pub origin: String,
    /// The first 16,384 bytes of its body, as text.
    pub body: String,
    /// How long the whole body is.
    pub body_bytes: usize,
}

impl From<FailedShard> for DeadLetter {
    fn from(failed: FailedShard) -> Self {
        Self {
            id: DeadLetterId::Shard(failed.id).to_string(),
            kind: failed.kind.as_str().to_owned(),
            customer_id: Some(failed.customer_id),
            cause: cause(failed.error.as_deref().unwrap_or_default()),
            error: failed.error,
            failed_at: time(failed.failed_at),
            shard: Some(DeadShard {
                run_id: failed.run.0,
                run_kind: failed.run_kind.as_str().to_owned(),
                data_source_id: failed.source.0,
                subdomain: failed.subdomain,
                key: failed.key,
                params: failed.params,
                attempts: failed.attempts,
            }),
            message: None,
        }
    }
}

impl From<helpsync_queue::DeadLetter> for DeadLetter {
    fn from(letter: helpsync_queue::DeadLetter) -> Self {
        let shown = &letter.body[..letter.body.len().min(BODY_BYTES_SHOWN_MAX)];
        Self {
            customer_id: field(&letter.body, "customer_id"),
            id: DeadLetterId::Message(letter.id).to_string(),
            kind: match letter.origin {
                Origin::Requests => "request".to_owned(),
                Origin::Lane(_) => "job".to_owned(),
            },
            cause: cause(&letter.reason),
            error: Some(letter.reason),
            failed_at: time(letter.died_at.as_millisecond()),
            shard: None,
            message: Some(DeadMessage {
                origin: letter.origin.to_string(),
                body: String::from_utf8_lossy(shown).into_owned(),
                body_bytes: letter.body.len(),
            }),
        }
    }
}

/// A text in a body that need not be a request.
pub(crate) fn field(body: &[u8], name: &str) -> Option<String> {
    if body.len() > BODY_BYTES_SHOWN_MAX {
        return None;
    }
    let value: Value = serde_json::from_slice(body).ok()?;
    value.get(name)?.as_str().map(ToOwned::to_owned)
}

/// Work that gave up for one cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeadLetterGroup {
    /// What their errors have in common: numbers are left out of it, and ids of requests.
    pub cause: String,
    /// How many there are.
    pub count: usize,
    /// How many customers are known to be met.
    pub customers: usize,
    pub first_failed_at: String,
    pub last_failed_at: String,
    /// The oldest of them.
    pub example: String,
}

/// Groups by cause, the largest first.
pub(crate) fn groups(letters: &[DeadLetter]) -> Vec<DeadLetterGroup> {
    let mut by_cause: BTreeMap<String, Vec<&DeadLetter>> = BTreeMap::new();
    for letter in letters {
        by_cause.entry(letter.cause.clone()).or_default().push(letter);
    }
    let mut groups: Vec<DeadLetterGroup> = by_cause.into_iter().filter_map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn group((cause, letters): (String, Vec<&DeadLetter>)) -> Option<DeadLetterGroup> {
    // Times are written alike, so their order is that of the texts.
    let oldest = letters.iter().min_by_key(|letter| &letter.failed_at)?;
    let latest = letters.iter().max_by_key(|letter| &letter.failed_at)?;
    let customers: BTreeSet<&str> =
        letters.iter().filter_map(|letter| letter.customer_id.as_deref()).collect();
    Some(DeadLetterGroup {
        cause,
        count: letters.len(),
        customers: customers.len(),
        first_failed_at: oldest.failed_at.clone(),
        last_failed_at: latest.failed_at.clone(),
        example: oldest.id.clone(),
    })
}

/// Stands for a number that differs: people read it.
const NUMBER: &str = "…";

/// An error without what differs from one piece of work to the next: how often it was tried, numbers, ids of requests.
fn cause(error: &str) -> String {
    let tried = error.strip_prefix("gave up after ").and_then(|rest| rest.split_once(" tries: "));
    let mut text = tried.map_or(error, |(_, why)| why).to_owned();
    while let Some(at) = text.find(" (request ") {
        let end = text[at..].find(')').map_or(text.len(), |length| at + length + 1);
        text.replace_range(at..end, "");
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let mut cause = String::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        // A status stays: 402 and 500 are two causes.
        let is_number = word.contains(|c: char| c.is_ascii_digit()) && word.len() != STATUS_DIGITS;
        cause.push_str(if is_number { NUMBER } else { word });
        rest = after;
    }
    cause
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct DeadLetters {
    /// Shards, then messages; each oldest first.
    pub dead_letters: Vec<DeadLetter>,
    /// All of them by cause, also those that are not on this page; null on further pages.
    pub groups: Option<Vec<DeadLetterGroup>>,
    /// Pass it as `after` to read on; null at the end.
    pub next: Option<String>,
    /// Why the messages are missing from this answer; null when they are not.
    pub messages_unavailable: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct DeadLettersQuery {
    pub(crate) after: Option<String>,
    pub(crate) limit: Option<Int>,
}

/// What became of a replay.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReplayAnswer {
    pub(crate) id: String,
    /// The run that does a shard's work again; null for a message, which is read again instead.
    pub(crate) run_id: Option<i64>,
    pub(crate) data_source_id: Option<i64>,
    /// False: an equal run was under way and serves this request.
    pub(crate) created: Option<bool>,
    pub(crate) request_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use helpsync_model::{Lane, Timestamp};

    use super::*;

    #[test]
    fn an_id_reads_back_and_the_two_kinds_cannot_be_mixed_up() {
        let ids = [
            DeadLetterId::Shard(ShardId(7)),
            DeadLetterId::Message("7".to_owned()),
            DeadLetterId::Message("shard-7".to_owned()),
            DeadLetterId::Message("a/b ?#%2f".to_owned()),
        ];
        for id in ids {
            assert_eq!(DeadLetterId::parse(&id.to_string()), Some(id));
        }
        for text in ["7", "", "shard-", "shard-x", "message-", "letter-7"] {
            assert_eq!(DeadLetterId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_same_cause_is_one_group_whatever_it_was_and_however_often_it_was_tried() {
        let letter = |number: i64, customer: &str, error: &str| DeadLetter {
            id: DeadLetterId::Shard(ShardId(number)).to_string(),
            kind: "plan".to_owned(),
            customer_id: Some(customer.to_owned()),
            cause: cause(error),
            error: Some(error.to_owned()),
            failed_at: time(number * 1_000),
            shard: None,
            message: None,
        };
        let letters = [
            letter(1, "a", "zendesk rejects the request with 400: no"),
            letter(
                3,
                "b",
                "gave up after 8 tries: zendesk's answer is malformed: it breaks off after 30 bytes",
            ),
            letter(
                2,
                "a",
                "gave up after 2 tries: zendesk's answer is malformed: it breaks off after 1234 bytes",
            ),
            letter(4, "a", "zendesk rejects the request with 422: no (request 7f-12)"),
            letter(5, "a", "zendesk rejects the request with 422: no (request 8)"),
            letter(
                6,
                "b",
                "gave up after 9 tries: zendesk's answer is malformed: it breaks off after 5 bytes",
            ),
        ];
        let groups = groups(&letters);
        let told: Vec<_> =
            groups.iter().map(|group| (group.count, group.customers, group.example.as_str())).collect();
        assert_eq!(told, [(3, 2, "shard-2"), (2, 1, "shard-4"), (1, 1, "shard-1")]);
        assert_eq!(groups[0].cause, "zendesk's answer is malformed: it breaks off after … bytes");
        assert_eq!(groups[1].cause, "zendesk rejects the request with 422: no");
    }

    #[test]
    fn a_long_body_is_cut_and_a_broken_one_is_shown() {
        let letter = |body: Vec<u8>| helpsync_queue::DeadLetter {
            id: "r1".to_owned(),
            origin: Origin::Lane(Lane::Backfill),
            body,
            reason: "no".to_owned(),
            died_at: Timestamp::UNIX_EPOCH,
            of_operator: false,
        };
        let long = DeadLetter::from(letter(vec![b'x'; 1_000_000])).message.unwrap();
        assert_eq!((long.body.len(), long.body_bytes), (BODY_BYTES_SHOWN_MAX, 1_000_000));
        let broken = DeadLetter::from(letter(b"{\"customer_id\": \xff".to_vec()));
        assert_eq!(broken.customer_id, None);
        assert!(broken.message.unwrap().body.starts_with("{\"customer_id\": "));
        let named = DeadLetter::from(letter(b"{\"customer_id\":\"ada\"}".to_vec()));
        assert_eq!((named.customer_id.as_deref(), named.kind.as_str()), (Some("ada"), "job"));
    }
}
