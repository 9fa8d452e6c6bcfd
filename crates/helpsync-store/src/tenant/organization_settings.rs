//! What an organization sets for all its customers, and what they add up to.

use helpsync_model::{AutoSync, CustomerId, OrganizationId};
use serde_json::{Map, Value, json};
use sqlx::Row;

use crate::db::{AdminStore, Dialect, StoreError, decode, sql};
use crate::run::schedule::{DEFAULT_INTERVAL_HOURS, HOUR_MS};
use crate::tenant::customer_list::CustomerTotals;
use crate::tenant::customers::merged;

/// Different tags shown of one customer at most.
const TAGS_MAX: i64 = 1_000;
/// Spreads customers over an interval; a prime, so that neighbours lie far apart.
const SPREAD: i64 = 2_654_435_761;

/// A change of an organization's settings. `None` leaves a part as it is.
#[derive(Debug, Clone, Default)]
pub struct OrganizationChange {
    /// What the schedules of customers without one of their own cover.
    pub auto_sync: Option<AutoSync>,
    /// Hours between their syncs; -1 = the default.
    pub interval_hours: Option<i64>,
    /// `max_files` and its kin; those that are not named stay as they are, -1 is no limit.
    pub limits: Map<String, Value>,
    /// Per data source type, kept as given.
    pub connector_settings: Option<Map<String, Value>>,
}

impl AdminStore {
    /// Changes the settings, and with them the schedules of the customers that have none of their own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn update_organization(
        &self,
        id: OrganizationId,
        change: &OrganizationChange,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        // Written to be locked: others that refer to the row meanwhile need not wait for that.
        let known = sqlx::query("update organization set updated_at = $2 where id = $1 returning id, limits")
            .bind(id.0)
            .bind(now)
            .fetch_one(&mut *write.tx)
            .await?;
        let changed = sqlx::query(
            "update organization set auto_sync = coalesce($2, auto_sync),
               interval_hours = case when $3 = -1 then null else coalesce($3, interval_hours) end,
               limits = $4,
               connector_settings = coalesce($5, connector_settings) where id = $1
               and (auto_sync is distinct from coalesce($2, auto_sync)
                 or interval_hours is distinct from case when $3 = -1 then null else coalesce($3, interval_hours) end
                 or limits <> $4 or connector_settings <> coalesce($5, connector_settings))",
        )
        .bind(id.0)
        .bind(change.auto_sync.as_ref().map(|auto_sync| json!(auto_sync).to_string()))
        .bind(change.interval_hours)
        .bind(merged(&decode::json(&known, "organization", "limits")?, &change.limits))
        .bind(change.connector_settings.as_ref().map(|settings| json!(settings).to_string()))
        .execute(&mut *write.tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(());
        }
        // As `customers::reschedule`, for all of them at once.
        sqlx::query(
            "update connection set next_sync_at = (
               select case when coalesce(customer.auto_sync, organization.auto_sync, '') not like '%ALL%'
                   and coalesce(customer.auto_sync, organization.auto_sync, '') not like '%ZENDESK%' then null
                 when connection.next_sync_at is null or connection.next_sync_at
                     > $2 + $3 * coalesce(customer.interval_hours, organization.interval_hours, $4)
                   then $2 + 1 + (customer.id * $5)
                     % ($3 * coalesce(customer.interval_hours, organization.interval_hours, $4))
                 else connection.next_sync_at end
               from customer join organization on organization.id = customer.organization_id
               where customer.id = connection.customer_id)
             where organization_id = $1 and disconnected_at is null and parent_id is null",
        )
        .bind(id.0)
        .bind(now)
        .bind(HOUR_MS)
        .bind(DEFAULT_INTERVAL_HOURS)
        .bind(SPREAD)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// Notes that the organization's statistics were asked for; they are always current.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_statistics(&self, id: OrganizationId) -> Result<(), StoreError> {
        let mut write = self.write_quietly().await?;
        sqlx::query("update organization set statistics_at = $2 where id = $1")
            .bind(id.0)
            .bind(self.clock.now_ms())
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// What an organization's shown files add up to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organization_totals(&self, id: OrganizationId) -> Result<CustomerTotals, StoreError> {
        self.totals("customer_id = 0 and organization_id = $1", id.0).await
    }

    /// The different tags of a customer's files, as objects of one member; a bounded part of very many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unique_file_tags(&self, customer: CustomerId) -> Result<Vec<Value>, StoreError> {
        let (tags, value) = match self.dialect {
            Dialect::Sqlite => (
                "json_each(file.tags)",
                "case tag.type when 'array' then tag.value else json_quote(tag.value) end",
            ),
            Dialect::Postgres => ("json_each(cast(file.tags as json))", "cast(tag.value as text)"),
        };
        let rows = sqlx::query(sql(format!(
            "select distinct tag.key as name, {value} as content from file, {tags} as tag
             where file.customer_id = $1 and file.hidden_at is null and file.tags <> '{{}}' order by 1, 2 limit $2"
        )))
        .bind(customer.0)
        .bind(TAGS_MAX)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let (name, content): (String, String) = (row.try_get("name")?, row.try_get("content")?);
                let content = serde_json::from_str(&content).unwrap_or(Value::String(content));
                Ok(Value::Object(Map::from_iter([(name, content)])))
            })
            .collect()
    }
}
