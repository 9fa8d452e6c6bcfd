//! Event subscriptions: Zendesk's webhooks that tell us at once of published and unpublished articles.
//!
//! The store says which connections want one. This module makes it at Zendesk, and tries again until it is there. Any
//! number of processes may run it: claims in the store decide. Making one is repeatable: a webhook that a lost answer
//! left behind is found by its address and taken over. Events bring freshness, never correctness: what they miss the
//! next delta finds.

use std::time::Duration;

use helpsync_model::{Backoff, Entropy, Subdomain, chain};
use helpsync_store::{DueSubscription, StoreError, StoreOutage, TokenStore};
use helpsync_zendesk::{Class, Failure, NewWebhook, WebhookId};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{AccountError, Accounts};

/// The events of articles that change what is published. There is none for edited, archived or deleted articles.
/// Source: <https://developer.zendesk.com/api-reference/webhooks/event-types/article-events/>.
pub const EVENT_TYPES: [&str; 2] = ["zen:event-type:article.published", "zen:event-type:article.unpublished"];
/// Subscriptions that one process claims at once.
const CLAIMED_AT_ONCE: u32 = 4;
/// A claimed subscription may be taken by another process after this: longer than its few requests can take.
const CLAIM_LEASE: Duration = Duration::from_secs(300);
/// A random part of 5 s, 10 s, 20 s … up to a day.
const RETRY: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_hours(24));

/// The address that a subscription's events are posted to, under the public address of the API.
#[must_use]
pub fn endpoint_url(public_url: &Url, endpoint: &str) -> String {
    format!("{}/integrations/zendesk/events/{endpoint}", public_url.as_str().trim_end_matches('/'))
}

/// Whether a grant of these scopes (separated by spaces) may make webhooks and read their secret.
#[must_use]
pub fn scopes_allow(scopes: &str) -> bool {
    let has = |wanted: &str| scopes.split_whitespace().any(|scope| scope == wanted);
    (has("webhooks:write") || has("write")) && (has("webhooks:read") || has("read"))
}

/// Makes the event subscriptions that are due. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Subscriber {
    store: TokenStore,
    accounts: Accounts,
    public_url: Url,
    tick: Duration,
}

/// Why a subscription could not be made this time.
#[derive(Debug, Error)]
enum SubscribeError {
    #[error(transparent)]
    Zendesk(#[from] Failure),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Address(String),
}

impl Subscriber {
    /// One per dispatcher. `tick`: how often it looks for what is due.
    #[must_use]
    pub fn new(store: TokenStore, accounts: Accounts, public_url: Url, tick: Duration) -> Self {
        Self { store, accounts, public_url, tick }
    }

    /// Makes subscriptions until `stop`.
    pub async fn run(self, entropy: std::sync::Arc<dyn Entropy>, stop: CancellationToken) {
        let (away, mut failures) = (StoreOutage::default(), 0);
        while !stop.is_cancelled() {
            let look = away.look();
            let made = tokio::select! {
                () = stop.cancelled() => return,
                made = self.make_due(&*entropy) => made,
            };
            match made {
                Ok(did) => {
                    failures = 0;
                    look.worked(&self.store, did, "event subscriptions are made again").await;
                }
                Err(error) => {
                    failures = u32::saturating_add(failures, 1);
                    look.failed(&error, "looking for event subscriptions failed, it is tried again");
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Backoff::of_looks(self.tick).ceiling(failures)) => {}
            }
        }
    }

    /// Answers whether any was due.
    async fn make_due(&self, entropy: &dyn Entropy) -> Result<bool, StoreError> {
        let due = self.store.claim_subscriptions(CLAIMED_AT_ONCE, CLAIM_LEASE).await?;
        let did = !due.is_empty();
        for due in due {
            let connection = due.connection;
            match self.make(&due).await {
                Ok(()) => {
                    tracing::info!(%connection, "zendesk tells us of published and unpublished articles");
                }
                Err(error) => {
                    let wait = retry_after(&error, due.failures, entropy);
                    tracing::warn!(%connection, error = chain(&error), ?wait, "an event subscription could not be made");
                    self.store.put_off_subscription(&due, wait, &chain(&error)).await?;
                }
            }
        }
        Ok(did)
    }

