//! The ledger of what Zendesk shows us, and the notes that a run leaves about how it read.

use std::collections::HashMap;

use helpsync_model::{ConnectionId, ExportAccess, ListParams, Plan, RunId, ShardCursor, ShardKind};
use sqlx::Row;

use crate::db::{StoreError, SyncStore, decode};
use crate::run::shards::{Fence, check_fence, check_fence_to_change};
use crate::sync::budget_waits::{self, BudgetWaits};
use crate::sync::tree::ItemKind;

/// An article that Zendesk shows us, a draft or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its id.
    pub article_id: i64,
    /// ms; 0 where it could not be read.
    pub created_at: i64,
    /// Where it stands.
    pub section_id: Option<i64>,
}

/// A walk of the list: what it was to read, and where it stands.
#[derive(Debug, Clone)]
pub struct ListWalk {
    /// What it was to read.
    pub params: ListParams,
    /// Where it stands; `None` before the first page.
    pub cursor: Option<ShardCursor>,
}

/// What a run found out about its account.
#[derive(Debug, Clone, Default)]
pub struct RunNote {
    /// The plan that it follows, and why, for people.
    pub plan: Option<(Plan, String)>,
    /// How many articles Zendesk counts.
    pub remote_count: Option<i64>,
    /// Requests that finding out took.
    pub requests: u64,
    /// Removals that are held back.
    pub held: Option<i64>,
    /// What the incremental export answers.
    pub export_access: Option<ExportAccess>,
    /// See [`StartedShard::passed_second`](crate::run::shards::StartedShard::passed_second).
    pub passed_second: Option<i64>,
    /// What was read may not be all: the run lists everything, for this reason.
    pub audit_reason: Option<String>,
    /// Articles that Zendesk counts although the run was not shown so many. It ends as incomplete unless what is still
    /// asked for by id makes up for it.
    pub owed: Option<i64>,
    /// What the counts say could not be settled: the next run lists everything.
    pub audit_next: bool,
    /// See [`StartedShard::tree_mark`](crate::run::shards::StartedShard::tree_mark).
    pub tree_mark: Option<String>,
    /// The locales by which lists are asked for.
    pub list_locales: Option<Vec<String>>,
    /// How many articles each of them has.
    pub locale_counts: Option<Vec<i64>>,
}

