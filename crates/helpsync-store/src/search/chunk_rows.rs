//! What every change of chunks does to the rows around them.

use helpsync_model::{ConnectionId, CustomerId, EventKind, OrganizationId};
use serde_json::json;
use sqlx::Row;

use crate::db::{Dialect, StoreError, Write, sql};
use crate::event::events::{self, NewEvent};

/// How firmly a file is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It is not deleted meanwhile.
    There,
    /// Nobody else changes it meanwhile: for whoever does so later in the transaction, when it holds rows that a page of
    /// articles wants, which has the file by then.
    Unchanged,
}

/// Locks files in the order that pages lock them in; answers which are still there.
pub(crate) async fn hold_files(write: &mut Write, files: &[i64], hold: Hold) -> Result<Vec<i64>, StoreError> {
    let lock = match (write.dialect, hold) {
        (Dialect::Sqlite, _) => "",
        (Dialect::Postgres, Hold::There) => " for key share",
        (Dialect::Postgres, Hold::Unchanged) => " for no key update",
    };
    Ok(sqlx::query_scalar(sql(format!(
        "select id from file where {} order by connection_id, article_id{lock}",
        write.dialect.among("id", "$1")
    )))
    .bind(json!(files).to_string())
    .fetch_all(&mut *write.tx)
    .await?)
}

/// Counts these files' chunks anew.
pub(crate) async fn recount(write: &mut Write, files: &[i64]) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "update chunking set
           tokens = (select cast(coalesce(sum(tokens), 0) as bigint) from chunk where chunk.file_id = chunking.file_id),
           chunks = (select count(*) from chunk where chunk.file_id = chunking.file_id),
           embedded = (select count(dimensions) from chunk where chunk.file_id = chunking.file_id)
         where {}",
        write.dialect.among("file_id", "$1")
    )))
    .bind(json!(files).to_string())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Shows a file's error, or that it has none any more; announces a new one. What callers see of the file has changed then.
pub(crate) async fn show_error(write: &mut Write, file: i64, error: Option<&str>) -> Result<(), StoreError> {
    let changed = sqlx::query(
        "update chunking set error = cast($2 as text) where file_id = $1 and coalesce(error, '') <> coalesce($2, '')",
    )
    .bind(file)
    .bind(error)
    .execute(&mut *write.tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(());
    }
    let row = sqlx::query(
        "update file set updated_at = $2 where id = $1 returning organization_id, customer_id, connection_id",
    )
    .bind(file)
    .bind(write.now)
    .fetch_one(&mut *write.tx)
    .await?;
    if let Some(error) = error {
        let event = NewEvent {
            organization: OrganizationId(row.try_get("organization_id")?),
            customer: CustomerId(row.try_get("customer_id")?),
            connection: ConnectionId(row.try_get("connection_id")?),
            kind: EventKind::FileError,
            object_type: "FILE",
            object_id: file.to_string(),
            detail: json!({ "reason": error }),
        };
        events::record(write, event).await?;
    }
    Ok(())
}
