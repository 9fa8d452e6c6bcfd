//! How long to wait before trying again.

use std::time::Duration;

use helpsync_model::Entropy;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);

/// The wait after `failures` failures in a row: doubled each time up to 10 s, and between half and all of it, so
/// that workers cut off together do not come back together.
pub(crate) fn delay(failures: u32, entropy: &dyn Entropy) -> Duration {
    let full = FIRST.saturating_mul(1 << failures.min(10)).min(LONGEST);
    full.mul_f64(0.5 + entropy.fraction() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_ten_seconds_and_never_end() {
        let entropy = helpsync_model::SeededEntropy::new(1);
        for failures in 0..100 {
            let wait = delay(failures, &entropy);
            assert!(wait >= FIRST / 2 && wait <= LONGEST, "{failures}: {wait:?}");
        }
        assert!(delay(1_000_000, &entropy) >= LONGEST / 2);
    }
}
