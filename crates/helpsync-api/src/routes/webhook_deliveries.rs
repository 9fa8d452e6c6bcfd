//! Deliveries to webhooks: looked at, and sent again.

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{DeliveryId, DeliveryState, KeyScope};

use super::status::rows;
use super::webhooks::webhook;
use crate::Api;
use crate::auth::ByKey;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::wire::webhook::{
    CustomerDeliveries, CustomerDeliveriesQuery, Deliveries, DeliveriesQuery, DeliveryView, Redelivered,
};
use crate::wire::{GenericSuccessResponse, SUCCESS};

/// Dead deliveries that one request sends again.
const REDELIVERED_MAX: u32 = 1_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/helpsync/v1/webhooks/{id}/deliveries",
            Access::Key,
            "A webhook's deliveries, oldest first",
            list,
        )
        .parameter("state", "string", "`pending`, `delivered` or `dead`; all unless told")
        .parameter("after", "integer", "Only ids above this")
        .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
        .gives::<Deliveries>(),
        get(
            "/helpsync/v1/customers/{customer_id}/deliveries",
            Access::Key,
            "What was sent to webhooks about a customer, the latest first",
            list_of_customer,
        )
        .parameter("after", "string", "What the part before it gave as `next`")
        .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
        .gives::<CustomerDeliveries>(),
        post(
            "/helpsync/v1/webhooks/{id}/redeliver",
            Access::Key,
            "Send dead deliveries once more: the 1,000 oldest; repeat until it answers 0",
            redeliver_dead,
        )
        .needs(KeyScope::Sync)
        .gives::<Redelivered>(),
        post(
            "/helpsync/v1/webhook-deliveries/{id}/redeliver",
            Access::Key,
            "Send a delivery once more, whatever became of it",
            redeliver,
        )
        .needs(KeyScope::Sync)
        .gives::<GenericSuccessResponse>(),
    ]
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
    Query(query): Query<DeliveriesQuery>,
) -> Result<Json<Deliveries>, ApiError> {
    let state = match query.state.as_deref().map(str::parse::<DeliveryState>) {
        None => None,
        Some(Ok(state)) => Some(state),
        Some(Err(_unknown)) => return Err(ApiError::bad("state is one of pending, delivered and dead")),
    };
    let limit = rows(query.limit);
    let after = query.after.map_or(0, |after| after.0);
    let found = api.store().webhooks().deliveries(organization, webhook(&id)?, state, after, limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|found| found == limit);
    let next = found.last().filter(|_| full).map(|last| last.id.0);
    Ok(Json(Deliveries { deliveries: found.into_iter().map(DeliveryView::from).collect(), next }))
}

async fn list_of_customer(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(customer): Path<String>,
    Query(query): Query<CustomerDeliveriesQuery>,
) -> Result<Json<CustomerDeliveries>, ApiError> {
    let customer = api.store().admin().find_customer(organization, &customer).await?;
    let customer = customer.ok_or_else(|| ApiError::missing("customer"))?.id;
    let after = match query.after.as_deref().map(CustomerDeliveries::mark) {
        None => None,
        Some(Some(mark)) => Some(mark),
        Some(None) => return Err(ApiError::bad("after is what the part before it gave as next")),
    };
    let webhooks = api.store().webhooks();
    let found = webhooks.deliveries_of_customer(organization, customer, after, rows(query.limit)).await?;
    Ok(Json(CustomerDeliveries::new(found)))
}

async fn redeliver_dead(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<Redelivered>, ApiError> {
    let redelivered =
        api.store().webhooks().redeliver_dead(organization, webhook(&id)?, REDELIVERED_MAX).await?;
    Ok(Json(Redelivered { redelivered }))
}

async fn redeliver(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let Ok(id) = id.parse() else { return Err(ApiError::missing("webhook delivery")) };
    api.store().webhooks().redeliver(organization, DeliveryId(id)).await?;
    Ok(SUCCESS)
}
