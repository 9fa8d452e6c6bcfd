//! The API for callers in this process, such as the dashboard: the same handlers, scopes, bounds and errors as over a
//! socket, with a key that the process vouches for instead of its secret.

use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_store::ApiKey;
use serde_json::Value;
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;

use crate::auth::Vouched;
use crate::error::ApiError;
use crate::{Api, layers, routes};

const CUSTOMER_ID: HeaderName = HeaderName::from_static("customer-id");

/// One request.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// How.
    pub method: Method,
    /// Path and query, every part percent-encoded.
    pub path: &'a str,
    /// The customer that an organization's key speaks for.
    pub customer: Option<&'a str>,
    /// The JSON body.
    pub body: Option<Value>,
}

/// The API for callers in this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Inside {
    router: Router,
    api: Api,
}

impl Inside {
    /// Every endpoint of the API.
    #[must_use]
    pub fn new(api: Api) -> Self {
        let mut router = Router::new();
        for endpoint in routes::endpoints() {
            router = router.route(endpoint.path, endpoint.route());
        }
        let router = router
            .fallback(|| async { ApiError::missing("path") })
            .layer(CatchPanicLayer::custom(layers::panicked))
            .with_state(api.clone());
        Self { router, api }
    }

    /// The answer to a request of whoever holds `key`; nobody looks whether that is still one of the store's.
    pub async fn ask(&self, key: &ApiKey, asked: Asked<'_>) -> Response {
        let body = asked.body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = asked.method;
        let Ok(uri) = asked.path.parse() else { return ApiError::missing("path").into_response() };
        *request.uri_mut() = uri;
        if let Some(customer) = asked.customer {
            let Ok(name) = HeaderValue::from_bytes(customer.as_bytes()) else {
                return ApiError::missing("customer").into_response();
            };
            request.headers_mut().insert(CUSTOMER_ID, name);
        }
        request.extensions_mut().insert(Vouched(key.clone()));
        match self.router.clone().oneshot(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    /// Counts a request of an address, with `login` a try to log in. Otherwise: seconds until there may be one.
    ///
    /// # Errors
    /// Seconds.
    pub fn count(&self, peer: IpAddr, login: bool) -> Result<(), u64> {
        let (rates, now) = (self.api.rates(), self.api.now_ms());
        let counted = rates.request(peer, now).and_then(|()| match login {
            true => rates.login(peer, now),
            false => Ok(()),
        });
        counted.map_err(|wait_ms| wait_ms.div_ceil(1_000).max(1))
    }

    /// The status and the text for people of an answer that is not good.
    #[must_use]
    pub fn failure(status: StatusCode, body: &Value) -> String {
        match &body["detail"] {
            Value::String(text) => text.clone(),
            Value::Array(wrong) => {
                let texts: Vec<&str> = wrong.iter().filter_map(|one| one["msg"].as_str()).collect();
                texts.join("; ")
            }
            _ => status.canonical_reason().unwrap_or("error").to_owned(),
        }
    }
}
