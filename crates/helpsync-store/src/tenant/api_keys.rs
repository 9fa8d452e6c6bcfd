//! API keys: who may do what for an organization. Of a key only its SHA-256 is stored.

use std::time::Duration;

use helpsync_model::{KeyScope, OrganizationId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::audit::{self, Change};
use crate::db::decode::millis;
use crate::db::{AdminStore, StoreError, Write, decode, sql};

/// How exactly the last use of a key is known: not every request writes.
const USE_NOTED_EVERY: Duration = Duration::from_mins(1);
/// The name of the key that the settings give, or that the embedded shape made for itself.
pub const BOOTSTRAP: &str = "bootstrap";

/// What [`ApiKey::of`] reads.
pub(crate) const KEY: &str =
    "id, organization_id, name, prefix, scope, is_bootstrap, expires_at, last_used_at, created_at,
     (select viewer_required from organization where organization.id = api_key.organization_id) as viewer_required";

/// An API key, by what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: i64,
    /// Whose.
    pub organization: OrganizationId,
    /// What people call it, unique in its organization.
    pub name: String,
    /// Its first letters, by which people tell it from others; empty where it was not made here.
    pub prefix: String,
    /// What it may do.
    pub scope: KeyScope,
    /// Whether the settings give it, or the embedded shape made it for itself.
    pub is_bootstrap: bool,
    /// When it ends, in ms; `None`: when somebody revokes it.
    pub expires_at: Option<i64>,
    /// When it was last used, in ms, to the minute.
    pub last_used_at: Option<i64>,
    /// ms.
    pub created_at: i64,
    /// Whether its organization shows restricted articles to named readers alone.
    pub viewer_required: bool,
}

impl ApiKey {
    pub(crate) fn of(row: &AnyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.try_get("id")?,
            organization: OrganizationId(row.try_get("organization_id")?),
            name: row.try_get("name")?,
            prefix: row.try_get("prefix")?,
            scope: decode::named(row, "api_key", "scope")?,
            is_bootstrap: row.try_get::<i64, _>("is_bootstrap")? == 1,
            expires_at: row.try_get("expires_at")?,
            last_used_at: row.try_get("last_used_at")?,
            created_at: row.try_get("created_at")?,
            viewer_required: row.try_get::<i64, _>("viewer_required")? == 1,
        })
    }

    /// Whether it has ended at `now` (ms).
    #[must_use]
    pub fn has_ended(&self, now: i64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scope: KeyScope,
    /// When it ends, in ms.
    pub expires_at: Option<i64>,
    /// Its first letters, to be shown.
    pub prefix: String,
}

/// The form in which API keys are stored: they are long and random, so a plain hash is enough.
pub(crate) fn hash_of(secret: &SecretString) -> String {
    hex::encode(Sha256::digest(secret.expose_secret().as_bytes()))
}

