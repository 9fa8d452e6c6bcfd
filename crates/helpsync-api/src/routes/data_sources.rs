//! Data sources: listing, disconnecting, tagging.

use axum::Json;
use axum::extract::State;
use helpsync_model::{ConnectionId, KeyScope, OrganizationId};
use helpsync_store::audit;
use helpsync_store::{
    Connection, ConnectionOrder, ConnectionQuery, Customer, FileFilters, FileOrder, FileQuery,
    TAGS_BYTES_MAX, TagChange, Viewer,
};
use serde_json::Value;

use super::finish::end;
use crate::Api;
use crate::auth::{ByKey, Caller, Reader};
use crate::body::{Body, Query as UrlQuery};
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::data_source::{
    ActiveIntegration, ActiveIntegrations, ActiveQuery, AddDataSourceTagsInput, DataSource, DataSourceInput,
    OrganizationUserDataSourceQueryInput, OrganizationUserDataSourceResponse, RemoveDataSourceTagsInput,
};
use crate::wire::file::{UserFile, tags_as_kept};
use crate::wire::tag_filter::tag_filter;
use crate::wire::{GenericSuccessResponse, LIST_MAX, OrderDir, Pagination, SUCCESS, bounded, ids, small};

/// Data sources, and files of each, at most: old widgets page not at all.
const ACTIVE_MAX: i64 = 250;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/user_data_sources", Access::Customer, "The customer's data sources", of_customer)
            .needs(KeyScope::Read)
            .takes::<OrganizationUserDataSourceQueryInput>()
            .gives::<OrganizationUserDataSourceResponse>(),
        post("/data_sources", Access::Key, "The organization's data sources", of_organization)
            .needs(KeyScope::Read)
            .takes::<OrganizationUserDataSourceQueryInput>()
            .gives::<OrganizationUserDataSourceResponse>(),
        get("/integrations", Access::Customer, "The customer's data sources, for old widgets", active)
            .viewed()
            .parameter("include_files", "boolean", "With files; true unless told")
            .gives::<ActiveIntegrations>(),
        post(
            "/revoke_access_token",
            Access::Customer,
            "Disconnect: the token is forgotten and revoked, syncs stop, files stay",
            disconnect,
        )
        .takes::<DataSourceInput>()
        .gives::<GenericSuccessResponse>(),
        post("/data_sources/tags/add", Access::Either, "Add tags to a data source", add_tags)
            .takes::<AddDataSourceTagsInput>()
            .gives::<DataSource>(),
        post("/data_sources/tags/remove", Access::Either, "Remove tags from a data source", remove_tags)
            .takes::<RemoveDataSourceTagsInput>()
            .gives::<DataSource>(),
    ]
}

/// A connection of the customer; another customer's is as unknown as none.
pub(super) async fn own_connection(api: &Api, customer: &Customer, id: i64) -> Result<Connection, ApiError> {
    let connection = api.store().admin().connection(customer.organization, ConnectionId(id)).await?;
    if connection.customer == customer.id { Ok(connection) } else { Err(ApiError::missing("data source")) }
}

/// A connection that the reader may see.
pub(super) async fn readable_connection(api: &Api, reader: &Reader, id: i64) -> Result<Connection, ApiError> {
    match reader {
        Reader::ByKey(organization) => {
            Ok(api.store().admin().connection(*organization, ConnectionId(id)).await?)
        }
        Reader::Caller(customer) => own_connection(api, customer, id).await,
    }
}

async fn list(
    api: &Api,
    organization: OrganizationId,
    customer: Option<&Customer>,
    input: OrganizationUserDataSourceQueryInput,
) -> Result<Json<OrganizationUserDataSourceResponse>, ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let filters = input.filters.unwrap_or_default();
    let tags = tag_filter(filters.tags.as_ref(), "filters.tags")?;
    if filters.source.as_deref().is_some_and(|source| source != "ZENDESK") {
        return Ok(Json(OrganizationUserDataSourceResponse { results: Vec::new(), count: 0 }));
    }
    let query = ConnectionQuery {
        organization,
        customer: customer.map(|customer| customer.id),
        ids: ids(filters.ids, "filters.ids")?,
        revoked: filters.revoked_access,
        starting_id: paging.starting_id,
        order: input.order_by.map_or(ConnectionOrder::UpdatedAt, Into::into),
        descending: input.order_dir == Some(OrderDir::Desc),
        limit: paging.limit,
        offset: paging.offset,
    };
    let (found, count) = api.store().admin().tagged_connections(&query, tags.as_ref()).await?;
    let results = found.into_iter().map(DataSource::from).collect();
    Ok(Json(OrganizationUserDataSourceResponse { results, count }))
}

