//! Customers: the end users of an organization, and their schedules.

use std::collections::BTreeSet;

use helpsync_model::{AutoSync, CustomerId, OrganizationId};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::audit::{self, Change};
use crate::db::{AdminStore, StoreError, Write, decode, sql};
use crate::run::schedule::reschedule;

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

/// What [`customer_of`] reads.
pub(crate) const CUSTOMER: &str =
    "id, organization_id, external_id, auto_sync, interval_hours, limits, created_at, updated_at";

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
        limits: decode::json(row, "customer", "limits")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
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
) -> Result<Customer, StoreError> {
    // What is set changes nothing, and is no key: a lock of the key would hold up every row that refers to the customer, and
    // whoever writes one may hold the connection that is waited for next.
    let row = sqlx::query(sql(format!(
        "insert into customer (organization_id, external_id, created_at, updated_at) values ($1, $2, $3, $3)
         on conflict (organization_id, external_id) do update set updated_at = customer.updated_at
         returning {CUSTOMER}"
    )))
    .bind(organization.0)
    .bind(external_id)
    .bind(write.now)
    .fetch_one(&mut *write.tx)
    .await?;
    customer_of(&row)
}

impl AdminStore {
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
        // Named by itself: the request goes on to do what it was sent for.
        let mut write = self.write_quietly().await?;
        let customer = ensure(&mut write, organization, external_id).await?;
        let change =
            Change { action: "make a customer", target: "", customer: Some(external_id), detail: json!({}) };
        write.note(Some(organization), &change).await?;
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
        sqlx::query(sql(format!(
            "select {CUSTOMER} from customer where organization_id = $1 and external_id = $2"
        )))
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
        let statement = format!(
            "select {CUSTOMER} from customer where organization_id = $1 and id > $2 order by id limit $3"
        );
        self.page(statement, organization, after, limit, customer_of).await
    }

    /// Changes the schedules of all the named customers or of none; unseen ones are made. The audit log says it of those
    /// whom it changed.
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
        let mut changed = Vec::new();
        // In one order, or two requests that name the same customers wait for each other.
        for external_id in external_ids.iter().collect::<BTreeSet<_>>() {
            let customer = ensure(&mut write, organization, external_id).await?;
            let set = sqlx::query(
                "update customer set auto_sync = coalesce($2, auto_sync),
                   interval_hours = case when $3 = -1 then null else coalesce($3, interval_hours) end,
                   limits = $4, updated_at = $5 where id = $1
                   and (auto_sync is distinct from coalesce($2, auto_sync)
                     or interval_hours is distinct from case when $3 = -1 then null else coalesce($3, interval_hours) end
                     or limits <> $4)",
            )
            .bind(customer.id.0)
            .bind(&auto_sync)
            .bind(change.interval_hours)
            .bind(merged(&customer.limits, &change.limits))
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
            reschedule(&mut write, customer.id).await?;
            let is_changed = set.rows_affected() > 0 || customer.created_at == write.now;
            if is_changed {
                changed.push(external_id.clone());
            }
        }
        audit::about(&changed);
        write.is_quiet = changed.is_empty();
        write.commit().await
    }
}
