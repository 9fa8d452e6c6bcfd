//! A fixed-window server that counts, and workers that ask all the time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{SECOND, START};
use crate::budget::{Budget, Step, Terms};
use crate::{Report, WaitReason};

/// What answers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Headers {
    /// Limit, remaining and reset in whole seconds, rounded up.
    Ceiled,
    /// The same, rounded down.
    Floored,
    /// Limit and remaining, as on Zendesk's endpoints that list nothing.
    NoReset,
    /// Nothing.
    None,
}

/// One account under load.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) limit: u64,
    /// The limit becomes this at that time after the start.
    pub(super) change: Option<(u64, u64)>,
    /// Percent of the limit that others take, evenly over each window.
    pub(super) others_percent: u64,
    pub(super) headers: Headers,
    /// The part of the first window that has passed at the start, used by nobody but the others.
    pub(super) into_window: u64,
    pub(super) terms: Terms,
    /// Requests that would like to be sent at any time.
    pub(super) askers: u64,
    /// Least time of an exchange; the most is twice as much.
    pub(super) latency: u64,
    /// Who waits comes back up to this much late.
    pub(super) late: u64,
    pub(super) windows: u64,
    /// All is forgotten at this time after the start.
    pub(super) flush: Option<u64>,
}

/// What the server saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Requests of ours by window; the first is a part of one.
    pub(super) by_window: BTreeMap<u64, u64>,
    pub(super) refused: u64,
    /// The windows of those.
    pub(super) refused_in: BTreeMap<u64, u64>,
    /// Most of ours in one window.
    pub(super) most: u64,
    /// Least that was left at the end of a window from the second on.
    pub(super) least_left: u64,
    pub(super) asks: u64,
    pub(super) sent: u64,
    /// Sent though a 429 that was reported said to wait.
    pub(super) while_blocked: u64,
}

impl Trial {
    pub(super) fn of(limit: u64, headers: Headers) -> Self {
        Self {
            limit,
            change: None,
            others_percent: 0,
            headers,
            into_window: 20 * SECOND,
            terms: Terms {
                ceiling: limit,
                concurrency: 4,
                reserve_percent: 10,
                ttl_us: 90 * SECOND,
                patience_us: 20 * SECOND,
                window_us: 60 * SECOND,
            },
            askers: 12,
            latency: 100_000,
            late: 20_000,
            windows: 5,
            flush: None,
        }
    }

    /// The number of the window at that time after the start.
    pub(super) fn number_at(&self, after: u64) -> u64 {
        (after + self.into_window) / self.terms.window_us
    }

    fn limit_at(&self, now: u64) -> u64 {
        self.change.filter(|(at, _)| now >= START + at).map_or(self.limit, |(_, limit)| limit)
    }

    /// Window number, time into it, and what others have taken of it.
    fn window_at(&self, now: u64) -> (u64, u64, u64) {
        let window = self.terms.window_us;
        let since = now - START + self.into_window;
        let into = since % window;
        (since / window, into, self.limit_at(now) * self.others_percent * into / window / 100)
    }

    fn answer(&self, seen: &mut Seen, now: u64) -> Report {
        let (number, into, others) = self.window_at(now);
        let used = seen.by_window.entry(number).or_default();
        *used += 1;
        seen.most = seen.most.max(*used);
        let limit = self.limit_at(now);
        let limited = *used + others > limit;
        if limited {
            seen.refused += 1;
            *seen.refused_in.entry(number).or_default() += 1;
        }
        let left = self.terms.window_us - into;
        let reset = match self.headers {
            Headers::Floored => left / SECOND,
            _ => left.div_ceil(SECOND),
        };
        let small = |n: u64| Some(u32::try_from(n).unwrap());
        let status = Some(if limited { 429 } else { 200 });
        let retry_after = limited.then(|| Duration::from_secs(left.div_ceil(SECOND)));
        if self.headers == Headers::None {
            return Report { status, retry_after, ..Report::default() };
        }
        Report {
            status,
            limit: small(limit),
            remaining: small(limit.saturating_sub(*used + others)),
            reset_after: (self.headers != Headers::NoReset).then(|| Duration::from_secs(reset)),
            retry_after,
        }
    }

    pub(super) fn run(&self) -> Seen {
        let mut seen = Seen { least_left: u64::MAX, ..Seen::default() };
        let mut budget = Budget::default();
        let end = START + self.windows * self.terms.window_us - self.into_window;
        // Events by time and number: an asker with what it asks for, or an answer that arrives.
        let mut events: BTreeMap<(u64, u64), (u64, Option<Report>)> =
            (0..self.askers).map(|asker| ((START + asker, asker), (asker, None))).collect();
        let (mut number, mut flushed, mut blocked_until) = (self.askers, false, 0);
        while let Some(((now, _), (asker, answer))) = events.pop_first() {
            if now >= end {
                break;
            }
            if !flushed && self.flush.is_some_and(|at| now >= START + at) {
                budget = Budget::default();
                flushed = true;
            }
            number += 1;
            let mixed = number.wrapping_mul(7_919);
            if let Some(report) = answer {
                if let Some(pause) = report.retry_after {
                    blocked_until = now + u64::try_from(pause.as_micros()).unwrap();
                }
                budget.report(&asker.to_string(), &report, self.terms.window_us, now);
                events.insert((now, number), (number, None));
                continue;
            }
            seen.asks += 1;
            match budget.acquire(&asker.to_string(), &self.terms, now) {
                Step::Granted => {
                    seen.sent += 1;
                    seen.while_blocked += u64::from(now < blocked_until && !flushed);
                    // Answers overtake each other: the time on the way differs.
                    let way = self.latency + mixed % (self.latency + 1);
                    let report = self.answer(&mut seen, now + way / 2);
                    events.insert((now + way, number), (asker, Some(report)));
                }
                Step::Repeated => panic!("a new id is never a repeat"),
                Step::Throttled(wait, reason) => {
                    assert!(wait > 0);
                    let late = if reason == WaitReason::Pace && self.late == 0 {
                        0
                    } else {
                        mixed % (self.late + 1)
                    };
                    events.insert((now + wait + late, number), (asker, None));
                }
            }
            assert!(budget.in_flight.len() as u64 <= self.terms.concurrency);
        }
        for (window, used) in &seen.by_window {
            if (1..self.windows).contains(window) {
                let taken = used + self.limit * self.others_percent / 100;
                seen.least_left = seen.least_left.min(self.limit.saturating_sub(taken));
            }
        }
        seen
    }

    /// Percent of the allowance (limit less reserve less what others took) used in the windows from number `from` on.
    pub(super) fn used_percent(&self, seen: &Seen, from: u64) -> f64 {
        let limit = self.change.map_or(self.limit, |(_, limit)| limit);
        let reserve = (limit * self.terms.reserve_percent).div_ceil(100);
        let allowance = limit - reserve - limit * self.others_percent / 100;
        let used: u64 = seen.by_window.range(from..self.windows).map(|(_, used)| used).sum();
        used as f64 * 100.0 / (allowance * (self.windows - from)) as f64
    }
}
