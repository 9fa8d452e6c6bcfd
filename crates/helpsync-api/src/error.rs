//! The one error envelope: `{"detail": text}`, or for 422 `{"detail": [{"loc", "msg", "type"}]}`.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use helpsync_account::AccountError;
use helpsync_model::chain;
use helpsync_store::{ANSWER_BYTES_MAX, Entity, StoreError};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// What a client that was told "not now" should wait, in seconds.
const RETRY_SECONDS: &str = "5";

/// What was wrong with one part of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Wrong {
    /// Where: `body`, `query` or `header`, then the way down.
    #[schema(value_type = Vec<Value>)]
    pub(crate) loc: Vec<Value>,
    /// What, for people.
    pub(crate) msg: String,
    /// What, for programs.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

/// An answer outside 2xx.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 4xx or 503 with a text that says what to do.
    Plain(StatusCode, String),
    /// 422.
    Invalid(Vec<Wrong>),
    /// 429 of who has asked for more than its share of requests; whole seconds until it may ask again.
    TooMany(u64),
    /// Our fault or the database's; told apart by status, never by text.
    Store(StoreError),
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Detail {
    /// What went wrong and what to do.
    pub(crate) detail: String,
}

/// The form of 422.
#[derive(Serialize, ToSchema)]
pub(crate) struct ValidationError {
    pub(crate) detail: Vec<Wrong>,
}

impl ApiError {
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::BAD_REQUEST, text.into())
    }

    pub(crate) fn unauthorized(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::UNAUTHORIZED, text.into())
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::FORBIDDEN, text.into())
    }

    pub(crate) fn missing(what: &str) -> Self {
        Self::Plain(StatusCode::NOT_FOUND, format!("{what} not found"))
    }

    pub(crate) fn gone(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::GONE, text.into())
    }

    pub(crate) fn conflict(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::CONFLICT, text.into())
    }

    pub(crate) fn unavailable(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::SERVICE_UNAVAILABLE, text.into())
    }

    pub(crate) fn throttled(text: impl Into<String>) -> Self {
        Self::Plain(StatusCode::TOO_MANY_REQUESTS, text.into())
    }

    /// One field of the body is wrong.
    pub(crate) fn field(field: &str, msg: impl Into<String>) -> Self {
        let loc = std::iter::once("body").chain(field.split('.')).map(Value::from).collect();
        Self::Invalid(vec![Wrong { loc, msg: msg.into(), kind: "value_error" }])
    }

    /// The text for people, for answers that are pages.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Plain(_, text) => text.clone(),
            Self::Invalid(wrong) => {
                wrong.iter().map(|wrong| wrong.msg.clone()).collect::<Vec<_>>().join("; ")
            }
            Self::TooMany(seconds) => format!("too many requests: try again in {seconds} s"),
            Self::Store(error) => store_answer(error).1,
        }
    }

    /// The member of the body that is wrong, the first of several.
    pub(crate) fn wrong_member(&self) -> Option<&str> {
        match self {
            Self::Invalid(wrong) => wrong.first()?.loc.get(1)?.as_str(),
            Self::Plain(..) | Self::TooMany(_) | Self::Store(_) => None,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Plain(status, _) => *status,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Store(error) => store_answer(error).0,
        }
    }
}

/// What is said instead of an answer that is longer than one may be.
pub(crate) fn answer_too_long() -> String {
    format!("the answer would be longer than {ANSWER_BYTES_MAX} bytes: ask for fewer rows at once")
}

/// The answer of a store error. What the database said stays in the log.
fn store_answer(error: &StoreError) -> (StatusCode, String) {
    match error {
        StoreError::NotFound(Entity::ActiveConnection) => (
            StatusCode::CONFLICT,
            "the workspace is disconnected, or its grant has ended: connect it again with /integrations/oauth_url"
                .to_owned(),
        ),
        // Of a listing: the one who asks can ask for less of it.
        StoreError::TooLarge { bytes_max: ANSWER_BYTES_MAX, .. } => (StatusCode::BAD_REQUEST, answer_too_long()),
        StoreError::TooLarge { .. } => (StatusCode::BAD_REQUEST, error.to_string()),
        StoreError::NotFound(what) => (StatusCode::NOT_FOUND, format!("{what} not found")),
        StoreError::Unavailable(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the database is unavailable for the moment: try again".to_owned())
        }
        // Of a listing too, so what is asked again as it is takes as long again.
        StoreError::TooSlow(_) => (
            StatusCode::BAD_REQUEST,
            "finding these took too long and was ended: ask with fewer conditions, or by ids".to_owned(),
        ),
        StoreError::Text(_) => (
            StatusCode::BAD_REQUEST,
            "a text of the request holds characters that are none, or is too long".to_owned(),
        ),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal error: see the server's log".to_owned()),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Store(error) => Self::Store(error),
            AccountError::NoApp | AccountError::AppGone(_) => Self::bad(error.to_string()),
            AccountError::Endpoint(_) => {
                tracing::error!(error = chain(&error), "no address for the workspace");
                Self::Plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "zendesk.base_url does not fit: see the server's log".to_owned(),
                )
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::Store(error) = &self
            && status.is_server_error()
        {
            // A store that is away is told of once, by whoever finds it first; what it refuses is a fault of ours.
            if error.is_transient() {
                tracing::debug!(error = chain(error), "the store is away for a request");
            } else {
                tracing::error!(error = chain(error), "the store failed a request");
            }
        }
        let wait = match &self {
            Self::TooMany(seconds) => Some(*seconds),
            _ => None,
        };
        let mut response = match self {
            Self::Invalid(detail) => (status, Json(ValidationError { detail })).into_response(),
            other => (status, Json(Detail { detail: other.text() })).into_response(),
        };
        let headers = response.headers_mut();
        if let Some(seconds) = wait {
            headers.insert(RETRY_AFTER, axum::http::HeaderValue::from(seconds));
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, axum::http::HeaderValue::from_static(RETRY_SECONDS));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
