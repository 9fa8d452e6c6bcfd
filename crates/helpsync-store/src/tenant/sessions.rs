//! Browsers that are logged in to the dashboard. Of what one holds only its SHA-256 is stored; a session ends with the API
//! key that it was made with.

use std::time::Duration;

use secrecy::SecretString;
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::{AdminStore, StoreError, sql};
use crate::tenant::api_keys::{ApiKey, KEY, hash_of};

/// Sessions of one key. The oldest makes room for another.
pub const SESSIONS_OF_KEY_MAX: i64 = 50;

/// A browser that is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: i64,
    /// What it may do.
    pub key: ApiKey,
    /// When it ends, in ms, unless its key does before.
    pub expires_at: i64,
}

impl AdminStore {
    /// Logs a browser in that holds `secret`, with `key`, for `life`. Sessions that have ended are forgotten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_session(
        &self,
        key: &ApiKey,
        secret: &SecretString,
        life: Duration,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        sqlx::query("delete from dashboard_session where expires_at <= $1")
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        sqlx::query(
            "delete from dashboard_session where api_key_id = $1 and id not in
               (select id from dashboard_session where api_key_id = $1 order by id desc limit $2)",
        )
        .bind(key.id)
        .bind(SESSIONS_OF_KEY_MAX - 1)
        .execute(&mut *write.tx)
        .await?;
        sqlx::query(
            "insert into dashboard_session (api_key_id, secret_hash, created_at, expires_at) values ($1, $2, $3, $4)",
        )
        .bind(key.id)
        .bind(hash_of(secret))
        .bind(now)
        .bind(now.saturating_add(millis(life)))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// The session of the browser that holds `secret`, unless it or its key has ended.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn session(&self, secret: &SecretString) -> Result<Option<Session>, StoreError> {
        let now = self.clock.now_ms();
        let found = sqlx::query(sql(format!(
            "select {KEY}, session_id, session_expires_at from api_key join
               (select id as session_id, api_key_id, expires_at as session_expires_at from dashboard_session
                where secret_hash = $1 and expires_at > $2) as session on session.api_key_id = api_key.id"
        )))
        .bind(hash_of(secret))
        .bind(now)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = found else { return Ok(None) };
        let session = Session {
            id: row.try_get("session_id")?,
            key: ApiKey::of(&row)?,
            expires_at: row.try_get("session_expires_at")?,
        };
        Ok((!session.key.has_ended(now)).then_some(session))
    }

    /// Ends the session of the browser that holds `secret`, and with `everywhere` every session of its key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_session(&self, secret: &SecretString, everywhere: bool) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let statement = if everywhere {
            "delete from dashboard_session where api_key_id in
               (select api_key_id from dashboard_session where secret_hash = $1)"
        } else {
            "delete from dashboard_session where secret_hash = $1"
        };
        sqlx::query(statement).bind(hash_of(secret)).execute(&mut *write.tx).await?;
        write.commit().await
    }
}
