//! The request budget of one account, as a pure state machine in whole microseconds.
//!
//! Three brakes, each of which can say no:
//! * a set of requests in flight, each with an end, so that a crashed worker's permits come back;
//! * an even pace (GCRA: a theoretical arrival time that every permit moves on by one interval), with a burst
//!   of a sixtieth of a window;
//! * the account's own window as its headers tell it (`window`): of what remains, the reserve, the requests in flight and
//!   what others are likely to take are not ours to spend, and the rest is spread over the rest of the window.
//!
//! And one stop: after a 429 or a `Retry-After` nobody sends before its time.
//!
//! **Places in line.** Who is told to wait for the pace, and is patient enough, gets a place: a time of its own, for which
//! the pace is already paid. It comes back then and is served, so that a wait costs one more ask however many wait,
//! nobody is overtaken, and no time between two requests is lost to asking. A place that nobody comes for ends a second
//! later. A place is no permit: stops, an emptied window and the bound on requests in flight hold on the return too.
//!
//! **Without headers** the pace is chosen so that no window, wherever it begins, sees more permits than the limit less the
//! reserve: with a burst, and places used up to a second late, an interval of (window + burst + 1 s) / rate gives at most
//! `rate`. **With headers** the pace follows what remains, at most twice as fast as even, so that time lost early in a
//! window is made up for and the whole allowance is used.
//!
//! Every number stays below 2^53 and every division is floored on whole numbers, so that the same steps in a
//! Redis script (Lua numbers are doubles) give the same results. Change both together.

mod window;

use std::collections::BTreeMap;

use crate::{Report, WaitReason};

/// Zendesk's limits hold for a minute.
pub const DEFAULT_WINDOW: std::time::Duration = std::time::Duration::from_secs(60);
/// The burst is this part of a window: requests may come this much earlier than their even pace.
const BURSTS_PER_WINDOW: u64 = 60;
/// A place in line is kept this long after its time.
const LATE_US: u64 = 1_000_000;
/// Places in line; who comes when all are taken asks again later.
const WAITING_MAX: usize = 1_000;
/// When the in-flight set is full nobody knows when a place comes free: ask again after this long.
pub const IN_FLIGHT_POLL_US: u64 = 100_000;
/// Headers tell whole seconds, in a rounding that shows late: a window may last this much longer than it seems.
const TURN_US: u64 = 1_000_000;
/// A 429 without `Retry-After` and without a reset stops the account for this long.
const DEFAULT_BLOCK_US: u64 = 30_000_000;
/// The same, for work that is put off by it.
pub const DEFAULT_BLOCK: std::time::Duration = std::time::Duration::from_micros(DEFAULT_BLOCK_US);
/// No header stops an account for longer: a nonsensical `Retry-After` must not end a customer's sync.
const MAX_BLOCK_US: u64 = 3_600_000_000;
/// Larger counts in headers mean this many.
const COUNT_MAX: u64 = 1_000_000;
/// The reserve is at most this percentage: something must be left.
const MAX_RESERVE_PERCENT: u64 = 90;
/// The lengths of a window that the arithmetic allows.
const WINDOW_US: std::ops::RangeInclusive<u64> = 1_000_000..=300_000_000;

/// The state of one account's budget. Times are microseconds since 1970; 0 means "none".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Budget {
    /// The limit last reported, a window; 0 until then.
    pub limit: u64,
    /// The theoretical arrival time of the next request, those in line included.
    pub tat: u64,
    /// The end of the window last reported: the earliest that its answers allow.
    pub window_end: u64,
    /// The least `remaining` seen in that window, less the requests that ended without saying.
    pub remaining: u64,
    /// When the first answer of that window came.
    pub opened: u64,
    /// When the last one came that told what remains.
    pub told: u64,
    /// What it said remains.
    pub first: u64,
    /// Requests of ours that ended in that window after it.
    pub own: u64,
    /// What others took in a whole window, as the windows before showed.
    pub others: u64,
    /// 1 once a reset of no time at all was told: whole seconds are then rounded down, and one more is meant.
    pub rounds_down: u64,
    /// Nobody sends before this.
    pub blocked_until: u64,
    /// Requests out, and when each counts as lost.
    pub in_flight: BTreeMap<String, u64>,
    /// Places in line: who may send at what time.
    pub waiting: BTreeMap<String, u64>,
}

