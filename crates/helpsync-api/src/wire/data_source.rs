//! Data sources: connections in Carbon's words.

use helpsync_model::ConnectionState;
use helpsync_store::{Connection, ConnectionOrder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::file::UserFile;
use super::{Int, OrderDir, Pagination, time};

/// A connected Zendesk workspace.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationUserDataSourceAPI)]
pub(crate) struct DataSource {
    pub(crate) id: i64,
    /// `ZENDESK|<account label>|<subdomain>`.
    pub(crate) data_source_external_id: Option<String>,
    /// `ZENDESK`.
    pub(crate) data_source_type: &'static str,
    /// Always null: tokens are never shown.
    pub(crate) token: Option<Value>,
    /// `QUEUED_FOR_SYNCING`, `SYNCING`, `READY` or `SYNC_ERROR`.
    pub(crate) sync_status: &'static str,
    pub(crate) source_items_synced_at: Option<String>,
    pub(crate) organization_user_id: i64,
    pub(crate) organization_id: i64,
    pub(crate) organization_supplied_user_id: String,
    pub(crate) revoked_access: bool,
    pub(crate) last_synced_at: String,
    /// `ADD`, `UPDATE`, `CANCEL` or `REVOKE`.
    pub(crate) last_sync_action: &'static str,
    pub(crate) enable_auto_sync: Option<bool>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) files_synced_at: Option<String>,
    /// Helpsync puts `state`, `subdomain`, `pause_reason`, `waiting_for` and `next_sync_at` here.
    #[schema(value_type = Object)]
    pub(crate) data_source_metadata: Value,
    #[schema(value_type = Object)]
    pub(crate) tags: Value,
}

impl From<Connection> for DataSource {
    fn from(from: Connection) -> Self {
        let label = from.account_label.replace('|', " ");
        Self {
            id: from.id.0,
            data_source_external_id: Some(format!("ZENDESK|{label}|{}", from.subdomain)),
            data_source_type: "ZENDESK",
            token: None,
            sync_status: from.sync_status.as_str(),
            source_items_synced_at: from.source_items_synced_at.map(time),
            organization_user_id: from.customer.0,
            organization_id: from.organization.0,
            organization_supplied_user_id: from.customer_external_id,
            revoked_access: from.state == ConnectionState::Revoked,
            last_synced_at: time(from.last_synced_at),
            last_sync_action: from.last_sync_action.as_str(),
            enable_auto_sync: Some(from.next_sync_at.is_some()),
            created_at: time(from.created_at),
            updated_at: time(from.updated_at),
            files_synced_at: from.files_synced_at.map(time),
            data_source_metadata: json!({
                "state": from.state.as_str(),
                "subdomain": from.subdomain,
                "pause_reason": from.pause_reason,
                "waiting_for": from.waiting_for,
                "next_sync_at": from.next_sync_at.map(time),
            }),
            tags: from.tags,
        }
    }
}

/// The column that data sources are ordered by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DataSourceOrder {
    CreatedAt,
    UpdatedAt,
}

impl From<DataSourceOrder> for ConnectionOrder {
    fn from(order: DataSourceOrder) -> Self {
        match order {
            DataSourceOrder::CreatedAt => Self::CreatedAt,
            DataSourceOrder::UpdatedAt => Self::UpdatedAt,
        }
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct DataSourceFilters {
    /// One type; only `ZENDESK` finds anything.
    pub(crate) source: Option<String>,
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) ids: Option<Vec<Int>>,
    /// Without it revoked ones are included.
    pub(crate) revoked_access: Option<bool>,
    /// The tag filter language.
    #[schema(value_type = Option<Object>)]
    pub(crate) tags: Option<Value>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct OrganizationUserDataSourceQueryInput {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<DataSourceOrder>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: Option<DataSourceFilters>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationUserDataSourceResponse {
    pub(crate) results: Vec<DataSource>,
    /// How many match before paging.
    pub(crate) count: i64,
}

/// Names one data source.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DataSourceInput {
    #[schema(value_type = i64)]
    pub(crate) data_source_id: Int,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct AddDataSourceTagsInput {
    #[schema(value_type = i64)]
    pub(crate) data_source_id: Int,
    /// Merged into the tags that are there.
    pub(crate) tags: Map<String, Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RemoveDataSourceTagsInput {
    #[schema(value_type = i64)]
    pub(crate) data_source_id: Int,
    pub(crate) tags_to_remove: Option<Vec<String>>,
    pub(crate) remove_all_tags: Option<bool>,
}

/// The form of old widgets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveIntegrations {
    pub(crate) active_integrations: Vec<ActiveIntegration>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActiveIntegration {
    #[serde(flatten)]
    pub(crate) data_source: DataSource,
    /// Its newest files, when they are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) synced_files: Option<Vec<UserFile>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ActiveQuery {
    pub(crate) include_files: Option<String>,
}
