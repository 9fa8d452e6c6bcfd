//! Request budgets: fixed windows of a minute, per account and API family.

use std::collections::HashMap;

use crate::clock::WindowTime;

/// Requests a minute of the webhooks API, whatever the plan.
const WEBHOOK_LIMIT: u32 = 100;

/// The API families that have a budget of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Budget {
    HelpCenter,
    Support,
    Webhooks,
}

/// What one request found in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spent {
    pub(crate) limit: u32,
    /// Left after this request; 0 also when it was refused.
    pub(crate) remaining: u32,
    pub(crate) reset_seconds: u64,
    /// Requests of this simulator's clients in the window, this one included.
    pub(crate) in_window: u32,
    pub(crate) refused: bool,
}

/// The running windows of one account.
#[derive(Debug, Default)]
pub(crate) struct Windows(HashMap<Budget, (i64, u32)>);

impl Windows {
    /// Counts one request. `others` is the part of the limit that other integrations use over a whole window.
    pub(crate) fn spend(&mut self, budget: Budget, limit: u32, others: f64, at: WindowTime) -> Spent {
        let limit = if budget == Budget::Webhooks { WEBHOOK_LIMIT } else { limit };
        let window = self.0.entry(budget).or_insert((at.index, 0));
        if window.0 != at.index {
            *window = (at.index, 0);
        }
        window.1 += 1;
        let in_window = window.1;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a u32, not negative"
        )]
        let taken = (f64::from(limit) * others.clamp(0.0, 1.0) * at.elapsed).floor() as u32;
        let used = in_window.saturating_add(taken);
        Spent {
            limit,
            remaining: limit.saturating_sub(used),
            reset_seconds: at.reset_seconds,
            in_window,
            refused: used > limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: i64, elapsed: f64) -> WindowTime {
        WindowTime { index, elapsed, reset_seconds: 10 }
    }

    #[test]
    fn the_limit_is_reached_exactly_and_the_next_window_starts_fresh() {
        let mut windows = Windows::default();
        let spend = |windows: &mut Windows, index| windows.spend(Budget::HelpCenter, 3, 0.0, at(index, 0.0));
        let seen: Vec<_> = (0..4).map(|_| spend(&mut windows, 1)).map(|s| (s.remaining, s.refused)).collect();
        assert_eq!(seen, [(2, false), (1, false), (0, false), (0, true)]);
        assert!(!spend(&mut windows, 2).refused);
    }

    #[test]
    fn other_integrations_use_their_share_evenly_over_the_window() {
        let mut windows = Windows::default();
        assert_eq!(windows.spend(Budget::HelpCenter, 100, 0.5, at(1, 0.0)).remaining, 99);
        assert_eq!(windows.spend(Budget::HelpCenter, 100, 0.5, at(1, 0.5)).remaining, 73);
    }

    #[test]
    fn families_do_not_share_a_budget() {
        let mut windows = Windows::default();
        windows.spend(Budget::HelpCenter, 1, 0.0, at(1, 0.0));
        assert!(!windows.spend(Budget::Support, 1, 0.0, at(1, 0.0)).refused);
        assert_eq!(windows.spend(Budget::Webhooks, 1, 0.0, at(1, 0.0)).limit, WEBHOOK_LIMIT);
    }
}
