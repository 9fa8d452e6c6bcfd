//! What may become of what: the transitions of runs, shards, connections and deliveries, as pure functions.
//!
//! The store writes no state that these functions do not lead to. docs/states.md shows the same edges, and a test holds
//! the page and this file equal.

use crate::params::RunParams;
use crate::state::{ConnectionState, DeliveryState, Name, RunKind, RunState, ShardKind, ShardState, Stage};

/// Something whose state changes by events.
pub trait Machine: Name {
    /// What can happen to it.
    type Event: Copy + std::fmt::Debug + PartialEq + 'static;

    /// Everything that can happen to it.
    const EVENTS: &'static [Self::Event];

    /// The state after an event. `None`: the event does nothing to something in this state.
    fn after(self, event: Self::Event) -> Option<Self>;
}

/// What happens to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// A worker starts one of its shards.
    ShardStarted,
    /// Its next stage begins.
    StageBegun(Stage),
    /// Its end is recorded, and whether a shard of it failed.
    Finalized {
        /// A shard failed.
        failed: bool,
    },
    /// Its end is recorded: no shard failed, but Zendesk counts more articles than it showed.
    FinalizedShort,
    /// It is stopped.
    Cancelled,
}

impl Machine for RunState {
    type Event = RunEvent;

    const EVENTS: &'static [RunEvent] = &[
        RunEvent::ShardStarted,
        RunEvent::StageBegun(Stage::Plan),
        RunEvent::StageBegun(Stage::Walk),
        RunEvent::StageBegun(Stage::Removal),
        RunEvent::StageBegun(Stage::Finalize),
        RunEvent::Finalized { failed: false },
        RunEvent::Finalized { failed: true },
        RunEvent::FinalizedShort,
        RunEvent::Cancelled,
    ];

    fn after(self, event: RunEvent) -> Option<Self> {
        match (self, event) {
            (Self::Done | Self::Failed | Self::Incomplete | Self::Cancelled, _) => None,
            (Self::Finalizing, RunEvent::ShardStarted) => Some(Self::Finalizing),
            (Self::Queued | Self::Running, RunEvent::ShardStarted) => Some(Self::Running),
            // A run is finalized once: the stage is its last.
            (Self::Finalizing, RunEvent::StageBegun(_)) => None,
            // A run leaves `queued` by the start of a shard, and no stage ends before one of its shards has started.
            (
                Self::Queued,
                RunEvent::StageBegun(_) | RunEvent::Finalized { .. } | RunEvent::FinalizedShort,
            ) => None,
            (Self::Running, RunEvent::StageBegun(Stage::Finalize)) => Some(Self::Finalizing),
            (Self::Running, RunEvent::StageBegun(Stage::Plan | Stage::Walk | Stage::Removal)) => {
                Some(Self::Running)
            }
            (Self::Running, RunEvent::Finalized { .. } | RunEvent::FinalizedShort) => None,
            (Self::Finalizing, RunEvent::Finalized { failed: false }) => Some(Self::Done),
            (Self::Finalizing, RunEvent::Finalized { failed: true }) => Some(Self::Failed),
            (Self::Finalizing, RunEvent::FinalizedShort) => Some(Self::Incomplete),
            (Self::Queued | Self::Running | Self::Finalizing, RunEvent::Cancelled) => Some(Self::Cancelled),
        }
    }
}

impl Stage {
    /// The stage that a new run is at, and what its first shard does.
    #[must_use]
    pub const fn first(kind: RunKind, params: &RunParams) -> (Self, ShardKind) {
        match (kind, params) {
            (RunKind::Full | RunKind::Delta, _) => (Self::Plan, ShardKind::Plan),
            (RunKind::Resync, RunParams::Attachments) => (Self::Walk, ShardKind::FetchAttachments),
            (RunKind::Resync, RunParams::Articles(_) | RunParams::Sync { .. }) => {
                (Self::Walk, ShardKind::FetchArticles)
            }
        }
    }

    /// The stage that a run is at once a shard of this kind is done. The plan's shards are the walk.
    #[must_use]
    pub const fn planned(self, done: ShardKind) -> Self {
        match (self, done) {
            (Self::Plan, ShardKind::Plan) => Self::Walk,
            _ => self,
        }
    }

    /// The stage after this one once none of the run's shards is open, and the shard that opens it; `failed`: one of
    /// the run's shards did. A listing that did not end cleanly never removes anything: a failed walk goes straight to
    /// the end. `None`: nothing follows.
    #[must_use]
    pub const fn next(self, kind: RunKind, failed: bool) -> Option<(Self, ShardKind)> {
        match (self, kind) {
            (Self::Walk, RunKind::Full | RunKind::Delta) if !failed => {
                Some((Self::Removal, ShardKind::FindRemoved))
            }
            (Self::Plan | Self::Walk | Self::Removal, _) => Some((Self::Finalize, ShardKind::Finalize)),
            (Self::Finalize, _) => None,
        }
    }
}

