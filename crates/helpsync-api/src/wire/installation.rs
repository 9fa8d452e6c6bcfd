//! What the whole installation shares: processes, lanes, and the budgets of Zendesk accounts.

use helpsync_account::BudgetView;
use helpsync_store::{AccountUse, HeldShard, LaneState, ProcessSeen, USE_SLOT_MS, USE_SLOTS};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time;

/// A process that says so every ten seconds lives; after this silence it does not, in ms.
const SILENCE_MAX_MS: i64 = 35_000;

/// A process of the last day.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProcessView {
    /// The name that it leases shards by.
    pub holder: String,
    /// `all`, `dispatcher` or `worker`.
    pub role: String,
    pub host: String,
    pub version: String,
    /// False: it has not said anything for more than half a minute.
    pub alive: bool,
    /// Shards that it runs at once.
    pub concurrency: i64,
    pub started_at: String,
    pub seen_at: String,
    /// What it does.
    pub shards: Vec<HeldShardView>,
}

impl ProcessView {
    pub(crate) fn new(seen: ProcessSeen, now_ms: i64) -> Self {
        Self {
            alive: now_ms - seen.seen_at <= SILENCE_MAX_MS,
            holder: seen.holder,
            role: seen.role,
            host: seen.host,
            version: seen.version,
            concurrency: seen.concurrency,
            started_at: time(seen.started_at),
            seen_at: time(seen.seen_at),
            shards: seen.shards.into_iter().map(HeldShardView::from).collect(),
        }
    }
}

/// A shard that a process runs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldShardView {
    pub id: i64,
    pub run_id: i64,
    pub kind: String,
    pub customer_id: String,
    pub workspace: String,
    /// It is another's after this, unless the process says again that it works on it.
    pub lease_until: String,
}

impl From<HeldShard> for HeldShardView {
    fn from(shard: HeldShard) -> Self {
        Self {
            id: shard.id,
            run_id: shard.run.0,
            kind: shard.kind,
            customer_id: shard.customer_id,
            workspace: shard.subdomain,
            lease_until: time(shard.lease_until),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Processes {
    /// The latest started first.
    pub processes: Vec<ProcessView>,
}

/// A lane, and how much waits in it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct LaneView {
    /// `on_demand`, `scheduled` or `backfill`.
    pub lane: String,
    /// Since when a person has paused it.
    pub paused_at: Option<String>,
    /// Shards that wait to be handed out.
    pub pending: i64,
    /// Shards that are handed out, or run.
    pub out: i64,
}

impl From<LaneState> for LaneView {
    fn from(state: LaneState) -> Self {
        Self {
            lane: state.lane.as_str().to_owned(),
            paused_at: state.paused_at.map(time),
            pending: state.pending,
            out: state.out,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Lanes {
    /// Most urgent first.
    pub lanes: Vec<LaneView>,
}

/// The budget of a Zendesk account, whoever connected it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AccountBudget {
    pub workspace: String,
    /// Requests a minute, as Zendesk's headers said; null until then.
    pub limit: Option<u32>,
    /// What they left of the present minute; null between two.
    pub remaining: Option<u32>,
    pub window_ends_at: Option<String>,
    /// Requests out at present.
    pub in_flight: u32,
    /// Zendesk wants nobody to ask before this.
    pub blocked_until: Option<String>,
    /// Requests allowed since the budget was made.
    pub granted: u64,
    /// Waits since then: for the pace, the minute's rest, a free place, Zendesk's word.
    pub waits: u64,
    /// Why it cannot be told.
    pub error: Option<String>,
}

impl AccountBudget {
    pub(crate) fn new(workspace: String, seen: Result<BudgetView, String>) -> Self {
        let (view, error) = match seen {
            Ok(view) => (view, None),
            Err(error) => (BudgetView::default(), Some(error)),
        };
        let waits = view.waits;
        Self {
            workspace,
            limit: view.limit,
            remaining: view.remaining,
            window_ends_at: view.window_ends_at.map(|at| time(at.as_millisecond())),
            in_flight: view.in_flight,
            blocked_until: view.blocked_until.map(|at| time(at.as_millisecond())),
            granted: view.granted,
            waits: waits.pace + waits.window + waits.in_flight + waits.blocked,
            error,
        }
    }
}

/// How the budget of a connection's Zendesk account was used in the last day, in slots of half an hour. Whoever else connected
/// that account uses it too.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BudgetDay {
    /// What is left of it now.
    pub now: AccountBudget,
    /// When the first slot began.
    pub since: String,
    /// Seconds of a slot.
    pub slot_seconds: i64,
    /// Requests that were answered, a number for each slot; null where none was.
    pub requests: Vec<Option<i64>>,
    /// Of them, by 429.
    pub throttled: Vec<Option<i64>>,
    /// Seconds that requests waited for a permit, all together.
    pub waited_seconds: Vec<Option<i64>>,
    /// The least that an answer left of a minute.
    pub least_left: Vec<Option<i64>>,
}

impl BudgetDay {
    pub(crate) fn new(now: AccountBudget, used: &[(i64, AccountUse)], now_ms: i64) -> Self {
        let first = now_ms.div_euclid(USE_SLOT_MS) - USE_SLOTS + 1;
        let series = |of: fn(&AccountUse) -> Option<i64>| {
            let at = |slot: i64| used.iter().find(|(at, _)| *at == slot).and_then(|(_, used)| of(used));
            (first..first + USE_SLOTS).map(at).collect()
        };
        Self {
            now,
            since: time(first * USE_SLOT_MS),
            slot_seconds: USE_SLOT_MS / 1_000,
            requests: series(|used| Some(used.requests)),
            throttled: series(|used| Some(used.throttled)),
            waited_seconds: series(|used| Some(used.waited_ms / 1_000)),
            least_left: series(|used| used.least_left),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Budgets {
    /// By workspace.
    pub(crate) budgets: Vec<AccountBudget>,
}
