//! The port.

use async_trait::async_trait;
use helpsync_model::Lane;

use crate::{DeadLetter, Delivery, Health, Message, PublishOutcome, QueueError, QueueStats};

/// Which dead letters somebody may see and change. Publishers of several organizations may use one id, so an id alone
/// names nothing.
pub type Owned<'a> = &'a (dyn for<'b> Fn(&'b DeadLetter) -> bool + Send + Sync);

/// The installation itself: every dead letter is its own.
fn anybodys(_letter: &DeadLetter) -> bool {
    true
}

/// A durable-enough, at-least-once queue of three lanes with a dead-letter list.
#[async_trait]
pub trait Queue: Send + Sync + std::fmt::Debug {
    /// Publishes and says truthfully what became of each message: as many outcomes as messages, in their order.
    /// Publishing one id twice is harmless; it may be delivered twice.
    async fn publish(&self, messages: &[Message]) -> Vec<PublishOutcome>;

    /// Opens a consumer of one lane that holds at most `prefetch` unsettled deliveries (at least 1).
    /// Consumers of a lane share its messages; lanes do not wait for each other.
    ///
    /// # Errors
    /// [`QueueError::Closed`] after [`Queue::close`]. A broker that is away is not an error: the consumer waits for it.
    async fn consume(&self, lane: Lane, prefetch: usize) -> Result<Box<dyn Consumer>, QueueError>;

    /// Depths, for the status page.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn stats(&self) -> Result<QueueStats, QueueError>;

    /// Whether it works at present; never waits.
    fn health(&self) -> Health;

    /// The dead letters that are `owned`, oldest first, at most `limit`, those after the entry with id `after`.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn dead_letters_of(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, QueueError>;

    /// Puts the owned dead letters of this id back where they came from, as new; those of others stay. `false`: there
    /// is none.
    ///
    /// # Errors
    /// When it could not be put back; it then still is in the list.
    async fn replay_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError>;

    /// Forgets the owned dead letters of this id; those of others stay. `false`: there is none.
    ///
    /// # Errors
    /// When the broker cannot be asked; it then still is in the list.
    async fn discard_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError>;

    /// [`Queue::dead_letters_of`] everybody.
    ///
    /// # Errors
    /// As there.
    async fn dead_letters(&self, limit: usize, after: Option<&str>) -> Result<Vec<DeadLetter>, QueueError> {
        self.dead_letters_of(&anybodys, limit, after).await
    }

    /// [`Queue::replay_of`] everybody's.
    ///
    /// # Errors
    /// As there.
    async fn replay(&self, id: &str) -> Result<bool, QueueError> {
        self.replay_of(&anybodys, id).await
    }

    /// [`Queue::discard_of`] everybody's.
    ///
    /// # Errors
    /// As there.
    async fn discard(&self, id: &str) -> Result<bool, QueueError> {
        self.discard_of(&anybodys, id).await
    }

    /// Stops: consumers end with `None`, publishing is refused. Deliveries in hand can still be settled
    /// on the in-process backend; on a broker settle them before. Closing twice is harmless.
    async fn close(&self);
}

/// A stream of deliveries.
#[async_trait]
pub trait Consumer: Send + std::fmt::Debug {
    /// The next delivery; waits for one, and while `prefetch` deliveries are unsettled. `None`: the queue was closed.
    /// Cancel-safe: dropping the future loses nothing.
    async fn next(&mut self) -> Option<Delivery>;
}
