//! What is committed: the rows of connection, run, shard and outbox, as far as the protocol looks at them.

use helpsync_model::{
    ConnectionState, FenceNumbers, Machine as _, RunEvent, RunKind, RunParams, RunState, ShardEvent,
    ShardKind, ShardState, Stage,
};

/// Runs of one execution: the first, and the one after it.
pub(crate) const RUNS: usize = 2;
/// Shards that a run can have: plan, two walks, removal, finalize.
pub(crate) const SLOTS: usize = 5;
const FIRST_WALK: usize = 1;

/// What the shard in a slot does.
pub(crate) const KINDS: [ShardKind; SLOTS] =
    [ShardKind::Plan, ShardKind::WalkList, ShardKind::WalkList, ShardKind::FindRemoved, ShardKind::Finalize];

/// Which shard: its run and its place in it, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardAt {
    /// The run.
    pub run: u8,
    /// The place: plan, first walk, second walk, removal, finalize.
    pub slot: u8,
}

impl ShardAt {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..RUNS).flat_map(|run| {
            (0..SLOTS).map(move |slot| Self {
                run: u8::try_from(run).unwrap_or(0),
                slot: u8::try_from(slot).unwrap_or(0),
            })
        })
    }

    /// The first shard of this kind.
    pub(crate) fn of(run: u8, kind: ShardKind) -> Self {
        let slot = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
        Self { run, slot: u8::try_from(slot).unwrap_or(0) }
    }

    pub(crate) const fn kind(self) -> ShardKind {
        KINDS[self.slot as usize]
    }
}

/// A shard's row. Times are in thirds of a lease, as the clock of a process shows them that is right, from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shard {
    /// Where it stands.
    pub state: ShardState,
    /// Number of its latest claim.
    pub attempt: u8,
    /// Until when it is taken.
    pub lease: Option<i8>,
    /// When it was released; 0 unless it is.
    pub released_at: i8,
    /// Number of its latest release.
    pub release: u8,
}

/// A run's row, its shards with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    /// Where it stands.
    pub state: RunState,
    /// What it is at.
    pub stage: Stage,
    /// The connection's epoch that it was made in.
    pub epoch: u8,
    /// A request that came too late for it waits for the run after it.
    pub pending_request: bool,
    /// How often its end was recorded. Not in the product: the checker counts.
    pub ends: u8,
    /// Its shards.
    pub shards: [Option<Shard>; SLOTS],
}

/// A row of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Message {
    /// The shard that it announces.
    pub shard: ShardAt,
    /// The attempt and release by which the sweeper knows it again.
    pub announces: (u8, u8),
    /// Until when a relay has it.
    pub lease: Option<i8>,
    /// Number of its latest claim.
    pub claims: u8,
}

/// All that is committed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rows {
    /// Rises when the connection's running work becomes void.
    pub epoch: u8,
    /// What the connection can do.
    pub connection: ConnectionState,
    /// In the order in which they were made.
    pub runs: [Option<Run>; RUNS],
    /// Sorted.
    pub outbox: Vec<Message>,
}

const FRESH: Shard =
    Shard { state: ShardState::Pending, attempt: 0, lease: None, released_at: 0, release: 0 };

impl Shard {
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, ShardState::Pending | ShardState::Released | ShardState::Running)
    }

    /// Moves it, if the event does anything to it in its state. Answers whether it did.
    pub(crate) fn step(&mut self, event: ShardEvent) -> bool {
        let Some(next) = self.state.after(event) else { return false };
        self.state = next;
        if !next.holds_lease() {
            self.lease = None;
        }
        if next != ShardState::Released {
            self.released_at = 0;
        }
        if !self.is_open() {
            // Nobody can claim or release it any more, and no fence is compared with it.
            (self.attempt, self.release) = (0, 0);
        }
        true
    }
}

