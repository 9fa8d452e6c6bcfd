//! What a later run has made good leaves the list of work that gave up, and nothing else does; and waits for Zendesk end
//! with a sign of life.

use std::time::Duration;

use helpsync_model::{
    ConnectionId, ExportRange, Lane, RunKind, RunParams, ShardKind, ShardParams, Trigger, WaitKind,
};

use super::pages::connected;
use crate::testing::{TestStore, stores};
use crate::{NewShard, RunRequest, ShardEnd};

fn request(connection: ConnectionId, kind: RunKind, trigger: Trigger, params: RunParams) -> RunRequest {
    RunRequest {
        connection,
        kind: Some(kind),
        trigger,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params,
    }
}

/// Runs from start to end; its first shard gives up where it is to fail.
async fn run(store: &TestStore, request: RunRequest, fails: bool) {
    let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
    let mut fails = fails;
    loop {
        let started = store.start(run).await;
        if started.shard.kind() == ShardKind::Finalize {
            return store.sync().finalize_run(&started).await.unwrap();
        }
        let end = if fails { ShardEnd::Failed("no".to_owned()) } else { ShardEnd::Done(Vec::new()) };
        fails = false;
        store.queue().end_shard(&started.fence, &end).await.unwrap();
    }
}

#[tokio::test]
async fn a_later_run_takes_off_the_list_what_it_has_made_good_and_nothing_else() {
    use RunKind::{Delta, Full, Resync};
    let (sync, audit, attachments) = (RunParams::default(), RunParams::audit(), RunParams::Attachments);
    let named = |articles: &[i64]| RunParams::articles(articles.to_vec());
    let asked = Trigger::Request;
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        let other = store.admin().customer(organization, "cust-2").await.unwrap();
        let other = store.connect(&other, "elsewhere").await;
        for (failed, later, is_good) in [
            ((Delta, asked, sync.clone()), (Delta, sync.clone()), true),
            ((Delta, asked, sync.clone()), (Full, sync.clone()), true),
            ((Delta, asked, sync.clone()), (Resync, named(&[7])), false),
            ((Delta, asked, audit.clone()), (Delta, sync.clone()), false),
            ((Delta, asked, audit.clone()), (Delta, audit.clone()), true),
            ((Full, asked, sync.clone()), (Delta, audit.clone()), false),
            ((Full, asked, sync.clone()), (Full, sync.clone()), true),
            ((Resync, asked, named(&[7, 8])), (Delta, sync.clone()), false),
            ((Resync, asked, named(&[7, 8])), (Resync, named(&[8])), false),
            ((Resync, asked, named(&[7, 8])), (Resync, named(&[9, 8, 7])), true),
            ((Resync, asked, named(&[7, 8])), (Full, sync.clone()), true),
            ((Resync, Trigger::Webhook, named(&[7])), (Delta, sync.clone()), true),
            ((Resync, asked, attachments.clone()), (Full, sync.clone()), false),
            ((Resync, asked, attachments.clone()), (Resync, named(&[7])), false),
            ((Resync, asked, attachments.clone()), (Resync, attachments.clone()), true),
        ] {
            let told = format!("{failed:?} then {later:?}");
            let (kind, trigger, params) = failed;
            run(&store, request(connection, kind, trigger, params), true).await;
            let listed = async || store.admin().failed_shards(organization, 0, 10).await.unwrap();
            assert_eq!(listed().await.len(), 1, "{told}");
            // Neither another connection's run nor one that fails as well makes it good.
            run(&store, request(other, later.0, asked, later.1.clone()), false).await;
            assert_eq!(listed().await.len(), 1, "{told}");
            run(&store, request(connection, later.0, asked, later.1.clone()), true).await;
            assert_eq!(listed().await.len(), 2, "{told}");
            let second = listed().await.pop().unwrap();
            assert!(store.admin().discard_failed_shard(organization, second.id).await.unwrap());

            run(&store, request(connection, later.0, asked, later.1), false).await;
            let left = listed().await;
            assert_eq!(left.is_empty(), is_good, "{told}: {left:?}");
            for shard in left {
                assert!(store.admin().discard_failed_shard(organization, shard.id).await.unwrap());
            }
        }
    }
}

