//! One POST: bounded in time and size, not redirected, to public addresses only.

use std::error::Error;
use std::time::Duration;

use helpsync_model::chain;
use helpsync_store::ClaimedDelivery;
use helpsync_telemetry::{TRACEPARENT, trace};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Response, StatusCode, redirect};
use secrecy::SecretString;
use thiserror::Error;
use tracing::Instrument as _;

use crate::address::{Guard, PrivateHost, check_url};
use crate::body::body;
use crate::signature;

/// Of an answer, so much is read, to keep the connection; a longer one costs the connection.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The answer's status is known; its body may take so long.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);
/// Open connections kept for one receiver.
const IDLE_MAX: usize = 4;

/// How to send.
#[derive(Debug, Clone)]
pub struct SenderOptions {
    /// For one delivery, from looking the name up to the answer's status.
    pub timeout: Duration,
    /// Also to private addresses.
    pub allow_private: bool,
    /// Sent with every delivery.
    pub user_agent: String,
}

/// The HTTP client could not be built.
#[derive(Debug, Error)]
#[error("cannot build the http client of webhooks")]
pub struct SenderError(#[source] reqwest::Error);

/// Why a delivery did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotDelivered {
    pub(crate) http_status: Option<u16>,
    pub(crate) error: String,
}

impl NotDelivered {
    fn without_answer(error: impl Into<String>) -> Self {
        Self { http_status: None, error: error.into() }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Sender {
    http: reqwest::Client,
    allow_private: bool,
}

impl Sender {
    pub(crate) fn new(options: &SenderOptions) -> Result<Self, SenderError> {
        let http = reqwest::Client::builder()
            .user_agent(options.user_agent.as_str())
            .timeout(options.timeout)
            .redirect(redirect::Policy::none())
            // A proxy would resolve names itself, past the guard.
            .no_proxy()
            .dns_resolver(Guard { allow_private: options.allow_private })
            .http1_only()
            .no_gzip()
            .pool_max_idle_per_host(IDLE_MAX)
            .build()
            .map_err(SenderError)?;
        Ok(Self { http, allow_private: options.allow_private })
    }

    /// Sends a delivery, signed now by each key. Only 200 means that it arrived.
    pub(crate) async fn send(
        &self,
        url: &str,
        keys: &[SecretString],
        now_ms: i64,
        delivery: &ClaimedDelivery,
    ) -> Result<(), NotDelivered> {
        // The resolver is not asked about addresses that are written as numbers.
        let url = check_url(url, self.allow_private)
            .map_err(|refused| NotDelivered::without_answer(chain(&refused)))?;
        let body = body(delivery);
        let Some(headers) = signature::headers(keys, now_ms.div_euclid(1_000), &body) else {
            return Err(NotDelivered::without_answer("the signing key cannot be read: add the webhook anew"));
        };
        let mut request = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("Helpsync-Event-Id", delivery.event.id);
        let span = tracing::info_span!("webhook", otel.kind = "client", delivery = %delivery.id);
        if let Some(parent) = &delivery.event.traceparent {
            trace::follow(&span, parent);
        }
        if let Some(own) = trace::parent_of(&span) {
            request = request.header(TRACEPARENT, own);
        }
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = request
            .body(body.sent)
            .send()
            .instrument(span)
            .await
            .map_err(|error| NotDelivered::without_answer(reason(&error)))?;
        let status = response.status();
        finish(response).await;
        if status == StatusCode::OK {
            return Ok(());
        }
        let hint = if status.is_redirection() { "redirects are not followed" } else { "only 200 counts" };
        Err(NotDelivered {
            http_status: Some(status.as_u16()),
            error: format!("it answered {}: {hint}", status.as_u16()),
        })
    }
}

/// Reads the rest, so that the connection can be used again; what it says is of no interest.
async fn finish(mut response: Response) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_BYTES_MAX {
                return;
            }
        }
    };
    // Too slow is as good as too long.
    drop(tokio::time::timeout(ANSWER_PATIENCE, reading).await);
}

/// Names what broke without quoting anything foreign.
fn reason(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(error) = cause {
        if error.is::<PrivateHost>() {
            return "the host is at a private address";
        }
        cause = error.source();
    }
    if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "cannot connect: no such host, nothing listens there, or its certificate is not valid"
    } else {
        "the connection broke off"
    }
}
