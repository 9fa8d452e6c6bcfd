//! Customers: the end users of an organization, and their schedules.

use helpsync_model::{AutoSync, CustomerId, OrganizationId, Source};
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::Write;
use crate::{Store, StoreError, rows};

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Used where neither the customer nor the organization has set an interval.
pub(crate) const DEFAULT_INTERVAL_HOURS: i64 = 24;

/// An end user of an organization.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Our id (Carbon: `organization_user_id`).
    pub id: CustomerId,
    /// Whose.
    pub organization: OrganizationId,
    /// The organization's own id for it (Carbon: `customer_id`).
    pub external_id: String,
    /// What its schedule covers.
    pub auto_sync: AutoSync,
    /// Hours between scheduled syncs, if it has an interval of its own.
    pub interval_hours: Option<i64>,
    /// `max_files` and its kin, as given.
    pub limits: serde_json::Value,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// A change of several customers' schedules. `None` leaves a part as it is.
#[derive(Debug, Clone, Default)]
pub struct ScheduleChange {
    /// What the schedule covers.
    pub auto_sync: Option<AutoSync>,
    /// Hours between syncs; -1 takes the own interval away.
    pub interval_hours: Option<i64>,
    /// `max_files` and its kin; those that are not named stay as they are, -1 is no limit.
    pub limits: serde_json::Map<String, serde_json::Value>,
}

pub(crate) fn customer_of(row: &AnyRow) -> Result<Customer, StoreError> {
    let id: i64 = row.try_get("id")?;
    let auto_sync: Option<String> = row.try_get("auto_sync")?;
    let auto_sync = auto_sync.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Customer {
        id: CustomerId(id),
        organization: OrganizationId(row.try_get("organization_id")?),
        external_id: row.try_get("external_id")?,
        auto_sync: auto_sync
            .map_err(|source| StoreError::Corrupt {
                table: "customer",
                column: "auto_sync",
                row: id,
                source: source.into(),
            })?
            .unwrap_or_default(),
        interval_hours: row.try_get("interval_hours")?,
        limits: rows::json(row, "customer", "limits")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
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

/// Sets or clears the next slot of a customer's connection after its schedule or its connection changed.
pub(crate) async fn reschedule(write: &mut Write, customer: CustomerId, now: i64) -> Result<(), StoreError> {
    let row = sqlx::query(
        "select customer.*, organization.auto_sync as default_sync,
           coalesce(customer.interval_hours, organization.interval_hours) as hours
         from customer join organization on organization.id = customer.organization_id where customer.id = $1",
    )
    .bind(customer.0)
    .fetch_one(&mut *write.tx)
    .await?;
    let own: Option<String> = row.try_get("auto_sync")?;
    let default: Option<String> = row.try_get("default_sync")?;
    let covers = own
        .or(default)
        .and_then(|text| serde_json::from_str::<AutoSync>(&text).ok())
        .unwrap_or_default()
        .covers(Source::Zendesk);
    let hours: Option<i64> = row.try_get("hours")?;
    let interval = hours.unwrap_or(DEFAULT_INTERVAL_HOURS).saturating_mul(HOUR_MS);
    let slot = covers.then(|| first_slot(now, interval, customer));
    sqlx::query(
        "update connection set next_sync_at = case when $2 is null then null
             when next_sync_at is null or next_sync_at > $3 then $2 else next_sync_at end
         where customer_id = $1 and disconnected_at is null and parent_id is null",
    )
    .bind(customer.0)
    .bind(slot)
    .bind(now.saturating_add(interval))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// The limits that are set, and in their place those that are named now.
pub(crate) fn merged(set: &serde_json::Value, named: &serde_json::Map<String, serde_json::Value>) -> String {
    let mut limits = set.as_object().cloned().unwrap_or_default();
    limits.extend(named.clone());
    serde_json::Value::Object(limits).to_string()
}

async fn ensure(
    write: &mut Write,
    organization: OrganizationId,
    external_id: &str,
    now: i64,
) -> Result<Customer, StoreError> {
    let row = sqlx::query(
        "insert into customer (organization_id, external_id, created_at, updated_at) values ($1, $2, $3, $3)
         on conflict (organization_id, external_id) do update set external_id = excluded.external_id returning *",
    )
    .bind(organization.0)
    .bind(external_id)
    .bind(now)
    .fetch_one(&mut *write.tx)
    .await?;
    customer_of(&row)
}

impl Store {
    /// The customer of that name, made on first use.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customer(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Customer, StoreError> {
        if let Some(known) = self.find_customer(organization, external_id).await? {
            return Ok(known);
        }
        let mut write = self.write().await?;
        let customer = ensure(&mut write, organization, external_id, self.clock.now_ms()).await?;
        write.commit().await?;
        Ok(customer)
    }

    /// The customer of that name, if it was ever seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_customer(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<Customer>, StoreError> {
        sqlx::query("select * from customer where organization_id = $1 and external_id = $2")
            .bind(organization.0)
            .bind(external_id)
            .fetch_optional(&self.pool)
            .await?
            .as_ref()
            .map(customer_of)
            .transpose()
    }

    /// Up to `limit` customers of an organization with an id above `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customers(
        &self,
        organization: OrganizationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Customer>, StoreError> {
        sqlx::query("select * from customer where organization_id = $1 and id > $2 order by id limit $3")
            .bind(organization.0)
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(customer_of)
            .collect()
    }

    /// Changes the schedules of all the named customers or of none; unseen ones are made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_schedules(
        &self,
        organization: OrganizationId,
        external_ids: &[String],
        change: &ScheduleChange,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let auto_sync = change.auto_sync.as_ref().map(|auto_sync| serde_json::json!(auto_sync).to_string());
        let mut write = self.write().await?;
        for external_id in external_ids {
            let customer = ensure(&mut write, organization, external_id, now).await?;
            sqlx::query(
                "update customer set auto_sync = coalesce($2, auto_sync),
                   interval_hours = case when $3 = -1 then null else coalesce($3, interval_hours) end,
                   limits = $4, updated_at = $5 where id = $1",
            )
            .bind(customer.id.0)
            .bind(&auto_sync)
            .bind(change.interval_hours)
            .bind(merged(&customer.limits, &change.limits))
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
            reschedule(&mut write, customer.id, now).await?;
        }
        write.commit().await
    }
}

#[cfg(test)]
mod tests {
    use helpsync_model::CustomerId;

    use super::first_slot;

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