/// What happens to a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardEvent {
    /// A dispatcher puts its message into the outbox.
    Released,
    /// A worker starts it.
    Started,
    /// Its effect is recorded.
    Done,
    /// It is to wait: a snooze or a retry.
    PutBack,
    /// It gives up.
    Failed,
    /// Its worker let the lease run out.
    LeaseExpired,
    /// Its message was published long ago, and nobody started it.
    MessageLost,
    /// Its run is cancelled.
    Cancelled,
    /// A person replays or discards it.
    SetAside,
}

impl Machine for ShardState {
    type Event = ShardEvent;

    const EVENTS: &'static [ShardEvent] = &[
        ShardEvent::Released,
        ShardEvent::Started,
        ShardEvent::Done,
        ShardEvent::PutBack,
        ShardEvent::Failed,
        ShardEvent::LeaseExpired,
        ShardEvent::MessageLost,
        ShardEvent::Cancelled,
        ShardEvent::SetAside,
    ];

    fn after(self, event: ShardEvent) -> Option<Self> {
        match (self, event) {
            (Self::Pending, ShardEvent::Released) => Some(Self::Released),
            // A message that arrives late or twice finds the shard pending.
            (Self::Pending | Self::Released, ShardEvent::Started) => Some(Self::Running),
            (Self::Running, ShardEvent::Done) => Some(Self::Done),
            (Self::Running, ShardEvent::PutBack | ShardEvent::LeaseExpired) => Some(Self::Pending),
            (Self::Running, ShardEvent::Failed) => Some(Self::Failed),
            (Self::Released, ShardEvent::MessageLost) => Some(Self::Pending),
            (Self::Pending | Self::Released | Self::Running, ShardEvent::Cancelled)
            | (Self::Failed, ShardEvent::SetAside) => Some(Self::Cancelled),
            _ => None,
        }
    }
}

impl ShardState {
    /// Whether a worker holds it: it has a lease exactly then.
    #[must_use]
    pub const fn holds_lease(self) -> bool {
        matches!(self, Self::Running)
    }
}

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A grant is completed, for it or for the connection that it is a brand of.
    Connected,
    /// Zendesk refuses its tokens.
    TokensRefused,
    /// A person disconnects it.
    Disconnected,
    /// The brand that it reads is gone.
    BrandGone,
}

impl Machine for ConnectionState {
    type Event = ConnectionEvent;

    const EVENTS: &'static [ConnectionEvent] = &[
        ConnectionEvent::Connected,
        ConnectionEvent::TokensRefused,
        ConnectionEvent::Disconnected,
        ConnectionEvent::BrandGone,
    ];

    fn after(self, event: ConnectionEvent) -> Option<Self> {
        match (self, event) {
            (_, ConnectionEvent::Connected) => Some(Self::Active),
            (Self::Active, ConnectionEvent::TokensRefused) => Some(Self::Paused),
            (Self::Active | Self::Paused, ConnectionEvent::Disconnected)
            | (Self::Active, ConnectionEvent::BrandGone) => Some(Self::Revoked),
            _ => None,
        }
    }
}

impl ConnectionState {
    /// Whether it is disconnected: it has the time of that exactly then.
    #[must_use]
    pub const fn is_disconnected(self) -> bool {
        matches!(self, Self::Revoked)
    }
}

/// What happens to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryEvent {
    /// The receiver took it, perhaps after it had been given up.
    Delivered,
    /// It is to be tried again.
    Retried,
    /// Its tries or its time are spent.
    GivenUp,
    /// A person has it sent again.
    SentAgain,
}

impl Machine for DeliveryState {
    type Event = DeliveryEvent;

    const EVENTS: &'static [DeliveryEvent] =
        &[DeliveryEvent::Delivered, DeliveryEvent::Retried, DeliveryEvent::GivenUp, DeliveryEvent::SentAgain];

    fn after(self, event: DeliveryEvent) -> Option<Self> {
        match (self, event) {
            (Self::Pending | Self::Dead, DeliveryEvent::Delivered) => Some(Self::Delivered),
            (Self::Pending, DeliveryEvent::Retried) | (_, DeliveryEvent::SentAgain) => Some(Self::Pending),
            (Self::Pending, DeliveryEvent::GivenUp) => Some(Self::Dead),
            _ => None,
        }
    }
}

impl DeliveryState {
    /// Whether it has come to its end: it has the time of that exactly then, and no lease.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Delivered | Self::Dead)
    }
}
