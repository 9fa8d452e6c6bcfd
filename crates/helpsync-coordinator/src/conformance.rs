//! The suite that every coordinator passes: [`coordinator_conformance!`](crate::coordinator_conformance) makes one
//! test of each rule. The budget's own rules are proven on the pure machine; here it is shown that a backend runs them.
#![expect(clippy::unwrap_used, reason = "a suite of tests: a failed unwrap is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{
    BudgetView, Coordinator, Decision, LeaseOutcome, PermitId, PermitRequest, Report, WaitReason, Waits,
};

/// A backend under test: a fresh, empty coordinator and the clock it reads.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The coordinator.
    fn coordinator(&self) -> Arc<dyn Coordinator>;
    /// Lets time pass for budgets, leases and cursors: by moving a clock, or by waiting.
    async fn pass(&self, time: Duration);
}

/// Makes one `#[tokio::test]` of each rule. `$make` is an async function without arguments that gives an
/// `Option<impl Harness>`; `None` skips (it says why itself).
#[macro_export]
macro_rules! coordinator_conformance {
    ($make:path) => {
        $crate::coordinator_conformance!(@each $make:
            a_repeated_ask_gets_the_same_permit_and_costs_nothing, the_in_flight_bound_is_reached_and_respected,
            a_permit_that_is_never_reported_ends, a_retry_after_stops_the_account_until_its_time,
            the_reserve_of_the_window_is_left_to_others, the_reported_limit_sets_the_pace,
            accounts_do_not_share_a_budget, concurrent_asks_get_no_more_than_the_bound,
            a_report_without_a_permit_is_harmless, the_budget_can_be_seen,
            who_waits_has_a_place_in_line, a_lease_has_one_holder_until_it_ends,
            only_the_holder_renews_and_releases, a_cursor_is_kept_until_it_ends,
        );
    };
    (@each $make:path: $($name:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $name() {
                let Some(harness) = $make().await else { return };
                $crate::conformance::$name(&harness).await;
            }
        )+
    };
}

/// An ask with room for everything but what a test is about.
#[must_use]
pub fn ask(request_id: &str) -> PermitRequest {
    PermitRequest {
        request_id: request_id.to_owned(),
        ceiling_per_minute: 60_000,
        concurrency_max: 100,
        reserve_percent: 10,
        permit_ttl: Duration::from_secs(60),
        patience: Duration::ZERO,
    }
}

async fn granted(coordinator: &Arc<dyn Coordinator>, account: &str, ask: &PermitRequest) -> PermitId {
    match coordinator.acquire(account, ask).await.unwrap() {
        Decision::Granted(permit) => permit,
        Decision::Throttled { delay, reason } => panic!("a wait of {delay:?} ({reason}) instead of a permit"),
    }
}

async fn waits(
    coordinator: &Arc<dyn Coordinator>,
    account: &str,
    ask: &PermitRequest,
) -> (Duration, WaitReason) {
    match coordinator.acquire(account, ask).await.unwrap() {
        Decision::Throttled { delay, reason } => (delay, reason),
        Decision::Granted(permit) => panic!("{permit:?} instead of a wait"),
    }
}

/// Rule: asking is safe to repeat.
pub async fn a_repeated_ask_gets_the_same_permit_and_costs_nothing(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let slow = PermitRequest { ceiling_per_minute: 6, concurrency_max: 2, ..ask("one") };
    let first = granted(&coordinator, "a", &slow).await;
    for _ in 0..10 {
        assert_eq!(granted(&coordinator, "a", &slow).await, first);
    }
    let view = coordinator.budget("a").await.unwrap();
    assert_eq!((view.in_flight, view.granted), (1, 1));
    let other = PermitRequest { request_id: "two".to_owned(), ..slow };
    assert_eq!(waits(&coordinator, "a", &other).await.1, WaitReason::Pace);
}

/// Rule: exactly `concurrency_max` at a time.
pub async fn the_in_flight_bound_is_reached_and_respected(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let bounded = |id: &str| PermitRequest { concurrency_max: 3, ..ask(id) };
    let first = granted(&coordinator, "a", &bounded("0")).await;
    granted(&coordinator, "a", &bounded("1")).await;
    granted(&coordinator, "a", &bounded("2")).await;
    assert_eq!(waits(&coordinator, "a", &bounded("3")).await.1, WaitReason::InFlight);
    coordinator.report("a", &first, &Report { status: Some(200), ..Report::default() }).await.unwrap();
    granted(&coordinator, "a", &bounded("3")).await;
    assert_eq!(waits(&coordinator, "a", &bounded("4")).await.1, WaitReason::InFlight);
}

