//! `/livez`, `/readyz` and `/metrics` of processes with one role.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use helpsync_api::Readiness;
use serde_json::json;

use crate::{Parts, telemetry};

/// Alive: the process answers. Ready: its store and its queue do. A coordinator that does not is told of, and no more: work
/// goes on without it.
pub(crate) fn router(parts: Parts) -> Router {
    Router::new()
        .route("/livez", get(|| async { Json(json!({ "status": "alive" })) }))
        .route("/readyz", get(ready))
        .with_state(parts)
        .merge(telemetry::router())
}

async fn ready(State(parts): State<Parts>) -> Response {
    let told = Readiness::of(&parts.store, &*parts.queue, &parts.accounts).await;
    let ready = told.store_is_up() && told.queue_is_up();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let Readiness { store, queue, coordinator } = told;
    let body = json!({ "ready": ready, "store": store, "queue": queue, "coordinator": coordinator });
    (status, Json(body)).into_response()
}
