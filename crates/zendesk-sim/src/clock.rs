//! The simulator's own time: the machine's clock, shifted, stopped or speeded up at will.

use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sync::lock;

/// Length of a rate-limit window, in milliseconds of simulated time.
const WINDOW_MS: f64 = 60_000.0;

/// Seconds since the Unix epoch. Zendesk shows whole seconds everywhere, so the simulator keeps no finer time.
pub type Epoch = i64;

/// The time every account of one simulator lives by.
#[derive(Debug)]
pub struct SimClock {
    state: Mutex<ClockState>,
}

#[derive(Debug, Clone, Copy)]
struct ClockState {
    offset_ms: i64,
    frozen_at_ms: Option<i64>,
    time_scale: f64,
}

/// Where in its rate-limit window a moment lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WindowTime {
    /// Number of the window; two moments share a budget when it is equal.
    pub(crate) index: i64,
    /// Part of the window that has passed, 0 to 1.
    pub(crate) elapsed: f64,
    /// Whole real seconds until the next window, at least 1.
    pub(crate) reset_seconds: u64,
}

impl SimClock {
    pub(crate) fn new(start_at: Option<Epoch>, time_scale: f64) -> Self {
        let offset_ms = start_at.map_or(0, |epoch| epoch * 1000 - machine_ms());
        Self { state: Mutex::new(ClockState { offset_ms, frozen_at_ms: None, time_scale }) }
    }

    /// Milliseconds since the epoch, as the simulated service sees them.
    pub fn now_ms(&self) -> i64 {
        lock(&self.state).now_ms()
    }

    /// Whole seconds since the epoch: the value that lands in `updated_at`.
    pub fn now(&self) -> Epoch {
        self.now_ms().div_euclid(1000)
    }

    /// Moves time forward at once, also while it is frozen.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX / 4);
        let mut state = lock(&self.state);
        match &mut state.frozen_at_ms {
            Some(at) => *at += by_ms,
            None => state.offset_ms += by_ms,
        }
    }

    /// Stops time where it is. It then moves by [`SimClock::advance`] only.
    pub fn freeze(&self) {
        let mut state = lock(&self.state);
        state.frozen_at_ms = Some(state.now_ms());
    }

    /// Stops time at the given second.
    pub fn freeze_at(&self, at: Epoch) {
        lock(&self.state).frozen_at_ms = Some(at * 1000);
    }

    /// Lets time run again from where it stands.
    pub fn thaw(&self) {
        let mut state = lock(&self.state);
        if let Some(at) = state.frozen_at_ms.take() {
            state.offset_ms = at - machine_ms();
        }
    }

    /// Speeds up the rate-limit windows only: at 60.0 a minute's window lasts one second.
    /// Values that are not positive are ignored.
    pub fn set_time_scale(&self, scale: f64) {
        if scale > 0.0 && scale.is_finite() {
            lock(&self.state).time_scale = scale;
        }
    }

    pub(crate) fn window(&self) -> WindowTime {
        let state = *lock(&self.state);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century fit 52 bits")]
        let scaled = state.now_ms() as f64 * state.time_scale;
        let index = (scaled / WINDOW_MS).floor();
        let into = scaled - index * WINDOW_MS;
        let left_real_seconds = (WINDOW_MS - into) / state.time_scale / 1000.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and not negative")]
        WindowTime {
            index: index as i64,
            elapsed: into / WINDOW_MS,
            reset_seconds: left_real_seconds.ceil().max(1.0) as u64,
        }
    }
}

impl ClockState {
    fn now_ms(&self) -> i64 {
        self.frozen_at_ms.unwrap_or_else(|| machine_ms() + self.offset_ms)
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the simulator reads the machine's clock")]
fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX / 4)
}

/// ISO 8601 in UTC with whole seconds, as Zendesk writes it: `2026-05-06T08:35:33Z`.
pub(crate) fn iso(at: Epoch) -> String {
    jiff::Timestamp::from_second(at).map(|t| t.to_string()).unwrap_or_default()
}

/// ISO 8601 in UTC with milliseconds, as webhooks show it.
pub(crate) fn iso_ms(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map(|t| format!("{t:.3}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frozen_clock_moves_only_when_told() {
        let clock = SimClock::new(Some(1_700_000_000), 1.0);
        clock.freeze_at(1_700_000_000);
        assert_eq!(clock.now(), 1_700_000_000);
        clock.advance(Duration::from_secs(61));
        assert_eq!(clock.now(), 1_700_000_061);
    }

    #[test]
    fn scaling_shortens_the_window_but_not_the_time_of_day() {
        let clock = SimClock::new(None, 60.0);
        clock.freeze_at(1_700_000_000);
        let before = clock.window();
        clock.advance(Duration::from_secs(1));
        assert_eq!(clock.window().index, before.index + 1);
        assert_eq!(clock.now(), 1_700_000_001);
        assert_eq!(clock.window().reset_seconds, 1);
    }

    #[test]
    fn times_are_written_as_zendesk_writes_them() {
        assert_eq!(iso(1_778_056_534), "2026-05-06T08:35:34Z");
        assert_eq!(iso_ms(1_778_056_534_120), "2026-05-06T08:35:34.120Z");
    }
}