impl SyncStore {
    /// How many articles we believe Zendesk shows us, drafts included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known_articles(&self, connection: ConnectionId) -> Result<i64, StoreError> {
        self.seen_articles(connection, RunId(0)).await
    }

    /// How many of them this run, or a later one, has seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seen_articles(&self, connection: ConnectionId, run: RunId) -> Result<i64, StoreError> {
        let counted = "select count(*) from remote_article where connection_id = $1 and seen_run >= $2";
        Ok(sqlx::query_scalar(counted).bind(connection.0).bind(run.0).fetch_one(&self.pool).await?)
    }

    /// How many records this run was shown that had not even a readable id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn nameless_records(&self, run: RunId) -> Result<i64, StoreError> {
        let counted = "select count(*) from skipped where run_id = $1 and article_id is null";
        Ok(sqlx::query_scalar(counted).bind(run.0).fetch_one(&self.pool).await?)
    }

    /// All of them, in the order of creation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ledger(&self, connection: ConnectionId) -> Result<Vec<LedgerEntry>, StoreError> {
        sqlx::query(
            "select article_id, created_at, section_id from remote_article
             where connection_id = $1 order by created_at, article_id",
        )
        .bind(connection.0)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(LedgerEntry {
                article_id: row.try_get("article_id")?,
                created_at: row.try_get("created_at")?,
                section_id: row.try_get("section_id")?,
            })
        })
        .collect()
    }

    /// The parents of the sections, as far as they are known: sections or categories.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn section_parents(
        &self,
        connection: ConnectionId,
    ) -> Result<HashMap<i64, (ItemKind, i64)>, StoreError> {
        let rows = sqlx::query(
            "select external_id, parent_kind, parent_id from item
             where connection_id = $1 and kind = 'SECTION' and parent_id is not null",
        )
        .bind(connection.0)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let kind: String = row.try_get("parent_kind")?;
                let kind =
                    if kind == ItemKind::Category.as_str() { ItemKind::Category } else { ItemKind::Section };
                Ok((row.try_get("external_id")?, (kind, row.try_get("parent_id")?)))
            })
            .collect()
    }

    /// How far the walks of the list have come that belong to a run.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list_walks(&self, run: RunId) -> Result<Vec<ListWalk>, StoreError> {
        let rows = sqlx::query(
            "select id, params, coalesce(cursor, 'null') as cursor from shard
             where run_id = $1 and kind = $2 order by id",
        )
        .bind(run.0)
        .bind(ShardKind::WalkList.as_str())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let (params, cursor) =
                    (decode::json(row, "shard", "params")?, decode::json(row, "shard", "cursor")?);
                Ok(ListWalk { params, cursor })
            })
            .collect()
    }

    /// Hidden articles that a run has not seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unseen_hidden(&self, connection: ConnectionId, run: RunId) -> Result<Vec<i64>, StoreError> {
        let unseen = "select file.article_id from file left join remote_article as ledger
               on ledger.connection_id = file.connection_id and ledger.article_id = file.article_id
             where file.connection_id = $1 and file.hidden_at is not null and coalesce(ledger.seen_run, 0) < $2";
        Ok(sqlx::query_scalar(unseen).bind(connection.0).bind(run.0).fetch_all(&self.pool).await?)
    }

    /// Adds to the run's record time waited for budget that belongs to no stored page.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn note_budget_wait(&self, fence: &Fence, waits: &BudgetWaits) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, fence).await?;
        budget_waits::add(&mut write, fence, waits).await?;
        write.commit().await
    }

    /// Writes down what a run found out.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn note_run(&self, fence: &Fence, note: &RunNote) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence_to_change(&mut write, fence).await?;
        if let Some(access) = note.export_access {
            sqlx::query("update connection set export_access = $2 where id = $1")
                .bind(fence.connection.0)
                .bind(access.as_str())
                .execute(&mut *write.tx)
                .await?;
        }
        if let Some(second) = note.passed_second {
            sqlx::query("update connection set passed_second = $2 where id = $1")
                .bind(fence.connection.0)
                .bind(second)
                .execute(&mut *write.tx)
                .await?;
        }
        if let Some(mark) = &note.tree_mark {
            sqlx::query("update connection set tree_mark = $2 where id = $1")
                .bind(fence.connection.0)
                .bind(mark)
                .execute(&mut *write.tx)
                .await?;
        }
        if let Some(locales) = &note.list_locales {
            sqlx::query("update connection set list_locales = $2, locale_counts = null where id = $1")
                .bind(fence.connection.0)
                .bind(serde_json::to_string(locales).map_err(StoreError::unwritable)?)
                .execute(&mut *write.tx)
                .await?;
        }
        if let Some(counts) = &note.locale_counts {
            sqlx::query("update connection set locale_counts = $2 where id = $1")
                .bind(fence.connection.0)
                .bind(serde_json::to_string(counts).map_err(StoreError::unwritable)?)
                .execute(&mut *write.tx)
                .await?;
        }
        if note.audit_next {
            sqlx::query("update connection set last_audit_at = 0 where id = $1")
                .bind(fence.connection.0)
                .execute(&mut *write.tx)
                .await?;
        }
        write.count_articles("held", note.held.unwrap_or(0));
        let (plan, reason) =
            note.plan.as_ref().map(|(plan, reason)| (plan.as_str(), reason.as_str())).unzip();
        sqlx::query(
            "update run set plan = coalesce($2, plan), plan_reason = coalesce($3, plan_reason),
               remote_count = coalesce($4, remote_count), requests = requests + $5, held = coalesce($6, held),
               audit_reason = coalesce($7, audit_reason), owed = coalesce($8, owed)
             where id = $1",
        )
        .bind(fence.run.0)
        .bind(plan)
        .bind(reason)
        .bind(note.remote_count)
        .bind(i64::try_from(note.requests).unwrap_or(i64::MAX))
        .bind(note.held)
        .bind(&note.audit_reason)
        .bind(note.owed)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}
