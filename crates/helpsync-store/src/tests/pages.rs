//! Storing pages: what one statement for many articles must keep true of each.

use std::time::Duration;

use helpsync_model::{
    ConnectionId, EventKind, ExportCursor, ExportRange, Lane, OrganizationId, RunKind, RunParams,
    ShardCursor, ShardParams, Trigger,
};

use super::outages::somebody_waits;
use crate::testing::{TestStore, article, name_of, postgres, stores};
use crate::{
    IncomingArticle, NewShard, PageOutcome, PageWrite, Progress, RunRequest, ShardEnd, SkippedArticle, Split,
    StartedShard,
};

/// Anything here is there by then.
const LATE: Duration = Duration::from_secs(60);

pub(super) async fn connected(store: &TestStore) -> (OrganizationId, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    (organization, store.connect(&customer, "acme").await)
}

pub(super) fn request(connection: ConnectionId, kind: Option<RunKind>) -> RunRequest {
    RunRequest {
        connection,
        kind,
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::default(),
    }
}

fn draft(id: i64, version: i64) -> IncomingArticle {
    IncomingArticle { translations: Vec::new(), ..article(id, "Draft", version) }
}

async fn kinds(store: &TestStore, organization: OrganizationId) -> Vec<EventKind> {
    store
        .webhooks()
        .events(organization, 0, 1_000)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect()
}

#[tokio::test]
async fn a_page_is_counted_announced_and_stored_article_by_article() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        let first = vec![article(11, "A", 5), article(12, "B", 5), article(13, "C", 5), draft(14, 5)];
        let outcome = store.sync_articles(connection, first).await;
        assert_eq!((outcome.created, outcome.drafts), (3, 1), "{}", name_of(&store));
        let before = kinds(&store, organization).await.len();
        let mut with_nul = article(16, "Nul", 6);
        with_nul.translations[0].title.push('\0');
        let second = vec![
            article(11, "A", 5),   // nothing new
            article(12, "B 2", 6), // new content
            draft(13, 6),          // withdrawn
            article(14, "D", 6),   // published
            article(15, "E", 6),   // twice in one page, the older last
            article(15, "E old", 4),
            with_nul,
        ];
        let outcome = store.sync_articles(connection, second).await;
        let expected = PageOutcome {
            created: 3,
            updated: 1,
            unchanged: 1,
            drafts: 1,
            unselected: 0,
            over_limit: 0,
            removed: 1,
            split: false,
        };
        assert_eq!(outcome, expected, "{}", name_of(&store));
        let mut new = kinds(&store, organization).await.split_off(before);
        // How the run ends is told by other tests.
        new.retain(|kind| !matches!(kind, EventKind::AllUploadedFilesQueued | EventKind::AllFilesProcessed));
        assert_eq!(
            new,
            [
                EventKind::FileDeleted,
                EventKind::FileReady,
                EventKind::FileReady,
                EventKind::FileReady,
                EventKind::FileReady,
                EventKind::FilesCreated
            ]
        );
        let names: Vec<String> = sqlx::query_scalar("select name from file order by article_id")
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(names, ["A", "B 2", "D", "E", "Nul"]);
        // An older reading changes nothing, but shows that its article exists.
        let outcome = store.sync_articles(connection, vec![article(15, "E old", 4)]).await;
        assert_eq!(outcome, PageOutcome { unchanged: 1, ..PageOutcome::default() });
        let unseen: i64 = sqlx::query_scalar(
            "select count(*) from remote_article where article_id = 15 and seen_run = (select max(id) from run)",
        )
        .fetch_one(&store.store.pool)
        .await
        .unwrap();
        assert_eq!(unseen, 1);
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_recorded_with_its_reason_and_counts_as_existing() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        store.sync_articles(connection, vec![article(11, "A", 5)]).await;
        let run = store
            .admin()
            .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Resync)))
            .await
            .unwrap()
            .run;
        let started = store.start(run).await;
        let skip = |id, reason: &str| SkippedArticle {
            article_id: id,
            reason: reason.to_owned(),
            created_at: None,
            section_id: None,
        };
        let skipped = vec![skip(Some(11), "too big"), skip(Some(12), "broken"), skip(None, "no id")];
        store.sync().store_page(&started, &PageWrite { skipped, ..PageWrite::default() }).await.unwrap();
        let listed = store.admin().skipped(crate::testing::FIRST, started.fence.run, 0, 100).await.unwrap();
        let after =
            store.admin().skipped(crate::testing::FIRST, started.fence.run, listed[0].id, 1).await.unwrap();
        assert_eq!(after, listed[1..2], "paged by id");
        let reasons: Vec<String> = sqlx::query_scalar("select reason from skipped order by reason")
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(reasons, ["broken", "no id", "too big"]);
        assert_eq!(store.sync().known_articles(connection).await.unwrap(), 2);
        assert_eq!(store.admin().run(crate::testing::FIRST, run).await.unwrap().counters.skipped, 3);
        assert_eq!(kinds(&store, organization).await.last(), Some(&EventKind::FileError));
        let error: Option<String> =
            sqlx::query_scalar("select error from file").fetch_one(&store.store.pool).await.unwrap();
        assert_eq!(error.as_deref(), Some("too big"));
    }
}

