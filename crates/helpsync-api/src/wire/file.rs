//! Files: synced articles in Carbon's words.

use helpsync_embeddings::Processing;
use helpsync_model::EMBEDDING_MODEL_DEFAULT;
use helpsync_store::{File, FileOrder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::filters::FileFiltersInput;
use super::{Int, OrderDir, Pagination, time, web_address};

/// A synced article.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserFile {
    pub id: i64,
    /// `ZENDESK`.
    pub source: String,
    pub organization_id: i64,
    pub organization_user_id: Option<i64>,
    pub organization_supplied_user_id: String,
    pub organization_user_data_source_id: Option<i64>,
    /// Zendesk's id of the article.
    pub external_file_id: String,
    pub external_url: Option<String>,
    /// For example `QUEUED_FOR_SYNC`, `SYNCING`, `READY` or `SYNC_ERROR`.
    pub sync_status: String,
    pub sync_error_message: Option<String>,
    /// When it was compared with Zendesk's last; up to an hour earlier where it was as it is.
    pub last_sync: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub tags: Value,
    pub file_statistics: Option<FileStatistics>,
    /// `{"type": "ARTICLE"}`, and `locale`, `labels`, `section_id` and `source_updated_at`.
    #[schema(value_type = Option<Object>)]
    pub file_metadata: Value,
    #[schema(value_type = Option<Object>)]
    pub embedding_properties: Option<Value>,
    pub chunk_size: Option<i64>,
    pub chunk_overlap: Option<i64>,
    pub chunk_properties: Option<ChunkProperties>,
    #[schema(value_type = Object)]
    pub ocr_properties: Value,
    pub ocr_job_started_at: Option<String>,
    pub name: Option<String>,
    pub parent_id: Option<i64>,
    pub enable_auto_sync: Option<bool>,
    /// The article as Zendesk holds it, when asked for.
    pub presigned_url: Option<String>,
    /// Its plain text, when asked for.
    pub parsed_text_url: Option<String>,
    /// Its Markdown, when asked for.
    #[schema(value_type = Option<Object>)]
    pub additional_presigned_urls: Option<Value>,
    /// Whether its chunks, if it has any, go without embeddings by request.
    pub skip_embedding_generation: bool,
    pub source_created_at: Option<String>,
    pub generate_sparse_vectors: Option<bool>,
    pub request_id: Option<String>,
    pub upload_id: Option<String>,
    #[schema(value_type = Object)]
    pub sync_properties: Value,
    #[schema(value_type = Object)]
    pub messages_metadata: Value,
    pub file_contents_deleted: bool,
    pub supports_cold_storage: bool,
    pub hot_storage_time_to_live: Option<i64>,
    /// `HOT_STORAGE`.
    pub embedding_storage_status: String,
    pub created_at: String,
    pub updated_at: String,
}

/// How a file is cut.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChunkProperties {
    /// Always false: articles have no pages.
    pub set_page_as_boundary: bool,
    pub prepend_filename_to_chunks: bool,
    /// Always null: articles have no items.
    pub max_items_per_chunk: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileStatistics {
    /// `ZENDESK`.
    pub file_format: Option<String>,
    pub file_size: Option<i64>,
    pub num_characters: Option<i64>,
    /// Of its chunks.
    pub num_tokens: Option<i64>,
    pub num_embeddings: Option<i64>,
    pub mime_type: Option<String>,
}

/// Carbon's name of what a file is embedded with, and how it was cut for that; null where it has no embeddings.
fn embedding_properties(file: &File, processing: &Processing) -> Option<Value> {
    let asked = file.sync_options["embedding_model"].as_str();
    let model = file.uploaded_model.as_deref().or(asked).unwrap_or(EMBEDDING_MODEL_DEFAULT);
    let chunks = processing.chunks;
    (file.embedded > 0)
        .then(|| json!({ model: { "chunk_size": chunks.size, "chunk_overlap": chunks.overlap } }))
}

impl From<File> for UserFile {
    fn from(file: File) -> Self {
        let processing = Processing::of(&file.sync_options);
        let size = |tokens: usize| Some(i64::try_from(tokens).unwrap_or(i64::MAX));
        Self {
            embedding_properties: embedding_properties(&file, &processing),
            id: file.id.0,
            source: "ZENDESK".to_owned(),
            organization_id: file.organization.0,
            organization_user_id: Some(file.customer.0),
            organization_supplied_user_id: file.customer_external_id,
            organization_user_data_source_id: Some(file.source.0),
            external_file_id: file.article_id.to_string(),
            external_url: web_address(file.external_url),
            sync_status: file.status.as_str().to_owned(),
            sync_error_message: file.error,
            last_sync: file.last_sync.map(time),
            tags: file.tags,
            file_statistics: Some(FileStatistics {
                file_format: Some("ZENDESK".to_owned()),
                file_size: Some(file.html_bytes),
                num_characters: Some(file.characters),
                num_tokens: Some(file.tokens),
                num_embeddings: Some(file.embedded),
                mime_type: Some("text/html".to_owned()),
            }),
            file_metadata: json!({
                "type": "ARTICLE",
                "is_folder": false,
                "locale": file.source_locale,
                "labels": file.labels,
                "section_id": file.section_id,
                "source_updated_at": time(file.source_updated_at),
            }),
            chunk_size: size(processing.chunks.size),
            chunk_overlap: size(processing.chunks.overlap),
            chunk_properties: Some(ChunkProperties {
                set_page_as_boundary: false,
                prepend_filename_to_chunks: processing.prepend_name,
                max_items_per_chunk: None,
            }),
            ocr_properties: json!({}),
            ocr_job_started_at: None,
            name: Some(file.name),
            parent_id: None,
            enable_auto_sync: None,
            presigned_url: None,
            parsed_text_url: None,
            additional_presigned_urls: None,
            skip_embedding_generation: !processing.embed,
            source_created_at: Some(time(file.source_created_at)),
            generate_sparse_vectors: Some(false),
            request_id: Some(file.request_id),
            upload_id: Some(file.upload_id),
            sync_properties: json!({}),
            messages_metadata: json!({}),
            file_contents_deleted: file.content_deleted,
            supports_cold_storage: false,
            hot_storage_time_to_live: None,
            embedding_storage_status: "HOT_STORAGE".to_owned(),
            created_at: time(file.created_at),
            updated_at: time(file.updated_at),
        }
    }
}

