//! What is not committed: the processes' memory, the queue, and what may still go wrong.

use helpsync_model::{Advance, FenceNumbers};

use crate::action::End;
use crate::bounds::Bounds;
use crate::rows::{Message, RUNS, Rows, SLOTS, ShardAt};

/// Dispatchers, and workers: two of each.
pub(crate) const OF_EACH: usize = 2;

/// More than what else a worker is told apart by comes to.
const FLAGS: i64 = 64;

/// What a dispatcher is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dispatcher {
    /// Nothing.
    Idle,
    /// It saw that a shard is due, outside of a transaction, and with which attempt.
    Looked {
        /// The shard.
        shard: ShardAt,
        /// Its attempt then.
        attempt: u8,
        /// It has published already, which only happens without `CommitBeforePublish`.
        published: bool,
    },
    /// It holds a claim on a message of the outbox.
    Claimed(Message),
    /// The queue answered whether it stored the message; the row is still there.
    Published {
        /// The row as it was claimed.
        message: Message,
        /// The queue has it.
        stored: bool,
    },
}

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Worker {
    /// Nothing.
    Idle,
    /// It has a message in hand.
    Holds(ShardAt),
    /// It works on a shard under a lease.
    Works {
        /// The shard.
        shard: ShardAt,
        /// For its writes.
        fence: FenceNumbers,
        /// It has stored what it read.
        wrote: bool,
        /// It stands still.
        asleep: bool,
        /// It stood still since it last renewed its lease.
        late: bool,
        /// Renewals in a row that went unanswered.
        silent: u8,
        /// Whose message it has: of the shard, or of the one that it went on from.
        message: ShardAt,
    },
    /// It is in the transaction that ends the shard, which has counted what is open.
    Ends {
        /// The shard.
        shard: ShardAt,
        /// What it was begun with.
        fence: FenceNumbers,
        /// How the work ended.
        end: End,
        /// What follows for the run.
        advance: Advance,
        /// A shard of the run has failed, so far as it saw.
        failed: bool,
        /// Of what follows, the one shard that it may go on with.
        next: Option<ShardAt>,
        /// As of [`Worker::Works`].
        message: ShardAt,
    },
    /// Nothing is left but to acknowledge the message.
    Settles(ShardAt),
}

impl Worker {
    /// The shard whose message it has.
    pub(crate) const fn holds(&self) -> Option<ShardAt> {
        match self {
            Self::Idle => None,
            Self::Holds(message)
            | Self::Works { message, .. }
            | Self::Ends { message, .. }
            | Self::Settles(message) => Some(*message),
        }
    }
}

/// What may still go wrong or be asked for; see [`Bounds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the fields of Bounds")]
pub struct Faults {
    pub crashes: u8,
    pub losses: u8,
    pub doubles: u8,
    pub sleeps: u8,
    pub silences: u8,
    pub delays: u8,
    pub put_backs: u8,
    pub failures: u8,
    pub requests: u8,
    pub interrupts: u8,
}

impl Faults {
    pub(crate) const fn of(bounds: &Bounds) -> Self {
        Self {
            crashes: bounds.crashes,
            losses: bounds.losses,
            doubles: bounds.doubles,
            sleeps: bounds.sleeps,
            silences: bounds.silences,
            delays: bounds.delays,
            put_backs: bounds.put_backs,
            failures: bounds.failures,
            requests: bounds.requests,
            interrupts: bounds.interrupts,
        }
    }
}

/// What the checker has seen happen. Nothing of the protocol looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that was seen")]
pub struct Seen {
    /// A write counted that was begun under an older epoch or attempt, or for a shard that nobody runs.
    pub stale_write: bool,
    /// A removal was written though a walk of the run had not ended well.
    pub unclean_removal: bool,
    /// A lease was ended whose worker was awake, had not stood still and had missed no more renewals than it may.
    pub robbed: bool,
    /// The queue lost or refused a message, or brought it late.
    pub queue_failed: bool,
    /// A request was accepted that no run has begun for.
    pub request_waits: bool,
    /// A write was refused by the fence.
    pub refused: bool,
    /// A removal was written after a clean listing.
    pub removal: bool,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// What is committed.
    pub rows: Rows,
    /// Messages in the queue that nobody holds, for each shard.
    pub queue: [[u8; SLOTS]; RUNS],
    /// The dispatchers.
    pub dispatchers: [Dispatcher; OF_EACH],
    /// The workers.
    pub workers: [Worker; OF_EACH],
    /// What may still happen.
    pub faults: Faults,
    /// What has been seen.
    pub seen: Seen,
}

impl Dispatcher {
    /// Tells apart what it may be doing; what is equal here differs in nothing that the other one could do.
    fn order(&self) -> [i64; 6] {
        let of = |what: i64, at: &ShardAt, numbers: (u8, u8), rest: i64| {
            [what, at.run.into(), at.slot.into(), numbers.0.into(), numbers.1.into(), rest]
        };
        match self {
            Self::Idle => [0; 6],
            Self::Looked { shard, attempt, published } => of(1, shard, (*attempt, 0), i64::from(*published)),
            Self::Claimed(message) => of(2, &message.shard, message.announces, message.claims.into()),
            Self::Published { message, stored } => {
                let rest = i64::from(message.claims) * 2 + i64::from(*stored);
                of(3, &message.shard, message.announces, rest)
            }
        }
    }
}

impl Worker {
    fn order(&self) -> [i64; 6] {
        let of = |what: i64, at: &ShardAt, fence: FenceNumbers, rest: i64| {
            [what, at.run.into(), at.slot.into(), fence.epoch, fence.attempt, rest]
        };
        let none = FenceNumbers { epoch: 0, attempt: 0 };
        match self {
            Self::Idle => [0; 6],
            Self::Holds(shard) => of(1, shard, none, 0),
            Self::Works { shard, fence, wrote, asleep, late, silent, message } => {
                let flags = i64::from(*wrote) + 2 * i64::from(*asleep) + 4 * i64::from(*late);
                let message = FLAGS * i64::from(message.slot);
                of(2, shard, *fence, flags + 8 * i64::from(*silent) + message)
            }
            Self::Ends { shard, fence, end, failed, message, .. } => {
                let message = FLAGS * i64::from(message.slot);
                of(3, shard, *fence, 2 * i64::from(*end as u8) + i64::from(*failed) + message)
            }
            Self::Settles(shard) => of(4, shard, none, 0),
        }
    }
}

impl State {
    /// Puts processes of a kind in order, for it does not matter which of them does what.
    pub(crate) fn fold(&mut self) {
        self.dispatchers.sort_unstable_by_key(Dispatcher::order);
        self.workers.sort_unstable_by_key(Worker::order);
    }

    pub(crate) fn queued(&self, at: ShardAt) -> u8 {
        self.queue[usize::from(at.run)][usize::from(at.slot)]
    }

    pub(crate) fn queued_mut(&mut self, at: ShardAt) -> &mut u8 {
        &mut self.queue[usize::from(at.run)][usize::from(at.slot)]
    }

    /// Whether any message of the shard is under way to somebody who will start it.
    pub(crate) fn is_announced(&self, at: ShardAt) -> bool {
        self.queued(at) > 0
            || self.workers.contains(&Worker::Holds(at))
            || self.rows.outbox.iter().any(|message| message.shard == at)
    }
}
