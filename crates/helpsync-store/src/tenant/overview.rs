//! An organization as the dashboard shows it every second: each statement is one pass over its connections, or over an
//! index that holds only what it counts.

use helpsync_model::OrganizationId;
use sqlx::Row;

use crate::db::states::{ACTIVE_CONNECTION, ACTIVE_RUN, PAUSED_CONNECTION, SYNC};
use crate::db::{AdminStore, StoreError, sql};
use crate::run::held_back::{shown_run, shown_run_of};
use crate::run::runs::Run;

/// Runs shown at most.
const RUNS_SHOWN_MAX: i64 = 50;

/// An organization at a glance, without what takes a look at every file.
#[derive(Debug, Clone)]
pub struct Overview {
    /// Connections that are synced.
    pub active: i64,
    /// Connections whose grant is dead.
    pub paused: i64,
    /// Files whose removal is held back until a person allows it.
    pub held: i64,
    /// Copies that are complete for no longer than each of the ages, and then all.
    pub by_age: Vec<i64>,
    /// Syncs under way.
    pub syncing: i64,
    /// The newest of them.
    pub runs: Vec<Run>,
}

impl AdminStore {
    /// An organization at a glance, with copies counted by `ages` in seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn overview(&self, organization: OrganizationId, ages: &[i64]) -> Result<Overview, StoreError> {
        let now = self.clock.now_ms();
        let mut columns = String::new();
        for (number, age) in ages.iter().enumerate() {
            let least = now.saturating_sub(age.saturating_mul(1_000));
            // Numbers of ours, not of anybody's request.
            columns.push_str(&format!(
                ", count(case when source_items_synced_at >= {least} then 1 end) as age_{number}"
            ));
        }
        let counts = sqlx::query(sql(format!(
            "select count(*) as copies, count(case when state = {ACTIVE_CONNECTION} then 1 end) as active,
               count(case when state = {PAUSED_CONNECTION} then 1 end) as paused{columns}
             from connection
             where organization_id = $1 and disconnected_at is null and parent_id is null"
        )))
        .bind(organization.0)
        .fetch_one(&self.pool)
        .await?;
        let held = sqlx::query_scalar(
            "select count(*) from file where held_at is not null and organization_id = $1",
        );
        let under_way = format!("organization_id = $1 and kind in {SYNC} and state in {ACTIVE_RUN}");
        let syncing = sqlx::query_scalar(sql(format!("select count(*) from run where {under_way}")));
        let shown = shown_run();
        let runs = sqlx::query(sql(format!(
            "select {shown} from run where id in (select id from run where {under_way}) order by id desc limit $2"
        )))
        .bind(organization.0)
        .bind(RUNS_SHOWN_MAX)
        .fetch_all(&self.pool)
        .await?;
        let ages = (0..ages.len()).map(|number| counts.try_get(format!("age_{number}").as_str()));
        let mut by_age = ages.collect::<Result<Vec<i64>, _>>()?;
        by_age.push(counts.try_get("copies")?);
        Ok(Overview {
            active: counts.try_get("active")?,
            paused: counts.try_get("paused")?,
            held: held.bind(organization.0).fetch_one(&self.pool).await?,
            by_age,
            syncing: syncing.bind(organization.0).fetch_one(&self.pool).await?,
            runs: runs.iter().map(shown_run_of).collect::<Result<_, _>>()?,
        })
    }
}
