//! Organizations and their API keys.

use helpsync_model::{AutoSync, OrganizationId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::db::{AdminStore, Entity, StoreError, decode};

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
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// An API key, by what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub organization: OrganizationId,
}

/// The form in which API keys and OAuth states are stored: they are long and random, so a plain hash is enough.
pub(crate) fn hash_of(secret: &SecretString) -> String {
    hex::encode(Sha256::digest(secret.expose_secret().as_bytes()))
}

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
            "select name, auto_sync, interval_hours, limits, connector_settings, statistics_at, created_at, updated_at
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
            created_at: row.try_get("created_at")?,
            updated_at: row.try_get("updated_at")?,
        })
    }

    /// Makes `key` an API key of the organization. Only its SHA-256 is stored. A key that is already known stays whose
    /// it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ensure_api_key(
        &self,
        organization: OrganizationId,
        key: &SecretString,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query(
            "insert into api_key (organization_id, key_hash, created_at) values ($1, $2, $3)
             on conflict (key_hash) do nothing",
        )
        .bind(organization.0)
        .bind(hash_of(key))
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// The API key that this text is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_api_key(&self, key: &SecretString) -> Result<Option<ApiKey>, StoreError> {
        let found: Option<(i64, i64)> =
            sqlx::query_as("select id, organization_id from api_key where key_hash = $1")
                .bind(hash_of(key))
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.map(|(id, organization)| ApiKey { id, organization: OrganizationId(organization) }))
    }

    /// Whether the organization still has the API key: what was made with a key ends with it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_api_key(&self, organization: OrganizationId, id: i64) -> Result<bool, StoreError> {
        let found: Option<i64> =
            sqlx::query_scalar("select id from api_key where id = $1 and organization_id = $2")
                .bind(id)
                .bind(organization.0)
                .fetch_optional(&self.pool)
                .await?;
        Ok(found.is_some())
    }

    /// Takes an API key away; access tokens that were made with it end too. False: the organization has none of this id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn remove_api_key(&self, organization: OrganizationId, id: i64) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let removed = sqlx::query("delete from api_key where id = $1 and organization_id = $2")
            .bind(id)
            .bind(organization.0)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(removed.rows_affected() == 1)
    }
}
