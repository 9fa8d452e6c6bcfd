//! Lease queues: tables whose rows are work that one process takes for a limited time (docs/leases.md).
//!
//! A [`LeaseQueue`] describes such a table and makes its statements: claim, renew, settle and release. What a row means
//! and what else a claim looks at stay with the table's own file. The columns are the same everywhere: `attempt`,
//! `failures`, `due_at`, `lease_until`.

use helpsync_model::{ShardEvent, ShardState};

use crate::db::states::{
    CHUNK_TO_EMBED, FAILED_CHUNK, PENDING_DELIVERY, RUNNING_SHARD, STARTABLE_SHARD, Step, WAITING_CHUNK,
};
use crate::db::{Dialect, StoreError, Write, sql};

/// A table of work that is taken under a lease.
#[derive(Debug)]
pub(crate) struct LeaseQueue {
    /// Its name.
    pub(crate) table: &'static str,
    /// Its key.
    key: &'static str,
    /// SQL: which rows can be claimed, apart from the times: what is finished cannot. Written as the claim's index has it.
    pub(crate) ready: fn() -> String,
    /// Whether a row waits for its `due_at`.
    timed: bool,
    /// In which order rows are claimed.
    order: &'static str,
    /// What a claim writes, beside the attempt and the lease.
    claimed: fn() -> String,
    /// Which rows may hold a lease. Written as their index has it.
    leased: fn() -> String,
    /// What the end of a silent process's lease writes, beside the lease; `$2` is the time.
    released: fn() -> String,
}

/// Units of a run. A message announces them, so the end of a lease puts them back to be announced again.
pub(crate) const SHARDS: LeaseQueue = LeaseQueue {
    table: "shard",
    key: "id",
    ready: || format!("state in {STARTABLE_SHARD}"),
    timed: true,
    order: "due_at, id",
    claimed: || {
        let Step { to, .. } = Step::of::<ShardState>(ShardEvent::Started);
        format!(", failures = failures + 1, state = {to}")
    },
    leased: || format!("state = {RUNNING_SHARD}"),
    released: || {
        let Step { to, .. } = Step::of::<ShardState>(ShardEvent::LeaseExpired);
        format!(", state = {to}, holder = null, due_at = $2, updated_at = $2")
    },
};

/// Messages that are committed and not yet published.
pub(crate) const OUTBOX: LeaseQueue = LeaseQueue {
    table: "outbox",
    key: "id",
    ready: || "1 = 1".to_owned(),
    timed: false,
    order: "id",
    claimed: String::new,
    leased: || "lease_until is not null".to_owned(),
    released: String::new,
};

/// Events on their way to webhooks.
pub(crate) const DELIVERIES: LeaseQueue = LeaseQueue {
    table: "webhook_delivery",
    key: "id",
    ready: || format!("state = {PENDING_DELIVERY}"),
    timed: true,
    order: "event_id",
    claimed: || ", failures = failures + 1".to_owned(),
    leased: || "lease_until is not null".to_owned(),
    released: String::new,
};

/// Files to be chunked.
pub(crate) const CHUNKING: LeaseQueue = LeaseQueue {
    table: "chunking",
    key: "file_id",
    ready: || "chunked_version < version".to_owned(),
    timed: true,
    order: "due_at, file_id",
    claimed: || ", failures = failures + 1".to_owned(),
    leased: || "chunked_version < version".to_owned(),
    released: String::new,
};

/// Chunks to be embedded. One that had failed begins anew: its tries of then are spent.
pub(crate) const CHUNKS: LeaseQueue = LeaseQueue {
    table: "chunk",
    key: "id",
    ready: || format!("state in {CHUNK_TO_EMBED}"),
    timed: true,
    order: "due_at, id",
    claimed: || {
        format!(
            ", failures = case when state = {FAILED_CHUNK} then 1 else failures + 1 end, state = {WAITING_CHUNK}"
        )
    },
    leased: || format!("state in {CHUNK_TO_EMBED}"),
    released: String::new,
};

/// Zendesk's webhooks for connections, to be made.
pub(crate) const EVENT_SUBSCRIPTIONS: LeaseQueue = LeaseQueue {
    table: "event_subscription",
    key: "connection_id",
    ready: || "due_at is not null".to_owned(),
    timed: true,
    order: "due_at",
    claimed: || ", failures = failures + 1".to_owned(),
    leased: || "lease_until is not null".to_owned(),
    released: String::new,
};

