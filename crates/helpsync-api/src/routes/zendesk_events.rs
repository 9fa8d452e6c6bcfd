//! Where Zendesk posts its signed events: a hint that an article was published or unpublished, fetched at once.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use helpsync_account::subscriptions::EVENT_TYPES;
use helpsync_model::{Timestamp, sound_json};
use helpsync_zendesk::is_signed;
use serde::Deserialize;
use serde_json::Value;

use crate::Api;
use crate::body::read;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::wire::{GenericSuccessResponse, SUCCESS};

/// An event of another time than ours by more than this is no fresh one: somebody repeats it, or a clock is wrong.
const AGE_MS_MAX: i64 = 5 * 60 * 1_000;
/// Zendesk's events have about a kilobyte.
const EVENT_BYTES_MAX: usize = 64 * 1_024;
/// The longest id of an event; Zendesk's are ULIDs.
const EVENT_ID_BYTES_MAX: usize = 128;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/integrations/zendesk/events/{endpoint}",
            Access::Open,
            "Where Zendesk posts signed events of published and unpublished articles",
            receive,
        )
        // Nobody asks for it: a run's receipt tells of it.
        .audited(false)
        .gives::<GenericSuccessResponse>(),
    ]
}

/// What is read of an event. Source:
/// <https://developer.zendesk.com/api-reference/webhooks/event-types/article-events/>.
#[derive(Deserialize)]
pub(crate) struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    id: String,
    /// A number as text; in doubt the workspace's own.
    #[serde(default)]
    brand_id: Value,
}

impl Event {
    pub(crate) fn read(body: &[u8]) -> Result<Self, ApiError> {
        let event: Self = serde_json::from_slice(&sound_json(body))
            .map_err(|error| ApiError::bad(format!("this is no event of an article: {error}")))?;
        if event.id.is_empty() || event.id.len() > EVENT_ID_BYTES_MAX {
            return Err(ApiError::bad("the event has no usable id"));
        }
        Ok(event)
    }

    pub(crate) fn article(&self) -> Result<i64, ApiError> {
        self.detail.id.parse().map_err(|_no_number: std::num::ParseIntError| {
            ApiError::bad("detail.id is not the number of an article")
        })
    }

    pub(crate) fn brand(&self) -> Option<i64> {
        match &self.detail.brand_id {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        }
    }
}

async fn receive(
    State(api): State<Api>,
    Path(endpoint): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let body = read(body, EVENT_BYTES_MAX).await?;
    let missing = || ApiError::missing("event subscription");
    // Ours are hexadecimal; anything else is no address of ours, and not worth a question to the database.
    if !endpoint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(missing());
    }
    let subscription = api.store().admin().event_subscription(&endpoint).await?.ok_or_else(missing)?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed_at = header("x-zendesk-webhook-signature-timestamp");
    // The signature before anything else: of a forged event not even the age is worth reading.
    if !is_signed(&subscription.secret, signed_at, &body, header("x-zendesk-webhook-signature")) {
        return Err(ApiError::unauthorized("the event's signature is missing or wrong"));
    }
    let age = signed_at.parse::<Timestamp>().ok().map(|at| api.now_ms().abs_diff(at.as_millisecond()));
    if age.is_none_or(|age| age > AGE_MS_MAX.unsigned_abs()) {
        return Err(ApiError::unauthorized(
            "the event is older than five minutes, or its time cannot be read",
        ));
    }
    let event = Event::read(&body)?;
    if !EVENT_TYPES.contains(&event.kind.as_str()) {
        // Not asked for, and nothing to do: an error would make Zendesk deliver it again.
        return Ok(SUCCESS);
    }
    let (article, brand) = (event.article()?, event.brand());
    let accepted = api
        .store()
        .admin()
        .accept_event(subscription.organization, subscription.connection, &event.id, article, brand)
        .await?;
    tracing::info!(connection = %subscription.connection, article, kind = event.kind, ?accepted, "zendesk event");
    api.wake();
    Ok(SUCCESS)
}