impl Run {
    fn of(epoch: u8) -> Self {
        let (stage, first) = Stage::first(RunKind::Full, &RunParams::default());
        let mut run = Self {
            state: RunState::Queued,
            stage,
            epoch,
            pending_request: false,
            ends: 0,
            shards: [None; SLOTS],
        };
        run.add(first);
        run
    }

    /// Adds the shard of this kind that there is one of; adding it twice changes nothing.
    pub(crate) fn add(&mut self, kind: ShardKind) {
        let slot = KINDS.iter().position(|known| *known == kind).unwrap_or_default();
        self.shards[slot].get_or_insert(FRESH);
    }

    /// Adds what a plan cut the run into.
    pub(crate) fn add_walks(&mut self, walks: u8) {
        for slot in FIRST_WALK..FIRST_WALK + usize::from(walks) {
            self.shards[slot].get_or_insert(FRESH);
        }
    }

    pub(crate) fn step(&mut self, event: RunEvent) -> bool {
        let Some(next) = self.state.after(event) else { return false };
        self.state = next;
        self.ends += u8::from(!next.is_active());
        true
    }

    pub(crate) fn count(&self, of: impl Fn(&Shard) -> bool) -> u64 {
        self.shards.iter().flatten().filter(|shard| of(shard)).map(|_| 1).sum()
    }

    /// Whether every walk of it is done.
    pub(crate) fn is_listed_cleanly(&self) -> bool {
        let walks = self.shards.iter().zip(KINDS).filter(|(_, kind)| *kind == ShardKind::WalkList);
        walks.filter_map(|(shard, _)| shard.as_ref()).all(|shard| shard.state == ShardState::Done)
    }
}

impl Rows {
    pub(crate) fn first() -> Self {
        let mut rows =
            Self { epoch: 0, connection: ConnectionState::Active, runs: [None; RUNS], outbox: Vec::new() };
        rows.add_run();
        rows
    }

    /// Makes a run, if there is room for one. Answers whether there was.
    pub(crate) fn add_run(&mut self) -> bool {
        let epoch = self.epoch;
        self.runs.iter_mut().find(|run| run.is_none()).map(|run| *run = Some(Run::of(epoch))).is_some()
    }

    pub(crate) fn run(&self, run: u8) -> Option<&Run> {
        self.runs.get(usize::from(run))?.as_ref()
    }

    pub(crate) fn run_mut(&mut self, run: u8) -> Option<&mut Run> {
        self.runs.get_mut(usize::from(run))?.as_mut()
    }

    pub(crate) fn shard(&self, at: ShardAt) -> Option<&Shard> {
        self.run(at.run)?.shards[usize::from(at.slot)].as_ref()
    }

    pub(crate) fn shard_mut(&mut self, at: ShardAt) -> Option<&mut Shard> {
        self.run_mut(at.run)?.shards[usize::from(at.slot)].as_mut()
    }

    pub(crate) fn active_run(&mut self) -> Option<&mut Run> {
        self.runs.iter_mut().flatten().find(|run| run.state.is_active())
    }

    /// What a fence is compared with.
    pub(crate) fn numbers(&self, at: ShardAt) -> Option<FenceNumbers> {
        let attempt = i64::from(self.shard(at)?.attempt);
        Some(FenceNumbers { epoch: i64::from(self.epoch), attempt })
    }

    /// Ends the active run as cancelled, with its shards, in one transaction.
    pub(crate) fn cancel_active(&mut self) {
        let Some(run) = self.active_run() else { return };
        for shard in run.shards.iter_mut().flatten() {
            shard.step(ShardEvent::Cancelled);
        }
        run.step(RunEvent::Cancelled);
        run.pending_request = false;
    }

    /// Whether the outbox holds the message of a shard's latest release.
    pub(crate) fn waits_in_outbox(&self, at: ShardAt, shard: &Shard) -> bool {
        let named = (shard.attempt, shard.release);
        self.outbox.iter().any(|message| message.shard == at && message.announces == named)
    }
}
