//! What an operator can set.

use std::time::Duration;

use secrecy::SecretString;

use crate::dead::DeadLetterBounds;

/// Where the broker is, and bounds.
#[derive(Debug, Clone)]
pub struct RabbitSettings {
    /// `amqp://` or `amqps://`, with credentials and virtual host.
    pub url: SecretString,
    /// First word of every name on the broker.
    pub prefix: String,
    /// Messages a lane holds before it refuses; `None` leaves it to a policy on the broker. A queue keeps the value it
    /// was made with, and refuses to be declared with another.
    pub lane_capacity: Option<u32>,
    /// Whether every publisher of requests may speak for the organization that it names. Where not, what the broker itself
    /// moves to the dead letters is the operator's: nobody has looked at whose it was.
    pub trusts_publishers: bool,
    /// How much one look at the dead letters reads.
    pub dead_letters: DeadLetterBounds,
    /// For TCP, TLS and the handshake together.
    pub connect_timeout: Duration,
    /// For a window of publishes to be confirmed.
    pub confirm_timeout: Duration,
    /// For any other call.
    pub call_timeout: Duration,
}

impl RabbitSettings {
    /// The defaults, for the broker at `url`.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            prefix: "helpsync".to_owned(),
            lane_capacity: None,
            trusts_publishers: true,
            dead_letters: DeadLetterBounds::default(),
            connect_timeout: Duration::from_secs(10),
            confirm_timeout: Duration::from_secs(10),
            call_timeout: Duration::from_secs(10),
        }
    }
}
