//! Work that a person has paused: of a customer, or of a lane. It is asked for and planned as always, and not handed out;
//! what is under way ends.

use helpsync_model::{Lane, OrganizationId, WaitKind};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::{ACTIVE_RUN, OUTSTANDING_SHARD, PENDING_SHARD};
use crate::db::{AdminStore, QueueStore, StoreError, decode, sql};
use crate::run::runs::{RUN, Run, run_of, waiting_kind};

/// For what a person a run waits, in words, over `run`: null where none has paused its customer or its lane. No run's row
/// says it: pausing touches none, however many there are.
pub(crate) fn held_back() -> String {
    format!(
        "(case when run.state not in {ACTIVE_RUN} then null
           when exists (select 1 from customer as whose where whose.id = run.customer_id and whose.paused_at is not null)
             then 'a person to resume its customer'
           when exists (select 1 from paused_lane where paused_lane.lane = run.lane)
             then 'a person to resume the lane ' || run.lane end)"
    )
}

/// The same of the newest run among those of `runs`, a `from` and its conditions over `run`, that waits for a person.
pub(crate) fn held_back_of(runs: &str) -> String {
    let held_back = held_back();
    format!(
        "(select {held_back} {runs} and {held_back} is not null order by run.id desc limit 1) as held_back"
    )
}

/// What is waited for, in words, and its kind. Where a person has paused it, nothing else counts.
pub(crate) fn waits_for(row: &AnyRow) -> Result<(Option<String>, Option<WaitKind>), StoreError> {
    let person: Option<String> = row.try_get("held_back")?;
    match person {
        Some(_) => Ok((person, Some(WaitKind::Person))),
        None => Ok((row.try_get("waiting_for")?, waiting_kind(row)?)),
    }
}

/// What [`shown_run_of`] reads: a run as people are shown it.
pub(crate) fn shown_run() -> String {
    format!("{RUN}, {} as held_back", held_back())
}

pub(crate) fn shown_run_of(row: &AnyRow) -> Result<Run, StoreError> {
    let (waiting_for, waiting_kind) = waits_for(row)?;
    Ok(Run { waiting_for, waiting_kind, ..run_of(row)? })
}

/// A lane, and how much waits in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneState {
    /// Which.
    pub lane: Lane,
    /// Since when it is paused, in ms.
    pub paused_at: Option<i64>,
    /// Shards that wait to be handed out.
    pub pending: i64,
    /// Shards that are handed out, or run.
    pub out: i64,
}

impl AdminStore {
    /// Pauses the work of a customer, or lets it go on. False: there is no such customer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_customer_paused(
        &self,
        organization: OrganizationId,
        external_id: &str,
        paused: bool,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let changed = sqlx::query(
            "update customer set paused_at = case when $3 = 1 then $4 end
             where organization_id = $1 and external_id = $2 and (paused_at is null) = ($3 = 1)",
        )
        .bind(organization.0)
        .bind(external_id)
        .bind(i64::from(paused))
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        if changed.rows_affected() == 0 {
            drop(write);
            return Ok(self.find_customer(organization, external_id).await?.is_some());
        }
        if !paused {
            // While it was paused it lost its turns (see `release`).
            sqlx::query(
                "update release_turn set due_at = $3 where connection_id in
                   (select connection.id from connection join customer on customer.id = connection.customer_id
                    where customer.organization_id = $1 and customer.external_id = $2)",
            )
            .bind(organization.0)
            .bind(external_id)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        }
        write.commit().await?;
        Ok(true)
    }

    /// Customers whose work a person has paused, in the order they came; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn paused_customers(
        &self,
        organization: OrganizationId,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let paused = sqlx::query_scalar(
            "select external_id from customer where organization_id = $1 and paused_at is not null
             order by id limit $2",
        );
        Ok(paused.bind(organization.0).bind(i64::from(limit)).fetch_all(&self.pool).await?)
    }
}

impl QueueStore {
    /// Pauses a lane for every organization, or lets it go on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_lane_paused(&self, lane: Lane, paused: bool) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let statement = if paused {
            "insert into paused_lane (lane, paused_at) values ($1, $2) on conflict (lane) do nothing"
        } else {
            "delete from paused_lane where lane = $1 and paused_at <= $2"
        };
        let set = sqlx::query(statement).bind(lane.as_str()).bind(now).execute(&mut *write.tx).await?;
        write.commit_if(set.rows_affected() > 0).await
    }

    /// Lanes that a person has paused, and since when, in ms.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn paused_lanes(&self) -> Result<Vec<(Lane, i64)>, StoreError> {
        let paused = sqlx::query("select lane, paused_at from paused_lane order by paused_at");
        let rows = paused.fetch_all(&self.pool).await?;
        let read = |row| Ok((decode::named(row, "paused_lane", "lane")?, row.try_get("paused_at")?));
        rows.iter().map(read).collect()
    }

    /// Every lane, most urgent first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lanes(&self) -> Result<Vec<LaneState>, StoreError> {
        let paused = sqlx::query("select lane, paused_at from paused_lane").fetch_all(&self.pool).await?;
        let counted = sqlx::query(sql(format!(
            "select lane, count(case when state = {PENDING_SHARD} then 1 end) as pending,
               count(case when state in {OUTSTANDING_SHARD} then 1 end) as out_now
             from shard where state = {PENDING_SHARD} or state in {OUTSTANDING_SHARD} group by lane"
        )))
        .fetch_all(&self.pool)
        .await?;
        let mut lanes = Lane::ALL.map(|lane| LaneState { lane, paused_at: None, pending: 0, out: 0 });
        for row in paused {
            let named: Lane = decode::named(&row, "paused_lane", "lane")?;
            for state in lanes.iter_mut().filter(|state| state.lane == named) {
                state.paused_at = row.try_get("paused_at")?;
            }
        }
        for row in counted {
            let named: Lane = decode::named(&row, "shard", "lane")?;
            for state in lanes.iter_mut().filter(|state| state.lane == named) {
                state.pending = row.try_get("pending")?;
                state.out = row.try_get("out_now")?;
            }
        }
        Ok(lanes.to_vec())
    }
}
