//! `/livez` and `/readyz` of processes without the API.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use helpsync_queue::Health;
use serde_json::json;

use crate::Parts;

/// Alive: the process answers. Ready: its store and its queue do.
pub(crate) fn router(parts: Parts) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(ready))
        .with_state(parts)
}

async fn ready(State(parts): State<Parts>) -> Response {
    let store = match parts.store.ping().await {
        Ok(()) => "up".to_owned(),
        Err(error) => error.to_string(),
    };
    let queue = match parts.queue.health() {
        Health::Up => "up".to_owned(),
        Health::Degraded(why) | Health::Down(why) => why,
    };
    let ready = store == "up" && queue == "up";
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "store": store, "queue": queue }))).into_response()
}
