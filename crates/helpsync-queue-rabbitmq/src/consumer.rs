//! A consumer that survives its channel.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use helpsync_model::{Entropy, chain};
use helpsync_queue::{Consumer, Delivery, Origin, QueueError};
use lapin::Channel;
use lapin::options::{
    BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::link::Link;
use crate::settlement::{Desk, InHand};
use crate::{RECONNECT, topology};

/// How often an idle consumer looks whether its channel is still there.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// A consumer with room that got nothing for this long asks whether there is something, and rebuilds itself if so.
const SUSPICIOUS_SILENCE: Duration = Duration::from_secs(60);
/// The broker's bound for quorum queues.
const PREFETCH_MAX: u16 = 2_000;
/// For handing back what was prefetched when a consumer ends.
const HAND_BACK_TIMEOUT: Duration = Duration::from_secs(5);

/// What every consumer of a queue shares.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) link: Link,
    pub(crate) origin: Origin,
    pub(crate) desk: Arc<Desk>,
    pub(crate) lane_capacity: Option<u32>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shutdown: CancellationToken,
    /// Deliveries of this origin in this process's hands.
    pub(crate) unsettled: Arc<AtomicU64>,
    /// Consumers rebuilt since the start.
    pub(crate) rebuilds: Arc<AtomicU64>,
}

/// An open channel with a consumer on it.
#[derive(Debug)]
struct Stream {
    channel: Channel,
    consumer: lapin::Consumer,
}

/// See [`Consumer`].
#[derive(Debug)]
pub(crate) struct RabbitConsumer {
    source: Source,
    prefetch: u16,
    stream: Option<Stream>,
    /// Opening goes on in a task, so that cancelling `next` does not start it over.
    opening: Option<JoinHandle<Stream>>,
    last_delivery: Instant,
}

impl RabbitConsumer {
    pub(crate) fn new(source: Source, prefetch: usize) -> Self {
        let prefetch = u16::try_from(prefetch).unwrap_or(PREFETCH_MAX).clamp(1, PREFETCH_MAX);
        let mut consumer =
            Self { source, prefetch, stream: None, opening: None, last_delivery: Instant::now() };
        consumer.start_opening();
        consumer
    }

    fn start_opening(&mut self) {
        self.opening = Some(tokio::spawn(open(self.source.clone(), self.prefetch)));
    }

    /// The open stream; opens one if there is none. Cancel-safe.
    async fn stream(&mut self) -> &mut Stream {
        while self.stream.is_none() {
            if let Some(opening) = &mut self.opening {
                let opened = opening.await;
                self.opening = None;
                // A panic in the opening task starts it over.
                self.stream = opened.ok();
                self.last_delivery = Instant::now();
            } else {
                self.start_opening();
            }
        }
        self.stream.as_mut().expect("just filled")
    }

    /// Gives up the stream. Deliveries in hand keep their channel; what was only prefetched goes back.
    fn abandon(&mut self, why: &str) {
        if let Some(stream) = self.stream.take() {
            self.source.rebuilds.fetch_add(1, Ordering::Relaxed);
            if self.source.link.is_up() {
                tracing::warn!(queue = %self.source.origin, why, "rebuilding a consumer");
            } else {
                // The link has told of it.
                tracing::debug!(queue = %self.source.origin, why, "rebuilding a consumer");
            }
            hand_back(stream);
        }
    }

    /// Whether the stream should have delivered something by now.
    async fn is_stuck(&self) -> Option<&'static str> {
        let stream = self.stream.as_ref()?;
        if !stream.channel.status().connected() {
            return Some("its channel is gone");
        }
        let has_room = self.source.unsettled.load(Ordering::Acquire) < u64::from(self.prefetch);
        if self.last_delivery.elapsed() < SUSPICIOUS_SILENCE || !has_room {
            return None;
        }
        match depth(&self.source.link, &self.source.desk.names.work(self.source.origin)).await {
            Ok(ready) if ready > 0 => Some("messages wait, but none comes"),
            Ok(_) => None,
            Err(_unreachable) => None,
        }
    }
}

