//! How far the model goes, and what can be taken out of the protocol.

/// How often each thing may go wrong or be asked for, in one execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Shards that the plan of the first run adds; 1 or 2. A second run has one.
    pub walks: u8,
    /// Processes killed. Each starts again at once, and knows nothing.
    pub crashes: u8,
    /// Messages that the queue loses, or refuses to take.
    pub losses: u8,
    /// Messages that the queue delivers twice.
    pub doubles: u8,
    /// Workers that stand still for any time, while they hold a lease.
    pub sleeps: u8,
    /// Renewals of a lease that go unanswered.
    pub silences: u8,
    /// Messages that come so late that the sweeper takes them for lost.
    pub delays: u8,
    /// Shards put back by their worker: a snooze, or a failure that may pass.
    pub put_backs: u8,
    /// Shards that fail for good.
    pub failures: u8,
    /// Requests for a sync after the first.
    pub requests: u8,
    /// Runs stopped by a person, a disconnect or a newer grant.
    pub interrupts: u8,
    /// How far the clocks of two processes may be apart, in thirds of a lease.
    pub clocks_apart: u8,
    /// What is taken out of the protocol.
    pub without: Option<Break>,
}

impl Bounds {
    /// One walk, nothing goes wrong, clocks a third of a lease apart.
    pub const CALM: Self = Self {
        walks: 1,
        crashes: 0,
        losses: 0,
        doubles: 0,
        sleeps: 0,
        silences: 0,
        delays: 0,
        put_backs: 0,
        failures: 0,
        requests: 0,
        interrupts: 0,
        clocks_apart: 1,
        without: None,
    };

    /// The same with something taken out of the protocol.
    #[must_use]
    pub const fn without(self, part: Break) -> Self {
        Self { without: Some(part), ..self }
    }
}

/// A part of the protocol that is left out, so that the checker has something to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// A worker acknowledges its message when it gets it, not when the work is recorded.
    AcknowledgeLast,
    /// A write asks whether its shard is running, and not by whom: neither the connection's epoch nor the claim's
    /// attempt is compared.
    Epoch,
    /// A write compares the connection's epoch, but not the attempt.
    Attempt,
    /// A write compares the attempt, but not the epoch of the connection.
    EpochOfConnection,
    /// A dispatcher commits a release first and publishes it from the outbox then.
    CommitBeforePublish,
    /// Nobody ends leases that ran out, or issues lost messages again.
    Sweeper,
    /// The end of a shard, the count of what is open, and what follows from it are one transaction, in which the rows
    /// of connection, shard and run are locked.
    FinalizeLock,
    /// A walk that failed skips the removal.
    CleanListing,
    /// A run that cannot be finalized hands the request that it kept to a run after it.
    RequestOutlivesFailure,
}
