//! Synced items: the listing, and what is asked for from it.

use axum::Json;
use axum::extract::State;
use helpsync_model::{KeyScope, Trigger};
use helpsync_store::{ItemOrder, ItemQuery, ItemsRequest, ItemsRequested};
use serde_json::Value;

use super::data_sources::own_connection;
use super::finish::start;
use super::oauth_url::check_request_id;
use crate::Api;
use crate::auth::Caller;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::data_source::{DataSource, DataSourceInput};
use crate::wire::item::{
    ExternalSourceItem, ItemId, ListDataSourceItemsRequest, ListDataSourceItemsResponse, SyncFilesRequest,
};
use crate::wire::{
    GenericSuccessResponse, LIST_MAX, OrderDir, Pagination, SOUGHT_CHARS_MAX, SUCCESS, bounded, ids, short,
};

/// The most ids of one `/integrations/files/sync`.
const CHOSEN_MAX: usize = 1_000;
/// The most articles that they may stand for: each is a request to Zendesk.
const ARTICLES_MAX: usize = 10_000;
/// The most types or formats of a filter.
const KINDS_MAX: usize = 50;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/integrations/items/sync",
            Access::Customer,
            "List the workspace anew and sync its files; only the former when it was connected with \
             sync_files_on_connection false",
            sync,
        )
        .needs(KeyScope::Sync)
        .takes::<DataSourceInput>()
        .gives::<DataSource>(),
        post("/integrations/items/sync/cancel", Access::Customer, "Stop syncing the workspace", cancel)
            .needs(KeyScope::Sync)
            .takes::<DataSourceInput>()
            .gives::<DataSource>(),
        post("/integrations/items/list", Access::Customer, "The workspace's tree", list)
            .needs(KeyScope::Read)
            .viewed()
            .takes::<ListDataSourceItemsRequest>()
            .gives::<ListDataSourceItemsResponse>(),
        post(
            "/integrations/files/sync",
            Access::Customer,
            "Sync the named articles, and all below the named sections and categories",
            sync_files,
        )
        .needs(KeyScope::Sync)
        .takes::<SyncFilesRequest>()
        .gives::<GenericSuccessResponse>(),
    ]
}

async fn sync(
    State(api): State<Api>,
    Caller(customer): Caller,
    Body(input): Body<DataSourceInput>,
) -> Result<Json<DataSource>, ApiError> {
    let connection = own_connection(&api, &customer, input.data_source_id.0).await?;
    start(&api, customer.organization, connection.id, Trigger::Request, None).await?;
    Ok(Json(api.store().admin().connection(customer.organization, connection.id).await?.into()))
}

async fn cancel(
    State(api): State<Api>,
    Caller(customer): Caller,
    Body(input): Body<DataSourceInput>,
) -> Result<Json<DataSource>, ApiError> {
    let connection = own_connection(&api, &customer, input.data_source_id.0).await?;
    api.store().admin().cancel_runs(customer.organization, connection.id).await?;
    Ok(Json(api.store().admin().connection(customer.organization, connection.id).await?.into()))
}

