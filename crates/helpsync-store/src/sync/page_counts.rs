//! What is counted of a page, as the run's row counts it.

use std::collections::HashSet;
use std::time::Duration;

use helpsync_telemetry::metrics as telemetry;
use serde_json::json;

use crate::db::decode::{count, since};
use crate::db::{Dialect, StoreError, Write, sql};
use crate::run::counters::PageCounts;
use crate::run::shards::StartedShard;
use crate::sync::pages::{PageOutcome, PageWrite};

/// The articles that the page shows.
pub(crate) fn ids_of(page: &PageWrite) -> Vec<i64> {
    page.articles.iter().map(|article| article.article_id).chain(page.settled.iter().copied()).collect()
}

/// Which articles of the page this run was shown before, so that it has counted them.
pub(crate) async fn counted_before(
    write: &mut Write,
    started: &StartedShard,
    page: &PageWrite,
) -> Result<HashSet<i64>, StoreError> {
    let ids = ids_of(page);
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let counted: Vec<i64> = sqlx::query_scalar(sql(counted_sql(write.dialect, ["$1", "$2", "$3"])))
        .bind(started.fence.connection.0)
        .bind(started.fence.run.0)
        .bind(json!(ids).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
    Ok(counted.into_iter().collect())
}

/// Which of some articles of a connection a run was shown; placeholders.
pub(crate) fn counted_sql(dialect: Dialect, [connection, run, articles]: [&str; 3]) -> String {
    let shown = dialect.articles_of("remote_article", "article_id, seen_run", [connection, articles]);
    format!("select article_id from {shown} where seen_run = {run}")
}

/// What the page adds to its run's row at `now` (ms).
pub(crate) fn counts_of(page: &PageWrite, outcome: &PageOutcome, now: i64) -> PageCounts {
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let waits = page.waits;
    let waits = [
        waits.all_ms,
        waits.pace_ms,
        waits.window_ms,
        waits.in_flight_ms,
        waits.blocked_ms,
        waits.put_off_ms,
    ];
    PageCounts {
        listed: count(page.articles.len() + page.settled.len()),
        created: outcome.created,
        updated: outcome.updated,
        unchanged: outcome.unchanged,
        drafts: outcome.drafts,
        unselected: outcome.unselected,
        removed: outcome.removed,
        skipped: count(page.skipped.len() + page.skipped_translations.len()),
        requests: number(page.requests),
        bytes: number(page.bytes),
        waits_ms: waits.map(number),
        progress_at: now,
    }
}

/// Has the time from each change in Zendesk (ms) to now measured. What a full run finds was mostly there for years.
pub(crate) fn measure_delay(write: &mut Write, changed_at: impl Iterator<Item = i64>) {
    let now = write.now;
    let delays: Vec<Duration> = changed_at.map(|changed_at| since(changed_at, now)).collect();
    write.once_committed(move || delays.into_iter().for_each(telemetry::change_stored));
}

/// Has the page counted once it is committed, as the run's row counts it.
pub(crate) fn count_page(write: &mut Write, page: &PageWrite, outcome: &PageOutcome) {
    let listed = page.articles.len() + page.settled.len();
    write.once_committed(move || telemetry::articles_listed(listed as u64));
    for (name, number) in [
        ("created", outcome.created),
        ("updated", outcome.updated),
        ("unchanged", outcome.unchanged),
        ("drafts", outcome.drafts),
        ("unselected", outcome.unselected),
        ("removed", outcome.removed),
        ("skipped", count(page.skipped.len() + page.skipped_translations.len())),
    ] {
        write.count_articles(name, number);
    }
}
