//! How customers stand, and what a person decides about one: its removals, and whether its work goes on.

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::OrganizationId;
use helpsync_store::{CustomerSort, CustomerState};

use super::status::rows;
use super::sync::{allow, connected};
use crate::Api;
use crate::auth::ByKey;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::customer_state::{
    CustomerView, Customers, CustomersQuery, HeldFileView, HeldFiles, RefusedRemovals,
};
use crate::wire::native::{After, SyncAnswer};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/helpsync/v1/customers", Access::Key, "How every customer stands, oldest first", list)
            .parameter("after", "integer", "Only ids above this; by age: only what stands behind that customer")
            .parameter("after_age", "integer", "By age: `next_age` of the page before")
            .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
            .parameter("search", "string", "Part of the customer's id or of its workspace's name")
            .parameter(
                "state",
                "string",
                "`syncing`, `ready`, `failed`, `reconnect`, `paused`, `held`, `dead_letters` or `not_connected`",
            )
            .parameter("sort", "string", "`id`, or `age`: whose copy was complete longest ago first")
            .parameter("organization_user_id", "integer", "This one only")
            .gives::<Customers>(),
        get("/helpsync/v1/customers/{customer_id}", Access::Key, "How a customer stands", show)
            .gives::<CustomerView>(),
        get(
            "/helpsync/v1/customers/{customer_id}/held",
            Access::Key,
            "Files whose removal waits for a person, oldest first",
            held,
        )
        .parameter("after", "integer", "Only ids above this")
        .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
        .gives::<HeldFiles>(),
        post(
            "/helpsync/v1/customers/{customer_id}/approve_removals",
            Access::Key,
            "Let the next run remove what is held, and start it",
            approve,
        )
        .gives::<SyncAnswer>(),
        post(
            "/helpsync/v1/customers/{customer_id}/refuse_removals",
            Access::Key,
            "Keep what is held, until a run finds it missing again",
            refuse,
        )
        .gives::<RefusedRemovals>(),
        post(
            "/helpsync/v1/customers/{customer_id}/pause",
            Access::Key,
            "Hand no work of a customer out; what is under way ends",
            pause,
        )
        .gives::<CustomerView>(),
        post(
            "/helpsync/v1/customers/{customer_id}/resume",
            Access::Key,
            "Let the work of a customer go on",
            resume,
        )
        .gives::<CustomerView>(),
    ]
}

/// The id of a full page's last row.
fn next_of(count: usize, limit: u32, last: Option<i64>) -> Option<i64> {
    last.filter(|_| u32::try_from(count).is_ok_and(|count| count == limit))
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<CustomersQuery>,
) -> Result<Json<Customers>, ApiError> {
    let limit = rows(query.limit);
    let search = query.check(organization, limit)?;
    let states = api.store().admin().search_customers(&search).await?;
    let next = next_of(states.len(), search.limit, states.last().map(|last| last.id));
    let age = |state: &CustomerState| state.workspace.as_ref().and_then(|it| it.listed_at).unwrap_or(0);
    let next_age = states.last().filter(|_| next.is_some() && search.sort == CustomerSort::Age).map(age);
    let now = api.now_ms();
    let customers = states.into_iter().map(|state| CustomerView::new(state, now)).collect();
    Ok(Json(Customers { customers, next, next_age }))
}

async fn show(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
) -> Result<Json<CustomerView>, ApiError> {
    view(&api, organization, &customer).await
}

async fn view(
    api: &Api,
    organization: OrganizationId,
    customer: &str,
) -> Result<Json<CustomerView>, ApiError> {
    let state = api.store().admin().customer_state(organization, customer).await?;
    let state = state.ok_or_else(|| ApiError::missing("customer"))?;
    Ok(Json(CustomerView::new(state, api.now_ms())))
}

async fn held(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    viewing: Viewing,
    Path(customer): Path<String>,
    Query(query): Query<After>,
) -> Result<Json<HeldFiles>, ApiError> {
    let connection = connected(&api, organization, &customer).await?;
    let (after, limit) = (query.after.map_or(0, |after| after.0), rows(query.limit));
    let files = api.store().admin().held_files(organization, connection.id, after, limit).await?;
    let next = next_of(files.len(), limit, files.last().map(|last| last.id));
    let view = |file| HeldFileView::new(file, viewing.viewer.as_ref());
    Ok(Json(HeldFiles { held: files.into_iter().map(view).collect(), next }))
}

async fn approve(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
) -> Result<Json<SyncAnswer>, ApiError> {
    let connection = connected(&api, organization, &customer).await?;
    allow(&api, organization, &connection).await
}

async fn refuse(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
) -> Result<Json<RefusedRemovals>, ApiError> {
    let connection = connected(&api, organization, &customer).await?;
    let kept = api.store().admin().refuse_removals(organization, connection.id).await?;
    Ok(Json(RefusedRemovals { kept }))
}

async fn pause(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
) -> Result<Json<CustomerView>, ApiError> {
    api.store().admin().set_customer_paused(organization, &customer, true).await?;
    view(&api, organization, &customer).await
}

async fn resume(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
) -> Result<Json<CustomerView>, ApiError> {
    api.store().admin().set_customer_paused(organization, &customer, false).await?;
    api.wake();
    view(&api, organization, &customer).await
}
