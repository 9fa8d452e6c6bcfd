//! What an organization's pages show and allow.

use helpsync_model::OrganizationId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;

use crate::db::{AdminStore, Entity, StoreError, decode, sql};

/// What an organization's pages show and allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Branding {
    /// What people call it; `None`: as the organization is called.
    pub display_name: Option<String>,
    /// An image, as a `data:` URL.
    pub logo: Option<String>,
    /// `#rrggbb`.
    pub color: Option<String>,
    /// Whom people turn to: an address or a sentence.
    pub contact: Option<String>,
    /// Addresses that a page may lead back to, and all below them.
    pub return_urls: Vec<String>,
    /// Workspaces that customers may connect; all if none is named.
    pub subdomains: Vec<String>,
}

impl Branding {
    /// Whether customers may connect this workspace.
    #[must_use]
    pub fn allows(&self, subdomain: &str) -> bool {
        self.subdomains.is_empty() || self.subdomains.iter().any(|allowed| allowed == subdomain)
    }
}

impl AdminStore {
    /// The organization's name, and what its pages show and allow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn branding(&self, organization: OrganizationId) -> Result<(String, Branding), StoreError> {
        let row = sqlx::query("select id, name, branding from organization where id = $1")
            .bind(organization.0)
            .fetch_optional(&self.pool)
            .await?
            .ok_or(StoreError::NotFound(Entity::Organization))?;
        Ok((row.try_get("name")?, decode::json(&row, "organization", "branding")?))
    }

    /// Changes what the organization's pages show and allow; who changes something else of it meanwhile waits. Answers the
    /// name and what they show now, or why `change` refuses.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn change_branding<E: Send>(
        &self,
        organization: OrganizationId,
        change: impl FnOnce(Branding) -> Result<Branding, E> + Send,
    ) -> Result<Result<(String, Branding), E>, StoreError> {
        let mut write = self.write().await?;
        let locked = self.dialect.for_update();
        let row =
            sqlx::query(sql(format!("select id, name, branding from organization where id = $1{locked}")))
                .bind(organization.0)
                .fetch_optional(&mut *write.tx)
                .await?
                .ok_or(StoreError::NotFound(Entity::Organization))?;
        let before: Branding = decode::json(&row, "organization", "branding")?;
        let branding = match change(before.clone()) {
            Ok(branding) => branding,
            Err(refused) => return Ok(Err(refused)),
        };
        sqlx::query("update organization set branding = $2, updated_at = $3 where id = $1")
            .bind(organization.0)
            .bind(json!(branding).to_string())
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
        write.commit_if(branding != before).await?;
        Ok(Ok((row.try_get("name")?, branding)))
    }
}
