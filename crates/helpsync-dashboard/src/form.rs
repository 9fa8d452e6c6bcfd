//! What pages post. Only a page of the dashboard may: the browser must say that it comes from here, and the form must
//! hold what only its pages know.

use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{HOST, HeaderMap, ORIGIN};
use sha2::{Digest, Sha256};

use crate::dashboard::Dashboard;
use crate::problem::Problem;
use crate::text as t;
use crate::visitor::Visitor;

/// The longest form.
const FORM_BYTES_MAX: usize = 256 * 1_024;
/// It must have arrived whole by then.
const FORM_PATIENCE: Duration = Duration::from_secs(20);
/// Fields of a form.
const FIELDS_MAX: usize = 5_000;
/// The field that holds what only our pages know.
pub(crate) const TOKEN: &str = "token";

/// The fields of a form, in order.
#[derive(Debug)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// A form of whoever is logged in.
    pub(crate) async fn of_visitor(
        dashboard: &Dashboard,
        request: Request,
    ) -> Result<(Visitor, Self), Problem> {
        let (mut parts, form) = Self::of_anyone(dashboard, request).await?;
        let visitor = Visitor::of(&mut parts, dashboard).await?;
        if !equal(form.one(TOKEN).unwrap_or_default(), &visitor.token) {
            return Err(from_elsewhere(dashboard));
        }
        Ok((visitor, form))
    }

    /// A form of whoever is not logged in.
    pub(crate) async fn of_anyone(
        dashboard: &Dashboard,
        request: Request,
    ) -> Result<(axum::http::request::Parts, Self), Problem> {
        let (parts, body) = request.into_parts();
        if !is_from_here(dashboard, &parts.headers) {
            return Err(from_elsewhere(dashboard));
        }
        let read = tokio::time::timeout(FORM_PATIENCE, axum::body::to_bytes(body, FORM_BYTES_MAX)).await;
        let Ok(Ok(bytes)) = read else {
            return Err(Problem::new(dashboard, StatusCode::PAYLOAD_TOO_LARGE, t::FORM_TOO_LONG));
        };
        let fields = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        Ok((parts, Self(fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())))
    }

    /// The first value of a field.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of a field.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
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