/// A walk of the export from there on.
pub(super) fn walk(start: i64) -> ShardParams {
    ShardParams::WalkExport(ExportRange { start, ..ExportRange::default() })
}

pub(super) async fn walks(store: &TestStore, connection: ConnectionId, starts: &[i64]) -> Vec<StartedShard> {
    let run = store
        .admin()
        .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
        .await
        .unwrap()
        .run;
    let plan = store.start(run).await;
    let shards = starts.iter().map(|start| NewShard {
        key: format!("walk_export-{start}"),
        params: walk(*start),
        position: Some(*start),
    });
    store.queue().end_shard(&plan.fence, &ShardEnd::Done(shards.collect())).await.unwrap();
    let mut started = Vec::new();
    let ids: Vec<i64> =
        sqlx::query_scalar("select id from shard where run_id = $1 and state = 'pending' order by id")
            .bind(run.0)
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
    for id in ids {
        let lease = std::time::Duration::from_secs(60);
        started.push(
            store.queue().start_shard(helpsync_model::ShardId(id), "test", lease).await.unwrap().unwrap(),
        );
    }
    started
}

fn at(position: Option<i64>, newest: i64) -> PageWrite {
    PageWrite {
        cursor: Some(ShardCursor::Page(1)),
        progress: Some(Progress { position, newest: Some(newest) }),
        ..PageWrite::default()
    }
}

async fn mark(store: &TestStore) -> Option<i64> {
    sqlx::query_scalar("select high_water from connection").fetch_one(&store.store.pool).await.unwrap()
}

#[tokio::test]
async fn the_high_water_mark_follows_the_hindmost_range_and_never_a_time_to_come() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let ranges = walks(&store, connection, &[0, 500]).await;
        store.sync().store_page(&ranges[1], &at(None, 900)).await.unwrap();
        assert_eq!(mark(&store).await, None, "{}", name_of(&store));
        store.sync().store_page(&ranges[0], &at(Some(300), 300)).await.unwrap();
        assert_eq!(mark(&store).await, Some(300));
        store.sync().store_page(&ranges[0], &at(Some(200), 200)).await.unwrap();
        assert_eq!(mark(&store).await, Some(300), "it never moves back");
        store.sync().store_page(&ranges[0], &at(None, 499)).await.unwrap();
        assert_eq!(mark(&store).await, Some(900));
        store.sync().store_page(&ranges[0], &at(None, i64::MAX / 2000)).await.unwrap();
        assert_eq!(mark(&store).await, Some(1_767_225_600), "the store's own time bounds it");
    }
}

#[tokio::test]
async fn a_page_that_cannot_move_the_mark_does_not_wait_for_others_of_the_connection() {
    // SQLite has one writer.
    let store = postgres().await;
    let (_, connection) = connected(&store).await;
    let range = walks(&store, connection, &[0]).await.remove(0);
    let mut other = store.store.write().await.unwrap();
    sqlx::query("select id from connection where id = $1 for share")
        .bind(connection.0)
        .execute(&mut *other.tx)
        .await
        .unwrap();
    let page = |position| PageWrite { articles: vec![article(1, "A", 1)], ..at(position, 300) };
    let still = page(Some(0));
    let stored = tokio::time::timeout(LATE, store.sync().store_page(&range, &still)).await.unwrap().unwrap();
    assert_eq!((stored.created, mark(&store).await), (1, None));
    let moves = page(Some(300));
    let seen = async {
        somebody_waits(&store).await;
        other.commit().await.unwrap();
    };
    let moving = async { tokio::join!(store.sync().store_page(&range, &moves), seen) };
    tokio::time::timeout(LATE, moving).await.unwrap().0.unwrap();
    assert_eq!(mark(&store).await, Some(300));
}

