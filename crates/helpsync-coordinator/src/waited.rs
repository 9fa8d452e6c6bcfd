//! How long requests waited for budget, and for what.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::WaitReason;

/// The time in which at least one request waited, and for each reason the time in which at least one waited for that.
/// Requests that wait at once count once, so that none of them exceeds the time that passed.
#[derive(Debug, Default)]
pub struct Waited {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    all: Span,
    by_reason: [Span; 4],
}

/// Waits of one kind.
#[derive(Debug, Default)]
struct Span {
    waiting: u32,
    since: Option<Instant>,
    sum: Duration,
}

/// How long requests waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitTimes {
    /// For anything.
    pub all: Duration,
    /// See [`WaitReason::Pace`].
    pub pace: Duration,
    /// See [`WaitReason::Window`].
    pub window: Duration,
    /// See [`WaitReason::InFlight`].
    pub in_flight: Duration,
    /// See [`WaitReason::Blocked`].
    pub blocked: Duration,
}

/// One request waits while this lives.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Waited, WaitReason);

impl Waited {
    /// A request begins to wait.
    pub fn start(&self, reason: WaitReason) -> Waiting<'_> {
        let (mut state, now) = (self.lock(), Instant::now());
        state.all.enter(now);
        state.by_reason[place(reason)].enter(now);
        Waiting(self, reason)
    }

    /// The time since the last call of this; a wait that goes on counts up to now.
    #[must_use]
    pub fn take(&self) -> WaitTimes {
        let (mut state, now) = (self.lock(), Instant::now());
        let all = state.all.take(now);
        let [pace, window, in_flight, blocked] = state.by_reason.each_mut().map(|span| span.take(now));
        WaitTimes { all, pace, window, in_flight, blocked }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    fn enter(&mut self, now: Instant) {
        self.waiting += 1;
        self.since.get_or_insert(now);
    }

    fn leave(&mut self, now: Instant) {
        self.waiting -= 1;
        if self.waiting == 0 {
            self.settle(now);
        }
    }

    fn take(&mut self, now: Instant) -> Duration {
        self.settle(now);
        std::mem::take(&mut self.sum)
    }

    fn settle(&mut self, now: Instant) {
        if let Some(since) = self.since {
            self.sum += now - since;
            self.since = (self.waiting > 0).then_some(now);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let (mut state, now) = (self.0.lock(), Instant::now());
        state.all.leave(now);
        state.by_reason[place(self.1)].leave(now);
    }
}

const fn place(reason: WaitReason) -> usize {
    match reason {
        WaitReason::Pace => 0,
        WaitReason::Window => 1,
        WaitReason::InFlight => 2,
        WaitReason::Blocked => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_that_wait_at_once_count_once_and_nothing_counts_twice() {
        let (waited, second) = (Waited::default(), Duration::from_secs(1));
        let first = waited.start(WaitReason::Pace);
        tokio::time::advance(second).await;
        let other = waited.start(WaitReason::Window);
        tokio::time::advance(second).await;
        drop(first);
        let two = WaitTimes { all: second * 2, pace: second * 2, window: second, ..WaitTimes::default() };
        assert_eq!(waited.take(), two);
        tokio::time::advance(second).await;
        drop(other);
        tokio::time::advance(second).await;
        assert_eq!(waited.take(), WaitTimes { all: second, window: second, ..WaitTimes::default() });
        assert_eq!(waited.take(), WaitTimes::default());
    }
}
