//! Publishing in windows, with the truth about every message.

use std::collections::HashSet;
use std::time::Duration;

use helpsync_model::chain;
use helpsync_queue::{PublishOutcome, QueueError, Refusal};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation, PublisherConfirm};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::link::Link;
use crate::outgoing::Outgoing;

/// Messages sent before their confirms are awaited: enough to hide the latency of the disks.
const WINDOW: usize = 200;

/// The publishing side: one channel in confirm mode, used by one caller at a time.
#[derive(Debug)]
pub(crate) struct Publisher {
    link: Link,
    /// Taken out for the time of a window: whatever interrupts the window also ends the channel, so that no
    /// confirm of one window is ever taken for another's.
    channel: Mutex<Option<Channel>>,
    confirm_timeout: Duration,
}

/// One message's part in a window.
#[derive(Debug)]
enum Sent {
    Awaiting(PublisherConfirm),
    Decided(PublishOutcome),
}

impl Publisher {
    pub(crate) fn new(link: Link, confirm_timeout: Duration) -> Self {
        Self { link, channel: Mutex::new(None), confirm_timeout }
    }

    /// Publishes; as many outcomes as messages, in their order.
    pub(crate) async fn publish(&self, messages: &[Outgoing]) -> Vec<PublishOutcome> {
        let mut outcomes = Vec::with_capacity(messages.len());
        for window in messages.chunks(WINDOW) {
            outcomes.extend(self.publish_window(window).await);
        }
        outcomes
    }

    async fn publish_window(&self, window: &[Outgoing]) -> Vec<PublishOutcome> {
        if self.link.is_blocked() {
            return refused(window, "the broker blocks publishers (memory or disk alarm)");
        }
        let mut slot = self.channel.lock().await;
        let channel = match slot.take().filter(|channel| channel.status().connected()) {
            Some(channel) => channel,
            None => match self.open().await {
                Ok(channel) => channel,
                Err(error) => return refused(window, &chain(&error)),
            },
        };
        let deadline = Instant::now() + self.confirm_timeout;
        let sent = send(&channel, window, deadline).await;
        let (outcomes, clean) = settle(window, sent, deadline).await;
        if clean {
            *slot = Some(channel);
        }
        outcomes
    }

    async fn open(&self) -> Result<Channel, QueueError> {
        let channel = self.link.channel().await?;
        self.link.call("switch on confirms", channel.confirm_select(ConfirmSelectOptions::default())).await?;
        Ok(channel)
    }
}

/// Sends the window. After a failure nothing more is sent.
async fn send(channel: &Channel, window: &[Outgoing], deadline: Instant) -> Vec<Sent> {
    let mut sent = Vec::with_capacity(window.len());
    for message in window {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (key, properties) = (message.queue.as_str().into(), message.properties.clone());
        let publish = channel.basic_publish("".into(), key, options, &message.body, properties);
        match timeout_at(deadline, publish).await {
            Ok(Ok(confirm)) => sent.push(Sent::Awaiting(confirm)),
            Ok(Err(error)) => {
                sent.push(Sent::Decided(unavailable(&chain(&error))));
                break;
            }
            Err(_elapsed) => {
                sent.push(Sent::Decided(PublishOutcome::Unknown));
                break;
            }
        }
    }
    sent
}

/// Awaits the whole window before deciding: a returned message can come attached to another one's confirm, so
/// only the set of all returned ids tells the truth, and only when no confirm is missing.
async fn settle(window: &[Outgoing], sent: Vec<Sent>, deadline: Instant) -> (Vec<PublishOutcome>, bool) {
    let mut returned: HashSet<String> = HashSet::new();
    let mut clean = sent.len() == window.len();
    let mut outcomes = Vec::with_capacity(window.len());
    for part in sent {
        let outcome = match part {
            Sent::Decided(outcome) => {
                clean = false;
                outcome
            }
            Sent::Awaiting(confirm) => match timeout_at(deadline, confirm).await {
                Ok(Ok(confirmation @ (Confirmation::Ack(_) | Confirmation::Nack(_)))) => {
                    let outcome = if confirmation.is_ack() {
                        PublishOutcome::Stored
                    } else {
                        PublishOutcome::Refused(Refusal::Full)
                    };
                    let message = confirmation.take_message();
                    let id = message.and_then(|message| message.properties.message_id().clone());
                    returned.extend(id.map(|id| id.to_string()));
                    outcome
                }
                // Not requested (a channel without confirms), a lost channel, or too late.
                Ok(Ok(Confirmation::NotRequested) | Err(_)) | Err(_) => {
                    clean = false;
                    PublishOutcome::Unknown
                }
            },
        };
        outcomes.push(outcome);
    }
    for (message, outcome) in window.iter().zip(&mut outcomes) {
        if *outcome == PublishOutcome::Stored {
            if returned.contains(&message.id) {
                *outcome = PublishOutcome::Refused(Refusal::Unroutable);
            } else if !clean {
                // Its return may have come with a confirm that was never read.
                *outcome = PublishOutcome::Unknown;
            }
        }
    }
    outcomes.resize_with(window.len(), || unavailable("the channel failed before this message was sent"));
    (outcomes, clean)
}

fn unavailable(why: &str) -> PublishOutcome {
    PublishOutcome::Refused(Refusal::Unavailable(why.to_owned()))
}

fn refused(window: &[Outgoing], why: &str) -> Vec<PublishOutcome> {
    window.iter().map(|_| unavailable(why)).collect()
}
