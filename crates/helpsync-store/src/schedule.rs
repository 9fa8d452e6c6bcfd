//! The 24-hour schedule: a due row is claimed, advanced and turned into a run in one transaction.

use std::time::Duration;

use helpsync_model::{ConnectionId, Lane, RunId, Trigger};
use serde_json::json;
use sqlx::Row;

use crate::db::sql;
use crate::outbox::millis;
use crate::runs::{NewRun, insert_run};
use crate::{Store, StoreError};

const HOUR_MS: i64 = 3_600_000;

/// A schedule that fired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiredSchedule {
    /// Whose.
    pub connection: ConnectionId,
    /// The run that serves it; an equal one under way is not doubled.
    pub run: RunId,
    /// The slot, in ms.
    pub slot: i64,
}

impl Store {
    /// Turns up to `limit` due schedules into runs. Any number of processes may call this at once: each slot fires
    /// once, and slots missed while nobody called collapse into one run.
    ///
    /// # Errors
    /// [`StoreError`]; nothing fired then.
    pub async fn fire_due(
        &self,
        limit: u32,
        default_interval: Duration,
    ) -> Result<Vec<FiredSchedule>, StoreError> {
        let now = self.clock.now_ms();
        let mut write = self.write().await?;
        let due = sqlx::query(sql(format!(
            "select id, customer_id, organization_id, next_sync_at from connection
             where next_sync_at <= $1 and state = 'active' order by next_sync_at limit $2{}",
            self.dialect.for_update_skip_locked()
        )))
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&mut *write.tx)
        .await?;
        let mut fired = Vec::with_capacity(due.len());
        for row in due {
            let connection = ConnectionId(row.try_get("id")?);
            let slot: i64 = row.try_get("next_sync_at")?;
            let hours: Option<i64> = sqlx::query_scalar(
                "select coalesce(customer.interval_hours, organization.interval_hours) from customer
                 join organization on organization.id = customer.organization_id where customer.id = $1",
            )
            .bind(row.try_get::<i64, _>("customer_id")?)
            .fetch_one(&mut *write.tx)
            .await?;
            let interval = hours.map_or(millis(default_interval), |hours| hours.saturating_mul(HOUR_MS));
            sqlx::query("update connection set next_sync_at = $2 where id = $1")
                .bind(connection.0)
                .bind(next_slot(slot, interval, now))
                .execute(&mut *write.tx)
                .await?;
            let stamp = format!("schedule-{connection}-{slot}");
            let wish = NewRun {
                connection,
                kind: None,
                trigger: Trigger::Schedule,
                lane: Lane::Scheduled,
                request_id: stamp.clone(),
                upload_id: stamp,
                params: json!({}),
            };
            fired.push(FiredSchedule {
                connection,
                run: insert_run(&mut write, self, &wish).await?.run,
                slot,
            });
        }
        write.commit().await?;
        Ok(fired)
    }
}

/// The first slot after `now` that lies a whole number of intervals (ms, at least one) after `slot`.
fn next_slot(slot: i64, interval: i64, now: i64) -> i64 {
    let interval = interval.max(1);
    slot + ((now - slot).max(0) / interval + 1) * interval
}

#[cfg(test)]
mod tests {
    use super::next_slot;

    #[test]
    fn missed_slots_collapse_and_the_phase_is_kept() {
        assert_eq!(next_slot(100, 10, 100), 110);
        assert_eq!(next_slot(100, 10, 109), 110);
        assert_eq!(next_slot(100, 10, 110), 120);
        assert_eq!(next_slot(100, 10, 12_345), 12_350);
    }
}
