//! Removal: hide first, delete on confirmation, hold back what looks too much.

use helpsync_model::{ConnectionId, ExportAccess};
use serde_json::json;
use sqlx::Row;

use crate::db::decode::count;
use crate::db::states::{EXPORT_LOST, EXPORT_REFUSED};
use crate::db::{StoreError, SyncStore, Write, sql};
use crate::run::shards::{StartedShard, check_fence, check_fence_to_change};
use crate::sync::page_rows::drop_files;

/// How many files one run may remove without a person's leave: the larger of the two.
#[derive(Debug, Clone, Copy)]
pub struct RemovalCeiling {
    /// Of the connection's files, in percent.
    pub percent: u8,
    /// Whatever the percentage.
    pub floor: u32,
}

impl RemovalCeiling {
    /// How many of `all` files may go.
    pub(crate) fn most_of(self, all: i64) -> i64 {
        i64::from(self.floor).max(all * i64::from(self.percent) / 100)
    }
}

/// What is missing at Zendesk.
#[derive(Debug, Clone, Copy)]
pub enum Missing<'a> {
    /// Everything that this run did not see: only after a whole listing that ended cleanly.
    Unseen,
    /// These articles, found by probing.
    Articles(&'a [i64]),
}

/// What became of what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RemovalVerdict {
    /// These articles are hidden now and wait to be confirmed.
    Hidden(Vec<i64>),
    /// So many are missing, or the grant sees so much less than before, that nothing was changed; a person must look.
    Held(i64),
}

