//! What a page says when it cannot be shown.

use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_api::Inside;
use helpsync_model::chain;
use helpsync_store::StoreError;
use maud::html;
use serde_json::Value;

use crate::dashboard::Dashboard;
use crate::layout;
use crate::text as t;

/// What keeps a page from being shown.
#[derive(Debug)]
pub(crate) enum Problem {
    /// Nobody is logged in: to the login page at this address.
    Login(String),
    /// What to say.
    Page { status: StatusCode, title: &'static str, text: String, dashboard: Dashboard },
}

impl Problem {
    pub(crate) fn new(dashboard: &Dashboard, status: StatusCode, text: impl Into<String>) -> Self {
        let title = match status {
            StatusCode::NOT_FOUND => t::NOT_HERE,
            StatusCode::FORBIDDEN => t::NOT_ALLOWED,
            StatusCode::TOO_MANY_REQUESTS => t::TOO_OFTEN,
            status if status.is_client_error() => t::NOT_DONE,
            _ => t::NOT_NOW,
        };
        Self::Page { status, title, text: text.into(), dashboard: dashboard.clone() }
    }

    /// An address that names nothing, or what is another organization's.
    pub(crate) fn missing(dashboard: &Dashboard) -> Self {
        Self::new(dashboard, StatusCode::NOT_FOUND, t::NOTHING_AT_ADDRESS)
    }

    /// What the API answered in place of what was asked for.
    pub(crate) fn of_answer(dashboard: &Dashboard, status: StatusCode, body: &Value) -> Self {
        Self::new(dashboard, status, t::sentence(&Inside::failure(status, body)))
    }

    /// Sessions cannot be looked up.
    pub(crate) fn of_store(dashboard: &Dashboard, error: &StoreError) -> Self {
        tracing::error!(error = chain(error), "the store failed a page");
        Self::new(dashboard, StatusCode::SERVICE_UNAVAILABLE, t::STORE_AWAY)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::Login(address) => see_other(&address),
            Self::Page { status, title, text, dashboard } => {
                let content = html! {
                    p { (text) }
                    p { a href=(dashboard.at("")) { (t::TO_START) } }
                };
                layout::alone(&dashboard, status, title, content).into_response()
            }
        }
    }
}

/// Sends the browser on, by GET.
pub(crate) fn see_other(address: &str) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(address) = HeaderValue::from_str(address) {
        headers.insert(LOCATION, address);
    }
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// What no page is at. A slash too many at the end is taken away.
pub(crate) async fn nowhere(State(dashboard): State<Dashboard>, request: Request) -> Response {
    match request.uri().path().strip_suffix('/') {
        Some(path) if request.method() == Method::GET && !path.ends_with('/') => {
            see_other(&dashboard.at(path))
        }
        _ => Problem::missing(&dashboard).into_response(),
    }
}

pub(crate) async fn no_such_method(State(dashboard): State<Dashboard>) -> Problem {
    Problem::new(&dashboard, StatusCode::METHOD_NOT_ALLOWED, t::NO_SUCH_METHOD)
}

pub(crate) fn too_many(dashboard: &Dashboard, seconds: u64) -> Response {
    let problem = Problem::new(dashboard, StatusCode::TOO_MANY_REQUESTS, t::wait(seconds));
    let mut response = problem.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
