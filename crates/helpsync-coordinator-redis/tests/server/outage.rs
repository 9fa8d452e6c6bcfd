//! Redis goes, hangs, forgets.

use std::sync::Arc;
use std::time::Duration;

use helpsync_coordinator::conformance::ask;
use helpsync_coordinator::{
    Coordinator, CoordinatorError, Decision, LeaseOutcome, PermitId, PermitRequest, Report, WaitReason,
};
use helpsync_coordinator_redis::{RedisCoordinator, RedisSettings};
use helpsync_model::SystemClock;

use crate::own_server::{LATE, OwnServer, answers};

const DEADLINE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn while_redis_is_away_grants_come_from_a_small_share_and_afterwards_from_redis_again() {
    let Some(mut server) = OwnServer::start() else { return };
    let coordinator = server.coordinator(DEADLINE);
    answers(&coordinator).await;
    server.stop();

    // Ceiling 48, half of it over 4 workers: 6 a minute, so one now and the next in about 10 seconds.
    let small = |id: &str| PermitRequest { ceiling_per_minute: 48, reserve_percent: 0, ..ask(id) };
    let Decision::Granted(local) = coordinator.acquire("a", &small("1")).await.unwrap() else {
        panic!("no permit")
    };
    let Decision::Throttled { delay, reason } = coordinator.acquire("a", &small("2")).await.unwrap() else {
        panic!("running free without redis")
    };
    assert_eq!(reason, WaitReason::Pace);
    assert!(delay > Duration::from_secs(7) && delay < Duration::from_secs(12), "{delay:?}");
    coordinator.report("a", &local, &Report { status: Some(200), ..Report::default() }).await.unwrap();
    // The rest says that it does not know.
    assert!(coordinator.lease("l", "me", DEADLINE).await.is_err());
    assert!(coordinator.budget("a").await.is_err());

    server.launch();
    answers(&coordinator).await;
    let granted = coordinator.acquire("a", &ask("3")).await.unwrap();
    assert_eq!(granted, Decision::Granted(PermitId("3".to_owned())));
    assert_eq!(coordinator.budget("a").await.unwrap().granted, 1, "counted by redis");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_its_deadline_a_few_times_and_then_nothing() {
    // Accepts connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://someone:hunter2@{}", silent.local_addr().unwrap());
    let deadline = Duration::from_millis(100);
    let settings = RedisSettings { deadline, ..RedisSettings::new(url.into()) };
    let coordinator = RedisCoordinator::new(settings, Arc::new(SystemClock)).unwrap();
    assert!(!format!("{coordinator:?}").contains("hunter2"));
    let mut slow = 0;
    let began = tokio::time::Instant::now();
    for _ in 0..200 {
        let start = tokio::time::Instant::now();
        let error = coordinator.cursor("c").await.unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
        slow += u32::from(start.elapsed() >= deadline);
        assert!(matches!(error, CoordinatorError::Timeout(_) | CoordinatorError::Unavailable(_)));
    }
    assert!(slow <= 10, "{slow} of 200 calls waited for a dead server");
    assert!(began.elapsed() < LATE);
    // Workers still get their share.
    assert!(matches!(coordinator.acquire("a", &ask("1")).await.unwrap(), Decision::Granted(_)));
}

#[tokio::test]
async fn flushing_redis_forgets_and_harms_nothing() {
    let Some(server) = OwnServer::start() else { return };
    let coordinator = server.coordinator(Duration::from_secs(10));
    answers(&coordinator).await;
    let Decision::Granted(permit) = coordinator.acquire("a", &ask("1")).await.unwrap() else {
        panic!("no permit")
    };
    assert_eq!(coordinator.lease("l", "me", LATE).await.unwrap(), LeaseOutcome::Held);

    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    for flush in ["FLUSHALL", "SCRIPT"] {
        let mut command = redis::cmd(flush);
        if flush == "SCRIPT" {
            command.arg("FLUSH");
        }
        let () = command.query_async(&mut direct).await.unwrap();
    }

    let seen = Report {
        status: Some(200),
        limit: Some(700),
        remaining: Some(650),
        reset_after: Some(Duration::from_secs(30)),
        ..Report::default()
    };
    coordinator.report("a", &permit, &seen).await.unwrap();
    let view = coordinator.budget("a").await.unwrap();
    assert_eq!(
        (view.limit, view.remaining, view.in_flight),
        (Some(700), Some(650), 0),
        "learned again at once"
    );
    assert!(!coordinator.renew("l", "me", LATE).await.unwrap(), "the lease is lost, and says so");
    assert_eq!(coordinator.lease("l", "you", LATE).await.unwrap(), LeaseOutcome::Held);
    assert!(matches!(coordinator.acquire("a", &ask("2")).await.unwrap(), Decision::Granted(_)));
}

/// Workers that ask as often as they are answered, through a flush in mid-window: what is sent stays within what the
/// server has left.
#[tokio::test]
async fn a_flush_in_mid_window_never_bursts_over_what_remains() {
    let Some(server) = OwnServer::start() else { return };
    let coordinator = server.coordinator(Duration::from_secs(10));
    answers(&coordinator).await;
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut direct = client.get_multiplexed_async_connection().await.unwrap();
    // Of 600 a tenth is kept, so 8 of these 68 are ours until the window ends.
    let (mut left, mut sent) = (68_u32, 0);
    let began = tokio::time::Instant::now();
    for round in 0..60 {
        if round == 3 {
            let () = redis::cmd("FLUSHALL").query_async(&mut direct).await.unwrap();
        }
        let mut out = Vec::new();
        for asker in 0..20 {
            // A guess far above the limit.
            let ask = PermitRequest {
                concurrency_max: 4,
                ceiling_per_minute: 10_000,
                ..ask(&format!("{round}-{asker}"))
            };
            if let Decision::Granted(permit) = coordinator.acquire("a", &ask).await.unwrap() {
                out.push(permit);
            }
        }
        for permit in out {
            (left, sent) = (left.saturating_sub(1), sent + 1);
            let reset = Duration::from_secs(30).saturating_sub(began.elapsed());
            let seen = Report {
                status: Some(200),
                limit: Some(600),
                remaining: Some(left),
                reset_after: Some(reset),
                ..Report::default()
            };
            coordinator.report("a", &permit, &seen).await.unwrap();
        }
    }
    // Before any answer is known four may be out: at the start, and after the flush.
    assert!((5..=12).contains(&sent), "{sent} sent");
}
