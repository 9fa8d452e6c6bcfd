//! Whether the process lives and can work, what it is, and the document that describes it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

use crate::Api;
use crate::endpoint::{Access, Endpoint, get};
use crate::openapi;
use crate::readiness::Readiness;
use crate::wire::native::{Health, Ready};
use helpsync_pages::Page;

/// Where the dashboard is: every process that serves the API serves it too.
const DASHBOARD: &str = "/dashboard";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/health", Access::Open, "Whether the process lives", health).gives::<Health>(),
        get("/livez", Access::Open, "Whether the process lives", health).gives::<Health>(),
        get(
            "/readyz",
            Access::Open,
            "Whether the process can work: the database takes what it is told",
            ready,
        )
        .gives::<Ready>(),
        get("/openapi.json", Access::Open, "This document", document).gives::<Value>(),
        get("/", Access::Open, "What this is, for people", home).gives_text("text/html"),
    ]
}

async fn health(State(api): State<Api>) -> Json<Health> {
    Json(Health { status: "ok", version: api.options().version })
}

async fn ready(State(api): State<Api>) -> (StatusCode, Json<Ready>) {
    let parts = Readiness::of(api.store(), api.queue(), api.accounts()).await;
    let (code, status, detail) = if parts.store_is_up() {
        (StatusCode::OK, "ok", None)
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable", Some(parts.store.clone()))
    };
    (code, Json(Ready { status, version: api.options().version, parts, detail }))
}

async fn document(State(api): State<Api>) -> ([(HeaderName, HeaderValue); 1], Bytes) {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], api.document(|| openapi::document(&super::endpoints(), api.options())))
}

async fn home(State(api): State<Api>) -> Page {
    Page::good("Helpsync")
        .line("This server keeps Zendesk help center articles in step with an application.")
        .line(&format!(
            "Version {}. Applications talk to its HTTP API; people log in to the dashboard with an API key.",
            api.options().version
        ))
        .link(&api.public(DASHBOARD), "The dashboard")
        .link(&api.public("/openapi.json"), "The API's description")
        .link(&api.public("/health"), "Health")
}
