//! What happens over time: the shards of a run, and the last day of the installation.

use std::collections::BTreeMap;

use helpsync_store::{HISTORY_SLOTS, HistoryPoint, SLOT_MS, TimedShard, Waited};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time;

/// A shard over time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TimedShardView {
    pub id: i64,
    /// Unique in its run.
    pub key: String,
    /// What it does.
    pub kind: String,
    /// `pending`, `released`, `running`, `done`, `failed` or `cancelled`.
    pub state: String,
    /// Tries spent since it last got anywhere.
    pub failures: i64,
    /// Who works on it.
    pub holder: Option<String>,
    pub error: Option<String>,
    pub created_at: String,
    /// When it was started first; null: not yet.
    pub started_at: Option<String>,
    /// When it last changed: its end, if it has ended.
    pub updated_at: String,
    /// Not before.
    pub due_at: String,
    /// What it waited for, in order; the first forty or so.
    pub waits: Vec<WaitView>,
}

/// A shard was put off, or waited for its account's budget while it worked.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WaitView {
    pub at: String,
    pub until: String,
    /// What for.
    pub why: String,
    /// Milliseconds of that time that it waited for budget, working in between; null: it was put off for all of it.
    pub waited_ms: Option<i64>,
}

impl From<Waited> for WaitView {
    fn from(waited: Waited) -> Self {
        Self { at: time(waited.at), until: time(waited.until), why: waited.why, waited_ms: waited.waited_ms }
    }
}

impl From<TimedShard> for TimedShardView {
    fn from(shard: TimedShard) -> Self {
        Self {
            id: shard.id,
            key: shard.key,
            kind: shard.kind.as_str().to_owned(),
            state: shard.state.as_str().to_owned(),
            failures: shard.failures,
            holder: shard.holder,
            error: shard.error,
            created_at: time(shard.created_at),
            started_at: shard.started_at.map(time),
            updated_at: time(shard.updated_at),
            due_at: time(shard.due_at),
            waits: shard.waits.into_iter().map(WaitView::from).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// In the order in which they came to be.
    pub shards: Vec<TimedShardView>,
}

/// The last day of the installation, in slots of five minutes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// When the first slot began.
    pub since: String,
    /// Seconds of a slot.
    pub slot_seconds: i64,
    /// For each name a number for each slot, null where nothing was noted: `files_stored`, `requests`, `throttled`, …
    #[schema(value_type = Object)]
    pub series: BTreeMap<String, Vec<Option<i64>>>,
}

impl History {
    pub(crate) fn new(points: Vec<HistoryPoint>, now_ms: i64) -> Self {
        let first = now_ms.div_euclid(SLOT_MS) - HISTORY_SLOTS + 1;
        let slots = usize::try_from(HISTORY_SLOTS).unwrap_or_default();
        let mut series: BTreeMap<String, Vec<Option<i64>>> = BTreeMap::new();
        for point in points {
            let values = series.entry(point.name).or_insert_with(|| vec![None; slots]);
            let at = usize::try_from(point.slot - first).ok().and_then(|at| values.get_mut(at));
            if let Some(value) = at {
                *value = Some(point.value);
            }
        }
        Self { since: time(first * SLOT_MS), slot_seconds: SLOT_MS / 1_000, series }
    }
}
