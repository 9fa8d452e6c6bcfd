//! What every handler shares.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use helpsync_account::Accounts;
use helpsync_embeddings::Client;
use helpsync_engine::Engine;
use helpsync_model::{Clock, Entropy, OrganizationId};
use helpsync_queue::Queue;
use helpsync_store::Store;
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::fair::{FairSlots, Share};
use crate::pages::Streams;
use crate::rate::Rates;
use crate::signing::Signer;
use crate::{layers, routes};

/// Searches in the database at once: each holds a connection to it. One customer has half of them at most.
const SEARCHES: Share = Share { slots: 4, of_customer: 2, waiting_of_customer: 16, waiting: 256 };
/// Lists that look at files one by one, in the database at once: each holds a connection to it, of which there are more.
const LISTINGS: Share = Share { slots: 4, of_customer: 2, waiting_of_customer: 128, waiting: 1_024 };
/// Queries at the embeddings endpoint at once: they cost nothing but its time.
const QUERIES: Share = Share { slots: 32, of_customer: 4, waiting_of_customer: 16, waiting: 256 };

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Base of redirect and presigned URLs as browsers see it; may have a path prefix.
    pub public_url: Url,
    /// The largest request body that is read.
    pub body_bytes_max: usize,
    /// Requests a minute of one API key or access token.
    pub requests_per_minute_of_key: u32,
    /// Requests a minute of one address, whatever its credentials.
    pub requests_per_minute_of_address: u32,
    /// How long an access token is good for.
    pub access_token_ttl: Duration,
    /// The longest life a caller may ask for in a presigned URL.
    pub presigned_url_ttl_max: Duration,
    /// Origins whose pages may call from a browser; `*` is every one.
    pub cors_origins: Vec<String>,
    /// Scopes that a grant asks for when the request names none, separated by spaces.
    pub default_scopes: String,
    /// Whether a program that follows an OAuth URL is led to Zendesk without our page, for SDKs and scripts.
    pub programs_may_connect: bool,
    /// Scopes that a customer's access token may ask for.
    pub customer_scopes: Vec<String>,
    /// The organization of whoever runs the installation: it also sees dead messages that name no other.
    pub operator: OrganizationId,
    /// What webhooks are taken.
    pub webhooks: WebhookRules,
    /// Compares copies with help centers.
    pub engine: Engine,
    /// Whom queries are embedded by; absent: searches are by words.
    pub embeddings: Option<Client>,
    /// Shown by `/health`.
    pub version: &'static str,
    /// When the process stops: streams that pages listen to end then.
    pub stop: CancellationToken,
}

/// What webhooks are taken.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRules {
    /// So many of one organization.
    pub per_organization_max: usize,
    /// Also private addresses.
    pub allow_private: bool,
}

/// The HTTP API. Cheap to clone.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    queue: Arc<dyn Queue>,
    accounts: Arc<Accounts>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    options: ApiOptions,
    wake: Arc<Notify>,
    signer: Signer,
    searching: FairSlots,
    embedding: FairSlots,
    listing: FairSlots,
    rates: Rates,
    streams: Streams,
    /// The OpenAPI document, once it was asked for.
    document: OnceLock<Bytes>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Api {
    /// `wake` is notified after anything that made work.
    #[must_use]
    pub fn new(
        store: Store,
        queue: Arc<dyn Queue>,
        accounts: Arc<Accounts>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        options: ApiOptions,
        wake: Arc<Notify>,
    ) -> Self {
        let signer = Signer::new(store.vault());
        let rates = Rates::new(options.requests_per_minute_of_key, options.requests_per_minute_of_address);
        Self {
            inner: Arc::new(Inner {
                store,
                queue,
                accounts,
                clock,
                entropy,
                options,
                wake,
                signer,
                searching: FairSlots::new(SEARCHES),
                embedding: FairSlots::new(QUERIES),
                listing: FairSlots::new(LISTINGS),
                rates,
                streams: Streams::default(),
                document: OnceLock::new(),
            }),
        }
    }

    /// Every endpoint, with all that surrounds them: CORS, body bounds, the one error envelope also for unknown paths,
    /// methods and panics, a request id, and traces that hold no query strings (they carry codes and states).
    pub fn router(self) -> Router {
        let mut router = Router::new();
        for endpoint in routes::endpoints() {
            router = router.route(endpoint.path, endpoint.route());
        }
        layers::surround(router, self)
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn queue(&self) -> &dyn Queue {
        &*self.inner.queue
    }

    pub(crate) fn accounts(&self) -> &Accounts {
        &self.inner.accounts
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.inner.options.engine
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        &*self.inner.entropy
    }

    pub(crate) fn options(&self) -> &ApiOptions {
        &self.inner.options
    }

    /// Slots for searches in the database.
    pub(crate) fn searching(&self) -> &FairSlots {
        &self.inner.searching
    }

    /// Slots for queries at the embeddings endpoint.
    pub(crate) fn embedding(&self) -> &FairSlots {
        &self.inner.embedding
    }

    /// Slots for lists that look at files one by one.
    pub(crate) fn listing(&self) -> &FairSlots {
        &self.inner.listing
    }

    /// How often each key and each address may ask.
    pub(crate) fn rates(&self) -> &Rates {
        &self.inner.rates
    }

    /// Streams that pages listen to.
    pub(crate) fn streams(&self) -> &Streams {
        &self.inner.streams
    }

    /// The OpenAPI document; `make` is asked once.
    pub(crate) fn document(&self, make: impl FnOnce() -> Value) -> Bytes {
        self.inner.document.get_or_init(|| make().to_string().into()).clone()
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.inner.signer
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// The time that a life ends which begins now, in ms.
    pub(crate) fn ends_in(&self, life: Duration) -> i64 {
        self.now_ms().saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX))
    }

    /// A fresh id for a request or an upload.
    pub(crate) fn fresh_id(&self) -> String {
        self.inner.entropy.uuid().to_string()
    }

    /// Says that there is work.
    pub(crate) fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// `path` (which starts with a slash) under the public address.
    pub(crate) fn public(&self, path: &str) -> String {
        format!("{}{path}", self.inner.options.public_url.as_str().trim_end_matches('/'))
    }
}