/// A full run that fails: where its stretch of the export stands at `position`, or, where that is read, in its comparison.
async fn fail_full(store: &TestStore, connection: ConnectionId, position: Option<i64>) {
    let full = request(connection, RunKind::Full, Trigger::Request, RunParams::default());
    let full = store.admin().request_run(crate::testing::FIRST, &full).await.unwrap().run;
    let plan = store.start(full).await;
    let range = ExportRange { start: 0, end: None, everything: false };
    let walk = NewShard { key: "walk_export".to_owned(), params: ShardParams::WalkExport(range), position };
    store.queue().end_shard(&plan.fence, &ShardEnd::Done(vec![walk])).await.unwrap();
    loop {
        let started = store.start(full).await;
        let kind = started.shard.kind();
        if kind == ShardKind::Finalize {
            return store.sync().finalize_run(&started).await.unwrap();
        }
        let is_read = kind == ShardKind::WalkExport && position.is_none();
        let end = if is_read { ShardEnd::Done(Vec::new()) } else { ShardEnd::Failed("no".to_owned()) };
        store.queue().end_shard(&started.fence, &end).await.unwrap();
    }
}

#[tokio::test]
async fn a_delta_makes_good_what_the_first_sync_left_for_it() {
    let (sync, audit) = (RunParams::default(), RunParams::audit());
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        for (number, (position, later, is_good)) in [
            // The mark stands where the stretch gave up.
            (Some(500), &sync, true),
            // There is no mark: nothing was read.
            (Some(0), &sync, false),
            (None, &sync, false),
            (None, &audit, true),
        ]
        .into_iter()
        .enumerate()
        {
            let told = format!("{position:?} {later:?}");
            let customer = store.admin().customer(organization, &format!("cust-{number}")).await.unwrap();
            let connection = store.connect(&customer, &format!("acme-{number}")).await;
            fail_full(&store, connection, position).await;
            let left = async || store.admin().failed_shards(organization, 0, 10).await.unwrap();
            assert_eq!(left().await.len(), 1, "{told}");
            let delta = request(connection, RunKind::Delta, Trigger::Request, later.clone());
            run(&store, delta.clone(), false).await;
            assert_eq!(left().await.is_empty(), is_good, "{told}");

            // A later full run reads again what is long stored: no delta does that.
            run(&store, request(connection, RunKind::Full, Trigger::Request, sync.clone()), false).await;
            assert!(left().await.is_empty(), "{told}");
            fail_full(&store, connection, Some(500)).await;
            run(&store, delta, false).await;
            let of_full = left().await.pop().unwrap();
            assert!(store.admin().discard_failed_shard(organization, of_full.id).await.unwrap());
        }
    }
}

#[tokio::test]
async fn long_waits_end_when_a_shard_is_done_or_somebody_asks() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        let sync = request(connection, RunKind::Full, Trigger::Request, RunParams::default());
        let fetch = request(connection, RunKind::Resync, Trigger::Request, RunParams::articles(vec![7]));
        let first = store.admin().request_run(crate::testing::FIRST, &sync).await.unwrap().run;
        let put_off = async |seconds| {
            let started = store.start(first).await;
            let wait = Duration::from_secs(seconds);
            let end = ShardEnd::Retry { wait, kind: WaitKind::Zendesk, error: "away".to_owned() };
            store.queue().end_shard(&started.fence, &end).await.unwrap();
        };
        let is_due = async || store.queue().release_due(10, 10).await.unwrap() > 0;
        let (hour, moment) = (3_600, 30);
        put_off(hour).await;
        assert!(!is_due().await);
        let shown = store.admin().connection(organization, connection).await.unwrap();
        assert_eq!(
            (shown.waiting_for.as_deref(), shown.waiting_kind),
            (Some("away"), Some(WaitKind::Zendesk))
        );
        let name = &shown.customer_external_id;
        let customer = store.admin().customer_state(organization, name).await.unwrap().unwrap();
        assert_eq!(customer.workspace.unwrap().waiting_kind, Some(WaitKind::Zendesk));
        // The version before writes the reason alone.
        sqlx::query("update run set waiting_kind = null").execute(&store.store.pool).await.unwrap();
        assert_eq!(store.admin().run(organization, first).await.unwrap().waiting_kind, Some(WaitKind::Other));
        run(&store, fetch.clone(), false).await;
        assert!(is_due().await, "another shard of the connection is done");

        put_off(moment).await;
        run(&store, fetch.clone(), false).await;
        assert!(!is_due().await, "a short wait is kept");
        assert_eq!(store.admin().request_run(crate::testing::FIRST, &sync).await.unwrap().run, first);
        assert!(is_due().await, "somebody asks");
    }
}
