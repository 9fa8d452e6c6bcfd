//! What the whole installation shares: processes, lanes, and the budgets of Zendesk accounts.

use helpsync_account::BudgetView;
use helpsync_store::{HeldShard, LaneState, ProcessSeen};
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

/// A process that says so every ten seconds lives; after this silence it does not, in ms.
const SILENCE_MAX_MS: i64 = 35_000;

/// A process of the last day.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProcessView {
    /// The name that it leases shards by.
    pub(crate) holder: String,
    /// `all`, `dispatcher` or `worker`.
    pub(crate) role: String,
    pub(crate) host: String,
    pub(crate) version: String,
    /// False: it has not said anything for more than half a minute.
    pub(crate) alive: bool,
    /// Shards that it runs at once.
    pub(crate) concurrency: i64,
    pub(crate) started_at: String,
    pub(crate) seen_at: String,
    /// What it does.
    pub(crate) shards: Vec<HeldShardView>,
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
#[derive(Serialize, ToSchema)]
pub(crate) struct HeldShardView {
    pub(crate) id: i64,
    pub(crate) run_id: i64,
    pub(crate) kind: String,
    pub(crate) customer_id: String,
    pub(crate) workspace: String,
    /// It is another's after this, unless the process says again that it works on it.
    pub(crate) lease_until: String,
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

#[derive(Serialize, ToSchema)]
pub(crate) struct Processes {
    /// The latest started first.
    pub(crate) processes: Vec<ProcessView>,
}

/// A lane, and how much waits in it.
#[derive(Serialize, ToSchema)]
pub(crate) struct LaneView {
    /// `on_demand`, `scheduled` or `backfill`.
    pub(crate) lane: &'static str,
    /// Since when a person has paused it.
    pub(crate) paused_at: Option<String>,
    /// Shards that wait to be handed out.
    pub(crate) pending: i64,
    /// Shards that are handed out, or run.
    pub(crate) out: i64,
}

impl From<LaneState> for LaneView {
    fn from(state: LaneState) -> Self {
        Self {
            lane: state.lane.as_str(),
            paused_at: state.paused_at.map(time),
            pending: state.pending,
            out: state.out,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Lanes {
    /// Most urgent first.
    pub(crate) lanes: Vec<LaneView>,
}

/// The budget of a Zendesk account, whoever connected it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccountBudget {
    pub(crate) workspace: String,
    /// Requests a minute, as Zendesk's headers said; null until then.
    pub(crate) limit: Option<u32>,
    /// What they left of the present minute; null between two.
    pub(crate) remaining: Option<u32>,
    pub(crate) window_ends_at: Option<String>,
    /// Requests out at present.
    pub(crate) in_flight: u32,
    /// Zendesk wants nobody to ask before this.
    pub(crate) blocked_until: Option<String>,
    /// Requests allowed since the budget was made.
    pub(crate) granted: u64,
    /// Waits since then: for the pace, the minute's rest, a free place, Zendesk's word.
    pub(crate) waits: u64,
    /// Why it cannot be told.
    pub(crate) error: Option<String>,
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

#[derive(Serialize, ToSchema)]
pub(crate) struct Budgets {
    /// By workspace.
    pub(crate) budgets: Vec<AccountBudget>,
}
