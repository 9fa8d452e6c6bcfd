//! Finished OAuth grants: the transaction that makes a connection of one.

use helpsync_model::{
    ConnectionEvent, ConnectionId, ConnectionState, CustomerId, DataSourceStatus, EventKind, OrganizationId,
    SyncAction,
};
use serde_json::{Value, json};
use sqlx::Row;

use crate::connection::tokens::{NewTokens, seal_into};
use crate::db::bounds::TAGS_BYTES_MAX;
use crate::db::family::{FAMILY, check_owner, follow, lock};
use crate::db::states::{ACTIVE_CONNECTION, Step};
use crate::db::{AdminStore, Entity, StoreError, Write, decode, sql};
use crate::event::events::{self, NewEvent};
use crate::run::file_options::is_by_item;
use crate::run::runs::cancel_active;
use crate::run::schedule::reschedule;

/// A grant whose code was exchanged.
#[derive(Debug, Clone)]
pub struct GrantCompleted {
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// For which workspace.
    pub subdomain: String,
    /// With which OAuth client; `None` for a token that came from outside.
    pub client_id: Option<String>,
    /// The tokens.
    pub tokens: NewTokens,
    /// What the grant allows, as Zendesk said, separated by spaces.
    pub scopes: Option<String>,
    /// How people know the account, for example the agent's e-mail address.
    pub account_label: String,
    /// Kept for the syncs to come.
    pub sync_options: Value,
    /// Tags of the data source, merged into existing ones.
    pub tags: Value,
}

/// What came of a completed grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantOutcome {
    /// Connected.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// The workspace was connected before, and keeps its files.
        reconnected: bool,
    },
    /// Refused: this customer has another workspace. Nothing was changed.
    OtherWorkspace {
        /// The one it has.
        subdomain: String,
    },
}

impl AdminStore {
    /// Makes the connection of a finished grant, or refuses it because the customer has another workspace. Two grants
    /// that finish at once, on whatever machines, meet in the unique index, which lets one of them through.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn complete_grant(&self, grant: &GrantCompleted) -> Result<GrantOutcome, StoreError> {
        match self.try_complete_grant(grant).await {
            Err(error) if error.is_unique_violation() => {
                // The other grant won between our look and our insert: look again at what it left.
                self.try_complete_grant(grant).await
            }
            outcome => outcome,
        }
    }

    /// Starts anew with the options of a sync URL: what they say holds for the files of this and later syncs. Their
    /// `tags` and `request_id` replace those of the grant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the connection is not active.
    pub async fn take_up_options(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        options: &Value,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        check_owner(&mut write, organization, connection, Entity::ActiveConnection).await?;
        lock(&mut write, connection).await?;
        let row = sqlx::query(sql(format!(
            "select id, sync_options from connection where id = $1 and state = {ACTIVE_CONNECTION}"
        )))
        .bind(connection.0)
        .fetch_optional(&mut *write.tx)
        .await?
        .ok_or(StoreError::NotFound(Entity::ActiveConnection))?;
        let before: Value = decode::json(&row, "connection", "sync_options")?;
        if is_by_item(&before) && !is_by_item(options) {
            forget_high_water(&mut write, connection).await?;
        }
        sqlx::query(sql(format!(
            "update connection set sync_options = $2, updated_at = $3 where id in {FAMILY}"
        )))
        .bind(connection.0)
        .bind(options.to_string())
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }

    async fn try_complete_grant(&self, grant: &GrantCompleted) -> Result<GrantOutcome, StoreError> {
        let mut write = self.write().await?;
        let other: Option<String> = sqlx::query_scalar(
            "select subdomain from connection where customer_id = $1 and subdomain <> $2
               and disconnected_at is null and parent_id is null",
        )
        .bind(grant.customer.0)
        .bind(&grant.subdomain)
        .fetch_optional(&mut *write.tx)
        .await?;
        if let Some(subdomain) = other {
            return Ok(GrantOutcome::OtherWorkspace { subdomain });
        }
        let known = sqlx::query(
            "select id, tags, sync_options from connection where customer_id = $1 and subdomain = $2",
        )
        .bind(grant.customer.0)
        .bind(&grant.subdomain)
        .fetch_optional(&mut *write.tx)
        .await?;
        let (connection, reconnected) = match known {
            Some(row) => {
                let connection = ConnectionId(row.try_get("id")?);
                let tags = merged(&decode::json(&row, "connection", "tags")?, &grant.tags);
                reopen(&mut write, connection, grant, &tags).await?;
                // Another grant may see the lists as they are.
                sqlx::query(sql(format!(
                    "update connection set list_locales = null, locale_counts = null where id in {FAMILY}"
                )))
                .bind(connection.0)
                .execute(&mut *write.tx)
                .await?;
                let before: Value = decode::json(&row, "connection", "sync_options")?;
                if is_by_item(&before) && !is_by_item(&grant.sync_options) {
                    forget_high_water(&mut write, connection).await?;
                }
                (connection, true)
            }
            None => (insert(&mut write, grant).await?, false),
        };
        seal_into(&mut write, &self.vault, connection, &grant.tokens).await?;
        reschedule(&mut write, grant.customer).await?;
        let event = NewEvent {
            organization: grant.organization,
            customer: grant.customer,
            connection,
            kind: EventKind::Add,
            object_type: "DATA_SOURCE",
            object_id: connection.to_string(),
            detail: json!({}),
        };
        events::record(&mut write, event).await?;
        write.commit().await?;
        Ok(GrantOutcome::Connected { connection, reconnected })
    }
}

