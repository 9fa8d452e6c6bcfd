//! The dead-letter list: read with manual acknowledgement, changed one id at a time.

use std::collections::{HashMap, HashSet};

use helpsync_model::Timestamp;
use helpsync_queue::{DeadLetter, Origin, Owned, PublishOutcome, QueueError};
use lapin::message::BasicGetMessage;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{BasicProperties, Channel};

use crate::link::Link;
use crate::outgoing::{DIED_AT, Outgoing, QUEUE, REASON};
use crate::publisher::Publisher;
use crate::settlement::{number, text};
use crate::topology::Names;

/// A look at the list holds all of it, up to this many.
const SCAN_MAX: usize = 10_000;
/// And up to this many bytes of bodies: a foreign publisher's can be large.
const SCAN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The list. A look takes every message and puts it back, so one look runs at a time in a process; a second
/// process looking at the same moment may see fewer.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    pub(crate) link: Link,
    pub(crate) names: Names,
    pub(crate) one_at_a_time: tokio::sync::Mutex<()>,
}

/// All messages of the list, held on one channel until it is [put back](Look::end).
struct Look {
    channel: Channel,
    held: Vec<(DeadLetter, BasicGetMessage)>,
}

impl DeadLetters {
    pub(crate) async fn list(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        let _turn = self.one_at_a_time.lock().await;
        let look = self.look().await?;
        let mut letters: Vec<_> =
            look.held.iter().map(|(letter, _)| letter).filter(|letter| owned(letter)).cloned().collect();
        self.end(look).await?;
        letters.sort_by(|a, b| (a.died_at, &a.id).cmp(&(b.died_at, &b.id)));
        let letters = one_per_id(letters);
        let start = match after {
            None => 0,
            Some(id) => letters.iter().position(|letter| letter.id == id).map_or(letters.len(), |at| at + 1),
        };
        Ok(letters.into_iter().skip(start).take(limit).collect())
    }

    /// Publishes with confirm, and only then takes the copies out.
    pub(crate) async fn replay(
        &self,
        owned: Owned<'_>,
        id: &str,
        publisher: &Publisher,
    ) -> Result<bool, QueueError> {
        let _turn = self.one_at_a_time.lock().await;
        let look = self.look().await?;
        // Publishers may use an id for several messages: each of them goes back, once.
        let mut again: Vec<Outgoing> = Vec::new();
        for (letter, _) in look.held.iter().filter(|(letter, _)| letter.id == id && owned(letter)) {
            if again.iter().all(|other| other.body != letter.body) {
                again.push(Outgoing::raw(&self.names, letter.origin, id, letter.body.clone(), None));
            }
        }
        if again.is_empty() {
            self.end(look).await?;
            return Ok(false);
        }
        let outcomes = publisher.publish(&again).await;
        let done = match outcomes.into_iter().find(|outcome| !outcome.is_stored()) {
            None => self.remove(&look, owned, id).await.map(|_| true),
            Some(PublishOutcome::Refused(refusal)) => Err(QueueError::Unavailable(refusal.to_string())),
            Some(_) => Err(QueueError::Unavailable("the broker did not confirm".to_owned())),
        };
        self.end(look).await?;
        done
    }

    pub(crate) async fn discard(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        let _turn = self.one_at_a_time.lock().await;
        let look = self.look().await?;
        let removed = self.remove(&look, owned, id).await;
        self.end(look).await?;
        removed
    }

    async fn look(&self) -> Result<Look, QueueError> {
        let channel = self.link.channel().await?;
        let (mut held, mut bytes) = (Vec::new(), 0);
        while held.len() < SCAN_MAX && bytes < SCAN_BYTES_MAX {
            let get = channel.basic_get(self.names.dead().into(), BasicGetOptions::default());
            let Some(message) = self.link.call("read a dead letter", get).await? else { break };
            bytes += message.data.len();
            held.push((self.letter(&message), message));
        }
        Ok(Look { channel, held })
    }

    async fn remove(&self, look: &Look, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        let mut found = false;
        for (_, message) in look.held.iter().filter(|(letter, _)| letter.id == id && owned(letter)) {
            if !self.link.call("remove a dead letter", message.ack(BasicAckOptions::default())).await? {
                return Err(QueueError::Lost);
            }
            found = true;
        }
        Ok(found)
    }

    /// Puts the rest back. If that fails, the channel's end does it.
    async fn end(&self, look: Look) -> Result<(), QueueError> {
        for (_, message) in look.held.iter().filter(|(_, message)| message.acker.usable()) {
            let back = BasicNackOptions { requeue: true, multiple: false };
            self.link.call("put back a dead letter", message.nack(back)).await?;
        }
        self.link.call("close a channel", look.channel.close(200, "looked".into())).await
    }

    fn letter(&self, message: &BasicGetMessage) -> DeadLetter {
        let properties = &message.properties;
        let body = message.data.clone();
        let id = match properties.message_id() {
            Some(id) if !id.as_str().is_empty() => id.to_string(),
            _ => nameless(&body),
        };
        let death = Death::of(properties);
        let queue = header(properties, QUEUE).and_then(text).or(death.queue);
        let origin = queue.and_then(|queue| self.names.origin(&queue)).unwrap_or(Origin::Requests);
        let died_at = header(properties, DIED_AT).and_then(number).or(death.at_ms).unwrap_or(0);
        DeadLetter {
            id,
            origin,
            body,
            reason: header(properties, REASON).and_then(text).or(death.reason).unwrap_or_default(),
            died_at: Timestamp::from_millisecond(died_at).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

/// Letters of one id, sorted before, become one, which says how many others it stands for.
fn one_per_id(letters: Vec<DeadLetter>) -> Vec<DeadLetter> {
    let mut kept: Vec<(DeadLetter, HashSet<Vec<u8>>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for letter in letters {
        match places.get(&letter.id) {
            Some(place) => {
                kept[*place].1.insert(letter.body);
            }
            None => {
                places.insert(letter.id.clone(), kept.len());
                let bodies = HashSet::from([letter.body.clone()]);
                kept.push((letter, bodies));
            }
        }
    }
    kept.into_iter()
        .map(|(letter, bodies)| match bodies.len() - 1 {
            0 => letter,
            others => DeadLetter {
                reason: format!("{} (and {others} other messages under this id)", letter.reason),
                ..letter
            },
        })
        .collect()
}

fn header<'a>(properties: &'a BasicProperties, name: &str) -> Option<&'a AMQPValue> {
    properties.headers().as_ref()?.inner().get(name)
}

/// What the broker wrote when it moved the message itself.
#[derive(Default)]
struct Death {
    queue: Option<String>,
    reason: Option<String>,
    at_ms: Option<i64>,
}

impl Death {
    /// The newest entry of `x-death`.
    fn of(properties: &BasicProperties) -> Self {
        let Some(AMQPValue::FieldArray(deaths)) = header(properties, "x-death") else {
            return Self::default();
        };
        let Some(AMQPValue::FieldTable(death)) = deaths.as_slice().first() else { return Self::default() };
        let entry = |name: &str| death.inner().get(name);
        Self {
            queue: entry("queue").and_then(text),
            reason: entry("reason").and_then(text),
            at_ms: match entry("time") {
                Some(AMQPValue::Timestamp(seconds)) => i64::try_from(*seconds).ok().map(|s| s * 1_000),
                _ => None,
            },
        }
    }
}

/// A stable name for a foreign message without an id (FNV-1a of its body).
fn nameless(body: &[u8]) -> String {
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("nameless-{hash:016x}")
}
