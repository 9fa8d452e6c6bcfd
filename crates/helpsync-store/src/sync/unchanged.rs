//! Which articles need no conversion, because their copies are right already.

use std::collections::HashMap;

use helpsync_model::FileStatus;
use serde_json::{Value, json};
use sqlx::Row;

use crate::db::{Dialect, StoreError, SyncStore, integer, sql};
use crate::run::shards::StartedShard;
use crate::sync::incoming::IncomingArticle;

impl SyncStore {
    /// Which of these articles are stored as they are, by the hashes of their raw bodies and the converter's version;
    /// their texts may be missing. Only to save work: [`SyncStore::store_page`] compares again, under the file's lock.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unchanged(
        &self,
        started: &StartedShard,
        articles: &[IncomingArticle],
    ) -> Result<Vec<i64>, StoreError> {
        if articles.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<i64> = articles.iter().map(|article| article.article_id).collect();
        let rows = sqlx::query(sql(hashes_sql(self.dialect)))
            .bind(started.fence.connection.0)
            .bind(json!(ids).to_string())
            .bind(FileStatus::Ready.as_str())
            .fetch_all(&self.pool)
            .await?;
        let mut known: HashMap<i64, (String, Option<String>, i64)> = HashMap::with_capacity(rows.len());
        for row in &rows {
            let hashes =
                (row.try_get("content_hash")?, row.try_get("metadata_hash")?, row.try_get("converter")?);
            known.insert(row.try_get("article_id")?, hashes);
        }
        let kept = |locale: &str| started.selection.keeps_locale(locale);
        let same = |article: &&IncomingArticle| {
            known.get(&article.article_id).is_some_and(|(content, metadata, converter)| {
                *content == article.content_hash_of(kept)
                    && metadata.as_deref() == Some(&article.metadata_hash)
                    && *converter == article.converter
            })
        };
        Ok(articles.iter().filter(same).map(|article| article.article_id).collect())
    }

    /// Which of these articles (id, time of change in ms) were read as they are now, so that an answer that lacks their
    /// translations needs no more requests: by this run, or (`by_time`) by any at the same time of change.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settled(
        &self,
        started: &StartedShard,
        articles: &[(i64, i64)],
        by_time: bool,
    ) -> Result<Vec<i64>, StoreError> {
        let rows = articles.iter().map(|(id, updated_at)| json!({ "id": id, "changed_at": updated_at }));
        let settled = sqlx::query_scalar(sql(format!(
            "select ledger.article_id from {} join remote_article as ledger
               on ledger.connection_id = $1 and ledger.article_id = incoming.id
             left join file on file.connection_id = $1 and file.article_id = incoming.id
             where ledger.updated_at = changed_at and ledger.over_limit is null
               and (ledger.seen_run >= $2 or $4 = 1)
               and ((file.id is null and (ledger.published = 0 or ledger.seen_run >= $2))
                 or (file.status = $5 and file.hidden_at is null and file.content_deleted = 0))",
            self.dialect.json_rows("$3", &[integer("id"), integer("changed_at")])
        )))
        .bind(started.fence.connection.0)
        .bind(started.fence.run.0)
        .bind(Value::from_iter(rows).to_string())
        .bind(i64::from(by_time))
        .bind(FileStatus::Ready.as_str())
        .fetch_all(&self.pool)
        .await?;
        Ok(settled)
    }
}

/// What is compared of a connection's (`$1`) files of some articles (`$2`) that are shown, in this state (`$3`).
pub(crate) fn hashes_sql(dialect: Dialect) -> String {
    let hashes = "article_id, content_hash, metadata_hash, converter";
    let columns = format!("{hashes}, status, hidden_at, content_deleted");
    let files = dialect.articles_of("file", &columns, ["$1", "$2"]);
    format!(
        "select {hashes} from {files}
         where hidden_at is null and content_deleted = 0 and status = $3 and content_hash is not null"
    )
}
