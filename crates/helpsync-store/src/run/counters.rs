//! What runs count.

use serde::{Deserialize, Serialize};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::StoreError;

/// What a run has done so far: its receipt once it has ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RunCounters {
    /// Articles read from Zendesk, repeats included.
    pub listed: i64,
    /// Files stored for the first time.
    pub created: i64,
    /// Files whose content changed.
    pub updated: i64,
    /// Articles whose stored copy was already right, each once.
    pub unchanged: i64,
    /// Articles with nothing published.
    pub drafts: i64,
    /// Published articles that the connection's selection leaves out.
    pub unselected: i64,
    /// Articles that could not be stored; each has its reason in the store.
    pub skipped: i64,
    /// Files removed.
    pub removed: i64,
    /// Removals held back for a person to allow.
    pub held: i64,
    /// Requests sent to Zendesk.
    pub requests: i64,
    /// Bytes of their answers.
    pub bytes: i64,
    /// Time spent waiting for budget, in ms.
    pub budget_wait_ms: i64,
    /// Of it, for the even pace of requests. Waits for two things at once are in both.
    pub wait_pace_ms: i64,
    /// Of it, for the account's next minute.
    pub wait_window_ms: i64,
    /// Of it, for requests under way.
    pub wait_in_flight_ms: i64,
    /// Of it, for the end of a pause that Zendesk asked for.
    pub wait_blocked_ms: i64,
    /// Of it, put off in the store, because the wait was too long to be waited out.
    pub wait_put_off_ms: i64,
    /// How many articles Zendesk said there are.
    pub remote_count: Option<i64>,
}

pub(crate) fn counters_of(row: &AnyRow) -> Result<RunCounters, StoreError> {
    Ok(RunCounters {
        listed: row.try_get("listed")?,
        created: row.try_get("created")?,
        updated: row.try_get("updated")?,
        unchanged: row.try_get("unchanged")?,
        drafts: row.try_get("drafts")?,
        unselected: row.try_get("unselected")?,
        skipped: row.try_get("skipped")?,
        removed: row.try_get("removed")?,
        held: row.try_get("held")?,
        requests: row.try_get("requests")?,
        bytes: row.try_get("bytes")?,
        budget_wait_ms: row.try_get("budget_wait_ms")?,
        wait_pace_ms: row.try_get("wait_pace_ms")?,
        wait_window_ms: row.try_get("wait_window_ms")?,
        wait_in_flight_ms: row.try_get("wait_in_flight_ms")?,
        wait_blocked_ms: row.try_get("wait_blocked_ms")?,
        wait_put_off_ms: row.try_get("wait_put_off_ms")?,
        remote_count: row.try_get("remote_count")?,
    })
}

/// What a page adds to its run's row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PageCounts {
    pub(crate) listed: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) drafts: i64,
    pub(crate) unselected: i64,
    pub(crate) removed: i64,
    pub(crate) skipped: i64,
    pub(crate) requests: i64,
    pub(crate) bytes: i64,
    /// Time spent waiting for budget, in ms: all, then by what for, in the order of [`PageCounts::COLUMNS`].
    pub(crate) waits_ms: [i64; 6],
    /// Now, in ms.
    pub(crate) progress_at: i64,
}

impl PageCounts {
    const COLUMNS: [&'static str; 16] = [
        "listed",
        "created",
        "updated",
        "unchanged",
        "drafts",
        "unselected",
        "removed",
        "skipped",
        "requests",
        "bytes",
        "budget_wait_ms",
        "wait_pace_ms",
        "wait_window_ms",
        "wait_in_flight_ms",
        "wait_blocked_ms",
        "wait_put_off_ms",
    ];

    /// What it sets in the run's row: placeholders from `first` on, as [`PageCounts::bind`] binds them.
    pub(crate) fn set(first: usize) -> String {
        let counted = Self::COLUMNS.iter().enumerate();
        let counted = counted.map(|(at, column)| format!("{column} = run.{column} + ${}", first + at));
        let at = format!("progress_at = ${}", first + Self::COLUMNS.len());
        counted.chain([at]).collect::<Vec<_>>().join(", ")
    }

    /// Binds what [`PageCounts::set`] names.
    pub(crate) fn bind<'q>(&self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        let counted = [
            self.listed,
            self.created,
            self.updated,
            self.unchanged,
            self.drafts,
            self.unselected,
            self.removed,
            self.skipped,
            self.requests,
            self.bytes,
        ];
        let values = counted.into_iter().chain(self.waits_ms).chain([self.progress_at]);
        values.fold(query, Query::bind)
    }
}
