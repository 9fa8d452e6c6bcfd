//! What an operator can set.

use std::time::Duration;

use helpsync_coordinator::DEFAULT_WINDOW;
use secrecy::SecretString;

/// Where Redis is, and bounds.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// `redis://` or `rediss://`, with credentials and database.
    pub url: SecretString,
    /// First word of every key.
    pub prefix: String,
    /// For every call.
    pub deadline: Duration,
    /// Worker processes that share the accounts. While Redis is away each permits itself half the limit divided by this.
    pub workers: u32,
    /// How long an account's limit holds.
    pub window: Duration,
}

impl RedisSettings {
    /// The defaults, for the server at `url`.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            prefix: "helpsync".to_owned(),
            deadline: Duration::from_millis(200),
            workers: 8,
            window: DEFAULT_WINDOW,
        }
    }
}
