//! The worker that ended a shard goes on with the one that follows alone.

use std::time::Duration;

use helpsync_model::{ConnectionId, Lane, RunId, RunKind, RunState, ShardKind, ShardState, Stage};
use sqlx::Row;

use super::pages::{connected, request, walk};
use crate::testing::{FIRST, TestStore, article, name_of, postgres, stores};
use crate::{NewShard, Onward, PageWrite, Progress, RunNote, ShardEnd, StartedShard, StoreError};

const LEASE: Duration = Duration::from_secs(60);

fn onward() -> Onward {
    Onward { holder: "w".to_owned(), lease: LEASE }
}

fn walks(count: i64) -> ShardEnd {
    let shard = |number| NewShard { key: format!("walk-{number}"), params: walk(number), position: None };
    ShardEnd::Done((0..count).map(shard).collect())
}

async fn planned(store: &TestStore, connection: ConnectionId) -> (RunId, StartedShard) {
    let run = store.admin().request_run(FIRST, &request(connection, Some(RunKind::Delta))).await.unwrap().run;
    (run, store.start(run).await)
}

async fn go_on(store: &TestStore, started: &StartedShard, end: &ShardEnd) -> Option<StartedShard> {
    let (note, onward) = (RunNote::default(), onward());
    store.queue().end_shard_and_go_on(&started.fence, end, &note, Some(&onward)).await.unwrap()
}

async fn states(store: &TestStore, run: RunId) -> Vec<String> {
    let rows = sqlx::query("select state from shard where run_id = $1 order by id").bind(run.0);
    rows.fetch_all(&store.store.pool).await.unwrap().iter().map(|row| row.try_get("state").unwrap()).collect()
}

#[tokio::test]
async fn a_run_of_single_shards_goes_from_its_plan_to_its_end_in_one_pair_of_hands() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let (run, plan) = planned(&store, connection).await;
        let walk = go_on(&store, &plan, &walks(1)).await.unwrap();
        assert_eq!(
            (walk.shard.kind(), walk.run.stage, walk.shard.failures),
            (ShardKind::WalkExport, Stage::Walk, 1)
        );
        assert_eq!(states(&store, run).await, ["done", "running"], "{}", name_of(&store));
        let page = PageWrite { articles: vec![article(1, "A", 5)], ..PageWrite::default() };
        let (outcome, removal) = store.sync().store_last_page(&walk, &page, Some(&onward())).await.unwrap();
        assert_eq!(outcome.created, 1);
        let removal = removal.unwrap();
        assert_eq!((removal.shard.kind(), removal.run.stage), (ShardKind::FindRemoved, Stage::Removal));
        // What was found out is written with the end.
        let note = RunNote { remote_count: Some(1), requests: 2, ..RunNote::default() };
        let done = ShardEnd::Done(Vec::new());
        let last = store.queue().end_shard_and_go_on(&removal.fence, &done, &note, Some(&onward())).await;
        let last = last.unwrap().unwrap();
        assert_eq!((last.shard.kind(), last.run.state), (ShardKind::Finalize, RunState::Finalizing));
        assert_eq!(store.queue().release_due(10, 10).await.unwrap(), 0, "nothing goes through the queue");
        store.sync().finalize_run(&last).await.unwrap();
        let ended = store.admin().run(FIRST, run).await.unwrap();
        assert_eq!(
            (ended.state, ended.counters.remote_count, ended.counters.requests),
            (RunState::Done, Some(1), 2)
        );
        assert_eq!(states(&store, run).await, ["done"; 4]);
        let again = store.sync().store_last_page(&walk, &page, None).await;
        assert!(matches!(again, Err(StoreError::Fenced)), "{again:?}");
    }
}

#[tokio::test]
async fn who_goes_on_leaves_no_room_and_does_not_wait_for_the_turn_of_its_connection() {
    // On SQLite every writer is alone.
    let store = postgres().await;
    let (_, connection) = connected(&store).await;
    let (run, plan) = planned(&store, connection).await;
    let mut visit = store.store.write().await.unwrap();
    sqlx::query("select from release_turn where connection_id = $1 for no key update")
        .bind(connection.0)
        .execute(&mut *visit.tx)
        .await
        .unwrap();
    let walk = tokio::time::timeout(LEASE, go_on(&store, &plan, &walks(1))).await.unwrap().unwrap();
    assert_eq!(states(&store, run).await, ["done", "running"]);
    visit.commit().await.unwrap();
    // Its end without anybody who goes on leaves room, and what follows waits in it.
    assert!(store.queue().end_shard(&walk.fence, &ShardEnd::Done(Vec::new())).await.is_ok());
    assert_eq!(store.queue().release_due(10, 10).await.unwrap(), 1);
}

