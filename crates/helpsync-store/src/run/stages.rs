//! The stages of a run: plan, walk, removal, finalize.

use helpsync_model::{EventKind, Lane, RunId, RunKind, RunState, ShardKind};
use serde_json::json;

use crate::db::{Store, StoreError, Write, decode, sql};
use crate::event::events::{self, NewEvent};
use crate::run::ended::tell_ended;
use crate::run::runs::{Run, is_for_attachments, run_of};
use crate::run::shards::{Fence, NewShard, insert_shard};

impl Store {
    pub(crate) async fn lane_of(&self, write: &mut Write, run: RunId) -> Result<Lane, StoreError> {
        let row = sqlx::query("select id, lane from run where id = $1")
            .bind(run.0)
            .fetch_one(&mut *write.tx)
            .await?;
        decode::named(&row, "run", "lane")
    }

    /// If no shard of the run is open, opens the next stage.
    pub(crate) async fn advance(&self, write: &mut Write, fence: &Fence) -> Result<(), StoreError> {
        // The run row is the turnstile: two last shards cannot both see the other open.
        let row = sqlx::query(sql(format!("select * from run where id = $1{}", self.dialect.for_update())))
            .bind(fence.run.0)
            .fetch_one(&mut *write.tx)
            .await?;
        let run = run_of(&row)?;
        let (open, failed): (i64, i64) = sqlx::query_as(
            "select cast(coalesce(sum(case when state in ('pending', 'released', 'running') then 1 else 0 end), 0) as bigint),
               cast(coalesce(sum(case when state = 'failed' then 1 else 0 end), 0) as bigint)
             from shard where run_id = $1",
        )
        .bind(fence.run.0)
        .fetch_one(&mut *write.tx)
        .await?;
        if open > 0 || !run.state.is_active() {
            return Ok(());
        }
        let Some((stage, kind)) = next_stage(run.kind, &run.stage, failed > 0) else {
            // The finalizing shard itself failed: nothing is left that could end the run.
            sqlx::query(
                "update run set state = 'failed', finished_at = $2, waiting_for = null,
                   error = coalesce(error, 'the run could not be finalized' || coalesce((select ': ' || error from shard
                     where run_id = $1 and kind = 'finalize' and state = 'failed' order by id desc limit 1), ''))
                 where id = $1",
            )
            .bind(fence.run.0)
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
            return tell_ended(write, &[fence.run.0]).await;
        };
        if run.stage == "walk" && failed == 0 && !is_for_attachments(&run.params) {
            announce_listed(write, &run).await?;
        }
        let state = if kind == ShardKind::Finalize { RunState::Finalizing } else { RunState::Running };
        sqlx::query("update run set stage = $2, state = $3, progress_at = $4 where id = $1")
            .bind(fence.run.0)
            .bind(stage)
            .bind(state.as_str())
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
        let shard = NewShard { key: kind.as_str().to_owned(), kind, params: json!({}), position: None };
        insert_shard(write, fence.run, fence.connection, run.lane, &shard).await
    }
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

/// A listing that did not end cleanly never removes anything: a failed walk goes straight to the end.
fn next_stage(kind: RunKind, stage: &str, failed: bool) -> Option<(&'static str, ShardKind)> {
    match (kind, stage) {
        (RunKind::Full | RunKind::Delta, "walk") if !failed => Some(("removal", ShardKind::FindRemoved)),
        (_, "finalize") => None,
        _ => Some(("finalize", ShardKind::Finalize)),
    }
}
