//! How long requests waited for budget.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// The time in which at least one request waited. Requests that wait at once count once, so that it never exceeds the
/// time that passed.
#[derive(Debug, Default)]
pub struct Waited {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: u32,
    since: Option<Instant>,
    sum: Duration,
}

/// One request waits while this lives.
#[derive(Debug)]
pub struct Waiting<'a>(&'a Waited);

impl Waited {
    /// A request begins to wait.
    pub fn start(&self) -> Waiting<'_> {
        let mut state = self.lock();
        state.waiting += 1;
        state.since.get_or_insert_with(Instant::now);
        Waiting(self)
    }

    /// The time since the last call of this; a wait that goes on counts up to now.
    #[must_use]
    pub fn take(&self) -> Duration {
        let mut state = self.lock();
        let now = Instant::now();
        state.settle(now);
        std::mem::take(&mut state.sum)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn settle(&mut self, now: Instant) {
        if let Some(since) = self.since {
            self.sum += now - since;
            self.since = (self.waiting > 0).then_some(now);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.waiting -= 1;
        if state.waiting == 0 {
            state.settle(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn requests_that_wait_at_once_count_once_and_nothing_counts_twice() {
        let (waited, second) = (Waited::default(), Duration::from_secs(1));
        let first = waited.start();
        tokio::time::advance(second).await;
        let other = waited.start();
        tokio::time::advance(second).await;
        drop(first);
        assert_eq!(waited.take(), second * 2);
        tokio::time::advance(second).await;
        drop(other);
        tokio::time::advance(second).await;
        assert_eq!(waited.take(), second);
        assert_eq!(waited.take(), Duration::ZERO);
    }
}
