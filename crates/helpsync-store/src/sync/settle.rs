//! What is written of articles that are as they were: as little as may be, for most are.

use std::time::Duration;

use serde_json::{Value, json};

use crate::db::{StoreError, Write, integer, sql};
use crate::run::shards::StartedShard;
use crate::sync::page_rows::touch_ledger;

/// When a file was compared last is written no more often than this: each time costs an entry in every index of the file.
pub(crate) const COMPARED_EVERY: Duration = Duration::from_secs(3_600);

/// Notes that this run was shown the articles, and shows those of their files that were thought to be gone.
pub(crate) async fn note_settled(
    write: &mut Write,
    started: &StartedShard,
    articles: &[i64],
) -> Result<(), StoreError> {
    if articles.is_empty() {
        return Ok(());
    }
    touch_ledger(write, started, articles).await?;
    sqlx::query(sql(format!(
        "update file set last_sync = $2, held_at = null where connection_id = $1 and {}
           and (last_sync is null or last_sync <= $4 or held_at is not null)",
        write.dialect.among("article_id", "$3")
    )))
    .bind(started.fence.connection.0)
    .bind(write.now)
    .bind(json!(articles).to_string())
    .bind(lately(write))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Zendesk's timestamp moves without anything of the article moving. Each is a file and its article's time.
pub(crate) async fn settle_unchanged(
    write: &mut Write,
    files: &[(i64, i64)],
    whole: bool,
) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    let rows = files.iter().map(|(file, updated_at)| json!({ "file_id": file, "changed_at": updated_at }));
    sqlx::query(sql(format!(
        "update file set last_sync = $1, source_updated_at = changed_at, held_at = null,
           attachments_due = case when $3 = 1 or source_updated_at <> changed_at then 1 else attachments_due end
         from {}
         where file.id = file_id and (source_updated_at <> changed_at or held_at is not null
           or last_sync is null or last_sync <= $4 or ($3 = 1 and attachments_due <> 1))",
        write.dialect.json_rows("$2", &["file_id", "changed_at"].map(integer))
    )))
    .bind(write.now)
    .bind(Value::from_iter(rows).to_string())
    .bind(i64::from(whole))
    .bind(lately(write))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Files that were compared after this, in ms, are not written for that.
fn lately(write: &Write) -> i64 {
    write.now.saturating_sub(i64::try_from(COMPARED_EVERY.as_millis()).unwrap_or(i64::MAX))
}
