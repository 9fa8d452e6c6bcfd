//! What can happen, one step at a time.

use std::fmt;

use crate::rows::{KINDS, ShardAt};

/// How the work on a shard ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Its effect is recorded.
    Done,
    /// It is to wait: a snooze or a retry.
    PutBack,
    /// It gave up.
    Failed,
}

/// One step of one process, of the queue, of time or of a person. Processes are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the texts below say what each is")]
pub enum Action {
    Look { by: u8, shard: ShardAt },
    PublishEarly { by: u8 },
    Release { by: u8 },
    Claim { by: u8, row: u8 },
    Publish { by: u8, stored: bool },
    SettleOutbox { by: u8 },
    SweepLeases,
    SweepMessage { shard: ShardAt },
    CrashDispatcher { by: u8 },
    Deliver { to: u8, shard: ShardAt },
    Start { by: u8 },
    Write { by: u8 },
    Count { by: u8, end: End },
    Commit { by: u8 },
    GoOn { by: u8 },
    Acknowledge { by: u8 },
    Sleep { by: u8 },
    Wake { by: u8 },
    CrashWorker { by: u8 },
    Lose { shard: ShardAt },
    Double { shard: ShardAt },
    Tick { silent: Option<u8> },
    Request,
    Cancel,
    Disconnect,
    Reconnect,
}

impl fmt::Display for ShardAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", KINDS[usize::from(self.slot)])?;
        if self.slot == 2 {
            f.write_str(" (second)")?;
        }
        if self.run > 0 { f.write_str(" of the second run") } else { Ok(()) }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (d, w) = (|by: u8| format!("dispatcher {}", by + 1), |by: u8| format!("worker {}", by + 1));
        match self {
            Self::Look { by, shard } => write!(f, "{} sees that {shard} is due", d(*by)),
            Self::PublishEarly { by } => write!(f, "{} publishes before it commits", d(*by)),
            Self::Release { by } => write!(f, "{} commits the release", d(*by)),
            Self::Claim { by, .. } => write!(f, "{} claims a message of the outbox", d(*by)),
            Self::Publish { by, stored: true } => write!(f, "{} publishes; the queue confirms", d(*by)),
            Self::Publish { by, stored: false } => write!(f, "{} publishes; the queue refuses", d(*by)),
            Self::SettleOutbox { by } => write!(f, "{} settles the outbox", d(*by)),
            Self::SweepLeases => f.write_str("a sweep ends the leases that ran out"),
            Self::SweepMessage { shard } => write!(f, "a sweep takes the message of {shard} for lost"),
            Self::CrashDispatcher { by } => write!(f, "{} is killed", d(*by)),
            Self::Deliver { to, shard } => write!(f, "the queue delivers {shard} to {}", w(*to)),
            Self::Start { by } => write!(f, "{} starts the shard", w(*by)),
            Self::Write { by } => write!(f, "{} writes what it read", w(*by)),
            Self::Count { by, end } => {
                let how = match end {
                    End::Done => "is done",
                    End::PutBack => "puts the shard back",
                    End::Failed => "gives the shard up",
                };
                write!(f, "{} {how}, and counts what is open", w(*by))
            }
            Self::Commit { by } => write!(f, "{} commits that end", w(*by)),
            Self::GoOn { by } => write!(f, "{} commits that end, and goes on with what follows", w(*by)),
            Self::Acknowledge { by } => write!(f, "{} acknowledges the message", w(*by)),
            Self::Sleep { by } => write!(f, "{} stands still", w(*by)),
            Self::Wake { by } => write!(f, "{} goes on", w(*by)),
            Self::CrashWorker { by } => write!(f, "{} is killed", w(*by)),
            Self::Lose { shard } => write!(f, "the queue loses the message of {shard}"),
            Self::Double { shard } => write!(f, "the queue doubles the message of {shard}"),
            Self::Tick { silent: None } => f.write_str("a third of a lease passes; whoever is awake renews"),
            Self::Tick { silent: Some(by) } => {
                write!(f, "a third of a lease passes; the renewal of {} goes unanswered", w(*by))
            }
            Self::Request => f.write_str("somebody asks for a sync"),
            Self::Cancel => f.write_str("a person cancels the run"),
            Self::Disconnect => f.write_str("a person disconnects"),
            Self::Reconnect => f.write_str("a new grant voids the work under the old one"),
        }
    }
}
