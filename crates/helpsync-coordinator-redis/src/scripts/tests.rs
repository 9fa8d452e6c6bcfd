//! The scripts against the pure machine, with equal inputs.

use helpsync_model::{Entropy, OsEntropy};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const START: u64 = 1_795_000_000_000_000;

#[derive(Debug, Clone)]
enum Call {
    Acquire { id: u8, ceiling: u64, concurrency: u64, reserve_percent: u64, ttl_us: u64, patience_us: u64 },
    Report { id: u8, report: Report },
}

/// Steps with the time before each, and the length of the account's windows.
fn calls() -> impl Strategy<Value = (u64, Vec<(u64, Call)>)> {
    let acquire = (0_u8..12, 0_u64..900, 0_u64..6, 0_u64..100, 0_u64..20_000_000, 0_u64..9_000_000).prop_map(
        |(id, ceiling, concurrency, reserve_percent, ttl_us, patience_us)| Call::Acquire {
            id,
            ceiling,
            concurrency,
            reserve_percent,
            ttl_us,
            patience_us,
        },
    );
    let time = || proptest::option::of((0_u64..90_000).prop_map(Duration::from_millis));
    let report = (
        0_u8..12,
        proptest::option::of(prop_oneof![Just(200_u16), Just(429), Just(503)]),
        proptest::option::of(0_u32..800),
        proptest::option::of(0_u32..800),
        time(),
        proptest::option::weighted(0.15, (0_u64..9_000_000).prop_map(Duration::from_millis)),
    )
        .prop_map(|(id, status, limit, remaining, reset_after, retry_after)| Call::Report {
            id,
            report: Report { status, limit, remaining, reset_after, retry_after },
        });
    let gap = prop_oneof![3 => 0_u64..300_000, 1 => 0_u64..4_000_000, 1 => 0_u64..40_000_000];
    let steps = proptest::collection::vec((gap, prop_oneof![3 => acquire, 2 => report]), 1..80);
    (prop_oneof![Just(60_000_000_u64), 0_u64..400_000_000], steps)
}

#[test]
fn the_scripts_take_the_same_steps_as_the_pure_budget() {
    let url =
        std::env::var("HELPSYNC_TEST_REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = redis::Client::open(url).unwrap();
    let Ok(connection) = runtime.block_on(client.get_multiplexed_async_connection()) else {
        eprintln!("SKIPPED: no redis at HELPSYNC_TEST_REDIS_URL or the default");
        return;
    };
    let scripts = Scripts::new();
    let mut runner = TestRunner::new(ProptestConfig { cases: 150, ..ProptestConfig::default() });
    let equal = runner.run(&calls(), |(window_us, calls)| {
        let window = Duration::from_micros(window_us);
        let keys = BudgetKeys::new(&format!("helpsync-test-{}", OsEntropy.uuid().simple()), "account");
        let mut redis = connection.clone();
        let mut pure = Budget::default();
        let mut now = START;
        runtime.block_on(async {
            for (gap, call) in calls {
                now += gap;
                match &call {
                    Call::Acquire { id, ceiling, concurrency, reserve_percent, ttl_us, patience_us } => {
                        let terms = Terms {
                            ceiling: *ceiling,
                            concurrency: *concurrency,
                            reserve_percent: *reserve_percent,
                            ttl_us: *ttl_us,
                            patience_us: *patience_us,
                            window_us,
                        };
                        let id = id.to_string();
                        let there = scripts.acquire(&mut redis, &keys, &id, &terms, Some(now)).await.unwrap();
                        prop_assert_eq!(there, pure.acquire(&id, &terms, now), "{:?}", call);
                    }
                    Call::Report { id, report } => {
                        let id = id.to_string();
                        scripts.report(&mut redis, &keys, &id, report, window, Some(now)).await.unwrap();
                        pure.report(&id, report, window_us, now);
                    }
                }
                let there = scripts.state(&mut redis, &keys).await.unwrap();
                prop_assert_eq!(&there.budget, &pure, "after {:?}", call);
            }
            let _gone: i64 = redis::cmd("DEL")
                .arg(&keys.hash)
                .arg(&keys.flights)
                .arg(&keys.line)
                .query_async(&mut redis)
                .await
                .unwrap();
            Ok(())
        })
    });
    equal.unwrap();
}
