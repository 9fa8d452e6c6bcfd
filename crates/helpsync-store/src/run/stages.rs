//! The stages of a run: plan, walk, removal, finalize.

use helpsync_model::{
    Advance, DataSourceStatus, EventKind, Machine as _, RunAt, RunEvent, RunKind, RunParams, RunState,
    ShardKind, ShardParams, Stage,
};
use serde_json::json;

use crate::db::states::{FAILED_SHARD, FINALIZE, Step};
use crate::db::{StoreError, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::ended::tell_ended;
use crate::run::pending_request::PendingRequest;
use crate::run::runs::{Run, insert_one};
use crate::run::shards::NewShard;

/// The stage that follows, before it has begun.
pub(crate) struct NextStage {
    pub(crate) stage: Stage,
    /// The kind of the shard that opens it.
    first: ShardKind,
    /// Everything that the run's upload names has been looked at, which is announced.
    pub(crate) is_listed: bool,
}

impl NextStage {
    fn event(&self) -> RunEvent {
        RunEvent::StageBegun(self.stage)
    }

    /// The shard that opens it.
    pub(crate) fn shard(&self) -> NewShard {
        NewShard {
            key: self.first.as_str().to_owned(),
            params: ShardParams::empty(self.first),
            position: None,
        }
    }

    /// What begins it in the run's row, which is `$1`; `stage` and `now` are placeholders.
    pub(crate) fn update(&self, stage: &str, now: &str) -> String {
        let Step { from, to } = Step::of::<RunState>(self.event());
        format!(
            "update run set stage = {stage}, state = {to}, progress_at = {now} where id = $1 and state in {from}"
        )
    }

    /// Notes in the run that it has begun.
    pub(crate) fn has_begun(&self, run: &mut Run) {
        run.stage = self.stage;
        run.state = run.state.after(self.event()).unwrap_or(run.state);
    }
}

/// What follows in a run of which no shard is open, and so many have failed; one that cannot go on ends. The run's row is
/// locked: two last shards cannot both see the other open.
pub(crate) async fn next_stage(
    write: &mut Write,
    run: &Run,
    failed: u64,
) -> Result<Option<NextStage>, StoreError> {
    let at = RunAt { state: run.state, stage: run.stage, kind: run.kind };
    match at.advance(0, failed) {
        Advance::Nothing => Ok(None),
        // The finalizing shard itself failed: nothing is left that could end the run.
        Advance::Fails => {
            fail(write, run).await?;
            Ok(None)
        }
        Advance::Begins { stage, first } => {
            let is_listed = run.stage == Stage::Walk && failed == 0 && run.params != RunParams::Attachments;
            Ok(Some(NextStage { stage, first, is_listed }))
        }
    }
}

/// Begins the stage in the run's row. The shard that opens it is the caller's to add.
pub(crate) async fn begin(write: &mut Write, run: &Run, next: &NextStage) -> Result<(), StoreError> {
    if next.is_listed {
        announce_listed(write, run).await?;
    }
    sqlx::query(sql(next.update("$2", "$3")))
        .bind(run.id.0)
        .bind(next.stage.as_str())
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Ends a run that could not be finalized, and starts the run that was asked for meanwhile: that request was accepted,
/// and nobody else knows of it.
async fn fail(write: &mut Write, run: &Run) -> Result<(), StoreError> {
    let Step { from, to } = Step::of::<RunState>(RunEvent::Finalized { failed: true });
    let pending_request: Option<Option<String>> = sqlx::query_scalar(sql(format!(
        "update run set state = {to}, finished_at = $2, waiting_for = null, waiting_kind = null,
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
    events::record(write, listed(run)).await
}

/// The announcement of that.
pub(crate) fn listed(run: &Run) -> NewEvent<'static> {
    NewEvent {
        organization: run.organization,
        customer: run.customer,
        connection: run.connection,
        kind: EventKind::AllUploadedFilesQueued,
        object_type: "UPLOAD_REQUEST_ID",
        object_id: run.upload_id.clone(),
        detail: json!({ "request_id": run.request_id, "upload_id": run.upload_id }),
    }
}
