//! What an organization's pages show and allow.

use helpsync_model::OrganizationId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::Row;

use crate::db::{AdminStore, Entity, StoreError, decode};

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

    /// Sets what the organization's pages show and allow, all of it: what they show and allow already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn set_branding(
        &self,
        organization: OrganizationId,
        branding: &Branding,
    ) -> Result<(), StoreError> {
        if self.branding(organization).await?.1 == *branding {
            return Ok(());
        }
        let mut write = self.write().await?;
        let set = sqlx::query("update organization set branding = $2, updated_at = $3 where id = $1")
            .bind(organization.0)
            .bind(json!(branding).to_string())
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
        if set.rows_affected() == 0 {
            return Err(StoreError::NotFound(Entity::Organization));
        }
        write.commit().await
    }
}
