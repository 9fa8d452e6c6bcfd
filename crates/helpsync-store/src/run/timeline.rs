//! When the shards of a run did what, and what they waited for: for people who look at a run over time.

use helpsync_model::{Confirm, OrganizationId, RunId, ShardId, ShardKind, ShardState};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::{AdminStore, StoreError, decode};

/// Bytes of waits that are kept of one shard: some forty. Later ones are not noted.
pub(crate) const WAITS_BYTES_MAX: i64 = 4_096;
/// Of a reason, so many characters are noted.
const REASON_CHARS_MAX: usize = 120;

/// A shard over time; times in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedShard {
    /// Its id.
    pub id: i64,
    /// Unique in its run.
    pub key: String,
    /// What it does.
    pub kind: ShardKind,
    /// Where it stands.
    pub state: ShardState,
    /// Tries spent since it last got anywhere.
    pub failures: i64,
    /// Who works on it.
    pub holder: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it came to be.
    pub created_at: i64,
    /// When it was started first; `None`: not yet, or nobody noted it.
    pub started_at: Option<i64>,
    /// When it last changed: its end, if it has ended.
    pub updated_at: i64,
    /// Not before.
    pub due_at: i64,
    /// What it was put off for, in order, up to a bound.
    pub waits: Vec<Waited>,
}

/// A shard was put off, or waited for budget while it worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waited {
    /// When, in ms.
    pub at: i64,
    /// Until when, in ms.
    pub until: i64,
    /// What for, for people.
    pub why: String,
    /// Of that time spent waiting, in ms, where it worked in between; `None`: it was put off for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<i64>,
}

/// A span of time in which a shard worked and waited for budget by turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitSpan {
    /// When it began, in ms.
    pub from: i64,
    /// When it ended, in ms.
    pub until: i64,
    /// Of it spent waiting, in ms.
    pub waited_ms: u64,
    /// What for, most of that time, for people.
    pub why: &'static str,
}

/// What a shard is put off for as a line of the column.
pub(crate) fn line_of(at: i64, until: i64, why: &str) -> String {
    let cut = why.char_indices().nth(REASON_CHARS_MAX).map(|(at, _)| format!("{}…", &why[..at]));
    let why = cut.as_deref().unwrap_or(why);
    format!("{}\n", json!({ "at": at, "until": until, "why": why }))
}

/// The same of a span in which it waited by turns.
pub(crate) fn span_line(span: &WaitSpan) -> String {
    let WaitSpan { from, until, waited_ms, why } = span;
    format!("{}\n", json!({ "at": from, "until": until, "waited_ms": waited_ms, "why": why }))
}

fn timed_of(row: &AnyRow) -> Result<TimedShard, StoreError> {
    let waits: String = row.try_get("waits")?;
    Ok(TimedShard {
        id: row.try_get("id")?,
        key: row.try_get("key")?,
        kind: decode::named(row, "shard", "kind")?,
        state: decode::named(row, "shard", "state")?,
        failures: row.try_get("failures")?,
        holder: row.try_get("holder")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        updated_at: row.try_get("updated_at")?,
        due_at: row.try_get("due_at")?,
        // Of a line that cannot be read nobody needs to know.
        waits: waits.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
    })
}

/// Articles that a run asks for one by one, because no list shows them any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingArticles {
    /// Those of shards that are done.
    pub asked: usize,
    /// All of them.
    pub total: usize,
    /// Shards under way, with how many each asks for.
    pub under_way: Vec<(ShardId, usize)>,
}

impl AdminStore {
    /// How far a run is with the articles that no list shows any more. None where it has not come to them, or has a second
    /// listing account for them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn missing_articles(
        &self,
        organization: OrganizationId,
        run: RunId,
    ) -> Result<MissingArticles, StoreError> {
        let rows = sqlx::query(
            "select shard.id, shard.state, shard.params from shard join run on run.id = shard.run_id
             where shard.run_id = $1 and shard.kind = $2 and run.organization_id = $3",
        )
        .bind(run.0)
        .bind(ShardKind::ConfirmRemoved.as_str())
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?;
        let mut missing = MissingArticles::default();
        for row in rows {
            if let Confirm::Articles { articles } = decode::json(&row, "shard", "params")? {
                let state: ShardState = decode::named(&row, "shard", "state")?;
                missing.total += articles.len();
                match state {
                    ShardState::Done => missing.asked += articles.len(),
                    ShardState::Running => {
                        missing.under_way.push((ShardId(row.try_get("id")?), articles.len()));
                    }
                    _ => {}
                }
            }
        }
        Ok(missing)
    }

    /// Up to `limit` shards of a run of the organization, in the order in which they came to be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn timeline(
        &self,
        organization: OrganizationId,
        run: RunId,
        limit: u32,
    ) -> Result<Vec<TimedShard>, StoreError> {
        let rows = sqlx::query(
            "select shard.id, shard.key, shard.kind, shard.state, shard.failures, shard.holder, shard.error,
               shard.created_at, shard.started_at, shard.updated_at, shard.due_at, shard.waits
             from shard join run on run.id = shard.run_id
             where shard.run_id = $1 and run.organization_id = $2 order by shard.id limit $3",
        )
        .bind(run.0)
        .bind(organization.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(timed_of).collect()
    }
}
