//! The port.

use async_trait::async_trait;
use helpsync_model::Lane;

use crate::{DeadLetter, Delivery, Health, Message, PublishOutcome, QueueError, QueueStats};

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

    /// The dead letters, oldest first, at most `limit`, those after the entry with id `after`.
    ///
    /// # Errors
    /// When the broker cannot be asked.
    async fn dead_letters(&self, limit: usize, after: Option<&str>) -> Result<Vec<DeadLetter>, QueueError>;

    /// Puts the dead letter back where it came from, as new. `false`: there is none of this id.
    ///
    /// # Errors
    /// When it could not be put back; it then still is in the list.
    async fn replay(&self, id: &str) -> Result<bool, QueueError>;

    /// Forgets a dead letter. `false`: there is none of this id.
    ///
    /// # Errors
    /// When the broker cannot be asked; it then still is in the list.
    async fn discard(&self, id: &str) -> Result<bool, QueueError>;

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
