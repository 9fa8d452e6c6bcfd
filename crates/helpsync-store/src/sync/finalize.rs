//! The end of a run: its receipt, its announcements, and the run that was asked for meanwhile.

use helpsync_model::{
    DataSourceStatus, EventKind, Lane, RunEvent, RunKind, RunParams, RunState, ShardEvent, ShardState,
};
use serde_json::{Value, json};
use sqlx::Row;

use crate::db::family::{FAMILY, lock};
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_RUN, FAILED_SHARD, RESYNC, SYNC, Step};
use crate::db::{StoreError, SyncStore, Write, sql};
use crate::event::events::{self, Announced};
use crate::run::ended::tell_run_ended;
use crate::run::fence::{check_epoch, refused};
use crate::run::made_good;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{RUN, RunRequest, insert_one, run_of};
use crate::run::shards::StartedShard;
use crate::sync::attachments::REFUSED;
use crate::sync::author_and_tag_names::forget_authors;
use crate::sync::digest::HeldFiles;

/// Files whose attachments could not be had and are asked for again behind one run.
const ASKED_AGAIN_MAX: i64 = 1_000;

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
        check_epoch(&mut write, fence, self.dialect.for_update()).await?;
        let facts = Facts::of(&mut write, started).await?;
        let ended = end_run(&mut write, started, &held, &facts).await?;
        if ended.outcome == Outcome::Good && facts.failed_before {
            made_good::resolve(&mut write, started).await?;
        }
        if facts.removed {
            forget_authors(&mut write, started).await?;
        }
        let others = match started.run.kind {
            // It is no sync, and speaks for itself alone.
            RunKind::Resync => Others::default(),
            RunKind::Full | RunKind::Delta => Others::of(&mut write, started).await?,
        };
        let mut announced = Vec::new();
        if started.run.kind != RunKind::Resync {
            show_ended(&mut write, started, ended.outcome).await?;
            if ended.outcome == Outcome::Good && !others.syncing && !others.failed {
                announced.push((
                    EventKind::DataSourceReady,
                    started.granted.connection.to_string(),
                    json!({}),
                ));
            }
        }
        if started.run.params == RunParams::Attachments {
            // A sync that ended while this run was at its last article has left to it what it found due.
            if ended.outcome == Outcome::Good {
                self.request_attachments(&mut write, started).await?;
            }
            announce(&mut write, started, &announced).await?;
            return write.commit().await;
        }
        self.want_attachments(&mut write, started).await?;
        if facts.skipped {
            announce(&mut write, started, &std::mem::take(&mut announced)).await?;
            self.announce_skipped(&mut write, started).await?;
        }
        if !others.uploading {
            let detail = json!({ "request_id": started.run.request_id, "upload_id": started.run.upload_id });
            announced.push((EventKind::AllFilesProcessed, started.run.upload_id.clone(), detail));
        }
        announce(&mut write, started, &announced).await?;
        if ended.pending_request.is_some() {
            let request = PendingRequest::read(ended.pending_request.as_deref(), &started.run);
            let request = request.run_for(fence.connection);
            // Its brands have had the request themselves.
            insert_one(&mut write, &request).await?;
        }
        write.commit().await
    }

    /// What is to be looked at again is due, and so is a run that looks.
    async fn want_attachments(&self, write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
        if !started.selection.attachments {
            return Ok(());
        }
        // What was refused the last time, or came in place of a file, is asked for again. By chance: what is refused for
        // ever must not stand before what is not.
        sqlx::query(
            "update file set attachments_due = 1 where id in
               (select id from file where connection_id = $1 and (attachments_due = $2
                  or attachments_due = 0 and id in (select file_id from attachment where version = ''))
                order by random() limit $3)",
        )
        .bind(started.fence.connection.0)
        .bind(REFUSED)
        .bind(ASKED_AGAIN_MAX)
        .execute(&mut *write.tx)
        .await?;
        self.request_attachments(write, started).await
    }

    /// Starts a run that looks at attachments, where something is due and none is under way.
    async fn request_attachments(&self, write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
        if !started.selection.attachments {
            return Ok(());
        }
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

/// What the end of a run depends on, read at once.
struct Facts {
    /// Why a shard of it failed, if one did.
    error: Option<String>,
    /// See [`RunNote::owed`](crate::run::note::RunNote::owed).
    owed: Option<i64>,
    /// Articles that it has seen, where some are owed.
    seen: i64,
    /// Records without a readable id.
    nameless: i64,
    /// Something could not be stored.
    skipped: bool,
    /// It removed files.
    removed: bool,
    /// A shard of the connection is a dead letter.
    failed_before: bool,
}

impl Facts {
    async fn of(write: &mut Write, started: &StartedShard) -> Result<Self, StoreError> {
        let row = sqlx::query(sql(format!(
            "select id, owed, removed,
               (select coalesce(error, 'a shard failed') from shard where run_id = $1 and state = {FAILED_SHARD}
                order by id limit 1) as failure,
               case when owed is null then 0 else
                 (select count(*) from remote_article where connection_id = $2 and seen_run >= $1) end as seen,
               (select count(*) from skipped where run_id = $1 and article_id is null) as nameless,
               cast(case when exists (select 1 from skipped where run_id = $1) then 1 else 0 end as bigint) as skipped_any,
               cast(case when exists (select 1 from shard where connection_id = $2 and state = {FAILED_SHARD})
                 then 1 else 0 end as bigint) as failed_before
             from run where id = $1"
        )))
        .bind(started.fence.run.0)
        .bind(started.fence.connection.0)
        .fetch_one(&mut *write.tx)
        .await?;
        Ok(Self {
            error: row.try_get("failure")?,
            owed: row.try_get("owed")?,
            seen: row.try_get("seen")?,
            nameless: row.try_get("nameless")?,
            skipped: row.try_get::<i64, _>("skipped_any")? == 1,
            removed: row.try_get::<i64, _>("removed")? > 0,
            failed_before: row.try_get::<i64, _>("failed_before")? == 1,
        })
    }

    /// What the run came to, and what its record says if that is not well.
    fn outcome(&self) -> (Outcome, Option<String>) {
        match (&self.error, self.shortfall()) {
            (Some(error), _) => (Outcome::Failed, Some(error.clone())),
            (None, Some(short)) => (Outcome::Incomplete, Some(short)),
            (None, None) => (Outcome::Good, None),
        }
    }

    /// What the run's record says if Zendesk counts more articles than this run has seen, those included that were asked
    /// for by id. Articles that could not even be told apart are on record as skipped.
    fn shortfall(&self) -> Option<String> {
        let seen = self.seen;
        let short = self.owed.filter(|owed| seen.saturating_add(self.nameless) < *owed);
        short.map(|owed| {
            format!(
                "incomplete: Zendesk counts {owed} articles and showed {seen}; the next run lists every article"
            )
        })
    }
}

/// Ends the shard that finalizes, and its run by what became of its shards.
async fn end_run(
    write: &mut Write,
    started: &StartedShard,
    held: &HeldFiles,
    facts: &Facts,
) -> Result<RunEnd, StoreError> {
    let fence = &started.fence;
    let Step { to, .. } = Step::of::<ShardState>(ShardEvent::Done);
    let ended = SHARDS.settle(&format!("holder = null, state = {to}, updated_at = $3"));
    let ended = sqlx::query(sql(ended))
        .bind(fence.shard.0)
        .bind(fence.attempt)
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    if ended.rows_affected() != 1 {
        return Err(refused(fence));
    }
    let (outcome, error) = facts.outcome();
    let Step { from, to } = Step::of::<RunState>(match outcome {
        Outcome::Good | Outcome::Failed => RunEvent::Finalized { failed: outcome == Outcome::Failed },
        Outcome::Incomplete => RunEvent::FinalizedShort,
    });
    let row = sqlx::query(sql(format!(
        "update run set state = {to}, error = $2, finished_at = $3, progress_at = $3, waiting_for = null,
           files = $4, digest = $5
         where id = $1 and state in {from} returning {RUN}, run.pending_request"
    )))
    .bind(fence.run.0)
    .bind(&error)
    .bind(write.now)
    .bind(held.files)
    .bind(&held.digest)
    .fetch_one(&mut *write.tx)
    .await?;
    tell_run_ended(write, run_of(&row)?);
    Ok(RunEnd { outcome, pending_request: row.try_get("pending_request")? })
}

/// Writes what the end of a run announces: kinds, objects and details, in their order.
async fn announce(
    write: &mut Write,
    started: &StartedShard,
    announced: &[(EventKind, String, Value)],
) -> Result<(), StoreError> {
    let announced: Vec<_> = announced
        .iter()
        .map(|(kind, object_id, detail)| {
            let ready = *kind == EventKind::DataSourceReady;
            let object_type = if ready { "DATA_SOURCE" } else { "UPLOAD_REQUEST_ID" };
            Announced { kind: *kind, object_type, object_id, detail }
        })
        .collect();
    events::record_each(write, started.owner(), &announced).await
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
