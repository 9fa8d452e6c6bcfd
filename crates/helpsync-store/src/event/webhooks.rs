//! Webhooks: the addresses that an organization's events are sent to.

use std::time::Duration;

use helpsync_model::{OrganizationId, WebhookId, WebhookStatus, without_query};
use secrecy::SecretString;
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::audit;
use crate::db::decode::millis;
use crate::db::{Dialect, Entity, StoreError, WebhookStore, decode, sql};

/// An address that is told of every event of its organization.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Whose.
    pub organization: OrganizationId,
    /// Where events go.
    pub url: String,
    /// Whether it answers.
    pub status: WebhookStatus,
    /// Why it is flagged.
    pub status_reason: Option<String>,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// What came of adding a webhook.
#[derive(Debug)]
pub enum WebhookAdded {
    /// It is there; events written from now on are sent to it.
    Added(Box<Webhook>),
    /// The organization has this address already.
    Known,
    /// The organization has as many as it may have.
    Full,
}

/// What came of giving a webhook another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRotated {
    /// It has the new key. The key of before signs too until then, in ms.
    Until(i64),
    /// Two keys of before sign still, the first of them until then, in ms. Nothing was changed.
    TooSoon(i64),
}

/// Which webhooks to list.
#[derive(Debug, Clone)]
pub struct WebhookQuery {
    /// Whose.
    pub organization: OrganizationId,
    /// These only.
    pub ids: Option<Vec<i64>>,
    /// Only ids above this.
    pub starting_id: i64,
    /// By age instead of by the last change.
    pub by_created_at: bool,
    /// Newest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// Where a webhook's key opens: beside its own address only.
pub(crate) fn place(organization: OrganizationId, url: &str) -> String {
    format!("webhook/{organization}/{url}")
}

/// What [`webhook_of`] reads.
const WEBHOOK: &str = "id, organization_id, url, status, status_reason, created_at, updated_at";

fn webhook_of(row: &AnyRow) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: WebhookId(row.try_get("id")?),
        organization: OrganizationId(row.try_get("organization_id")?),
        url: row.try_get("url")?,
        status: decode::named(row, "webhook", "status")?,
        status_reason: row.try_get("status_reason")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl WebhookStore {
    /// Adds a webhook, unless the organization has it or has `most` already. The key is stored sealed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_webhook(
        &self,
        organization: OrganizationId,
        url: &str,
        signing_key: &SecretString,
        most: usize,
    ) -> Result<WebhookAdded, StoreError> {
        let sealed = self.vault.seal(&place(organization, url), signing_key)?;
        let mut write = self.write().await?;
        let now = write.now;
        // The organization's row is the turnstile: two callers cannot both take the last place.
        write.lock_organization(organization).await?;
        if write.dialect == Dialect::Postgres {
            // Whoever is writing an announcement has found that nobody is to be told; whoever writes one later finds this webhook.
            sqlx::query("lock table event in share mode").execute(&mut *write.tx).await?;
        }
        let (known, same): (i64, i64) = sqlx::query_as(
            "select count(*), cast(coalesce(sum(case when url = $2 then 1 else 0 end), 0) as bigint)
             from webhook where organization_id = $1 and deleted_at is null",
        )
        .bind(organization.0)
        .bind(url)
        .fetch_one(&mut *write.tx)
        .await?;
        if same > 0 {
            return Ok(WebhookAdded::Known);
        }
        if usize::try_from(known).unwrap_or(usize::MAX) >= most {
            return Ok(WebhookAdded::Full);
        }
        let row = sqlx::query(sql(format!(
            "insert into webhook (organization_id, url, signing_key_sealed, status, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $5) returning {WEBHOOK}"
        )))
        .bind(organization.0)
        .bind(url)
        .bind(sealed)
        .bind(WebhookStatus::Active.as_str())
        .bind(now)
        .fetch_one(&mut *write.tx)
        .await?;
        let added = webhook_of(&row)?;
        write.commit().await?;
        Ok(WebhookAdded::Added(Box::new(added)))
    }

