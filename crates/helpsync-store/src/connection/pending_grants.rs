//! OAuth grants that are asked for: a `state` that works once, for whoever began it.

use std::time::Duration;

use helpsync_model::{CustomerId, GrantBegunBy, OrganizationId};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::millis;
use crate::db::states::BEGUN_BY_PAGE;
use crate::db::{AdminStore, StoreError, decode, sql};

/// Forgotten states that one call clears away.
const PRUNED_PER_CALL: i64 = 100;
/// Ended states are kept this long, so that a replay can be told from a forgery.
const ENDED_KEPT_MS: i64 = 24 * 3_600_000;
/// Grants of one customer that are remembered, ended ones included: whoever asks for more forgets his oldest.
const KEPT_OF_CUSTOMER: i64 = 200;

/// What is read of a grant.
const GRANT: &str =
    "organization_id, customer_id, subdomain, client_id, redirect_uri, verifier_sealed, sync_options, tags,
  scopes, return_url, begun_by, api_key_id,
  (select external_id from customer where customer.id = oauth_state.customer_id) as customer_external_id";

/// A grant that somebody is being asked for.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// What the organization calls the customer; read with a grant, not written with it.
    pub customer_external_id: String,
    /// For which workspace.
    pub subdomain: String,
    /// With which OAuth client.
    pub client_id: String,
    /// Where Zendesk sends the browser back to.
    pub redirect_uri: String,
    /// The PKCE verifier.
    pub verifier: SecretString,
    /// What the request asked for, kept for the sync that follows.
    pub sync_options: Value,
    /// Tags of the data source.
    pub tags: Value,
    /// What to ask Zendesk for.
    pub scopes: Vec<String>,
    /// Where the person goes back to in the end.
    pub return_url: Option<String>,
    /// Who began it. `None`: made by the version before, whose URL led to Zendesk at once.
    pub begun_by: Option<GrantBegunBy>,
    /// The API key that it was asked for with, or whose token: it does not outlive that. `None`: made by the version before.
    pub api_key: Option<i64>,
}

/// What a `state` turned out to be.
#[derive(Debug)]
pub enum Consumed {
    /// Good: what was asked for.
    Pending(Box<NewGrant>),
    /// Too late.
    Expired(PastGrant),
    /// Used before.
    Replayed(PastGrant),
    /// Never ours.
    Unknown,
}

/// What is still to be told of a grant that is good for nothing any more.
#[derive(Debug)]
pub struct PastGrant {
    /// Whose page it was begun on.
    pub organization: OrganizationId,
    /// Where the person came from.
    pub return_url: Option<String>,
}

fn state_hash(state: &SecretString) -> String {
    hex::encode(Sha256::digest(state.expose_secret()))
}

/// Where a verifier opens.
pub(crate) fn place(state_hash: &str) -> String {
    format!("oauth_state/{state_hash}")
}

