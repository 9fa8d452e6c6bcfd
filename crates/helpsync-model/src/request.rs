//! The message with which an upstream service asks for work; its JSON Schema is `docs/request.v1.schema.json`.

use serde::Serialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// The value of [`Request::schema`] that this version reads.
pub const REQUEST_SCHEMA: &str = "helpsync.request.v1";
/// The longest request that is read, in bytes.
pub const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// The longest name of a customer or an organization, in characters.
const NAME_CHARACTERS_MAX: usize = 255;
/// The largest integer that every reader of JSON holds exactly.
const ARTICLE_ID_MAX: i64 = 9_007_199_254_740_991;
/// Of a foreign text, so much is repeated in a reason.
const SHOWN_CHARACTERS_MAX: usize = 64;

/// What an upstream service asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Always [`REQUEST_SCHEMA`].
    pub schema: String,
    /// Whose articles.
    pub customer_id: String,
    /// The organization's name; the default organization when it is not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// What to do.
    #[serde(flatten)]
    pub action: RequestAction,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum RequestAction {
    /// Bring the customer's copy up to date.
    Sync {
        /// Read everything anew instead of what changed.
        full: bool,
    },
    /// Fetch one article now.
    ResyncArticle {
        /// Zendesk's id of the article, 1 to 2^53 - 1.
        article_id: i64,
    },
}

/// Why bytes are no request. Each is permanent: the message belongs to the dead letters with this text as the reason.
#[derive(Debug, Error)]
pub enum RequestError {
    /// Longer than a request can be.
    #[error("the request has {0} bytes, more than 16384")]
    TooLong(usize),
    /// Not JSON.
    #[error("not a request")]
    Malformed(#[from] serde_json::Error),
    /// JSON, but not an object.
    #[error("not a request: a JSON object is expected")]
    NotAnObject,
    /// Another version.
    #[error("schema {0:?} is not \"helpsync.request.v1\"")]
    Schema(String),
    /// A field that has to be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has another form; what it must be.
    #[error("{0} must be {1}")]
    Form(&'static str, &'static str),
    /// A field that this version or this action does not know.
    #[error("{0:?} is not a field of this action: take it out, or correct its name")]
    Unknown(String),
    /// An action of no version.
    #[error("action {0:?} is neither \"sync\" nor \"resync_article\"")]
    Action(String),
}

impl Request {
    /// A request of this version for the default organization.
    #[must_use]
    pub fn new(customer_id: impl Into<String>, action: RequestAction) -> Self {
        let customer_id = customer_id.into();
        Self { schema: REQUEST_SCHEMA.to_owned(), customer_id, organization: None, action }
    }

    /// Reads the JSON form. Written by hand, field by field, so that it accepts exactly what
    /// `docs/request.v1.schema.json` accepts; a property test holds the two equal.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::TooLong(bytes.len()));
        }
        let Value::Object(mut fields) = serde_json::from_slice(bytes)? else {
            return Err(RequestError::NotAnObject);
        };
        match fields.remove("schema") {
            None => return Err(RequestError::Missing("schema")),
            Some(Value::String(schema)) if schema == REQUEST_SCHEMA => {}
            Some(Value::String(schema)) => return Err(RequestError::Schema(shown(&schema))),
            Some(_) => return Err(RequestError::Form("schema", "a text")),
        }
        let customer_id = name(&mut fields, "customer_id")?.ok_or(RequestError::Missing("customer_id"))?;
        let organization = name(&mut fields, "organization")?;
        let action = match fields.remove("action") {
            None => return Err(RequestError::Missing("action")),
            Some(Value::String(action)) => match action.as_str() {
                "sync" => RequestAction::Sync { full: flag(&mut fields, "full")? },
                "resync_article" => RequestAction::ResyncArticle { article_id: article_id(&mut fields)? },
                _ => return Err(RequestError::Action(shown(&action))),
            },
            Some(_) => return Err(RequestError::Form("action", "a text")),
        };
        match fields.keys().next() {
            Some(unknown) => Err(RequestError::Unknown(shown(unknown))),
            None => Ok(Self { schema: REQUEST_SCHEMA.to_owned(), customer_id, organization, action }),
        }
    }

    /// The JSON form.
    ///
    /// # Panics
    /// Never: a struct of texts and numbers always serialises.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers serialise")
    }
}

/// As much of a foreign text as a reason may repeat.
fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARACTERS_MAX).collect()
}

fn name(fields: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>, RequestError> {
    match fields.remove(field) {
        None => Ok(None),
        Some(Value::String(text))
            if (1..=NAME_CHARACTERS_MAX).contains(&text.chars().count())
                && !text.chars().any(char::is_control) =>
        {
            Ok(Some(text))
        }
        Some(_) => Err(RequestError::Form(field, "a text of 1 to 255 characters without control characters")),
    }
}

fn flag(fields: &mut Map<String, Value>, field: &'static str) -> Result<bool, RequestError> {
    match fields.remove(field) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(RequestError::Form(field, "true or false")),
    }
}

/// JSON has one kind of number: 7.0 is the integer 7, here as in JSON Schema.
fn article_id(fields: &mut Map<String, Value>) -> Result<i64, RequestError> {
    const FIELD: &str = "article_id";
    let number = match fields.remove(FIELD) {
        None => return Err(RequestError::Missing(FIELD)),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(RequestError::Form(FIELD, "a number")),
    };
    #[expect(clippy::cast_possible_truncation, reason = "the bounds are exact in both types")]
    let whole =
        |float: f64| (float.fract() == 0.0 && float.abs() <= ARTICLE_ID_MAX as f64).then_some(float as i64);
    let id = number.as_i64().or_else(|| number.as_f64().and_then(whole));
    id.filter(|id| (1..=ARTICLE_ID_MAX).contains(id))
        .ok_or(RequestError::Form(FIELD, "an integer from 1 to 9007199254740991"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back() {
        for action in [RequestAction::Sync { full: true }, RequestAction::ResyncArticle { article_id: 7 }] {
            let request = Request::new("acme", action);
            assert_eq!(Request::from_bytes(&request.to_bytes()).unwrap(), request);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = format!(
            r#"{{"schema":"helpsync.request.v1","customer_id":"{}","action":"sync"}}"#,
            "x".repeat(300)
        );
        for (body, reason) in [
            ("{", "not a request"),
            (r#"{"schema":"helpsync.request.v2","customer_id":"a","action":"sync"}"#, "is not"),
            ("[]", "object"),
            (r#"{"schema":"helpsync.request.v1","action":"sync"}"#, "customer_id"),
            (r#"{"schema":"helpsync.request.v1","customer_id":"a","action":0}"#, "action must be a text"),
            (
                r#"{"schema":"helpsync.request.v1","customer_id":"a","action":"resync_article","article_id":0}"#,
                "1 to",
            ),
            (r#"{"schema":"helpsync.request.v1","customer_id":"","action":"sync"}"#, "1 to 255"),
            (&long, "1 to 255"),
            (r#"{"schema":"helpsync.request.v1","customer_id":"a","action":"explode"}"#, "explode"),
            (r#"{"schema":"helpsync.request.v1","customer_id":"a","action":"sync","fulll":true}"#, "fulll"),
            (r#"{"schema":"helpsync.request.v1","customer_id":"a","action":"resync_article"}"#, "article_id"),
        ] {
            let error = Request::from_bytes(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{body}: {error}");
        }
        assert!(matches!(Request::from_bytes(&[b' '; 20_000]), Err(RequestError::TooLong(20_000))));
    }
}