/// What [`Budget::acquire`] decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Granted, and now in flight.
    Granted,
    /// Granted before under the same id and still in flight.
    Repeated,
    /// PermitRequest again after this many microseconds.
    Throttled(u64, WaitReason),
}

/// An ask in the machine's units.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// See [`crate::PermitRequest::ceiling_per_minute`].
    pub ceiling: u64,
    /// See [`crate::PermitRequest::concurrency_max`].
    pub concurrency: u64,
    /// See [`crate::PermitRequest::reserve_percent`].
    pub reserve_percent: u64,
    /// See [`crate::PermitRequest::permit_ttl`].
    pub ttl_us: u64,
    /// See [`crate::PermitRequest::patience`].
    pub patience_us: u64,
    /// Length of the account's windows.
    pub window_us: u64,
}

impl Budget {
    /// Decides on one request at `now`. When it does not permit it changes nothing but the line, and cleans up.
    pub fn acquire(&mut self, id: &str, terms: &Terms, now: u64) -> Step {
        let window = length(terms.window_us);
        let slack = window / BURSTS_PER_WINDOW;
        self.drop_lost(now);
        self.waiting.retain(|_, time| *time + LATE_US > now);
        if self.in_flight.contains_key(id) {
            return Step::Repeated;
        }
        let flying = self.in_flight.len() as u64;
        let concurrency = terms.concurrency.max(1);
        let limit = if self.limit > 0 { self.limit } else { terms.ceiling }.clamp(1, COUNT_MAX);
        let reserve = (limit * terms.reserve_percent.min(MAX_RESERVE_PERCENT)).div_ceil(100).min(limit - 1);
        let rate = limit - reserve;
        let open = self.window_end > now;
        // In the moment after its seeming end the old window may still pay, out of the reserve, but not out of nothing.
        let turning = !open && self.opened > 0 && self.window_end + TURN_US > now && self.remaining <= flying;
        let emptied = open && self.remaining <= reserve + flying;

        if let Some(time) = self.waiting.remove(id)
            && self.blocked_until <= now
            && !turning
            && !emptied
        {
            return self.keep_place(id, time, terms, now);
        }

        let in_line = self.waiting.len() as u64;
        let (mut start, mut reason) = (now, WaitReason::Pace);
        if self.blocked_until > now {
            (start, reason) = (self.blocked_until, WaitReason::Blocked);
        }
        let mut interval = (window + slack + LATE_US).div_ceil(rate);
        if self.window_end > start {
            let waiting = self.waiting.values().filter(|time| **time < self.window_end).count() as u64;
            let spoken_for = reserve + flying + waiting;
            let others = self.others_until_the_end(now, window);
            if self.remaining <= spoken_for {
                (start, reason) = (self.window_end, WaitReason::Window);
            } else if self.remaining <= spoken_for + others {
                // Others may turn out to take less: look again soon.
                return Step::Throttled((self.window_end - now).min(slack), WaitReason::Window);
            } else if self.tat < self.window_end {
                let left = self.window_end - self.tat.max(now);
                interval = (left / (self.remaining - spoken_for - others)).max(window / (2 * rate)).max(1);
            }
        } else if turning && self.window_end + TURN_US > start {
            (start, reason) = (self.window_end + TURN_US, WaitReason::Window);
        }
        let burst = slack.saturating_sub(interval);
        // After a stop the line moves evenly from the first on. After a slow stretch the pace may quicken: only what the
        // line needs at the present pace is waited out, and places that nobody came for are free again.
        let earliest = if start > now { start + burst } else { now };
        let tat = self.tat.max(earliest).min(start + burst + interval * (in_line + 1));
        let mut time = tat - burst;
        if time <= now {
            let due = self.waiting.values().filter(|time| **time <= now).count() as u64;
            if flying + due < concurrency {
                self.tat = tat + interval;
                return self.permit(id, terms, now);
            }
            (time, reason) = (now + IN_FLIGHT_POLL_US, WaitReason::InFlight);
        }
        if time - now <= terms.patience_us && self.waiting.len() < WAITING_MAX {
            self.tat = tat + interval;
            self.waiting.insert(id.to_owned(), time);
        }
        Step::Throttled(time - now, reason)
    }

