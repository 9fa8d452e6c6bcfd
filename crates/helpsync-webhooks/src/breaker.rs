//! When to leave a receiver alone for a while.

use std::time::Duration;

use helpsync_model::Backoff;
use helpsync_store::{TriedEnd, WebhookHealth};

/// When the circuit opens, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BreakerOptions {
    /// Failures in a row that open it.
    pub failures: u32,
    /// How long it stays open at first; every probe that fails doubles it.
    pub open: Duration,
    /// The longest that it stays open.
    pub open_max: Duration,
}

/// What these ends, in their order, make of a webhook's health at `now` (ms).
pub(crate) fn judge<'a>(
    options: BreakerOptions,
    before: &WebhookHealth,
    ends: impl Iterator<Item = &'a TriedEnd>,
    now: i64,
) -> WebhookHealth {
    let mut after = before.clone();
    let mut failed = false;
    for end in ends {
        match end {
            TriedEnd::Delivered => (after, failed) = (WebhookHealth::default(), false),
            TriedEnd::Retry { error, .. } | TriedEnd::Dead { error, .. } => {
                after.failures = after.failures.saturating_add(1);
                after.reason = Some(error.clone());
                failed = true;
            }
            TriedEnd::Released => {}
        }
    }
    let threshold = i64::from(options.failures);
    if !failed {
        return after;
    }
    if after.failures < threshold {
        after.reason = None;
        return after;
    }
    if before.open_until.is_none() {
        // However many failed at once: the first pause is the shortest.
        after.failures = threshold;
    }
    let probes = u32::try_from(after.failures - threshold).unwrap_or(u32::MAX);
    let pause = Backoff::new(options.open, options.open_max).ceiling(probes.saturating_add(1));
    after.open_until = Some(now.saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)));
    after
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: BreakerOptions =
        BreakerOptions { failures: 3, open: Duration::from_secs(60), open_max: Duration::from_secs(200) };

    fn failure() -> TriedEnd {
        TriedEnd::Retry { wait: Duration::ZERO, http_status: None, error: "no".to_owned() }
    }

    fn after(before: &WebhookHealth, ends: &[TriedEnd]) -> WebhookHealth {
        judge(OPTIONS, before, ends.iter(), 1_000)
    }

    #[test]
    fn failures_in_a_row_open_the_circuit_and_failed_probes_double_the_pause() {
        let two = after(&WebhookHealth::default(), &[failure(), failure()]);
        assert_eq!((two.failures, two.open_until, two.reason.as_deref()), (2, None, None));
        let mended = after(&two, &[failure(), TriedEnd::Delivered, failure()]);
        assert_eq!((mended.failures, mended.open_until), (1, None));
        // A whole round fails: still the shortest pause.
        let mut open = after(&two, &[failure(), failure(), failure(), failure()]);
        assert_eq!((open.failures, open.open_until, open.reason.as_deref()), (3, Some(61_000), Some("no")));
        for seconds in [120, 200, 200, 200] {
            open = after(&open, &[failure()]);
            assert_eq!(open.open_until, Some(1_000 + seconds * 1_000));
        }
        assert_eq!(after(&open, &[TriedEnd::Released]), open);
        assert_eq!(after(&open, &[TriedEnd::Delivered]), WebhookHealth::default());
        let endless = WebhookHealth { failures: i64::MAX, ..open };
        assert_eq!(after(&endless, &[failure()]).open_until, Some(201_000));
    }
}
