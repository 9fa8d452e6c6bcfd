//! Shards that gave up, and the status that shows them.

use helpsync_model::{ConnectionId, Lane, RunKind, RunParams, Trigger};

use super::pages::{connected, walk, walks};
use crate::testing::stores;
use crate::{NewShard, RunRequest, ShardEnd};

fn one_article(connection: ConnectionId) -> RunRequest {
    RunRequest {
        connection,
        kind: Some(RunKind::Resync),
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::articles(vec![7]),
    }
}

#[tokio::test]
async fn a_failed_shard_is_listed_replayed_once_and_discarded() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let request = one_article(connection);
        let mut failed = Vec::new();
        for _ in 0..2 {
            let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
            assert_eq!(store.admin().status(organization).await.unwrap().runs.len(), 1);
            let started = store.start(run).await;
            store
                .queue()
                .end_shard(&started.fence, &ShardEnd::Failed("no such host".to_owned()))
                .await
                .unwrap();
            let shard = started.shard.id;
            assert!(
                !store.admin().discard_failed_shard(organization, shard).await.unwrap(),
                "the run has not ended"
            );
            let last = store.start(run).await;
            store.sync().finalize_run(&last).await.unwrap();
            failed.push(shard);
        }
        let listed = store.admin().failed_shards(organization, 0, 10).await.unwrap();
        assert_eq!(listed.iter().map(|shard| shard.id).collect::<Vec<_>>(), failed);
        assert_eq!(listed[0].error.as_deref(), Some("no such host"));
        assert_eq!(store.admin().status(organization).await.unwrap().failed.len(), 2);

        let replay =
            store.admin().replay_failed_shard(organization, failed[0], "again").await.unwrap().unwrap();
        let run = store.admin().run(crate::testing::FIRST, replay.run).await.unwrap();
        assert_eq!((run.kind, &run.params), (RunKind::Resync, &RunParams::articles(vec![7])));
        assert!(store.admin().replay_failed_shard(organization, failed[0], "again").await.unwrap().is_none());
        assert!(store.admin().discard_failed_shard(organization, failed[1]).await.unwrap());
        assert!(!store.admin().discard_failed_shard(organization, failed[1]).await.unwrap());
        assert!(store.admin().failed_shards(organization, 0, 10).await.unwrap().is_empty());
        let stranger = store.admin().ensure_organization("other").await.unwrap();
        assert!(store.admin().failed_shards(stranger, 0, 10).await.unwrap().is_empty());
    }
}

/// Each writes its shard twice, and so holds a lock of the run's key when it comes to the run itself.
#[tokio::test]
async fn shards_of_one_run_that_end_at_once_do_not_block_each_other() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let started = walks(&store, connection, &(0..12).collect::<Vec<_>>()).await;
        let ends = started.iter().map(|shard| {
            let follows =
                NewShard { key: format!("after-{}", shard.shard.id), params: walk(0), position: None };
            let end = ShardEnd::Done(vec![follows]);
            let store = &store;
            async move { store.queue().end_shard(&shard.fence, &end).await }
        });
        for ended in futures::future::join_all(ends).await {
            ended.unwrap();
        }
    }
}

/// What is stored may be of another version: then no worker can read it, however often it tries.
#[tokio::test]
async fn a_shard_that_cannot_be_read_fails_for_good_and_its_run_goes_on() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let request = one_article(connection);
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let shard: i64 = sqlx::query_scalar("update shard set params = '{\"pages\":1}' returning id")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        let lease = std::time::Duration::from_secs(60);
        let started = store.queue().start_shard(helpsync_model::ShardId(shard), "w", lease).await.unwrap();
        assert!(started.is_none());
        let last = store.start(run).await;
        assert_eq!(last.run.stage, helpsync_model::Stage::Finalize);
        store.sync().finalize_run(&last).await.unwrap();
        let failed = store.admin().failed_shards(organization, 0, 10).await.unwrap().remove(0);
        assert_eq!(failed.params["pages"], 1);
        assert!(failed.error.unwrap().contains("params"));
        // What its run was asked for is known, and done again.
        let replay =
            store.admin().replay_failed_shard(organization, failed.id, "again").await.unwrap().unwrap();
        assert_eq!(
            store.admin().run(crate::testing::FIRST, replay.run).await.unwrap().params,
            RunParams::articles(vec![7])
        );
    }
}

/// The checker of the protocol found it (docs/protocol.md): the request went with the run.
#[tokio::test]
async fn a_request_kept_with_a_run_that_cannot_be_finalized_gets_a_run_of_its_own() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let request = |upload: &str| RunRequest {
            connection,
            kind: Some(RunKind::Full),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: upload.to_owned(),
            params: RunParams::default(),
        };
        let run = store.admin().request_run(crate::testing::FIRST, &request("first")).await.unwrap().run;
        let plan = store.start(run).await;
        store.queue().end_shard(&plan.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        let kept = store.admin().request_run(crate::testing::FIRST, &request("second")).await.unwrap();
        assert_eq!((kept.run, kept.created), (run, false));
        let removal = store.start(run).await;
        store.queue().end_shard(&removal.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        let last = store.start(run).await;
        store.queue().end_shard(&last.fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
        let status = || async {
            sqlx::query_scalar::<_, String>("select sync_status from connection")
                .fetch_one(&store.store.pool)
                .await
                .unwrap()
        };
        assert_eq!(
            store.admin().run(crate::testing::FIRST, run).await.unwrap().state,
            helpsync_model::RunState::Failed
        );
        let next: i64 =
            sqlx::query_scalar("select id from run where upload_id = 'second' and state = 'queued'")
                .fetch_one(&store.store.pool)
                .await
                .unwrap();
        assert_eq!(status().await, "QUEUED_FOR_SYNCING");
        // With nothing asked for meanwhile the failure is what is shown.
        let next = helpsync_model::RunId(next);
        for _ in 0..2 {
            let shard = store.start(next).await;
            store.queue().end_shard(&shard.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        }
        let last = store.start(next).await;
        store.queue().end_shard(&last.fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
        assert_eq!(status().await, "SYNC_ERROR");
    }
}
