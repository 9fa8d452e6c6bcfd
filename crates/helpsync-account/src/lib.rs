//! A connected Zendesk workspace: how to reach it, with which token, and out of which budget.
//!
//! Everything that talks to Zendesk gets its client here, so nothing can leave without budget from the account's
//! shared budget (`gate`) or with a token that another process is just replacing (`tokens`). `subscriptions` has Zendesk
//! tell us of published articles.

mod account_use;
mod held_tokens;
mod keyed_mutex;
mod rate_limiter;
pub mod subscriptions;
mod tokens;
mod wait_spans;
mod working;

use std::sync::Arc;
use std::time::Duration;

pub use crate::keyed_mutex::KeyedMutex;
pub use helpsync_coordinator::{BudgetView, DEFAULT_BLOCK};
use helpsync_coordinator::{Coordinator, WaitTimes, Waited};
use helpsync_model::{Clock, ConnectionId, Entropy, OrganizationId, RunId, Subdomain};
use helpsync_store::{AccountUse, BudgetWaits, StoreError, TokenStore};
use helpsync_zendesk::{Client, Endpoint, EndpointError, Http, OAuthApp};
use secrecy::SecretString;
use thiserror::Error;

use crate::account_use::AccountUses;
use crate::held_tokens::HeldTokens;
use crate::rate_limiter::BudgetedLimiter;
use crate::tokens::{FixedToken, StoredTokens};
use crate::wait_spans::WaitSpans;

/// What is the same for every account.
#[derive(Debug, Clone)]
pub struct AccountOptions {
    /// `zendesk.base_url`.
    pub base_url: String,
    /// The OAuth client of organizations that have none of their own.
    pub default_app: Option<OAuthApp>,
    /// Requests per minute before headers say otherwise.
    pub ceiling_per_minute: u32,
    /// Requests in flight at most.
    pub concurrency_max: u32,
    /// Left to the customer's other integrations.
    pub reserve_percent: u8,
    /// Longer waits for budget are not waited out but handed back.
    pub patience: Duration,
}

/// No client can be had.
#[derive(Debug, Error)]
pub enum AccountError {
    /// `zendesk.base_url` does not fit.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The store could not say.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Neither the organization nor the settings name an OAuth client.
    #[error(
        "no Zendesk OAuth client is configured: set HELPSYNC_ZENDESK__CLIENT_ID and HELPSYNC_ZENDESK__CLIENT_SECRET, or create one with /white_label/create"
    )]
    NoApp,
    /// The grant was made with a client that is not known any more.
    #[error(
        "the Zendesk OAuth client {0:?}, which the grant was made with, is not known any more: create it again with /white_label/create, or connect the workspace anew"
    )]
    AppGone(String),
}

/// Makes clients. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    inner: Arc<Inner>,
}

struct Inner {
    store: TokenStore,
    coordinator: Arc<dyn Coordinator>,
    http: Http,
    options: AccountOptions,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    refreshing: KeyedMutex,
    uses: Arc<AccountUses>,
    reading: KeyedMutex,
    held: HeldTokens,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

/// A client, and how long its calls have waited for budget.
#[derive(Debug, Clone)]
pub struct Account {
    /// Talks to the workspace.
    pub client: Client,
    waited: Arc<Waited>,
    spans: Arc<WaitSpans>,
}

impl Account {
    /// Time in which a call waited for budget since the last call of this. Calls that wait at once count once.
    /// `now`: in ms. `ends`: nothing more is drawn of this work.
    #[must_use]
    pub fn take_waited(&self, now: i64, ends: bool) -> BudgetWaits {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let WaitTimes { all, pace, window, in_flight, blocked } = self.waited.take();
        let waits = BudgetWaits {
            all_ms: ms(all),
            pace_ms: ms(pace),
            window_ms: ms(window),
            in_flight_ms: ms(in_flight),
            blocked_ms: ms(blocked),
            ..BudgetWaits::default()
        };
        BudgetWaits { span: self.spans.add(&waits, now, ends), ..waits }
    }