impl SyncStore {
    /// Articles that are hidden and not yet confirmed, up to `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn hidden_articles(
        &self,
        connection: ConnectionId,
        limit: u32,
    ) -> Result<Vec<i64>, StoreError> {
        Ok(sqlx::query_scalar(
            "select article_id from file where connection_id = $1 and hidden_at is not null order by id limit $2",
        )
        .bind(connection.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?)
    }

    /// Hides what is missing, unless that is more than `ceiling` allows, or the grant's user lost his role, and nobody
    /// allowed so many.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn hide_missing(
        &self,
        started: &StartedShard,
        missing: Missing<'_>,
        ceiling: RemovalCeiling,
    ) -> Result<RemovalVerdict, StoreError> {
        let fence = &started.fence;
        let mut write = self.write().await?;
        let now = write.now;
        check_fence_to_change(&mut write, fence).await?;
        let (named, whole) = match missing {
            Missing::Unseen => (json!([]).to_string(), 1),
            Missing::Articles(ids) => (json!(ids).to_string(), 0),
        };
        let ids = self.dialect.json_integers("$3");
        let (files, articles) = missing_files(&mut write, started, &named, whole).await?;
        let (all, allowed, access): (i64, i64, Option<String>) = sqlx::query_as(
            "select (select count(*) from file where connection_id = $1), removals_allowed, export_access
             from connection where id = $1",
        )
        .bind(fence.connection.0)
        .fetch_one(&mut *write.tx)
        .await?;
        let most = ceiling.most_of(all);
        let lost = access.as_deref() == Some(ExportAccess::Lost.as_str());
        let found = count(files.len());
        // What needs no person may go beside what a person has allowed.
        let free = if lost { 0 } else { most };
        let held = found > free.saturating_add(allowed);
        let marked =
            if held { "held_at = $2" } else { "hidden_at = coalesce(hidden_at, $2), held_at = null" };
        sqlx::query(sql(format!("update file set {marked} where {}", self.dialect.among("id", "$1"))))
            .bind(json!(files).to_string())
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        if held {
            write.count_articles("held", found);
            sqlx::query("update run set held = $2 where id = $1")
                .bind(fence.run.0)
                .bind(found)
                .execute(&mut *write.tx)
                .await?;
        } else if !lost || allowed != 0 {
            // Drafts hold nothing of ours: their absence is simply noted.
            sqlx::query(sql(format!(
                "delete from remote_article where connection_id = $1 and seen_run < $2
                   and ($4 = 1 or article_id in {ids})
                   and article_id not in (select article_id from file where connection_id = $1)"
            )))
            .bind(fence.connection.0)
            .bind(fence.run.0)
            .bind(&named)
            .bind(whole)
            .execute(&mut *write.tx)
            .await?;
        }
        if whole == 1 {
            note_audit(&mut write, started).await?;
        }
        write.commit().await?;
        Ok(if held { RemovalVerdict::Held(found) } else { RemovalVerdict::Hidden(articles) })
    }

    /// Shows hidden articles again: whether they are gone could not be found out.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn show_again(&self, started: &StartedShard, articles: &[i64]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        sqlx::query(sql(format!(
            "update file set hidden_at = null where connection_id = $1 and {}",
            self.dialect.among("article_id", "$2")
        )))
        .bind(started.fence.connection.0)
        .bind(json!(articles).to_string())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// Shows hidden articles again, and holds their removal: that they are gone could not be proved.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn hold(&self, started: &StartedShard, articles: &[i64]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        check_fence_to_change(&mut write, &started.fence).await?;
        sqlx::query(sql(format!(
            "update file set hidden_at = null, held_at = $3 where connection_id = $1 and {}",
            self.dialect.among("article_id", "$2")
        )))
        .bind(started.fence.connection.0)
        .bind(json!(articles).to_string())
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        write.count_articles("held", count(articles.len()));
        sqlx::query("update run set held = held + $2 where id = $1")
            .bind(started.fence.run.0)
            .bind(count(articles.len()))
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// Deletes what was asked for once more and is gone, and announces it.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn settle_removed(&self, started: &StartedShard, gone: &[i64]) -> Result<(), StoreError> {
        let fence = &started.fence;
        let mut write = self.write().await?;
        let now = write.now;
        check_fence(&mut write, fence).await?;
        let gone = json!(gone).to_string();
        let ids = self.dialect.json_integers("$2");
        // The ledger first, as everywhere.
        sqlx::query(sql(format!(
            "delete from remote_article where connection_id = $1 and article_id in {ids}"
        )))
        .bind(fence.connection.0)
        .bind(&gone)
        .execute(&mut *write.tx)
        .await?;
        let files: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select id from file where connection_id = $1 and article_id in {ids} order by article_id"
        )))
        .bind(fence.connection.0)
        .bind(&gone)
        .fetch_all(&mut *write.tx)
        .await?;
        drop_files(&mut write, started, &files).await?;
        write.count_articles("removed", count(files.len()));
        sqlx::query("update run set removed = removed + $2, progress_at = $3 where id = $1")
            .bind(fence.run.0)
            .bind(count(files.len()))
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }
}

/// The files, and their articles, that this run did not see: of all (`whole` is 1) or of those that `named` lists.
async fn missing_files(
    write: &mut Write,
    started: &StartedShard,
    named: &str,
    whole: i64,
) -> Result<(Vec<i64>, Vec<i64>), StoreError> {
    let found = sqlx::query(sql(format!(
        "select file.id, file.article_id from file left join remote_article as ledger
           on ledger.connection_id = file.connection_id and ledger.article_id = file.article_id
         where file.connection_id = $1 and coalesce(ledger.seen_run, 0) < $2
           and ($4 = 1 or file.article_id in {})",
        write.dialect.json_integers("$3")
    )))
    .bind(started.fence.connection.0)
    .bind(started.fence.run.0)
    .bind(named)
    .bind(whole)
    .fetch_all(&mut *write.tx)
    .await?;
    let found: Vec<(i64, i64)> = found
        .iter()
        .map(|row| Ok((row.try_get("id")?, row.try_get("article_id")?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(found.into_iter().unzip())
}

/// The whole listing is compared. Whoever allows the removals has seen what the smaller role leaves: it counts as the
/// role from here on.
async fn note_audit(write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "update connection set last_audit_at = $2, removals_allowed = 0,
           export_access = case when export_access = {EXPORT_LOST} and removals_allowed > 0
             then {EXPORT_REFUSED} else export_access end where id = $1"
    )))
    .bind(started.fence.connection.0)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
