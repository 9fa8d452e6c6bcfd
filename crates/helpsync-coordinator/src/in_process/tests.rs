//! The suite, and what only this backend promises.

use helpsync_model::ManualClock;

use super::*;
use crate::conformance::{Harness, ask};

struct InMemory {
    coordinator: Arc<InProcessCoordinator>,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Harness for InMemory {
    fn coordinator(&self) -> Arc<dyn Coordinator> {
        Arc::clone(&self.coordinator) as Arc<dyn Coordinator>
    }
    async fn pass(&self, time: Duration) {
        // The clock shows milliseconds: round up.
        self.clock.advance(time + Duration::from_millis(1));
    }
}

async fn fresh() -> Option<InMemory> {
    let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
    let coordinator = Arc::new(InProcessCoordinator::new(Arc::clone(&clock) as Arc<dyn Clock>));
    Some(InMemory { coordinator, clock })
}

crate::coordinator_conformance!(fresh);

#[tokio::test]
async fn idle_budgets_are_forgotten_so_that_the_map_stays_bounded() {
    let harness = fresh().await.unwrap();
    for n in 0..5 * SWEEP_ABOVE {
        let once = PermitRequest { permit_ttl: Duration::from_millis(1), ..ask("1") };
        harness.coordinator.acquire(&format!("account-{n}"), &once).await.unwrap();
        harness.clock.advance(Duration::from_millis(50));
    }
    let kept = lock(&harness.coordinator.accounts).by_name.len();
    assert!(kept <= SWEEP_ABOVE * 2, "{kept} budgets");
}

#[tokio::test]
async fn a_blocked_account_is_not_forgotten() {
    let harness = fresh().await.unwrap();
    let Decision::Granted(permit) = harness.coordinator.acquire("blocked", &ask("1")).await.unwrap() else {
        panic!("no permit")
    };
    let limited =
        Report { status: Some(429), retry_after: Some(Duration::from_secs(3_000)), ..Report::default() };
    harness.coordinator.report("blocked", &permit, &limited).await.unwrap();
    for n in 0..3 * SWEEP_ABOVE {
        harness.coordinator.acquire(&format!("account-{n}"), &ask("1")).await.unwrap();
        harness.clock.advance(Duration::from_millis(50));
    }
    assert!(harness.coordinator.budget("blocked").await.unwrap().blocked_until.is_some());
}
