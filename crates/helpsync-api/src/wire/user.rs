//! Users: an organization's customers in Carbon's words, and their schedules.

use helpsync_model::{AutoSync, Source};
use helpsync_store::{Customer, CustomerTotals};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{Int, OrderDir, Pagination, time};
use crate::auth::check_customer_id;
use crate::error::ApiError;

/// The most customers of one request.
pub(crate) const CUSTOMER_IDS_MAX: usize = 100;
/// Hours; -1 takes the customer's own interval away.
const INTERVALS: [i64; 5] = [-1, 3, 6, 12, 24];

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenResponse {
    /// For `authorization: Token …`.
    pub(crate) access_token: String,
    /// Empty: ask for another access token instead.
    pub(crate) refresh_token: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WhiteLabelingResponse {
    pub(crate) remove_branding: bool,
    /// Which connectors use the organization's own OAuth client.
    #[schema(value_type = Object)]
    pub(crate) integrations: Value,
    #[schema(value_type = Object)]
    pub(crate) custom_limits: Value,
    #[schema(value_type = Object)]
    pub(crate) connector_settings: Value,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UserRequestContent {
    pub(crate) customer_id: String,
}

/// A customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserResponse {
    pub(crate) id: i64,
    pub(crate) organization_id: i64,
    pub(crate) organization_supplied_user_id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) deleted_at: Option<String>,
    pub(crate) num_files_synced: i64,
    pub(crate) num_characters_synced: i64,
    pub(crate) num_tokens_synced: i64,
    #[schema(value_type = Object)]
    pub(crate) aggregate_file_size: Value,
    #[schema(value_type = Object)]
    pub(crate) aggregate_num_characters: Value,
    #[schema(value_type = Object)]
    pub(crate) aggregate_num_tokens: Value,
    #[schema(value_type = Object)]
    pub(crate) aggregate_num_embeddings: Value,
    #[schema(value_type = Object)]
    pub(crate) aggregate_num_files_by_source: Value,
    #[schema(value_type = Object)]
    pub(crate) aggregate_num_files_by_file_format: Value,
    /// One object per tag and value, at most 1,000.
    #[schema(value_type = Vec<Object>)]
    pub(crate) unique_file_tags: Vec<Value>,
    #[schema(value_type = Option<Object>)]
    pub(crate) enabled_features: Option<Value>,
    #[schema(value_type = Object)]
    pub(crate) custom_limits: Value,
    /// A list of sources.
    #[schema(value_type = Vec<String>)]
    pub(crate) auto_sync_enabled_sources: Value,
    #[schema(value_type = Object)]
    pub(crate) connector_settings: Value,
}

impl UserResponse {
    pub(crate) fn new(
        customer: Customer,
        totals: &CustomerTotals,
        tags: Vec<Value>,
        settings: Value,
    ) -> Self {
        let by_source = |number: i64| json!({ "ZENDESK": number });
        Self {
            id: customer.id.0,
            organization_id: customer.organization.0,
            created_at: time(customer.created_at),
            updated_at: time(customer.updated_at),
            deleted_at: None,
            num_files_synced: totals.files,
            num_characters_synced: totals.characters,
            num_tokens_synced: totals.tokens,
            aggregate_file_size: by_source(totals.html_bytes),
            aggregate_num_characters: by_source(totals.characters),
            aggregate_num_tokens: by_source(totals.tokens),
            aggregate_num_embeddings: by_source(totals.embeddings),
            aggregate_num_files_by_source: by_source(totals.files),
            aggregate_num_files_by_file_format: by_source(totals.files),
            unique_file_tags: tags,
            enabled_features: None,
            custom_limits: customer.limits,
            auto_sync_enabled_sources: sources(&customer.auto_sync),
            connector_settings: settings,
            organization_supplied_user_id: customer.external_id,
        }
    }
}

/// The list that clients read; "ALL" is every source that there is.
fn sources(auto_sync: &AutoSync) -> Value {
    json!(if auto_sync.covers(Source::Zendesk) { vec![Source::Zendesk] } else { Vec::new() })
}

/// What may be set for customers.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct UserConfiguration {
    /// A list of sources, `[]` for none, or `"ALL"`; absent leaves it as it is.
    pub(crate) auto_sync_enabled_sources: Option<Value>,
    /// Hours: 3, 6, 12 or 24; -1 = the organization's.
    #[schema(value_type = Option<i64>)]
    pub(crate) auto_sync_interval: Option<Int>,
    /// -1 = no limit; absent leaves a limit as it is. What goes beyond one is skipped, and comes with the first sync that
    /// finds room for it.
    #[schema(value_type = Option<i64>)]
    pub(crate) max_files: Option<Int>,
    #[schema(value_type = Option<i64>)]
    pub(crate) max_files_per_upload: Option<Int>,
    #[schema(value_type = Option<i64>)]
    pub(crate) max_characters: Option<Int>,
    #[schema(value_type = Option<i64>)]
    pub(crate) max_characters_per_file: Option<Int>,
    #[schema(value_type = Option<i64>)]
    pub(crate) max_characters_per_upload: Option<Int>,
}

