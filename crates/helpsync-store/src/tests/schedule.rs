//! Schedules of a fleet: five replicas, ten thousand customers, a day.

use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{AutoSync, ConnectionId, Entropy, OsEntropy, SeededEntropy, Source};
use sqlx::Row;

use crate::testing::{TestStore, postgres, stores};
use crate::{ScheduleChange, Store};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
const REPLICAS: usize = 5;
const CUSTOMERS: usize = 10_000;
/// Customers of one `/update_users`.
const BATCH: usize = 100;
/// Schedules that a replica takes in one go, as the dispatcher does.
const PER_TICK: u32 = 100;
const TICK: Duration = Duration::from_secs(30 * 60);
/// Of a hundred ticks, so many die before they end, with whatever they had claimed.
const CRASHES_PERCENT: f64 = 10.0;

fn on(hours: Option<i64>) -> ScheduleChange {
    ScheduleChange {
        auto_sync: Some(AutoSync::Sources(vec![Source::Zendesk])),
        interval_hours: hours,
        ..ScheduleChange::default()
    }
}

/// Connected customers in bulk: connecting ten thousand one by one is not what is tested here.
async fn connect_fleet(store: &TestStore) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    sqlx::query(
        "insert into customer (organization_id, external_id, created_at, updated_at)
         select $1, 'c' || n, 0, 0 from generate_series(1, $2) as n",
    )
    .bind(organization.0)
    .bind(i64::try_from(CUSTOMERS).unwrap())
    .execute(&store.store.pool)
    .await
    .unwrap();
    sqlx::query(
        "insert into connection (organization_id, customer_id, subdomain, account_label, state, sync_status,
           last_sync_action, last_synced_at, created_at, updated_at)
         select organization_id, id, 'acme', '', 'active', 'READY', 'ADD', 0, 0, 0 from customer",
    )
    .execute(&store.store.pool)
    .await
    .unwrap();
    let ids: Vec<String> = (1..=CUSTOMERS).map(|number| format!("c{number}")).collect();
    for ids in ids.chunks(BATCH) {
        store.admin().set_schedules(organization, ids, &on(None)).await.unwrap();
    }
}

/// One replica's tick: fires until nothing is due; dies at a random moment now and then.
async fn tick(store: Store, entropy: Arc<SeededEntropy>) {
    let work = async {
        while !store.queue().fire_due(PER_TICK, Duration::from_secs(24 * 3_600)).await.unwrap().is_empty() {}
    };
    if entropy.fraction() * 100.0 < CRASHES_PERCENT {
        // Dropping the future rolls its transaction back, as the end of a process does.
        drop(tokio::time::timeout(Duration::from_millis(20).mul_f64(entropy.fraction()), work).await);
    } else {
        work.await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_replicas_fire_ten_thousand_customers_once_a_day_each() {
    let seed = OsEntropy.fraction().to_bits();
    println!("seed {seed}");
    let entropy = Arc::new(SeededEntropy::new(seed));
    let store = postgres().await;
    connect_fleet(&store).await;
    let planned: Vec<(i64, i64)> = slots(&store).await;
    assert_eq!(planned.len(), CUSTOMERS);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(store.reopen().await);
    }
    let ticks = u32::try_from(DAY_MS.unsigned_abs() / TICK.as_millis() as u64).unwrap();
    for _ in 0..ticks {
        store.clock.advance(TICK);
        let ticking =
            replicas.iter().map(|replica| tokio::spawn(tick(replica.clone(), Arc::clone(&entropy))));
        for replica in ticking.collect::<Vec<_>>() {
            replica.await.unwrap();
        }
    }
    // One that did not crash sees to what the crashed ones left.
    while !replicas[0].queue().fire_due(PER_TICK, Duration::from_secs(24 * 3_600)).await.unwrap().is_empty() {
    }

    let runs = sqlx::query(
        "select connection_id, count(*) as runs, min(request_id) as stamp from run
         where trigger_name = 'schedule' group by connection_id order by connection_id",
    )
    .fetch_all(&store.store.pool)
    .await
    .unwrap();
    assert_eq!(runs.len(), CUSTOMERS, "nobody was missed");
    for (row, (connection, slot)) in runs.iter().zip(&planned) {
        assert_eq!(row.try_get::<i64, _>("runs").unwrap(), 1, "connection {connection} fired twice");
        let stamp: String = row.try_get("stamp").unwrap();
        assert_eq!(stamp, format!("schedule-{connection}-{slot}"));
    }
    let next = slots(&store).await;
    assert!(planned.iter().zip(&next).all(|(was, is)| *is == (was.0, was.1 + DAY_MS)), "the phase is kept");
    // The fleet does not stampede: no hour of the day has twice its share.
    let (start, share) = (planned.iter().map(|(_, slot)| slot).min().unwrap(), CUSTOMERS / 24);
    for hour in 0..24 {
        let within = planned.iter().filter(|(_, slot)| (slot - start) / HOUR_MS == hour).count();
        assert!(within < 2 * share, "{within} of {CUSTOMERS} in hour {hour}");
    }
}

async fn slots(store: &TestStore) -> Vec<(i64, i64)> {
    sqlx::query_as("select id, next_sync_at from connection where next_sync_at is not null order by id")
        .fetch_all(&store.store.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn after_days_of_downtime_a_customer_fires_once_and_keeps_its_own_interval() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let mut connections: Vec<ConnectionId> = Vec::new();
        for (name, hours) in [("daily", None), ("often", Some(3))] {
            let customer = store.admin().customer(organization, name).await.unwrap();
            connections.push(store.connect(&customer, "acme").await);
            store.admin().set_schedules(organization, &[name.to_owned()], &on(hours)).await.unwrap();
        }
        let before = slots(&store).await;
        store.clock.advance(Duration::from_secs(5 * 24 * 3_600));
        let fired = store.queue().fire_due(PER_TICK, Duration::from_secs(24 * 3_600)).await.unwrap();
        assert_eq!(fired.len(), 2, "missed slots collapse into one");
        assert!(store.queue().fire_due(PER_TICK, Duration::from_secs(24 * 3_600)).await.unwrap().is_empty());
        let now = helpsync_model::Clock::now_ms(&*store.clock);
        for ((was, is), interval) in before.iter().zip(slots(&store).await).zip([DAY_MS, 3 * HOUR_MS]) {
            assert!(is.1 > now && is.1 <= now + interval, "the next slot is the next one, not a missed one");
            assert_eq!((is.1 - was.1) % interval, 0, "the phase is kept");
        }
        let runs = store.admin().runs(organization, Some(connections[0]), 10).await.unwrap();
        assert_eq!(runs.len(), 1);
    }
}
