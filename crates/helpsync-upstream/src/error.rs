//! What can become of a request that was not confirmed.

use std::time::Duration;

use helpsync_model::RequestError;
use thiserror::Error;

/// The text is no AMQP URL. It is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the broker's address is no AMQP URL: it looks like amqp://user:password@host/%2f")]
pub struct UrlError;

/// Why a request is not known to be queued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Helpsync would refuse it, so it was not sent.
    #[error("the request would be refused")]
    Invalid(#[from] RequestError),
    /// AMQP carries ids of 1 to 255 bytes.
    #[error("the message id must have 1 to 255 bytes")]
    Id,
    /// No Helpsync of this prefix has ever started on this broker.
    #[error(
        "the broker has no exchange {0:?}: start a dispatcher on this broker and virtual host first, or correct the prefix"
    )]
    NoExchange(String),
    /// The exchange is there, the queue of requests is not bound to it.
    #[error("the broker has no queue for requests: restart a dispatcher, which declares it")]
    Unroutable,
    /// The queue of requests has reached its bound: certainly not queued.
    #[error("the queue of requests is full: publish it again later")]
    Full,
    /// There was no usable connection within the deadline: certainly not queued.
    #[error("the broker is not available: {0}")]
    Unavailable(String),
    /// Sent, but not confirmed within the deadline: it may be queued or not.
    #[error(
        "the broker did not confirm within {after:?}: it may be queued, publish it again under the same id"
    )]
    Unknown {
        /// The deadline.
        after: Duration,
    },
}

impl PublishError {
    /// Whether publishing the same request again, under the same id, may succeed without anybody changing anything.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full | Self::Unavailable(_) | Self::Unknown { .. })
    }
}
