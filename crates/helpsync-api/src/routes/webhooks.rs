//! Webhooks: where an organization's events are sent.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{KeyScope, WebhookId};
use helpsync_store::{KeyRotated, WebhookAdded, WebhookQuery};
use helpsync_webhooks::check_url;
use secrecy::{ExposeSecret, SecretString};

use crate::Api;
use crate::auth::ByKey;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, delete, post};
use crate::error::ApiError;
use crate::wire::webhook::{
    AddWebhookProps, RotateKey, RotatedKey, Webhook, WebhookNoKey, WebhookOrderByColumns, WebhookQueryInput,
    WebhookQueryResponse,
};
use crate::wire::{GenericSuccessResponse, Int, OrderDir, Pagination, SUCCESS, ids, time};

/// 32 hex digits, as Carbon's keys have.
const SIGNING_KEY_BYTES: usize = 16;
/// How long both keys sign, unless told.
const OVERLAP_HOURS: i64 = 24;
/// And at most: 30 days.
const OVERLAP_HOURS_MAX: i64 = 720;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/add_webhook", Access::Key, "Send every event of the organization to a URL, signed", add)
            .takes::<AddWebhookProps>()
            .gives::<Webhook>(),
        post("/webhooks", Access::Key, "The organization's webhooks, without their keys", list)
            .needs(KeyScope::Read)
            .takes::<WebhookQueryInput>()
            .gives::<WebhookQueryResponse>(),
        post(
            "/helpsync/v1/webhooks/{id}/rotate-key",
            Access::Key,
            "Give a webhook another signing key; the one of before signs too, for a time",
            rotate_key,
        )
        .takes::<RotateKey>()
        .gives::<RotatedKey>(),
        delete("/delete_webhook/{webhook_id}", Access::Key, "Send nothing more to a webhook", remove)
            .gives::<GenericSuccessResponse>(),
    ]
}

/// What is no number names no webhook.
pub(super) fn webhook(id: &str) -> Result<WebhookId, ApiError> {
    id.parse().map(WebhookId).or(Err(ApiError::missing("webhook")))
}

async fn add(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<AddWebhookProps>,
) -> Result<Json<Webhook>, ApiError> {
    let rules = api.options().webhooks;
    let url = input.url.trim();
    check_url(url, rules.allow_private)
        .map_err(|refused| ApiError::bad(format!("url cannot be used: {refused}")))?;
    let key = fresh_key(&api);
    match api.store().webhooks().add_webhook(organization, url, &key, rules.per_organization_max).await? {
        WebhookAdded::Added(added) => Ok(Json(Webhook {
            shown: WebhookNoKey::from(*added),
            signing_key: key.expose_secret().to_owned(),
        })),
        WebhookAdded::Known => Err(ApiError::conflict(
            "this url is a webhook already: /helpsync/v1/webhooks/{id}/rotate-key gives it a new signing key",
        )),
        WebhookAdded::Full => Err(ApiError::bad(format!(
            "an organization has at most {} webhooks: delete one first",
            rules.per_organization_max
        ))),
    }
}

async fn rotate_key(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
    Body(input): Body<RotateKey>,
) -> Result<Json<RotatedKey>, ApiError> {
    let Int(hours) = input.overlap_hours.unwrap_or(Int(OVERLAP_HOURS));
    if !(0..=OVERLAP_HOURS_MAX).contains(&hours) {
        return Err(ApiError::field("overlap_hours", format!("is 0 to {OVERLAP_HOURS_MAX}")));
    }
    let overlap = Duration::from_secs(hours.unsigned_abs() * 3_600);
    let key = fresh_key(&api);
    let rotated =
        api.store().webhooks().rotate_signing_key(organization, webhook(&id)?, &key, overlap).await?;
    let until = match rotated {
        KeyRotated::Until(until) => until,
        KeyRotated::TooSoon(until) => {
            return Err(ApiError::conflict(format!(
                "two keys of before sign still, the first until {}: rotate the key again then, or with overlap_hours 0, which \
                 ends both at once",
                time(until)
            )));
        }
    };
    Ok(Json(RotatedKey {
        signing_key: key.expose_secret().to_owned(),
        previous_key_until: (hours > 0).then(|| time(until)),
    }))
}

fn fresh_key(api: &Api) -> SecretString {
    let mut bytes = [0; SIGNING_KEY_BYTES];
    api.entropy().fill(&mut bytes);
    hex::encode(bytes).into()
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<WebhookQueryInput>,
) -> Result<Json<WebhookQueryResponse>, ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let named = ids(input.filters.unwrap_or_default().ids, "filters.ids")?;
    let query = WebhookQuery {
        organization,
        ids: named.filter(|ids| !ids.is_empty()),
        starting_id: paging.starting_id,
        by_created_at: input.order_by == Some(WebhookOrderByColumns::CreatedAt),
        descending: input.order_dir == Some(OrderDir::Desc),
        limit: paging.limit,
        offset: paging.offset,
    };
    let (found, count) = api.store().webhooks().webhooks(&query).await?;
    Ok(Json(WebhookQueryResponse { results: found.into_iter().map(WebhookNoKey::from).collect(), count }))
}

async fn remove(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    api.store().webhooks().delete_webhook(organization, webhook(&id)?).await?;
    Ok(SUCCESS)
}