/// Sets this for up to 100 customers.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UpdateUsersInput {
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) customer_ids: Vec<String>,
    #[serde(flatten)]
    pub(crate) configuration: UserConfiguration,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteUsersInput {
    #[schema(min_items = 1, max_items = 100)]
    pub(crate) customer_ids: Vec<String>,
}

/// What a list of customers must be.
pub(crate) fn check_customer_ids(ids: &[String]) -> Result<(), ApiError> {
    if ids.is_empty() || ids.len() > CUSTOMER_IDS_MAX {
        let msg = format!("takes 1 to {CUSTOMER_IDS_MAX} ids, this list has {}", ids.len());
        return Err(ApiError::field("customer_ids", msg));
    }
    for id in ids {
        check_customer_id(id).map_err(|msg| ApiError::field("customer_ids", msg))?;
    }
    Ok(())
}

impl UserConfiguration {
    pub(crate) fn auto_sync(&self) -> Result<Option<AutoSync>, ApiError> {
        const FIELD: &str = "auto_sync_enabled_sources";
        let wrong = |msg: String| Err(ApiError::field(FIELD, msg));
        match &self.auto_sync_enabled_sources {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(word)) if word == "ALL" => Ok(Some(AutoSync::All)),
            Some(Value::Array(list)) => {
                let mut sources = Vec::new();
                for source in list {
                    match source.as_str() {
                        Some("ZENDESK") if sources.is_empty() => sources.push(Source::Zendesk),
                        Some("ZENDESK") => {}
                        _ => return wrong(format!("{source} is not served: the only source is \"ZENDESK\"")),
                    }
                }
                Ok(Some(if sources.is_empty() { AutoSync::Off } else { AutoSync::Sources(sources) }))
            }
            Some(_) => wrong("expected a list of sources, [] for none, or \"ALL\"".to_owned()),
        }
    }

    pub(crate) fn interval(&self) -> Result<Option<i64>, ApiError> {
        match self.auto_sync_interval {
            Some(Int(hours)) if !INTERVALS.contains(&hours) => Err(ApiError::field(
                "auto_sync_interval",
                "takes 3, 6, 12 or 24 hours, or -1 for the default",
            )),
            hours => Ok(hours.map(|hours| hours.0)),
        }
    }

    pub(crate) fn limits(&self) -> Result<Map<String, Value>, ApiError> {
        let mut limits = Map::new();
        for (name, value) in [
            ("max_files", self.max_files),
            ("max_files_per_upload", self.max_files_per_upload),
            ("max_characters", self.max_characters),
            ("max_characters_per_file", self.max_characters_per_file),
            ("max_characters_per_upload", self.max_characters_per_upload),
        ] {
            if let Some(Int(value)) = value {
                if value < -1 {
                    return Err(ApiError::field(name, "must be -1 (no limit) or more"));
                }
                limits.insert(name.to_owned(), value.into());
            }
        }
        Ok(limits)
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct ListUsersFilters {
    pub(crate) customer_ids: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) carbon_user_ids: Option<Vec<Int>>,
}

/// The column that users are ordered by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UserOrder {
    CreatedAt,
    UpdatedAt,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct ListUsersRequest {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) filters: Option<ListUsersFilters>,
    pub(crate) order_by: Option<UserOrder>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) include_count: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ListedUser {
    pub(crate) id: i64,
    pub(crate) organization_id: i64,
    pub(crate) organization_supplied_user_id: String,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
    pub(crate) deleted_at: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) enabled_features: Option<Value>,
    #[schema(value_type = Object)]
    pub(crate) custom_limits: Value,
    #[schema(value_type = Vec<String>)]
    pub(crate) auto_sync_enabled_sources: Value,
}

impl From<Customer> for ListedUser {
    fn from(customer: Customer) -> Self {
        Self {
            id: customer.id.0,
            organization_id: customer.organization.0,
            created_at: time(customer.created_at),
            updated_at: time(customer.updated_at),
            deleted_at: None,
            enabled_features: None,
            custom_limits: customer.limits,
            auto_sync_enabled_sources: sources(&customer.auto_sync),
            organization_supplied_user_id: customer.external_id,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserListResponse {
    pub(crate) users: Vec<ListedUser>,
    pub(crate) count: Option<i64>,
}
