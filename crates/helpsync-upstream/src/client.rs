//! The client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use helpsync_model::Request;
use lapin::uri::AMQPUri;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::link::{Link, Try};
use crate::{PublishError, UrlError};

/// How long a publish may take, unless told.
const DEADLINE: Duration = Duration::from_secs(10);
/// Before the second try; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// For a polite goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// AMQP short strings.
const ID_BYTES_MAX: usize = 255;
/// Seconds between heartbeats, unless the URL says otherwise.
const HEARTBEAT_SECONDS: u16 = 15;

/// A client of one installation's exchange. To be used within a tokio runtime.
pub struct Upstream {
    uri: AMQPUri,
    exchange: String,
    deadline: Duration,
    /// Taken out for the time of a publish: whatever interrupts it also ends the link, so that no confirm of one message
    /// is ever taken for another's.
    link: Mutex<Option<Link>>,
}

impl std::fmt::Debug for Upstream {
    /// Without the address: it holds a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { exchange, deadline, .. } = self;
        f.debug_struct("Upstream")
            .field("exchange", exchange)
            .field("deadline", deadline)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    /// A client for the broker at `url` (`amqp://` or `amqps://`); it connects at the first publish.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn new(url: &str) -> Result<Self, UrlError> {
        let mut uri: AMQPUri = url.parse().map_err(|_quotes_the_password| UrlError)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        Ok(Self { uri, exchange: exchange("helpsync"), deadline: DEADLINE, link: Mutex::new(None) })
    }

    /// For an installation whose `queue.name_prefix` is not `helpsync`.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { exchange: exchange(prefix), ..self }
    }

    /// How long a publish may take, connecting and trying again included.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Publishes `request` under a message id of your own (1 to 255 bytes). The id shows in logs, in dead letters and as
    /// the `request_id` of files; publishing twice under one id is harmless.
    ///
    /// # Errors
    /// [`PublishError`]: whether to publish again says [`PublishError::is_transient`].
    pub async fn publish(&self, id: &str, request: &Request) -> Result<(), PublishError> {
        let body = request.to_bytes();
        // The receiving side's own reader: what it would refuse stays here.
        Request::from_bytes(&body)?;
        if id.is_empty() || id.len() > ID_BYTES_MAX {
            return Err(PublishError::Id);
        }
        let deadline = Instant::now() + self.deadline;
        // Once a message was sent and not answered, it may be queued whatever becomes of later tries.
        let unanswered = AtomicBool::new(false);
        let mut pause = FIRST_PAUSE;
        loop {
            let error = match timeout_at(deadline, self.try_once(id, &body, &unanswered)).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(_elapsed) => PublishError::Unavailable("it does not answer in time".to_owned()),
            };
            if error.is_transient() && Instant::now() + pause < deadline {
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
                continue;
            }
            let unsure = error.is_transient() && unanswered.load(Ordering::Relaxed);
            return Err(if unsure { PublishError::Unknown { after: self.deadline } } else { error });
        }
    }

    async fn try_once(&self, id: &str, body: &[u8], unanswered: &AtomicBool) -> Result<(), PublishError> {
        let mut slot = self.link.lock().await;
        let link = match slot.take().filter(Link::is_usable) {
            Some(link) => link,
            None => Link::open(self.uri.clone(), &self.exchange).await?,
        };
        if link.is_blocked() {
            *slot = Some(link);
            return Err(PublishError::Unavailable("it blocks publishers (memory or disk alarm)".to_owned()));
        }
        let before = unanswered.swap(true, Ordering::Relaxed);
        match link.publish(&self.exchange, id, body).await {
            Try::Answered(answer) => {
                unanswered.store(before, Ordering::Relaxed);
                *slot = Some(link);
                answer
            }
            Try::Broken(why) => Err(PublishError::Unavailable(why)),
        }
    }

    /// Says goodbye to the broker. Dropping the client does the same without waiting.
    pub async fn close(self) {
        if let Some(link) = self.link.into_inner() {
            // Without an answer the broker notices by itself.
            drop(timeout(CLOSE_TIMEOUT, link.close()).await);
        }
    }
}

fn exchange(prefix: &str) -> String {
    format!("{prefix}.jobs")
}
