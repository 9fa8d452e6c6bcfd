//! Reading requests: JSON bodies and query strings, with bounds, and with an error that names the field.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use helpsync_model::is_sound_json;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::Api;
use crate::audit::{self, Operation};
use crate::auth::Spoken;
use crate::error::{ApiError, Wrong};
use crate::plain::plain;

/// A body must have arrived whole by then.
const BODY_PATIENCE: Duration = Duration::from_secs(30);
/// The longest query string that is read. A code and a state have some hundred bytes.
const QUERY_BYTES_MAX: usize = 8_192;

/// A JSON body, whatever content type it is labelled with; an absent one is `{}`.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let operation = request.extensions().get::<Arc<Operation>>().cloned();
        let speaks_for_itself = request.extensions().get::<Spoken>().is_some_and(|spoken| spoken.is_customer);
        let bytes = read(request.into_body(), api.options().body_bytes_max).await?;
        let bytes = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}".as_slice() } else { &bytes };
        let value = parse(bytes)?;
        if let Some(operation) = operation {
            audit::told(&operation, speaks_for_itself, bytes);
        }
        Ok(Self(value))
    }
}

/// What a body says, or what is wrong in it and where.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // Before it is read, for the reader knows no half of a pair. No database keeps either, and nobody means them.
    if !is_sound_json(bytes) {
        return Err(ApiError::bad("a text of the body holds a NUL character, or half of a surrogate pair"));
    }
    if is_list(bytes) && !takes_lists::<T>() {
        let msg = "is a list, and must be an object".to_owned();
        return Err(ApiError::Invalid(vec![Wrong { loc: vec!["body".into()], msg, kind: "value_error" }]));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| refused::<T>(bytes, &error))?;
    reader.end().map_err(|error| ApiError::Invalid(vec![malformed(&error)]))?;
    Ok(value)
}

fn is_list(bytes: &[u8]) -> bool {
    bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

/// Whether a body of this type is a list. The reader takes a list also for an object whose fields have no names: nobody
/// means that.
fn takes_lists<T: DeserializeOwned>() -> bool {
    let of_object = serde_json::from_str::<T>("{}").map(drop);
    of_object
        .is_err_and(|error| plain(without_place(&error.to_string())) == "is an object, and must be a list")
}

/// Why a body is none. The reader takes some values for broken JSON that are only of another type than it expects: read as
/// JSON first, they are said to be that.
fn refused<T: DeserializeOwned>(
    bytes: &[u8],
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> ApiError {
    let whole = error.inner().is_syntax().then(|| serde_json::from_slice::<Value>(bytes).ok()).flatten();
    match whole.map(serde_path_to_error::deserialize::<_, T>) {
        Some(Err(typed)) => wrong("body", &typed),
        _ => wrong("body", error),
    }
}

/// A body's bytes: at most `bytes_max`, and whole in time.
pub(crate) async fn read(body: axum::body::Body, bytes_max: usize) -> Result<Bytes, ApiError> {
    match tokio::time::timeout(BODY_PATIENCE, axum::body::to_bytes(body, bytes_max)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_cut_or_too_long)) => {
            let text = format!("the body is longer than {bytes_max} bytes, or broke off");
            Err(ApiError::Plain(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Err(_elapsed) => {
            Err(ApiError::Plain(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time".to_owned()))
        }
    }
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, ApiError> {
        let text = parts.uri.query().unwrap_or_default();
        if text.len() > QUERY_BYTES_MAX {
            return Err(ApiError::bad(format!("the query string is longer than {QUERY_BYTES_MAX} bytes")));
        }
        // Every value is a text; what should be a number is read by `wire::Int`.
        let pairs = url::form_urlencoded::parse(text.as_bytes())
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        let object = Value::Object(pairs.collect());
        Ok(Self(serde_path_to_error::deserialize(object).map_err(|error| wrong("query", &error))?))
    }
}

/// What the reader says, without the line and column that it says at the end.
fn without_place(text: &str) -> &str {
    text.rsplit_once(" at line ").map_or(text, |(text, _place)| text)
}

fn malformed(error: &serde_json::Error) -> Wrong {
    let msg = format!("the body is not JSON: line {}, column {}", error.line(), error.column());
    Wrong { loc: vec!["body".into()], msg, kind: "json_invalid" }
}

fn wrong(whole: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> ApiError {
    let inner = error.inner();
    if inner.is_syntax() || inner.is_eof() {
        return ApiError::Invalid(vec![malformed(inner)]);
    }
    let mut loc = vec![Value::from(whole)];
    for segment in error.path().iter() {
        match segment {
            Segment::Seq { index } => loc.push((*index).into()),
            Segment::Map { key } => loc.push(key.as_str().into()),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let text = inner.to_string();
    let text = without_place(&text);
    let (msg, kind) = match text.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(field) => {
            loc.push(field.into());
            ("Field required".to_owned(), "missing")
        }
        None => (plain(text), "value_error"),
    };
    ApiError::Invalid(vec![Wrong { loc, msg, kind }])
}
