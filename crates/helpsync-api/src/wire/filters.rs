//! The file filters that several endpoints share.

use helpsync_store::FileFilters;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::chunk::check_model;
use super::tag_filter::{flat_tags, tag_filter};
use super::{Int, LIST_MAX, SOUGHT_CHARS_MAX, bounded, ids, short};
use crate::error::ApiError;

/// The most request or upload ids.
const REQUEST_IDS_MAX: usize = 100;

/// One value or a list of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be a text or a list of texts")]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            // An empty list is no filter.
            Self::Many(many) => many.is_empty() || many.iter().any(|one| one == wanted),
        }
    }
}

/// Which files. Absent or null conditions do not count; a condition that is not known is refused, for without it more files
/// would be meant than somebody said.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OrganizationUserFilesToSyncFilters)]
pub(crate) struct FileFiltersInput {
    /// Any of; only `ZENDESK` finds anything.
    source: Option<OneOrMany>,
    #[schema(value_type = Option<Vec<i64>>)]
    ids: Option<Vec<Int>>,
    external_file_ids: Option<Vec<String>>,
    external_urls: Option<Vec<String>>,
    /// Part of the title.
    name: Option<String>,
    #[schema(value_type = Option<Vec<i64>>)]
    organization_user_data_source_id: Option<Vec<Int>>,
    sync_statuses: Option<Vec<String>>,
    /// Part of the error; empty = files without one.
    sync_error_message: Option<String>,
    request_ids: Option<Vec<String>>,
    upload_ids: Option<Vec<String>>,
    /// Only `ARTICLE` finds anything.
    file_types_at_source: Option<Vec<String>>,
    /// All of these, each a value or a list of which one is enough; ignored when `tags_v2` is given.
    #[schema(value_type = Option<Object>)]
    tags: Option<Value>,
    /// The tag filter language, at most 3 levels.
    #[schema(value_type = Option<Object>)]
    tags_v2: Option<Value>,
    /// Articles have no parents: finds nothing.
    #[schema(value_type = Option<Vec<i64>>)]
    parent_file_ids: Option<Vec<Int>>,
    include_all_children: Option<bool>,
    root_files_only: Option<bool>,
    /// Articles have no containers: changes nothing.
    #[serde(rename = "include_containers")]
    _include_containers: Option<bool>,
    /// Records whose content was never fetched (`skip_file_processing`).
    non_synced_only: Option<bool>,
    /// Files with embeddings that one of these names stands for.
    embedding_generators: Option<Vec<String>>,
}

/// Whether types at the source leave articles out.
pub(crate) fn is_other_type(types: &[String]) -> bool {
    !types.is_empty() && !types.iter().any(|kind| kind == "ARTICLE")
}

impl FileFiltersInput {
    pub(crate) fn of_ids(
        list: Option<Vec<Int>>,
        statuses: Option<Vec<String>>,
        never_synced: Option<bool>,
    ) -> Self {
        Self { ids: list, sync_statuses: statuses, non_synced_only: never_synced, ..Self::default() }
    }

    /// As the store takes them.
    pub(crate) fn check(filters: Option<Self>) -> Result<FileFilters, ApiError> {
        let given = filters.unwrap_or_default();
        let parents = given.parent_file_ids.is_some_and(|ids| !ids.is_empty());
        let children = given.include_all_children == Some(true);
        if given.root_files_only == Some(true) && (parents || children) {
            return Err(ApiError::field(
                "filters.root_files_only",
                "cannot be combined with parent_file_ids or include_all_children",
            ));
        }
        short(given.name.as_deref(), "filters.name", SOUGHT_CHARS_MAX)?;
        short(given.sync_error_message.as_deref(), "filters.sync_error_message", SOUGHT_CHARS_MAX)?;
        let nothing = parents
            || given.source.is_some_and(|source| !source.has("ZENDESK"))
            || given.file_types_at_source.as_deref().is_some_and(is_other_type);
        for model in given.embedding_generators.iter().flatten() {
            check_model(Some(model), "filters.embedding_generators")?;
        }
        // `tags` is ignored when `tags_v2` is given.
        let tags = match tag_filter(given.tags_v2.as_ref(), "filters.tags_v2")? {
            Some(tags) => Some(tags),
            None => flat_tags(given.tags.as_ref(), "filters.tags")?,
        };
        Ok(FileFilters {
            ids: ids(given.ids, "filters.ids")?,
            external_file_ids: bounded(given.external_file_ids, "filters.external_file_ids", LIST_MAX)?,
            external_urls: bounded(given.external_urls, "filters.external_urls", LIST_MAX)?,
            name: given.name.filter(|name| !name.is_empty()),
            connections: ids(
                given.organization_user_data_source_id,
                "filters.organization_user_data_source_id",
            )?,
            statuses: bounded(given.sync_statuses, "filters.sync_statuses", LIST_MAX)?,
            error: given.sync_error_message,
            request_ids: bounded(given.request_ids, "filters.request_ids", REQUEST_IDS_MAX)?,
            upload_ids: bounded(given.upload_ids, "filters.upload_ids", REQUEST_IDS_MAX)?,
            tags,
            viewer: None,
            embedding_models: bounded(given.embedding_generators, "filters.embedding_generators", LIST_MAX)?
                .filter(|models| !models.is_empty()),
            never_synced: given.non_synced_only == Some(true),
            nothing,
        })
    }
}
