//! What a look of the release costs when much waits: it reads what it releases.

use std::time::{Duration, Instant};

use super::search_scale::plan;
use crate::db::Dialect;
use crate::run::release::{look_sql, next_turns_sql, visit_sql};
use crate::testing::searchable::{run, series};
use crate::testing::{TestStore, name_of, stores};

const WINDOW: u32 = 8;
const BATCH: u32 = 200;

/// `connections` more connections with `each` due shards of one run, made by the database itself.
async fn backlog(store: &TestStore, connections: i64, each: i64) {
    let organization = store.admin().ensure_organization("default").await.unwrap().0;
    let first = 1 + greatest_id(store, "customer").await;
    let numbers = |from| numbered(store.dialect(), from, connections);
    run(
        store,
        format!(
            "insert into customer (organization_id, external_id, created_at, updated_at)
         select {organization}, cast(n.i as text), 0, 0 from {}",
            numbers(first)
        ),
    )
    .await;
    run(
        store,
        format!(
        "insert into connection (organization_id, customer_id, subdomain, account_label, state, sync_status,
           last_sync_action, last_synced_at, created_at, updated_at)
         select {organization}, id, 'acme', 'acme', 'active', 'READY', 'CREATE', 0, 0, 0 from customer
         where id >= {first}"),
    )
    .await;
    run(store, format!(
        "insert into run (organization_id, customer_id, connection_id, kind, trigger_name, lane, epoch, state, stage,
           request_id, upload_id, created_at, progress_at)
         select organization_id, customer_id, id, 'full', 'connect', 'backfill', 1, 'running', 'walk', 'r', 'u', 0, 0
         from connection where customer_id >= {first}")).await;
    run(
        store,
        format!(
        "insert into shard (run_id, connection_id, key, kind, lane, state, due_at, created_at, updated_at)
         select run.id, run.connection_id, cast(n.i as text), 'walk_export', 'backfill', 'pending', n.i, 0, 0
         from run cross join {} where run.customer_id >= {first}", numbered(store.dialect(), 1, each)),
    )
    .await;
}

async fn greatest_id(store: &TestStore, table: &str) -> i64 {
    let greatest = crate::db::sql(format!("select coalesce(max(id), 0) from {table}"));
    sqlx::query_scalar(greatest).fetch_one(&store.store.pool).await.unwrap()
}

/// A row source named `n` with the column `i`.
fn numbered(dialect: Dialect, from: i64, count: i64) -> String {
    format!("{} as n{}", series(dialect, from, count), if dialect == Dialect::Postgres { " (i)" } else { "" })
}

#[tokio::test]
async fn a_look_reads_the_turns_that_are_due_and_the_first_shards_of_each() {
    for store in stores().await {
        backlog(&store, 1, 3_000).await;
        backlog(&store, 2_000, 2).await;
        let (lane, now, limit) = ("'backfill'", "1000000", "200");
        for analyzed in [false, true] {
            if analyzed {
                run(&store, "analyze".to_owned()).await;
            }
            let visit = plan(&store, &visit_sql(store.dialect()), &[lane, now, limit]).await;
            let look = plan(&store, &look_sql(store.dialect()), &["'[1, 2, 3]'", lane, now, limit]).await;
            let turns = "'[{\"connection_id\": 1, \"window_full\": 0}]'";
            let next = plan(&store, &next_turns_sql(store.dialect()), &[turns, lane, now]).await;
            assert!(visit.contains("release_turn_due"), "{visit}");
            for index in ["shard_out", "shard_ending", "shard_waiting"] {
                assert!(look.contains(index), "{look}");
            }
            assert!(next.contains("shard_waiting"), "{next}");
            for plan in [&visit, &look, &next] {
                assert!(!plan.contains("Seq Scan") && !plan.contains("SCAN shard"), "{plan}");
                assert!(!plan.contains("SCAN release_turn") && !plan.contains("TEMP B-TREE"), "{plan}");
            }
        }
        // The first connection has its window once, everybody its turn.
        let mut released = 0;
        loop {
            let more = store.queue().release_due(BATCH, WINDOW).await.unwrap();
            if more == 0 {
                break;
            }
            released += more;
        }
        assert_eq!(released, 4_000 + WINDOW as usize);
        assert_eq!(store.queue().next_due().await.unwrap(), None, "nobody looks again before a shard ends");
    }
}

/// Run with one command, see docs/benchmarks.md.
#[tokio::test]
#[ignore = "takes minutes: a million shards wait in both databases"]
async fn speed_of_the_release() {
    for store in stores().await {
        for (connections, each) in [(100, 10), (900, 10), (9_000, 10), (90_000, 10), (1, 100_000)] {
            backlog(&store, connections, each).await;
            run(&store, "analyze".to_owned()).await;
            let waiting: i64 = sqlx::query_scalar("select count(*) from shard where state = 'pending'")
                .fetch_one(&store.store.pool)
                .await
                .unwrap();
            let mut took: Vec<Duration> = Vec::new();
            for _ in 0..3 {
                let start = Instant::now();
                assert_eq!(store.queue().release_due(BATCH, WINDOW).await.unwrap(), BATCH as usize);
                took.push(start.elapsed());
            }
            took.sort();
            println!("{}: {waiting} wait: {BATCH} released in {:?}", name_of(&store), took[1]);
        }
    }
}
