//! The end of a run: its receipt, its announcements, and the run that was asked for meanwhile.

use helpsync_model::{
    DataSourceStatus, EventKind, Lane, RunEvent, RunKind, RunParams, RunState, ShardEvent, ShardState,
};
use helpsync_telemetry::trace;
use serde_json::{Value, json};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::family::{FAMILY, lock};
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_RUN, FAILED_SHARD, RESYNC, SYNC, Step};
use crate::db::{Dialect, StoreError, SyncStore, Write, sql};
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
        // It is no sync, and speaks for itself alone.
        let is_sync = started.run.kind != RunKind::Resync;
        let others = if is_sync { facts.others } else { Others::default() };
        let (outcome, _) = facts.outcome();
        let mut announced = Vec::new();
        if is_sync && outcome == Outcome::Good && !others.syncing && !others.failed {
            announced.push((EventKind::DataSourceReady, started.granted.connection.to_string(), json!({})));
        }
        let of_attachments = started.run.params == RunParams::Attachments;
        if !of_attachments && !facts.skipped && !others.uploading {
            announced.push(processed(started));
        }
        let ended = end_run(&mut write, started, &held, &facts, &announced).await?;
        if ended.outcome == Outcome::Good && facts.failed_before {
            made_good::resolve(&mut write, started).await?;
        }
        if facts.removed {
            forget_authors(&mut write, started).await?;
        }
        if of_attachments {
            // A sync that ended while this run was at its last article has left to it what it found due.
            if ended.outcome == Outcome::Good {
                self.request_attachments(&mut write, started).await?;
            }
            return write.commit().await;
        }
        self.want_attachments(&mut write, started).await?;
        if facts.skipped {
            self.announce_skipped(&mut write, started).await?;
            if !others.uploading {
                announce(&mut write, started, &[processed(started)]).await?;
            }
        }
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
    /// What is still to come from the connection and its brands.
    others: Others,
}

impl Facts {
    async fn of(write: &mut Write, started: &StartedShard) -> Result<Self, StoreError> {
        let family = FAMILY.replace("$1", "$3");
        // In an order that no index has: the one of all failed shards would be walked in vain by every run that has none.
        let row = sqlx::query(sql(format!(
            "select id, owed, removed,
               (select coalesce(error, 'a shard failed') from shard where run_id = $1 and state = {FAILED_SHARD}
                order by id + 0 limit 1) as failure,
               case when owed is null then 0 else
                 (select count(*) from remote_article where connection_id = $2 and seen_run >= $1) end as seen,
               (select count(*) from skipped where run_id = $1 and article_id is null) as nameless,
               cast(case when exists (select 1 from skipped where run_id = $1) then 1 else 0 end as bigint) as skipped_any,
               cast(case when exists (select 1 from shard where connection_id = $2 and state = {FAILED_SHARD})
                 then 1 else 0 end as bigint) as failed_before,
               (select count(*) {others}) as syncing,
               (select count(*) {others} and other.upload_id = run.upload_id) as uploading,
               (select count(*) from connection where id in {family} and id <> $2 and sync_status = $4) as unsynced
             from run where id = $1",
            others = format_args!(
                "from run as other where other.connection_id in {family} and other.id <> $1 and other.kind in {SYNC}
                   and other.state in {ACTIVE_RUN}"
            ),
        )))
        .bind(started.fence.run.0)
        .bind(started.fence.connection.0)
        .bind(started.granted.connection.0)
        .bind(DataSourceStatus::Error.as_str())
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
            others: Others {
                syncing: row.try_get::<i64, _>("syncing")? > 0,
                uploading: row.try_get::<i64, _>("uploading")? > 0,
                failed: row.try_get::<i64, _>("unsynced")? > 0,
            },
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
            let nameless = match self.nameless {
                0 => String::new(),
                nameless => format!(", and {nameless} without a readable id"),
            };
            format!(
                "incomplete: Zendesk counts {owed} articles and showed {seen}{nameless}; the next run lists every article"
            )
        })
    }
}

