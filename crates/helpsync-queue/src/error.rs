//! What can go wrong with a queue.

use std::time::Duration;

use thiserror::Error;

/// Why a queue operation did not happen, or is not known to have happened.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue was closed by [`crate::Queue::close`].
    #[error("the queue is closed")]
    Closed,
    /// The delivery's channel is gone, so settling it had no effect: the message comes again. Count it and
    /// go on; repeating a job is harmless.
    #[error("the delivery was lost before it was settled; it will come again")]
    Lost,
    /// The dead-letter list has no room; the message was logged in full and is not kept.
    #[error("the dead-letter list is full ({0} entries)")]
    DeadLettersFull(usize),
    /// The broker cannot be reached, or refused.
    #[error("the queue is not available: {0}")]
    Unavailable(String),
    /// No answer in time: whether it happened is not known.
    #[error("no answer from the queue within {after:?} while it should {action}")]
    Timeout {
        /// What was asked for.
        action: &'static str,
        /// The deadline that passed.
        after: Duration,
    },
}
