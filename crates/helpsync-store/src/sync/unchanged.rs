//! Which articles need no conversion, because their copies are right already.

use std::collections::HashMap;

use helpsync_model::FileStatus;
use serde_json::json;
use sqlx::Row;

use crate::db::{StoreError, SyncStore, sql};
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
        let rows = sqlx::query(sql(format!(
            "select article_id, content_hash, metadata_hash, converter from file
             where connection_id = $1 and hidden_at is null and content_deleted = 0 and status = $2
               and content_hash is not null and article_id in {}",
            self.dialect.json_integers("$3")
        )))
        .bind(started.fence.connection.0)
        .bind(FileStatus::Ready.as_str())
        .bind(json!(ids).to_string())
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
}