async fn insert(write: &mut Write, grant: &GrantCompleted) -> Result<ConnectionId, StoreError> {
    let id = sqlx::query_scalar(sql(format!(
        "insert into connection (organization_id, customer_id, subdomain, account_label, state, oauth_client_id,
           sync_status, last_sync_action, last_synced_at, tags, sync_options, created_at, updated_at, scopes)
         values ($1, $2, $3, $4, {ACTIVE_CONNECTION}, $5, $6, $7, $8, $9, $10, $8, $8, $11) returning id"
    )))
    .bind(grant.organization.0)
    .bind(grant.customer.0)
    .bind(&grant.subdomain)
    .bind(&grant.account_label)
    .bind(&grant.client_id)
    .bind(DataSourceStatus::Ready.as_str())
    .bind(SyncAction::Add.as_str())
    .bind(write.now)
    .bind(grant.tags.to_string())
    .bind(grant.sync_options.to_string())
    .bind(grant.scopes.as_deref().unwrap_or_default())
    .fetch_one(&mut *write.tx)
    .await?;
    Ok(ConnectionId(id))
}

/// Takes a known workspace up again under the new grant. The new epoch turns away work begun under the old one.
async fn reopen(
    write: &mut Write,
    connection: ConnectionId,
    grant: &GrantCompleted,
    tags: &Value,
) -> Result<(), StoreError> {
    let Step { from, to } = Step::of::<ConnectionState>(ConnectionEvent::Connected);
    sqlx::query(sql(format!(
        "update connection set state = {to}, disconnected_at = null, pause_reason = null, epoch = epoch + 1,
           account_label = $2, oauth_client_id = $3, sync_status = $4, last_sync_action = $5, last_synced_at = $6,
           tags = $7, sync_options = $8, scopes = $9, updated_at = $6, parent_id = null, brand_gone = 0,
           brands_asked_at = null where id = $1 and state in {from}"
    )))
    .bind(connection.0)
    .bind(&grant.account_label)
    .bind(&grant.client_id)
    .bind(DataSourceStatus::Ready.as_str())
    .bind(SyncAction::Add.as_str())
    .bind(write.now)
    .bind(tags.to_string())
    .bind(grant.sync_options.to_string())
    .bind(grant.scopes.as_deref().unwrap_or_default())
    .execute(&mut *write.tx)
    .await?;
    follow(write, connection).await?;
    cancel_active(write, connection, "the workspace was connected again").await
}

/// From now on every article is wanted, of its brands too, so the next sync reads them all.
pub(crate) async fn forget_high_water(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    sqlx::query(sql(format!("update connection set high_water = null where id in {FAMILY}")))
        .bind(connection.0)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// The tags of a connection that is granted anew: the old ones and the new. If they are too many together, the new.
fn merged(old: &Value, new: &Value) -> Value {
    let mut both = old.as_object().cloned().unwrap_or_default();
    both.extend(new.as_object().cloned().unwrap_or_default());
    let both = Value::Object(both);
    if both.to_string().len() > TAGS_BYTES_MAX { new.clone() } else { both }
}
