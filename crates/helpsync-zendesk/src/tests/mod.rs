//! The client against small servers on the loopback that answer what Zendesk, or something in front of it, was seen
//! to answer.

mod account;
mod articles;
mod fuzz;
mod oauth;
mod recorded;
mod transport;
mod workspace;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use helpsync_model::Subdomain;
use secrecy::{ExposeSecret, SecretString};
use tokio::task::JoinHandle;

use crate::*;

/// What the tests' token source hands out at first.
const TOKEN: &str = "token-that-must-not-leak";
/// What it hands out once renewed.
const RENEWED: &str = "token-after-renewal";

/// A request as a server saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: String,
}

impl Seen {
    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A server whose every answer is computed from the request by one closure.
struct Server {
    origin: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn start(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&seen), Arc::new(answer));
        let app = axum::Router::new().fallback(move |request: Request| {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            async move {
                let (parts, body) = request.into_parts();
                let query = parts.uri.query().unwrap_or_default().as_bytes();
                let seen = Seen {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: url::form_urlencoded::parse(query).into_owned().collect(),
                    headers: parts.headers,
                    body: String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap(),
                };
                let response = answer(&seen);
                log.lock().unwrap().push(seen);
                response
            }
        });
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { origin, seen, task }
    }

    /// Answers everything with this JSON.
    async fn json(body: impl Into<String>) -> Self {
        let body = body.into();
        Self::start(move |_| json(body.clone())).await
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn endpoint(&self) -> Endpoint {
        endpoint(&self.origin)
    }

    fn client(&self) -> Setup {
        setup(&self.origin, HttpOptions::default())
    }
}

fn endpoint(origin: &str) -> Endpoint {
    Endpoint::new(&format!("{origin}/{{subdomain}}"), &Subdomain::parse("acme").unwrap()).unwrap()
}

fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], body.into()).into_response()
}

fn status(code: u16, body: impl Into<Body>) -> Response {
    (StatusCode::from_u16(code).unwrap(), body.into()).into_response()
}

fn redirect(to: impl Into<String>) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, to.into())], "moved").into_response()
}

/// A client and the fakes that it was built with.
struct Setup {
    client: Client,
    limiter: Arc<OpenRateLimiter>,
    tokens: Arc<OneRenewal>,
}

fn setup(origin: &str, options: HttpOptions) -> Setup {
    let (limiter, tokens) = (Arc::new(OpenRateLimiter::default()), Arc::new(OneRenewal::default()));
    let client = Client::new(
        Http::new(options).unwrap(),
        endpoint(origin),
        Arc::clone(&limiter) as _,
        Arc::clone(&tokens) as _,
    );
    Setup { client, limiter, tokens }
}

fn short() -> HttpOptions {
    HttpOptions {
        body_bytes_max: 1_000,
        request_timeout: Duration::from_millis(500),
        ..HttpOptions::default()
    }
}

/// Lets requests through, unless told otherwise, and writes down what is reported.
#[derive(Default)]
struct OpenRateLimiter {
    denied: Mutex<Option<Throttled>>,
    entered: Mutex<u32>,
    left: Mutex<Vec<(Permit, RateReport)>>,
}

#[async_trait]
impl RateLimiter for OpenRateLimiter {
    async fn enter(&self, family: crate::Family) -> Result<Permit, Throttled> {
        if let Some(denied) = self.denied.lock().unwrap().clone() {
            return Err(denied);
        }
        let mut entered = self.entered.lock().unwrap();
        *entered += 1;
        Ok(Permit { id: entered.to_string(), family })
    }

    async fn leave(&self, permit: Permit, report: RateReport) {
        self.left.lock().unwrap().push((permit, report));
    }
}

impl OpenRateLimiter {
    fn reports(&self) -> Vec<RateReport> {
        self.left.lock().unwrap().iter().map(|(_, report)| report.clone()).collect()
    }
}

/// Hands out [`TOKEN`]; renewed, [`RENEWED`].
#[derive(Default)]
struct OneRenewal {
    renewals: Mutex<u32>,
}

#[async_trait]
impl TokenSource for OneRenewal {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(TOKEN.into())
    }

    async fn renew(&self, refused: &SecretString) -> Result<SecretString, TokenError> {
        assert_eq!(refused.expose_secret(), TOKEN);
        *self.renewals.lock().unwrap() += 1;
        Ok(RENEWED.into())
    }
}
