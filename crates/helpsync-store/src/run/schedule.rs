//! The 24-hour schedule: a due row is claimed, advanced and turned into a run in one transaction.

use std::time::Duration;

use helpsync_model::{AutoSync, ConnectionId, CustomerId, Lane, RunId, RunParams, Source, Trigger};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{QueueStore, StoreError, Write, sql};
use crate::run::runs::{RunRequest, insert_run};

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Used where neither the customer nor the organization has set an interval.
pub(crate) const DEFAULT_INTERVAL_HOURS: i64 = 24;

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

impl QueueStore {
    /// KeyedMutex up to `limit` due schedules into runs. Any number of processes may call this at once: each slot fires
    /// once, and slots missed while nobody called collapse into one run.
    ///
    /// # Errors
    /// [`StoreError`]; nothing fired then.
    pub async fn fire_due(
        &self,
        limit: u32,
        default_interval: Duration,
    ) -> Result<Vec<FiredSchedule>, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let due = sqlx::query(sql(format!(
            "select id, customer_id, organization_id, next_sync_at from connection
             where next_sync_at <= $1 and state = {ACTIVE_CONNECTION} order by next_sync_at limit $2{}",
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
            let request = RunRequest {
                connection,
                kind: None,
                trigger: Trigger::Schedule,
                lane: Lane::Scheduled,
                request_id: stamp.clone(),
                upload_id: stamp,
                params: RunParams::default(),
            };
            fired.push(FiredSchedule { connection, run: insert_run(&mut write, &request).await?.run, slot });
        }
        write.commit().await?;
        Ok(fired)
    }
}

/// The first slot after `now` that lies a whole number of intervals (ms, at least one) after `slot`.
#[must_use]
pub fn next_slot(slot: i64, interval: i64, now: i64) -> i64 {
    let interval = interval.max(1);
    slot + ((now - slot).max(0) / interval + 1) * interval
}

/// When a customer's schedule first fires: at a point of the coming interval (ms) that depends on the customer alone,
/// so that a fleet switched on at once does not sync at once.
#[must_use]
pub fn first_slot(now: i64, interval: i64, customer: CustomerId) -> i64 {
    let digest = Sha256::digest(customer.0.to_be_bytes());
    let spread = u64::from_be_bytes([
        digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7],
    ]);
    let interval = interval.max(1);
    now + 1 + i64::try_from(spread % interval.unsigned_abs()).unwrap_or(0)
}

/// What of a customer is synced by itself, by the text of its setting; nothing where it has none.
pub(crate) fn auto_sync_of(setting: Option<String>) -> AutoSync {
    setting.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// Sets or clears the next slot of a customer's connection after its schedule or its connection changed.
pub(crate) async fn reschedule(write: &mut Write, customer: CustomerId) -> Result<(), StoreError> {
    let row = sqlx::query(
        "select customer.auto_sync, organization.auto_sync as default_sync,
           coalesce(customer.interval_hours, organization.interval_hours) as hours
         from customer join organization on organization.id = customer.organization_id where customer.id = $1",
    )
    .bind(customer.0)
    .fetch_one(&mut *write.tx)
    .await?;
    let own: Option<String> = row.try_get("auto_sync")?;
    let default: Option<String> = row.try_get("default_sync")?;
    let covers = auto_sync_of(own.or(default)).covers(Source::Zendesk);
    let hours: Option<i64> = row.try_get("hours")?;
    let interval = hours.unwrap_or(DEFAULT_INTERVAL_HOURS).saturating_mul(HOUR_MS);
    let slot = covers.then(|| first_slot(write.now, interval, customer));
    sqlx::query(
        "update connection set next_sync_at = case when $2 is null then null
             when next_sync_at is null or next_sync_at > $3 then $2 else next_sync_at end
         where customer_id = $1 and disconnected_at is null and parent_id is null",
    )
    .bind(customer.0)
    .bind(slot)
    .bind(write.now.saturating_add(interval))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use helpsync_model::CustomerId;

    use super::{first_slot, next_slot};

    #[test]
    fn missed_slots_collapse_and_the_phase_is_kept() {
        assert_eq!(next_slot(100, 10, 100), 110);
        assert_eq!(next_slot(100, 10, 109), 110);
        assert_eq!(next_slot(100, 10, 110), 120);
        assert_eq!(next_slot(100, 10, 12_345), 12_350);
    }

    #[test]
    fn first_slots_spread_over_the_interval_and_never_lie_in_the_past() {
        let slots: Vec<i64> =
            (0..1_000).map(|customer| first_slot(50, 1_000, CustomerId(customer))).collect();
        assert!(slots.iter().all(|slot| (51..=1_050).contains(slot)));
        for tenth in 0..10 {
            let within = slots.iter().filter(|slot| (**slot - 51) / 100 == tenth).count();
            assert!((60..=140).contains(&within), "{within} of 1000 in tenth {tenth}");
        }
    }
}
