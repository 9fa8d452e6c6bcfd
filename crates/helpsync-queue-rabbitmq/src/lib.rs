//! RabbitMQ behind the queue port: quorum queues, confirms, dead letters that are moved at least once.
//!
//! The topology is described in [`Names`]. What the code guards against, each learnt from a failure of others:
//! * a broker that goes away: every connection has a supervisor with endless, jittered backoff; the client's own
//!   recovery stays off, because it gives up, and because a channel closed under it leaves a silent consumer;
//! * a blocked broker: publishing and consuming have a connection each, so acknowledgements still flow;
//! * returned messages blamed on the wrong confirm: a window's outcome is decided only when all of it is confirmed;
//! * an acknowledgement that went nowhere: it is reported as [`helpsync_queue::QueueError::Lost`];
//! * a consumer that is alive but gets nothing: a watchdog rebuilds it.
//!
//! Messages of our own go to the queues by name (the default exchange). The exchange [`Names::jobs`] is for
//! upstream services: it has an alternate exchange, and a message caught there counts as routed, so
//! `mandatory` would never report our own unroutable messages through it.

mod cleanup;
mod consumer;
mod dead;
mod examine;
mod link;
mod outgoing;
mod publisher;
mod queue;
mod rights;
mod settings;
mod settlement;
mod topology;

use std::time::Duration;

use helpsync_model::Backoff;

pub use cleanup::delete_topology;
pub use dead::DeadLetterBounds;
pub use examine::{BrokerExam, examine};
pub use queue::RabbitQueue;
pub use rights::{MissingRight, Right};
pub use settings::RabbitSettings;
pub use topology::{Names, REQUEST_ROUTING_KEY};

/// Between tries to connect or to consume; they never end.
const RECONNECT: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
