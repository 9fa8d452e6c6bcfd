//! HTTP as the handlers see it: a parsed request in, a whole answer out. No socket here.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

/// Query parameters or form fields, in order, decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(|text| text.parse().ok())
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// Whether a comma-separated parameter holds the word.
    pub(crate) fn lists(&self, name: &str, word: &str) -> bool {
        self.get(name).is_some_and(|text| text.split(',').any(|part| part.trim() == word))
    }

    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The same query with some parameters set anew and the rest kept.
    pub(crate) fn with(&self, set: &[(&str, &str)]) -> String {
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        out.extend_pairs(self.0.iter().filter(|(key, _)| !set.iter().any(|(name, _)| name == key)));
        out.extend_pairs(set);
        out.finish()
    }
}

/// A request to one account.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Below the account's prefix, with a leading slash.
    pub(crate) path: String,
    /// As sent.
    pub(crate) raw_query: String,
    pub(crate) query: Query,
    pub(crate) bearer: Option<String>,
    pub(crate) content_type: String,
    pub(crate) user_agent: Option<String>,
    pub(crate) body: Vec<u8>,
    /// Scheme, host, port and prefix of this account, as the client called it.
    pub(crate) base: String,
}

impl Request {
    /// Path parts, the last without `.json`.
    pub(crate) fn parts(&self) -> Vec<&str> {
        let path = self.path.strip_suffix(".json").unwrap_or(&self.path);
        path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// This address with another query.
    pub(crate) fn link(&self, query: &str) -> String {
        format!("{}{}?{query}", self.base, self.path)
    }
}

/// A whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

const JSON: &str = "application/json; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    #[expect(clippy::needless_pass_by_value, reason = "callers build the value in place")]
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self::of(status, &body)
    }

    pub(crate) fn of(status: u16, body: &impl Serialize) -> Self {
        // Our own structures of texts and numbers always serialise.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self { status, content_type: JSON.into(), headers: Vec::new(), body }
    }

    pub(crate) fn html(status: u16, page: &str) -> Self {
        Self { status, content_type: HTML.into(), headers: Vec::new(), body: page.as_bytes().to_vec() }
    }

    pub(crate) fn text(status: u16, text: &str) -> Self {
        let body = text.as_bytes().to_vec();
        Self { status, content_type: "text/plain; charset=utf-8".into(), headers: Vec::new(), body }
    }

    pub(crate) fn bytes(content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status: 200, content_type: content_type.into(), headers: Vec::new(), body }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, content_type: JSON.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn redirect(target: &str) -> Self {
        Self::html(302, "<html><body>You are being redirected.</body></html>")
            .with("location", target.to_owned())
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// This record is not there.
    pub(crate) fn no_record() -> Self {
        Self::json(404, json!({ "error": "RecordNotFound", "description": "Not found" }))
    }

    /// This path is not there, or the help center is off.
    pub(crate) fn no_endpoint() -> Self {
        Self::json(404, json!({ "error": "InvalidEndpoint", "description": "Not found" }))
    }

    /// Nobody has this subdomain. Recorded by blakmatrix/node-zendesk
    /// (test/fixtures/authentication_test_verifyUser_not_found.json).
    pub(crate) fn no_account(subdomain: &str) -> Self {
        let title = format!("No help desk at {subdomain}.zendesk.com");
        let message = "There is no help desk configured at this address. This means that the address is available and that you \
                       can claim it at http://www.zendesk.com/signup";
        Self::json(404, json!({ "error": { "title": title, "message": message } }))
    }

    pub(crate) fn forbidden() -> Self {
        let message = "You do not have access to this page. Please contact the account owner of this help desk for further help.";
        Self::json(403, json!({ "error": { "title": "Forbidden", "message": message } }))
    }

    pub(crate) fn bad_token() -> Self {
        let text = "The access token provided is expired, revoked, malformed or invalid for other reasons.";
        Self::json(401, json!({ "error": "invalid_token", "error_description": text }))
    }
}