#[tokio::test]
async fn a_failed_range_holds_the_high_water_mark_where_it_stopped() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let ranges = walks(&store, connection, &[0, 500]).await;
        store.sync().store_page(&ranges[0], &at(Some(300), 300)).await.unwrap();
        store.queue().end_shard(&ranges[0].fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
        store.sync().store_page(&ranges[1], &at(None, 900)).await.unwrap();
        assert_eq!(mark(&store).await, Some(300), "{}", name_of(&store));
    }
}

#[tokio::test]
async fn a_walk_splits_up_to_its_bound_and_goes_on_to_the_cut() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let range = walks(&store, connection, &[0]).await.remove(0);
        let split = |at: i64| Split {
            shard: NewShard { key: format!("walk_export-{at}"), params: walk(at), position: Some(at) },
            cursor: ShardCursor::Export(ExportCursor { end: Some(at), ..ExportCursor::default() }),
            shards_max: 2,
        };
        let page = |at| PageWrite { split: Some(split(at)), ..self::at(Some(100), 100) };
        assert!(store.sync().store_page(&range, &page(500)).await.unwrap().split, "{}", name_of(&store));
        assert!(!store.sync().store_page(&range, &page(600)).await.unwrap().split);
        store.sync().store_page(&range, &at(None, 499)).await.unwrap();
        assert_eq!(mark(&store).await, Some(500), "the new range bounds the mark from its birth");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_one_connection_store_the_same_articles_at_once_and_none_waits_for_ever() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let ranges = walks(&store, connection, &[0, 10, 20]).await;
        let rounds = 0..8;
        let tasks = ranges.iter().enumerate().map(|(number, range)| {
            let store = &store;
            let rounds = rounds.clone();
            async move {
                for round in rounds {
                    let mut articles: Vec<_> = (0..40).map(|id| article(id, "T", round + 1)).collect();
                    if number % 2 == 0 {
                        articles.reverse();
                    }
                    let page = PageWrite { articles, ..at(Some(round), round) };
                    store.sync().store_page(range, &page).await.unwrap();
                }
            }
        });
        futures::future::join_all(tasks).await;
        assert_eq!(store.sync().known_articles(connection).await.unwrap(), 40, "{}", name_of(&store));
    }
}

#[tokio::test]
async fn the_run_after_this_one_does_everything_that_was_asked_for_meanwhile() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        sqlx::query("update connection set high_water = 5").execute(&store.store.pool).await.unwrap();
        let run =
            store.admin().request_run(crate::testing::FIRST, &request(connection, None)).await.unwrap().run;
        let audit = RunRequest { params: RunParams::audit(), ..request(connection, None) };
        let full = RunRequest { lane: Lane::Backfill, ..request(connection, Some(RunKind::Full)) };
        for wanted in [&request(connection, None), &audit, &full, &request(connection, None)] {
            let requested = store.admin().request_run(crate::testing::FIRST, wanted).await.unwrap();
            assert_eq!((requested.run, requested.created), (run, false));
        }
        let plan = store.start(run).await;
        store.queue().end_shard(&plan.fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
        let last = store.start(run).await;
        store.sync().finalize_run(&last).await.unwrap();
        let next = store.admin().runs(organization, Some(connection), 1).await.unwrap().remove(0);
        assert_ne!(next.id, run);
        assert_eq!(
            (next.kind, next.lane, &next.params),
            (RunKind::Full, Lane::Backfill, &RunParams::audit()),
            "{}",
            name_of(&store)
        );
        // A request that the run serves as it is leaves no successor.
        assert!(!store.admin().request_run(crate::testing::FIRST, &audit).await.unwrap().created);
        let plan = store.start(next.id).await;
        store.queue().end_shard(&plan.fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
        let last = store.start(next.id).await;
        store.sync().finalize_run(&last).await.unwrap();
        assert_eq!(store.admin().runs(organization, Some(connection), 1).await.unwrap()[0].id, next.id);
    }
}
