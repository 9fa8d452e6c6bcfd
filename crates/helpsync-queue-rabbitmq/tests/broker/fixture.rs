//! A fresh set of queues per test.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::{Entropy, Lane, OsEntropy, SystemClock};
use helpsync_queue::conformance::Harness;
use helpsync_queue::{Origin, Queue};
use helpsync_queue_rabbitmq::{DeadLetterBounds, RabbitQueue, RabbitSettings};
use lapin::{Connection, ConnectionProperties};

pub(crate) const LATE: Duration = Duration::from_secs(30);
const LANE_CAPACITY: u32 = 50;

/// A queue of its own on the broker.
pub(crate) struct Fixture {
    pub(crate) queue: Arc<RabbitQueue>,
    url: String,
}

pub(crate) fn url() -> String {
    std::env::var("HELPSYNC_TEST_AMQP_URL").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672".to_owned())
}

/// `None`, with a word about it, when there is no broker.
pub(crate) async fn fresh() -> Option<Fixture> {
    through(&url()).await
}

/// A queue that reaches the broker through `url`.
pub(crate) async fn through(url: &str) -> Option<Fixture> {
    reading(url, DeadLetterBounds::default()).await
}

/// The same, with other bounds of a look at the dead letters.
pub(crate) async fn reading(url: &str, dead_letters: DeadLetterBounds) -> Option<Fixture> {
    let direct = self::url();
    if let Err(error) = Connection::connect(&direct, ConnectionProperties::default()).await {
        eprintln!("SKIPPED: no broker at HELPSYNC_TEST_AMQP_URL or the default: {error}");
        return None;
    }
    let settings = RabbitSettings {
        prefix: format!("helpsync-test-{}", OsEntropy.uuid().simple()),
        lane_capacity: Some(LANE_CAPACITY),
        dead_letters,
        ..RabbitSettings::new(url.to_owned().into())
    };
    let queue = RabbitQueue::start(settings, Arc::new(SystemClock), Arc::new(OsEntropy)).unwrap();
    queue.ready(LATE).await.unwrap();
    Some(Fixture { queue: Arc::new(queue), url: direct })
}

impl Fixture {
    /// What its queue was made with.
    pub(crate) fn settings(&self) -> RabbitSettings {
        let work = self.queue.names().jobs();
        let prefix = work.trim_end_matches(".jobs").to_owned();
        RabbitSettings {
            prefix,
            lane_capacity: Some(LANE_CAPACITY),
            ..RabbitSettings::new(self.url.clone().into())
        }
    }

    pub(crate) fn port(&self) -> Arc<dyn Queue> {
        Arc::clone(&self.queue) as Arc<dyn Queue>
    }

    /// A connection past the queue under test, for meddling.
    pub(crate) async fn meddler(&self) -> lapin::Channel {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        // Kept open to the end of the test's process.
        std::mem::forget(connection);
        channel
    }
}

#[async_trait]
impl Harness for Fixture {
    fn queue(&self) -> Arc<dyn Queue> {
        self.port()
    }

    async fn publish_raw(&self, lane: Lane, id: &str, body: &[u8]) {
        assert!(self.queue.publish_raw(Origin::Lane(lane), id, body.to_vec()).await.is_stored());
    }

    fn surely_full(&self) -> usize {
        LANE_CAPACITY as usize + 30
    }

    async fn clean_up(&self) {
        self.queue.close().await;
        helpsync_queue_rabbitmq::delete_topology(&self.url, self.queue.names()).await.unwrap();
    }
}