    /// One webhook of an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn webhook(&self, organization: OrganizationId, id: WebhookId) -> Result<Webhook, StoreError> {
        let row = sqlx::query(sql(format!(
            "select {WEBHOOK} from webhook where id = $1 and organization_id = $2 and deleted_at is null"
        )))
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&self.pool)
        .await?;
        webhook_of(&row.ok_or(StoreError::NotFound(Entity::Webhook))?)
    }

    /// A page of webhooks, and how many match before paging.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn webhooks(&self, query: &WebhookQuery) -> Result<(Vec<Webhook>, i64), StoreError> {
        let matching = format!(
            "where organization_id = $1 and deleted_at is null and id > $2 and ($3 is null or id in {})",
            self.dialect.json_integers("coalesce($3, '[]')")
        );
        let order = if query.by_created_at { "created_at" } else { "updated_at" };
        let direction = if query.descending { "desc" } else { "asc" };
        let ids = query.ids.as_ref().map(|ids| json!(ids).to_string());
        let found = sqlx::query(sql(format!(
            "select {WEBHOOK} from webhook {matching} order by {order} {direction}, id {direction} limit $4 offset $5"
        )))
        .bind(query.organization.0)
        .bind(query.starting_id)
        .bind(ids.clone())
        .bind(query.limit)
        .bind(query.offset)
        .fetch_all(&self.pool)
        .await?;
        let count = sqlx::query_scalar(sql(format!("select count(*) from webhook {matching}")))
            .bind(query.organization.0)
            .bind(query.starting_id)
            .bind(ids)
            .fetch_one(&self.pool)
            .await?;
        Ok((found.iter().map(webhook_of).collect::<Result<_, _>>()?, count))
    }

    /// Gives a webhook another key. The one of before signs too, for `overlap`, and one from before that until its own time:
    /// a receiver may know either alone, be it that the answer with the latest was lost. Without an overlap all of them end now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn rotate_signing_key(
        &self,
        organization: OrganizationId,
        id: WebhookId,
        signing_key: &SecretString,
        overlap: Duration,
    ) -> Result<KeyRotated, StoreError> {
        let mut write = self.write().await?;
        let until = write.now.saturating_add(millis(overlap));
        let found: Option<(String, Option<i64>, Option<i64>)> = sqlx::query_as(sql(format!(
            "select url, previous_key_until, older_key_until from webhook
             where id = $1 and organization_id = $2 and deleted_at is null{}",
            self.dialect.for_update()
        )))
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&mut *write.tx)
        .await?;
        let (url, previous, older) = found.ok_or(StoreError::NotFound(Entity::Webhook))?;
        let signs = |until: Option<i64>| until.filter(|until| *until > write.now);
        let keeps = !overlap.is_zero();
        if let (true, Some(previous), Some(older)) = (keeps, signs(previous), signs(older)) {
            return Ok(KeyRotated::TooSoon(previous.min(older)));
        }
        // Of the two the one whose time is over goes; both are in the places that they had, unless that is the previous one.
        let moves = keeps && signs(previous).is_some();
        let stays = keeps && !moves && signs(older).is_some();
        sqlx::query(
            "update webhook set
               older_key_sealed = case when $7 = 1 then previous_key_sealed when $8 = 1 then older_key_sealed end,
               older_key_until = case when $7 = 1 then previous_key_until when $8 = 1 then older_key_until end,
               previous_key_sealed = case when $3 = 1 then signing_key_sealed end,
               previous_key_until = case when $3 = 1 then cast($4 as bigint) end, signing_key_sealed = $5, updated_at = $6
             where id = $1 and organization_id = $2",
        )
        .bind(id.0)
        .bind(organization.0)
        .bind(i64::from(keeps))
        .bind(until)
        .bind(self.vault.seal(&place(organization, &url), signing_key)?)
        .bind(write.now)
        .bind(i64::from(moves))
        .bind(i64::from(stays))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(KeyRotated::Until(until))
    }

    /// Ends a webhook: its key is forgotten at once and nothing more is sent; its deliveries are pruned by and by.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn delete_webhook(
        &self,
        organization: OrganizationId,
        id: WebhookId,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let deleted: Option<String> = sqlx::query_scalar(
            "update webhook set deleted_at = $3, updated_at = $3, signing_key_sealed = null,
               previous_key_sealed = null, previous_key_until = null, older_key_sealed = null, older_key_until = null
             where id = $1 and organization_id = $2 and deleted_at is null returning url",
        )
        .bind(id.0)
        .bind(organization.0)
        .bind(now)
        .fetch_optional(&mut *write.tx)
        .await?;
        let url = deleted.ok_or(StoreError::NotFound(Entity::Webhook))?;
        audit::detail("url", without_query(&url).into());
        write.commit().await
    }
}
