//! The dead-letter list: read with manual acknowledgement, changed one id at a time.

use std::collections::{HashMap, HashSet};

use helpsync_model::Timestamp;
use helpsync_queue::{DeadLetter, Origin, Owned, PublishOutcome, QueueError};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use lapin::types::AMQPValue;
use lapin::{Acker, BasicProperties, Channel};

use crate::link::Link;
use crate::outgoing::{DIED_AT, OF_OPERATOR, Outgoing, QUEUE, REASON};
use crate::publisher::Publisher;
use crate::settlement::{number, text};
use crate::topology::Names;

/// How much one look at the list reads. What is behind it is seen once some of that is gone.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetterBounds {
    /// Letters that are passed over.
    pub read: usize,
    /// Letters of the caller.
    pub shown: usize,
    /// Bytes of their bodies: a foreign publisher's can be large. Another organization's do not count, so that they take
    /// nobody's place.
    pub bytes: usize,
}

impl Default for DeadLetterBounds {
    fn default() -> Self {
        Self { read: 50_000, shown: 10_000, bytes: 64 * 1024 * 1024 }
    }
}

/// The list. A look takes every message and puts it back, so one look runs at a time in a process; a second
/// process looking at the same moment may see fewer.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    pub(crate) link: Link,
    pub(crate) names: Names,
    /// See [`crate::RabbitSettings::trusts_publishers`].
    pub(crate) trusts_publishers: bool,
    pub(crate) bounds: DeadLetterBounds,
    pub(crate) one_at_a_time: tokio::sync::Mutex<()>,
}

/// All messages of the list, held on one channel until they are [put back](DeadLetters::end).
struct Look {
    channel: Channel,
    /// The caller's.
    owned: Vec<(DeadLetter, Acker)>,
    others: Vec<Acker>,
}

impl DeadLetters {
    pub(crate) async fn list(
        &self,
        owned: Owned<'_>,
        limit: usize,
        after: Option<&str>,
    ) -> Result<Vec<DeadLetter>, QueueError> {
        let _turn = self.one_at_a_time.lock().await;
        let mut look = self.look(owned).await?;
        let mut letters = Vec::with_capacity(look.owned.len());
        for (letter, acker) in std::mem::take(&mut look.owned) {
            letters.push(letter);
            look.others.push(acker);
        }
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
        let look = self.look(owned).await?;
        // Publishers may use an id for several messages: each of them goes back, once.
        let mut again: Vec<Outgoing> = Vec::new();
        for (letter, _) in look.owned.iter().filter(|(letter, _)| letter.id == id) {
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
            None => self.remove(&look, id).await.map(|_| true),
            Some(PublishOutcome::Refused(refusal)) => Err(QueueError::Unavailable(refusal.to_string())),
            Some(_) => Err(QueueError::Unavailable("the broker did not confirm".to_owned())),
        };
        self.end(look).await?;
        done
    }

    pub(crate) async fn discard(&self, owned: Owned<'_>, id: &str) -> Result<bool, QueueError> {
        let _turn = self.one_at_a_time.lock().await;
        let look = self.look(owned).await?;
        let removed = self.remove(&look, id).await;
        self.end(look).await?;
        removed
    }

    async fn look(&self, owned: Owned<'_>) -> Result<Look, QueueError> {
        let channel = self.link.channel().await?;
        let (mut look, mut bytes) = (Look { channel, owned: Vec::new(), others: Vec::new() }, 0);
        let DeadLetterBounds { read, shown, bytes: bytes_max } = self.bounds;
        while look.owned.len() < shown && bytes < bytes_max && look.owned.len() + look.others.len() < read {
            let get = look.channel.basic_get(self.names.dead().into(), BasicGetOptions::default());
            let Some(message) = self.link.call("read a dead letter", get).await? else { break };
            let Delivery { data, properties, acker, .. } = message.delivery;
            let letter = self.letter(data, &properties);
            if owned(&letter) {
                bytes += letter.body.len();
                look.owned.push((letter, acker));
            } else {
                look.others.push(acker);
            }
        }
        Ok(look)
    }

    async fn remove(&self, look: &Look, id: &str) -> Result<bool, QueueError> {
        let mut found = false;
        for (_, acker) in look.owned.iter().filter(|(letter, _)| letter.id == id) {
            if !self.link.call("remove a dead letter", acker.ack(BasicAckOptions::default())).await? {
                return Err(QueueError::Lost);
            }
            found = true;
        }
        Ok(found)
    }

    /// Puts the rest back. If that fails, the channel's end does it.
    async fn end(&self, look: Look) -> Result<(), QueueError> {
        let held = look.owned.iter().map(|(_, acker)| acker).chain(&look.others);
        for acker in held.filter(|acker| acker.usable()) {
            let back = BasicNackOptions { requeue: true, multiple: false };
            self.link.call("put back a dead letter", acker.nack(back)).await?;
        }
        self.link.call("close a channel", look.channel.close(200, "looked".into())).await
    }

    /// What we wrote beside a letter is believed where we put it into the list. Where the broker has moved a message itself,
    /// all that stands there but the broker's own word is its publisher's.
    fn letter(&self, body: Vec<u8>, properties: &BasicProperties) -> DeadLetter {
        let id = match properties.message_id() {
            Some(id) if !id.as_str().is_empty() => id.to_string(),
            _ => nameless(&body),
        };
        let (death, of_operator) = match Death::of(properties) {
            Some(moved) => (moved, !self.trusts_publishers),
            None => Death::noted(properties),
        };
        DeadLetter {
            id,
            origin: death.queue.and_then(|queue| self.names.origin(&queue)).unwrap_or(Origin::Requests),
            body,
            reason: death.reason.unwrap_or_default(),
            died_at: Timestamp::from_millisecond(death.at_ms.unwrap_or(0)).unwrap_or(Timestamp::UNIX_EPOCH),
            of_operator,
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

/// Where a message was, and why and when it left.
#[derive(Default)]
struct Death {
    queue: Option<String>,
    reason: Option<String>,
    at_ms: Option<i64>,
}

impl Death {
    /// What we wrote when we moved it, and whether it is the operator's.
    fn noted(properties: &BasicProperties) -> (Self, bool) {
        let noted = Self {
            queue: header(properties, QUEUE).and_then(text),
            reason: header(properties, REASON).and_then(text),
            at_ms: header(properties, DIED_AT).and_then(number),
        };
        (noted, header(properties, OF_OPERATOR) == Some(&AMQPValue::Boolean(true)))
    }

    /// What the broker wrote when it moved the message itself: the newest entry of `x-death`. `None`: it did not.
    fn of(properties: &BasicProperties) -> Option<Self> {
        let AMQPValue::FieldArray(deaths) = header(properties, "x-death")? else {
            return Some(Self::default());
        };
        let Some(AMQPValue::FieldTable(death)) = deaths.as_slice().first() else {
            return Some(Self::default());
        };
        let entry = |name: &str| death.inner().get(name);
        Some(Self {
            queue: entry("queue").and_then(text),
            reason: entry("reason").and_then(text),
            at_ms: match entry("time") {
                Some(AMQPValue::Timestamp(seconds)) => i64::try_from(*seconds).ok().map(|s| s * 1_000),
                _ => None,
            },
        })
    }
}

/// A stable name for a foreign message without an id (FNV-1a of its body).
fn nameless(body: &[u8]) -> String {
    let hash = body.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("nameless-{hash:016x}")
}
