//! What can go wrong with a request, and what to do about it.

use std::time::Duration;

use helpsync_model::Timestamp;
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;
use thiserror::Error;

use crate::TokenError;

/// The least that a `Retry-After` is taken for: 0 and nonsense small values would hammer.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// The most that a `Retry-After` is taken for: a hostile value must not park an account for days.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// Before a token is asked for again whose store was away.
const STORE_AWAY_WAIT: Duration = Duration::from_secs(1);
/// Before a token is looked at again that no key opened.
const SEALED_WAIT: Duration = Duration::from_secs(30);
/// How many characters of an answer an error may quote.
const EXCERPT_CHARS_MAX: usize = 160;

/// What an answer said, cut short and cleaned, and the id that Zendesk's support asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Detail {
    /// An error code and a short text. Printable, bounded, free of tokens.
    pub excerpt: String,
    /// `x-request-id`.
    pub request_id: Option<String>,
}

impl std::fmt::Display for Detail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.excerpt.is_empty() {
            write!(f, ": {}", self.excerpt)?;
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}

/// Why a call gave no value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// 429.
    #[error("zendesk limits the rate{detail}")]
    RateLimited {
        /// `Retry-After`, clamped.
        after: Option<Duration>,
        /// What it said.
        detail: Detail,
    },
    /// 5xx, 408, 425, no connection, a timeout, a connection cut, or a proxy's page with 403.
    #[error("zendesk is not available{detail}")]
    Unavailable {
        /// `Retry-After`, clamped.
        after: Option<Duration>,
        /// What happened.
        detail: Detail,
    },
    /// 401, also after the token was renewed.
    #[error("zendesk refuses the token{0}")]
    Unauthorized(Detail),
    /// 403: scope, role, or a product switched off.
    #[error("zendesk forbids it{0}")]
    Forbidden(Detail),
    /// 404 or 410: the thing, or the whole help center. Prove the account healthy before believing it.
    #[error("zendesk finds nothing there{0}")]
    NotFound(Detail),
    /// Offset pages end at [`OFFSET_RECORDS_MAX`](crate::OFFSET_RECORDS_MAX) records.
    #[error("zendesk lists no offset page that deep{0}")]
    PaginationTooDeep(Detail),
    /// A 2xx answer that is not what the API answers: HTML, truncated JSON, a missing envelope.
    #[error("zendesk's answer is malformed{0}")]
    Malformed(Detail),
    /// The one article that was asked for cannot be read.
    #[error("the article cannot be read: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The answer is longer than the bound.
    #[error("zendesk's answer exceeds {bytes_max} bytes")]
    TooLarge {
        /// The bound.
        bytes_max: u64,
    },
    /// A link or redirect leads away from the workspace's own host. Nothing was sent there.
    #[error("zendesk's answer leads to {host:?}, which is not the workspace's own address")]
    OffHost {
        /// The other host; printable and bounded.
        host: String,
    },
    /// 402 or 423: the account is not paid for, or locked. Only its owner can change that.
    #[error("zendesk has suspended the account: it answers {status}{detail}")]
    Suspended {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: Detail,
    },
    /// Any other status: our mistake, or a state that repeating does not change.
    #[error("zendesk rejects the request with {status}{detail}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: Detail,
    },
    /// The limiter gave no budget; nothing was sent.
    #[error("no budget: {reason}")]
    Throttled {
        /// How long to wait.
        wait: Duration,
        /// Whose limit.
        reason: String,
        /// Whether it is the account's; otherwise whoever keeps the limits does not answer.
        is_account: bool,
    },
    /// There is no usable token; nothing was sent, or a refused token could not be renewed.
    #[error("no token")]
    Token(#[source] TokenError),
}

/// What the caller does about a [`Failure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Try again, not before `after` when given.
    Transient {
        /// The wait that Zendesk asked for.
        after: Option<Duration>,
    },
    /// Come back when there is budget; it is no failed attempt.
    Throttled {
        /// How long to wait.
        wait: Duration,
    },
    /// Repeating changes nothing.
    Permanent,
    /// The connection needs a new authorization.
    Unauthorized,
    /// The thing asked for is not there, if the account is healthy.
    Gone,
}

