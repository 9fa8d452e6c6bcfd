//! The calling organization.

use axum::Json;
use axum::extract::State;
use helpsync_model::{EventKind, KeyScope};
use helpsync_store::OrganizationChange;

use crate::Api;
use crate::auth::ByKey;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::told::understood;
use crate::wire::organization::{OrganizationResponse, UpdateOrganizationInput};
use crate::wire::{GenericSuccessResponse, SUCCESS, small};

/// Data source types of one `/organization/update`.
const CONFIGS_MAX: usize = 100;
/// All of them together, as JSON.
const CONFIGS_BYTES_MAX: usize = 16 * 1024;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/organization", Access::Key, "The organization of the API key", organization)
            .gives::<OrganizationResponse>(),
        post(
            "/organization/update",
            Access::Key,
            "Set what holds for customers without settings of their own",
            update,
        )
        .takes::<UpdateOrganizationInput>()
        .gives::<GenericSuccessResponse>(),
        post("/organization/statistics", Access::Key, "Accepted: statistics are always current", statistics)
            .needs(KeyScope::Sync)
            // It announces, and changes nothing.
            .audited(false)
            .gives::<GenericSuccessResponse>(),
    ]
}

async fn organization(
    State(api): State<Api>,
    ByKey(id): ByKey,
) -> Result<Json<OrganizationResponse>, ApiError> {
    let organization = api.store().admin().organization(id).await?;
    let totals = api.store().admin().organization_totals(id).await?;
    Ok(Json(OrganizationResponse::new(organization, &totals)))
}

async fn update(
    State(api): State<Api>,
    ByKey(id): ByKey,
    Body(input): Body<UpdateOrganizationInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    if input.data_source_configs.as_ref().is_some_and(|configs| configs.len() > CONFIGS_MAX) {
        return Err(ApiError::field("data_source_configs", format!("holds more than {CONFIGS_MAX} types")));
    }
    let connector_settings = input.connector_settings();
    small(&connector_settings, "data_source_configs", CONFIGS_BYTES_MAX)?;
    if let Some(settings) = &connector_settings {
        understood("data_source_configs", settings);
    }
    let users = input.global_user_config.unwrap_or_default();
    let change = OrganizationChange {
        auto_sync: users.auto_sync()?,
        interval_hours: users.interval()?,
        limits: users.limits()?,
        connector_settings,
    };
    api.store().admin().update_organization(id, &change).await?;
    Ok(SUCCESS)
}

async fn statistics(
    State(api): State<Api>,
    ByKey(id): ByKey,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    api.store().admin().note_statistics(id).await?;
    api.store().webhooks().announce(id, EventKind::FileStatisticsAggregated).await?;
    Ok(SUCCESS)
}
