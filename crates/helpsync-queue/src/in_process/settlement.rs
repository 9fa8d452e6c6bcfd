//! A delivery of the in-process queue, from hand-out to settling.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use helpsync_model::Lane;

use super::Shared;
use super::lanes::Stored;
use crate::{Delivery, QueueError, Settlement};

/// Holds the message until it is settled; dropping it gives the message back.
#[derive(Debug)]
pub(super) struct InHand {
    shared: Arc<Shared>,
    lane: Lane,
    in_hand: Arc<AtomicUsize>,
    /// `None` once settled.
    message: Option<Stored>,
}

impl InHand {
    /// Wraps a message that was just taken from its lane.
    pub(super) fn deliver(
        shared: Arc<Shared>,
        lane: Lane,
        in_hand: Arc<AtomicUsize>,
        message: Stored,
    ) -> Delivery {
        let Stored { id, body, traceparent, returns, redelivered } = message.clone();
        let settlement = Box::new(Self { shared, lane, in_hand, message: Some(message) });
        let mut delivery = Delivery::new(id, body, settlement);
        delivery.redelivered = redelivered;
        delivery.returns = Some(returns);
        delivery.traceparent = traceparent;
        delivery
    }

    fn settled(&self) {
        self.in_hand.fetch_sub(1, Ordering::AcqRel);
        self.shared.ring(self.lane);
    }
}

#[async_trait]
impl Settlement for InHand {
    async fn ack(mut self: Box<Self>) -> Result<(), QueueError> {
        if self.message.take().is_some() {
            self.shared.lock().forget(self.lane);
            self.settled();
        }
        Ok(())
    }

    async fn release(mut self: Box<Self>) -> Result<(), QueueError> {
        if let Some(message) = self.message.take() {
            self.shared.lock().release(self.lane, message);
            self.settled();
        }
        Ok(())
    }

    async fn dead(
        mut self: Box<Self>,
        body: Vec<u8>,
        reason: &str,
        _has_no_foreign_publishers: bool,
    ) -> Result<(), QueueError> {
        let Some(message) = self.message.take() else { return Ok(()) };
        let message = Stored { body, ..message };
        let now = self.shared.clock.now();
        let buried = self.shared.lock().bury(self.lane, message, reason, now);
        self.settled();
        buried.map_err(|full| QueueError::DeadLettersFull(full.0))
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            let now = self.shared.clock.now();
            if let Err(full) = self.shared.lock().lose(self.lane, message, now) {
                tracing::error!(
                    kept = full.0,
                    "a message that kept being lost could not be kept as a dead letter"
                );
            }
            self.settled();
        }
    }
}
