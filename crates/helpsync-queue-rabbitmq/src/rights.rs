//! What the broker's user may do with our names. AMQP has no question for it, and the management API tells it to
//! administrators only. So each right is asked for by something that the broker refuses to whoever lacks it, and that
//! changes nothing for whoever has it: no message moves, and nothing is made, bound or taken away.

use std::fmt;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeclareOptions, ExchangeUnbindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Connection, ExchangeKind};

use crate::Names;
use crate::examine::{Refusal, ask};
use crate::topology::bindings;

/// The exchange that reaches every queue by its name, as rights call it.
const DEFAULT_EXCHANGE: &str = "amq.default";
/// A routing key that leads to no queue, and that nothing is bound with.
const NO_KEY: &str = "helpsync-doctor";

/// A kind of right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To declare.
    Configure,
    /// To publish to an exchange, and to bind a queue.
    Write,
    /// To consume from a queue, and to bind to an exchange.
    Read,
}

impl Right {
    /// As `rabbitmqctl set_permissions` takes them.
    pub const ALL: [Self; 3] = [Self::Configure, Self::Write, Self::Read];
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configure => "configure",
            Self::Write => "write",
            Self::Read => "read",
        })
    }
}

/// A right that the user lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MissingRight {
    /// To do what.
    pub right: Right,
    /// With which queue or exchange.
    pub name: String,
}

/// Every right that a process needs and the user lacks: to declare all names, to bind them, to publish to queues by their
/// name and to consume. What gets no answer is left out: whoever asks looks whether the connection is still there.
pub(crate) async fn missing(connection: &Connection, names: &Names) -> Vec<MissingRight> {
    let mut missing = Vec::new();
    let mut note = |right, name: &str| missing.push(MissingRight { right, name: name.to_owned() });
    let (queues, exchanges) = names.all();
    for queue in &queues {
        if is_refused(declare_queue(connection, queue).await) {
            note(Right::Configure, queue);
        }
        if is_refused(consume(connection, queue).await) {
            note(Right::Read, queue);
        }
    }
    let mut unreadable = Vec::new();
    for (queue, exchange) in bindings(names) {
        match unbind(connection, &queue, &exchange).await {
            // The broker looks at the queue first, and names what it is about.
            Err(refusal) if refusal.is_of_rights() && refusal.text.contains(&format!("'{queue}'")) => {
                note(Right::Write, &queue);
            }
            Err(refusal) if refusal.is_of_rights() && !unreadable.contains(&exchange) => {
                note(Right::Read, &exchange);
                unreadable.push(exchange);
            }
            _ => {}
        }
    }
    for exchange in &exchanges {
        if is_refused(declare_exchange(connection, exchange).await) {
            note(Right::Configure, exchange);
        }
        // To their own exchange only upstream services publish; to these two the broker does, for who may write there.
        let is_written = *exchange != names.jobs() && !unreadable.contains(exchange);
        if is_written && is_refused(unbind_exchange(connection, exchange).await) {
            note(Right::Write, exchange);
        }
    }
    // The broker closes the channel at what it refuses. Where that comes before the transaction is taken back, the client
    // knows of a closed channel only; nothing but a right closes this one.
    if publish(connection).await.is_err_and(|refusal| refusal.is_of_rights() || refusal.is_of_the_channel()) {
        note(Right::Write, DEFAULT_EXCHANGE);
    }
    missing.sort();
    missing
}

fn is_refused(answer: Result<(), Refusal>) -> bool {
    answer.is_err_and(|refusal| refusal.is_of_rights())
}

/// Arguments that no broker takes: it looks at the right first, and then makes nothing.
fn impossible(argument: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert(argument.into(), AMQPValue::Boolean(true));
    arguments
}

async fn declare_queue(connection: &Connection, queue: &str) -> Result<(), Refusal> {
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let arguments = impossible("x-message-ttl");
    ask(connection, async |channel| channel.queue_declare(queue.into(), options, arguments).await.map(drop))
        .await
}

async fn declare_exchange(connection: &Connection, exchange: &str) -> Result<(), Refusal> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let arguments = impossible("alternate-exchange");
    ask(connection, async |channel| {
        channel.exchange_declare(exchange.into(), ExchangeKind::Headers, options, arguments).await
    })
    .await
}

/// A consumer whose priority is no number is refused before it gets anything.
async fn consume(connection: &Connection, queue: &str) -> Result<(), Refusal> {
    let arguments = impossible("x-priority");
    ask(connection, async |channel| {
        // A broker that took it all the same would hand out one message, and have it back at the end of the channel.
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        channel.basic_consume(queue.into(), NO_KEY.into(), options, arguments).await.map(drop)
    })
    .await
}

/// Takes away a binding that nobody made.
async fn unbind(connection: &Connection, queue: &str, exchange: &str) -> Result<(), Refusal> {
    ask(connection, async |channel| {
        channel.queue_unbind(queue.into(), exchange.into(), NO_KEY.into(), FieldTable::default()).await
    })
    .await
}

/// The same between an exchange and itself. It needs the right to read too.
async fn unbind_exchange(connection: &Connection, exchange: &str) -> Result<(), Refusal> {
    let options = ExchangeUnbindOptions::default();
    ask(connection, async |channel| {
        let (to, from) = (exchange.into(), exchange.into());
        channel.exchange_unbind(to, from, NO_KEY.into(), options, FieldTable::default()).await
    })
    .await
}

/// Publishes to no queue, within a transaction that is taken back.
async fn publish(connection: &Connection) -> Result<(), Refusal> {
    ask(connection, async |channel| {
        channel.tx_select().await?;
        let (exchange, key) = ("".into(), NO_KEY.into());
        let options = BasicPublishOptions::default();
        channel.basic_publish(exchange, key, options, &[], BasicProperties::default()).await?;
        channel.tx_rollback().await
    })
    .await
}
