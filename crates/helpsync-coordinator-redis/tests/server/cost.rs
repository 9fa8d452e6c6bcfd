//! What a permit costs, beside the rawest thing the same server and machine can do. Run by hand; see `docs/benchmarks.md`.

use std::sync::Arc;
use std::time::Duration;

use helpsync_coordinator::conformance::{Harness as _, ask};
use helpsync_coordinator::{Coordinator, Decision, InProcessCoordinator, PermitRequest, Report};
use helpsync_model::SystemClock;
use tokio::time::Instant;

use crate::suite::{fresh, redis_url};

const MEASURED_FOR: Duration = Duration::from_secs(2);
/// Callers at once: what a pool of workers has.
const CALLERS: usize = 32;
/// Rounds of all contenders in turn, so that a busy machine treats them alike.
const ROUNDS: usize = 3;

/// Calls a second of `CALLERS` that call as fast as they are answered.
async fn per_second<F: Future<Output = ()> + Send + 'static>(
    call: impl Fn(usize, u64) -> F + Send + Sync + 'static,
) -> f64 {
    let call = Arc::new(call);
    let began = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let call = Arc::clone(&call);
        callers.spawn(async move {
            let mut calls = 0_u64;
            while began.elapsed() < MEASURED_FOR {
                call(caller, calls).await;
                calls += 1;
            }
            calls
        });
    }
    let calls: u64 = callers.join_all().await.into_iter().sum();
    calls as f64 / began.elapsed().as_secs_f64()
}

/// A permit and its report: what each request to Zendesk costs the coordinator.
async fn grants_per_second(coordinator: Arc<dyn Coordinator>) -> f64 {
    per_second(move |caller, call| {
        let coordinator = Arc::clone(&coordinator);
        async move {
            let ask = PermitRequest { ceiling_per_minute: 1_000_000, ..ask(&format!("{caller}-{call}")) };
            // An account per caller: at the highest pace that a budget knows none of them waits long.
            let account = format!("account-{caller}-{}", call / 500);
            match coordinator.acquire(&account, &ask).await.unwrap() {
                Decision::Granted(permit) => {
                    let seen = Report { status: Some(200), limit: Some(1_000_000), ..Report::default() };
                    coordinator.report(&account, &permit, &seen).await.unwrap();
                }
                Decision::Throttled { delay, .. } => tokio::time::sleep(delay).await,
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: it takes the machine for half a minute"]
async fn a_permit_against_the_rawest_round_trip() {
    let Some(live) = fresh().await else { return };
    let client = redis::Client::open(redis_url()).unwrap();
    let raw = client.get_multiplexed_async_connection().await.unwrap();
    let (mut pings, mut incrs, mut remote, mut local) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..ROUNDS {
        let connection = raw.clone();
        pings += per_second(move |_, _| {
            let mut connection = connection.clone();
            async move { redis::cmd("PING").query_async(&mut connection).await.unwrap() }
        })
        .await;
        let connection = raw.clone();
        incrs += per_second(move |caller, _| {
            let mut connection = connection.clone();
            async move {
                let key = format!("helpsync-test-cost-{caller}");
                let mut both = redis::pipe();
                both.atomic().incr(&key, 1).ignore().pexpire(&key, 60_000).ignore();
                both.query_async::<()>(&mut connection).await.unwrap();
            }
        })
        .await;
        remote += grants_per_second(live.coordinator()).await;
        local += grants_per_second(Arc::new(InProcessCoordinator::new(Arc::new(SystemClock)))).await;
    }
    let of = |sum: f64| sum / ROUNDS as f64;
    println!(
        "{CALLERS} callers, {ROUNDS} rounds of {MEASURED_FOR:?} each; a permit is an acquire and its report"
    );
    println!("PING                    {:>9.0} a second", of(pings));
    println!("INCR + PEXPIRE (MULTI)  {:>9.0} a second", of(incrs));
    println!(
        "permit through Redis     {:>9.0} a second: 1 : {:.1} to PING, 1 : {:.1} to INCR",
        of(remote),
        pings / remote,
        incrs / remote
    );
    println!(
        "permit in process        {:>9.0} a second: {:.1} to 1 through Redis",
        of(local),
        local / remote
    );
}
