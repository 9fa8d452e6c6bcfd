//! The simulator: its accounts, its clock, its listener.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State as Shared;
use axum::http::{HeaderMap, Request as HttpRequest, Response, header};
use axum::response::IntoResponse as _;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use url::Url;

use crate::account::{Account, AccountOptions, State};
use crate::clock::{Epoch, SimClock};
use crate::control;
use crate::http::{Answer, Query, Request};
use crate::middleware;
use crate::sync::lock;
use crate::webhooks;

/// The largest request body that is read.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Connections that are still busy get this long when the simulator stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How a simulator starts.
#[derive(Debug, Clone)]
pub struct SimOptions {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Seed of ids, tokens and secrets.
    pub seed: u64,
    /// What time it is there at the start; `None`: the machine's.
    pub start_at: Option<Epoch>,
    /// Speed of the rate-limit windows: at 60.0 a minute's window lasts a second.
    pub time_scale: f64,
    /// Base of the links in answers; `None`: as the request's `Host` has it.
    pub public_url: Option<Url>,
}

impl Default for SimOptions {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, seed: 1, start_at: None, time_scale: 1.0, public_url: None }
    }
}

/// A running simulator. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sim {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    seed: u64,
    public_url: Option<Url>,
    clock: Arc<SimClock>,
    accounts: Mutex<BTreeMap<String, Account>>,
    outbox: mpsc::Sender<(Account, webhooks::Post)>,
    stop: watch::Sender<bool>,
}

impl Sim {
    /// Listens, without any account.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn start(options: SimOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(options.listen).await?;
        let (outbox, posts) = mpsc::channel(webhooks::OUTBOX);
        let (stop, stopped) = watch::channel(false);
        let inner = Arc::new(Inner {
            address: listener.local_addr()?,
            seed: options.seed,
            public_url: options.public_url,
            clock: Arc::new(SimClock::new(options.start_at, options.time_scale)),
            accounts: Mutex::default(),
            outbox,
            stop,
        });
        let sim = Self { inner };
        let router = Router::new()
            .fallback(serve)
            .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
            .with_state(sim.clone());
        tokio::spawn(async move {
            let server = axum::serve(listener, router).with_graceful_shutdown(ended(stopped.clone()));
            let late = async {
                ended(stopped).await;
                tokio::time::sleep(STOP_GRACE).await;
            };
            tokio::select! {
                served = server => if let Err(error) = served {
                    tracing::error!(error = %error, "the simulator's listener failed");
                },
                () = late => {}
            }
        });
        tokio::spawn(webhooks::post_all(posts));
        Ok(sim)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// What a client takes as the template of accounts' addresses: `http://127.0.0.1:PORT/{subdomain}`.
    pub fn base_url_template(&self) -> String {
        format!("http://{}/{{subdomain}}", self.inner.address)
    }

    /// The time all accounts live by.
    pub fn clock(&self) -> &SimClock {
        &self.inner.clock
    }

    /// Makes an account; one of the same subdomain is replaced.
    pub fn create_account(&self, options: AccountOptions) -> Account {
        let subdomain = options.subdomain.clone();
        let state = State::new(options, self.inner.seed, Arc::clone(&self.inner.clock));
        let account =
            Account { state: Arc::new(Mutex::new(state)), outbox: self.inner.outbox.clone(), owner: None };
        self.put(subdomain, account.clone());
        account
    }

    /// The account of a subdomain.
    pub fn account(&self, subdomain: &str) -> Option<Account> {
        lock(&self.inner.accounts).get(subdomain).cloned()
    }

    pub(crate) fn put(&self, subdomain: String, account: Account) {
        lock(&self.inner.accounts).insert(subdomain, account);
    }

    pub(crate) fn take(&self, subdomain: &str) {
        lock(&self.inner.accounts).remove(subdomain);
    }

    pub(crate) fn subdomains(&self) -> Vec<String> {
        lock(&self.inner.accounts).keys().cloned().collect()
    }

    /// Stops listening; answers under way may end.
    pub async fn stop(&self) {
        self.inner.stop.send_replace(true);
    }
}

/// Ends when the simulator is stopped, or its last handle is gone.
async fn ended(mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow_and_update() {
        if stopped.changed().await.is_err() {
            return;
        }
    }
}

async fn serve(Shared(sim): Shared<Sim>, request: HttpRequest<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        return plain(Answer::text(413, "the body is too large"));
    };
    let path = head.uri.path().to_owned();
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if let ["_sim", rest @ ..] = parts.as_slice() {
        return plain(control::answer(&sim, head.method.as_str(), rest, &body));
    }
    let account = parts.first().and_then(|subdomain| Some((*subdomain, sim.account(subdomain)?)));
    let Some((subdomain, account)) = account else {
        return plain(Answer::no_account(parts.first().copied().unwrap_or_default()));
    };
    let header = |name| text(&head.headers, name);
    let raw_query = head.uri.query().unwrap_or_default().to_owned();
    let root = match &sim.inner.public_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => format!("http://{}", header(header::HOST).unwrap_or_else(|| sim.inner.address.to_string())),
    };
    let request = Request {
        method: head.method.to_string(),
        path: path.strip_prefix(&format!("/{subdomain}")).unwrap_or_default().to_owned(),
        query: Query::parse(&raw_query),
        raw_query,
        bearer: header(header::AUTHORIZATION)
            .and_then(|it| it.strip_prefix("Bearer ").map(ToOwned::to_owned)),
        content_type: header(header::CONTENT_TYPE).unwrap_or_default(),
        user_agent: header(header::USER_AGENT),
        body: body.to_vec(),
        base: format!("{root}/{subdomain}"),
    };
    middleware::serve(&account, request).await
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

fn plain(answer: Answer) -> Response<Body> {
    let status = axum::http::StatusCode::from_u16(answer.status).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, answer.content_type.into_owned())], answer.body).into_response()
}
