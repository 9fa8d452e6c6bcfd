//! What every page shares, and which pages there are.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use helpsync_api::{Inside, measured};
use helpsync_model::{Clock, Entropy};
use helpsync_pages::ASSETS_POLICY;
use helpsync_store::Store;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::live::Hub;
use crate::pages::{
    audit, customer, customers, dead_letters, deliveries, files, overview, runs, settings, verify, webhooks,
};
use crate::{assets, problem, session};

/// Where the dashboard is, below the public address.
pub(crate) const PLACE: &str = "/dashboard";
/// Of answers that say none of their own.
const POLICY: HeaderValue = HeaderValue::from_static(ASSETS_POLICY);

/// What a dashboard is made of.
#[derive(Debug)]
pub struct DashboardParts {
    /// The API that it is a client of.
    pub inside: Inside,
    /// For sessions.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For what browsers hold.
    pub entropy: Arc<dyn Entropy>,
    /// The public address; may have a path prefix.
    pub public_url: Url,
    /// Ends streams.
    pub stop: CancellationToken,
}

/// The dashboard. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Dashboard {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    parts: DashboardParts,
    base: String,
    hub: Hub,
}

impl Dashboard {
    /// A dashboard that nobody looks at yet.
    #[must_use]
    pub fn new(parts: DashboardParts) -> Self {
        let base = format!("{}{PLACE}", parts.public_url.path().trim_end_matches('/'));
        Self { inner: Arc::new(Inner { parts, base, hub: Hub::default() }) }
    }

    /// Its pages, and `others` for every other address.
    pub fn router(self, others: Router) -> Router {
        let organization = Router::new()
            .route("/", get(overview::page))
            .route("/live", get(overview::live))
            .route("/customers", get(customers::page))
            .route("/customers/named", get(customers::named))
            .route("/palette", get(customers::palette))
            .route("/customers/{customer}", get(customer::page))
            .route("/customers/{customer}/live", get(customer::live))
            .route("/customers/{customer}/act/{action}", post(customer::act))
            .route(
                "/customers/{customer}/disconnect",
                get(settings::disconnect).post(settings::disconnect_now),
            )
            .route("/customers/{customer}/schedule", post(settings::schedule))
            .route("/customers/{customer}/selection", get(settings::selection).post(settings::select))
            .route("/customers/{customer}/held", get(customer::held))
            .route("/customers/{customer}/deliveries", get(deliveries::page).post(deliveries::redeliver))
            .route("/customers/{customer}/files", get(files::list))
            .route("/customers/{customer}/verify", post(verify::run))
            .route("/files/{file}", get(files::one))
            .route("/files/{file}/html", get(files::html))
            .route("/runs/{run}", get(runs::page))
            .route("/runs/{run}/live", get(runs::live))
            .route("/dead-letters", get(dead_letters::page).post(dead_letters::act))
            .route("/audit", get(audit::page))
            .route("/webhooks", get(webhooks::page))
            .route("/webhooks/{webhook}", get(webhooks::one).post(webhooks::redeliver));
        let pages = Router::new()
            .route("/", get(session::home))
            .route("/login", get(session::login_page).post(session::login))
            .route("/logout", post(session::logout))
            .route("/organizations", get(overview::organizations))
            .route("/assets/{name}", get(assets::asset))
            .nest("/o/{organization}", organization)
            .fallback(problem::nowhere)
            .method_not_allowed_fallback(problem::no_such_method)
            .layer(middleware::from_fn_with_state(self.clone(), surround));
        Router::new().nest(PLACE, measured(pages).with_state(self)).fallback_service(others)
    }

    pub(crate) fn inside(&self) -> &Inside {
        &self.inner.parts.inside
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.parts.store
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.inner.parts.entropy
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.inner.hub
    }

    pub(crate) fn stop(&self) -> &CancellationToken {
        &self.inner.parts.stop
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.parts.clock.now_ms()
    }

    /// The public address.
    pub(crate) fn public_url(&self) -> &Url {
        &self.inner.parts.public_url
    }

    /// Whether browsers reach it by TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url().scheme() == "https"
    }

    /// The address of `path` (which starts with a slash, or is empty) of the dashboard.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.inner.base)
    }
}

/// Counts requests of each address, and gives every answer the headers that pages have. What an answer says itself stays.
async fn surround(State(dashboard): State<Dashboard>, request: Request, next: Next) -> Response {
    let counted = match session::peer(&request) {
        Some(peer) => dashboard.inside().count(peer, false),
        None => Ok(()),
    };
    let mut response = match counted {
        Ok(()) => next.run(request).await,
        Err(seconds) => problem::too_many(&dashboard, seconds),
    };
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    // Not `no-referrer`: forms would be posted without their origin.
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers
        .entry(HeaderName::from_static("x-content-type-options"))
        .or_insert(HeaderValue::from_static("nosniff"));
    headers
        .entry(HeaderName::from_static("cross-origin-opener-policy"))
        .or_insert(HeaderValue::from_static("same-origin"));
    response
}
