//! Names and declarations.

use helpsync_model::Lane;
use helpsync_queue::{DELIVERY_LIMIT, Origin};
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, ExchangeKind};

/// The routing key with which upstream services publish requests to [`Names::jobs`].
pub const REQUEST_ROUTING_KEY: &str = "request";

/// Every look at the dead-letter list counts as a return there, so the list needs a limit that is never reached
/// (without one, RabbitMQ 4 takes 20 and then drops).
const NEVER_REACHED: i32 = 1_000_000_000;

/// The names on the broker, all beginning with one prefix (`helpsync`):
///
/// | name | what |
/// | --- | --- |
/// | `helpsync.jobs` | direct exchange for upstream services; what it cannot route goes to `helpsync.unrouted` |
/// | `helpsync.work.<lane>.v1` | the lanes, bound to nothing: whoever may write to the exchange for upstream services reaches none |
/// | `helpsync.requests.v1` | requests of upstream services, bound with `request` |
/// | `helpsync.dead`, `helpsync.dead.v1` | fanout exchange and queue of dead letters |
/// | `helpsync.unrouted`, `helpsync.unrouted.v1` | fanout exchange and queue of what had no queue |
///
/// Arguments of a queue are for life: a change of them needs a new version in the name.
#[derive(Debug, Clone)]
pub struct Names {
    prefix: String,
    /// Whom the broker knows this process as, for requests that it puts back into their queue.
    user: Option<String>,
}

impl Names {
    /// Names that begin with `prefix`.
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), user: None }
    }

    /// The same names, for a process of this user of the broker.
    #[must_use]
    pub(crate) fn of_user(self, user: &str) -> Self {
        Self { user: Some(user.to_owned()).filter(|user| !user.is_empty()), ..self }
    }

    /// Whom the broker knows this process as, as far as its URL says.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The exchange for upstream services.
    #[must_use]
    pub fn jobs(&self) -> String {
        format!("{}.jobs", self.prefix)
    }

    /// The exchange of dead letters.
    #[must_use]
    pub fn dead_exchange(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    /// The exchange of messages that [`Names::jobs`] could not route.
    #[must_use]
    pub fn unrouted_exchange(&self) -> String {
        format!("{}.unrouted", self.prefix)
    }

    /// The queue of dead letters.
    #[must_use]
    pub fn dead(&self) -> String {
        format!("{}.dead.v1", self.prefix)
    }

    /// The queue of messages that had no queue.
    #[must_use]
    pub fn unrouted(&self) -> String {
        format!("{}.unrouted.v1", self.prefix)
    }

    /// The queue that messages of `origin` wait in.
    #[must_use]
    pub fn work(&self, origin: Origin) -> String {
        match origin {
            Origin::Lane(lane) => format!("{}.work.{lane}.v1", self.prefix),
            Origin::Requests => format!("{}.requests.v1", self.prefix),
        }
    }

    /// The reverse of [`Names::work`].
    #[must_use]
    pub fn origin(&self, queue: &str) -> Option<Origin> {
        origins().find(|origin| self.work(*origin) == queue)
    }

    /// Every queue and every exchange, for cleaning up after tests.
    #[must_use]
    pub fn all(&self) -> (Vec<String>, Vec<String>) {
        let queues =
            origins().map(|origin| self.work(origin)).chain([self.dead(), self.unrouted()]).collect();
        (queues, vec![self.jobs(), self.dead_exchange(), self.unrouted_exchange()])
    }
}

/// The lanes and the requests.
pub(crate) fn origins() -> impl Iterator<Item = Origin> {
    Lane::ALL.into_iter().map(Origin::Lane).chain([Origin::Requests])
}

