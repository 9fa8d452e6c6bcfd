//! Which shards go out, in what order, and how work is stopped.

use std::time::Duration;

use helpsync_model::{ConnectionId, Lane, RunId, RunKind, RunParams, Stage, Trigger};

use super::pages::walk;
use crate::testing::{TestStore, stores};
use crate::{NewShard, PageWrite, RunRequest, RunRequested, ShardEnd, StoreError};

/// More than any test releases.
const ALL: u32 = 1_000;

async fn connect(store: &TestStore, name: &str) -> ConnectionId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, name).await.unwrap();
    store.connect(&customer, "acme").await
}

async fn request(store: &TestStore, connection: ConnectionId, lane: Lane) -> RunRequested {
    let request = RunRequest {
        connection,
        kind: Some(if lane == Lane::Backfill { RunKind::Full } else { RunKind::Delta }),
        trigger: Trigger::Request,
        lane,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::default(),
    };
    store.admin().request_run(crate::testing::FIRST, &request).await.unwrap()
}

/// A run whose plan has ended with so many shards.
async fn planned(store: &TestStore, connection: ConnectionId, shards: usize) -> RunId {
    let run = request(store, connection, Lane::Backfill).await.run;
    let plan = store.start(run).await;
    let more =
        (0..shards).map(|number| NewShard { key: format!("walk-{number}"), params: walk(0), position: None });
    store.queue().end_shard(&plan.fence, &ShardEnd::Done(more.collect())).await.unwrap();
    run
}

/// The runs of what was released since the last call, in order.
async fn out(store: &TestStore) -> Vec<RunId> {
    let messages = store.queue().claim_outbox(ALL, Duration::from_secs(30)).await.unwrap();
    store.queue().settle_outbox(&messages.iter().collect::<Vec<_>>()).await.unwrap();
    messages.iter().map(|message| message.job.run).collect()
}

#[tokio::test]
async fn of_one_connection_no_more_than_its_window_is_out() {
    for store in stores().await {
        let run = planned(&store, connect(&store, "big").await, 10).await;
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 3);
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 0);
        out(&store).await;
        let id: i64 =
            sqlx::query_scalar("select min(id) from shard where run_id = $1 and state = 'released'")
                .bind(run.0)
                .fetch_one(&store.store.pool)
                .await
                .unwrap();
        let started =
            store.queue().start_shard(helpsync_model::ShardId(id), "w", Duration::from_secs(60)).await;
        let started = started.unwrap().unwrap();
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 0, "a running shard is still out");
        store.queue().end_shard(&started.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 1);
    }
}

#[tokio::test]
async fn a_newcomer_goes_before_the_rest_of_a_big_tenant() {
    for store in stores().await {
        let big = planned(&store, connect(&store, "big").await, 50).await;
        assert_eq!(store.queue().release_due(4, 8).await.unwrap(), 4);
        assert_eq!(out(&store).await, [big; 4]);
        // The big tenant's next shard has been due for longer; the newcomer has less out.
        store.clock.advance(Duration::from_secs(60));
        let small = planned(&store, connect(&store, "small").await, 2).await;
        assert_eq!(store.queue().release_due(4, 8).await.unwrap(), 4);
        assert_eq!(out(&store).await, [small, small, big, big]);
    }
}

#[tokio::test]
async fn what_a_person_waits_for_goes_before_schedules_and_backfills() {
    for store in stores().await {
        let backfill = planned(&store, connect(&store, "a").await, 5).await;
        let scheduled = request(&store, connect(&store, "b").await, Lane::Scheduled).await.run;
        let on_demand = request(&store, connect(&store, "c").await, Lane::OnDemand).await.run;
        assert_eq!(store.queue().release_due(3, 8).await.unwrap(), 3);
        assert_eq!(out(&store).await, [on_demand, scheduled, backfill]);
    }
}

/// The lanes of a run's shards, each once.
async fn lanes(store: &TestStore, run: RunId) -> Vec<String> {
    let lanes = sqlx::query_scalar("select distinct lane from shard where run_id = $1 order by lane");
    lanes.bind(run.0).fetch_all(&store.store.pool).await.unwrap()
}

#[tokio::test]
async fn a_full_run_is_a_backfill_whoever_asks_and_so_is_a_delta_that_turns_out_large() {
    for store in stores().await {
        let full = RunRequest {
            connection: connect(&store, "a").await,
            kind: None,
            trigger: Trigger::Connect,
            lane: Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "u".to_owned(),
            params: RunParams::default(),
        };
        let first = store.admin().request_run(crate::testing::FIRST, &full).await.unwrap().run;
        assert_eq!(lanes(&store, first).await, ["backfill"]);
        for (name, shards, expected) in [("b", 4, vec!["on_demand"]), ("c", 5, vec!["backfill", "on_demand"])]
        {
            let run = request(&store, connect(&store, name).await, Lane::OnDemand).await.run;
            let plan = store.start(run).await;
            let more = (0..shards).map(|number| NewShard {
                key: format!("walk-{number}"),
                params: walk(0),
                position: None,
            });
            store.queue().end_shard(&plan.fence, &ShardEnd::Done(more.collect())).await.unwrap();
            assert_eq!(lanes(&store, run).await, expected);
        }
    }
}

