//! How often one key, and one address, may ask.
//!
//! Each has a bucket that holds a minute's requests and fills evenly: a burst of a whole minute's worth is served, and
//! after it as many as the rate gives. A bucket is one time, at which it will be full again (GCRA), so a full bucket need
//! not be kept.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderMap};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use helpsync_model::CustomerId;
use sha2::{Digest, Sha256};

use crate::Api;
use crate::auth::CREDENTIALS_MAX;
use crate::error::ApiError;

const MINUTE_MS: i64 = 60_000;
/// Tries of one address to log in to the dashboard.
const LOGINS_PER_MINUTE: u32 = 20;
/// Names of workspaces that one customer's links may have Zendesk asked about. A person who mistypes takes a few.
const WORKSPACE_CHECKS_PER_MINUTE: u32 = 10;
/// And those of everybody: who has many customers must not search Zendesk for names through us.
const ALL_WORKSPACE_CHECKS_PER_MINUTE: u32 = 120;
/// So many customers must ask as often as they may before their organization's key is kept from asking.
const CUSTOMERS_AT_LEAST: u32 = 4;
/// Buckets are counted in thousandths of ms, so that rates beyond 60,000 a minute are kept too.
const PARTS: i64 = 1_000;
/// Buckets kept at once; with more asking in one minute, those of full buckets are forgotten first.
const BUCKETS_MAX: usize = 20_000;
/// What supervisors ask, whoever else is asking.
const PROBES: [&str; 3] = ["/health", "/livez", "/readyz"];

/// The buckets of one kind.
struct Buckets<K> {
    /// Thousandths of ms that one request takes out.
    cost: i64,
    /// When each is full again, in thousandths of ms.
    full_at: Mutex<HashMap<K, i64>>,
}

impl<K: Hash + Eq> Buckets<K> {
    fn new(per_minute: u32) -> Self {
        Self { cost: MINUTE_MS * PARTS / i64::from(per_minute.max(1)), full_at: Mutex::default() }
    }

    /// Takes one request out. Otherwise: ms until there is one.
    fn take(&self, key: K, now_ms: i64) -> Result<(), u64> {
        let now = now_ms.saturating_mul(PARTS);
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= BUCKETS_MAX && !full_at.contains_key(&key) {
            full_at.retain(|_, at| *at > now);
            if full_at.len() >= BUCKETS_MAX {
                // A flood of invented keys: they are not worth forgetting a real one. Their address is counted too.
                return Ok(());
            }
        }
        let at = full_at.entry(key).or_insert(now);
        let next = (*at).max(now).saturating_add(self.cost);
        let beyond = next.saturating_sub(now).saturating_sub(MINUTE_MS * PARTS);
        if beyond > 0 {
            return Err(beyond.unsigned_abs().div_ceil(PARTS.unsigned_abs()));
        }
        *at = next;
        Ok(())
    }
}

/// The buckets of all keys and addresses.
pub(crate) struct Rates {
    /// By the secret that is sent, known or not.
    secrets: Buckets<[u8; 32]>,
    /// By the key that it is or was made with.
    keys: Buckets<i64>,
    /// By the customer whose token it is.
    customers: Buckets<CustomerId>,
    addresses: Buckets<IpAddr>,
    /// Of addresses too: keys are guessed there.
    logins: Buckets<IpAddr>,
    workspace_checks: Buckets<CustomerId>,
    all_workspace_checks: Buckets<()>,
}

impl Rates {
    pub(crate) fn new(per_minute_of_key: u32, per_minute_of_address: u32) -> Self {
        Self {
            secrets: Buckets::new(per_minute_of_key),
            keys: Buckets::new(per_minute_of_key),
            customers: Buckets::new(per_minute_of_key.div_ceil(CUSTOMERS_AT_LEAST)),
            addresses: Buckets::new(per_minute_of_address),
            logins: Buckets::new(LOGINS_PER_MINUTE),
            workspace_checks: Buckets::new(WORKSPACE_CHECKS_PER_MINUTE),
            all_workspace_checks: Buckets::new(ALL_WORKSPACE_CHECKS_PER_MINUTE),
        }
    }

    /// Takes a request of an address out. Otherwise: ms until there is one.
    pub(crate) fn request(&self, peer: IpAddr, now_ms: i64) -> Result<(), u64> {
        self.addresses.take(network(peer), now_ms)
    }

