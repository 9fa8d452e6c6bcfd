//! The queue of the embedded mode: three bounded lists in memory.
//!
//! Nothing outlives the process, and nothing needs to: after a crash the sweeper re-issues every due shard
//! from the store. For the same reason a full lane refuses (the outbox row stays and is published later).

mod lanes;
mod settlement;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use helpsync_model::{Clock, Lane};
use tokio::sync::Notify;

use self::lanes::{Lanes, Stored};
use self::settlement::InHand;
use crate::{
    Consumer, DeadLetter, Delivery, Health, Message, Owned, PublishOutcome, Queue, QueueError, QueueStats,
    Refusal,
};

/// Bounds of an [`InProcessQueue`].
#[derive(Debug, Clone, Copy)]
pub struct InProcessSettings {
    /// Messages a lane holds, waiting and unsettled together.
    pub lane_capacity: usize,
    /// Dead letters kept. When there are more, the newest is refused and logged in full: the oldest may be the
    /// cause of the others, so it is kept.
    pub dead_capacity: usize,
}

impl Default for InProcessSettings {
    fn default() -> Self {
        Self { lane_capacity: 10_000, dead_capacity: 10_000 }
    }
}

/// A queue in this process's memory. Clones share the same lanes.
#[derive(Debug, Clone)]
pub struct InProcessQueue {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    lanes: Mutex<Lanes>,
    /// Rung whenever a consumer of the lane might find something new: a message, a free prefetch slot, the end.
    bells: [Notify; Lane::ALL.len()],
    clock: Arc<dyn Clock>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lanes> {
        // Every change is made whole before the lock opens, so a poisoned lock still guards sound lists.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, lane: Lane) {
        self.bells[lane as usize].notify_waiters();
    }
}

impl InProcessQueue {
    /// An empty queue; `clock` dates dead letters.
    #[must_use]
    pub fn new(settings: InProcessSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            shared: Arc::new(Shared {
                lanes: Mutex::new(Lanes::new(settings)),
                bells: Lane::ALL.map(|_| Notify::new()),
                clock,
            }),
        }
    }

    fn put(&self, lane: Lane, message: Stored) -> PublishOutcome {
        let outcome = self.shared.lock().put(lane, message);
        if outcome.is_stored() {
            self.shared.ring(lane);
        }
        outcome
    }

    /// Any bytes, for the conformance suite.
    #[cfg(test)]
    pub(crate) fn publish_raw(&self, lane: Lane, id: &str, body: &[u8]) -> PublishOutcome {
        self.put(lane, Stored::new(id.to_owned(), body.to_vec(), None))
    }
}

#[async_trait]
impl Queue for InProcessQueue {
    async fn publish(&self, messages: &[Message]) -> Vec<PublishOutcome> {
        messages
            .iter()
            .map(|message| {
                let stored =
                    Stored::new(message.id.clone(), message.job.to_bytes(), message.traceparent.clone());
                self.put(message.lane(), stored)
            })
            .collect()
    }

    async fn consume(&self, lane: Lane, prefetch: usize) -> Result<Box<dyn Consumer>, QueueError> {
        if self.shared.lock().is_closed() {
            return Err(QueueError::Closed);
        }
        Ok(Box::new(InProcessConsumer {
            shared: Arc::clone(&self.shared),
            lane,
            prefetch: prefetch.max(1),
            in_hand: Arc::default(),
        }))
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        Ok(self.shared.lock().stats())
    }

    fn health(&self) -> Health {
        if self.shared.lock().is_closed() { Health::Down("closed".to_owned()) } else { Health::Up }
    }

    async fn dead_letters_of(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        Ok(self.shared.lock().dead_letters(owned, limit, after))
    }

    async fn replay_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        let replayed = self.shared.lock().replay(owned, id);
        match replayed {
            Ok(Some(lane)) => {
                self.shared.ring(lane);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(refusal) => Err(match refusal {
                Refusal::Closed => QueueError::Closed,
                other => QueueError::Unavailable(other.to_string()),
            }),
        }
    }

    async fn discard_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        Ok(self.shared.lock().discard(owned, id))
    }

    async fn close(&self) {
        self.shared.lock().close();
        for lane in Lane::ALL {
            self.shared.ring(lane);
        }
    }
}

#[derive(Debug)]
struct InProcessConsumer {
    shared: Arc<Shared>,
    lane: Lane,
    prefetch: usize,
    /// Unsettled deliveries of this consumer.
    in_hand: Arc<AtomicUsize>,
}

impl InProcessConsumer {
    /// What there is now; `Err(())` when the queue is closed.
    fn take(&self) -> Result<Option<Delivery>, Ended> {
        let mut lanes = self.shared.lock();
        if lanes.is_closed() {
            return Err(Ended);
        }
        // Only this consumer raises the count, so the check cannot be overtaken.
        if self.in_hand.load(Ordering::Acquire) >= self.prefetch {
            return Ok(None);
        }
        let Some(message) = lanes.take(self.lane) else { return Ok(None) };
        self.in_hand.fetch_add(1, Ordering::AcqRel);
        Ok(Some(InHand::deliver(Arc::clone(&self.shared), self.lane, Arc::clone(&self.in_hand), message)))
    }
}

/// The queue was closed.
struct Ended;

#[async_trait]
impl Consumer for InProcessConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        loop {
            let bell = self.shared.bells[self.lane as usize].notified();
            tokio::pin!(bell);
            // Listening starts before looking, so a message put in between is not missed.
            bell.as_mut().enable();
            match self.take() {
                Err(Ended) => return None,
                Ok(Some(delivery)) => return Some(delivery),
                Ok(None) => bell.await,
            }
        }
    }
}
