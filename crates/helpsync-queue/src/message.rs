//! What goes in, and what became of it.

use helpsync_model::{Job, Lane};

/// One message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Stable over repeated publishing of the same outbox row; logged, and the key of dead letters.
    pub id: String,
    /// The body.
    pub job: Job,
    /// W3C `traceparent` of the moment the outbox row was written, if it was traced.
    pub traceparent: Option<String>,
}

impl Message {
    /// A message without a trace.
    #[must_use]
    pub fn new(id: impl Into<String>, job: Job) -> Self {
        Self { id: id.into(), job, traceparent: None }
    }

    /// The lane it travels in: the job's.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        self.job.lane
    }
}

/// What is known of one message after [`crate::Queue::publish`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishOutcome {
    /// The backend holds it as safely as it can (on RabbitMQ: on the disks of a majority).
    Stored,
    /// It is certainly not in the queue: publish again later.
    Refused(Refusal),
    /// No answer in time: it may be there or not. Publish again under the same id.
    Unknown,
}

impl PublishOutcome {
    /// Whether the outbox row may go.
    #[must_use]
    pub const fn is_stored(&self) -> bool {
        matches!(self, Self::Stored)
    }
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The lane has reached its bound.
    Full,
    /// The broker has no queue for the lane.
    Unroutable,
    /// The queue was closed.
    Closed,
    /// There was no connection to send it over, or the broker blocks publishers (text for logs).
    Unavailable(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Full => f.write_str("the lane is full"),
            Self::Unroutable => f.write_str("no queue is bound for the lane"),
            Self::Closed => f.write_str("the queue is closed"),
            Self::Unavailable(why) => write!(f, "the queue is not available: {why}"),
        }
    }
}
