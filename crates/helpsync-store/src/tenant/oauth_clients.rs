//! OAuth clients that organizations registered with Zendesk for themselves.

use helpsync_model::OrganizationId;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sqlx::{AnyConnection, Row};

use crate::db::audit;
use crate::db::vault::Vault;
use crate::db::write::Write;
use crate::db::{AdminStore, StoreError, TokenStore, sql};

/// Clients of one organization that are listed at most.
const LISTED_MAX: i64 = 1_000;

/// An OAuth client that an organization registered with Zendesk.
#[derive(Debug, Clone)]
pub struct OauthClient {
    /// The unique identifier.
    pub client_id: String,
    /// The secret; absent for those who bring tokens of their own only.
    pub client_secret: Option<SecretString>,
    /// The address registered with it, for example `https://sync.example.com/integrations/zendesk`.
    pub redirect_uri: String,
}

impl PartialEq for OauthClient {
    fn eq(&self, other: &Self) -> bool {
        let secret = |client: &Self| client.client_secret.as_ref().map(|it| it.expose_secret().to_owned());
        self.client_id == other.client_id
            && self.redirect_uri == other.redirect_uri
            && secret(self) == secret(other)
    }
}

pub(crate) fn place(organization: OrganizationId, client_id: &str) -> String {
    format!("oauth_client/{organization}/{client_id}")
}

/// An OAuth client as it is listed: the secret stays sealed.
#[derive(Debug, Clone)]
pub struct StoredOauthClient {
    /// Its id.
    pub id: i64,
    /// The unique identifier.
    pub client_id: String,
    /// The address registered with it.
    pub redirect_uri: String,
    /// Whether a secret is kept.
    pub has_secret: bool,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

impl AdminStore {
    /// Stores OAuth clients of the organization's own, all or none; one with the same identifier is replaced. The client with
    /// a secret that was stored last is the one that new grants are asked for with: those that are stored as they are, with
    /// that one in front, change nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_oauth_clients(
        &self,
        organization: OrganizationId,
        clients: &[OauthClient],
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        write.lock_organization(organization).await?;
        self.store(write, organization, clients).await
    }

    /// Stores an OAuth client of the organization's own anew, with the secret of before where it has none now. `false`: there
    /// is none of this identifier.
    ///
    /// # Errors
    /// As [`TokenStore::oauth_client`].
    pub async fn update_oauth_client(
        &self,
        organization: OrganizationId,
        mut client: OauthClient,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        write.lock_organization(organization).await?;
        let known = find(&mut write.tx, &self.vault, organization, Some(&client.client_id)).await?;
        let Some(known) = known else { return Ok(false) };
        client.client_secret = client.client_secret.or(known.client_secret);
        self.store(write, organization, &[client]).await?;
        Ok(true)
    }

    async fn store(
        &self,
        mut write: Write,
        organization: OrganizationId,
        clients: &[OauthClient],
    ) -> Result<(), StoreError> {
        if are_stored(&mut write.tx, &self.vault, organization, clients).await {
            return Ok(());
        }
        let last: Option<i64> =
            sqlx::query_scalar("select max(updated_at) from oauth_client where organization_id = $1")
                .bind(organization.0)
                .fetch_one(&mut *write.tx)
                .await?;
        // What is stored later has a later time, whatever the clock says, for the last one is the one in front.
        let times = last.map_or(write.now, |last| write.now.max(last + 1))..;
        for (client, time) in clients.iter().zip(times) {
            let place = place(organization, &client.client_id);
            let sealed =
                client.client_secret.as_ref().map(|secret| self.vault.seal(&place, secret)).transpose()?;
            sqlx::query(
                "insert into oauth_client (organization_id, client_id, client_secret_sealed, redirect_uri, created_at,
                   updated_at) values ($1, $2, $3, $4, $5, $5)
                 on conflict (organization_id, client_id) do update set client_secret_sealed = excluded.client_secret_sealed,
                   redirect_uri = excluded.redirect_uri, updated_at = excluded.updated_at",
            )
            .bind(organization.0)
            .bind(&client.client_id)
            .bind(sealed)
            .bind(&client.redirect_uri)
            .bind(time)
            .execute(&mut *write.tx)
            .await?;
        }
        write.commit().await
    }
}

