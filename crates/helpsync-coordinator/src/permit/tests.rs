use std::sync::Arc;

use helpsync_model::ManualClock;

use super::*;
use crate::conformance::ask;
use crate::{InProcessCoordinator, Report};

fn coordinator() -> (InProcessCoordinator, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new("2026-11-23T12:00:00Z".parse().unwrap()));
    (InProcessCoordinator::new(clock.clone()), clock)
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_is_waited_out() {
    let (coordinator, clock) = coordinator();
    // 600 a minute less a tenth: one every 113 ms, burst of a second.
    let pace = |n: i32| PermitRequest { ceiling_per_minute: 600, ..ask(&n.to_string()) };
    let mut n = 0;
    while let Decision::Granted(_) = coordinator.acquire("a", &pace(n)).await.unwrap() {
        n += 1;
    }
    let moving = async {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            clock.advance(Duration::from_millis(1));
        }
    };
    let (next, waited) = (pace(n), Waited::default());
    tokio::select! {
        permit = wait_for_permit(&coordinator, "a", &next, DEFAULT_PATIENCE, &waited) => {
            assert_eq!(permit.unwrap(), PermitId(n.to_string()));
            assert!(!waited.take().pace.is_zero());
        }
        () = moving => {}
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_returned_at_once_so_that_no_worker_is_held() {
    let (coordinator, _clock) = coordinator();
    let permit =
        wait_for_permit(&coordinator, "a", &ask("1"), DEFAULT_PATIENCE, &Waited::default()).await.unwrap();
    let pause = Duration::from_secs(7);
    let limited = Report { status: Some(429), retry_after: Some(pause), ..Report::default() };
    coordinator.report("a", &permit, &limited).await.unwrap();
    let began = tokio::time::Instant::now();
    let denied = wait_for_permit(&coordinator, "a", &ask("2"), DEFAULT_PATIENCE, &Waited::default()).await;
    assert!(
        matches!(denied, Err(NoPermit::Throttled { delay, reason: WaitReason::Blocked }) if delay == pause),
        "{denied:?}"
    );
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_patience_though_every_single_wait_is_short() {
    let (coordinator, _clock) = coordinator();
    let bounded = |id: &str| PermitRequest { concurrency_max: 1, ..ask(id) };
    wait_for_permit(&coordinator, "a", &bounded("1"), DEFAULT_PATIENCE, &Waited::default()).await.unwrap();
    let began = tokio::time::Instant::now();
    let denied =
        wait_for_permit(&coordinator, "a", &bounded("2"), DEFAULT_PATIENCE, &Waited::default()).await;
    assert!(matches!(denied, Err(NoPermit::Throttled { reason: WaitReason::InFlight, .. })), "{denied:?}");
    assert!(began.elapsed() <= DEFAULT_PATIENCE, "{:?}", began.elapsed());
    assert!(began.elapsed() >= Duration::from_millis(100), "it did wait: {:?}", began.elapsed());
}
