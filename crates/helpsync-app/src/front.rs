//! What answers from the first moment of a process: it lives, and cannot work yet. The stores may take their time; who watches
//! the process need not guess whether it does.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Json, Response};
use helpsync_config::Settings;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::process::{Role, Tasks};
use crate::server::{self, ConnectionLimits};
use crate::{AppError, telemetry};

/// When a client may ask again that came too early, in seconds.
const AGAIN_SECONDS: &str = "1";

/// A listener that is open, and what it answers once the process can work.
#[derive(Debug, Clone)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    behind: Arc<OnceLock<Router>>,
}

impl Front {
    /// From now on this answers.
    pub(crate) fn open(&self, router: Router) {
        // A second one would be a slip of this crate; the first one stays.
        let _first = self.behind.set(router);
    }

    async fn listen(
        name: &'static str,
        (address, setting): (SocketAddr, &'static str),
        live: Value,
        limits: ConnectionLimits,
        tasks: &Tasks,
    ) -> Result<Self, AppError> {
        let (listener, address) = server::listen(address, setting).await?;
        let front = Self { address, behind: Arc::default() };
        front.serve(name, listener, live, limits, tasks);
        Ok(front)
    }

    fn serve(
        &self,
        name: &'static str,
        listener: TcpListener,
        live: Value,
        limits: ConnectionLimits,
        tasks: &Tasks,
    ) {
        let behind = Arc::clone(&self.behind);
        let router = Router::new().fallback(move |request: Request| {
            let (behind, live) = (Arc::clone(&behind), live.clone());
            async move {
                match behind.get() {
                    Some(router) => match router.clone().oneshot(request).await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    },
                    None => early(&request, live),
                }
            }
        });
        tasks.spawn(name, server::serve(listener, router, limits, tasks.stop.clone()));
    }
}

/// The answer of a process that has not started yet.
fn early(request: &Request, live: Value) -> Response {
    match request.uri().path() {
        "/livez" | "/health" => Json(live).into_response(),
        _ => {
            let why = Json(json!({ "detail": "the process is starting" }));
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, AGAIN_SECONDS)], why).into_response()
        }
    }
}

/// The listeners of a process.
#[derive(Debug)]
pub(crate) struct Fronts {
    pub(crate) api: Option<Front>,
    pub(crate) health: Option<Front>,
    pub(crate) metrics: Option<SocketAddr>,
}

impl Fronts {
    /// Opens what the role listens on.
    pub(crate) async fn of(settings: &Settings, role: Role, tasks: &Tasks) -> Result<Self, AppError> {
        let limits = ConnectionLimits {
            header_timeout: settings.api.header_timeout,
            idle_timeout: settings.api.idle_timeout,
            connections_max: settings.api.connections_max,
            per_address_max: settings.api.connections_per_address_max,
            proxies: Arc::new(settings.api.trusted_proxies.clone()),
            http2: settings.api.http2,
        };
        let mut fronts = Self { api: None, health: None, metrics: None };
        if role != Role::Worker {
            let live = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
            let at = (settings.api.listen, "HELPSYNC_API__LISTEN");
            fronts.api = Some(Front::listen("api", at, live, limits.clone(), tasks).await?);
        }
        if role != Role::All {
            let at = match role {
                Role::Worker => (settings.worker.health_listen, "HELPSYNC_WORKER__HEALTH_LISTEN"),
                _ => (settings.dispatcher.health_listen, "HELPSYNC_DISPATCHER__HEALTH_LISTEN"),
            };
            let live = json!({ "status": "alive" });
            fronts.health = Some(Front::listen("health", at, live, limits.clone(), tasks).await?);
        }
        if let Some(address) = settings.telemetry.listen {
            let (listener, bound) = server::listen(address, "HELPSYNC_TELEMETRY__LISTEN").await?;
            tracing::info!("metrics at http://{bound}/metrics");
            fronts.metrics = Some(bound);
            tasks.spawn("metrics", server::serve(listener, telemetry::router(), limits, tasks.stop.clone()));
        }
        Ok(fronts)
    }
}
