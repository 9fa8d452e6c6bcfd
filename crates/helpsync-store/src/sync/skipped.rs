//! What runs could not store, and why.

use std::collections::HashMap;

use helpsync_model::{EventKind, FileStatus, OrganizationId, RunId};
use serde_json::{Value, json};
use sqlx::Row;

use crate::db::{AdminStore, StoreError, SyncStore, Write, decode, integer, sql, text};
use crate::event::events;
use crate::run::shards::StartedShard;
use crate::sync::pages::SkippedArticle;

/// Reasons of one run that are announced one by one, those of most articles first.
const REASONS_MAX: i64 = 20;
/// Files that one announcement names.
const FILES_MAX: i64 = 1_000;

/// An article that a run could not store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Ever growing; page with it.
    pub id: i64,
    /// Zendesk's id, where one could be read.
    pub article_id: Option<i64>,
    /// Why.
    pub reason: String,
    /// When it was found out, in ms.
    pub created_at: i64,
}

impl AdminStore {
    /// Up to `limit` articles that a run could not store, with an id above `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn skipped(
        &self,
        organization: OrganizationId,
        run: RunId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Skipped>, StoreError> {
        sqlx::query(
            "select id, article_id, reason, created_at from skipped where run_id = $1 and id > $2
               and exists (select 1 from run where run.id = run_id and run.organization_id = $4)
             order by id limit $3",
        )
        .bind(run.0)
        .bind(after)
        .bind(i64::from(limit))
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(Skipped {
                id: row.try_get("id")?,
                article_id: row.try_get("article_id")?,
                reason: row.try_get("reason")?,
                created_at: row.try_get("created_at")?,
            })
        })
        .collect()
    }
}

impl SyncStore {
    /// Keeps the reasons with the run. A record without a readable id is kept once, however often it is read: it accounts
    /// for one of Zendesk's count.
    pub(crate) async fn record_reasons(
        &self,
        write: &mut Write,
        started: &StartedShard,
        skipped: &[SkippedArticle],
    ) -> Result<(), StoreError> {
        if skipped.is_empty() {
            return Ok(());
        }
        let rows = skipped
            .iter()
            .map(|one| json!({ "article_id": one.article_id, "reason": decode::without_nul(&one.reason) }));
        sqlx::query(sql(format!(
            "insert into skipped (run_id, article_id, reason, created_at) select $1, article_id, reason, $2 from {}
             where article_id is not null or not exists (select 1 from skipped as told where told.run_id = $1
               and told.article_id is null and told.reason = incoming.reason)",
            self.dialect.json_rows("$3", &[integer("article_id"), text("reason")])
        )))
        .bind(started.fence.run.0)
        .bind(write.now)
        .bind(Value::from_iter(rows).to_string())
        .execute(&mut *write.tx)
        .await?;
        Ok(())
    }

    /// The reasons are kept with the run, and shown on the files of which an older copy is stored.
    pub(crate) async fn record_skipped(
        &self,
        write: &mut Write,
        started: &StartedShard,
        skipped: &[SkippedArticle],
    ) -> Result<(), StoreError> {
        if skipped.is_empty() {
            return Ok(());
        }
        self.record_reasons(write, started, skipped).await?;
        // Of an article that comes twice the last reason counts.
        let named: HashMap<i64, &SkippedArticle> =
            skipped.iter().filter_map(|one| Some((one.article_id?, one))).collect();
        let rows = named.iter().map(|(id, one)| {
            json!({ "article_id": id, "why": decode::without_nul(&one.reason),
                "created_at": one.created_at.unwrap_or(0), "section_id": one.section_id })
        });
        let rows = Value::from_iter(rows).to_string();
        let columns = [integer("article_id"), integer("created_at"), integer("section_id"), text("why")];
        let source = self.dialect.json_rows("$3", &columns);
        // An article that exists but cannot be stored still counts as existing: it must not look removed.
        sqlx::query(sql(format!(
            "insert into remote_article (connection_id, article_id, created_at, updated_at, published, section_id, seen_run)
             select $1, article_id, created_at, 0, 1, section_id, $2 from {source} where true order by article_id
             on conflict (connection_id, article_id) do update set seen_run = excluded.seen_run, placed = 1,
               over_limit = null"
        )))
        .bind(started.fence.connection.0)
        .bind(started.fence.run.0)
        .bind(&rows)
        .execute(&mut *write.tx)
        .await?;
        // Asked for because it is missing, and not to be read: it is not gone.
        let shown = sqlx::query(sql(format!(
            "update file set status = $2, error = why, hidden_at = null, updated_at = $4 from {source}
             where file.connection_id = $1 and file.article_id = incoming.article_id
             returning file.id, file.error"
        )))
        .bind(started.fence.connection.0)
        .bind(FileStatus::SyncError.as_str())
        .bind(&rows)
        .bind(write.now)
        .fetch_all(&mut *write.tx)
        .await?;
        let mut failed = Vec::with_capacity(shown.len());
        for row in &shown {
            let reason: String = row.try_get("error")?;
            failed.push((row.try_get::<i64, _>("id")?.to_string(), json!({ "reason": reason })));
        }
        events::record_all(write, started.owner(), EventKind::FileError, "FILE", &failed).await
    }

    /// Announces at the end of a run what it skipped, by reason: how many articles, and those of them that are files.
    pub(crate) async fn announce_skipped(
        &self,
        write: &mut Write,
        started: &StartedShard,
    ) -> Result<(), StoreError> {
        let run = started.fence.run;
        let reasons: Vec<(String, i64)> = sqlx::query_as(
            "select reason, count(distinct coalesce(article_id, -id)) as articles from skipped where run_id = $1
             group by reason order by articles desc, reason limit $2",
        )
        .bind(run.0)
        .bind(REASONS_MAX)
        .fetch_all(&mut *write.tx)
        .await?;
        let mut skipped = Vec::with_capacity(reasons.len());
        for (reason, articles) in reasons {
            let files: Vec<i64> = sqlx::query_scalar(
                "select distinct file.id from skipped join file on file.article_id = skipped.article_id
                 where skipped.run_id = $1 and skipped.reason = $2 and file.connection_id = $3
                 order by file.id limit $4",
            )
            .bind(run.0)
            .bind(&reason)
            .bind(started.fence.connection.0)
            .bind(FILES_MAX)
            .fetch_all(&mut *write.tx)
            .await?;
            let detail = json!({
                "reason": reason, "articles": articles, "run_id": run,
                "request_id": started.run.request_id, "upload_id": started.run.upload_id,
            });
            skipped.push((json!(files).to_string(), detail));
        }
        events::record_all(write, started.owner(), EventKind::FilesSkipped, "FILE_LIST", &skipped).await
    }
}
