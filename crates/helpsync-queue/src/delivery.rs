//! A message in a worker's hands.

use async_trait::async_trait;
use helpsync_model::{Job, JobError};

use crate::QueueError;

/// One message, handed to one consumer until it is settled.
///
/// Settling consumes it. Dropping it unsettled (a panic, a cancelled task) gives the message back to the
/// queue, and counts towards [`crate::DELIVERY_LIMIT`].
#[derive(Debug)]
pub struct Delivery {
    /// The publisher's [`crate::Message::id`]; empty when a foreign publisher sent none.
    pub id: String,
    /// The body as it came, and as a dead letter keeps it.
    pub body: Vec<u8>,
    /// Whether the message was handed out before. A hint: the broker may say so without anybody having seen it.
    pub redelivered: bool,
    /// How often the message came back so far, where the backend counts it. Versions of RabbitMQ count
    /// differently: for attempts, believe the store's counter.
    pub returns: Option<u32>,
    /// W3C `traceparent` of the publisher.
    pub traceparent: Option<String>,
    /// The publisher's user, where the message names one: the broker refuses a message that names another user than
    /// publishes it.
    pub user: Option<String>,
    /// Whether it is the operator's as a dead letter, whatever its body names: its publisher may not speak for that.
    pub of_operator: bool,
    settlement: Box<dyn Settlement>,
}

impl Delivery {
    /// For backends: a delivery that is settled through `settlement`.
    #[must_use]
    pub fn new(id: String, body: Vec<u8>, settlement: Box<dyn Settlement>) -> Self {
        Self {
            id,
            body,
            redelivered: false,
            returns: None,
            traceparent: None,
            user: None,
            of_operator: false,
            settlement,
        }
    }

    /// Reads the body.
    ///
    /// # Errors
    /// [`JobError`]: permanent; such a delivery belongs to [`Delivery::dead`].
    pub fn job(&self) -> Result<Job, JobError> {
        Job::from_bytes(&self.body)
    }

    /// Done: never delivered again. Call it after the effects are committed.
    ///
    /// # Errors
    /// [`QueueError::Lost`] when the message comes again all the same.
    pub async fn ack(self) -> Result<(), QueueError> {
        self.settlement.ack().await
    }

    /// Not started, hand it to somebody else now (shutdown). Never a way to wait.
    ///
    /// # Errors
    /// [`QueueError::Lost`]: it comes again anyway.
    pub async fn release(self) -> Result<(), QueueError> {
        self.settlement.release().await
    }

    /// Can never be run: moves to the dead-letter list, where a person decides.
    ///
    /// # Errors
    /// [`QueueError::Lost`] when it comes again; [`QueueError::DeadLettersFull`] when there is no room.
    pub async fn dead(self, reason: &str) -> Result<(), QueueError> {
        self.settlement.dead(self.body, reason, self.of_operator).await
    }
}

/// How a backend settles one delivery. Implementations give the message back when dropped unsettled.
#[async_trait]
pub trait Settlement: Send + Sync + std::fmt::Debug {
    /// See [`Delivery::ack`].
    async fn ack(self: Box<Self>) -> Result<(), QueueError>;
    /// See [`Delivery::release`].
    async fn release(self: Box<Self>) -> Result<(), QueueError>;
    /// See [`Delivery::dead`] and [`Delivery::of_operator`].
    async fn dead(self: Box<Self>, body: Vec<u8>, reason: &str, of_operator: bool) -> Result<(), QueueError>;
}
