//! What can be seen from outside.

use std::collections::BTreeMap;

use helpsync_model::{Lane, Timestamp};
use serde::Serialize;

/// Depths of the whole queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Every lane has an entry.
    pub lanes: BTreeMap<Lane, LaneStats>,
    /// Messages in the dead-letter list, waiting for a person.
    pub dead: u64,
}

/// Depths of a lane.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LaneStats {
    /// Messages waiting for a consumer.
    pub ready: u64,
    /// Deliveries that consumers of *this process* hold.
    pub unsettled: u64,
}

/// Whether a queue works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "why", rename_all = "snake_case")]
pub enum Health {
    /// Publishing and consuming.
    Up,
    /// Partly: the text says what does not work (for example: the broker blocks publishers).
    Degraded(String),
    /// Not connected, or closed.
    Down(String),
}

/// Where a dead letter was when it died; replaying returns it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// One of the lanes.
    Lane(Lane),
    /// The queue of requests published by upstream services (RabbitMQ only).
    Requests,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lane(lane) => lane.fmt(f),
            Self::Requests => f.write_str("requests"),
        }
    }
}

/// A message that could not be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The message's id.
    pub id: String,
    /// Where it was.
    pub origin: Origin,
    /// The body as it came, valid or not.
    pub body: Vec<u8>,
    /// Why: the text given to [`crate::Delivery::dead`], or [`crate::REASON_DELIVERY_LIMIT`].
    pub reason: String,
    /// When.
    pub died_at: Timestamp,
    /// Whether it is the operator's, whatever the body names: see [`crate::Delivery::of_operator`].
    pub of_operator: bool,
}