/// Ends the shard that finalizes, and its run by what became of its shards; shows on the connection how its sync ended,
/// and announces it.
async fn end_run(
    write: &mut Write,
    started: &StartedShard,
    held: &HeldFiles,
    facts: &Facts,
    announced: &[(EventKind, String, Value)],
) -> Result<RunEnd, StoreError> {
    let fence = &started.fence;
    let Step { to, .. } = Step::of::<ShardState>(ShardEvent::Done);
    let ended = SHARDS.settle(&format!("holder = null, state = {to}, updated_at = $3"));
    let (outcome, error) = facts.outcome();
    let Step { from, to } = Step::of::<RunState>(match outcome {
        Outcome::Good | Outcome::Failed => RunEvent::Finalized { failed: outcome == Outcome::Failed },
        Outcome::Incomplete => RunEvent::FinalizedShort,
    });
    let run = |[id, now, why, files, digest]: [&str; 5]| {
        format!(
            "update run set state = {to}, error = {why}, finished_at = {now}, progress_at = {now}, waiting_for = null, waiting_kind = null,
               files = {files}, digest = {digest}
             where id = {id} and state in {from}"
        )
    };
    let shows = started.run.kind != RunKind::Resync;
    let row = match write.dialect {
        Dialect::Postgres => {
            let shown = format!("shown as ({} returning id), ", shown_sql(["$8", "$9", "$3", "$10", "$11"]));
            let text = format!(
                "with settled as ({ended} returning id),
                 run as ({} and exists (select 1 from settled) returning run.*),
                 {}announced as ({} returning id)
                 select {RUN}, run.pending_request from run",
                run(["$4", "$3", "$5", "$6", "$7"]),
                if shows { shown.as_str() } else { "" },
                events::insert_each(write.dialect, "true", ["$12", "$13", "$8", "$3", "$14", "$15"])
            );
            let query = sqlx::query(sql(text)).bind(fence.shard.0).bind(fence.attempt).bind(write.now);
            let query = query.bind(fence.run.0).bind(&error).bind(held.files).bind(&held.digest);
            let query = bind_shown(query.bind(fence.connection.0), outcome, None);
            let query = query.bind(started.organization.0).bind(started.customer.0);
            let query = query.bind(events::rows_of(&announced_of(announced))).bind(trace::current());
            query.fetch_optional(&mut *write.tx).await?.ok_or_else(|| refused(fence))?
        }
        Dialect::Sqlite => {
            let query = sqlx::query(sql(ended)).bind(fence.shard.0).bind(fence.attempt).bind(write.now);
            if query.execute(&mut *write.tx).await?.rows_affected() != 1 {
                return Err(refused(fence));
            }
            let ended =
                format!("{} returning {RUN}, run.pending_request", run(["$1", "$2", "$3", "$4", "$5"]));
            let query = sqlx::query(sql(ended)).bind(fence.run.0).bind(write.now);
            let query = query.bind(&error).bind(held.files).bind(&held.digest);
            let row = query.fetch_one(&mut *write.tx).await?;
            if shows {
                let query = sqlx::query(sql(shown_sql(["$1", "$2", "$3", "$4", "$5"])));
                let query = bind_shown(query.bind(fence.connection.0), outcome, Some(write.now));
                query.execute(&mut *write.tx).await?;
            }
            announce(write, started, announced).await?;
            row
        }
    };
    tell_run_ended(write, run_of(&row)?);
    Ok(RunEnd { outcome, pending_request: row.try_get("pending_request")? })
}

/// That the files of the run's upload have all been looked at.
fn processed(started: &StartedShard) -> (EventKind, String, Value) {
    let upload = &started.run.upload_id;
    let detail = json!({ "request_id": started.run.request_id, "upload_id": upload });
    (EventKind::AllFilesProcessed, upload.clone(), detail)
}

/// Writes what the end of a run announces: kinds, objects and details, in their order.
async fn announce(
    write: &mut Write,
    started: &StartedShard,
    announced: &[(EventKind, String, Value)],
) -> Result<(), StoreError> {
    events::record_each(write, started.owner(), &announced_of(announced)).await
}

fn announced_of(announced: &[(EventKind, String, Value)]) -> Vec<Announced<'_>> {
    let announced = announced.iter().map(|(kind, object_id, detail)| {
        let ready = *kind == EventKind::DataSourceReady;
        let object_type = if ready { "DATA_SOURCE" } else { "UPLOAD_REQUEST_ID" };
        Announced { kind: *kind, object_type, object_id, detail }
    });
    announced.collect()
}

/// What shows on the connection how its sync ended. After one that is incomplete an audit is due.
fn shown_sql([connection, status, now, good, incomplete]: [&str; 5]) -> String {
    format!(
        "update connection set sync_status = {status}, last_synced_at = {now}, updated_at = {now},
           last_audit_at = case when {incomplete} = 1 then 0 else coalesce(last_audit_at, {now}) end,
           source_items_synced_at = case when {good} = 1 then {now} else source_items_synced_at end
         where id = {connection}"
    )
}

/// Binds what [`shown_sql`] names, behind the connection and in its order; the time where it is not bound yet.
fn bind_shown(
    query: Query<'_, Any, AnyArguments>,
    outcome: Outcome,
    now: Option<i64>,
) -> Query<'_, Any, AnyArguments> {
    let status = if outcome == Outcome::Good { DataSourceStatus::Ready } else { DataSourceStatus::Error };
    let query = query.bind(status.as_str());
    let query = now.into_iter().fold(query, Query::bind);
    query.bind(i64::from(outcome == Outcome::Good)).bind(i64::from(outcome == Outcome::Incomplete))
}

/// What is still to come from a connection and its brands when one of their runs ends.
#[derive(Default, Clone, Copy)]
struct Others {
    /// Another sync is under way.
    syncing: bool,
    /// Another run of the same upload is.
    uploading: bool,
    /// The last sync of another one failed.
    failed: bool,
}
