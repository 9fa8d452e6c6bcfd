//! The stages of a run: plan, walk, removal, finalize.

use helpsync_model::{
    Advance, DataSourceStatus, EventKind, RunAt, RunEvent, RunKind, RunParams, RunState, ShardParams, Stage,
};
use serde_json::json;

use crate::db::states::{FAILED_SHARD, FINALIZE, OPEN_SHARD, Step};
use crate::db::{QueueStore, StoreError, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::ended::tell_ended;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{RUN, Run, insert_one, run_of};
use crate::run::shards::{Fence, NewShard, insert_shard};

impl QueueStore {
    /// If no shard of the run is open, opens the next stage.
    pub(crate) async fn advance(&self, write: &mut Write, fence: &Fence) -> Result<(), StoreError> {
        // The run row is the turnstile: two last shards cannot both see the other open.
        let row =
            sqlx::query(sql(format!("select {RUN} from run where id = $1{}", self.dialect.for_update())))
                .bind(fence.run.0)
                .fetch_one(&mut *write.tx)
                .await?;
        let run = run_of(&row)?;
        let (open, failed): (i64, i64) = sqlx::query_as(sql(format!(
            "select cast(coalesce(sum(case when state in {OPEN_SHARD} then 1 else 0 end), 0) as bigint),
               cast(coalesce(sum(case when state = {FAILED_SHARD} then 1 else 0 end), 0) as bigint)
             from shard where run_id = $1"
        )))
        .bind(fence.run.0)
        .fetch_one(&mut *write.tx)
        .await?;
        let at = RunAt { state: run.state, stage: run.stage, kind: run.kind };
        let (stage, first) = match at.advance(open.unsigned_abs(), failed.unsigned_abs()) {
            Advance::Nothing => return Ok(()),
            // The finalizing shard itself failed: nothing is left that could end the run.
            Advance::Fails => return fail(write, &run).await,
            Advance::Begins { stage, first } => (stage, first),
        };
        if run.stage == Stage::Walk && failed == 0 && run.params != RunParams::Attachments {
            announce_listed(write, &run).await?;
        }
        let Step { from, to } = Step::of::<RunState>(RunEvent::StageBegun(stage));
        sqlx::query(sql(format!(
            "update run set stage = $2, state = {to}, progress_at = $3 where id = $1 and state in {from}"
        )))
        .bind(fence.run.0)
        .bind(stage.as_str())
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
        let shard =
            NewShard { key: first.as_str().to_owned(), params: ShardParams::empty(first), position: None };
        insert_shard(write, fence.run, fence.connection, run.lane, &shard).await
    }
}

/// Ends a run that could not be finalized, and starts the run that was asked for meanwhile: that request was accepted,
/// and nobody else knows of it.
async fn fail(write: &mut Write, run: &Run) -> Result<(), StoreError> {
    let Step { from, to } = Step::of::<RunState>(RunEvent::Finalized { failed: true });
    let pending_request: Option<Option<String>> = sqlx::query_scalar(sql(format!(
        "update run set state = {to}, finished_at = $2, waiting_for = null,
           error = coalesce(error, 'the run could not be finalized' || coalesce((select ': ' || error from shard
             where run_id = $1 and kind = {FINALIZE} and state = {FAILED_SHARD} order by id desc limit 1), ''))
         where id = $1 and state in {from} returning pending_request"
    )))
    .bind(run.id.0)
    .bind(write.now)
    .fetch_optional(&mut *write.tx)
    .await?;
    if run.kind != RunKind::Resync {
        sqlx::query("update connection set sync_status = $2, updated_at = $3 where id = $1")
            .bind(run.connection.0)
            .bind(DataSourceStatus::Error.as_str())
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
    }
    if let Some(kept @ Some(_)) = pending_request {
        let request = PendingRequest::read(kept.as_deref(), run).run_for(run.connection);
        insert_one(write, &request).await?;
    }
    tell_ended(write, &[run.id.0]).await
}

/// Everything that the run's upload names has been looked at.
async fn announce_listed(write: &mut Write, run: &Run) -> Result<(), StoreError> {
    let event = NewEvent {
        organization: run.organization,
        customer: run.customer,
        connection: run.connection,
        kind: EventKind::AllUploadedFilesQueued,
        object_type: "UPLOAD_REQUEST_ID",
        object_id: run.upload_id.clone(),
        detail: json!({ "request_id": run.request_id, "upload_id": run.upload_id }),
    };
    events::record(write, event).await
}
