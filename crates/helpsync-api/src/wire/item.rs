//! Which items to sync: the tree of a help center, and picks from it.

use helpsync_store::{Connection, Item, ItemListKind, ItemOrder};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::grant::SyncOptions;
use super::{Int, OrderDir, Pagination, time, web_address};

/// One requested article, section or category: its id, or an object with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "must be an id, or an object with one")]
pub(crate) enum ItemId {
    Id(String),
    Number(i64),
    Object { id: String },
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SyncFilesRequest {
    #[schema(value_type = i64)]
    pub(crate) data_source_id: Int,
    /// Zendesk's ids, as in `external_id` of an item. A section or category stands for the articles below it.
    #[schema(min_items = 1, max_items = 1_000)]
    pub(crate) ids: Vec<ItemId>,
    #[serde(flatten)]
    pub(crate) options: SyncOptions,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
pub(crate) struct ListItemsFilters {
    pub(crate) external_ids: Option<Vec<String>>,
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) ids: Option<Vec<Int>>,
    /// Part of the name.
    pub(crate) name: Option<String>,
    /// The top of the tree only.
    pub(crate) root_files_only: Option<bool>,
    /// Only `ZENDESK` finds anything.
    #[schema(max_items = 50)]
    pub(crate) file_formats: Option<Vec<String>>,
    /// `CATEGORY`, `SECTION`, `ARTICLE`; others find nothing.
    #[schema(max_items = 50)]
    pub(crate) item_types: Option<Vec<String>>,
}

/// How items are ordered.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExternalSourceItemsOrderBy {
    Name,
    Id,
    DirectoriesFirst,
}

impl From<ExternalSourceItemsOrderBy> for ItemOrder {
    fn from(order: ExternalSourceItemsOrderBy) -> Self {
        match order {
            ExternalSourceItemsOrderBy::Name => Self::Name,
            ExternalSourceItemsOrderBy::Id => Self::Id,
            ExternalSourceItemsOrderBy::DirectoriesFirst => Self::FoldersFirst,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ListDataSourceItemsRequest {
    #[schema(value_type = i64)]
    pub(crate) data_source_id: Int,
    /// `external_id` of the parent; absent = the top, or everywhere when a name, a type or ids are asked for.
    pub(crate) parent_id: Option<String>,
    pub(crate) filters: Option<ListItemsFilters>,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<ExternalSourceItemsOrderBy>,
    pub(crate) order_dir: Option<OrderDir>,
}

/// A category, section or published article.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ExternalSourceItem {
    /// Zendesk's id as a number.
    pub id: i64,
    /// Zendesk's id: what `/integrations/files/sync` takes.
    pub external_id: String,
    /// `ZENDESK`.
    pub source: String,
    pub name: String,
    pub synced_at: String,
    pub is_selectable: Option<bool>,
    /// Whether it is a folder.
    pub is_expandable: Option<bool>,
    pub organization_id: i64,
    pub organization_supplied_user_id: String,
    pub organization_user_id: i64,
    pub organization_user_data_source_id: i64,
    /// The file, once it is synced.
    pub organization_user_file_to_sync_id: Option<i64>,
    pub parent_external_id: Option<String>,
    /// `CATEGORY`, `SECTION` or `ARTICLE`.
    pub item_type: Option<String>,
    pub root_external_id: Option<String>,
    pub external_url: Option<String>,
    /// `ZENDESK`: without it the widget takes a name with a dot for a file of another format.
    pub file_format: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

impl ExternalSourceItem {
    pub(crate) fn new(item: Item, of: &Connection) -> Self {
        Self {
            id: item.external_id,
            external_id: item.external_id.to_string(),
            source: "ZENDESK".to_owned(),
            name: item.name,
            synced_at: time(item.synced_at),
            is_selectable: Some(true),
            is_expandable: Some(item.kind != ItemListKind::Article),
            organization_id: of.organization.0,
            organization_supplied_user_id: of.customer_external_id.clone(),
            organization_user_id: of.customer.0,
            organization_user_data_source_id: of.id.0,
            organization_user_file_to_sync_id: item.file,
            parent_external_id: item.parent.map(|id| id.to_string()),
            item_type: Some(item.kind.as_str().to_owned()),
            root_external_id: item.root.map(|id| id.to_string()),
            external_url: web_address(item.external_url),
            file_format: Some("ZENDESK".to_owned()),
            created_at: time(item.created_at),
            updated_at: time(item.updated_at),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListDataSourceItemsResponse {
    pub items: Vec<ExternalSourceItem>,
    /// How many match before paging.
    pub count: i64,
}