#[tokio::test]
async fn where_several_follow_or_another_is_open_all_of_them_wait_for_the_queue() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let (run, plan) = planned(&store, connection).await;
        assert!(go_on(&store, &plan, &walks(2)).await.is_none());
        assert_eq!(states(&store, run).await, ["done", "pending", "pending"], "{}", name_of(&store));
        assert_eq!(store.queue().release_due(10, 10).await.unwrap(), 2);
        let messages = store.queue().claim_outbox(10, LEASE).await.unwrap();
        let mut started = Vec::new();
        for message in messages {
            started.push(store.queue().start_shard(message.job.shard, "w", LEASE).await.unwrap().unwrap());
        }
        let more = NewShard { key: "more".to_owned(), params: walk(9), position: None };
        assert!(go_on(&store, &started[0], &ShardEnd::Done(vec![more])).await.is_none(), "one is still open");
        assert!(go_on(&store, &started[1], &ShardEnd::Done(Vec::new())).await.is_none(), "the one added");
        let last = store.start(run).await;
        assert_eq!(
            go_on(&store, &last, &ShardEnd::Done(Vec::new())).await.unwrap().shard.kind(),
            ShardKind::FindRemoved
        );
    }
}

#[tokio::test]
async fn what_a_person_has_paused_goes_on_with_nothing() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let (run, plan) = planned(&store, connection).await;
        store.admin().set_customer_paused(FIRST, "cust-1", true).await.unwrap();
        assert!(go_on(&store, &plan, &walks(1)).await.is_none());
        store.admin().set_customer_paused(FIRST, "cust-1", false).await.unwrap();
        let walk = store.start(run).await;
        store.queue().set_lane_paused(Lane::OnDemand, true).await.unwrap();
        assert!(go_on(&store, &walk, &ShardEnd::Done(Vec::new())).await.is_none());
        assert_eq!(states(&store, run).await, ["done", "done", "pending"], "{}", name_of(&store));
        store.queue().set_lane_paused(Lane::OnDemand, false).await.unwrap();
        // Nobody who goes on, as when the process stops.
        let removal = store.start(run).await;
        store.queue().end_shard(&removal.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        assert_eq!(states(&store, run).await, ["done", "done", "done", "pending"]);
    }
}

#[tokio::test]
async fn a_worker_that_dies_behind_the_end_of_a_shard_leaves_the_next_one_to_the_sweeper() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let (run, plan) = planned(&store, connection).await;
        let walk = go_on(&store, &plan, &walks(1)).await.unwrap();
        assert_eq!(store.queue().sweep(LEASE).await.unwrap().expired, 0);
        store.clock.advance(LEASE + Duration::from_millis(1));
        assert_eq!(store.queue().sweep(LEASE).await.unwrap().expired, 1, "{}", name_of(&store));
        let released = store.queue().release_claimed(10, 10, LEASE).await.unwrap().claimed;
        assert_eq!(released.len(), 1);
        let next = store.queue().start_shard(released[0].job.shard, "other", LEASE).await.unwrap().unwrap();
        assert_eq!((next.shard.id, next.shard.failures), (walk.shard.id, 2));
        assert!(next.fence.attempt > walk.fence.attempt);
        let late = store.queue().end_shard(&walk.fence, &ShardEnd::Done(Vec::new())).await;
        assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
        assert_eq!(states(&store, run).await, ["done", ShardState::Running.as_str()]);
    }
}

#[tokio::test]
async fn whoever_releases_a_shard_has_its_message_and_if_he_dies_another_gets_it() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        store.admin().request_run(FIRST, &request(connection, None)).await.unwrap();
        let mine = store.queue().release_claimed(10, 10, LEASE).await.unwrap().claimed;
        assert_eq!(mine.len(), 1);
        assert!(store.queue().claim_outbox(10, LEASE).await.unwrap().is_empty(), "{}", name_of(&store));
        store.clock.advance(LEASE);
        let left = store.queue().claim_outbox(10, LEASE).await.unwrap();
        assert_eq!((left.len(), &left[0].dedup), (1, &mine[0].dedup));
        assert_eq!((&left[0].job, left[0].lane), (&mine[0].job, mine[0].lane));
        assert_eq!(left[0].traceparent, mine[0].traceparent);
        store.queue().settle_outbox(&[&mine[0]]).await.unwrap();
        store.clock.advance(LEASE);
        assert!(store.queue().claim_outbox(10, LEASE).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn the_last_page_is_counted_and_moves_the_mark_in_the_transaction_of_the_end() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let (run, plan) = planned(&store, connection).await;
        let walk = go_on(&store, &plan, &walks(1)).await.unwrap();
        let page = PageWrite {
            articles: vec![article(1, "A", 5)],
            progress: Some(Progress { position: None, newest: Some(7) }),
            requests: 3,
            bytes: 9,
            ..PageWrite::default()
        };
        let (_, removal) = store.sync().store_last_page(&walk, &page, Some(&onward())).await.unwrap();
        assert_eq!(removal.unwrap().high_water, Some(7), "{}", name_of(&store));
        let counters = store.admin().run(FIRST, run).await.unwrap().counters;
        let counted = (counters.listed, counters.created, counters.requests, counters.bytes);
        assert_eq!(counted, (1, 1, 3, 9), "{}", name_of(&store));
    }
}
