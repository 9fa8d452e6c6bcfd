//! Waits for budget over time, in a bounded number of spans however long the work lasts.

use std::sync::{Mutex, PoisonError};

use helpsync_store::{BudgetWaits, WaitSpan};

/// Shorter waits are not worth a span, in ms.
const WAITED_MIN_MS: u64 = 200;

/// Adds waits up until they are worth a span: at least half as much as was told before, so that the spans grow with the work
/// and a day of it has some thirty.
#[derive(Debug)]
pub(crate) struct WaitSpans(Mutex<State>);

#[derive(Debug)]
struct State {
    /// When the span that is added up began, in ms.
    since: i64,
    sum: BudgetWaits,
    /// Waited in the spans before it, in ms.
    told_ms: u64,
}

impl WaitSpans {
    /// Of work that begins at `now` (ms).
    pub(crate) fn since(now: i64) -> Self {
        Self(Mutex::new(State { since: now, sum: BudgetWaits::default(), told_ms: 0 }))
    }

    /// Adds what was waited up to `now` (ms). `ends`: what is left is told, if it is worth that at all.
    pub(crate) fn add(&self, waits: &BudgetWaits, now: i64, ends: bool) -> Option<WaitSpan> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = &mut state.sum;
        for (sum, waited) in [
            (&mut sum.all_ms, waits.all_ms),
            (&mut sum.pace_ms, waits.pace_ms),
            (&mut sum.window_ms, waits.window_ms),
            (&mut sum.in_flight_ms, waits.in_flight_ms),
            (&mut sum.blocked_ms, waits.blocked_ms),
        ] {
            *sum = sum.saturating_add(waited);
        }
        let least = if ends { WAITED_MIN_MS } else { WAITED_MIN_MS.max(state.told_ms / 2) };
        if state.sum.all_ms < least || now <= state.since {
            return None;
        }
        let (sum, from) = (std::mem::take(&mut state.sum), std::mem::replace(&mut state.since, now));
        state.told_ms = state.told_ms.saturating_add(sum.all_ms);
        Some(WaitSpan { from, until: now, waited_ms: sum.all_ms, why: mostly(&sum) })
    }
}

/// What most of the time was waited for.
fn mostly(waits: &BudgetWaits) -> &'static str {
    let reasons = [
        (waits.pace_ms, "the even pace of requests"),
        (waits.window_ms, "the account's next minute"),
        (waits.in_flight_ms, "requests under way"),
        (waits.blocked_ms, "the end of a pause that Zendesk asked for"),
    ];
    reasons.into_iter().max_by_key(|(ms, _)| *ms).map_or("", |(_, why)| why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(ms: u64) -> BudgetWaits {
        BudgetWaits { all_ms: ms, pace_ms: ms, ..BudgetWaits::default() }
    }

    #[test]
    fn a_day_of_short_waits_has_few_spans_which_hold_all_that_was_waited() {
        let spans = WaitSpans::since(0);
        let (mut told, mut last) = (Vec::new(), 0);
        for page in 1..=86_400 {
            told.extend(spans.add(&pace(500), page * 1_000, page == 86_400));
        }
        assert!(told.len() < 40, "{}", told.len());
        assert_eq!(told.iter().map(|span| span.waited_ms).sum::<u64>(), 43_200_000);
        for span in &told {
            assert_eq!(span.from, last);
            assert_eq!(span.waited_ms * 2, span.until.abs_diff(span.from), "half of each was waited");
            last = span.until;
        }
        assert_eq!(last, 86_400_000);
    }

    #[test]
    fn a_span_names_what_most_of_it_was_waited_for_and_what_is_too_short_is_none() {
        let spans = WaitSpans::since(100);
        assert_eq!(spans.add(&pace(199), 1_000, false), None);
        let blocked = BudgetWaits { all_ms: 900, blocked_ms: 900, ..BudgetWaits::default() };
        let span = spans.add(&blocked, 2_000, false).unwrap();
        assert_eq!((span.from, span.until, span.waited_ms), (100, 2_000, 1_099));
        assert_eq!(span.why, "the end of a pause that Zendesk asked for");
        assert_eq!(spans.add(&pace(540), 3_000, false), None, "less than half of what was told");
        assert_eq!(spans.add(&pace(0), 4_000, true).map(|span| span.waited_ms), Some(540), "the work ends");
        assert_eq!(spans.add(&pace(100), 5_000, true), None);
    }
}
