//! A message on its way to the broker.

use helpsync_queue::{DeadLetter, Message, Origin};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use crate::topology::{Names, put_text};

/// Why a dead letter died, as given by the worker.
pub(crate) const REASON: &str = "helpsync-reason";
/// The queue a dead letter came from.
pub(crate) const QUEUE: &str = "helpsync-queue";
/// When it died, milliseconds since 1970.
pub(crate) const DIED_AT: &str = "helpsync-died-at-ms";
/// Whether a dead letter is the operator's, whatever its body names.
pub(crate) const OF_OPERATOR: &str = "helpsync-of-operator";
/// W3C trace context.
pub(crate) const TRACEPARENT: &str = "traceparent";

/// Longer reasons are cut: headers travel in one frame.
const REASON_MAX_CHARS: usize = 1_000;
/// Persistent.
const ON_DISK: u8 = 2;

/// A message for one queue. Headers are always built anew: copying the broker's death headers would
/// make it drop the message as a cycle.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) id: String,
    pub(crate) queue: String,
    pub(crate) body: Vec<u8>,
    pub(crate) properties: BasicProperties,
}

impl Outgoing {
    /// Any bytes for the queue of `origin`.
    pub(crate) fn raw(
        names: &Names,
        origin: Origin,
        id: &str,
        body: Vec<u8>,
        traceparent: Option<&str>,
    ) -> Self {
        let mut headers = FieldTable::default();
        if let Some(traceparent) = traceparent {
            put_text(&mut headers, TRACEPARENT, traceparent);
        }
        let mut properties = properties(id, headers);
        if let (Origin::Requests, Some(user)) = (origin, names.user()) {
            // A request that is read again comes from us: a person has asked for that.
            properties = properties.with_user_id(short(user).into());
        }
        Self { id: id.to_owned(), queue: names.work(origin), body, properties }
    }

    /// A job for its lane.
    pub(crate) fn job(names: &Names, message: &Message) -> Self {
        let (lane, trace) = (Origin::Lane(message.lane()), message.traceparent.as_deref());
        let mut outgoing = Self::raw(names, lane, &message.id, message.job.to_bytes(), trace);
        outgoing.properties = outgoing.properties.with_type(message.job.kind.as_str().into());
        outgoing
    }

    /// A message for the dead-letter list.
    pub(crate) fn dead(names: &Names, letter: DeadLetter) -> Self {
        let DeadLetter { id, origin, body, reason, died_at, of_operator } = letter;
        let mut headers = FieldTable::default();
        let reason: String = reason.chars().take(REASON_MAX_CHARS).collect();
        put_text(&mut headers, REASON, &reason);
        put_text(&mut headers, QUEUE, &names.work(origin));
        headers.insert(DIED_AT.into(), AMQPValue::LongLongInt(died_at.as_millisecond()));
        headers.insert(OF_OPERATOR.into(), AMQPValue::Boolean(of_operator));
        Self { queue: names.dead(), body, properties: properties(&id, headers), id }
    }
}

fn properties(id: &str, headers: FieldTable) -> BasicProperties {
    BasicProperties::default()
        .with_message_id(short(id).into())
        .with_content_type("application/json".into())
        .with_delivery_mode(ON_DISK)
        .with_headers(headers)
}

/// AMQP short strings hold 255 bytes.
fn short(id: &str) -> &str {
    let end = (0..=id.len().min(255)).rev().find(|end| id.is_char_boundary(*end)).unwrap_or(0);
    &id[..end]
}
