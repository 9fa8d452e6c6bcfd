//! What people look at: connections, runs under way, what failed and what is held back.

use helpsync_model::OrganizationId;
use serde::Serialize;
use sqlx::Row;

use crate::db::states::ACTIVE_RUN;
use crate::db::{AdminStore, StoreError, sql};
use crate::run::failed_shards::FailedShard;
use crate::run::held_back::{shown_run, shown_run_of};
use crate::run::runs::Run;

/// Runs and failures shown at most.
const SHOWN_MAX: u32 = 100;

/// An organization at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct StoreStatus {
    /// Connections that are synced.
    pub active: i64,
    /// Connections whose grant is dead.
    pub paused: i64,
    /// Files shown.
    pub files: i64,
    /// Files whose removal is held back until a person allows it.
    pub held: i64,
    /// Runs under way, newest first.
    pub runs: Vec<Run>,
    /// Shards that gave up, oldest first.
    pub failed: Vec<FailedShard>,
}

impl AdminStore {
    /// An organization at a glance.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn status(&self, organization: OrganizationId) -> Result<StoreStatus, StoreError> {
        let sum = |column: &str| format!("cast(coalesce(sum({column}), 0) as bigint) as {column}");
        let counts = sqlx::query(sql(format!(
            "select {} from kept_total where customer_id = 0 and organization_id = $1",
            ["active", "paused", "files", "held"].map(sum).join(", ")
        )))
        .bind(organization.0)
        .fetch_one(&self.pool)
        .await?;
        let shown = shown_run();
        let runs = sqlx::query(sql(format!(
            "select {shown} from run where organization_id = $1 and state in {ACTIVE_RUN} order by id desc limit $2"
        )))
        .bind(organization.0)
        .bind(i64::from(SHOWN_MAX))
        .fetch_all(&self.pool)
        .await?;
        Ok(StoreStatus {
            active: counts.try_get("active")?,
            paused: counts.try_get("paused")?,
            files: counts.try_get("files")?,
            held: counts.try_get("held")?,
            runs: runs.iter().map(shown_run_of).collect::<Result<_, _>>()?,
            failed: self.failed_shards(organization, 0, SHOWN_MAX).await?,
        })
    }
}
