//! The port on RabbitMQ.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::{Clock, Entropy, Lane};
use helpsync_queue::{
    Consumer, DeadLetter, Health, LaneStats, Message, Origin, Owned, PublishOutcome, Queue, QueueError,
    QueueStats, Refusal,
};
use lapin::uri::AMQPUri;
use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::consumer::{RabbitConsumer, Source, depth};
use crate::dead::DeadLetters;
use crate::link::{FIRST, Link, LinkState, Supervisor};
use crate::outgoing::Outgoing;
use crate::publisher::Publisher;
use crate::settings::RabbitSettings;
use crate::settlement::Desk;
use crate::topology::{Names, origins};

/// Seconds between heartbeats, unless the URL says otherwise: a dead peer is noticed within twice that.
const HEARTBEAT_SECONDS: u16 = 15;

/// The queue on a RabbitMQ broker. Two connections: one publishes, one consumes.
#[derive(Debug)]
pub struct RabbitQueue {
    names: Names,
    settings: RabbitSettings,
    publishing: Link,
    consuming: Link,
    desk: Arc<Desk>,
    dead: DeadLetters,
    entropy: Arc<dyn Entropy>,
    unsettled: HashMap<Origin, Arc<AtomicU64>>,
    rebuilds: Arc<AtomicU64>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl RabbitQueue {
    /// Starts connecting and returns; a broker that is away is waited for. `clock` dates dead letters, `entropy`
    /// spreads reconnects. To be called within a tokio runtime.
    ///
    /// # Errors
    /// [`QueueError::Unavailable`] when the URL is not an AMQP URL.
    pub fn start(
        settings: RabbitSettings,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, QueueError> {
        // The parser's message may quote the URL, which holds the password.
        let mut uri: AMQPUri = settings
            .url
            .expose_secret()
            .parse()
            .map_err(|_quotes| QueueError::Unavailable("the queue URL is not an AMQP URL".to_owned()))?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let names = Names::new(settings.prefix.clone()).of_user(&uri.authority.userinfo.username);
        let shutdown = CancellationToken::new();
        let tasks = TaskTracker::new();
        let outage = Arc::default();
        let link = |name| {
            let supervisor = Supervisor {
                uri: uri.clone(),
                name,
                settings: settings.clone(),
                names: names.clone(),
                entropy: Arc::clone(&entropy),
                shutdown: shutdown.clone(),
                outage: Arc::clone(&outage),
            };
            Link::start(supervisor, &tasks)
        };
        let (publishing, consuming) = (link(FIRST), link("consuming"));
        tasks.close();
        let desk = Arc::new(Desk {
            names: names.clone(),
            publisher: Arc::new(Publisher::new(publishing.clone(), settings.confirm_timeout)),
            clock,
            call_timeout: settings.call_timeout,
        });
        let dead = DeadLetters {
            link: consuming.clone(),
            names: names.clone(),
            trusts_publishers: settings.trusts_publishers,
            bounds: settings.dead_letters,
            one_at_a_time: Default::default(),
        };
        let unsettled = origins().map(|origin| (origin, Arc::default())).collect();
        Ok(Self {
            names,
            settings,
            publishing,
            consuming,
            desk,
            dead,
            entropy,
            unsettled,
            rebuilds: Arc::default(),
            shutdown,
            tasks,
        })
    }

    /// Waits until both connections are up and the topology is declared.
    ///
    /// # Errors
    /// [`QueueError::Timeout`] when it takes longer than `within`.
    pub async fn ready(&self, within: Duration) -> Result<(), QueueError> {
        let both = async {
            self.publishing.up().await?;
            self.consuming.up().await
        };
        match tokio::time::timeout(within, both).await {
            Ok(up) => up,
            Err(_elapsed) => Err(QueueError::Timeout { action: "connect", after: within }),
        }
    }

    /// The names on the broker.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// Consumers that had to be rebuilt since the start, for metrics.
    #[must_use]
    pub fn rebuilds(&self) -> u64 {
        self.rebuilds.load(Ordering::Relaxed)
    }

    /// A consumer of the requests that upstream services publish; the bodies are theirs, in the documented form.
    ///
    /// # Errors
    /// [`QueueError::Closed`] after closing.
    pub fn consume_requests(&self, prefetch: usize) -> Result<Box<dyn Consumer>, QueueError> {
        self.consumer(Origin::Requests, prefetch)
    }

    /// Requests of upstream services that nobody has taken yet.
    ///
    /// # Errors
    /// [`QueueError`] when the broker cannot be asked.
    pub async fn waiting_requests(&self) -> Result<u64, QueueError> {
        depth(&self.consuming, &self.names.work(Origin::Requests)).await
    }

    /// Publishes any bytes into the queue of `origin`.
    pub async fn publish_raw(&self, origin: Origin, id: &str, body: Vec<u8>) -> PublishOutcome {
        let outgoing = Outgoing::raw(&self.names, origin, id, body, None);
        self.desk.publisher.publish(&[outgoing]).await.pop().unwrap_or(PublishOutcome::Unknown)
    }

    fn consumer(&self, origin: Origin, prefetch: usize) -> Result<Box<dyn Consumer>, QueueError> {
        if self.shutdown.is_cancelled() {
            return Err(QueueError::Closed);
        }
        let source = Source {
            link: self.consuming.clone(),
            origin,
            desk: Arc::clone(&self.desk),
            lane_capacity: self.settings.lane_capacity,
            entropy: Arc::clone(&self.entropy),
            shutdown: self.shutdown.clone(),
            unsettled: Arc::clone(&self.unsettled[&origin]),
            rebuilds: Arc::clone(&self.rebuilds),
        };
        Ok(Box::new(RabbitConsumer::new(source, prefetch)))
    }
}

#[async_trait]
impl Queue for RabbitQueue {
    async fn publish(&self, messages: &[Message]) -> Vec<PublishOutcome> {
        if self.shutdown.is_cancelled() {
            return vec![PublishOutcome::Refused(Refusal::Closed); messages.len()];
        }
        let outgoing: Vec<_> = messages.iter().map(|message| Outgoing::job(&self.names, message)).collect();
        self.desk.publisher.publish(&outgoing).await
    }

    async fn consume(&self, lane: Lane, prefetch: usize) -> Result<Box<dyn Consumer>, QueueError> {
        self.consumer(Origin::Lane(lane), prefetch)
    }

    async fn stats(&self) -> Result<QueueStats, QueueError> {
        let mut stats = QueueStats::default();
        for lane in Lane::ALL {
            let origin = Origin::Lane(lane);
            let ready = depth(&self.consuming, &self.names.work(origin)).await?;
            let unsettled = self.unsettled[&origin].load(Ordering::Acquire);
            stats.lanes.insert(lane, LaneStats { ready, unsettled });
        }
        stats.dead = depth(&self.consuming, &self.names.dead()).await?;
        Ok(stats)
    }

    fn health(&self) -> Health {
        match (self.publishing.state(), self.consuming.state()) {
            (LinkState::Up(_), LinkState::Up(_)) if self.publishing.is_blocked() => {
                Health::Degraded("the broker blocks publishers".to_owned())
            }
            (LinkState::Up(_), LinkState::Up(_)) => Health::Up,
            (LinkState::Down(why), LinkState::Up(_)) => Health::Degraded(format!("cannot publish: {why}")),
            (LinkState::Up(_), LinkState::Down(why)) => Health::Degraded(format!("cannot consume: {why}")),
            (LinkState::Down(why), LinkState::Down(_)) => Health::Down(why),
        }
    }

    async fn dead_letters_of(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        self.dead.list(owned, limit, after).await
    }

    async fn replay_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        self.dead.replay(owned, id, &self.desk.publisher).await
    }

    async fn discard_of(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        self.dead.discard(owned, id).await
    }

    async fn close(&self) {
        self.shutdown.cancel();
        self.tasks.wait().await;
    }
}

impl Drop for RabbitQueue {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}
