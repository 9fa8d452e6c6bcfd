//! Files that were asked for to be fetched again: what is shown and announced while their shard starts and waits.

use helpsync_model::{EventKind, FileStatus, ShardKind};
use serde_json::json;
use sqlx::any::AnyRow;

use crate::db::{QueueStore, StoreError, Write, decode, sql};
use crate::event::events::{self, NewEvent};
use crate::run::runs::{RUN, Run, run_of};
use crate::run::shards::{Fence, ShardEnd};

impl QueueStore {
    /// If the shard that starts fetches requested files, they are being fetched now.
    pub(crate) async fn announce_fetching(
        &self,
        write: &mut Write,
        shard: &AnyRow,
        run: &Run,
    ) -> Result<(), StoreError> {
        if decode::named::<ShardKind>(shard, "shard", "shard_kind")? != ShardKind::FetchArticles {
            return Ok(());
        }
        let (from, to) = (FileStatus::QueuedForSync, FileStatus::Syncing);
        self.move_requested(write, run, from, to, EventKind::FileSyncing).await
    }

    /// If the shard that ends waits for the account's budget, its run's requested files wait with it.
    pub(crate) async fn announce_waiting(
        &self,
        write: &mut Write,
        fence: &Fence,
        end: &ShardEnd,
    ) -> Result<(), StoreError> {
        // A wait of no length is a turn given to others, not a limit.
        if !matches!(end, ShardEnd::Snooze { wait, .. } if !wait.is_zero()) {
            return Ok(());
        }
        let row = sqlx::query(sql(format!("select {RUN} from run where id = $1")))
            .bind(fence.run.0)
            .fetch_one(&mut *write.tx)
            .await?;
        let run = run_of(&row)?;
        let (from, to) = (FileStatus::Syncing, FileStatus::QueuedForSync);
        self.move_requested(write, &run, from, to, EventKind::RateLimitError).await
    }

    async fn move_requested(
        &self,
        write: &mut Write,
        run: &Run,
        from: FileStatus,
        to: FileStatus,
        kind: EventKind,
    ) -> Result<(), StoreError> {
        let moved: Vec<i64> = sqlx::query_scalar(sql(format!(
            "update file set status = $3, updated_at = $4
             where connection_id = $1 and status = $5 and article_id in {} returning id",
            self.dialect.json_integers("$2")
        )))
        .bind(run.connection.0)
        .bind(json!(run.params.named_articles()).to_string())
        .bind(to.as_str())
        .bind(write.now)
        .bind(from.as_str())
        .fetch_all(&mut *write.tx)
        .await?;
        for file in moved {
            let event = NewEvent {
                organization: run.organization,
                customer: run.customer,
                connection: run.connection,
                kind,
                object_type: "FILE",
                object_id: file.to_string(),
                detail: json!({ "request_id": run.request_id }),
            };
            events::record(write, event).await?;
        }
        Ok(())
    }
}
