//! Asking for grants: `/integrations/oauth_url`, `/integrations/connect`, the callback.

use helpsync_store::TAGS_BYTES_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::chunk::{check_model, check_sizes};
use super::data_source::DataSource;
use super::{Int, small};
use crate::error::ApiError;

/// The longest `file_sync_config`, as JSON: it is kept, and shown with every data source.
const FILE_SYNC_CONFIG_BYTES_MAX: usize = 4 * 1024;

/// What to sync, and how. Articles are synced whatever it says; options of other connectors are accepted and kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct SyncOptions {
    /// Put on every file that is synced for the first time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tags: Option<Value>,
    /// Tags of the data source itself, merged into those it has.
    #[serde(skip_serializing_if = "unkept")]
    pub(crate) data_source_tags: Option<Map<String, Value>>,
    /// Stamped on every file that is synced through this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<String>,
    /// Sync as soon as the workspace is connected. False: files are asked for with `/integrations/files/sync`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sync_files_on_connection: Option<bool>,
    /// List the workspace as soon as it is connected, even if its files are not synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sync_source_items: Option<bool>,
    /// Pass over requested articles that are stored and current. Every sync of a workspace is incremental.
    #[serde(skip_serializing_if = "unkept")]
    pub(crate) incremental_sync: Option<bool>,
    /// `skip_file_processing` makes records without content, `store_file_only` files without chunks, and
    /// `generate_chunks_only` chunks without embeddings. The rest is accepted; articles are synced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_sync_config: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_size: Option<Size>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_overlap: Option<Size>,
    /// Chunks without embeddings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skip_embedding_generation: Option<bool>,
    /// Every chunk starts with the title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prepend_filename_to_chunks: Option<bool>,
    /// What the files' embeddings are called; the installation's own model makes them, whatever the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) embedding_model: Option<String>,
    /// Accepted: every file can be searched by its words.
    #[serde(skip_serializing_if = "unkept")]
    pub(crate) generate_sparse_vectors: Option<bool>,
}

/// For what is read and not kept; `skip_serializing` would take it out of the description as well.
fn unkept<T>(_read: &T) -> bool {
    true
}

/// A kept number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size(i64);

impl Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Int::deserialize(deserializer)?.0))
    }
}

impl SyncOptions {
    /// Refuses what cannot be done; `field` is where in the body they stand, with a dot behind it.
    pub(crate) fn check(&self, field: &str) -> Result<(), ApiError> {
        let number = |size: Option<Size>| size.map(|size| size.0);
        small(&self.tags, &format!("{field}tags"), TAGS_BYTES_MAX)?;
        small(&self.data_source_tags, &format!("{field}data_source_tags"), TAGS_BYTES_MAX)?;
        small(&self.file_sync_config, &format!("{field}file_sync_config"), FILE_SYNC_CONFIG_BYTES_MAX)?;
        check_sizes(number(self.chunk_size), number(self.chunk_overlap), field)?;
        check_model(self.embedding_model.as_deref(), &format!("{field}embedding_model"))
    }

    /// As kept with the connection.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = serde_json::to_value(self).unwrap_or_else(|_never| json!({}));
        if let Some(tags) = &self.tags {
            value["tags"] = super::file::tags_as_kept(tags);
        }
        value
    }

    /// The data source's tags as kept.
    pub(crate) fn data_source_tags(&self) -> Value {
        let tags = self.data_source_tags.clone().unwrap_or_default();
        super::file::tags_as_kept(&Value::Object(tags))
    }
}

/// Asks for the URL at which a workspace is connected.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct OAuthURLRequest {
    /// `ZENDESK`.
    pub(crate) service: String,
    /// The part before `.zendesk.com`; needed when a workspace is connected for the first time.
    pub(crate) zendesk_subdomain: Option<String>,
    /// Start a grant even if the workspace is connected.
    pub(crate) connecting_new_account: Option<bool>,
    /// Which connection, when it is known.
    #[schema(value_type = Option<i64>)]
    pub(crate) data_source_id: Option<Int>,
    /// A single scope, for old clients.
    pub(crate) scope: Option<String>,
    /// Exactly these scopes; empty = the configured ones.
    pub(crate) scopes: Option<Vec<String>>,
    /// Where our pages lead the person back to: below one of the organization's `return_urls`.
    pub(crate) return_url: Option<String>,
    #[serde(flatten)]
    pub(crate) options: SyncOptions,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OuthURLResponse {
    /// To be opened by the customer's administrator.
    pub(crate) oauth_url: String,
}

/// A token that was obtained elsewhere.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ZendeskAuthentication {
    /// `ZENDESK`.
    pub(crate) source: String,
    pub(crate) access_token: Option<String>,
    pub(crate) subdomain: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ConnectDataSourceInput {
    pub(crate) authentication: ZendeskAuthentication,
    pub(crate) sync_options: Option<SyncOptions>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConnectDataSourceResponse {
    pub(crate) data_source: DataSource,
    /// Always null: the sync starts by itself.
    pub(crate) sync_url: Option<String>,
}

/// What Zendesk sends the browser back with.
#[derive(Deserialize)]
pub(crate) struct Callback {
    pub(crate) code: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) error: Option<String>,
}

/// What a sync URL says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SyncClaim {
    /// The organization.
    pub(crate) o: i64,
    /// The connection.
    pub(crate) d: i64,
    /// When it was made. After an older backup is restored, another connection gets its id.
    pub(crate) c: i64,
    /// The request id.
    pub(crate) r: String,
    /// The sync options.
    pub(crate) p: Value,
    /// The API key that it was made with, or whose token: a link does not outlive that. Those of the version before name
    /// none.
    pub(crate) k: Option<i64>,
}
