//! Totals that are kept instead of counted, and how long runs are kept.

use std::time::Duration;

use helpsync_model::{RunKind, RunState};
use sqlx::Row;

use super::pages::{connected, request};
use crate::testing::{FIRST, TestStore, article, name_of, stores};
use crate::{CustomerTotals, PrunedTo, ShardEnd};

/// What the rows add up to.
async fn counted(store: &TestStore) -> CustomerTotals {
    let row = sqlx::query(
        "select count(*) as files, cast(coalesce(sum(characters), 0) as bigint) as characters,
           cast(coalesce(sum(html_bytes), 0) as bigint) as html_bytes,
           cast(coalesce(sum(chunking.tokens), 0) as bigint) as tokens,
           cast(coalesce(sum(chunking.embedded), 0) as bigint) as embeddings
         from file left join chunking on chunking.file_id = file.id where hidden_at is null",
    )
    .fetch_one(&store.store.pool)
    .await
    .unwrap();
    CustomerTotals {
        files: row.try_get("files").unwrap(),
        characters: row.try_get("characters").unwrap(),
        html_bytes: row.try_get("html_bytes").unwrap(),
        tokens: row.try_get("tokens").unwrap(),
        embeddings: row.try_get("embeddings").unwrap(),
    }
}

async fn compare(store: &TestStore, what: &str, files: i64) {
    let customer = store.admin().customer(FIRST, "cust-1").await.unwrap();
    for _ in 0..2 {
        let kept = store.admin().customer_totals(customer.id).await.unwrap();
        assert_eq!(kept, counted(store).await, "{} {what}", name_of(store));
        assert_eq!(kept.files, files, "{} {what}", name_of(store));
        assert_eq!(store.admin().organization_totals(FIRST).await.unwrap(), kept, "{what}");
        assert_eq!(store.admin().status(FIRST).await.unwrap().files, files, "{what}");
        while store.queue().add_up_totals().await.unwrap() {}
    }
}

#[tokio::test]
async fn totals_are_what_the_rows_add_up_to_whatever_happens_to_them() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let execute = |text: &'static str| {
            let pool = store.store.pool.clone();
            async move { sqlx::query(text).execute(&*pool).await.unwrap() }
        };
        compare(&store, "empty", 0).await;
        let articles = (1..=5).map(|id| article(id, "One", 5)).collect();
        store.sync_articles(connection, articles).await;
        compare(&store, "stored", 5).await;
        execute("update chunking set tokens = 10, embedded = 3, chunks = 4").await;
        compare(&store, "chunked", 5).await;
        execute("update file set hidden_at = 1 where article_id in (1, 2)").await;
        compare(&store, "hidden", 3).await;
        execute("update chunking set tokens = 12 where tokens = 10").await;
        execute("update file set hidden_at = null, held_at = 1 where article_id = 1").await;
        compare(&store, "shown again, and held", 4).await;
        assert_eq!(store.admin().status(FIRST).await.unwrap().held, 1);
        let longer = vec![article(3, "A much longer title than before", 6)];
        store.sync_articles(connection, longer).await;
        compare(&store, "changed", 4).await;
        execute("delete from chunking where file_id = (select id from file where article_id = 4)").await;
        compare(&store, "without its chunks", 4).await;
        execute("delete from file where article_id in (1, 2, 3)").await;
        compare(&store, "deleted", 2).await;
        assert_eq!(store.admin().status(FIRST).await.unwrap().held, 0);
        let status = store.admin().status(FIRST).await.unwrap();
        assert_eq!((status.active, status.paused), (1, 0));
        execute("update connection set state = 'paused'").await;
        let status = store.admin().status(FIRST).await.unwrap();
        assert_eq!((status.active, status.paused), (0, 1));
        store.admin().delete_customer(FIRST, "cust-1").await.unwrap().unwrap();
        compare(&store, "without the customer", 0).await;
        let status = store.admin().status(FIRST).await.unwrap();
        assert_eq!((status.active, status.paused), (0, 0));
    }
}

/// A run that ends now: well, or with a shard that failed.
async fn ended(store: &TestStore, connection: helpsync_model::ConnectionId, fails: bool) -> i64 {
    let run = store.admin().request_run(FIRST, &request(connection, Some(RunKind::Delta))).await.unwrap().run;
    for _ in 0..2 {
        let shard = store.start(run).await;
        let failed = fails && shard.run.stage == helpsync_model::Stage::Plan;
        let end = if failed { ShardEnd::Failed("no".to_owned()) } else { ShardEnd::Done(Vec::new()) };
        store.queue().end_shard(&shard.fence, &end).await.unwrap();
        if failed {
            break;
        }
    }
    let last = store.start(run).await;
    store.sync().finalize_run(&last).await.unwrap();
    run.0
}

#[tokio::test]
async fn old_runs_go_in_small_steps_but_for_the_latest_and_those_with_dead_letters() {
    const KEEP: Duration = Duration::from_secs(3_600);
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let dead = ended(&store, connection, true).await;
        let mut runs = vec![dead];
        for _ in 0..3 {
            runs.push(ended(&store, connection, false).await);
            store.clock.advance(Duration::from_secs(60));
        }
        // The failed shard is made good by the run after it; another run fails, and stays a dead letter.
        let latest_failed = ended(&store, connection, true).await;
        sqlx::query("insert into skipped (run_id, reason, created_at) values ($1, 'why', 1)")
            .bind(runs[1])
            .execute(&*store.store.pool)
            .await
            .unwrap();
        let pruned = store.queue().prune_runs(KEEP, PrunedTo::default()).await.unwrap();
        assert_eq!((pruned.runs, pruned.next), (0, None), "{}: all are young", name_of(&store));
        store.clock.advance(KEEP);
        let young = ended(&store, connection, false).await;
        let _made_good = young;
        let mut at = Some(PrunedTo::default());
        let mut removed = 0;
        while let Some(after) = at {
            let pruned = store.queue().prune_runs(KEEP, after).await.unwrap();
            removed += pruned.runs;
            at = pruned.next;
        }
        let left: Vec<i64> =
            sqlx::query_scalar("select id from run order by id").fetch_all(&store.store.pool).await.unwrap();
        assert_eq!(removed, 4, "{}: {left:?}", name_of(&store));
        assert_eq!(left, [latest_failed, young], "the last one is not yet old enough");
        let orphans: i64 = sqlx::query_scalar(
            "select (select count(*) from shard where run_id not in (select id from run))
               + (select count(*) from skipped where run_id not in (select id from run))",
        )
        .fetch_one(&store.store.pool)
        .await
        .unwrap();
        assert_eq!(orphans, 0);
        assert_eq!(
            store.admin().run(FIRST, helpsync_model::RunId(young)).await.unwrap().state,
            RunState::Done
        );
        store.clock.advance(KEEP * 2);
        let pruned = store.queue().prune_runs(KEEP, PrunedTo::default()).await.unwrap();
        assert_eq!(pruned.runs, 1, "{}", name_of(&store));
        let pruned = store.queue().prune_runs(KEEP, PrunedTo::default()).await.unwrap();
        assert_eq!(pruned.runs, 0, "the latest stays for ever");
    }
}
