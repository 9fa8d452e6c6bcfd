//! The account's window, as answers tell it.
//!
//! Answers overtake each other, come late from the window before, and show ends in whole seconds, or no end at all. Of one
//! window the least `remaining` and the earliest end are kept: an end rounded up comes closer to the truth with every answer.
//! Where no end is told, a `remaining` that rises by a quarter of the limit shows that a new window began.

use super::{Budget, COUNT_MAX};

/// A window's answers that come this part of it after its end are told from those of the next.
const STALE_PART: u64 = 4;
/// As above, where answers tell no end.
const STALE_PART_UNTOLD: u64 = 30;
/// What was seen in the windows before counts as much as this part of a window, less a quarter of the time since.
const PRIOR_PART: u64 = 6;
const PRIOR_FADES: u64 = 4;
/// A nonsensical reset means at most so many windows.
const MAX_WINDOWS: u64 = 5;
/// Resets are told in whole seconds.
const ROUNDING_US: u64 = 1_000_000;

impl Budget {
    /// The longest time that a reset as told may mean.
    pub(super) fn read_reset(&mut self, told: u64, window: u64) -> u64 {
        if told == 0 {
            self.rounds_down = 1;
        }
        (told + self.rounds_down * ROUNDING_US).min(window * MAX_WINDOWS)
    }

    /// One answer's view. `true`: it is one more of the window that was open.
    pub(super) fn see_window(
        &mut self,
        remaining: u64,
        reset: Option<u64>,
        limit_changed: bool,
        window: u64,
        now: u64,
    ) -> bool {
        let age = now.saturating_sub(self.opened);
        let is_young = |part: u64| now >= self.opened && age < window / part;
        let known = self.opened > 0;
        let quarter = self.limit.max(self.first) / 4;
        let end = if let Some(reset) = reset {
            let end = now + reset;
            if known && end + window / 2 < self.window_end && is_young(STALE_PART) {
                return false;
            }
            let same = end.abs_diff(self.window_end) <= window / 2;
            if known && same { None } else { Some(end) }
        } else if known && remaining > self.remaining + quarter {
            // Between the last answer and this one.
            Some(now + window)
        } else if now < self.window_end {
            if is_young(STALE_PART_UNTOLD) && remaining < self.first / 2 && !limit_changed {
                return false;
            }
            None
        } else if remaining > quarter {
            Some(now + window)
        } else {
            // Little is left for a time nobody knows: look again in between.
            Some(now + window / 4)
        };
        let Some(end) = end else {
            if let Some(reset) = reset {
                self.window_end = self.window_end.min(now + reset);
            }
            if limit_changed {
                // What remained of another limit says nothing about this one.
                self.begin(remaining, now);
                return false;
            }
            self.told = now;
            self.remaining = self.remaining.min(remaining);
            return true;
        };
        self.others =
            if known && now < self.window_end + window { self.others_in_a_window(now, window) } else { 0 };
        self.window_end = end;
        // It is the first of its window: `first` is what remained after it.
        self.begin(remaining, now);
        false
    }

    fn begin(&mut self, remaining: u64, now: u64) {
        (self.remaining, self.first, self.own) = (remaining, remaining, 0);
        (self.opened, self.told) = (now, now);
    }

    /// What others take in a whole window, if they go on as they did.
    fn others_in_a_window(&self, now: u64, window: u64) -> u64 {
        let seen_for = now.min(self.window_end).saturating_sub(self.opened);
        let ours_at_most = self.remaining + self.own + self.in_flight.len() as u64;
        let taken = self.first.saturating_sub(ours_at_most);
        let prior = (window / PRIOR_PART).saturating_sub(seen_for / PRIOR_FADES);
        ((taken * window + self.others * prior) / (seen_for + prior).max(1)).min(COUNT_MAX)
    }

    /// What others are likely to take until the window's end, or have taken since `remaining` was told.
    pub(super) fn others_until_the_end(&self, now: u64, window: u64) -> u64 {
        self.others_in_a_window(now, window) * self.window_end.saturating_sub(self.told) / window
    }
}