    /// Requests that were sent since the last call of this, whatever came of them.
    #[must_use]
    pub fn take_requests(&self) -> u64 {
        self.client.take_sent()
    }
}

impl Accounts {
    /// One per process.
    #[must_use]
    pub fn new(
        store: TokenStore,
        coordinator: Arc<dyn Coordinator>,
        http: Http,
        options: AccountOptions,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                coordinator,
                http,
                options,
                clock,
                entropy,
                refreshing: KeyedMutex::default(),
                uses: Arc::default(),
                reading: KeyedMutex::default(),
                held: HeldTokens::default(),
            }),
        }
    }

    /// The HTTP client that all of them share; for OAuth calls.
    #[must_use]
    pub fn http(&self) -> &Http {
        &self.inner.http
    }

    /// Where a workspace is.
    ///
    /// # Errors
    /// [`AccountError::Endpoint`].
    pub fn endpoint(&self, subdomain: &Subdomain) -> Result<Endpoint, AccountError> {
        Ok(Endpoint::new(&self.inner.options.base_url, subdomain)?)
    }

    /// The OAuth client to ask for new grants with: the organization's own, else the configured one. The second part
    /// is the redirect address that was registered with it, if it is the organization's own.
    ///
    /// # Errors
    /// [`AccountError::NoApp`].
    pub async fn app(
        &self,
        organization: OrganizationId,
    ) -> Result<(OAuthApp, Option<String>), AccountError> {
        if let Some(own) = self.inner.store.oauth_client(organization).await?
            && let Some(client_secret) = own.client_secret
        {
            return Ok((OAuthApp { client_id: own.client_id, client_secret }, Some(own.redirect_uri)));
        }
        let app = self.inner.options.default_app.clone().ok_or(AccountError::NoApp)?;
        Ok((app, None))
    }

    /// The OAuth client of a grant: whatever clients came after it, Zendesk takes the grant's codes and refresh tokens
    /// from no other one.
    ///
    /// # Errors
    /// [`AccountError::AppGone`].
    pub async fn app_of_grant(
        &self,
        organization: OrganizationId,
        client_id: &str,
    ) -> Result<OAuthApp, AccountError> {
        if let Some(own) = self.inner.store.oauth_client_named(organization, client_id).await?
            && let Some(client_secret) = own.client_secret
        {
            return Ok(OAuthApp { client_id: own.client_id, client_secret });
        }
        let default = self.inner.options.default_app.clone();
        let default = default.filter(|app| app.client_id == client_id);
        default.ok_or_else(|| AccountError::AppGone(client_id.to_owned()))
    }

    /// The client of the help center at `subdomain`, with the token of a connection and out of the budget of its
    /// workspace, `home`. They differ for the further brands of an account. The requests of a `run` read the token once
    /// for some moments.
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn connected(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        run: Option<RunId>,
        home: &Subdomain,
        subdomain: &Subdomain,
    ) -> Result<Account, AccountError> {
        let tokens = StoredTokens::new(self.clone(), organization, connection, run, self.endpoint(home)?);
        Ok(self.account(home, self.endpoint(subdomain)?, Arc::new(tokens), run))
    }

    /// A client with a token that is not stored (yet, or any more).
    ///
    /// # Errors
    /// [`AccountError`].
    pub fn with_token(&self, subdomain: &Subdomain, token: SecretString) -> Result<Account, AccountError> {
        let endpoint = self.endpoint(subdomain)?;
        Ok(self.account(subdomain, endpoint, Arc::new(FixedToken(token)), None))
    }

    /// How this process used each account's budget since this was last asked, to be noted. What could not be noted may be
    /// given back with [`Accounts::give_back_use`].
    #[must_use]
    pub fn take_use(&self) -> Vec<(String, AccountUse)> {
        self.inner.uses.take()
    }

    /// Keeps what could not be noted for the next time.
    pub fn give_back_use(&self, used: &[(String, AccountUse)]) {
        for (account, used) in used {
            self.inner.uses.add(account, used);
        }
    }

    /// Requests a minute that an account's budget gives now: what its headers say or, until they did, the setting, less
    /// what is left to others.
    pub async fn requests_per_minute(&self, home: &Subdomain) -> u32 {
        let options = &self.inner.options;
        // A coordinator that does not answer knows no better.
        let told = self.inner.coordinator.budget(home.as_str()).await.ok().and_then(|budget| budget.limit);
        let limit = told.unwrap_or(options.ceiling_per_minute);
        limit.saturating_sub(limit * u32::from(options.reserve_percent) / 100).max(1)
    }

    fn account(
        &self,
        home: &Subdomain,
        endpoint: Endpoint,
        tokens: Arc<dyn helpsync_zendesk::TokenSource>,
        run: Option<RunId>,
    ) -> Account {
        let waited = Arc::new(Waited::default());
        let spans = Arc::new(WaitSpans::since(self.inner.clock.now_ms()));
        let limiter = BudgetedLimiter::new(self, home, Arc::clone(&waited), run);
        Account {
            client: Client::new(self.inner.http.clone(), endpoint, Arc::new(limiter), tokens),
            waited,
            spans,
        }
    }
}