async fn of_customer(
    State(api): State<Api>,
    Caller(customer): Caller,
    Body(input): Body<OrganizationUserDataSourceQueryInput>,
) -> Result<Json<OrganizationUserDataSourceResponse>, ApiError> {
    list(&api, customer.organization, Some(&customer), input).await
}

async fn of_organization(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<OrganizationUserDataSourceQueryInput>,
) -> Result<Json<OrganizationUserDataSourceResponse>, ApiError> {
    list(&api, organization, None, input).await
}

async fn active(
    State(api): State<Api>,
    Caller(customer): Caller,
    Viewing { viewer, .. }: Viewing,
    UrlQuery(wanted): UrlQuery<ActiveQuery>,
) -> Result<Json<ActiveIntegrations>, ApiError> {
    let query = ConnectionQuery {
        organization: customer.organization,
        customer: Some(customer.id),
        ids: None,
        revoked: Some(false),
        starting_id: 0,
        order: ConnectionOrder::CreatedAt,
        descending: false,
        limit: ACTIVE_MAX,
        offset: 0,
    };
    let (found, _) = api.store().admin().connections(&query).await?;
    let with_files = wanted.include_files.is_none_or(|text| !text.eq_ignore_ascii_case("false"));
    let mut active_integrations = Vec::new();
    for connection in found {
        let synced_files =
            if with_files { Some(newest_files(&api, &connection, viewer.clone()).await?) } else { None };
        active_integrations.push(ActiveIntegration { data_source: connection.into(), synced_files });
    }
    Ok(Json(ActiveIntegrations { active_integrations }))
}

async fn newest_files(
    api: &Api,
    connection: &Connection,
    viewer: Option<Viewer>,
) -> Result<Vec<UserFile>, ApiError> {
    let query = FileQuery {
        customer: connection.customer,
        filters: FileFilters { connections: Some(vec![connection.id.0]), viewer, ..FileFilters::default() },
        starting_id: 0,
        order: FileOrder::Id,
        descending: true,
        limit: ACTIVE_MAX,
        offset: 0,
    };
    Ok(api.store().admin().files(&query).await?.0.into_iter().map(UserFile::from).collect())
}

async fn disconnect(
    State(api): State<Api>,
    Caller(customer): Caller,
    Body(input): Body<DataSourceInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let connection = own_connection(&api, &customer, input.data_source_id.0).await?;
    end(&api, &connection).await?;
    Ok(SUCCESS)
}

async fn retag(api: &Api, reader: &Reader, id: i64, change: TagChange) -> Result<Json<DataSource>, ApiError> {
    let connection = readable_connection(api, reader, id).await?;
    audit::about(std::slice::from_ref(&connection.customer_external_id));
    api.store().admin().change_connection_tags(connection.organization, connection.id, &change).await?;
    Ok(Json(api.store().admin().connection(connection.organization, connection.id).await?.into()))
}

async fn add_tags(
    State(api): State<Api>,
    reader: Reader,
    Body(input): Body<AddDataSourceTagsInput>,
) -> Result<Json<DataSource>, ApiError> {
    small(&input.tags, "tags", TAGS_BYTES_MAX)?;
    let Value::Object(tags) = tags_as_kept(&Value::Object(input.tags)) else {
        return Err(ApiError::field("tags", "expected an object"));
    };
    retag(&api, &reader, input.data_source_id.0, TagChange::Merge(tags)).await
}

async fn remove_tags(
    State(api): State<Api>,
    reader: Reader,
    Body(input): Body<RemoveDataSourceTagsInput>,
) -> Result<Json<DataSource>, ApiError> {
    let change = if input.remove_all_tags == Some(true) {
        TagChange::Clear
    } else {
        TagChange::Remove(bounded(input.tags_to_remove, "tags_to_remove", LIST_MAX)?.unwrap_or_default())
    };
    retag(&api, &reader, input.data_source_id.0, change).await
}
