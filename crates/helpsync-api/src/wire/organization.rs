//! Organizations in Carbon's words.

use std::collections::BTreeMap;

use helpsync_store::{CustomerTotals, Organization};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::time;
use super::user::UserConfiguration;

/// An organization. What Helpsync does not keep is empty.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationResponse {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) nickname: Option<String>,
    pub(crate) remove_branding: bool,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_branding: Option<Value>,
    #[schema(value_type = Option<Object>)]
    pub(crate) custom_limits: Option<Value>,
    /// By source.
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
    /// When statistics were last asked for; they are always current.
    pub(crate) file_statistics_aggregated_at: Option<String>,
    pub(crate) period_ends_at: Option<String>,
    pub(crate) cancel_at_period_end: Option<bool>,
    /// As set with `data_source_configs`.
    #[schema(value_type = Object)]
    pub(crate) connector_settings: Value,
    /// As set with `global_user_config`.
    #[schema(value_type = Object)]
    pub(crate) global_user_config: Value,
    #[schema(value_type = Object)]
    pub(crate) file_sync_usage: Value,
    #[schema(value_type = Object)]
    pub(crate) logging_settings: Value,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

impl OrganizationResponse {
    pub(crate) fn new(organization: Organization, totals: &CustomerTotals) -> Self {
        let by_source = |number: i64| json!({ "ZENDESK": number });
        let mut global = organization.limits.as_object().cloned().unwrap_or_default();
        if let Some(auto_sync) = &organization.auto_sync {
            global.insert("auto_sync_enabled_sources".to_owned(), json!(auto_sync));
        }
        if let Some(hours) = organization.interval_hours {
            global.insert("auto_sync_interval".to_owned(), hours.into());
        }
        Self {
            id: organization.id.0,
            name: organization.name,
            nickname: None,
            remove_branding: true,
            custom_branding: None,
            custom_limits: Some(json!({})),
            aggregate_file_size: by_source(totals.html_bytes),
            aggregate_num_characters: by_source(totals.characters),
            aggregate_num_tokens: by_source(totals.tokens),
            aggregate_num_embeddings: by_source(totals.embeddings),
            aggregate_num_files_by_source: by_source(totals.files),
            aggregate_num_files_by_file_format: by_source(totals.files),
            file_statistics_aggregated_at: organization.statistics_at.map(time),
            period_ends_at: None,
            cancel_at_period_end: None,
            connector_settings: organization.connector_settings,
            global_user_config: Value::Object(global),
            file_sync_usage: json!({}),
            logging_settings: json!({}),
            created_at: time(organization.created_at),
            updated_at: time(organization.updated_at),
        }
    }
}

/// How files of one data source type are treated. Kept and shown; articles have one format only.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DataSourceConfiguration {
    allowed_file_formats: Option<Vec<String>>,
    google_workspace_docs_save_as: Option<String>,
}

impl DataSourceConfiguration {
    fn to_value(&self) -> Value {
        json!({
            "allowed_file_formats": self.allowed_file_formats.clone().unwrap_or_default(),
            "google_workspace_docs_save_as": self.google_workspace_docs_save_as,
        })
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct UpdateOrganizationInput {
    /// For customers that have no configuration of their own.
    pub(crate) global_user_config: Option<UserConfiguration>,
    /// By data source type, or `DEFAULT`.
    pub(crate) data_source_configs: Option<BTreeMap<String, DataSourceConfiguration>>,
}

impl UpdateOrganizationInput {
    pub(crate) fn connector_settings(&self) -> Option<Map<String, Value>> {
        let configs = self.data_source_configs.as_ref()?;
        Some(configs.iter().map(|(name, config)| (name.clone(), config.to_value())).collect())
    }
}
