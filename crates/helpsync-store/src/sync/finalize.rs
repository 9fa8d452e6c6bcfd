//! The end of a run: its receipt, its announcements, and the run that was asked for meanwhile.

use helpsync_model::{
    DataSourceStatus, EventKind, Lane, RunEvent, RunKind, RunParams, RunState, ShardEvent, ShardState,
};
use serde_json::json;

use crate::db::family::{FAMILY, lock};
use crate::db::states::{ACTIVE_RUN, FAILED_SHARD, RESYNC, SYNC, Step};
use crate::db::{StoreError, SyncStore, Write, sql};
use crate::event::events;
use crate::run::ended::tell_ended;
use crate::run::made_good;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{RunRequest, insert_one};
use crate::run::shards::{StartedShard, check_fence_to_change};
use crate::sync::author_and_tag_names::forget_authors;
use crate::sync::digest::HeldFiles;

impl SyncStore {
    /// Ends the run: its state from its shards, the connection's status, the announcements, and the next run if
    /// one was asked for meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn finalize_run(&self, started: &StartedShard) -> Result<(), StoreError> {
        let fence = &started.fence;
        // Before anything is locked: a large copy takes a moment.
        let held = self.digest(fence.connection).await?;
        let mut write = self.write().await?;
        // The last of a connection and its brands to end speaks for all: one at a time, the connection first.
        if started.granted.connection != fence.connection {
            lock(&mut write, started.granted.connection).await?;
        }
        check_fence_to_change(&mut write, fence).await?;
        let ended = end_run(&mut write, started, &held).await?;
        tell_ended(&mut write, &[fence.run.0]).await?;
        if ended.outcome == Outcome::Good {
            made_good::resolve(&mut write, started).await?;
        }
        forget_authors(&mut write, started).await?;
        let others = match started.run.kind {
            // It is no sync, and speaks for itself alone.
            RunKind::Resync => Others::default(),
            RunKind::Full | RunKind::Delta => Others::of(&mut write, started).await?,
        };
        if started.run.kind != RunKind::Resync {
            show_ended(&mut write, started, ended.outcome).await?;
            if ended.outcome == Outcome::Good && !others.syncing && !others.failed {
                let ready = [(started.granted.connection.to_string(), json!({}))];
                let kind = EventKind::DataSourceReady;
                events::record_all(&mut write, started.owner(), kind, "DATA_SOURCE", &ready).await?;
            }
        }
        if started.run.params == RunParams::Attachments {
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
        if ended.pending_request.is_some() {
            let request = PendingRequest::read(ended.pending_request.as_deref(), &started.run);
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
        // What came in place of a file the last time is asked for again.
        sqlx::query(
            "update file set attachments_due = 1 where connection_id = $1 and attachments_due = 0
               and id in (select file_id from attachment where version = '')",
        )
        .bind(started.fence.connection.0)
        .execute(&mut *write.tx)
        .await?;
        let params = serde_json::to_string(&RunParams::Attachments).map_err(StoreError::unwritable)?;
        let (due, under_way): (i64, i64) = sqlx::query_as(sql(format!(
            "select (select count(*) from file where connection_id = $1 and attachments_due = 1)
                 + (select count(*) from blob where organization_id = $3 and hash is not null
                   and not exists (select 1 from attachment where attachment.blob_id = blob.id)),
               (select count(*) from run where connection_id = $1 and kind = {RESYNC} and params = $2
                 and state in {ACTIVE_RUN})"
        )))
        .bind(started.fence.connection.0)
        .bind(params)
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
                params: RunParams::Attachments,
            };
            insert_one(write, &request).await?;
        }
        Ok(())
    }
}

/// What a run came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    /// A shard failed.
    Failed,
    /// Zendesk counts more articles than it showed.
    Incomplete,
}

/// How a run ended.
struct RunEnd {
    outcome: Outcome,
    /// What the run after it is to do, if one was asked for meanwhile.
    pending_request: Option<String>,
}

/// Ends the shard that finalizes, and its run by what became of its shards.
async fn end_run(write: &mut Write, started: &StartedShard, held: &HeldFiles) -> Result<RunEnd, StoreError> {
    let fence = &started.fence;
    let error: Option<String> = sqlx::query_scalar(sql(format!(
        "select coalesce(error, 'a shard failed') from shard where run_id = $1 and state = {FAILED_SHARD}
         order by id limit 1"
    )))
    .bind(fence.run.0)
    .fetch_optional(&mut *write.tx)
    .await?;
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::Done);
    sqlx::query(sql(format!(
        "update shard set state = {to}, lease_until = null, holder = null where id = $1 and state in {from}"
    )))
    .bind(fence.shard.0)
    .execute(&mut *write.tx)
    .await?;
    let (outcome, error) = match error {
        Some(error) => (Outcome::Failed, Some(error)),
        None => match shortfall(write, started).await? {
            Some(short) => (Outcome::Incomplete, Some(short)),
            None => (Outcome::Good, None),
        },
    };
    let Step { from, to } = Step::of::<RunState>(match outcome {
        Outcome::Good | Outcome::Failed => RunEvent::Finalized { failed: outcome == Outcome::Failed },
        Outcome::Incomplete => RunEvent::FinalizedShort,
    });
    let pending_request: Option<String> = sqlx::query_scalar(sql(format!(
        "update run set state = {to}, error = $2, finished_at = $3, progress_at = $3, waiting_for = null,
           files = $4, digest = $5
         where id = $1 and state in {from} returning pending_request"
    )))
    .bind(fence.run.0)
    .bind(&error)
    .bind(write.now)
    .bind(held.files)
    .bind(&held.digest)
    .fetch_one(&mut *write.tx)
    .await?;
    Ok(RunEnd { outcome, pending_request })
}

/// What the run's record says if Zendesk counts more articles than this run has seen, those included that were asked
/// for by id. Articles that could not even be told apart are on record as skipped.
async fn shortfall(write: &mut Write, started: &StartedShard) -> Result<Option<String>, StoreError> {
    let (owed, seen, nameless): (Option<i64>, i64, i64) = sqlx::query_as(
        "select owed, (select count(*) from remote_article where connection_id = $2 and seen_run >= $1),
           (select count(*) from skipped where run_id = $1 and article_id is null)
         from run where id = $1",
    )
    .bind(started.fence.run.0)
    .bind(started.fence.connection.0)
    .fetch_one(&mut *write.tx)
    .await?;
    let short = owed.filter(|owed| seen.saturating_add(nameless) < *owed);
    Ok(short.map(|owed| {
        format!(
            "incomplete: Zendesk counts {owed} articles and showed {seen}; the next run lists every article"
        )
    }))
}

/// Shows on the connection how its sync ended. After one that is incomplete an audit is due.
async fn show_ended(write: &mut Write, started: &StartedShard, outcome: Outcome) -> Result<(), StoreError> {
    let status = if outcome == Outcome::Good { DataSourceStatus::Ready } else { DataSourceStatus::Error };
    sqlx::query(
        "update connection set sync_status = $2, last_synced_at = $3, updated_at = $3,
           last_audit_at = case when $5 = 1 then 0 else coalesce(last_audit_at, $3) end,
           source_items_synced_at = case when $4 = 1 then $3 else source_items_synced_at end where id = $1",
    )
    .bind(started.fence.connection.0)
    .bind(status.as_str())
    .bind(write.now)
    .bind(i64::from(outcome == Outcome::Good))
    .bind(i64::from(outcome == Outcome::Incomplete))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
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
             from run where connection_id in {FAMILY} and id <> $2 and kind in {SYNC} and state in {ACTIVE_RUN}"
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
