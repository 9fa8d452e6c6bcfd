//! The decisions of `helpsync_model::claim` against the SQL that takes them, case by case: whoever reasons about the
//! pure functions (docs/protocol.md) reasons about the store.

use std::time::Duration;

use helpsync_model::{
    Clock as _, ConnectionState, FenceNumbers, RunState, ShardId, ShardState, Startable, has_run_out, is_free,
};

use crate::StartedShard;
use crate::db::sql;
use crate::run::shards::{Fence, check_fence};
use crate::testing::{TestStore, name_of, stores};

const LEASE: Duration = Duration::from_secs(60);

async fn execute(store: &TestStore, statement: String) {
    sqlx::query(sql(statement)).execute(&store.pool).await.unwrap();
}

/// A run of a customer, and its first shard, started once.
async fn started(store: &TestStore) -> StartedShard {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    let request = crate::RunRequest {
        connection,
        kind: Some(helpsync_model::RunKind::Full),
        trigger: helpsync_model::Trigger::Request,
        lane: helpsync_model::Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: helpsync_model::RunParams::default(),
    };
    let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
    store.start(run).await
}

/// Puts the only shard into a state, with the lease that goes with it.
async fn put_shard(store: &TestStore, state: ShardState, attempt: i64) {
    let lease = if state.holds_lease() { "1" } else { "null" };
    execute(store, format!("update shard set state = '{state}', attempt = {attempt}, lease_until = {lease}"))
        .await;
}

#[tokio::test]
async fn a_shard_is_started_exactly_when_the_model_says_so() {
    for store in stores().await {
        let shard = started(&store).await.fence.shard;
        let mut taken = 0;
        for shard_state in ShardState::ALL {
            for run in RunState::ALL {
                for connection in ConnectionState::ALL {
                    for epoch_is_current in [true, false] {
                        put_shard(&store, *shard_state, 1).await;
                        let ended = if run.is_active() { "null" } else { "1" };
                        execute(&store, format!("update run set state = '{run}', finished_at = {ended}"))
                            .await;
                        let gone = if connection.is_disconnected() { "1" } else { "null" };
                        let behind = i64::from(!epoch_is_current);
                        execute(
                            &store,
                            format!(
                                "update connection set state = '{connection}', disconnected_at = {gone},
                                   epoch = (select epoch from run) + {behind}"
                            ),
                        )
                        .await;
                        let case = Startable {
                            shard: *shard_state,
                            run: *run,
                            connection: *connection,
                            epoch_is_current,
                        };
                        let got = store.queue().start_shard(shard, "w", LEASE).await.unwrap();
                        assert_eq!(got.is_some(), case.may_start(), "{}: {case:?}", name_of(&store));
                        taken += u32::from(got.is_some());
                    }
                }
            }
        }
        assert_eq!(taken, 6, "two states of the shard, three of the run");
    }
}

#[tokio::test]
async fn a_fence_admits_exactly_the_writes_that_the_model_admits() {
    for store in stores().await {
        let fence = started(&store).await.fence;
        let mut admitted = 0;
        for state in ShardState::ALL {
            for epoch in -1..=1 {
                for attempt in -1..=1 {
                    let now = FenceNumbers { epoch: fence.epoch + 1, attempt: fence.attempt + 1 };
                    put_shard(&store, *state, now.attempt).await;
                    execute(&store, format!("update connection set epoch = {}", now.epoch)).await;
                    let begun = FenceNumbers { epoch: now.epoch + epoch, attempt: now.attempt + attempt };
                    let begun_with = Fence { epoch: begun.epoch, attempt: begun.attempt, ..fence };
                    let mut write = store.write().await.unwrap();
                    let got = check_fence(&mut write, &begun_with).await.is_ok();
                    assert_eq!(got, begun.admit(now, *state), "{}: {begun:?} {state}", name_of(&store));
                    admitted += u32::from(got);
                }
            }
        }
        assert_eq!(admitted, 1);
    }
}

#[tokio::test]
async fn leases_are_free_and_swept_exactly_when_the_model_says_so() {
    for store in stores().await {
        let shard = started(&store).await.fence.shard;
        let now = store.clock.now_ms();
        for until in [now - 1, now, now + 1] {
            execute(&store, format!("update shard set state = 'running', lease_until = {until}")).await;
            let swept = store.queue().sweep(LEASE).await.unwrap().expired == 1;
            assert_eq!(swept, has_run_out(Some(until), now), "{}: {}", name_of(&store), until - now);
        }
        put_shard(&store, ShardState::Pending, 1).await;
        assert_eq!(store.queue().release_due(1, 1).await.unwrap(), 1, "{shard}");
        for until in [None, Some(now - 1), Some(now), Some(now + 1)] {
            let lease = until.map_or_else(|| "null".to_owned(), |until| until.to_string());
            execute(&store, format!("update outbox set lease_until = {lease}")).await;
            let claimed = store.queue().claim_outbox(1, LEASE).await.unwrap().len() == 1;
            assert_eq!(claimed, is_free(until, now), "{}: {until:?}", name_of(&store));
        }
        let held = store.queue().start_shard(ShardId(shard.0), "w", LEASE).await.unwrap().unwrap().fence;
        assert!(store.queue().renew_shard(&held, LEASE).await.unwrap());
        let late = Fence { attempt: held.attempt - 1, ..held };
        assert!(!store.queue().renew_shard(&late, LEASE).await.unwrap(), "{}", name_of(&store));
    }
}