    /// Who comes back with a place in line is served when its time has come and a request may fly.
    fn keep_place(&mut self, id: &str, time: u64, terms: &Terms, now: u64) -> Step {
        let full = self.in_flight.len() as u64 >= terms.concurrency.max(1);
        if time <= now && !full {
            return self.permit(id, terms, now);
        }
        let time = if time > now { time } else { now + IN_FLIGHT_POLL_US };
        self.waiting.insert(id.to_owned(), time);
        Step::Throttled(time - now, if full { WaitReason::InFlight } else { WaitReason::Pace })
    }

    fn permit(&mut self, id: &str, terms: &Terms, now: u64) -> Step {
        self.in_flight.insert(id.to_owned(), now + terms.ttl_us.max(1));
        Step::Granted
    }

    /// Takes in how the request `id` ended at `now`. `window_us`: as in [`Terms`].
    pub fn report(&mut self, id: &str, report: &Report, window_us: u64, now: u64) {
        let window = length(window_us);
        self.drop_lost(now);
        let was_out = self.in_flight.remove(id).is_some();
        let told = report.limit.map_or(0, |limit| u64::from(limit).min(COUNT_MAX));
        let changed = told > 0 && self.limit > 0 && told != self.limit;
        if told > 0 {
            self.limit = told;
        }
        let limited = report.status == Some(429);
        let reset = report.reset_after.map(|after| self.read_reset(micros(after), window));
        if limited || report.retry_after.is_some() {
            let pause =
                report.retry_after.map(micros).or(reset).unwrap_or(DEFAULT_BLOCK_US).min(MAX_BLOCK_US);
            self.blocked_until = self.blocked_until.max(now + pause);
            // Whoever comes back to a place before the stop is over gets a new one after it.
            self.waiting.clear();
        }
        match report.remaining {
            Some(remaining) => {
                let remaining = u64::from(remaining).min(COUNT_MAX);
                if self.see_window(remaining, reset, changed, window, now) && was_out {
                    self.own += 1;
                }
            }
            None if was_out => self.spend(1),
            None => {}
        }
    }

    /// Grants whose holder never reported. Their request may have been sent, so the window pays for it.
    fn drop_lost(&mut self, now: u64) {
        let before = self.in_flight.len();
        self.in_flight.retain(|_, ends| *ends > now);
        self.spend((before - self.in_flight.len()) as u64);
    }

    /// Requests of which no answer told.
    fn spend(&mut self, count: u64) {
        self.remaining = self.remaining.saturating_sub(count);
        self.own += count;
    }

    /// Whether forgetting it would lose nothing but what was learned of the account.
    #[must_use]
    pub fn is_idle(&self, now: u64) -> bool {
        self.blocked_until <= now
            && self.window_end <= now
            && self.tat <= now
            && self.in_flight.values().all(|ends| *ends <= now)
            && self.waiting.values().all(|time| time + LATE_US <= now)
    }
}

fn length(window_us: u64) -> u64 {
    window_us.clamp(*WINDOW_US.start(), *WINDOW_US.end())
}

fn micros(duration: std::time::Duration) -> u64 {
    // Bounded far below 2^53, so that later sums stay exact in a double.
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).min(MAX_BLOCK_US)
}

#[cfg(test)]
mod tests;
