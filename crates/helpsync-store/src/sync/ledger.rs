//! The ledger of what Zendesk shows us, and the notes that a run leaves about how it read.

use std::collections::HashMap;

use helpsync_model::{ConnectionId, ListParams, RunId, ShardCursor, ShardKind};
use sqlx::Row;

use crate::db::{StoreError, SyncStore, decode, sql};
use crate::run::note::RunNote;
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

/// What we know of a help center.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// Articles that we believe Zendesk shows us.
    pub articles: i64,
    /// Those of them that the run was shown, or a later one.
    pub shown: i64,
    /// Records that the run was shown that had not even a readable id.
    pub nameless: i64,
    /// Some files are hidden.
    pub any_hidden: bool,
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

    /// What is to be compared with Zendesk's count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn known(&self, connection: ConnectionId, run: RunId) -> Result<Known, StoreError> {
        let counted =
            "select (select count(*) from remote_article where connection_id = $1 and seen_run >= 0) as articles,
               (select count(*) from remote_article where connection_id = $1 and seen_run >= $2) as shown,
               (select count(*) from skipped where run_id = $2 and article_id is null) as nameless,
               cast(case when exists (select 1 from file where connection_id = $1 and hidden_at is not null)
                 then 1 else 0 end as bigint) as any_hidden";
        let row = sqlx::query(counted).bind(connection.0).bind(run.0).fetch_one(&self.pool).await?;
        Ok(Known {
            articles: row.try_get("articles")?,
            shown: row.try_get("shown")?,
            nameless: row.try_get("nameless")?,
            any_hidden: row.try_get::<i64, _>("any_hidden")? == 1,
        })
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

    /// Adds to the run's record what belongs to no stored page of an attempt that did not end its shard: time waited for
    /// budget, and requests.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn note_attempt(
        &self,
        fence: &Fence,
        waits: &BudgetWaits,
        requests: u64,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        check_fence(&mut write, fence).await?;
        budget_waits::add(&mut write, fence, waits).await?;
        if requests > 0 {
            sqlx::query("update run set requests = requests + $2 where id = $1")
                .bind(fence.run.0)
                .bind(i64::try_from(requests).unwrap_or(i64::MAX))
                .execute(&mut *write.tx)
                .await?;
        }
        write.commit().await
    }

    /// Writes down what a run found out.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn note_run(&self, fence: &Fence, note: &RunNote) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        if note.concerns_connection() {
            check_fence_to_change(&mut write, fence).await?;
        } else {
            check_fence(&mut write, fence).await?;
        }
        note.write_to_connection(&mut write, fence.connection).await?;
        let text = format!("update run set {} where id = $1", RunNote::set(2));
        note.bind(sqlx::query(sql(text)).bind(fence.run.0)).execute(&mut *write.tx).await?;
        note.count(&mut write);
        write.commit().await
    }
}