/// Declares all of it, targets before sources. Harmless when it is there; an error (406) when it is there with
/// other arguments, and then `channel` is closed: use one that serves nothing else.
pub(crate) async fn declare(
    channel: &Channel,
    names: &Names,
    lane_capacity: Option<u32>,
) -> Result<(), lapin::Error> {
    let (keep, work) = arguments(names, lane_capacity);
    for (exchange, queue) in
        [(names.dead_exchange(), names.dead()), (names.unrouted_exchange(), names.unrouted())]
    {
        declare_exchange(channel, &exchange, ExchangeKind::Fanout, FieldTable::default()).await?;
        declare_queue(channel, &queue, keep.clone()).await?;
        bind(channel, &queue, &exchange, "").await?;
    }

    let mut alternate = FieldTable::default();
    put_text(&mut alternate, "alternate-exchange", &names.unrouted_exchange());
    declare_exchange(channel, &names.jobs(), ExchangeKind::Direct, alternate).await?;

    for origin in origins() {
        let queue = names.work(origin);
        declare_queue(channel, &queue, work.clone()).await?;
        match origin {
            // Versions before bound them. It is no error where they are not.
            Origin::Lane(lane) => unbind(channel, &queue, &names.jobs(), lane.as_str()).await?,
            Origin::Requests => bind(channel, &queue, &names.jobs(), REQUEST_ROUTING_KEY).await?,
        }
    }
    Ok(())
}

/// Every queue with the exchange that [`declare`] binds it to, or takes it from.
pub(crate) fn bindings(names: &Names) -> Vec<(String, String)> {
    let kept = [(names.dead(), names.dead_exchange()), (names.unrouted(), names.unrouted_exchange())];
    origins().map(|origin| (names.work(origin), names.jobs())).chain(kept).collect()
}

/// Every queue with the arguments that it is declared with.
pub(crate) fn queues(names: &Names, lane_capacity: Option<u32>) -> Vec<(String, FieldTable)> {
    let (keep, work) = arguments(names, lane_capacity);
    let kept = [names.dead(), names.unrouted()].map(|queue| (queue, keep.clone()));
    origins().map(|origin| (names.work(origin), work.clone())).chain(kept).collect()
}

/// The arguments of queues that keep what nobody could use, and of those that work waits in.
fn arguments(names: &Names, lane_capacity: Option<u32>) -> (FieldTable, FieldTable) {
    let mut keep = FieldTable::default();
    put_text(&mut keep, "x-queue-type", "quorum");
    put_number(&mut keep, "x-delivery-limit", NEVER_REACHED);
    let mut work = FieldTable::default();
    put_text(&mut work, "x-queue-type", "quorum");
    put_number(&mut work, "x-delivery-limit", i32::try_from(DELIVERY_LIMIT).unwrap_or(i32::MAX));
    put_text(&mut work, "x-dead-letter-exchange", &names.dead_exchange());
    put_text(&mut work, "x-dead-letter-strategy", "at-least-once");
    // At-least-once dead-lettering asks for it: a full queue says no instead of dropping its head.
    put_text(&mut work, "x-overflow", "reject-publish");
    if let Some(capacity) = lane_capacity {
        put_number(&mut work, "x-max-length", i32::try_from(capacity).unwrap_or(i32::MAX));
    }
    (keep, work)
}

async fn declare_exchange(
    channel: &Channel,
    name: &str,
    kind: ExchangeKind,
    arguments: FieldTable,
) -> Result<(), lapin::Error> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel.exchange_declare(name.into(), kind, options, arguments).await
}

async fn declare_queue(channel: &Channel, name: &str, arguments: FieldTable) -> Result<(), lapin::Error> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, arguments).await.map(|_| ())
}

async fn bind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), lapin::Error> {
    let (queue, exchange, key) = (queue.into(), exchange.into(), key.into());
    channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
}

async fn unbind(channel: &Channel, queue: &str, exchange: &str, key: &str) -> Result<(), lapin::Error> {
    channel.queue_unbind(queue.into(), exchange.into(), key.into(), FieldTable::default()).await
}

pub(crate) fn put_text(table: &mut FieldTable, key: &str, value: &str) {
    table.insert(key.into(), AMQPValue::LongString(LongString::from(value)));
}

fn put_number(table: &mut FieldTable, key: &str, value: i32) {
    table.insert(key.into(), AMQPValue::LongInt(value));
}
