//! What pages post. Only a page of the dashboard may: the browser must say that it comes from here, and the form must
//! hold what only its pages know.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{HOST, HeaderMap, ORIGIN};
use helpsync_pages::{FORM_BYTES_MAX, Fields};
use sha2::{Digest, Sha256};

use crate::dashboard::Dashboard;
use crate::problem::Problem;
use crate::text as t;
use crate::visitor::Visitor;

/// It must have arrived whole by then.
const FORM_PATIENCE: Duration = Duration::from_secs(20);
/// The field that holds what only our pages know.
pub(crate) const TOKEN: &str = "token";

/// The fields of a form that came from a page of this host.
pub(crate) async fn read(dashboard: &Dashboard, headers: &HeaderMap, body: Body) -> Result<Fields, Problem> {
    if !is_from_here(dashboard, headers) {
        return Err(from_elsewhere(dashboard));
    }
    let read = tokio::time::timeout(FORM_PATIENCE, axum::body::to_bytes(body, FORM_BYTES_MAX)).await;
    match read {
        Ok(Ok(bytes)) => Ok(Fields::parse(&bytes)),
        _ => Err(Problem::new(dashboard, StatusCode::PAYLOAD_TOO_LARGE, t::FORM_TOO_LONG)),
    }
}

/// A form of whoever is logged in.
pub(crate) struct Sent {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Fields,
}

impl FromRequest<Dashboard> for Sent {
    type Rejection = Problem;

    async fn from_request(request: Request, dashboard: &Dashboard) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let fields = read(dashboard, &parts.headers, body).await?;
        let visitor = Visitor::of(&mut parts, dashboard).await?;
        if !equal(fields.one(TOKEN).unwrap_or_default(), &visitor.token) {
            return Err(from_elsewhere(dashboard));
        }
        Ok(Self { visitor, fields })
    }
}

fn from_elsewhere(dashboard: &Dashboard) -> Problem {
    Problem::new(dashboard, StatusCode::FORBIDDEN, t::FROM_ELSEWHERE)
}

/// Takes the same time wherever they differ.
fn equal(one: &str, other: &str) -> bool {
    Sha256::digest(one) == Sha256::digest(other)
}

/// Whether the browser says that a page of this host posts. Browsers that say nothing at all are refused.
fn is_from_here(dashboard: &Dashboard, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        None | Some("same-origin") => {}
        Some(_) => return false,
    }
    match text(ORIGIN.as_str()) {
        Some(origin) => {
            let public = dashboard.public_url().origin().ascii_serialization();
            let host = text(HOST.as_str()).unwrap_or_default();
            let own = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
            origin == public || (!host.is_empty() && own == Some(host))
        }
        None => text("sec-fetch-site").is_some(),
    }
}
