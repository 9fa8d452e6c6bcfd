//! Who asks for a page: the key that somebody logged in with, and the organization that the address names.

use axum::extract::{FromRequestParts, OriginalUri, Path, Query, RawPathParams};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use helpsync_api::Asked;
use helpsync_model::{KeyScope, OrganizationId};
use helpsync_store::{ANSWER_BYTES_MAX, ApiKey, StoreError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::dashboard::{Dashboard, PLACE};
use crate::problem::Problem;
use crate::session::secret_of;
use crate::text as t;

/// Whoever is logged in, in one organization.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// The key, in the organization that is looked at.
    pub(crate) key: ApiKey,
    /// The key's own organization.
    pub(crate) home: OrganizationId,
    /// The name of the one that is looked at.
    pub(crate) organization: String,
    /// What its browser holds.
    pub(crate) secret: SecretString,
    /// What its pages know and no other site does.
    pub(crate) token: String,
    /// What it asks for, as its browser or a proxy sent it.
    pub(crate) address: String,
    pub(crate) dashboard: Dashboard,
}

/// A part of an address.
pub(crate) fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

impl Visitor {
    pub(crate) async fn of(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Problem> {
        let (admin, away) = (dashboard.store().admin(), |error| Problem::of_store(dashboard, &error));
        let session = match secret_of(dashboard, &parts.headers) {
            None => None,
            Some(secret) => admin.session(&secret).await.map_err(away)?.map(|session| (secret, session)),
        };
        let Some((secret, session)) = session else {
            return Err(Problem::Login(dashboard.at(&login_address(parts))));
        };
        let mut key = session.key;
        admin.note_key_use(&key).await.map_err(away)?;
        let home = key.organization;
        let named = RawPathParams::from_request_parts(parts, dashboard).await.ok();
        let named = named.as_ref().and_then(|all| all.iter().find(|(name, _)| *name == "organization"));
        if let Some((_, text)) = named {
            key.organization = text.parse().map(OrganizationId).or(Err(Problem::missing(dashboard)))?;
        }
        if key.organization != home && key.scope != KeyScope::Operator {
            return Err(Problem::missing(dashboard));
        }
        let organization = match admin.organization(key.organization).await {
            Ok(found) => {
                key.viewer_required = found.viewer_required;
                found.name
            }
            Err(StoreError::NotFound(_)) => return Err(Problem::missing(dashboard)),
            Err(error) => return Err(away(error)),
        };
        let token = hex::encode(Sha256::digest(format!("form {}", secret.expose_secret())));
        let address = asked(parts).to_owned();
        Ok(Self { key, home, organization, secret, token, address, dashboard: dashboard.clone() })
    }

    /// Whether the key may do what takes `scope`. Buttons are shown by it; what is done the API decides.
    pub(crate) fn may(&self, scope: KeyScope) -> bool {
        self.key.scope.covers(scope)
    }

    /// The address of `path` (which starts with a slash) of the organization that is looked at.
    pub(crate) fn at(&self, path: &str) -> String {
        self.dashboard.at(&format!("/o/{}{path}", self.key.organization))
    }

    /// The API's answer as it comes.
    pub(crate) async fn ask_raw(&self, asked: Asked<'_>) -> Response {
        self.dashboard.inside().ask(&self.key, asked).await
    }

    /// The API's good answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&self, asked: Asked<'_>) -> Result<T, Problem> {
        let (parts, body) = self.ask_raw(asked).await.into_parts();
        let unreadable =
            || Problem::new(&self.dashboard, StatusCode::INTERNAL_SERVER_ERROR, t::ANSWER_UNREADABLE);
        let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await.or(Err(unreadable()))?;
        if !parts.status.is_success() {
            let body = serde_json::from_slice::<Value>(&bytes).unwrap_or_default();
            return Err(Problem::of_answer(&self.dashboard, parts.status, &body));
        }
        serde_json::from_slice(&bytes).map_err(|error| {
            tracing::error!(
                error = helpsync_model::chain(&error),
                "an answer of the API is not as the page expects it"
            );
            unreadable()
        })
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        self.ask(Asked { method: Method::GET, path, customer: None, body: None }).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T, Problem> {
        self.ask(Asked { method: Method::POST, path, customer: None, body: Some(body) }).await
    }

    /// As [`Visitor::ask`] for a customer.
    pub(crate) async fn for_customer<T: DeserializeOwned>(
        &self,
        customer: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, Problem> {
        self.ask(Asked { method, path, customer: Some(customer), body }).await
    }
}

/// What was asked for: within nested routers the address has lost its beginning.
fn asked(parts: &Parts) -> &str {
    let asked = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri);
    asked.path_and_query().map_or("/", PathAndQuery::as_str)
}

/// The login page, with the way back to what was asked for.
fn login_address(parts: &Parts) -> String {
    let asked = asked(parts);
    let asked = asked.strip_prefix(PLACE).unwrap_or(asked);
    if parts.method == Method::GET && asked.starts_with("/o/") {
        return format!("/login?next={}", part(asked));
    }
    "/login".to_owned()
}

/// What an address names. What it cannot name is not there.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Dashboard> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Problem> {
        let found = Path::<T>::from_request_parts(parts, dashboard).await;
        found.map(|Path(named)| Self(named)).or(Err(Problem::missing(dashboard)))
    }
}

/// What an address gives behind its question mark.
pub(crate) struct Given<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Dashboard> for Given<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Problem> {
        let given = Query::<T>::from_request_parts(parts, dashboard).await;
        let wrong = || Problem::new(dashboard, StatusCode::BAD_REQUEST, t::ADDRESS_UNREADABLE);
        given.map(|Query(given)| Self(given)).or(Err(wrong()))
    }
}

impl FromRequestParts<Dashboard> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Dashboard) -> Result<Self, Problem> {
        Self::of(parts, dashboard).await
    }
}
