//! A connection's tokens: sealed at rest, replaced by compare-and-set, refreshed by one process at a time.

use std::time::Duration;

use helpsync_model::{
    ConnectionEvent, ConnectionId, ConnectionState, CustomerId, DataSourceStatus, EventKind, OrganizationId,
};
use secrecy::SecretString;
use serde_json::json;
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::family::follow;
use crate::db::states::{ACTIVE_CONNECTION, Step};
use crate::db::{Entity, StoreError, TokenStore, Vault, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::runs::cancel_active;

/// The tokens in use.
#[derive(Debug, Clone)]
pub struct ConnectionTokens {
    /// Sent to the workspace's own host only.
    pub access: SecretString,
    /// Absent for clients of the old kind.
    pub refresh: Option<SecretString>,
    /// When the access token ends, in ms; `None` = it does not say, and may last for ever.
    pub expires_at: Option<i64>,
    /// The OAuth client that they were granted to; `None`: they came from elsewhere.
    pub client_id: Option<String>,
    /// Moves with every change of the pair.
    pub version: i64,
}

/// A token answer to be stored.
#[derive(Debug, Clone)]
pub struct NewTokens {
    /// The access token.
    pub access: SecretString,
    /// The refresh token, if one came.
    pub refresh: Option<SecretString>,
    /// When the access token ends, in ms.
    pub expires_at: Option<i64>,
    /// When the refresh token ends, in ms.
    pub refresh_expires_at: Option<i64>,
}

pub(crate) fn place(connection: ConnectionId, which: &str) -> String {
    format!("connection/{connection}/{which}")
}

/// Stores `tokens` as a connection's first or new grant: a refresh token that did not come is forgotten.
pub(crate) async fn seal_into(
    write: &mut Write,
    vault: &Vault,
    connection: ConnectionId,
    tokens: &NewTokens,
) -> Result<(), StoreError> {
    let refresh = seal_refresh(vault, connection, tokens)?;
    sqlx::query(
        "update connection set access_token_sealed = $2, refresh_token_sealed = $3, token_expires_at = $4,
           refresh_expires_at = $5, token_version = token_version + 1, refresh_lease_until = null, updated_at = $6 where id = $1",
    )
    .bind(connection.0)
    .bind(vault.seal(&place(connection, "access"), &tokens.access)?)
    .bind(refresh)
    .bind(tokens.expires_at)
    .bind(tokens.refresh_expires_at)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

fn seal_refresh(
    vault: &Vault,
    connection: ConnectionId,
    tokens: &NewTokens,
) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(tokens.refresh.as_ref().map(|token| vault.seal(&place(connection, "refresh"), token)).transpose()?)
}

impl TokenStore {
    /// The tokens of a connection; `None` if it holds none (disconnected).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Sealed`] or [`StoreError::Unavailable`].
    pub async fn tokens(&self, connection: ConnectionId) -> Result<Option<ConnectionTokens>, StoreError> {
        let row = sqlx::query(
            "select access_token_sealed, refresh_token_sealed, token_expires_at, token_version,
               oauth_client_id from connection where id = $1",
        )
        .bind(connection.0)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound(Entity::Connection))?;
        let open = |column: &str, which: &str| -> Result<Option<SecretString>, StoreError> {
            let sealed: Option<Vec<u8>> = row.try_get(column)?;
            Ok(sealed.map(|sealed| self.vault.open(&place(connection, which), &sealed)).transpose()?)
        };
        let Some(access) = open("access_token_sealed", "access")? else { return Ok(None) };
        Ok(Some(ConnectionTokens {
            access,
            refresh: open("refresh_token_sealed", "refresh")?,
            expires_at: row.try_get("token_expires_at")?,
            client_id: row.try_get("oauth_client_id")?,
            version: row.try_get("token_version")?,
        }))
    }

    /// Takes the right to refresh for `lease`, if nobody else holds it and the pair is still `version`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_refresh(
        &self,
        connection: ConnectionId,
        version: i64,
        holder: &str,
        lease: Duration,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let claimed = sqlx::query(
            "update connection set refresh_holder = $3, refresh_lease_until = $4
             where id = $1 and token_version = $2 
               and (refresh_lease_until is null or refresh_lease_until <= $5)",
        )
        .bind(connection.0)
        .bind(version)
        .bind(holder)
        .bind(now.saturating_add(millis(lease)))
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Gives the right to refresh back, if `holder` still has it, after a refresh that changed nothing.
    ///
    /// # Errors
    /// [`StoreError`]; it then runs out.
    pub async fn end_refresh(&self, connection: ConnectionId, holder: &str) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query("update connection set refresh_lease_until = null where id = $1 and refresh_holder = $2")
            .bind(connection.0)
            .bind(holder)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// Stores a refreshed pair if the stored one is still `version`, and gives the right to refresh back.
    /// An answer without a refresh token keeps the stored one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn store_refreshed(
        &self,
        connection: ConnectionId,
        version: i64,
        tokens: &NewTokens,
    ) -> Result<bool, StoreError> {
        let refresh = seal_refresh(&self.vault, connection, tokens)?;
        let mut write = self.write().await?;
        let stored = sqlx::query(sql(format!("update connection set access_token_sealed = $3, refresh_token_sealed = coalesce($4, refresh_token_sealed),
               token_expires_at = $5, refresh_expires_at = coalesce($6, refresh_expires_at),
               token_version = token_version + 1, refresh_lease_until = null, updated_at = $7
             where id = $1 and token_version = $2 and state = {ACTIVE_CONNECTION}")))
        .bind(connection.0)
        .bind(version)
        .bind(self.vault.seal(&place(connection, "access"), &tokens.access)?)
        .bind(refresh)
        .bind(tokens.expires_at)
        .bind(tokens.refresh_expires_at)
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(stored.rows_affected() == 1)
    }

    /// Stops a connection whose grant is dead: its runs are cancelled, its files stay, a reconnect resumes it. Announced
    /// as `REVOKE`, the word for access that ended; reconnecting is announced as `ADD`.
    /// Does nothing when the pair has changed since `version`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pause(
        &self,
        connection: ConnectionId,
        version: i64,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let Step { from, to } = Step::of::<ConnectionState>(ConnectionEvent::TokensRefused);
        let paused = sqlx::query(sql(format!(
            "update connection set state = {to}, pause_reason = $3, sync_status = $4, epoch = epoch + 1,
               last_synced_at = $5, updated_at = $5
             where id = $1 and token_version = $2 and state in {from}"
        )))
        .bind(connection.0)
        .bind(version)
        .bind(reason)
        .bind(DataSourceStatus::Error.as_str())
        .bind(now)
        .execute(&mut *write.tx)
        .await?
        .rows_affected()
            == 1;
        if paused {
            follow(&mut write, connection).await?;
            cancel_active(&mut write, connection, reason).await?;
            let row = sqlx::query("select organization_id, customer_id from connection where id = $1")
                .bind(connection.0)
                .fetch_one(&mut *write.tx)
                .await?;
            let event = NewEvent {
                organization: OrganizationId(row.try_get("organization_id")?),
                customer: CustomerId(row.try_get("customer_id")?),
                connection,
                kind: EventKind::Revoke,
                object_type: "DATA_SOURCE",
                object_id: connection.to_string(),
                detail: json!({ "state": ConnectionState::Paused.as_str(), "reason": reason }),
            };
            events::record(&mut write, event).await?;
        }
        write.commit().await?;
        Ok(paused)
    }
}