/// Rule: a crashed worker's permit comes back.
pub async fn a_permit_that_is_never_reported_ends(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let short =
        |id: &str| PermitRequest { concurrency_max: 1, permit_ttl: Duration::from_millis(400), ..ask(id) };
    granted(&coordinator, "a", &short("lost")).await;
    assert_eq!(waits(&coordinator, "a", &short("next")).await.1, WaitReason::InFlight);
    harness.pass(Duration::from_millis(401)).await;
    granted(&coordinator, "a", &short("next")).await;
}

/// Rule: blocked means nobody.
pub async fn a_retry_after_stops_the_account_until_its_time(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let permit = granted(&coordinator, "a", &ask("1")).await;
    let limited =
        Report { status: Some(429), retry_after: Some(Duration::from_millis(900)), ..Report::default() };
    coordinator.report("a", &permit, &limited).await.unwrap();
    let (delay, reason) = waits(&coordinator, "a", &ask("2")).await;
    assert_eq!(reason, WaitReason::Blocked);
    assert!(delay <= Duration::from_millis(900) && delay > Duration::from_millis(400), "{delay:?}");
    assert!(coordinator.budget("a").await.unwrap().blocked_until.is_some());
    harness.pass(delay + Duration::from_millis(2)).await;
    granted(&coordinator, "a", &ask("2")).await;
    assert_eq!(coordinator.budget("a").await.unwrap().blocked_until, None);
}

/// Rule: what remains less reserve and requests in flight is ours, nothing more.
pub async fn the_reserve_of_the_window_is_left_to_others(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let permit = granted(&coordinator, "a", &ask("1")).await;
    let at_the_reserve = Report {
        status: Some(200),
        limit: Some(60_000),
        remaining: Some(6_000),
        reset_after: Some(Duration::from_secs(1)),
        ..Report::default()
    };
    coordinator.report("a", &permit, &at_the_reserve).await.unwrap();
    harness.pass(Duration::from_millis(5)).await;
    let (delay, reason) = waits(&coordinator, "a", &ask("2")).await;
    assert_eq!(reason, WaitReason::Window);
    harness.pass(delay + Duration::from_millis(2)).await;
    granted(&coordinator, "a", &ask("2")).await;
}

/// Rule: headers beat the guess.
pub async fn the_reported_limit_sets_the_pace(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let permit = granted(&coordinator, "a", &ask("1")).await;
    let told = Report { status: Some(200), limit: Some(20), ..Report::default() };
    coordinator.report("a", &permit, &told).await.unwrap();
    harness.pass(Duration::from_millis(5)).await;
    granted(&coordinator, "a", &ask("2")).await;
    let (delay, reason) = waits(&coordinator, "a", &ask("3")).await;
    assert_eq!(reason, WaitReason::Pace);
    // 62 s / 18 (a tenth is reserved).
    assert!(delay > Duration::from_millis(2_500) && delay < Duration::from_millis(3_500), "{delay:?}");
    assert_eq!(coordinator.budget("a").await.unwrap().limit, Some(20));
}

/// Rule: accounts are apart.
pub async fn accounts_do_not_share_a_budget(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let one = |id: &str| PermitRequest { concurrency_max: 1, ..ask(id) };
    granted(&coordinator, "a", &one("1")).await;
    granted(&coordinator, "b", &one("1")).await;
    assert_eq!(waits(&coordinator, "a", &one("2")).await.1, WaitReason::InFlight);
}

/// Rule: the bound holds under concurrency.
pub async fn concurrent_asks_get_no_more_than_the_bound(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..40 {
        let coordinator = Arc::clone(&coordinator);
        tasks.spawn(async move {
            let ask =
                PermitRequest { concurrency_max: 7, ceiling_per_minute: 600_000, ..ask(&n.to_string()) };
            matches!(coordinator.acquire("a", &ask).await.unwrap(), Decision::Granted(_))
        });
    }
    let permits = tasks.join_all().await.into_iter().filter(|granted| *granted).count();
    assert_eq!(permits, 7);
    assert_eq!(coordinator.budget("a").await.unwrap().in_flight, 7);
}

/// Rule: reporting is safe to repeat.
pub async fn a_report_without_a_permit_is_harmless(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let permit = granted(&coordinator, "a", &ask("1")).await;
    let seen = Report {
        status: Some(200),
        limit: Some(600),
        remaining: Some(500),
        reset_after: Some(Duration::from_secs(40)),
        ..Report::default()
    };
    for _ in 0..3 {
        coordinator.report("a", &permit, &seen).await.unwrap();
        coordinator.report("a", &PermitId("never given".to_owned()), &Report::default()).await.unwrap();
    }
    let view = coordinator.budget("a").await.unwrap();
    assert_eq!((view.remaining, view.in_flight, view.limit), (Some(500), 0, Some(600)));
}

