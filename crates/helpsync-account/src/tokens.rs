//! The token of a connection: read from the store, refreshed ahead of its end by exactly one process, and stored
//! before it is used.
//!
//! Three locks, from cheap to certain: a turn within this process, a lease of the coordinator among processes, and the
//! claim in the database, which alone decides. Without the coordinator the others still hold.

use std::time::Duration;

use async_trait::async_trait;
use helpsync_coordinator::LeaseOutcome;
use helpsync_model::{ConnectionId, OrganizationId, RunId, chain};
use helpsync_store::{ConnectionTokens, NewTokens, StoreError};
use helpsync_zendesk::{Endpoint, OAuthFailure, TokenError, TokenSource, refresh};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::held_tokens::HeldFor;
use crate::{AccountError, Accounts};

/// Tokens are replaced this long before they end, so that none ends on its way.
const AHEAD: Duration = Duration::from_secs(120);
/// How long one process may take for a refresh before another may try.
const REFRESH_LEASE: Duration = Duration::from_secs(30);
/// How long to wait for another process's refresh.
const REFRESH_PATIENCE: Duration = Duration::from_secs(35);
/// How often to look whether the other process has stored the new pair.
const REFRESH_LOOK: Duration = Duration::from_millis(100);

/// Between attempts to store a new pair while the store is away.
const REFRESH_STORE_WAIT: Duration = Duration::from_millis(500);

/// A token that is given, not stored.
pub(crate) struct FixedToken(pub(crate) SecretString);

#[async_trait]
impl TokenSource for FixedToken {
    async fn token(&self) -> Result<SecretString, TokenError> {
        Ok(self.0.clone())
    }

    async fn renew(&self, _refused: &SecretString) -> Result<SecretString, TokenError> {
        Err(TokenError::Dead("Zendesk refuses the access token".to_owned()))
    }
}

pub(crate) struct StoredTokens {
    accounts: Accounts,
    organization: OrganizationId,
    connection: ConnectionId,
    run: Option<RunId>,
    endpoint: Endpoint,
    holder: String,
}

impl StoredTokens {
    pub(crate) fn new(
        accounts: Accounts,
        organization: OrganizationId,
        connection: ConnectionId,
        run: Option<RunId>,
        endpoint: Endpoint,
    ) -> Self {
        let holder = accounts.inner.entropy.uuid().to_string();
        Self { accounts, organization, connection, run, endpoint, holder }
    }

    fn held_for(&self) -> Option<HeldFor> {
        self.run.map(|run| (self.connection, run))
    }

    fn forget_held(&self) {
        if let Some(held_for) = self.held_for() {
            self.accounts.inner.held.forget(held_for);
        }
    }

    async fn stored(&self) -> Result<ConnectionTokens, TokenError> {
        let inner = &self.accounts.inner;
        self.forget_held();
        let tokens = inner.store.tokens(self.connection).await.map_err(unavailable)?;
        let tokens = tokens.ok_or_else(|| TokenError::Dead("the connection was ended".to_owned()))?;
        if let Some(held_for) = self.held_for() {
            inner.held.put(held_for, &tokens);
        }
        Ok(tokens)
    }

    /// The pair as it was a moment ago, or as it is. Of calls at once one reads it for all.
    async fn current(&self) -> Result<ConnectionTokens, TokenError> {
        let inner = &self.accounts.inner;
        let Some(held_for) = self.held_for() else { return self.stored().await };
        if let Some(held) = inner.held.get(held_for) {
            return Ok(held);
        }
        let _turn = inner.reading.take(self.connection).await;
        match inner.held.get(held_for) {
            Some(held) => Ok(held),
            None => self.stored().await,
        }
    }

    /// Replaces the pair `old`, or waits for whoever is doing so.
    async fn replace(&self, old: ConnectionTokens) -> Result<SecretString, TokenError> {
        let Some(refresh_token) = old.refresh.clone() else {
            return self.dead(&old, "Zendesk refuses the access token, and there is no refresh token").await;
        };
        let _turn = self.accounts.inner.refreshing.take(self.connection).await;
        let since = Instant::now();
        loop {
            let stored = self.stored().await?;
            if stored.version != old.version {
                return Ok(stored.access);
            }
            if self.may_refresh(&old).await? {
                let refreshed = self.refresh(&old, &refresh_token).await;
                self.give_back(refreshed.is_err()).await;
                return refreshed;
            }
            if since.elapsed() > REFRESH_PATIENCE {
                return Err(TokenError::Unavailable {
                    reason: "another process is still refreshing the token".to_owned(),
                    after: Some(REFRESH_LEASE),
                });
            }
            tokio::time::sleep(REFRESH_LOOK).await;
        }
    }

    fn lease_name(&self) -> String {
        format!("refresh:{}", self.connection)
    }