/// Whether each of these is stored as it is, and the one in front that would be. A secret that no key opens any more is stored
/// anew.
async fn are_stored(
    connection: &mut AnyConnection,
    vault: &Vault,
    organization: OrganizationId,
    clients: &[OauthClient],
) -> bool {
    for client in clients {
        let stored = find(connection, vault, organization, Some(&client.client_id)).await;
        if stored.ok().flatten().as_ref() != Some(client) {
            return false;
        }
    }
    let Some(in_front) = clients.iter().rfind(|client| client.client_secret.is_some()) else { return true };
    find(connection, vault, organization, None).await.ok().flatten().as_ref() == Some(in_front)
}

/// One OAuth client of the organization's: the named one, or the one in front.
async fn find(
    connection: &mut AnyConnection,
    vault: &Vault,
    organization: OrganizationId,
    client_id: Option<&str>,
) -> Result<Option<OauthClient>, StoreError> {
    let Some(row) = sqlx::query(
        "select client_id, client_secret_sealed, redirect_uri from oauth_client where organization_id = $1
           and ($2 is null or client_id = $2)
         order by case when client_secret_sealed is null then 1 else 0 end, updated_at desc, id desc limit 1",
    )
    .bind(organization.0)
    .bind(client_id)
    .fetch_optional(connection)
    .await?
    else {
        return Ok(None);
    };
    let client_id: String = row.try_get("client_id")?;
    let sealed: Option<Vec<u8>> = row.try_get("client_secret_sealed")?;
    let place = place(organization, &client_id);
    let client_secret = sealed.map(|sealed| vault.open(&place, &sealed)).transpose()?;
    Ok(Some(OauthClient { client_id, client_secret, redirect_uri: row.try_get("redirect_uri")? }))
}

impl TokenStore {
    /// The organization's own OAuth client, if it has one: the one with a secret that was stored last, for without one
    /// nothing is granted.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Sealed`] when the key that sealed its secret is gone from the ring.
    pub async fn oauth_client(
        &self,
        organization: OrganizationId,
    ) -> Result<Option<OauthClient>, StoreError> {
        find(&mut *self.pool.acquire().await?, &self.vault, organization, None).await
    }

    /// The organization's own OAuth client of this identifier. What was granted to one client is not another's to
    /// exchange or to refresh, so this is the one to do that with.
    ///
    /// # Errors
    /// As [`TokenStore::oauth_client`].
    pub async fn oauth_client_named(
        &self,
        organization: OrganizationId,
        client_id: &str,
    ) -> Result<Option<OauthClient>, StoreError> {
        find(&mut *self.pool.acquire().await?, &self.vault, organization, Some(client_id)).await
    }
}

impl AdminStore {
    /// Every OAuth client of the organization, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oauth_clients(
        &self,
        organization: OrganizationId,
    ) -> Result<Vec<StoredOauthClient>, StoreError> {
        sqlx::query(
            "select id, client_id, redirect_uri, case when client_secret_sealed is null then 0 else 1 end as has_secret,
               created_at, updated_at from oauth_client where organization_id = $1 order by id limit $2",
        )
        .bind(organization.0)
        .bind(LISTED_MAX)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(StoredOauthClient {
                id: row.try_get("id")?,
                client_id: row.try_get("client_id")?,
                redirect_uri: row.try_get("redirect_uri")?,
                has_secret: i64::from(row.try_get::<i32, _>("has_secret")?) != 0,
                created_at: row.try_get("created_at")?,
                updated_at: row.try_get("updated_at")?,
            })
        })
        .collect()
    }

    /// Forgets OAuth clients of the organization. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete_oauth_clients(
        &self,
        organization: OrganizationId,
        ids: &[i64],
    ) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let deleted: Vec<String> = sqlx::query_scalar(sql(format!(
            "delete from oauth_client where organization_id = $1 and id in {} returning client_id",
            self.dialect.json_integers("$2")
        )))
        .bind(organization.0)
        .bind(json!(ids).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
        audit::detail("client_ids", json!(deleted));
        write.commit_if(!deleted.is_empty()).await?;
        Ok(deleted.len() as u64)
    }
}
