//! The end of a run: its receipt, its announcements, and the run that was asked for meanwhile.

use helpsync_model::{DataSourceStatus, EventKind, Lane, RunKind};
use serde_json::json;

use crate::db::family::{FAMILY, lock};
use crate::db::{StoreError, SyncStore, Write, sql};
use crate::event::events;
use crate::run::ended::tell_ended;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{RunRequest, insert_one, is_for_attachments};
use crate::run::shards::{StartedShard, check_fence_to_change};
use crate::sync::author_and_tag_names::forget_authors;

impl SyncStore {
    /// Ends the run: its state from its shards, the connection's status, the announcements, and the next run if
    /// one was asked for meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn finalize_run(&self, started: &StartedShard) -> Result<(), StoreError> {
        let fence = &started.fence;
        let mut write = self.write().await?;
        let now = write.now;
        // The last of a connection and its brands to end speaks for all: one at a time, the connection first.
        if started.granted.connection != fence.connection {
            lock(&mut write, started.granted.connection).await?;
        }
        check_fence_to_change(&mut write, fence).await?;
        let error: Option<String> = sqlx::query_scalar(
            "select coalesce(error, 'a shard failed') from shard where run_id = $1 and state = 'failed' order by id limit 1",
        )
        .bind(fence.run.0)
        .fetch_optional(&mut *write.tx)
        .await?;
        sqlx::query("update shard set state = 'done', lease_until = null, holder = null where id = $1")
            .bind(fence.shard.0)
            .execute(&mut *write.tx)
            .await?;
        let pending_request: Option<String> = sqlx::query_scalar(
            "update run set state = $2, error = $3, finished_at = $4, progress_at = $4, waiting_for = null
             where id = $1 returning pending_request",
        )
        .bind(fence.run.0)
        .bind(if error.is_some() { "failed" } else { "done" })
        .bind(&error)
        .bind(now)
        .fetch_one(&mut *write.tx)
        .await?;
        tell_ended(&mut write, &[fence.run.0]).await?;
        forget_authors(&mut write, started).await?;
        let others = match started.run.kind {
            // It is no sync, and speaks for itself alone.
            RunKind::Resync => Others::default(),
            RunKind::Full | RunKind::Delta => Others::of(&mut write, started).await?,
        };
        if started.run.kind != RunKind::Resync {
            let status = if error.is_some() { DataSourceStatus::Error } else { DataSourceStatus::Ready };
            sqlx::query(
                "update connection set sync_status = $2, last_synced_at = $3, updated_at = $3,
                   last_audit_at = coalesce(last_audit_at, $3),
                   source_items_synced_at = case when $4 = 1 then $3 else source_items_synced_at end where id = $1",
            )
            .bind(fence.connection.0)
            .bind(status.as_str())
            .bind(now)
            .bind(i64::from(error.is_none()))
            .execute(&mut *write.tx)
            .await?;
            if error.is_none() && !others.syncing && !others.failed {
                let ready = [(started.granted.connection.to_string(), json!({}))];
                let kind = EventKind::DataSourceReady;
                events::record_all(&mut write, started.owner(), kind, "DATA_SOURCE", &ready).await?;
            }
        }
        if is_for_attachments(&started.run.params) {
            return write.commit().await;
        }
        self.want_attachments(&mut write, started).await?;
        self.announce_skipped(&mut write, started).await?;
        if !others.uploading {
            let detail = json!({ "request_id": started.run.request_id, "upload_id": started.run.upload_id });
            let all = [(started.run.upload_id.clone(), detail)];
            let kind = EventKind::AllFilesProcessed;
            events::record_all(&mut write, started.owner(), kind, "UPLOAD_REQUEST_ID", &all).await?;
        }
        if pending_request.is_some() {
            let request = PendingRequest::read(pending_request.as_deref(), started);
            let request = request.run_for(fence.connection);
            // Its brands have had the request themselves.
            insert_one(&mut write, &request).await?;
        }
        write.commit().await
    }

    /// Starts a run that looks at attachments, where they are kept, something is due and none is under way.
    async fn want_attachments(&self, write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
        if !started.selection.attachments {
            return Ok(());
        }
        let (due, under_way): (i64, i64) = sqlx::query_as(
            "select (select count(*) from file where connection_id = $1 and attachments_due = 1)
                 + (select count(*) from blob where organization_id = $3 and hash is not null
                   and not exists (select 1 from attachment where attachment.blob_id = blob.id)),
               (select count(*) from run where connection_id = $1 and kind = 'resync' and params = $2
                 and state in ('queued', 'running', 'finalizing'))",
        )
        .bind(started.fence.connection.0)
        .bind(json!({ "attachments": true }).to_string())
        .bind(started.organization.0)
        .fetch_one(&mut *write.tx)
        .await?;
        if due > 0 && under_way == 0 {
            let request = RunRequest {
                connection: started.fence.connection,
                kind: Some(RunKind::Resync),
                trigger: started.run.trigger,
                lane: Lane::Backfill,
                request_id: started.run.request_id.clone(),
                upload_id: started.run.upload_id.clone(),
                params: json!({ "attachments": true }),
            };
            insert_one(write, &request).await?;
        }
        Ok(())
    }
}

/// What is still to come from a connection and its brands when one of their runs ends.
#[derive(Default)]
struct Others {
    /// Another sync is under way.
    syncing: bool,
    /// Another run of the same upload is.
    uploading: bool,
    /// The last sync of another one failed.
    failed: bool,
}

impl Others {
    async fn of(write: &mut Write, started: &StartedShard) -> Result<Self, StoreError> {
        let (syncing, uploading, failed): (i64, i64, i64) = sqlx::query_as(sql(format!(
            "select count(*), coalesce(sum(case when upload_id = $3 then 1 else 0 end), 0),
               (select count(*) from connection where id in {FAMILY} and id <> $4 and sync_status = $5)
             from run where connection_id in {FAMILY} and id <> $2 and kind in ('full', 'delta')
               and state in ('queued', 'running', 'finalizing')"
        )))
        .bind(started.granted.connection.0)
        .bind(started.run.id.0)
        .bind(&started.run.upload_id)
        .bind(started.fence.connection.0)
        .bind(DataSourceStatus::Error.as_str())
        .fetch_one(&mut *write.tx)
        .await?;
        Ok(Self { syncing: syncing > 0, uploading: uploading > 0, failed: failed > 0 })
    }
}
