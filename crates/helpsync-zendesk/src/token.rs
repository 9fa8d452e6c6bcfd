//! The access token, as this crate sees it.

use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use thiserror::Error;

/// Why there is no usable token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The grant is dead; only a new authorization helps.
    #[error("the grant is dead: {0}")]
    Dead(String),
    /// Whatever keeps it does not answer just now: no fault of Zendesk's, nor of who asked.
    #[error("the token cannot be read: {0}")]
    StoreAway(String),
    /// What is kept cannot be read: a key is missing, and somebody has to bring it back.
    #[error("the token cannot be opened: {0}")]
    Sealed(String),
    /// It could not be read or renewed just now.
    #[error("the token is not available: {reason}")]
    Unavailable {
        /// Why.
        reason: String,
        /// When to try again, if known.
        after: Option<Duration>,
    },
}

/// Hands out a workspace's access token.
#[async_trait]
pub trait TokenSource: Send + Sync {
    /// The current token, renewed ahead of its expiry by whoever implements this.
    async fn token(&self) -> Result<SecretString, TokenError>;

    /// Zendesk refused `refused` with 401: answers with another one. When the stored token already differs from
    /// `refused`, that one is the answer and nothing is renewed (a rotated refresh token is single-use).
    async fn renew(&self, refused: &SecretString) -> Result<SecretString, TokenError>;
}