async fn list(
    State(api): State<Api>,
    Caller(customer): Caller,
    Viewing { viewer, .. }: Viewing,
    Body(input): Body<ListDataSourceItemsRequest>,
) -> Result<Json<ListDataSourceItemsResponse>, ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let connection = own_connection(&api, &customer, input.data_source_id.0).await?;
    let filters = input.filters.unwrap_or_default();
    let formats = bounded(filters.file_formats, "filters.file_formats", KINDS_MAX)?.unwrap_or_default();
    let kinds =
        bounded(filters.item_types, "filters.item_types", KINDS_MAX)?.filter(|kinds| !kinds.is_empty());
    let external_ids = bounded(filters.external_ids, "filters.external_ids", LIST_MAX)?;
    // What is no number names nothing.
    let external_ids =
        external_ids.map(|ids| ids.iter().filter_map(|id| id.trim().parse().ok()).collect::<Vec<i64>>());
    let named = ids(filters.ids, "filters.ids")?;
    let both = match (external_ids, named) {
        (Some(one), Some(other)) => Some(one.into_iter().filter(|id| other.contains(id)).collect()),
        (one, other) => one.or(other),
    };
    short(filters.name.as_deref(), "filters.name", SOUGHT_CHARS_MAX)?;
    let name = filters.name.filter(|name| !name.is_empty());
    let parent = input.parent_id.as_deref().map(str::trim).filter(|id| !id.is_empty()).map(str::parse);
    let nothing = (!formats.is_empty() && !formats.iter().any(|format| format == "ZENDESK"))
        || matches!(parent, Some(Err(_)));
    if nothing {
        return Ok(Json(ListDataSourceItemsResponse { items: Vec::new(), count: 0 }));
    }
    let parent = parent.and_then(Result::ok);
    // A search without a parent goes through the whole tree.
    let searching = name.is_some() || kinds.is_some() || both.is_some();
    let query = ItemQuery {
        organization: connection.organization,
        connection: connection.id,
        parent,
        roots_only: filters.root_files_only == Some(true) || (parent.is_none() && !searching),
        ids: both,
        name,
        kinds,
        starting_id: paging.starting_id,
        order: input.order_by.map_or(ItemOrder::Name, Into::into),
        descending: input.order_dir == Some(OrderDir::Desc),
        limit: paging.limit,
        offset: paging.offset,
        viewer,
    };
    let (found, count) = api.store().admin().items(&query).await?;
    let items = found.into_iter().map(|item| ExternalSourceItem::new(item, &connection)).collect();
    Ok(Json(ListDataSourceItemsResponse { items, count }))
}

async fn sync_files(
    State(api): State<Api>,
    Caller(customer): Caller,
    Body(input): Body<SyncFilesRequest>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    check_request_id(input.options.request_id.as_deref())?;
    input.options.check("")?;
    if input.ids.is_empty() || input.ids.len() > CHOSEN_MAX {
        return Err(ApiError::field("ids", format!("takes 1 to {CHOSEN_MAX} ids")));
    }
    let ids = input.ids.iter().map(item_id).collect::<Result<Vec<i64>, _>>()?;
    let connection = own_connection(&api, &customer, input.data_source_id.0).await?;
    let request = ItemsRequest {
        organization: customer.organization,
        customer: customer.id,
        connection: connection.id,
        ids,
        only_new: input.options.incremental_sync == Some(true),
        articles_max: ARTICLES_MAX,
        options: options_of(&input, &connection.sync_options),
        request_id: input.options.request_id.unwrap_or_else(|| api.fresh_id()),
        upload_id: api.fresh_id(),
    };
    match api.store().admin().request_items(&request).await? {
        ItemsRequested::Queued(articles) => {
            tracing::info!(connection = %connection.id, articles, "articles were chosen");
            api.wake();
            Ok(SUCCESS)
        }
        ItemsRequested::TooMany(articles) => Err(ApiError::field(
            "ids",
            format!(
                "stands for {articles} articles, at most {ARTICLES_MAX} can be requested at once: choose smaller folders, \
                 or sync the whole workspace with /integrations/items/sync"
            ),
        )),
    }
}

/// What the request says of its files; where it says nothing of tags or of how much is kept, the grant's word holds.
fn options_of(input: &SyncFilesRequest, grant: &Value) -> Value {
    let mut options = input.options.to_value();
    for name in [
        "tags",
        "file_sync_config",
        "chunk_size",
        "chunk_overlap",
        "skip_embedding_generation",
        "prepend_filename_to_chunks",
        "embedding_model",
    ] {
        if options[name].is_null() && !grant[name].is_null() {
            options[name] = grant[name].clone();
        }
    }
    options
}

fn item_id(requested: &ItemId) -> Result<i64, ApiError> {
    let id = match requested {
        ItemId::Number(id) => Some(*id),
        ItemId::Id(text) | ItemId::Object { id: text } => text.trim().parse().ok(),
    };
    id.filter(|id| *id > 0)
        .ok_or_else(|| ApiError::field("ids", "an id is a number, as in an item's external_id"))
}
