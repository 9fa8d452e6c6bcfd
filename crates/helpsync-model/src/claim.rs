//! Who holds a shard, whose write counts, and what the end of a shard does to its run, as pure functions.
//!
//! The store says the same in SQL, where many rows are decided at once; tests of the store hold the two equal, case by
//! case, on both databases. The model of the protocol (docs/protocol.md) is built on these functions.

use crate::machine::{Machine as _, RunEvent, ShardEvent};
use crate::state::{ConnectionState, RunKind, RunState, ShardKind, ShardState, Stage};

/// A worker renews its leases so many times while one lasts.
pub const RENEWALS_PER_LEASE: u32 = 3;
/// So many renewals in a row may go unanswered; after the next one the worker stops its work, for the lease may be over.
pub const SILENT_RENEWALS_MAX: u32 = 1;

/// Whether a row can be claimed at `now` (ms): nobody has a lease on it that goes on.
#[must_use]
pub const fn is_free(lease_until: Option<i64>, now: i64) -> bool {
    match lease_until {
        None => true,
        Some(until) => until <= now,
    }
}

/// Whether the sweeper ends a lease at `now` (ms).
#[must_use]
pub const fn has_run_out(lease_until: Option<i64>, now: i64) -> bool {
    match lease_until {
        None => false,
        Some(until) => until < now,
    }
}

/// The two numbers of a fence: what a write was begun with, or what is true now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FenceNumbers {
    /// Of the connection: rises when its running work becomes void.
    pub epoch: i64,
    /// Of the shard: rises with every claim.
    pub attempt: i64,
}

impl FenceNumbers {
    /// Whether a write that was begun with these numbers may change anything, when `now` is true of connection and
    /// shard, and the shard is in `state`.
    #[must_use]
    pub const fn admit(self, now: Self, state: ShardState) -> bool {
        self.epoch == now.epoch && self.attempt == now.attempt && state.holds_lease()
    }
}

/// What decides whether a worker may take a shard that it has a message for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Startable {
    /// The shard's.
    pub shard: ShardState,
    /// Its run's.
    pub run: RunState,
    /// The connection's.
    pub connection: ConnectionState,
    /// The run was made in the connection's epoch of now.
    pub epoch_is_current: bool,
}

impl Startable {
    /// Whether the shard may be taken. Its lease does not matter: it has none unless it runs.
    #[must_use]
    pub fn may_start(self) -> bool {
        self.shard.after(ShardEvent::Started).is_some()
            && self.run.is_active()
            && self.connection == ConnectionState::Active
            && self.epoch_is_current
    }
}

/// A run at the moment when one of its shards has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunAt {
    /// Where it stands.
    pub state: RunState,
    /// What it is at.
    pub stage: Stage,
    /// What it is for.
    pub kind: RunKind,
}

/// What follows for a run when one of its shards has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Advance {
    /// Nothing: other shards are open, or the run has ended.
    Nothing,
    /// Its next stage begins.
    Begins {
        /// The stage.
        stage: Stage,
        /// The shard that opens it.
        first: ShardKind,
    },
    /// It ends as failed: the shard that should have finalized it gave up.
    Fails,
}

impl RunAt {
    /// What follows, when `open` shards of the run are open and `failed` have failed. Both must be counted while nobody
    /// else can end a shard of the run: two that end the last two at once would each count the other's as open.
    #[must_use]
    pub const fn advance(self, open: u64, failed: u64) -> Advance {
        if open > 0 || !self.state.is_active() {
            return Advance::Nothing;
        }
        match self.stage.next(self.kind, failed > 0) {
            Some((stage, first)) => Advance::Begins { stage, first },
            None => Advance::Fails,
        }
    }
}

impl Advance {
    /// What it is to the run's state.
    #[must_use]
    pub const fn event(self) -> Option<RunEvent> {
        match self {
            Self::Nothing => None,
            Self::Begins { stage, .. } => Some(RunEvent::StageBegun(stage)),
            Self::Fails => Some(RunEvent::Finalized { failed: true }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_free_from_its_last_moment_and_swept_after_it() {
        for (until, free, over) in [(None, true, false), (Some(9), true, true), (Some(10), true, false)] {
            assert_eq!((is_free(until, 10), has_run_out(until, 10)), (free, over), "{until:?}");
        }
        assert!(!is_free(Some(11), 10) && !has_run_out(Some(11), 10));
    }

    #[test]
    fn a_write_needs_both_numbers_and_a_shard_that_runs() {
        let now = FenceNumbers { epoch: 2, attempt: 5 };
        assert!(now.admit(now, ShardState::Running));
        assert!(!FenceNumbers { epoch: 1, ..now }.admit(now, ShardState::Running));
        assert!(!FenceNumbers { attempt: 4, ..now }.admit(now, ShardState::Running));
        for state in ShardState::ALL.iter().filter(|state| **state != ShardState::Running) {
            assert!(!now.admit(now, *state), "{state}");
        }
    }

    #[test]
    fn a_stage_ends_with_its_last_shard_and_a_failed_walk_skips_the_removal() {
        let at = |stage, state| RunAt { state, stage, kind: RunKind::Full };
        let walk = at(Stage::Walk, RunState::Running);
        assert_eq!(walk.advance(1, 0), Advance::Nothing);
        let begins = |stage, first| Advance::Begins { stage, first };
        assert_eq!(walk.advance(0, 0), begins(Stage::Removal, ShardKind::FindRemoved));
        assert_eq!(walk.advance(0, 1), begins(Stage::Finalize, ShardKind::Finalize));
        assert_eq!(at(Stage::Finalize, RunState::Finalizing).advance(0, 1), Advance::Fails);
        assert_eq!(at(Stage::Walk, RunState::Cancelled).advance(0, 0), Advance::Nothing);
    }
}
