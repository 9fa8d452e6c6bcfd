//! The queue port: how a hint that work is due travels from the outbox to a worker.
//!
//! A [`Message`] carries a [`helpsync_model::Job`] (ids only) in one of three lanes. Delivery is
//! **at least once**: a message comes back until somebody settles it, so every effect of a job must survive
//! being repeated. The store stays the truth: losing the whole queue costs time, because the sweeper
//! re-issues every due shard from the store.
//!
//! **Retry delays are not in the queue.** A shard that must wait gets its due time in the store and its
//! message is acknowledged; the releaser publishes it again when it is due. That works the same on every
//! backend, for any delay, and can be seen and cancelled. [`Delivery::release`] means "now, by somebody
//! else", never "later".
//!
//! Backends: [`InProcessQueue`] here, RabbitMQ in `helpsync-queue-rabbitmq`. Both pass the suite in the
//! `conformance` module (feature `conformance`).

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod delivery;
mod error;
mod in_process;
mod message;
mod port;
mod stats;

pub use delivery::{Delivery, Settlement};
pub use error::QueueError;
pub use in_process::{InProcessQueue, InProcessSettings};
pub use message::{Message, PublishOutcome, Refusal};
pub use port::{Consumer, Owned, Queue};
pub use stats::{DeadLetter, Health, LaneStats, Origin, QueueStats};

/// How often a delivery may be lost (dropped, or its holder died) before its message is dead-lettered: the
/// backstop against jobs that kill their worker before it could count an attempt. A message is thus
/// delivered at most `DELIVERY_LIMIT + 1` times.
pub const DELIVERY_LIMIT: u32 = 20;

/// The reason of a dead letter that passed [`DELIVERY_LIMIT`].
pub const REASON_DELIVERY_LIMIT: &str = "delivery_limit";
