//! How much of an account's allowance is used, and what it never costs.

use proptest::prelude::*;

use super::server::{Headers, Trial};
use super::{SECOND, START};
use crate::WaitReason;
use crate::budget::{Budget, Step, Terms};

/// The requirement is 97.
const USED_PERCENT: f64 = 98.5;

/// More than the allowance is at the reserve's cost.
const USED_PERCENT_MAX: f64 = 103.0;

/// Requests out at once when the first refusal comes are refused with it.
const REFUSED_UNKNOWN_MAX: u64 = 2;

fn assert_used(name: &str, trial: &Trial, from: u64, least: f64) {
    let used = used(name, trial, from, least);
    assert!(used < USED_PERCENT_MAX, "{name}: {used:.1} % used");
}

fn used(name: &str, trial: &Trial, from: u64, least: f64) -> f64 {
    let seen = trial.run();
    let used = trial.used_percent(&seen, from);
    println!("{name}: {used:.1} % used, {} refused, {:?}", seen.refused, seen.by_window);
    assert!(used >= least, "{name}: {used:.1} % used: {:?}", seen.by_window);
    assert_eq!((seen.refused, seen.while_blocked), (0, 0), "{name}");
    assert!(seen.asks <= 4 * seen.sent, "{name}: {} asks for {} requests", seen.asks, seen.sent);
    used
}

#[test]
fn the_allowance_is_used_whatever_the_headers_tell() {
    for headers in [Headers::Ceiled, Headers::Floored, Headers::NoReset] {
        assert_used(&format!("{headers:?}"), &Trial::of(700, headers), 1, USED_PERCENT);
    }
    // Without any header nobody knows where windows begin: a burst and lateness are kept free.
    assert_used("no headers", &Trial::of(700, Headers::None), 1, 96.0);
}

#[test]
fn a_second_integration_keeps_the_reserve_and_we_take_the_rest() {
    for (headers, share) in
        [(Headers::Ceiled, 40), (Headers::NoReset, 40), (Headers::Floored, 60), (Headers::Ceiled, 75)]
    {
        let trial = Trial { others_percent: share, ..Trial::of(700, headers) };
        // Of a small allowance a few requests are many percent: what counts is how much of the reserve is left.
        used(&format!("{headers:?}, others {share} %"), &trial, 2, 97.0);
        let left = trial.run().least_left;
        assert!(left >= 60, "{headers:?}, others {share} %: of 70 kept free only {left} were");
    }
}

#[test]
fn a_guess_is_corrected_by_the_first_answers() {
    for ceiling in [10, 400, 10_000] {
        let mut trial = Trial { into_window: 0, ..Trial::of(700, Headers::Ceiled) };
        trial.terms.ceiling = ceiling;
        assert_used(&format!("guessed {ceiling}"), &trial, 0, 97.0);
    }
}

#[test]
fn a_limit_raised_or_cut_in_mid_window_is_followed() {
    let raised = Trial { change: Some((70 * SECOND, 700)), ..Trial::of(200, Headers::Ceiled) };
    assert_used("raised", &raised, 2, USED_PERCENT);
    let seen = raised.run();
    // 90 s after its window began: half of it at 180, and then at most twice the even pace of 630.
    assert!(seen.by_window[&1] > 450, "the rest of the window is used: {:?}", seen.by_window);
    let cut = Trial { change: Some((70 * SECOND, 400)), ..Trial::of(700, Headers::Ceiled) };
    assert_used("cut", &cut, 2, USED_PERCENT);
}

#[test]
fn scaled_windows_are_used_as_well() {
    for seconds in [5, 10, 15] {
        let mut trial = Trial { into_window: SECOND, latency: 3_000, ..Trial::of(700, Headers::Ceiled) };
        trial.terms.window_us = seconds * SECOND;
        assert_used(&format!("{seconds} s"), &trial, 1, 97.0);
    }
}

#[test]
fn without_a_reserve_nothing_is_refused_either() {
    for headers in [Headers::Ceiled, Headers::Floored, Headers::None] {
        let mut trial = Trial::of(700, headers);
        trial.terms.reserve_percent = 0;
        assert_used(&format!("{headers:?}, no reserve"), &trial, 1, 95.0);
    }
}