impl Failure {
    /// What to do about it.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::RateLimited { after, .. } | Self::Unavailable { after, .. } => {
                Class::Transient { after: *after }
            }
            Self::Malformed(_) => Class::Transient { after: None },
            Self::Token(TokenError::Unavailable { after, .. }) => Class::Transient { after: *after },
            Self::Token(TokenError::StoreAway(_)) => Class::Throttled { wait: STORE_AWAY_WAIT },
            Self::Token(TokenError::Sealed(_)) => Class::Throttled { wait: SEALED_WAIT },
            Self::Token(TokenError::Dead(_)) | Self::Unauthorized(_) => Class::Unauthorized,
            Self::NotFound(_) => Class::Gone,
            Self::Throttled { wait, .. } => Class::Throttled { wait: *wait },
            Self::Forbidden(_)
            | Self::PaginationTooDeep(_)
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::OffHost { .. }
            | Self::Suspended { .. }
            | Self::Rejected { .. } => Class::Permanent,
        }
    }

    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(Detail { excerpt: what.into(), request_id: None })
    }

    pub(crate) fn off_host(host: Option<&str>) -> Self {
        Self::OffHost { host: clean(host.unwrap_or("no host"), "") }
    }

    /// Reads an answer whose status is not 2xx. Status decides first; the body only refines.
    /// `after`: its `Retry-After`.
    pub(crate) fn of_answer(
        status: StatusCode,
        headers: &HeaderMap,
        after: Option<Duration>,
        body: &[u8],
        token: &str,
    ) -> Self {
        let text = String::from_utf8_lossy(body);
        let problem = Problem::read(&text);
        let detail = Detail { excerpt: clean(&problem.text, token), request_id: request_id(headers, token) };
        // An older form of the depth limit is a 429, which waiting would never cure.
        let too_deep =
            problem.text.contains("InvalidPaginationDepth") || problem.text.contains("Pagination limit");
        match status.as_u16() {
            400 | 429 if too_deep => Self::PaginationTooDeep(detail),
            401 => Self::Unauthorized(detail),
            403 if problem.is_page => Self::Unavailable { after, detail },
            403 => Self::Forbidden(detail),
            404 | 410 => Self::NotFound(detail),
            402 | 423 => Self::Suspended { status: status.as_u16(), detail },
            429 => Self::RateLimited { after, detail },
            408 | 425 | 500..=599 => Self::Unavailable { after, detail },
            status => Self::Rejected { status, detail },
        }
    }
}

/// `x-request-id`, when it is short and printable.
pub(crate) fn request_id(headers: &HeaderMap, token: &str) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    Some(clean(text, token)).filter(|id| !id.is_empty())
}

/// `Retry-After`, clamped; of several the longest. Absent or nonsense gives `None`: the caller has its own backoff.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let date = headers.get("date").and_then(|value| value.to_str().ok());
    let told = headers.get_all("retry-after").iter().filter_map(|value| value.to_str().ok());
    let wait = told.filter_map(|text| helpsync_model::retry_after(text, date, now)).max()?;
    Some(wait.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX))
}

/// The one text that Zendesk's many error shapes come to.
struct Problem {
    text: String,
    /// A page for people: it came from something in front of Zendesk.
    is_page: bool,
}

impl Problem {
    fn read(body: &str) -> Self {
        let trimmed = body.trim_start();
        if trimmed.starts_with('<') {
            return Self { text: format!("an html page of {} bytes", body.len()), is_page: true };
        }
        let Ok(value) = serde_json::from_str::<Value>(trimmed) else {
            return Self { text: body.chars().take(EXCERPT_CHARS_MAX * 2).collect(), is_page: false };
        };
        let first = value.pointer("/errors/0").unwrap_or(&Value::Null);
        let words: Vec<&str> = [
            value.get("error"),
            value.pointer("/error/title"),
            value.pointer("/error/message"),
            value.get("error_description"),
            value.get("description"),
            first.get("code"),
            first.get("title"),
            first.get("detail"),
            value.get("message"),
        ]
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
        Self { text: words.join(": "), is_page: false }
    }
}

/// Makes foreign text fit for a log: the token taken out, one line, printable, short.
pub(crate) fn clean(text: &str, token: &str) -> String {
    let text = if token.is_empty() { text.to_owned() } else { text.replace(token, "[token]") };
    let mut words = String::new();
    for c in text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }) {
        if !(c == ' ' && (words.is_empty() || words.ends_with(' '))) {
            words.push(c);
        }
    }
    let mut cut: String = words.trim_end().chars().take(EXCERPT_CHARS_MAX).collect();
    if cut.len() < words.trim_end().len() {
        cut.push('…');
    }
    cut
}
