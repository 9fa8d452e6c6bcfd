//! Organizations and their API keys.

use helpsync_model::{AutoSync, OrganizationId};
use serde_json::Value;
use sqlx::Row;

use crate::db::audit;
use crate::db::{AdminStore, Entity, StoreError, decode, sql};

/// Who everything else belongs to.
#[derive(Debug, Clone)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, unique.
    pub name: String,
    /// What the schedules of customers without one of their own cover.
    pub auto_sync: Option<AutoSync>,
    /// Hours between their syncs.
    pub interval_hours: Option<i64>,
    /// `max_files` and its kin, as given.
    pub limits: Value,
    /// Per data source type, as given.
    pub connector_settings: Value,
    /// When statistics were last asked for, in ms.
    pub statistics_at: Option<i64>,
    /// Whether restricted articles are shown to named readers alone.
    pub viewer_required: bool,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// An organization in a list.
#[derive(Debug, Clone)]
pub struct OrganizationSummary {
    /// Its id.
    pub id: OrganizationId,
    /// Its name, unique.
    pub name: String,
    /// Its API keys.
    pub keys: i64,
    /// Its customers.
    pub customers: i64,
    /// ms.
    pub created_at: i64,
}

/// What an organization without customers still has, children before parents.
const OF_ORGANIZATION: [&str; 9] = [
    "delete from webhook_delivery where organization_id = $1",
    "delete from event where organization_id = $1",
    "delete from webhook where organization_id = $1",
    "delete from oauth_state where organization_id = $1",
    "delete from oauth_client where organization_id = $1",
    "delete from blob_chunk where blob_id in (select id from blob where organization_id = $1)",
    "delete from blob where organization_id = $1",
    "delete from api_key where organization_id = $1",
    "delete from organization where id = $1",
];

impl AdminStore {
    /// The organization called `name`, made if there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ensure_organization(&self, name: &str) -> Result<OrganizationId, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        sqlx::query(
            "insert into organization (name, created_at, updated_at) values ($1, $2, $2) on conflict (name) do nothing",
        )
        .bind(name)
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        let id: i64 = sqlx::query_scalar("select id from organization where name = $1")
            .bind(name)
            .fetch_one(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(OrganizationId(id))
    }

    /// The organization called `name`, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_organization(&self, name: &str) -> Result<Option<OrganizationId>, StoreError> {
        let id: Option<i64> = sqlx::query_scalar("select id from organization where name = $1")
            .bind(name)
            .fetch_optional(&self.pool)
            .await?;
        Ok(id.map(OrganizationId))
    }

    /// The names of all organizations but this one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn other_organizations(&self, id: OrganizationId) -> Result<Vec<String>, StoreError> {
        let names = sqlx::query_scalar("select name from organization where id <> $1 order by id");
        Ok(names.bind(id.0).fetch_all(&self.pool).await?)
    }

    /// One organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn organization(&self, id: OrganizationId) -> Result<Organization, StoreError> {
        let row = sqlx::query(
            "select name, auto_sync, interval_hours, limits, connector_settings, statistics_at, viewer_required, created_at,
               updated_at
             from organization where id = $1",
        )
            .bind(id.0)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NotFound(Entity::Organization))?;
        Ok(Organization {
            id,
            name: row.try_get("name")?,
            auto_sync: row
                .try_get::<Option<String>, _>("auto_sync")?
                .map(|_| decode::json(&row, "organization", "auto_sync"))
                .transpose()?,
            interval_hours: row.try_get("interval_hours")?,
            limits: decode::json(&row, "organization", "limits")?,
            connector_settings: decode::json(&row, "organization", "connector_settings")?,
            statistics_at: row.try_get("statistics_at")?,
            viewer_required: row.try_get::<i64, _>("viewer_required")? == 1,
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }

    /// Makes an organization, which shows restricted articles to named readers alone. `None`: the name is taken.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_organization(&self, name: &str) -> Result<Option<OrganizationId>, StoreError> {
        let mut write = self.write().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "insert into organization (name, viewer_required, created_at, updated_at) values ($1, 1, $2, $2)
             on conflict (name) do nothing returning id",
        )
        .bind(name)
        .bind(write.now)
        .fetch_optional(&mut *write.tx)
        .await?;
        if let Some(id) = id {
            audit::detail("id", id.into());
        }
        write.commit_if(id.is_some()).await?;
        Ok(id.map(OrganizationId))
    }

    /// Says whether restricted articles are shown to named readers alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn require_viewers(&self, id: OrganizationId, required: bool) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let set = sqlx::query(
            "update organization set viewer_required = $2, updated_at = $3 where id = $1 and viewer_required <> $2",
        )
        .bind(id.0)
        .bind(i64::from(required))
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
        write.commit_if(set.rows_affected() > 0).await
    }

    /// Up to `limit` organizations with an id above `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn organizations(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<OrganizationSummary>, StoreError> {
        let rows = sqlx::query(
            "select id, name, created_at,
               (select count(*) from api_key where api_key.organization_id = organization.id) as keys,
               (select count(*) from customer where customer.organization_id = organization.id) as customers
             from organization where id > $1 order by id limit $2",
        )
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OrganizationSummary {
                    id: OrganizationId(row.try_get("id")?),
                    name: row.try_get("name")?,
                    keys: row.try_get("keys")?,
                    customers: row.try_get("customers")?,
                    created_at: row.try_get("created_at")?,
                })
            })
            .collect()
    }

    /// Removes an organization that has no customers, with its keys, OAuth clients and webhooks. False: it has some.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn remove_organization(&self, id: OrganizationId) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let lock = write.dialect.for_update();
        // Whoever adds a customer refers to this row, and waits.
        let found: Option<String> =
            sqlx::query_scalar(sql(format!("select name from organization where id = $1{lock}")))
                .bind(id.0)
                .fetch_optional(&mut *write.tx)
                .await?;
        audit::detail("name", found.ok_or(StoreError::NotFound(Entity::Organization))?.into());
        let customers: i64 = sqlx::query_scalar("select count(*) from customer where organization_id = $1")
            .bind(id.0)
            .fetch_one(&mut *write.tx)
            .await?;
        if customers > 0 {
            return Ok(false);
        }
        for statement in OF_ORGANIZATION {
            sqlx::query(statement).bind(id.0).execute(&mut *write.tx).await?;
        }
        write.commit().await?;
        Ok(true)
    }
}