#[test]
fn forgetting_everything_in_mid_window_never_bursts_over_the_limit() {
    for at in [45, 75, 99] {
        for ceiling in [200, 10_000] {
            let mut trial = Trial { flush: Some(at * SECOND), ..Trial::of(700, Headers::Ceiled) };
            trial.terms.ceiling = ceiling;
            assert_used(&format!("flushed at {at} s, ceiling {ceiling}"), &trial, 1, 96.0);
        }
    }
}

#[test]
fn many_waiters_cost_no_more_asks_than_few() {
    let few = Trial { askers: 6, ..Trial::of(700, Headers::Ceiled) }.run();
    let many = Trial { askers: 120, ..Trial::of(700, Headers::Ceiled) };
    let seen = many.run();
    assert!(many.used_percent(&seen, 1) > USED_PERCENT);
    let asks = |seen: &super::server::Seen| seen.asks as f64 / seen.sent as f64;
    assert!(
        asks(&seen) < asks(&few).max(2.2),
        "{:.2} asks a request, {:.2} with few",
        asks(&seen),
        asks(&few)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// With headers and a reserve no request of ours is refused, whatever was guessed and whoever else is there. Only
    /// in the first window and from a flush to the end of the next one, a second integration that takes half of a
    /// small limit may have spent the reserve before its pace was known: then a request learns it.
    #[test]
    fn nothing_is_refused_when_headers_tell(
        limit in 100_u64..800, ceiling in 10_u64..1_000, concurrency in 1_u64..8, latency_ms in 1_u64..1_500,
        into_window in 0_u64..60, others_percent in 0_u64..50, askers in 1_u64..40, headers in 0_usize..3,
        flush in proptest::option::of(0_u64..200),
    ) {
        let headers = [Headers::Ceiled, Headers::Floored, Headers::NoReset][headers];
        let mut trial = Trial {
            others_percent, into_window: into_window * SECOND, askers, latency: latency_ms * 1_000,
            flush: flush.map(|at| at * SECOND), ..Trial::of(limit, headers)
        };
        trial.terms.ceiling = ceiling;
        trial.terms.concurrency = concurrency;
        let seen = trial.run();
        let forgotten = trial.flush.map(|at| trial.number_at(at));
        for (window, refused) in &seen.refused_in {
            let unknown = *window == 0 || forgotten.is_some_and(|at| (at..=at + 1).contains(window));
            let most = if unknown { REFUSED_UNKNOWN_MAX } else { 0 };
            prop_assert!(*refused <= most, "window {}: {:?}: {:?}", window, trial, seen);
        }
    }

    /// No window, wherever it begins, sees more permits than the limit less the reserve, though many wait all the time,
    /// some leave their place and the others use it as late as they may.
    #[test]
    fn no_minute_wherever_it_begins_sees_more_than_the_rate(
        limit in 1_u64..900, reserve in 0_u64..90, askers in 1_u64..30, late in 0_u64..990_000, leaving in 2_u64..50,
    ) {
        let terms = Terms {
            ceiling: limit, concurrency: 10_000, reserve_percent: reserve, ttl_us: 1,
            patience_us: 30 * SECOND, window_us: 60 * SECOND,
        };
        let mut budget = Budget::default();
        let mut times: std::collections::BTreeSet<(u64, u64)> = (0..askers).map(|asker| (START, asker)).collect();
        let (mut number, mut permits) = (askers, Vec::new());
        while let Some((now, asker)) = times.pop_first() {
            if now > START + 150 * SECOND {
                break;
            }
            number += 1;
            match budget.acquire(&asker.to_string(), &terms, now) {
                Step::Granted => {
                    permits.push(now);
                    times.insert((now, number));
                }
                Step::Throttled(_, WaitReason::Pace) if number.is_multiple_of(leaving) => {
                    times.insert((now + number.wrapping_mul(7_919) % SECOND, number));
                }
                Step::Throttled(wait, _) => {
                    times.insert((now + wait + number.wrapping_mul(104_729) % (late + 1), asker));
                }
                Step::Repeated => unreachable!("every id is new"),
            }
        }
        let rate = usize::try_from(limit - (limit * reserve).div_ceil(100).min(limit - 1)).unwrap();
        for (at, start) in permits.iter().enumerate() {
            let seen = permits[at..].iter().take_while(|time| **time < start + 60 * SECOND).count();
            prop_assert!(seen <= rate, "{} of {} in a minute", seen, rate);
        }
    }
}
