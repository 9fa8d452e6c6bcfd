//! How long to wait before trying again.

use std::time::Duration;

use crate::Entropy;

/// No wait is shorter: times are kept in milliseconds, and a wait of none would be a loop.
const SHORTEST: Duration = Duration::from_millis(1);

/// The longest pause between two looks at a store that is away.
const LOOK_AGAIN_MAX: Duration = Duration::from_secs(15);

/// Exponential backoff with full jitter: a random part of a time that doubles with every failure, up to a bound.
///
/// The whole time is random, so that what failed together is not tried again together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// The wait after the first failure is at most `first`; each further one may be twice as long, and none is longer
    /// than `longest`.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest }
    }

    /// For whoever looks for work every `poll`, while looking fails: so that a process whose store is away for hours is
    /// quiet, and at work again within seconds of its return.
    #[must_use]
    pub fn of_looks(poll: Duration) -> Self {
        Self::new(poll, poll.max(LOOK_AGAIN_MAX))
    }

    /// The longest wait after `failures` in a row, counted from 1. Never shorter than a millisecond.
    #[must_use]
    pub fn ceiling(&self, failures: u32) -> Duration {
        let times = 2u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(times).min(self.longest).max(SHORTEST)
    }

    /// How long to wait after `failures` in a row, counted from 1: between a millisecond and [`Backoff::ceiling`].
    #[must_use]
    pub fn wait(&self, failures: u32, entropy: &dyn Entropy) -> Duration {
        self.ceiling(failures).mul_f64(1.0 - entropy.fraction()).max(SHORTEST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Fills with one byte: 0 is the smallest fraction, 255 the largest.
    #[derive(Debug)]
    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&self, into: &mut [u8]) {
            into.fill(self.0);
        }
    }

    #[test]
    fn who_looks_for_work_looks_as_often_as_ever_until_looking_fails() {
        let seconds =
            |poll: u64, failures| Backoff::of_looks(Duration::from_secs(poll)).ceiling(failures).as_secs();
        assert_eq!([0, 1, 2, 3, 5, 99].map(|failures| seconds(1, failures)), [1, 1, 2, 4, 15, 15]);
        assert_eq!([0, 9].map(|failures| seconds(60, failures)), [60, 60]);
    }

    #[test]
    fn waits_double_up_to_their_bound_and_reach_it() {
        let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(60));
        let longest =
            [0, 1, 2, 3, 4, u32::MAX].map(|failures| backoff.wait(failures, &Constant(0)).as_secs());
        assert_eq!(longest, [10, 10, 20, 40, 60, 60]);
        let half = backoff.wait(4, &Constant(127));
        assert!(half > Duration::from_secs(29) && half < Duration::from_secs(31), "{half:?}");
        assert_eq!(backoff.wait(4, &Constant(255)), SHORTEST);
    }

    proptest! {
        #[test]
        fn no_wait_is_none_or_above_its_ceiling_and_ceilings_never_shrink(
            first in 0u64..100_000, longest in 0u64..10_000_000, failures in any::<u32>(), byte in any::<u8>()
        ) {
            let backoff = Backoff::new(Duration::from_millis(first), Duration::from_millis(longest));
            let wait = backoff.wait(failures, &Constant(byte));
            prop_assert!(wait >= SHORTEST);
            prop_assert!(wait <= backoff.ceiling(failures));
            prop_assert!(backoff.ceiling(failures) <= backoff.ceiling(failures.saturating_add(1)));
            prop_assert!(backoff.ceiling(failures) <= Duration::from_millis(longest).max(SHORTEST));
            prop_assert_eq!(backoff.wait(failures, &Constant(0)), backoff.ceiling(failures));
        }
    }
}