#[tokio::test]
async fn a_persons_request_goes_out_beside_the_full_window_of_their_own_backfill() {
    for store in stores().await {
        let connection = connect(&store, "big").await;
        let backfill = planned(&store, connection, 20).await;
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 3);
        assert_eq!(out(&store).await, [backfill; 3]);
        let wanted = RunRequest {
            connection,
            kind: Some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "one".to_owned(),
            upload_id: "one".to_owned(),
            params: RunParams::articles(vec![1]),
        };
        let resync = store.admin().request_run(crate::testing::FIRST, &wanted).await.unwrap().run;
        assert_eq!(store.queue().release_due(ALL, 3).await.unwrap(), 1);
        assert_eq!(out(&store).await, [resync]);
    }
}

#[tokio::test]
async fn cancelling_stops_work_in_hand_in_the_queue_and_in_the_store_at_once() {
    for store in stores().await {
        let connection = connect(&store, "a").await;
        let run = planned(&store, connection, 3).await;
        store.queue().release_due(ALL, 2).await.unwrap();
        let messages = store.queue().claim_outbox(ALL, Duration::from_secs(30)).await.unwrap();
        let lease = Duration::from_secs(60);
        let in_hand = store.queue().start_shard(messages[0].job.shard, "w", lease).await.unwrap().unwrap();
        store.admin().cancel_runs(crate::testing::FIRST, connection).await.unwrap();

        let late = store.sync().store_page(&in_hand, &PageWrite::default()).await;
        assert!(matches!(late, Err(StoreError::Fenced)), "{late:?}");
        assert!(!store.queue().renew_shard(&in_hand.fence, lease).await.unwrap());
        assert!(store.queue().start_shard(messages[1].job.shard, "w", lease).await.unwrap().is_none());
        assert_eq!(store.queue().release_due(ALL, 8).await.unwrap(), 0);
        assert_eq!(
            store.admin().run(crate::testing::FIRST, run).await.unwrap().state,
            helpsync_model::RunState::Cancelled
        );
        // The connection is free for the next request.
        assert!(request(&store, connection, Lane::OnDemand).await.created);
    }
}

#[tokio::test]
async fn equal_requests_share_a_run_and_late_ones_share_the_next() {
    for store in stores().await {
        let connection = connect(&store, "a").await;
        let first = request(&store, connection, Lane::OnDemand).await;
        for _ in 0..3 {
            let again = request(&store, connection, Lane::OnDemand).await;
            assert_eq!((again.run, again.created, again.serves), (first.run, false, true));
        }
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let plan = store.start(first.run).await;
        store.queue().end_shard(&plan.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        // The run has begun to read: what is asked now may have changed behind it.
        for _ in 0..3 {
            let late = request(&store, connection, Lane::OnDemand).await;
            assert_eq!((late.run, late.created, late.serves), (first.run, false, false));
        }
        for stage in [Stage::Removal, Stage::Finalize] {
            let started = store.start(first.run).await;
            assert_eq!(started.run.stage, stage);
            if stage == Stage::Finalize {
                store.sync().finalize_run(&started).await.unwrap();
            } else {
                store.queue().end_shard(&started.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
            }
        }
        let runs = store.admin().runs(organization, Some(connection), 10).await.unwrap();
        assert_eq!(runs.len(), 2, "one more run serves all that came late");
        assert!(runs[0].state.is_active() && !runs[1].state.is_active());
    }
}

#[tokio::test]
async fn a_run_that_has_only_to_be_ended_is_not_kept_waiting_by_the_next() {
    for store in stores().await {
        let connection = connect(&store, "a").await;
        let request = |number: usize| RunRequest {
            connection,
            kind: Some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: format!("r{number}"),
            upload_id: format!("u{number}"),
            params: RunParams::articles(vec![i64::try_from(number).unwrap()]),
        };
        let first = store.admin().request_run(crate::testing::FIRST, &request(0)).await.unwrap().run;
        for number in 1..20 {
            store.admin().request_run(crate::testing::FIRST, &request(number)).await.unwrap();
        }
        let fetch = store.start(first).await;
        store.clock.advance(Duration::from_secs(1));
        store.queue().end_shard(&fetch.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        assert_eq!(store.queue().release_due(1, 8).await.unwrap(), 1);
        assert_eq!(out(&store).await, [first]);
    }
}
