//! Rows of articles of which no content is kept: listed ones that nobody asked for, and files that are records.

use helpsync_model::FileStatus;
use serde_json::json;

use crate::db::{StoreError, Write, sql};
use crate::run::shards::StartedShard;
use crate::search::chunks::forget_chunks;
use crate::sync::incoming::IncomingArticle;

/// Notes an article that may be asked for.
pub(crate) async fn list_article(
    write: &mut Write,
    started: &StartedShard,
    article: &IncomingArticle,
) -> Result<(), StoreError> {
    let first = &article.translations[0];
    sqlx::query(
        "insert into unsynced_article (connection_id, article_id, name, section_id, external_url, synced_at, created_at,
           updated_at, user_segment_ids) values ($1, $2, $3, $4, $5, $6, $6, $6, $7)
         on conflict (connection_id, article_id) do update set name = excluded.name,
           section_id = excluded.section_id, external_url = excluded.external_url, synced_at = excluded.synced_at,
           user_segment_ids = excluded.user_segment_ids,
           updated_at = case when unsynced_article.name <> excluded.name then excluded.updated_at
             else unsynced_article.updated_at end",
    )
    .bind(started.fence.connection.0)
    .bind(article.article_id)
    .bind(article.name())
    .bind(article.section_id)
    .bind(&first.external_url)
    .bind(write.now)
    .bind(json!(article.user_segment_ids).to_string())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Articles that the selection leaves out cannot be asked for.
pub(crate) async fn unlist_articles(
    write: &mut Write,
    started: &StartedShard,
    articles: &[i64],
) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "delete from unsynced_article where connection_id = $1 and article_id in {}",
        write.dialect.json_integers("$2")
    )))
    .bind(started.fence.connection.0)
    .bind(json!(articles).to_string())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Takes the content of files away: they are known, and wait to be fetched.
pub(crate) async fn make_records(write: &mut Write, files: &[i64]) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    let these = write.dialect.json_integers("$1");
    sqlx::query(sql(format!("delete from translation where file_id in {these}")))
        .bind(json!(files).to_string())
        .execute(&mut *write.tx)
        .await?;
    forget_chunks(write, files).await?;
    sqlx::query(sql(format!(
        "update file set status = $2, content_hash = null, html_bytes = 0, characters = 0 where id in {these}"
    )))
    .bind(json!(files).to_string())
    .bind(FileStatus::ReadyToSync.as_str())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Files that are deleted can be asked for again.
pub(crate) async fn list_deleted(write: &mut Write, file: i64) -> Result<(), StoreError> {
    sqlx::query(
        "insert into unsynced_article (connection_id, article_id, name, section_id, external_url, synced_at, created_at,
           updated_at, user_segment_ids)
         select connection_id, article_id, name, section_id, external_url, coalesce(last_sync, updated_at), $2, $2,
           case when user_segment_id is null or user_segment_ids <> '[]' then user_segment_ids end
         from file where id = $1
         on conflict (connection_id, article_id) do nothing",
    )
    .bind(file)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