/// Rule: a person can see why it waits.
pub async fn the_budget_can_be_seen(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    assert_eq!(coordinator.budget("nobody").await.unwrap(), BudgetView::default());
    let slow = |id: &str| PermitRequest { ceiling_per_minute: 6, ..ask(id) };
    granted(&coordinator, "a", &slow("1")).await;
    waits(&coordinator, "a", &slow("2")).await;
    waits(&coordinator, "a", &slow("2")).await;
    let view = coordinator.budget("a").await.unwrap();
    assert_eq!((view.in_flight, view.granted, view.limit, view.remaining), (1, 1, None, None));
    assert_eq!(view.waits, Waits { pace: 2, ..Waits::default() });
}

/// Rule: each patient asker is told a time of its own, and served then, before whoever comes later.
pub async fn who_waits_has_a_place_in_line(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    // 62 s / 125: one in 496 ms.
    let patient =
        |id: &str| PermitRequest { ceiling_per_minute: 138, patience: Duration::from_secs(5), ..ask(id) };
    granted(&coordinator, "a", &patient("0")).await;
    granted(&coordinator, "a", &patient("1")).await;
    let (first, _) = waits(&coordinator, "a", &patient("2")).await;
    let (second, _) = waits(&coordinator, "a", &patient("3")).await;
    let gap = second.saturating_sub(first);
    assert!(gap > Duration::from_millis(300) && gap < Duration::from_millis(600), "{first:?} {second:?}");
    harness.pass(first + Duration::from_millis(2)).await;
    let hasty = PermitRequest { patience: Duration::ZERO, ..patient("4") };
    assert_eq!(waits(&coordinator, "a", &hasty).await.1, WaitReason::Pace, "the place is somebody's");
    granted(&coordinator, "a", &patient("2")).await;
    harness.pass(gap + Duration::from_millis(2)).await;
    granted(&coordinator, "a", &patient("3")).await;
}

/// Rule: one holder at a time, and an end.
pub async fn a_lease_has_one_holder_until_it_ends(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let ttl = Duration::from_millis(800);
    assert_eq!(coordinator.lease("l", "me", ttl).await.unwrap(), LeaseOutcome::Held);
    assert_eq!(coordinator.lease("l", "me", ttl).await.unwrap(), LeaseOutcome::Held, "safe to repeat");
    assert!(
        matches!(coordinator.lease("l", "you", ttl).await.unwrap(), LeaseOutcome::Taken { by, .. } if by == "me")
    );
    assert_eq!(coordinator.lease("other", "you", ttl).await.unwrap(), LeaseOutcome::Held);
    harness.pass(ttl + Duration::from_millis(5)).await;
    assert_eq!(coordinator.lease("l", "you", ttl).await.unwrap(), LeaseOutcome::Held);
    assert!(!coordinator.renew("l", "me", ttl).await.unwrap(), "lost");
}

/// Rule: the holder's token is compared.
pub async fn only_the_holder_renews_and_releases(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let ttl = Duration::from_millis(800);
    assert_eq!(coordinator.lease("l", "me", ttl).await.unwrap(), LeaseOutcome::Held);
    assert!(!coordinator.renew("l", "you", ttl).await.unwrap());
    assert!(!coordinator.release("l", "you").await.unwrap());
    harness.pass(Duration::from_millis(500)).await;
    assert!(coordinator.renew("l", "me", ttl).await.unwrap());
    harness.pass(Duration::from_millis(500)).await;
    assert!(
        matches!(coordinator.lease("l", "you", ttl).await.unwrap(), LeaseOutcome::Taken { .. }),
        "prolonged"
    );
    assert!(coordinator.release("l", "me").await.unwrap());
    assert!(!coordinator.release("l", "me").await.unwrap());
    assert_eq!(coordinator.lease("l", "you", ttl).await.unwrap(), LeaseOutcome::Held);
}

/// Rule: the last value, until its end.
pub async fn a_cursor_is_kept_until_it_ends(harness: &impl Harness) {
    let coordinator = harness.coordinator();
    let ttl = Duration::from_millis(300);
    assert_eq!(coordinator.cursor("c").await.unwrap(), None);
    coordinator.put_cursor("c", "page 1", ttl).await.unwrap();
    coordinator.put_cursor("c", "page 2: größer", ttl).await.unwrap();
    assert_eq!(coordinator.cursor("c").await.unwrap().as_deref(), Some("page 2: größer"));
    harness.pass(ttl + Duration::from_millis(5)).await;
    assert_eq!(coordinator.cursor("c").await.unwrap(), None);
}