    async fn may_refresh(&self, old: &ConnectionTokens) -> Result<bool, TokenError> {
        let inner = &self.accounts.inner;
        match inner.coordinator.lease(&self.lease_name(), &self.holder, REFRESH_LEASE).await {
            Ok(LeaseOutcome::Taken { .. }) => return Ok(false),
            Ok(LeaseOutcome::Held) => {}
            Err(error) => tracing::debug!(error = chain(&error), "the database alone decides who refreshes"),
        }
        inner
            .store
            .claim_refresh(self.connection, old.version, &self.holder, REFRESH_LEASE)
            .await
            .map_err(unavailable)
    }

    /// Frees the way for the next try. A refresh that was stored has ended its claim by itself; what cannot be given
    /// back runs out.
    async fn give_back(&self, claimed: bool) {
        let inner = &self.accounts.inner;
        if claimed && let Err(error) = inner.store.end_refresh(self.connection, &self.holder).await {
            tracing::debug!(error = chain(&error), "the claim on a refresh runs out by itself");
        }
        if let Err(error) = inner.coordinator.release(&self.lease_name(), &self.holder).await {
            tracing::debug!(error = chain(&error), "the lease of a refresh runs out by itself");
        }
    }

    async fn refresh(
        &self,
        old: &ConnectionTokens,
        refresh_token: &SecretString,
    ) -> Result<SecretString, TokenError> {
        let inner = &self.accounts.inner;
        let app = match &old.client_id {
            Some(client_id) => self.accounts.app_of_grant(self.organization, client_id).await,
            None => self.accounts.app(self.organization).await.map(|(app, _redirect)| app),
        };
        let app = app.map_err(|error| match error {
            AccountError::Store(error) => unavailable(error),
            other => TokenError::Sealed(chain(&other)),
        })?;
        match refresh(&inner.http, &self.endpoint, &app, refresh_token).await {
            Ok(tokens) => {
                let now = inner.clock.now_ms();
                let later = |life: Option<Duration>| {
                    life.map(|life| now.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX)))
                };
                let new = NewTokens {
                    access: tokens.access.clone(),
                    refresh: tokens.refresh,
                    expires_at: later(tokens.expires_in),
                    refresh_expires_at: later(tokens.refresh_expires_in),
                };
                let is_stored = self.store_new_pair(old, &new).await.map_err(unavailable)?;
                self.forget_held();
                if is_stored {
                    tracing::info!(connection = %self.connection, "access token refreshed");
                    return Ok(tokens.access);
                }
                // The grant was replaced meanwhile: its pair is the one to use.
                Ok(self.stored().await?.access)
            }
            Err(OAuthFailure::InvalidGrant(detail)) => {
                self.dead(old, &format!("Zendesk refuses the refresh token{detail}")).await
            }
            Err(error) => Err(TokenError::Unavailable { reason: chain(&error), after: None }),
        }
    }

    /// The pair that was spent is worth nothing any more: a store that is away now is waited for as long as the claim
    /// holds, or the customer would have to grant anew.
    async fn store_new_pair(&self, old: &ConnectionTokens, new: &NewTokens) -> Result<bool, StoreError> {
        let since = Instant::now();
        loop {
            match self.accounts.inner.store.store_refreshed(self.connection, old.version, new).await {
                Err(error) if error.is_transient() && since.elapsed() < REFRESH_LEASE => {
                    tracing::warn!(connection = %self.connection, error = chain(&error), "a refreshed token cannot be stored yet");
                    tokio::time::sleep(REFRESH_STORE_WAIT).await;
                }
                ended => return ended,
            }
        }
    }

    async fn dead(&self, old: &ConnectionTokens, reason: &str) -> Result<SecretString, TokenError> {
        let paused = self
            .accounts
            .inner
            .store
            .pause(self.connection, old.version, &format!("{reason}: reconnect the workspace"))
            .await
            .map_err(unavailable)?;
        if !paused {
            // Somebody reconnected while we were refused.
            return Ok(self.stored().await?.access);
        }
        tracing::warn!(connection = %self.connection, reason, "grant is dead, connection paused");
        Err(TokenError::Dead(reason.to_owned()))
    }
}

#[async_trait]
impl TokenSource for StoredTokens {
    async fn token(&self) -> Result<SecretString, TokenError> {
        let stored = self.current().await?;
        let now = self.accounts.inner.clock.now_ms();
        let ahead = i64::try_from(AHEAD.as_millis()).unwrap_or(i64::MAX);
        // An absent expiry never counts as expired: an eager refresh would spend the only refresh token.
        let ending = stored.expires_at.is_some_and(|end| end.saturating_sub(ahead) <= now);
        if ending && stored.refresh.is_some() { self.replace(stored).await } else { Ok(stored.access) }
    }

    async fn renew(&self, refused: &SecretString) -> Result<SecretString, TokenError> {
        let stored = self.stored().await?;
        if stored.access.expose_secret() == refused.expose_secret() {
            self.replace(stored).await
        } else {
            Ok(stored.access)
        }
    }
}

fn unavailable(error: StoreError) -> TokenError {
    match error {
        StoreError::NotFound(what) => TokenError::Dead(format!("{what} not found")),
        away if away.is_transient() => TokenError::StoreAway(chain(&away)),
        other => TokenError::Sealed(chain(&other)),
    }
}
