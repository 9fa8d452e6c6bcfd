//! One HTTP exchange: bounded in time and size, never redirected behind our back.

use std::borrow::Cow;
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{Clock, SystemClock, chain, sound_json};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;
use url::Url;

use crate::bounded_body::Body;
use crate::guard::{Guard, OutOfReach, Reach};
use crate::traffic::{ATTACHMENT, Exchanging};
use crate::{Detail, Failure, RateReport};

/// The longest answer that is kept by default, in decompressed bytes: a page of 1,000 articles is some 8 MB.
pub const BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The most headers of an answer; proxies and cookies make more than the hundred that HTTP clients are content with.
pub const HEADERS_MAX: usize = 1_000;
/// And all of them together over HTTP/2, in bytes. HTTP/1 has a bound of its own, some 400 KB.
const HEADER_BYTES_MAX: u32 = 256 * 1024;

/// How to speak HTTP.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Sent with every request; Zendesk's edge dislikes requests without one.
    pub user_agent: String,
    /// To open a connection.
    pub connect_timeout: Duration,
    /// For a whole exchange, body included.
    pub request_timeout: Duration,
    /// The longest answer that is kept, in decompressed bytes; long texts are cut out of a longer one.
    pub body_bytes_max: u64,
    /// Whether workspaces may be at private addresses: only where their base URL is on this machine.
    pub allow_private: bool,
    /// Dates are measured from its time where an answer does not tell its own.
    pub clock: Arc<dyn Clock>,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("helpsync/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            body_bytes_max: BODY_BYTES_MAX,
            allow_private: false,
            clock: Arc::new(SystemClock),
        }
    }
}

/// The HTTP client could not be built: a user agent that is no header value, or no TLS roots.
#[derive(Debug, Error)]
#[error("cannot build the http client")]
pub struct HttpError(#[source] reqwest::Error);

/// A pool of connections. Cheap to clone; make one per process.
#[derive(Debug, Clone)]
pub struct Http {
    /// For https: honours the system's proxy settings.
    outside: reqwest::Client,
    /// For plain http, which is only ever loopback: a proxy would see the tokens.
    loopback: reqwest::Client,
    /// Of the client for https.
    reach: Reach,
    body_bytes_max: u64,
    clock: Arc<dyn Clock>,
}

/// What is sent.
pub(crate) struct Request<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a Url,
    /// Its endpoint ([`template_of`](crate::traffic::template_of)), also where a redirect leads elsewhere.
    pub(crate) template: &'a str,
    pub(crate) token: Option<&'a SecretString>,
    /// Media type and bytes.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
}

/// A whole answer, whatever its status.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// The end of an exchange: what the headers said survives a body that broke off.
pub(crate) struct Exchange {
    pub(crate) report: RateReport,
    pub(crate) outcome: Result<Reply, Failure>,
}

