//! A delivery from the broker, from hand-out to settling.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::{Clock, chain};
use helpsync_queue::{DeadLetter, Delivery, Origin, QueueError, Settlement};
use lapin::Acker;
use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};
use lapin::types::AMQPValue;

use crate::outgoing::{Outgoing, TRACEPARENT};
use crate::publisher::Publisher;
use crate::topology::Names;

/// What settling needs beyond the delivery itself.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) names: Names,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) call_timeout: Duration,
}

/// One unsettled delivery.
#[derive(Debug)]
pub(crate) struct InHand {
    desk: Arc<Desk>,
    origin: Origin,
    id: String,
    /// `None` once settled. Acknowledging goes through the delivery's own acker: tags restart with each channel.
    acker: Option<Acker>,
    /// Closes when the last handle goes; a delivery keeps its channel open.
    _channel: lapin::Channel,
    /// Deliveries of this origin in this process's hands.
    unsettled: Arc<AtomicU64>,
}

impl InHand {
    pub(crate) fn deliver(
        desk: Arc<Desk>,
        origin: Origin,
        channel: lapin::Channel,
        unsettled: Arc<AtomicU64>,
        message: lapin::message::Delivery,
    ) -> Delivery {
        let id = message.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        let header = |name: &str| message.properties.headers().as_ref().and_then(|all| all.inner().get(name));
        let returns = header("x-delivery-count").and_then(number);
        let traceparent = header(TRACEPARENT).and_then(text);
        let user = message.properties.user_id().as_ref().map(ToString::to_string);
        unsettled.fetch_add(1, Ordering::AcqRel);
        let body = message.data;
        let settlement = Box::new(Self {
            desk,
            origin,
            id: id.clone(),
            acker: Some(message.acker),
            _channel: channel,
            unsettled,
        });
        let mut delivery = Delivery::new(id, body, settlement);
        delivery.redelivered = message.redelivered;
        delivery.returns = returns.and_then(|count| u32::try_from(count).ok());
        delivery.traceparent = traceparent;
        delivery.user = user;
        delivery
    }

    fn take(&mut self) -> Option<Acker> {
        let acker = self.acker.take();
        if acker.is_some() {
            self.unsettled.fetch_sub(1, Ordering::AcqRel);
        }
        acker
    }

    /// `Ok(false)` from the client means that the channel is gone and nothing was sent.
    async fn settled(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<bool, lapin::Error>>,
    ) -> Result<(), QueueError> {
        let after = self.desk.call_timeout;
        match tokio::time::timeout(after, call).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false) | Err(_)) => Err(QueueError::Lost),
            Err(_elapsed) => Err(QueueError::Timeout { action, after }),
        }
    }
}

#[async_trait]
impl Settlement for InHand {
    async fn ack(mut self: Box<Self>) -> Result<(), QueueError> {
        let Some(acker) = self.take() else { return Ok(()) };
        self.settled("acknowledge", acker.ack(BasicAckOptions::default())).await
    }

    async fn release(mut self: Box<Self>) -> Result<(), QueueError> {
        let Some(acker) = self.take() else { return Ok(()) };
        let back = BasicNackOptions { requeue: true, multiple: false };
        self.settled("release", acker.nack(back)).await
    }

    /// Publishes a copy with the reason, then acknowledges. A crash between leaves two; replaying and discarding
    /// take all copies of an id. When the copy cannot be stored, the broker moves the message itself, without the reason.
    async fn dead(
        mut self: Box<Self>,
        body: Vec<u8>,
        reason: &str,
        of_operator: bool,
    ) -> Result<(), QueueError> {
        let Desk { names, publisher, clock, .. } = &*self.desk;
        let letter = DeadLetter {
            id: self.id.clone(),
            origin: self.origin,
            body,
            reason: reason.to_owned(),
            died_at: clock.now(),
            of_operator,
        };
        let copy = Outgoing::dead(names, letter);
        let stored = publisher.publish(&[copy]).await.iter().all(helpsync_queue::PublishOutcome::is_stored);
        let Some(acker) = self.take() else { return Ok(()) };
        if stored {
            return self.settled("acknowledge", acker.ack(BasicAckOptions::default())).await;
        }
        tracing::warn!(
            id = self.id,
            reason,
            "the reason of a dead letter could not be stored; the broker moves it"
        );
        self.settled("dead-letter", acker.reject(BasicRejectOptions { requeue: false })).await
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        let Some(acker) = self.take() else { return };
        // Without a runtime the connection is ending, and that gives it back as well.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let channel = self._channel.clone();
        runtime.spawn(async move {
            // A reject, not a nack: on every version of the broker it counts towards the delivery limit.
            if let Err(error) = acker.reject(BasicRejectOptions { requeue: true }).await {
                tracing::debug!(error = chain(&error), "a dropped delivery comes back with its channel");
            }
            drop(channel);
        });
    }
}

/// An AMQP integer of any width.
pub(crate) fn number(value: &AMQPValue) -> Option<i64> {
    match value {
        AMQPValue::ShortShortInt(n) => Some((*n).into()),
        AMQPValue::ShortShortUInt(n) => Some((*n).into()),
        AMQPValue::ShortInt(n) => Some((*n).into()),
        AMQPValue::ShortUInt(n) => Some((*n).into()),
        AMQPValue::LongInt(n) => Some((*n).into()),
        AMQPValue::LongUInt(n) => Some((*n).into()),
        AMQPValue::LongLongInt(n) => Some(*n),
        _ => None,
    }
}

/// An AMQP text; what is not UTF-8 in it is replaced.
pub(crate) fn text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}