/// All of them. A test compares the list with the tables that have a lease.
pub(crate) const LEASE_QUEUES: [&LeaseQueue; 6] =
    [&SHARDS, &OUTBOX, &DELIVERIES, &CHUNKING, &CHUNKS, &EVENT_SUBSCRIPTIONS];

impl LeaseQueue {
    /// The condition that a row is due and that nobody holds it at `now`, a placeholder.
    pub(crate) fn due(&self, now: &str) -> String {
        let time = if self.timed { format!(" and due_at <= {now}") } else { String::new() };
        format!("{}{time} and (lease_until is null or lease_until <= {now})", (self.ready)())
    }

    /// Selects `columns` of the rows that are due at `now`, in order, `limit` at most (placeholders), and locks them;
    /// rows that another transaction holds are passed over. Conditions in `further` may call the row `due`.
    pub(crate) fn pick(
        &self,
        dialect: Dialect,
        columns: &str,
        further: &str,
        [now, limit]: [&str; 2],
    ) -> String {
        format!(
            "select {columns} from {} as due where {}{further} order by {} limit {limit}{}",
            self.table,
            self.due(now),
            self.order,
            dialect.for_update_skip_locked()
        )
    }

    /// Claims the rows that `which` names at `now`, a placeholder, until `$1`, and writes `further` with that.
    ///
    /// The number of a claim is its time, or one more than that of the claim before. A number that only counted would
    /// come again when an older backup is restored, and let somebody write who claimed the row before that.
    pub(crate) fn take(&self, now: &str, further: &str, which: &str) -> String {
        format!(
            "update {} set attempt = case when attempt < {now} then {now} else attempt + 1 end, lease_until = $1{}{further}
             where {which}",
            self.table,
            (self.claimed)()
        )
    }

    /// Claims what is due at `$2` until `$1`, `$3` rows at most, as [`LeaseQueue::pick`] finds them.
    pub(crate) fn claim(&self, dialect: Dialect, further: &str) -> String {
        let found = self.pick(dialect, self.key, further, ["$2", "$3"]);
        self.take("$2", "", &format!("{} in ({found})", self.key))
    }

    /// Extends the lease of row `$1`, claimed as attempt `$2`, until `$3`. Changes no row that is in other hands.
    pub(crate) fn renew(&self) -> String {
        format!("update {} set lease_until = $3 where {}", self.table, self.held())
    }

    /// Ends the lease of row `$1`, claimed as attempt `$2`, and writes `outcome`. Changes no row that is in other hands.
    pub(crate) fn settle(&self, outcome: &str) -> String {
        let comma = if outcome.is_empty() { "" } else { ", " };
        format!("update {} set lease_until = null{comma}{outcome} where {}", self.table, self.held())
    }

    /// Ends the leases of many rows and writes `outcome` with that. `rows` is a source called `incoming` with the columns
    /// `held` (the key) and `held_attempt`; `among` says of the key that it is one of those ([`Dialect::among`]). Changes no row
    /// that is in other hands.
    pub(crate) fn settle_all(&self, rows: &str, among: &str, outcome: &str) -> String {
        format!(
            "update {} set lease_until = null, {outcome} from {rows}
             where {} = incoming.held and attempt = incoming.held_attempt and lease_until is not null and {among}",
            self.table, self.key
        )
    }

    fn held(&self) -> String {
        format!("{} = $1 and attempt = $2 and lease_until is not null", self.key)
    }

    /// Ends the leases that run out before `before`. Answers how many there were.
    ///
    /// A row that somebody holds right now is passed over: waiting for one process that was stopped in the middle of a
    /// write would keep everybody else's rows waiting too.
    pub(crate) async fn release(&self, write: &mut Write, before: i64) -> Result<u64, StoreError> {
        let Self { table, key, .. } = self;
        let (leased, released) = ((self.leased)(), (self.released)());
        let free = write.dialect.for_update_skip_locked();
        let statement = sql(format!(
            "update {table} set lease_until = null{released} where {key} in
               (select {key} from {table} where {leased} and lease_until < $1 order by {key}{free})"
        ));
        let query = sqlx::query(statement).bind(before);
        let query = if released.is_empty() { query } else { query.bind(write.now) };
        Ok(query.execute(&mut *write.tx).await?.rows_affected())
    }
}
