//! The coordinator of the embedded mode: maps in memory.

mod expiring;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::{Clock, Timestamp};

use self::expiring::Expiring;
use crate::budget::{Budget, Step, Terms};
use crate::{
    BudgetView, Coordinator, CoordinatorError, DEFAULT_WINDOW, Decision, LeaseOutcome, PermitId,
    PermitRequest, Report, WaitReason, Waits,
};

/// Budgets beyond this number make room by forgetting idle ones first.
const SWEEP_ABOVE: usize = 1_024;

/// Budgets, leases and cursors in this process's memory.
#[derive(Debug)]
pub struct InProcessCoordinator {
    clock: Arc<dyn Clock>,
    window: Duration,
    accounts: Mutex<Accounts>,
    leases: Mutex<Expiring>,
    cursors: Mutex<Expiring>,
}

#[derive(Debug)]
struct Accounts {
    by_name: HashMap<String, Account>,
    /// Sweep when there are more; doubled after a sweep that found little, so that sweeping stays cheap.
    sweep_above: usize,
}

#[derive(Debug, Default)]
struct Account {
    budget: Budget,
    granted: u64,
    waits: Waits,
}

impl InProcessCoordinator {
    /// An empty coordinator on `clock`, for accounts whose limits hold for a minute.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            window: DEFAULT_WINDOW,
            accounts: Mutex::new(Accounts { by_name: HashMap::new(), sweep_above: SWEEP_ABOVE }),
            leases: Mutex::default(),
            cursors: Mutex::default(),
        }
    }

    /// For accounts whose limits hold for `window`; simulators have shorter ones.
    #[must_use]
    pub fn with_window(self, window: Duration) -> Self {
        Self { window, ..self }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.clock.now_ms()).unwrap_or(0).saturating_mul(1_000)
    }
}

impl Accounts {
    /// The account, made if absent.
    fn get(&mut self, name: &str, now: u64) -> &mut Account {
        if self.by_name.len() > self.sweep_above && !self.by_name.contains_key(name) {
            self.by_name.retain(|_, account| !account.budget.is_idle(now));
            self.sweep_above = SWEEP_ABOVE.max(self.by_name.len() * 2);
        }
        self.by_name.entry(name.to_owned()).or_default()
    }
}

#[async_trait]
impl Coordinator for InProcessCoordinator {
    async fn acquire(&self, account: &str, ask: &PermitRequest) -> Result<Decision, CoordinatorError> {
        let now = self.now_us();
        let mut accounts = lock(&self.accounts);
        let account = accounts.get(account, now);
        Ok(match account.budget.acquire(&ask.request_id, &Terms::new(ask, self.window), now) {
            Step::Granted => {
                account.granted += 1;
                Decision::Granted(PermitId(ask.request_id.clone()))
            }
            Step::Repeated => Decision::Granted(PermitId(ask.request_id.clone())),
            Step::Throttled(delay, reason) => {
                account.waits.count(reason);
                Decision::Throttled { delay: Duration::from_micros(delay), reason }
            }
        })
    }

    async fn report(
        &self,
        account: &str,
        permit: &PermitId,
        report: &Report,
    ) -> Result<(), CoordinatorError> {
        let now = self.now_us();
        lock(&self.accounts).get(account, now).budget.report(&permit.0, report, micros(self.window), now);
        Ok(())
    }

    async fn budget(&self, account: &str) -> Result<BudgetView, CoordinatorError> {
        let now = self.now_us();
        let accounts = lock(&self.accounts);
        Ok(accounts
            .by_name
            .get(account)
            .map(|account| account.budget.view(now, account.granted, account.waits))
            .unwrap_or_default())
    }

    async fn lease(&self, name: &str, holder: &str, ttl: Duration) -> Result<LeaseOutcome, CoordinatorError> {
        let now = self.now_us();
        let mut leases = lock(&self.leases);
        if let Some((by, ends)) = leases.get(name, now).filter(|(by, _)| *by != holder) {
            return Ok(LeaseOutcome::Taken { by: by.to_owned(), until: timestamp(ends) });
        }
        leases.put(name, holder, ttl, now);
        Ok(LeaseOutcome::Held)
    }

    async fn renew(&self, name: &str, holder: &str, ttl: Duration) -> Result<bool, CoordinatorError> {
        let now = self.now_us();
        let mut leases = lock(&self.leases);
        let held = leases.get(name, now).is_some_and(|(by, _)| by == holder);
        if held {
            leases.put(name, holder, ttl, now);
        }
        Ok(held)
    }

    async fn release(&self, name: &str, holder: &str) -> Result<bool, CoordinatorError> {
        let now = self.now_us();
        let mut leases = lock(&self.leases);
        let held = leases.get(name, now).is_some_and(|(by, _)| by == holder);
        if held {
            leases.remove(name);
        }
        Ok(held)
    }

    async fn put_cursor(&self, name: &str, value: &str, ttl: Duration) -> Result<(), CoordinatorError> {
        let now = self.now_us();
        lock(&self.cursors).put(name, value, ttl, now);
        Ok(())
    }

    async fn cursor(&self, name: &str) -> Result<Option<String>, CoordinatorError> {
        let now = self.now_us();
        Ok(lock(&self.cursors).get(name, now).map(|(value, _)| value.to_owned()))
    }
}

impl Terms {
    /// An ask's terms for an account whose limit holds for `window`.
    #[must_use]
    pub fn new(ask: &PermitRequest, window: Duration) -> Self {
        Self {
            ceiling: u64::from(ask.ceiling_per_minute),
            concurrency: u64::from(ask.concurrency_max),
            reserve_percent: u64::from(ask.reserve_percent),
            ttl_us: micros(ask.permit_ttl),
            patience_us: micros(ask.patience),
            window_us: micros(window),
        }
    }
}

/// A day: keeps every sum exact in a double.
const TIME_MAX_US: u64 = 86_400_000_000;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(TIME_MAX_US)
}

impl Waits {
    /// Counts one wait.
    pub fn count(&mut self, reason: WaitReason) {
        *match reason {
            WaitReason::Pace => &mut self.pace,
            WaitReason::Window => &mut self.window,
            WaitReason::InFlight => &mut self.in_flight,
            WaitReason::Blocked => &mut self.blocked,
        } += 1;
    }
}

impl Budget {
    /// The view of this state at `now`, with the given counts.
    #[must_use]
    pub fn view(&self, now: u64, granted: u64, waits: Waits) -> BudgetView {
        let open = self.window_end > now;
        BudgetView {
            limit: (self.limit > 0).then(|| u32::try_from(self.limit).unwrap_or(u32::MAX)),
            remaining: open.then(|| u32::try_from(self.remaining).unwrap_or(u32::MAX)),
            window_ends_at: open.then(|| timestamp(self.window_end)),
            in_flight: u32::try_from(self.in_flight.values().filter(|ends| **ends > now).count())
                .unwrap_or(u32::MAX),
            blocked_until: (self.blocked_until > now).then(|| timestamp(self.blocked_until)),
            granted,
            waits,
        }
    }
}

fn timestamp(us: u64) -> Timestamp {
    let us = i64::try_from(us).unwrap_or(i64::MAX);
    Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is made whole before the lock opens, so a poisoned lock still guards sound maps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