impl AdminStore {
    /// Remembers a grant that is about to be asked for, for `life`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_pending_grant(
        &self,
        state: &SecretString,
        grant: &NewGrant,
        life: Duration,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let hash = state_hash(state);
        let verifier = self.vault.seal(&place(&hash), &grant.verifier)?;
        let mut write = self.write().await?;
        sqlx::query(
            "delete from oauth_state where state_hash in
               (select state_hash from oauth_state where expires_at < $1 order by expires_at limit $2)",
        )
        .bind(now - ENDED_KEPT_MS)
        .bind(PRUNED_PER_CALL)
        .execute(&mut *write.tx)
        .await?;
        sqlx::query(
            "insert into oauth_state (state_hash, organization_id, customer_id, subdomain, client_id, redirect_uri,
               verifier_sealed, sync_options, tags, created_at, expires_at, scopes, return_url, begun_by, api_key_id)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        )
        .bind(&hash)
        .bind(grant.organization.0)
        .bind(grant.customer.0)
        .bind(&grant.subdomain)
        .bind(&grant.client_id)
        .bind(&grant.redirect_uri)
        .bind(verifier)
        .bind(grant.sync_options.to_string())
        .bind(grant.tags.to_string())
        .bind(now)
        .bind(now.saturating_add(millis(life)))
        .bind(grant.scopes.join(" "))
        .bind(&grant.return_url)
        .bind(grant.begun_by.map(GrantBegunBy::as_str))
        .bind(grant.api_key)
        .execute(&mut *write.tx)
        .await?;
        sqlx::query(
            "delete from oauth_state where state_hash in
               (select state_hash from oauth_state where customer_id = $1 order by created_at desc, state_hash
                limit $2 offset $3)",
        )
        .bind(grant.customer.0)
        .bind(PRUNED_PER_CALL)
        .bind(KEPT_OF_CUSTOMER)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    /// What a `state` stands for, which stays as it is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pending_grant(&self, state: &SecretString) -> Result<Consumed, StoreError> {
        let hash = state_hash(state);
        let row = sqlx::query(sql(format!(
            "select {GRANT}, consumed_at, expires_at from oauth_state where state_hash = $1"
        )))
        .bind(&hash)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(Consumed::Unknown) };
        let past = PastGrant {
            organization: OrganizationId(row.try_get("organization_id")?),
            return_url: row.try_get("return_url")?,
        };
        if row.try_get::<Option<i64>, _>("consumed_at")?.is_some() {
            return Ok(Consumed::Replayed(past));
        }
        if row.try_get::<i64, _>("expires_at")? <= self.clock.now_ms() {
            return Ok(Consumed::Expired(past));
        }
        let grant = self.grant_of(&row, &hash)?;
        if let Some(key) = grant.api_key
            && !self.api_key_is_live(grant.organization, key).await?
        {
            return Ok(Consumed::Expired(past));
        }
        Ok(Consumed::Pending(Box::new(grant)))
    }

    /// Notes who begins a grant. A page takes over what a program has begun: links are followed by programs that look
    /// ahead of people. False: it has ended, a page has begun what a program now wants to, or
    /// it is of the version before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_grant(&self, state: &SecretString, by: GrantBegunBy) -> Result<bool, StoreError> {
        // Nothing is changed yet that the audit log tells of.
        let mut write = self.write_quietly().await?;
        let begun = sqlx::query(sql(format!(
            "update oauth_state set begun_by = $2 where state_hash = $1 and consumed_at is null and expires_at > $3
               and begun_by is not null and ($2 = {BEGUN_BY_PAGE} or begun_by <> {BEGUN_BY_PAGE})"
        )))
        .bind(state_hash(state))
        .bind(by.as_str())
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(begun.rows_affected() == 1)
    }

    fn grant_of(&self, row: &AnyRow, hash: &str) -> Result<NewGrant, StoreError> {
        let sealed: Vec<u8> = row.try_get("verifier_sealed")?;
        let scopes: Option<String> = row.try_get("scopes")?;
        Ok(NewGrant {
            organization: OrganizationId(row.try_get("organization_id")?),
            customer: CustomerId(row.try_get("customer_id")?),
            customer_external_id: row.try_get("customer_external_id")?,
            subdomain: row.try_get("subdomain")?,
            client_id: row.try_get("client_id")?,
            redirect_uri: row.try_get("redirect_uri")?,
            verifier: self.vault.open(&place(hash), &sealed)?,
            sync_options: decode::json(row, "oauth_state", "sync_options")?,
            tags: decode::json(row, "oauth_state", "tags")?,
            scopes: scopes.unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
            return_url: row.try_get("return_url")?,
            begun_by: decode::named_if_any(row, "oauth_state", "begun_by")?,
            api_key: row.try_get("api_key_id")?,
        })
    }

    /// Uses a `state` up that was begun so. Of any number of calls with one state, one gets the grant.
    ///
    /// # Errors
    /// [`StoreError`]; the state is then still unused.
    pub async fn consume_grant(
        &self,
        state: &SecretString,
        begun_by: Option<GrantBegunBy>,
    ) -> Result<Consumed, StoreError> {
        let hash = state_hash(state);
        // Anybody may ask, as often as they like: only who knows a state takes a writer's turn.
        match self.pending_grant(state).await? {
            Consumed::Pending(_) => {}
            ended => return Ok(ended),
        }
        // Nothing is connected yet.
        let mut write = self.write_quietly().await?;
        let row = sqlx::query(sql(format!(
            "update oauth_state set consumed_at = $2
             where state_hash = $1 and consumed_at is null and expires_at > $2 and coalesce(begun_by, '') = $3
             returning {GRANT}"
        )))
        .bind(&hash)
        .bind(write.now)
        .bind(begun_by.map_or("", GrantBegunBy::as_str))
        .fetch_optional(&mut *write.tx)
        .await?;
        let Some(row) = row else {
            drop(write);
            // Somebody was faster; or began it in another way meanwhile, and then it is not this caller's.
            return Ok(match self.pending_grant(state).await? {
                Consumed::Pending(_) => Consumed::Unknown,
                ended => ended,
            });
        };
        let grant = self.grant_of(&row, &hash)?;
        write.commit().await?;
        Ok(Consumed::Pending(Box::new(grant)))
    }
}
