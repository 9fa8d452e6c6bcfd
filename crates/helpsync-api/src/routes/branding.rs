//! What an organization's pages show and allow.

use axum::Json;
use axum::extract::State;
use helpsync_model::{KeyScope, OrganizationId};

use super::api_keys::organization_named;
use crate::Api;
use crate::auth::Keyed;
use crate::body::{Body, Query};
use crate::endpoint::{Access, Endpoint, get, put};
use crate::error::ApiError;
use crate::wire::branding::{BrandingInput, BrandingQuery, BrandingView};

const PATH: &str = "/helpsync/v1/branding";
const ABOUT: &str = "Another organization's name, with an operator's key";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(PATH, Access::Key, "What the organization's pages show and allow", show)
            .needs(KeyScope::Admin)
            .parameter("organization", "string", ABOUT)
            .gives::<BrandingView>(),
        put(
            PATH,
            Access::Key,
            "Set what the organization's pages show and allow; what is left out stays as it is",
            set,
        )
        .parameter("organization", "string", ABOUT)
        .takes::<BrandingInput>()
        .gives::<BrandingView>(),
    ]
}

async fn meant(
    api: &Api,
    caller: &helpsync_store::ApiKey,
    query: &BrandingQuery,
) -> Result<OrganizationId, ApiError> {
    match &query.organization {
        None => Ok(caller.organization),
        Some(name) => organization_named(api, caller, name).await,
    }
}

async fn show(
    State(api): State<Api>,
    Keyed(caller): Keyed,
    Query(query): Query<BrandingQuery>,
) -> Result<Json<BrandingView>, ApiError> {
    let organization = meant(&api, &caller, &query).await?;
    let (name, branding) = api.store().admin().branding(organization).await?;
    Ok(Json(BrandingView::new(name, branding)))
}

async fn set(
    State(api): State<Api>,
    Keyed(caller): Keyed,
    Query(query): Query<BrandingQuery>,
    Body(input): Body<BrandingInput>,
) -> Result<Json<BrandingView>, ApiError> {
    let organization = meant(&api, &caller, &query).await?;
    let changed = api.store().admin().change_branding(organization, |before| input.over(before)).await?;
    let (name, branding) = changed?;
    tracing::info!(%organization, "how an organization's pages look was changed");
    Ok(Json(BrandingView::new(name, branding)))
}
