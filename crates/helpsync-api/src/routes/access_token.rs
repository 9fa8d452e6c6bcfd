//! Credentials for a customer's browser, and what the widget asks first.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::json;

use crate::Api;
use crate::auth::{Caller, KeyedCaller, TokenClaim};
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::signing::Purpose;
use crate::viewer::named_segments;
use crate::wire::user::{TokenResponse, WhiteLabelingResponse};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/auth/v1/access_token",
            Access::KeyAndCustomer,
            "An access token that acts for the customer; for the reader whose segments are named, if any are",
            access_token,
        )
        .viewed()
        .gives::<TokenResponse>(),
        get("/auth/v1/white_labeling", Access::Customer, "How the widget is to look", white_labeling)
            .gives::<WhiteLabelingResponse>(),
    ]
}

async fn access_token(
    State(api): State<Api>,
    KeyedCaller { customer, key }: KeyedCaller,
    headers: HeaderMap,
) -> Result<Json<TokenResponse>, ApiError> {
    let made_for = named_segments(&headers)?;
    let life = i64::try_from(api.options().access_token_ttl.as_millis()).unwrap_or(i64::MAX);
    let claim = TokenClaim {
        o: customer.organization.0,
        c: customer.external_id,
        i: customer.id.0,
        k: key,
        v: made_for,
    };
    let access_token = api.signer().sign(Purpose::AccessToken, claim, api.now_ms().saturating_add(life));
    Ok(Json(TokenResponse { access_token, refresh_token: String::new() }))
}

async fn white_labeling(
    State(api): State<Api>,
    Caller(customer): Caller,
) -> Result<Json<WhiteLabelingResponse>, ApiError> {
    let organization = api.store().admin().organization(customer.organization).await?;
    let own = api.store().tokens().oauth_client(customer.organization).await?.is_some();
    Ok(Json(WhiteLabelingResponse {
        remove_branding: true,
        integrations: if own { json!({ "ZENDESK": true }) } else { json!({}) },
        custom_limits: customer.limits,
        connector_settings: organization.connector_settings,
    }))
}