    async fn make(&self, due: &DueSubscription) -> Result<(), SubscribeError> {
        let address = endpoint_url(&self.public_url, &due.endpoint);
        let address: Url =
            address.parse().map_err(|error: url::ParseError| SubscribeError::Address(chain(&error)))?;
        let subdomain =
            Subdomain::parse(&due.subdomain).map_err(|error| SubscribeError::Address(chain(&error)))?;
        let client =
            self.accounts.connected(due.organization, due.connection, None, &subdomain, &subdomain)?.client;
        let id = match client.find_webhook(&address).await?.value {
            Some(id) => id,
            None => {
                let new = NewWebhook {
                    name: format!("Helpsync ({})", self.public_url.host_str().unwrap_or("events")),
                    endpoint: address,
                    subscriptions: EVENT_TYPES.map(str::to_owned).to_vec(),
                };
                client.create_webhook(&new).await?.value
            }
        };
        let secret = client.webhook_secret(&id).await?.value;
        if !self.store.put_subscription(due.connection, id.as_str(), &secret).await? {
            // Disconnected while we were at it.
            client.delete_webhook(&id).await?;
        }
        Ok(())
    }
}

/// When to try again; `None`: never, until somebody reconnects. What may pass is waited for however long it takes.
fn retry_after(error: &SubscribeError, failures: u32, entropy: &dyn Entropy) -> Option<Duration> {
    let told = match error {
        SubscribeError::Zendesk(Failure::RateLimited { after, .. }) => *after,
        // Its owner has to pay for it, or to unlock it, which says nothing about webhooks.
        SubscribeError::Zendesk(Failure::Suspended { .. }) => None,
        SubscribeError::Zendesk(failure) => match failure.class() {
            Class::Throttled { wait } => Some(wait),
            Class::Transient { after } => after,
            // The scope, the role or the plan does not allow it.
            Class::Unauthorized | Class::Gone | Class::Permanent => return None,
        },
        SubscribeError::Address(_) => return None,
        SubscribeError::Account(_) | SubscribeError::Store(_) => None,
    };
    Some(told.unwrap_or_else(|| RETRY.wait(failures, entropy)))
}

/// Deletes a subscription at Zendesk, with the token of the connection that ends.
///
/// # Errors
/// [`Failure`]; the webhook then stays, posts to an address that is nobody's, and Zendesk gives up on it.
pub async fn unsubscribe(client: &helpsync_zendesk::Client, webhook_id: &str) -> Result<(), Failure> {
    let Some(id) = WebhookId::parse(webhook_id) else { return Ok(()) };
    client.delete_webhook(&id).await.map(|_deleted| ())
}

#[cfg(test)]
mod tests {
    use helpsync_model::SeededEntropy;

    use super::*;

    #[test]
    fn only_scopes_that_cover_making_and_reading_are_enough() {
        for (scopes, enough) in [
            ("hc:read webhooks:read webhooks:write", true),
            ("read write", true),
            ("hc:read", false),
            ("webhooks:write", false),
            ("hc:read webhooks:readwrite", false),
            ("", false),
        ] {
            assert_eq!(scopes_allow(scopes), enough, "{scopes:?}");
        }
    }

    #[test]
    fn what_may_pass_is_waited_for_with_growing_pauses_and_a_refusal_ends_it_at_once() {
        let entropy = SeededEntropy::new(1);
        let detail = helpsync_zendesk::Detail::default;
        let passing = [
            SubscribeError::Store(StoreError::NotFound(helpsync_store::Entity::Run)),
            SubscribeError::Zendesk(Failure::Unavailable { after: None, detail: detail() }),
            SubscribeError::Zendesk(Failure::Suspended { status: 402, detail: detail() }),
        ];
        for error in &passing {
            for failures in [1, 2, 8, 20, 1_000] {
                assert!(
                    retry_after(error, failures, &entropy).unwrap() <= RETRY.ceiling(failures),
                    "{error}"
                );
            }
        }
        assert_eq!(RETRY.ceiling(1_000), Duration::from_hours(24));
        for status in [400, 418, 451] {
            let refused = SubscribeError::Zendesk(Failure::Rejected { status, detail: detail() });
            assert!(retry_after(&refused, 1, &entropy).is_none(), "{status}");
        }
        assert!(retry_after(&SubscribeError::Address("x".to_owned()), 1, &entropy).is_none());
    }

    #[test]
    fn the_address_keeps_the_prefix_of_the_public_one() {
        for public in ["https://x.example.com/base", "https://x.example.com/base/"] {
            let url = endpoint_url(&public.parse().unwrap(), "abc");
            assert_eq!(url, "https://x.example.com/base/integrations/zendesk/events/abc");
        }
    }
}
