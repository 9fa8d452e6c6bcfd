//! The stages of a run: plan, walk, removal, finalize.

use helpsync_model::{
    Advance, DataSourceStatus, EventKind, Machine as _, RunAt, RunEvent, RunKind, RunParams, RunState,
    ShardParams, Stage,
};
use serde_json::json;

use crate::db::states::{FAILED_SHARD, FINALIZE, Step};
use crate::db::{StoreError, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::ended::tell_ended;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{Run, insert_one};
use crate::run::shards::NewShard;

/// Opens the next stage of a run of which no shard is open, and so many have failed. Answers with the shard that is to
/// be added. The run's row is locked: two last shards cannot both see the other open.
pub(crate) async fn advance(
    write: &mut Write,
    run: &mut Run,
    failed: u64,
) -> Result<Option<NewShard>, StoreError> {
    let at = RunAt { state: run.state, stage: run.stage, kind: run.kind };
    let (stage, first) = match at.advance(0, failed) {
        Advance::Nothing => return Ok(None),
        // The finalizing shard itself failed: nothing is left that could end the run.
        Advance::Fails => {
            fail(write, run).await?;
            return Ok(None);
        }
        Advance::Begins { stage, first } => (stage, first),
    };
    if run.stage == Stage::Walk && failed == 0 && run.params != RunParams::Attachments {
        announce_listed(write, run).await?;
    }
    let event = RunEvent::StageBegun(stage);
    let Step { from, to } = Step::of::<RunState>(event);
    sqlx::query(sql(format!(
        "update run set stage = $2, state = {to}, progress_at = $3 where id = $1 and state in {from}"
    )))
    .bind(run.id.0)
    .bind(stage.as_str())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    run.stage = stage;
    run.state = run.state.after(event).unwrap_or(run.state);
    Ok(Some(NewShard { key: first.as_str().to_owned(), params: ShardParams::empty(first), position: None }))
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
