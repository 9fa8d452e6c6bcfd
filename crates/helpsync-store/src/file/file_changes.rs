//! What callers do to files: fetch one again, delete some.

use helpsync_model::{
    ConnectionId, CustomerId, EventKind, FileId, FileStatus, Lane, OrganizationId, RunKind, RunParams,
    Trigger,
};
use serde_json::json;
use sqlx::Row;

use crate::db::states::{ACTIVE_RUN, RESYNC};
use crate::db::{AdminStore, StoreError, sql};
use crate::event::events::{self, NewEvent};
use crate::file::files::File;
use crate::filter::file_query::FileFilters;
use crate::run::runs::{RunRequest, insert_run};
use crate::search::chunks::forget_chunks;
use crate::sync::unsynced::list_deleted;

/// What came of the request to fetch a file again.
#[derive(Debug)]
pub enum ResyncRequested {
    /// It will be fetched.
    Queued(Box<File>),
    /// It is being fetched already.
    Busy,
    /// Its options are kept, and nothing is fetched.
    Kept(Box<File>),
}

/// How a file is to be processed when it is fetched again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ResyncOptions {
    /// Tokens of a chunk from now on; `None` = as before.
    pub chunk_size: Option<i64>,
    /// Tokens shared by neighbours from now on; `None` = as before.
    pub chunk_overlap: Option<i64>,
    /// Embed also what has not changed.
    pub embed_anew: bool,
    /// Keep the options, and fetch nothing.
    pub skip_processing: bool,
}

impl AdminStore {
    /// Queues a file to be fetched again, and processed as before.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also when its connection is not active.
    pub async fn request_resync(
        &self,
        customer: CustomerId,
        id: FileId,
        request_id: &str,
    ) -> Result<ResyncRequested, StoreError> {
        self.request_resync_with(customer, id, request_id, ResyncOptions::default()).await
    }

    /// Queues a file to be fetched again, and processed as `options` say.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], also when its connection is not active.
    pub async fn request_resync_with(
        &self,
        customer: CustomerId,
        id: FileId,
        request_id: &str,
        options: ResyncOptions,
    ) -> Result<ResyncRequested, StoreError> {
        let file = self.file(customer, id).await?;
        let mut write = self.write().await?;
        let now = write.now;
        let before = file.sync_options.as_object().cloned().unwrap_or_default();
        let mut kept = before.clone();
        for (name, size) in [("chunk_size", options.chunk_size), ("chunk_overlap", options.chunk_overlap)] {
            kept.extend(size.map(|size| (name.to_owned(), json!(size))));
        }
        let changes = kept != before;
        if changes {
            sqlx::query("update file set sync_options = $2, updated_at = $3 where id = $1")
                .bind(id.0)
                .bind(json!(kept).to_string())
                .bind(now)
                .execute(&mut *write.tx)
                .await?;
        }
        if options.skip_processing {
            write.commit_if(changes).await?;
            return Ok(ResyncRequested::Kept(Box::new(self.file(customer, id).await?)));
        }
        let queued = sqlx::query(
            "update file set status = $2, updated_at = $3 where id = $1 and status not in ($2, $4)",
        )
        .bind(id.0)
        .bind(FileStatus::QueuedForSync.as_str())
        .bind(now)
        .bind(FileStatus::Syncing.as_str())
        .execute(&mut *write.tx)
        .await?;
        if queued.rows_affected() == 0 {
            let under_way: i64 = sqlx::query_scalar(sql(format!(
                "select count(*) from run where connection_id = $1 and kind = {RESYNC} and state in {ACTIVE_RUN}"
            )))
            .bind(file.connection.0)
            .fetch_one(&mut *write.tx)
            .await?;
            // Without a run nobody would ever settle the status: such a file is queued anew.
            if under_way > 0 {
                return Ok(ResyncRequested::Busy);
            }
        }
        let request = RunRequest {
            connection: file.connection,
            kind: Some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: request_id.to_owned(),
            upload_id: request_id.to_owned(),
            params: RunParams::articles(vec![file.article_id]),
        };
        insert_run(&mut write, &request).await?;
        if options.embed_anew {
            // The cut that follows the fetch reads it.
            sqlx::query("update chunking set embed_anew = 1 where file_id = $1")
                .bind(id.0)
                .execute(&mut *write.tx)
                .await?;
        }
        write.commit().await?;
        Ok(ResyncRequested::Queued(Box::new(self.file(customer, id).await?)))
    }

    /// Deletes a customer's matching files, or only their content. A deleted file comes back when its article changes
    /// or is synced anew from the start. Answers how many.
    ///
    /// # Errors
    /// [`StoreError`]; none is deleted then.
    pub async fn delete_files(
        &self,
        customer: CustomerId,
        filters: &FileFilters,
        preserve_record: bool,
        announce: bool,
    ) -> Result<u64, StoreError> {
        if filters.nothing {
            return Ok(0);
        }
        let now = self.clock.now_ms();
        let matching = self.matching(customer, 0, filters);
        let mut write = self.write().await?;
        let listing = sql(format!(
            "select file.id, file.organization_id, file.connection_id from file {} order by file.id",
            matching.sql()
        ));
        let found = matching.bind(sqlx::query(listing)).fetch_all(&mut *write.tx).await?;
        if found.is_empty() {
            return Ok(0);
        }
        for row in &found {
            let id: i64 = row.try_get("id")?;
            sqlx::query("delete from translation where file_id = $1")
                .bind(id)
                .execute(&mut *write.tx)
                .await?;
            if preserve_record {
                forget_chunks(&mut write, &[id]).await?;
                sqlx::query(
                    "update file set content_deleted = 1, content_hash = null, html_bytes = 0, characters = 0,
                       status = $2, updated_at = $3 where id = $1",
                )
                .bind(id)
                .bind(FileStatus::ReadyToSync.as_str())
                .bind(now)
                .execute(&mut *write.tx)
                .await?;
            } else {
                list_deleted(&mut write, id).await?;
                sqlx::query("delete from file where id = $1").bind(id).execute(&mut *write.tx).await?;
            }
            if announce {
                let event = NewEvent {
                    organization: OrganizationId(row.try_get("organization_id")?),
                    customer,
                    connection: ConnectionId(row.try_get("connection_id")?),
                    kind: EventKind::FileDeleted,
                    object_type: "FILE",
                    object_id: id.to_string(),
                    detail: json!({}),
                };
                events::record(&mut write, event).await?;
            }
        }
        write.commit().await?;
        Ok(found.len() as u64)
    }
}
