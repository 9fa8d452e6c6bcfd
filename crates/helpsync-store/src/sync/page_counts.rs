//! What is counted of a page, as the run's row counts it.

use std::collections::HashSet;
use std::time::Duration;

use helpsync_telemetry::metrics as telemetry;
use serde_json::json;

use crate::db::decode::{count, since};
use crate::db::{StoreError, Write, sql};
use crate::run::shards::StartedShard;
use crate::sync::pages::{PageOutcome, PageWrite};

/// Which articles of the page this run was shown before, so that it has counted them.
pub(crate) async fn counted_before(
    write: &mut Write,
    started: &StartedShard,
    page: &PageWrite,
) -> Result<HashSet<i64>, StoreError> {
    let ids = page.articles.iter().map(|article| article.article_id).chain(page.settled.iter().copied());
    let ids: Vec<i64> = ids.collect();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let counted: Vec<i64> = sqlx::query_scalar(sql(format!(
        "select article_id from remote_article where connection_id = $1 and seen_run = $2 and article_id in {}",
        write.dialect.json_integers("$3")
    )))
    .bind(started.fence.connection.0)
    .bind(started.fence.run.0)
    .bind(json!(ids).to_string())
    .fetch_all(&mut *write.tx)
    .await?;
    Ok(counted.into_iter().collect())
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