#[async_trait]
impl Consumer for RabbitConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        let shutdown = self.source.shutdown.clone();
        loop {
            if shutdown.is_cancelled() {
                return None;
            }
            let event = tokio::select! {
                () = shutdown.cancelled() => return None,
                event = async {
                    let stream = self.stream().await;
                    tokio::time::timeout(CHECK_EVERY, stream.consumer.next()).await
                } => event,
            };
            match event {
                Ok(Some(Ok(message))) => {
                    self.last_delivery = Instant::now();
                    let channel = self.stream.as_ref()?.channel.clone();
                    let Source { desk, origin, unsettled, .. } = &self.source;
                    return Some(InHand::deliver(
                        Arc::clone(desk),
                        *origin,
                        channel,
                        Arc::clone(unsettled),
                        message,
                    ));
                }
                // Whatever the error, this stream will deliver nothing more.
                Ok(Some(Err(error))) => self.abandon(&chain(&error)),
                Ok(None) => self.abandon("the broker cancelled it"),
                Err(_idle) => {
                    if let Some(why) = self.is_stuck().await {
                        self.abandon(why);
                    }
                }
            }
        }
    }
}

impl Drop for RabbitConsumer {
    fn drop(&mut self) {
        if let Some(opening) = self.opening.take() {
            opening.abort();
        }
        if let Some(stream) = self.stream.take() {
            hand_back(stream);
        }
    }
}

/// Opens a stream, however long it takes.
async fn open(source: Source, prefetch: u16) -> Stream {
    let mut failures = 0u32;
    loop {
        match try_open(&source, prefetch, failures > 0).await {
            Ok(stream) => return stream,
            Err(error) => {
                if failures == 1 && source.link.is_up() {
                    tracing::warn!(queue = %source.origin, error = chain(&error), "cannot consume");
                } else {
                    // The link has told of it, or it may be the end of an outage.
                    tracing::debug!(queue = %source.origin, error = chain(&error), failures, "cannot consume");
                }
            }
        }
        failures = failures.saturating_add(1);
        tokio::time::sleep(RECONNECT.wait(failures, source.entropy.as_ref())).await;
    }
}

/// `declare`: the queue may have been deleted under us, so put it back first.
async fn try_open(source: &Source, prefetch: u16, declare: bool) -> Result<Stream, QueueError> {
    let link = &source.link;
    link.up().await?;
    let names = &source.desk.names;
    if declare {
        let channel = link.channel().await?;
        link.call("declare the queues", topology::declare(&channel, names, source.lane_capacity)).await?;
    }
    let channel = link.channel().await?;
    link.call("set the prefetch", channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
    let consume = channel.basic_consume(
        names.work(source.origin).into(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let consumer = link.call("consume", consume).await?;
    Ok(Stream { channel, consumer })
}

/// Cancels, and gives back what had been prefetched and not handed out, now rather than with the channel's end.
fn hand_back(stream: Stream) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    runtime.spawn(async move {
        let Stream { channel, mut consumer } = stream;
        let all = async {
            channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
            while let Some(message) = consumer.next().await {
                message?.nack(BasicNackOptions { requeue: true, multiple: false }).await?;
            }
            Ok::<(), lapin::Error>(())
        };
        match tokio::time::timeout(HAND_BACK_TIMEOUT, all).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::debug!(error = chain(&error), "prefetched messages go back with their channel");
            }
            Err(_elapsed) => tracing::debug!("prefetched messages go back when their channel ends"),
        }
    });
}

/// Messages waiting in `queue`, asked on a channel of its own: a missing queue closes it.
pub(crate) async fn depth(link: &Link, queue: &str) -> Result<u64, QueueError> {
    let channel = link.channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declare = channel.queue_declare(queue.into(), options, FieldTable::default());
    let found = link.call("count messages", declare).await?;
    Ok(found.message_count().into())
}
