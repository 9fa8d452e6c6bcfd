//! The caller's own tags of files and connections.

use helpsync_model::{ConnectionId, CustomerId, FileId, OrganizationId};
use serde_json::{Map, Value};
use sqlx::Row;

use crate::db::bounds::TAGS_BYTES_MAX;
use crate::db::{AdminStore, Entity, StoreError, decode, sql};

/// A change of tags.
#[derive(Debug, Clone)]
pub enum TagChange {
    /// Sets these, and leaves the others.
    Merge(Map<String, Value>),
    /// Takes these keys away.
    Remove(Vec<String>),
    /// Takes all away.
    Clear,
}

impl TagChange {
    fn apply(&self, tags: &mut Map<String, Value>) {
        match self {
            Self::Merge(new) => tags.extend(new.clone()),
            Self::Remove(keys) => tags.retain(|key, _| !keys.contains(key)),
            Self::Clear => tags.clear(),
        }
    }
}

impl AdminStore {
    /// Changes the tags of one of a customer's files.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn change_file_tags(
        &self,
        customer: CustomerId,
        id: FileId,
        change: &TagChange,
    ) -> Result<(), StoreError> {
        self.change_tags("file", "customer_id = $2 and hidden_at is null", id.0, customer.0, change).await
    }

    /// Changes the tags of a connection.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn change_connection_tags(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
        change: &TagChange,
    ) -> Result<(), StoreError> {
        self.change_tags("connection", "organization_id = $2", id.0, organization.0, change).await
    }

    async fn change_tags(
        &self,
        table: &'static str,
        belongs: &str,
        id: i64,
        owner: i64,
        change: &TagChange,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let locked = self.dialect.for_update();
        let row =
            sqlx::query(sql(format!("select id, tags from {table} where id = $1 and {belongs}{locked}")))
                .bind(id)
                .bind(owner)
                .fetch_optional(&mut *write.tx)
                .await?;
        let row =
            row.ok_or(StoreError::NotFound(if table == "file" { Entity::File } else { Entity::DataSource }))?;
        let before: Map<String, Value> = decode::json(&row, table, "tags")?;
        let mut tags = before.clone();
        change.apply(&mut tags);
        if tags == before {
            return Ok(());
        }
        let text = Value::Object(tags).to_string();
        if text.len() > TAGS_BYTES_MAX && !matches!(change, TagChange::Remove(_)) {
            return Err(StoreError::TooLarge { what: "the tags", bytes_max: TAGS_BYTES_MAX });
        }
        sqlx::query(sql(format!("update {table} set tags = $2, updated_at = $3 where id = $1")))
            .bind(row.try_get::<i64, _>("id")?)
            .bind(text)
            .bind(self.clock.now_ms())
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }
}
