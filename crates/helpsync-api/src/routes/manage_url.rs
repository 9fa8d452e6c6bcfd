//! `POST /helpsync/v1/manage_url`: where a customer's administrator sees and changes what is synced.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use helpsync_store::SIGNED_FOR_MAX;

use crate::Api;
use crate::auth::Speaker;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::pages::manage_link;
use crate::wire::Int;
use crate::wire::branding::{ManageUrl, ManageUrlInput};

/// How long the page is good for when the request does not say, in seconds.
const LIFE_DEFAULT: u64 = 3_600;
/// The longest that it can be.
const LIFE_MAX: u64 = SIGNED_FOR_MAX.as_secs();
const LIFE_MIN: u64 = 60;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/helpsync/v1/manage_url",
            Access::Customer,
            "A page on which the customer's administrator sees what is synced, changes it, syncs and disconnects. Whoever \
             has its address may do so, until it ends or the API key is revoked",
            manage_url,
        )
        .audited(false)
        .takes::<ManageUrlInput>()
        .gives::<ManageUrl>(),
    ]
}

async fn manage_url(
    State(api): State<Api>,
    Speaker { customer, key, .. }: Speaker,
    Body(input): Body<ManageUrlInput>,
) -> Result<Json<ManageUrl>, ApiError> {
    let seconds = match input.expires_in_seconds {
        None => LIFE_DEFAULT,
        Some(Int(seconds)) => u64::try_from(seconds)
            .ok()
            .filter(|seconds| (LIFE_MIN..=LIFE_MAX).contains(seconds))
            .ok_or_else(|| ApiError::field("expires_in_seconds", format!("is {LIFE_MIN} to {LIFE_MAX}")))?,
    };
    let life = Duration::from_secs(seconds);
    let manage_url = manage_link(&api, &customer, key, life).await?;
    Ok(Json(ManageUrl { manage_url, expires_at: crate::wire::time(api.ends_in(life)) }))
}
