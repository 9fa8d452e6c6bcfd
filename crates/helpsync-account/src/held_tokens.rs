//! Tokens as a run read them a moment ago: the requests of a small sync come close together, and each would read the same
//! row. Held for that run alone: one that a new grant starts must not ask with the grant before, which may show less.
//!
//! Only what was asked to be used is taken from here. Whether a pair is to be replaced, by whom, and which one is stored is
//! always read: a token that another process has just replaced is refused once at most, and then read again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use helpsync_model::{ConnectionId, RunId};
use helpsync_store::ConnectionTokens;
use tokio::time::Instant;

/// A pair that was read so lately is used without reading it again. A grant that ends is used no longer than this.
const HELD_FOR: Duration = Duration::from_secs(1);
/// Pairs that are held at most: those of the connections that are synced right now.
const HELD_MAX: usize = 1_000;

/// Whose pair, and for which run.
pub(crate) type HeldFor = (ConnectionId, RunId);

/// Pairs by connection and run.
#[derive(Default)]
pub(crate) struct HeldTokens(Mutex<HashMap<HeldFor, (Instant, ConnectionTokens)>>);

impl HeldTokens {
    pub(crate) fn get(&self, held_for: HeldFor) -> Option<ConnectionTokens> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, tokens) = held.get(&held_for)?;
        (at.elapsed() < HELD_FOR).then(|| tokens.clone())
    }

    pub(crate) fn put(&self, held_for: HeldFor, tokens: &ConnectionTokens) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= HELD_MAX {
            held.retain(|_, (at, _)| at.elapsed() < HELD_FOR);
        }
        if held.len() < HELD_MAX {
            held.insert(held_for, (Instant::now(), tokens.clone()));
        }
    }

    pub(crate) fn forget(&self, held_for: HeldFor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&held_for);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::{ExposeSecret as _, SecretString};

    use super::*;

    fn pair(access: &str) -> ConnectionTokens {
        ConnectionTokens {
            access: SecretString::from(access.to_owned()),
            refresh: None,
            expires_at: None,
            client_id: None,
            version: 1,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pair_is_held_for_a_moment_and_not_when_it_was_replaced() {
        let held = HeldTokens::default();
        let one = (ConnectionId(1), RunId(1));
        assert!(held.get(one).is_none());
        held.put(one, &pair("a"));
        assert!(held.get((ConnectionId(2), RunId(1))).is_none());
        assert!(held.get((ConnectionId(1), RunId(2))).is_none());
        assert_eq!(held.get(one).unwrap().access.expose_secret(), "a");
        tokio::time::advance(HELD_FOR).await;
        assert!(held.get(one).is_none());
        held.put(one, &pair("b"));
        held.forget(one);
        assert!(held.get(one).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_pairs_are_held_than_may_be() {
        let held = HeldTokens::default();
        let most = i64::try_from(HELD_MAX).unwrap();
        for connection in 0..=most {
            held.put((ConnectionId(connection), RunId(1)), &pair("a"));
        }
        let last = (ConnectionId(most), RunId(1));
        assert!(held.get(last).is_none());
        tokio::time::advance(HELD_FOR).await;
        held.put(last, &pair("a"));
        assert!(held.get(last).is_some());
        assert_eq!(held.0.lock().unwrap().len(), 1);
    }
}
