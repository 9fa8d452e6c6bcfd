//! The client: every call passes the limiter, carries a token, and stays on the workspace's own host.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use helpsync_model::http_date;
use reqwest::header::{DATE, LOCATION};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::http::{Reply, Request};
use crate::traffic::template_of;
use crate::{Endpoint, Failure, Family, Http, Permit, RateLimiter, RateReport, Throttled, TokenSource};

/// How many redirects within the workspace's own address one call follows.
pub const REDIRECTS_MAX: u32 = 3;

/// A value and what it cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    /// Bytes of the answers' bodies, decompressed.
    pub bytes: u64,
    /// When Zendesk answered by its own clock, in epoch seconds, where it tells.
    pub date: Option<i64>,
}

impl<T> Answer<T> {
    /// The same cost for another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Answer<U> {
        Answer { value: f(self.value), bytes: self.bytes, date: self.date }
    }

    pub(crate) fn try_map<U>(self, f: impl FnOnce(T) -> Result<U, Failure>) -> Result<Answer<U>, Failure> {
        Ok(Answer { value: f(self.value)?, bytes: self.bytes, date: self.date })
    }
}

/// One workspace's API. Cheap to clone.
///
/// Every method fails with a [`Failure`]; its `class()` says what to do.
#[derive(Clone)]
pub struct Client {
    http: Http,
    endpoint: Endpoint,
    limiter: Arc<dyn RateLimiter>,
    tokens: Arc<dyn TokenSource>,
    /// In the path of lists and of single articles; end users have to name one.
    locale: Option<String>,
    sent: Arc<AtomicU64>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint.base().as_str()).finish_non_exhaustive()
    }
}

/// One API call.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) json: Option<serde_json::Value>,
    /// Whether a 401 is answered by renewing the token and trying once more.
    pub(crate) renew: bool,
}

impl Client {
    /// A client of the workspace at `endpoint`.
    #[must_use]
    pub fn new(
        http: Http,
        endpoint: Endpoint,
        limiter: Arc<dyn RateLimiter>,
        tokens: Arc<dyn TokenSource>,
    ) -> Self {
        Self { http, endpoint, limiter, tokens, locale: None, sent: Arc::default() }
    }

    /// The same client, which asks for lists and single articles in this locale, or without one. End users have to name
    /// one, and then see what is translated into it:
    /// <https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/>.
    #[must_use]
    pub fn in_locale(&self, locale: Option<&str>) -> Self {
        Self { locale: locale.map(str::to_owned), ..self.clone() }
    }

    /// Requests that this client and its clones have sent since the last call of this, whatever came of them: redirects,
    /// follow-ups and the one after a renewed token included, those for tokens not.
    #[must_use]
    pub fn take_sent(&self) -> u64 {
        self.sent.swap(0, Ordering::Relaxed)
    }

    /// Counts a request.
    pub(crate) fn sends(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// The path of a resource of the help center, in the client's locale.
    pub(crate) fn localized(&self, resource: &str) -> String {
        match &self.locale {
            Some(locale) => format!("/api/v2/help_center/{locale}/{resource}"),
            None => format!("/api/v2/help_center/{resource}"),
        }
    }

    /// The workspace's address.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// GETs `path` under the endpoint; answers with the body of a 2xx.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer<Vec<u8>>, Failure> {
        let url = self.endpoint.url(path, query);
        self.call(Call { method: Method::GET, url, json: None, renew: true }).await
    }

    /// Makes a call: limiter, token, exchange, one renewal, redirects of our own host.
    pub(crate) async fn call(&self, call: Call) -> Result<Answer<Vec<u8>>, Failure> {
        let Call { method, mut url, json, renew } = call;
        let template = template_of(url.path());
        let body = json.map(|value| value.to_string().into_bytes());
        let mut token = self.tokens.token().await.map_err(Failure::Token)?;
        let (mut redirects, mut may_renew, mut bytes) = (0, renew, 0);
        loop {
            let permit = self.limiter.enter(Family::of(url.path())).await.map_err(throttled)?;
            self.sends();
            let exchange = self
                .http
                .send(Request {
                    method: method.clone(),
                    url: &url,
                    template: &template,
                    token: Some(&token),
                    body: body.clone().map(|bytes| ("application/json", bytes)),
                })
                .await;
            let after = exchange.report.retry_after;
            self.limiter.leave(permit, exchange.report).await;
            let reply = exchange.outcome?;
            bytes += reply.body.len() as u64;
            match reply.status {
                status if status.is_success() => {
                    let date = reply.headers.get(DATE).and_then(|date| http_date(date.to_str().ok()?));
                    return Ok(Answer { value: reply.body, bytes, date });
                }
                StatusCode::UNAUTHORIZED if may_renew => {
                    may_renew = false;
                    token = self.tokens.renew(&token).await.map_err(Failure::Token)?;
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    url = self.redirected(&url, &reply)?;
                    redirects += 1;
                    if redirects > REDIRECTS_MAX || method != Method::GET {
                        return Err(Failure::malformed("it redirects without end"));
                    }
                }
                status => {
                    let secret = token.expose_secret();
                    return Err(Failure::of_answer(status, &reply.headers, after, &reply.body, secret));
                }
            }
        }
    }

    pub(crate) async fn token(&self) -> Result<SecretString, Failure> {
        self.tokens.token().await.map_err(Failure::Token)
    }

    pub(crate) async fn renew(&self, token: &SecretString) -> Result<SecretString, Failure> {
        self.tokens.renew(token).await.map_err(Failure::Token)
    }

    pub(crate) async fn enter(&self, family: Family) -> Result<Permit, Failure> {
        let entered = self.limiter.enter(family).await;
        entered.map_err(throttled)
    }

    pub(crate) async fn leave(&self, permit: Permit, report: RateReport) {
        self.limiter.leave(permit, report).await;
    }

    pub(crate) async fn open(
        &self,
        url: &Url,
        token: Option<&SecretString>,
    ) -> (RateReport, Result<reqwest::Response, Failure>) {
        self.http.open(url, token).await
    }

    /// Where a redirect leads, when that is still the workspace's own address.
    fn redirected(&self, from: &Url, reply: &Reply) -> Result<Url, Failure> {
        let location = reply.headers.get(LOCATION).and_then(|value| value.to_str().ok());
        let target = location.and_then(|text| from.join(text).ok());
        match target {
            Some(url) if self.endpoint.owns(&url) => Ok(url),
            Some(url) => Err(Failure::off_host(url.host_str())),
            None => Err(Failure::malformed("it redirects nowhere")),
        }
    }
}

fn throttled(denied: Throttled) -> Failure {
    let Throttled { wait, reason, is_account } = denied;
    Failure::Throttled { wait, reason, is_account }
}
