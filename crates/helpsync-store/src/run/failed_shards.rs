//! Shards that gave up: the store's half of the dead-letter list. A person can read, replay or discard them.

use helpsync_model::{
    ConnectionId, Lane, OrganizationId, RunId, RunKind, RunParams, ShardEvent, ShardId, ShardKind,
    ShardParams, ShardState, Trigger,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::{FAILED_SHARD, Step};
use crate::db::{AdminStore, StoreError, Write, decode, sql};
use crate::run::runs::{RunRequest, RunRequested, insert_run};

/// The failed shards of the organization `$1`.
fn select_failed() -> String {
    format!(
        "select shard.id, shard.run_id, shard.connection_id, shard.key, shard.kind, shard.params, shard.failures, shard.error,
           shard.updated_at, run.kind as run_kind, run.params as run_params, customer.external_id as customer_external_id,
           connection.subdomain, coalesce(run.source_id, run.connection_id) as source_id
         from shard join run on run.id = shard.run_id join connection on connection.id = run.connection_id
           join customer on customer.id = run.customer_id
         where shard.state = {FAILED_SHARD} and run.organization_id = $1"
    )
}

/// A shard that gave up.
#[derive(Debug, Clone, Serialize)]
pub struct FailedShard {
    /// Its id.
    pub id: ShardId,
    /// Its run.
    pub run: RunId,
    /// What the run was for.
    pub run_kind: RunKind,
    /// Over which connection.
    pub connection: ConnectionId,
    /// The connection that people know: another one where the shard is of a brand.
    pub source: ConnectionId,
    /// What the organization calls the customer.
    pub customer_id: String,
    /// The workspace.
    pub subdomain: String,
    /// Unique in its run.
    pub key: String,
    /// What it did.
    pub kind: ShardKind,
    /// What it did it to, as it is stored: it may have failed because no worker can read this.
    pub params: Value,
    /// What its run was asked to do.
    pub run_params: RunParams,
    /// How often it was tried since it last got anywhere.
    pub attempts: i64,
    /// Why it gave up.
    pub error: Option<String>,
    /// When, in ms.
    pub failed_at: i64,
}

fn failed_of(row: &AnyRow) -> Result<FailedShard, StoreError> {
    Ok(FailedShard {
        id: ShardId(row.try_get("id")?),
        run: RunId(row.try_get("run_id")?),
        run_kind: decode::named(row, "run", "run_kind")?,
        connection: ConnectionId(row.try_get("connection_id")?),
        source: ConnectionId(row.try_get("source_id")?),
        customer_id: row.try_get("customer_external_id")?,
        subdomain: row.try_get("subdomain")?,
        key: row.try_get("key")?,
        kind: decode::named(row, "shard", "kind")?,
        params: decode::json(row, "shard", "params")?,
        run_params: decode::json(row, "run", "run_params")?,
        attempts: row.try_get("failures")?,
        error: row.try_get("error")?,
        failed_at: row.try_get("updated_at")?,
    })
}

impl FailedShard {
    /// The work of a resync that is to be done again: that of the shard, which may have been joined by more articles
    /// than its run began with, or else that of its run.
    fn work(&self) -> RunParams {
        match ShardParams::read(self.kind, &self.params.to_string()) {
            Ok(ShardParams::FetchArticles(asked)) => RunParams::Articles(asked),
            _ => self.run_params.clone(),
        }
    }
}

impl AdminStore {
    /// Up to `limit` shards that gave up, with an id above `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn failed_shards(
        &self,
        organization: OrganizationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<FailedShard>, StoreError> {
        let statement = format!("{} and shard.id > $2 order by shard.id limit $3", select_failed());
        self.page(statement, organization, after, limit, failed_of).await
    }

    /// One shard that gave up.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn failed_shard(
        &self,
        organization: OrganizationId,
        id: ShardId,
    ) -> Result<Option<FailedShard>, StoreError> {
        sqlx::query(sql(format!("{} and shard.id = $2", select_failed())))
            .bind(organization.0)
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(failed_of)
            .transpose()
    }

    /// Does the work of a shard that gave up once more, in a new run: the same articles for a resync, a sync from the
    /// high-water mark otherwise (its run is over, so the shard itself cannot be resumed). `None`: there is no such
    /// shard.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the connection is not active.
    pub async fn replay_failed_shard(
        &self,
        organization: OrganizationId,
        id: ShardId,
        request_id: &str,
    ) -> Result<Option<RunRequested>, StoreError> {
        let Some(failed) = self.failed_shard(organization, id).await? else { return Ok(None) };
        let resync = failed.run_kind == RunKind::Resync;
        let params = if resync { failed.work() } else { RunParams::default() };
        let request = RunRequest {
            connection: failed.connection,
            kind: resync.then_some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: request_id.to_owned(),
            upload_id: request_id.to_owned(),
            params,
        };
        let mut write = self.write().await?;
        if !self.set_aside(&mut write, id).await? {
            return Ok(None);
        }
        let requested = insert_run(&mut write, &request).await?;
        write.commit().await?;
        Ok(Some(requested))
    }

    /// Takes a shard that gave up off the list. False: there is no such shard, or its run has not ended yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn discard_failed_shard(
        &self,
        organization: OrganizationId,
        id: ShardId,
    ) -> Result<bool, StoreError> {
        if self.failed_shard(organization, id).await?.is_none() {
            return Ok(false);
        }
        let mut write = self.write().await?;
        let discarded = self.set_aside(&mut write, id).await?;
        write.commit().await?;
        Ok(discarded)
    }

    /// Only of a run that has ended: while it runs, its failed shards decide how it ends.
    async fn set_aside(&self, write: &mut Write, id: ShardId) -> Result<bool, StoreError> {
        let Step { from, to } = Step::of::<ShardState>(ShardEvent::SetAside);
        let moved = sqlx::query(sql(format!(
            "update shard set state = {to}, updated_at = $2 where id = $1 and state in {from}
               and exists (select 1 from run where run.id = shard.run_id and run.finished_at is not null)"
        )))
        .bind(id.0)
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        Ok(moved.rows_affected() == 1)
    }
}
