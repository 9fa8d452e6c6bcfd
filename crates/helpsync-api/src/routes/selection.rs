//! Choosing what of a customer's help center is kept.

use axum::Json;
use axum::extract::State;
use helpsync_model::{ConnectionId, OrganizationId, SelectionFilter};
use helpsync_store::{PlaceKind, SelectionFilterChanged};

use super::sync::connected;
use crate::Api;
use crate::auth::{Caller, KeyedCaller};
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, get, post, put};
use crate::error::ApiError;
use crate::told::selected;
use crate::wire::selection::{PlacesNamed, SelectionInput, SelectionPreview, SelectionView, check_brands};

const PATH: &str = "/helpsync/v1/selection";
/// Sections, or categories, that a preview looks through: help centers have some hundreds.
const PLACES_READ_MAX: u32 = 10_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(PATH, Access::Customer, "What of the customer's help center is kept", show).gives::<SelectionView>(),
        put(
            PATH,
            Access::KeyAndCustomer,
            "Choose what of the customer's help center is kept: what is left out goes at once, and a run brings the rest",
            select,
        )
        .takes::<SelectionInput>()
        .gives::<SelectionView>(),
        post(
            "/helpsync/v1/selection/preview",
            Access::KeyAndCustomer,
            "What a selection would remove at once, and which of its ids the copy does not know; changes nothing",
            preview,
        )
        .takes::<SelectionInput>()
        .audited(false)
        .gives::<SelectionPreview>(),
    ]
}

async fn show(State(api): State<Api>, Caller(customer): Caller) -> Result<Json<SelectionView>, ApiError> {
    let connection = connected(&api, customer.organization, &customer.external_id).await?.id;
    let selection = api.store().admin().selection(customer.organization, connection).await?;
    let brands = api.store().admin().brands(customer.organization, connection).await?;
    Ok(Json(SelectionView::new(connection.0, selection, brands, None, 0)))
}

async fn select(
    State(api): State<Api>,
    KeyedCaller { customer, .. }: KeyedCaller,
    Body(input): Body<SelectionInput>,
) -> Result<Json<SelectionView>, ApiError> {
    let selection = input.check()?;
    let connection = connected(&api, customer.organization, &customer.external_id).await?.id;
    let brands = api.store().admin().brands(customer.organization, connection).await?;
    check_brands(&selection, &brands)?;
    let changed = change(&api, customer.organization, connection, &selection).await?;
    let run = changed.run.map(|requested| requested.run.0);
    Ok(Json(SelectionView::new(connection.0, selection, brands, run, changed.removed)))
}

async fn preview(
    State(api): State<Api>,
    KeyedCaller { customer, .. }: KeyedCaller,
    Body(input): Body<SelectionInput>,
) -> Result<Json<SelectionPreview>, ApiError> {
    let selection = input.check()?;
    let connection = connected(&api, customer.organization, &customer.external_id).await?.id;
    let admin = api.store().admin();
    check_brands(&selection, &admin.brands(customer.organization, connection).await?)?;
    let places =
        async |kind| admin.named_places(customer.organization, connection, kind, PLACES_READ_MAX).await;
    Ok(Json(SelectionPreview {
        would_remove: admin.would_remove(customer.organization, connection, &selection).await?,
        categories: PlacesNamed::new(&selection.categories, places(PlaceKind::Category).await?),
        sections: PlacesNamed::new(&selection.sections, places(PlaceKind::Section).await?),
    }))
}

/// Changes what a connection keeps.
pub(crate) async fn change(
    api: &Api,
    organization: OrganizationId,
    connection: ConnectionId,
    selection: &SelectionFilter,
) -> Result<SelectionFilterChanged, ApiError> {
    selected(selection);
    let (request_id, upload_id) = (api.fresh_id(), api.fresh_id());
    let admin = api.store().admin();
    let changed = admin.select(organization, connection, selection, &request_id, &upload_id).await?;
    api.wake();
    Ok(changed)
}
