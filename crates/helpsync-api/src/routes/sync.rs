//! Starting and stopping syncs.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use helpsync_model::{ConnectionId, KeyScope, Lane, OrganizationId, RunKind, RunParams, Trigger};
use helpsync_store::audit;
use helpsync_store::{Connection, ConnectionOrder, ConnectionQuery, RunRequest};

use super::oauth_url::check_request_id;
use crate::Api;
use crate::auth::ByKey;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::wire::Int;
use crate::wire::data_source::DataSource;
use crate::wire::native::{CancelAnswer, SyncAnswer, SyncInput};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/helpsync/v1/sync", Access::Key, "Sync a customer's workspace now", sync)
            .needs(KeyScope::Sync)
            .takes::<SyncInput>()
            .gives::<SyncAnswer>(),
        post(
            "/helpsync/v1/data_sources/{data_source_id}/cancel",
            Access::Key,
            "Stop every run of a data source",
            cancel,
        )
        .needs(KeyScope::Sync)
        .gives::<CancelAnswer>(),
        post(
            "/helpsync/v1/data_sources/{data_source_id}/allow_removals",
            Access::Key,
            "Let the next run remove more than the ceiling, and start it",
            allow_removals,
        )
        .gives::<SyncAnswer>(),
    ]
}

async fn sync(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<SyncInput>,
) -> Result<Json<SyncAnswer>, ApiError> {
    check_request_id(input.request_id.as_deref())?;
    let connection = meant(&api, organization, input.customer_id.as_deref(), input.data_source_id).await?;
    let kind = (input.full == Some(true)).then_some(RunKind::Full);
    request(&api, organization, &connection, kind, input.request_id, RunParams::default()).await
}

pub(super) async fn request(
    api: &Api,
    organization: OrganizationId,
    connection: &Connection,
    kind: Option<RunKind>,
    request_id: Option<String>,
    params: RunParams,
) -> Result<Json<SyncAnswer>, ApiError> {
    let request_id = request_id.unwrap_or_else(|| api.fresh_id());
    let run_request = RunRequest {
        connection: connection.id,
        kind,
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: request_id.clone(),
        upload_id: api.fresh_id(),
        params,
    };
    let requested = api.store().admin().request_run(organization, &run_request).await?;
    api.wake();
    Ok(Json(SyncAnswer {
        run_id: requested.run.0,
        data_source_id: connection.id.0,
        customer_id: connection.customer_external_id.clone(),
        workspace: connection.subdomain.clone(),
        created: requested.created,
        serves: requested.serves,
        request_id,
    }))
}

/// The data source that a request means.
pub(super) async fn meant(
    api: &Api,
    organization: OrganizationId,
    customer: Option<&str>,
    data_source: Option<Int>,
) -> Result<Connection, ApiError> {
    match (data_source, customer) {
        (Some(id), None) => of_id(api, organization, ConnectionId(id.0)).await,
        (None, Some(customer)) => connected(api, organization, customer).await,
        _ => Err(ApiError::bad("send either customer_id or data_source_id")),
    }
}

/// The data source with this id: whatever is done to it is done to its customer.
async fn of_id(api: &Api, organization: OrganizationId, id: ConnectionId) -> Result<Connection, ApiError> {
    let connection = api.store().admin().connection(organization, id).await?;
    audit::about(std::slice::from_ref(&connection.customer_external_id));
    Ok(connection)
}

/// The one connection of a customer.
pub(super) async fn connected(
    api: &Api,
    organization: OrganizationId,
    name: &str,
) -> Result<Connection, ApiError> {
    let customer = api.store().admin().find_customer(organization, name).await?;
    let customer = customer.ok_or_else(|| ApiError::missing("customer"))?;
    let query = ConnectionQuery {
        organization,
        customer: Some(customer.id),
        ids: None,
        revoked: Some(false),
        starting_id: 0,
        order: ConnectionOrder::UpdatedAt,
        descending: true,
        limit: 1,
        offset: 0,
    };
    let (found, _) = api.store().admin().connections(&query).await?;
    let missing = || ApiError::conflict(format!("customer {name:?} has no connected workspace"));
    found.into_iter().next().ok_or_else(missing)
}

/// The data source that a path names.
async fn named(api: &Api, organization: OrganizationId, id: &str) -> Result<Connection, ApiError> {
    // What is no number names no data source.
    let Ok(id) = id.parse() else { return Err(ApiError::missing("data source")) };
    of_id(api, organization, ConnectionId(id)).await
}

async fn cancel(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<CancelAnswer>, ApiError> {
    let connection = named(&api, organization, &id).await?;
    api.store().admin().cancel_runs(organization, connection.id).await?;
    let data_source = DataSource::from(api.store().admin().connection(organization, connection.id).await?);
    Ok(Json(CancelAnswer { data_source }))
}

async fn allow_removals(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<SyncAnswer>, ApiError> {
    let connection = named(&api, organization, &id).await?;
    allow(&api, organization, &connection).await
}

/// Lets go what is held now, and starts the run that removes it.
pub(crate) async fn allow(
    api: &Api,
    organization: OrganizationId,
    connection: &Connection,
) -> Result<Json<SyncAnswer>, ApiError> {
    if api.store().admin().allow_removals(organization, connection.id).await? == 0 {
        let told = "no removal is held: there is nothing to approve".to_owned();
        return Err(ApiError::Plain(StatusCode::CONFLICT, told));
    }
    // Only a run that compares the whole listing can remove what is held back.
    request(api, organization, connection, None, None, RunParams::audit()).await
}