impl AdminStore {
    /// Makes `secret` an API key of the organization. `None`: it has one of this name, or the key is known already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn create_api_key(
        &self,
        organization: OrganizationId,
        key: &NewApiKey,
        secret: &SecretString,
    ) -> Result<Option<ApiKey>, StoreError> {
        let mut write = self.write().await?;
        let made = insert(&mut write, organization, key, secret, false).await?;
        if let Some(key) = &made {
            audit::detail("id", key.id.into());
        }
        write.commit_if(made.is_some()).await?;
        Ok(made)
    }

    /// Makes `secret` the organization's bootstrap key, of the scope operator and without an end, and ends the one before
    /// it. False: it is a key of another organization, and stays that; the one before has ended all the same.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn set_bootstrap_key(
        &self,
        organization: OrganizationId,
        secret: &SecretString,
    ) -> Result<bool, StoreError> {
        if self.is_bootstrap(organization, secret).await? {
            return Ok(true);
        }
        let mut write = self.write().await?;
        sqlx::query(
            "delete from api_key where organization_id = $1 and key_hash <> $3 and (is_bootstrap = 1 or name = $2)",
        )
        .bind(organization.0)
        .bind(BOOTSTRAP)
        .bind(hash_of(secret))
        .execute(&mut *write.tx)
        .await?;
        // A key that was made here may be taken for it; it then may do more than before.
        let taken = sqlx::query(
            "update api_key set is_bootstrap = 1, scope = $3, expires_at = null
             where organization_id = $1 and key_hash = $2",
        )
        .bind(organization.0)
        .bind(hash_of(secret))
        .bind(KeyScope::Operator.as_str())
        .execute(&mut *write.tx)
        .await?;
        let mut is_set = taken.rows_affected() == 1;
        if !is_set {
            let key = NewApiKey {
                name: BOOTSTRAP.to_owned(),
                scope: KeyScope::Operator,
                expires_at: None,
                prefix: String::new(),
            };
            is_set = insert(&mut write, organization, &key, secret, true).await?.is_some();
        }
        let change = Change {
            action: "set the bootstrap key",
            target: BOOTSTRAP,
            customer: None,
            detail: json!({ "is_set": is_set }),
        };
        write.note(Some(organization), &change).await?;
        write.commit().await?;
        // Of processes that start at once, one sets it; it is the others' key too.
        Ok(is_set || self.is_bootstrap(organization, secret).await?)
    }

    async fn is_bootstrap(
        &self,
        organization: OrganizationId,
        secret: &SecretString,
    ) -> Result<bool, StoreError> {
        let known = self.find_api_key(secret).await?;
        Ok(known.is_some_and(|key| key.organization == organization && key.is_bootstrap))
    }

    /// The API key that this text is, also one that has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_api_key(&self, secret: &SecretString) -> Result<Option<ApiKey>, StoreError> {
        let found = sqlx::query(sql(format!("select {KEY} from api_key where key_hash = $1")))
            .bind(hash_of(secret))
            .fetch_optional(&self.pool)
            .await?;
        found.as_ref().map(ApiKey::of).transpose()
    }

    /// An API key of the organization.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_key(&self, organization: OrganizationId, id: i64) -> Result<Option<ApiKey>, StoreError> {
        let found =
            sqlx::query(sql(format!("select {KEY} from api_key where id = $1 and organization_id = $2")))
                .bind(id)
                .bind(organization.0)
                .fetch_optional(&self.pool)
                .await?;
        found.as_ref().map(ApiKey::of).transpose()
    }

    /// Whether an API key of the organization is there and has not ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_key_is_live(&self, organization: OrganizationId, id: i64) -> Result<bool, StoreError> {
        let key = self.api_key(organization, id).await?;
        Ok(key.is_some_and(|key| !key.has_ended(self.clock.now_ms())))
    }

    /// Up to `limit` API keys of the organization with an id above `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_keys(
        &self,
        organization: OrganizationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let statement =
            format!("select {KEY} from api_key where organization_id = $1 and id > $2 order by id limit $3");
        self.page(statement, organization, after, limit, ApiKey::of).await
    }

    /// How many API keys the organization has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_api_keys(&self, organization: OrganizationId) -> Result<i64, StoreError> {
        let count = sqlx::query_scalar("select count(*) from api_key where organization_id = $1");
        Ok(count.bind(organization.0).fetch_one(&self.pool).await?)
    }

    /// Notes that the key is used now, to the minute.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_key_use(&self, key: &ApiKey) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let noted_until = now.saturating_sub(millis(USE_NOTED_EVERY));
        if key.last_used_at.is_some_and(|last| last > noted_until) {
            return Ok(());
        }
        let mut write = self.write_quietly().await?;
        sqlx::query(
            "update api_key set last_used_at = $3
             where id = $1 and organization_id = $2 and (last_used_at is null or last_used_at <= $4)",
        )
        .bind(key.id)
        .bind(key.organization.0)
        .bind(now)
        .bind(noted_until)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// Revokes an API key; access tokens that were made with it end too. False: the organization has none of this id that
    /// can be revoked: the bootstrap key ends when another takes its place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn revoke_api_key(&self, organization: OrganizationId, id: i64) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let revoked =
            sqlx::query("delete from api_key where id = $1 and organization_id = $2 and is_bootstrap = 0")
                .bind(id)
                .bind(organization.0)
                .execute(&mut *write.tx)
                .await?;
        write.commit().await?;
        Ok(revoked.rows_affected() == 1)
    }
}

async fn insert(
    write: &mut Write,
    organization: OrganizationId,
    key: &NewApiKey,
    secret: &SecretString,
    is_bootstrap: bool,
) -> Result<Option<ApiKey>, StoreError> {
    let made = sqlx::query(sql(format!(
        "insert into api_key (organization_id, name, key_hash, prefix, scope, is_bootstrap, expires_at, created_at)
         values ($1, $2, $3, $4, $5, $6, cast($7 as bigint), $8) on conflict do nothing returning {KEY}"
    )))
    .bind(organization.0)
    .bind(&key.name)
    .bind(hash_of(secret))
    .bind(&key.prefix)
    .bind(key.scope.as_str())
    .bind(i64::from(is_bootstrap))
    .bind(key.expires_at)
    .bind(write.now)
    .fetch_optional(&mut *write.tx)
    .await?;
    made.as_ref().map(ApiKey::of).transpose()
}
