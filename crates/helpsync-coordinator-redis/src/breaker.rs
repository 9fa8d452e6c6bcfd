//! Stops asking a server that does not answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use helpsync_model::Backoff;
use tokio::time::Instant;

/// Failures in a row that open the breaker.
const TRIPS_AFTER: u32 = 3;
/// The first pause and the longest one; each failed probe doubles it.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));

/// Open after three failures in a row; then one call per pause probes.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Of the last call, if it failed.
    why: Option<String>,
    /// Set while open: nobody calls before it. Letting a probe through moves it on.
    closed_until: Option<Instant>,
}

impl Breaker {
    /// Whether to call now. While open, `true` makes the caller the probe.
    pub(crate) fn lets_through(&self, now: Instant) -> bool {
        let mut state = self.lock();
        match state.closed_until {
            None => true,
            Some(until) if now < until => false,
            Some(_) => {
                // A probe that is dropped half-way must not keep the breaker open for ever, nor let all through.
                state.closed_until = Some(now + pause(state.failures));
                true
            }
        }
    }

    /// Records how a call ended; `error`: why it failed.
    pub(crate) fn record(&self, error: Option<String>, now: Instant) {
        let mut state = self.lock();
        if error.is_none() {
            *state = State::default();
            return;
        }
        state.why = error;
        state.failures = state.failures.saturating_add(1);
        if state.failures >= TRIPS_AFTER {
            state.closed_until = Some(now + pause(state.failures));
        }
    }

    /// Why the last call failed, if it did.
    pub(crate) fn why(&self) -> Option<String> {
        self.lock().why.clone()
    }

    /// Whether the last calls failed.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().closed_until.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    PAUSES.ceiling(failures.saturating_sub(TRIPS_AFTER).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_after_three_failures_and_lets_one_probe_through_per_pause() {
        let breaker = Breaker::default();
        let start = Instant::now();
        for _ in 0..TRIPS_AFTER {
            assert!(breaker.lets_through(start));
            breaker.record(Some("no".to_owned()), start);
        }
        assert!(!breaker.lets_through(start));
        let later = start + PAUSES.ceiling(1);
        assert!(breaker.lets_through(later));
        assert!(!breaker.lets_through(later), "the others wait for the probe");
        breaker.record(Some("no".to_owned()), later);
        assert!(!breaker.lets_through(later + PAUSES.ceiling(1)), "longer after each failed probe");
        let much_later = later + PAUSES.ceiling(u32::MAX);
        assert!(breaker.lets_through(much_later));
        breaker.record(None, much_later);
        assert!(breaker.lets_through(much_later) && !breaker.is_open());
    }

    #[test]
    fn a_success_between_failures_starts_the_count_over() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for _ in 0..10 {
            breaker.record(Some("no".to_owned()), now);
            breaker.record(Some("no".to_owned()), now);
            breaker.record(None, now);
        }
        assert!(breaker.lets_through(now));
    }
}