impl Http {
    /// Builds the pool.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn new(options: HttpOptions) -> Result<Self, HttpError> {
        let HttpOptions {
            user_agent,
            connect_timeout,
            request_timeout,
            body_bytes_max,
            allow_private,
            clock,
        } = options;
        let reach = if allow_private { Reach::Anywhere } else { Reach::Public };
        let builder = || {
            let mut headers = HeaderMap::new();
            // Without it Zendesk answers some errors as text.
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            reqwest::Client::builder()
                .user_agent(user_agent.as_str())
                .default_headers(headers)
                .connect_timeout(connect_timeout)
                .timeout(request_timeout)
                .redirect(redirect::Policy::none())
                .http1_max_headers(HEADERS_MAX)
                .http2_max_header_list_size(HEADER_BYTES_MAX)
                .gzip(true)
        };
        Ok(Self {
            outside: builder().https_only(true).dns_resolver(Guard::new(reach)).build().map_err(HttpError)?,
            loopback: builder()
                .no_proxy()
                .dns_resolver(Guard::new(Reach::Loopback))
                .build()
                .map_err(HttpError)?,
            reach,
            body_bytes_max,
            clock,
        })
    }

    /// The client for an address, if it may be asked at all.
    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, Failure> {
        let (client, reach) = match url.scheme() {
            "http" => (&self.loopback, Reach::Loopback),
            _ => (&self.outside, self.reach),
        };
        if reach.admits_host(url) { Ok(client) } else { Err(out_of_reach()) }
    }

    /// GETs, with a token where one is given; the body is the caller's to read.
    pub(crate) async fn open(
        &self,
        url: &Url,
        token: Option<&SecretString>,
    ) -> (RateReport, Result<reqwest::Response, Failure>) {
        let client = match self.client_for(url) {
            Ok(client) => client,
            Err(refused) => return (RateReport::default(), Err(refused)),
        };
        let mut request = client.get(url.clone()).header(ACCEPT, "*/*");
        if let Some(token) = token {
            let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())) else {
                let detail = Detail { excerpt: "the token is no header value".to_owned(), request_id: None };
                return (RateReport::default(), Err(Failure::Unauthorized(detail)));
            };
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let exchanging = Exchanging::begin(&Method::GET, ATTACHMENT);
        match request.send().await {
            Ok(response) => {
                let report = self.report(&response);
                exchanging.end(report.status);
                (report, Ok(response))
            }
            Err(error) => {
                exchanging.end(None);
                (RateReport::default(), Err(no_answer(error)))
            }
        }
    }

    pub(crate) async fn send(&self, request: Request<'_>) -> Exchange {
        let client = match self.client_for(request.url) {
            Ok(client) => client,
            Err(refused) => return Exchange { report: RateReport::default(), outcome: Err(refused) },
        };
        let exchanging = Exchanging::begin(&request.method, request.template);
        let mut builder = client.request(request.method, request.url.clone());
        if let Some(token) = request.token {
            let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())) else {
                let detail = Detail { excerpt: "the token is no header value".to_owned(), request_id: None };
                return Exchange {
                    report: RateReport::default(),
                    outcome: Err(Failure::Unauthorized(detail)),
                };
            };
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
        if let Some((media_type, bytes)) = request.body {
            builder = builder.header(CONTENT_TYPE, media_type).body(bytes);
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => {
                exchanging.end(None);
                return Exchange { report: RateReport::default(), outcome: Err(no_answer(error)) };
            }
        };
        let report = self.report(&response);
        let outcome = self.read(response).await;
        exchanging.end(report.status);
        Exchange { report, outcome }
    }

    fn report(&self, response: &reqwest::Response) -> RateReport {
        RateReport::read(response.status().as_u16(), response.headers(), self.clock.now())
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Reply, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Body::new(usize::try_from(self.body_bytes_max).unwrap_or(usize::MAX));
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            body.push(&chunk)?;
        }
        // Here for everything that Zendesk says: neither NUL nor half a character ever gets further.
        let mut body = body.finish();
        if let Cow::Owned(sound) = sound_json(&body) {
            body = sound;
        }
        Ok(Reply { status, headers, body })
    }
}

fn out_of_reach() -> Failure {
    let excerpt = "the workspace is at a private address, which zendesk.base_url does not name".to_owned();
    Failure::Unavailable { after: None, detail: Detail { excerpt, request_id: None } }
}

/// Names what broke without quoting the URL or anything foreign.
pub(crate) fn no_answer(error: reqwest::Error) -> Failure {
    let error = error.without_url();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<OutOfReach>() {
            return out_of_reach();
        }
        cause = inner.source();
    }
    let what = if error.is_timeout() {
        "timed out"
    } else if error.is_connect() {
        "cannot connect"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "no answer"
    };
    tracing::debug!(error = chain(&error), "{what}");
    Failure::Unavailable { after: None, detail: Detail { excerpt: what.to_owned(), request_id: None } }
}