/// The column that files are ordered by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FileOrderBy {
    CreatedAt,
    UpdatedAt,
    Name,
    LastSync,
    FileSize,
    Id,
}

impl From<FileOrderBy> for FileOrder {
    fn from(order: FileOrderBy) -> Self {
        match order {
            FileOrderBy::CreatedAt => Self::CreatedAt,
            FileOrderBy::UpdatedAt => Self::UpdatedAt,
            FileOrderBy::Name => Self::Name,
            FileOrderBy::LastSync => Self::LastSync,
            FileOrderBy::FileSize => Self::FileSize,
            FileOrderBy::Id => Self::Id,
        }
    }
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct OrganizationUserFilesToSyncQueryInput {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<FileOrderBy>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: Option<FileFiltersInput>,
    /// Fill `presigned_url`.
    pub(crate) include_raw_file: Option<bool>,
    /// Fill `parsed_text_url`.
    pub(crate) include_parsed_text_file: Option<bool>,
    /// Fill `additional_presigned_urls`.
    pub(crate) include_additional_files: Option<bool>,
    /// 3600 unless told.
    #[schema(value_type = Option<i64>)]
    pub(crate) presigned_url_expiry_time_seconds: Option<Int>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct UserFilesV2 {
    pub results: Vec<UserFile>,
    /// How many match before paging.
    pub count: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ResyncFileQueryInput {
    #[schema(value_type = i64)]
    pub(crate) file_id: Int,
    /// Tokens of a chunk from now on; null = as before.
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_size: Option<Int>,
    /// Tokens that neighbours share from now on; null = as before.
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_overlap: Option<Int>,
    /// Embed also what has not changed.
    pub(crate) force_embedding_generation: Option<bool>,
    /// Keep the sizes for the next time, and fetch nothing.
    pub(crate) skip_file_processing: Option<bool>,
}

/// A slip of the pen must not delete everything: unknown fields are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteFilesV2QueryInput {
    /// Empty or absent: every file of the customer.
    pub(crate) filters: Option<FileFiltersInput>,
    /// Announce every deletion.
    pub(crate) send_webhook: Option<bool>,
    /// Delete the content and keep the record.
    pub(crate) preserve_file_record: Option<bool>,
}

/// One of `file_ids`, `sync_statuses` and `delete_non_synced_only` says which files; unknown fields are refused.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteFilesQueryInput {
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) file_ids: Option<Vec<Int>>,
    pub(crate) sync_statuses: Option<Vec<String>>,
    pub(crate) delete_non_synced_only: Option<bool>,
    pub(crate) send_webhook: Option<bool>,
    /// Articles have no children: changes nothing.
    #[serde(rename = "delete_child_files")]
    pub(crate) _delete_child_files: Option<bool>,
}

/// Of hot and cold storage.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct StorageQueryInput {
    pub(crate) filters: Option<FileFiltersInput>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct CreateFileTagsInput {
    #[schema(value_type = i64)]
    pub(crate) organization_user_file_id: Int,
    /// Merged into the tags that are there; kept as texts or lists of texts.
    pub(crate) tags: Map<String, Value>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct DeleteFileTagsInput {
    #[schema(value_type = i64)]
    pub(crate) organization_user_file_id: Int,
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PresignedURLResponse {
    pub(crate) presigned_url: String,
}

/// Tags as they are kept: a map of texts and lists of texts. Anything else becomes a text (4 becomes "4").
pub(crate) fn tags_as_kept(tags: &Value) -> Value {
    let Value::Object(tags) = tags else { return json!({}) };
    let kept = tags.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| {
        let value = match value {
            Value::Array(list) => list.iter().map(|value| Value::String(tag_text(value))).collect(),
            other => Value::String(tag_text(other)),
        };
        (key.clone(), value)
    });
    Value::Object(kept.collect())
}

/// One tag's value as text.
pub(crate) fn tag_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_kept_as_texts_and_lists_of_texts() {
        let given = json!({"a": "b", "n": 4, "t": true, "l": ["x", 1], "o": {"k": 1}, "none": null});
        let kept = json!({"a": "b", "n": "4", "t": "true", "l": ["x", "1"], "o": "{\"k\":1}"});
        assert_eq!(tags_as_kept(&given), kept);
        assert_eq!(tags_as_kept(&json!(["no map"])), json!({}));
    }
}