    /// Takes a request of a key, or of any of its tokens, out. Otherwise: ms until there is one.
    pub(crate) fn key(&self, key: i64, now_ms: i64) -> Result<(), u64> {
        self.keys.take(key, now_ms)
    }

    /// Takes a request of a customer's tokens out. Otherwise: ms until there is one.
    pub(crate) fn customer(&self, customer: CustomerId, now_ms: i64) -> Result<(), u64> {
        self.customers.take(customer, now_ms)
    }

    /// Takes a try to log in out. Otherwise: ms until there is one.
    pub(crate) fn login(&self, peer: IpAddr, now_ms: i64) -> Result<(), u64> {
        self.logins.take(network(peer), now_ms)
    }

    /// Whether Zendesk may be asked about a name of a workspace that stands in a customer's form.
    pub(crate) fn may_check_workspace(&self, customer: CustomerId, now_ms: i64) -> bool {
        let taken = self.workspace_checks.take(customer, now_ms);
        taken.and_then(|()| self.all_workspace_checks.take((), now_ms)).is_ok()
    }
}

/// What counts as one peer. An IPv6 network of 64 bits is one subscriber's.
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Turns away who asks too often, before anything is looked up for them.
pub(crate) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    if PROBES.contains(&request.uri().path()) {
        return next.run(request).await;
    }
    let now = api.now_ms();
    let mut taken = Ok(());
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() {
        taken = api.rates().request(peer.ip(), now);
    }
    for secret in secrets(request.headers()) {
        taken = taken.and_then(|()| api.rates().secrets.take(Sha256::digest(secret).into(), now));
    }
    match taken {
        Ok(()) => next.run(request).await,
        Err(wait_ms) => too_many(wait_ms).into_response(),
    }
}

/// The secrets of a request, each without its scheme: however it is spelt, a key has one bucket.
fn secrets(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all(AUTHORIZATION).iter().take(CREDENTIALS_MAX).filter_map(|value| {
        let (_scheme, secret) = value.to_str().ok()?.trim().split_once(' ')?;
        Some(secret.trim())
    })
}

/// The refusal of who has to wait so long.
pub(crate) fn too_many(wait_ms: u64) -> ApiError {
    ApiError::TooMany(wait_ms.div_ceil(1_000).max(1))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_bucket_gives_a_minutes_worth_at_once_and_then_its_rate() {
        let buckets = Buckets::new(60);
        let now = 1_000_000;
        for _ in 0..60 {
            assert_eq!(buckets.take("a", now), Ok(()));
        }
        assert_eq!(buckets.take("a", now), Err(1_000), "the next one in a second");
        assert_eq!(buckets.take("b", now), Ok(()), "nobody else's");
        assert_eq!(buckets.take("a", now + 999), Err(1));
        assert_eq!(buckets.take("a", now + 1_000), Ok(()));
        assert_eq!(buckets.take("a", now + 1_000), Err(1_000));
    }

    #[test]
    fn nobody_searches_zendesk_for_names_through_our_form() {
        let rates = Rates::new(1, 1);
        let asked =
            |customer| (0..100).filter(|_| rates.may_check_workspace(CustomerId(customer), 1_000)).count();
        assert_eq!((asked(1), asked(2)), (10, 10), "each customer a few");
        assert_eq!((3..100).map(asked).sum::<usize>(), 100, "and all of them together not many");
    }

    #[test]
    fn a_key_is_one_key_however_it_is_spelt() {
        let mut headers = HeaderMap::new();
        for spelt in ["Bearer the-key", "bearer   the-key ", "BEARER the-key", "alone"] {
            headers.append(AUTHORIZATION, HeaderValue::from_static(spelt));
        }
        assert_eq!(secrets(&headers).collect::<Vec<_>>(), ["the-key"; 3]);
    }

    #[test]
    fn invented_keys_take_no_more_room_than_there_is() {
        let buckets = Buckets::new(60);
        for key in 0..2 * BUCKETS_MAX {
            assert_eq!(buckets.take(key, 1), Ok(()));
        }
        assert_eq!(buckets.full_at.lock().unwrap().len(), BUCKETS_MAX);
        // A second later all of them are full again, and forgotten.
        assert_eq!(buckets.take(usize::MAX, 1_001), Ok(()));
        assert_eq!(buckets.full_at.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_subscriber_is_counted_once_whatever_address_of_its_network_it_takes() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
