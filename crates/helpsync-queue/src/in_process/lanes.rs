//! The lists and their rules, without waiting or locking.

use std::collections::VecDeque;

use helpsync_model::{Lane, Timestamp};

use super::InProcessSettings;
use crate::{
    DELIVERY_LIMIT, DeadLetter, LaneStats, Origin, Owned, PublishOutcome, QueueStats, REASON_DELIVERY_LIMIT,
    Refusal,
};

/// A message at rest.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) body: Vec<u8>,
    pub(super) traceparent: Option<String>,
    /// Losses so far.
    pub(super) returns: u32,
    /// Whether it was handed out before.
    pub(super) redelivered: bool,
}

impl Stored {
    pub(super) fn new(id: String, body: Vec<u8>, traceparent: Option<String>) -> Self {
        Self { id, body, traceparent, returns: 0, redelivered: false }
    }
}

/// The dead-letter list had no room.
#[derive(Debug)]
pub(super) struct NoRoom(pub(super) usize);

#[derive(Debug, Default)]
struct LaneState {
    ready: VecDeque<Stored>,
    unsettled: usize,
}

/// All lists of one queue.
#[derive(Debug)]
pub(super) struct Lanes {
    lanes: [LaneState; Lane::ALL.len()],
    dead: VecDeque<DeadLetter>,
    settings: InProcessSettings,
    closed: bool,
}

impl Lanes {
    pub(super) fn new(settings: InProcessSettings) -> Self {
        Self { lanes: Default::default(), dead: VecDeque::new(), settings, closed: false }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
    }

    pub(super) fn put(&mut self, lane: Lane, message: Stored) -> PublishOutcome {
        match self.room(lane) {
            Ok(()) => {
                self.lanes[lane as usize].ready.push_back(message);
                PublishOutcome::Stored
            }
            Err(refusal) => PublishOutcome::Refused(refusal),
        }
    }

    /// Unsettled messages keep their place, so that giving one back never exceeds the bound.
    fn room(&self, lane: Lane) -> Result<(), Refusal> {
        let state = &self.lanes[lane as usize];
        if self.closed {
            Err(Refusal::Closed)
        } else if state.ready.len() + state.unsettled >= self.settings.lane_capacity {
            Err(Refusal::Full)
        } else {
            Ok(())
        }
    }

    pub(super) fn take(&mut self, lane: Lane) -> Option<Stored> {
        let state = &mut self.lanes[lane as usize];
        let message = state.ready.pop_front()?;
        state.unsettled += 1;
        Some(message)
    }

    /// Settled for good.
    pub(super) fn forget(&mut self, lane: Lane) {
        self.lanes[lane as usize].unsettled -= 1;
    }

    /// Back to the head: it was next, and nobody started it.
    pub(super) fn release(&mut self, lane: Lane, message: Stored) {
        let state = &mut self.lanes[lane as usize];
        state.unsettled -= 1;
        state.ready.push_front(Stored { redelivered: true, ..message });
    }

    /// Back to the tail, so that a message that kills its holders does not stand before the others; dead when
    /// it did so too often.
    pub(super) fn lose(&mut self, lane: Lane, message: Stored, now: Timestamp) -> Result<(), NoRoom> {
        let message = Stored { returns: message.returns + 1, redelivered: true, ..message };
        if message.returns > DELIVERY_LIMIT {
            return self.bury(lane, message, REASON_DELIVERY_LIMIT, now);
        }
        let state = &mut self.lanes[lane as usize];
        state.unsettled -= 1;
        state.ready.push_back(message);
        Ok(())
    }

    /// To the dead-letter list. Without room the message is logged in full and not kept.
    pub(super) fn bury(
        &mut self,
        lane: Lane,
        message: Stored,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), NoRoom> {
        self.forget(lane);
        if self.dead.len() >= self.settings.dead_capacity {
            tracing::error!(
                id = message.id, %lane, reason, body = &*String::from_utf8_lossy(&message.body),
                "the dead-letter list is full; this message is not kept"
            );
            return Err(NoRoom(self.settings.dead_capacity));
        }
        self.dead.push_back(DeadLetter {
            id: message.id,
            origin: Origin::Lane(lane),
            body: message.body,
            reason: reason.to_owned(),
            died_at: now,
            of_operator: false,
        });
        Ok(())
    }

    pub(super) fn dead_letters(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Vec<DeadLetter> {
        let start = match after {
            None => 0,
            // An entry that has gone meanwhile ends the listing rather than starting it over.
            Some(id) => {
                let last = self.dead.iter().rposition(|letter| letter.id == id && owned(letter));
                last.map_or(self.dead.len(), |at| at + 1)
            }
        };
        self.dead.iter().skip(start).filter(|letter| owned(letter)).take(limit).cloned().collect()
    }

    /// Puts a dead letter back as new; every owned copy of the id leaves the list. Returns the lane.
    pub(super) fn replay(&mut self, owned: Owned<'_>, id: &str) -> Result<Option<Lane>, Refusal> {
        let letter = self.dead.iter().find(|letter| letter.id == id && owned(letter));
        let Some(letter) = letter else { return Ok(None) };
        let Origin::Lane(lane) = letter.origin else { return Ok(None) };
        self.room(lane)?;
        let message = Stored::new(letter.id.clone(), letter.body.clone(), None);
        self.lanes[lane as usize].ready.push_back(message);
        self.discard(owned, id);
        Ok(Some(lane))
    }

    pub(super) fn discard(&mut self, owned: Owned<'_>, id: &str) -> bool {
        let before = self.dead.len();
        self.dead.retain(|letter| letter.id != id || !owned(letter));
        self.dead.len() < before
    }

    pub(super) fn stats(&self) -> QueueStats {
        QueueStats {
            lanes: Lane::ALL
                .into_iter()
                .map(|lane| {
                    let state = &self.lanes[lane as usize];
                    (lane, LaneStats { ready: state.ready.len() as u64, unsettled: state.unsettled as u64 })
                })
                .collect(),
            dead: self.dead.len() as u64,
        }
    }
}
