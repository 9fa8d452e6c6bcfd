//! What a process may do while it cannot ask: a share of the limit that is safe if every worker does the same.

use std::sync::Arc;
use std::time::Duration;

use helpsync_coordinator::{
    Coordinator, CoordinatorError, Decision, InProcessCoordinator, PermitId, PermitRequest, Report,
};
use helpsync_model::Clock;

/// Half the limit is shared out: what was granted before Redis went is still in the account's window.
const SAFETY_PERCENT: u64 = 50;
/// Marks permits given here.
const LOCAL: &str = "local:";

/// Budgets of this process alone. They hear every report, so that a stop (429) seen before Redis went still holds.
#[derive(Debug)]
pub(crate) struct Fallback {
    local: InProcessCoordinator,
    workers: u32,
}

impl Fallback {
    pub(crate) fn new(clock: Arc<dyn Clock>, workers: u32, window: Duration) -> Self {
        Self { local: InProcessCoordinator::new(clock).with_window(window), workers: workers.max(1) }
    }

    /// Decides alone.
    pub(crate) async fn acquire(
        &self,
        account: &str,
        ask: &PermitRequest,
    ) -> Result<Decision, CoordinatorError> {
        let alone = PermitRequest {
            request_id: format!("{LOCAL}{}", ask.request_id),
            ceiling_per_minute: self.share(ask.ceiling_per_minute).max(1),
            concurrency_max: (ask.concurrency_max / self.workers).max(1),
            ..ask.clone()
        };
        self.local.acquire(account, &alone).await
    }

    /// Hears of an answer. Says whether the permit was given here.
    pub(crate) async fn report(
        &self,
        account: &str,
        permit: &PermitId,
        report: &Report,
    ) -> Result<bool, CoordinatorError> {
        let share = Report {
            limit: report.limit.map(|limit| self.share(limit).max(1)),
            remaining: report.remaining.map(|remaining| self.share(remaining)),
            ..report.clone()
        };
        self.local.report(account, permit, &share).await?;
        Ok(permit.0.starts_with(LOCAL))
    }

    fn share(&self, of: u32) -> u32 {
        let share = u64::from(of) * SAFETY_PERCENT / 100 / u64::from(self.workers);
        u32::try_from(share).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use helpsync_coordinator::DEFAULT_WINDOW;
    use helpsync_model::ManualClock;

    use super::*;

    /// 20 workers without Redis for ten minutes, each asking all the time.
    #[tokio::test]
    async fn all_workers_together_stay_below_the_limit() {
        const LIMIT: u32 = 400;
        const WORKERS: u32 = 20;
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
        let alone: Vec<_> =
            (0..WORKERS).map(|_| Fallback::new(clock.clone(), WORKERS, DEFAULT_WINDOW)).collect();
        let (mut minute, mut most, mut total) = (0, 0, 0);
        for step in 0..6_000_u32 {
            if step % 600 == 0 {
                minute = 0;
            }
            for worker in &alone {
                let ask = PermitRequest {
                    request_id: step.to_string(),
                    ceiling_per_minute: LIMIT,
                    concurrency_max: 8,
                    reserve_percent: 10,
                    permit_ttl: Duration::from_secs(30),
                    patience: Duration::ZERO,
                };
                if let Decision::Granted(permit) = worker.acquire("a", &ask).await.unwrap() {
                    minute += 1;
                    total += 1;
                    most = most.max(minute);
                    let answer = Report { status: Some(200), limit: Some(LIMIT), ..Report::default() };
                    assert!(worker.report("a", &permit, &answer).await.unwrap());
                }
            }
            clock.advance(Duration::from_millis(100));
        }
        assert!(most <= LIMIT / 2 && total > 0, "{most} in a minute, {total} in all");
    }

    #[tokio::test]
    async fn a_stop_seen_before_holds() {
        let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
        let alone = Fallback::new(clock, 2, DEFAULT_WINDOW);
        let stop =
            Report { status: Some(429), retry_after: Some(Duration::from_secs(9)), ..Report::default() };
        assert!(!alone.report("a", &PermitId("redis's".to_owned()), &stop).await.unwrap());
        let ask = PermitRequest {
            request_id: "1".to_owned(),
            ceiling_per_minute: 600,
            concurrency_max: 8,
            reserve_percent: 0,
            permit_ttl: Duration::from_secs(30),
            patience: Duration::ZERO,
        };
        assert!(matches!(alone.acquire("a", &ask).await.unwrap(), Decision::Throttled { .. }));
    }
}
