//! Single rules of the machine. How it fares against a server that counts is in `use_of_windows`.

mod server;
mod use_of_windows;

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000;
const WINDOW: u64 = 60 * SECOND;
const START: u64 = 1_795_000_000 * SECOND;

fn terms(ceiling: u64, concurrency: u64, reserve_percent: u64) -> Terms {
    Terms { ceiling, concurrency, reserve_percent, ttl_us: 30 * SECOND, patience_us: 0, window_us: WINDOW }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever comes, a blocked budget permits nothing, the bound on requests in flight holds, and no wait is
    /// longer than the longest stop.
    #[test]
    fn blocked_and_full_budgets_permit_nothing(
        steps in proptest::collection::vec(
            (0_u64..3_000_000, any::<bool>(), 0_u64..12, proptest::option::of(0_u64..20), proptest::option::of(0_u32..50)),
            1..200),
    ) {
        let mut budget = Budget::default();
        let terms = terms(600, 4, 10);
        let mut now = START;
        for (gap, asks, id, retry, remaining) in steps {
            now += gap;
            let id = id.to_string();
            if asks {
                let before = budget.clone();
                match budget.acquire(&id, &terms, now) {
                    Step::Granted => {
                        prop_assert!(before.blocked_until <= now);
                        prop_assert!(before.in_flight.values().filter(|ends| **ends > now).count() < 4);
                    }
                    Step::Repeated => prop_assert!(before.in_flight[&id] > now),
                    Step::Throttled(wait, _) => prop_assert!(wait > 0 && wait <= MAX_BLOCK_US),
                }
            } else {
                let report = Report {
                    status: Some(if retry.is_some() { 429 } else { 200 }),
                    retry_after: retry.map(Duration::from_secs),
                    remaining,
                    ..Report::default()
                };
                budget.report(&id, &report, WINDOW, now);
            }
            prop_assert!(budget.in_flight.len() <= 4);
        }
    }
}

#[test]
fn a_nonsensical_retry_after_ends_within_the_hour() {
    let mut budget = Budget::default();
    let report = Report { status: Some(503), retry_after: Some(Duration::MAX), ..Report::default() };
    budget.report("1", &report, WINDOW, START);
    assert_eq!(
        budget.acquire("2", &terms(60, 1, 0), START),
        Step::Throttled(MAX_BLOCK_US, WaitReason::Blocked)
    );
    assert_eq!(budget.acquire("2", &terms(60, 1, 0), START + MAX_BLOCK_US), Step::Granted);
}

#[test]
fn a_429_without_any_time_stops_for_half_a_minute() {
    let mut budget = Budget::default();
    budget.report("1", &Report { status: Some(429), ..Report::default() }, WINDOW, START);
    assert_eq!(
        budget.acquire("2", &terms(60, 1, 0), START),
        Step::Throttled(DEFAULT_BLOCK_US, WaitReason::Blocked)
    );
}

#[test]
fn a_request_that_ended_without_an_answer_still_counts_against_the_window() {
    let mut budget = Budget::default();
    let terms = terms(600, 9, 0);
    assert_eq!(budget.acquire("1", &terms, START), Step::Granted);
    let seen = Report {
        status: Some(200),
        limit: Some(600),
        remaining: Some(2),
        reset_after: Some(Duration::from_secs(50)),
        ..Report::default()
    };
    budget.report("1", &seen, WINDOW, START);
    assert_eq!(budget.acquire("2", &terms, START + 30 * SECOND), Step::Granted);
    budget.report("2", &Report::default(), WINDOW, START + 31 * SECOND);
    assert_eq!(budget.remaining, 1);
    // One that is lost with its worker counts as well.
    assert_eq!(budget.acquire("3", &Terms { ttl_us: SECOND, ..terms }, START + 45 * SECOND), Step::Granted);
    assert!(matches!(
        budget.acquire("4", &terms, START + 47 * SECOND),
        Step::Throttled(_, WaitReason::Window)
    ));
    assert_eq!((budget.remaining, budget.in_flight.len()), (0, 0));
}

/// A full window of ten, told by an answer to request 0.
fn window_of_ten() -> Budget {
    let mut budget = Budget::default();
    let seen = Report {
        status: Some(200),
        limit: Some(60_000),
        remaining: Some(10),
        reset_after: Some(Duration::from_secs(1)),
        ..Report::default()
    };
    budget.report("0", &seen, WINDOW, START);
    budget
}

#[test]
fn requests_in_flight_are_not_spent_twice() {
    let mut budget = window_of_ten();
    let terms = terms(60_000, 100, 0);
    let mut granted = 0_u64;
    for step in 0..999 {
        granted +=
            u64::from(budget.acquire(&step.to_string(), &terms, START + step * 1_000) == Step::Granted);
    }
    assert_eq!(granted, 10, "no answer has come: the ten that remain are out");
}

#[test]
fn an_answer_that_was_overtaken_does_not_raise_what_remains() {
    let mut budget = window_of_ten();
    let late =
        Report { remaining: Some(500), reset_after: Some(Duration::from_secs(1)), ..Report::default() };
    budget.report("1", &late, WINDOW, START + 1_000);
    assert_eq!(budget.remaining, 10);
    // The next window's answer does.
    let fresh = Report { reset_after: Some(Duration::from_secs(60)), ..late };
    budget.report("2", &fresh, WINDOW, START + SECOND);
    assert_eq!((budget.remaining, budget.window_end), (500, START + 61 * SECOND));
}

#[test]
fn a_window_that_the_server_moved_is_taken_over_and_a_jittering_end_is_not() {
    let mut budget = window_of_ten();
    let answer = |remaining, reset| Report {
        remaining: Some(remaining),
        reset_after: Some(Duration::from_secs(reset)),
        ..Report::default()
    };
    budget.report("1", &answer(300, 4), WINDOW, START);
    assert_eq!((budget.remaining, budget.window_end), (10, START + SECOND));
    budget.report("2", &answer(300, 60), WINDOW, START);
    assert_eq!((budget.remaining, budget.window_end), (300, START + 60 * SECOND));
}
