//! What limits keep out, exactly, and how it comes once there is room, on both databases.

use helpsync_model::{ConnectionId, EventKind, FileStatus, OrganizationId, RunKind};
use serde_json::{Map, Value, json};

use super::pages::{connected, request, walks};
use super::synced_items;
use crate::testing::{TestStore, article, name_of, stores};
use crate::{
    Event, FileFilters, IncomingArticle, OrganizationChange, PageOutcome, PageWrite, Progress, ScheduleChange,
};

fn object(limits: Value) -> Map<String, Value> {
    match limits {
        Value::Object(limits) => limits,
        other => panic!("{other}"),
    }
}

async fn limit(store: &TestStore, organization: OrganizationId, limits: Value) {
    let change = ScheduleChange { limits: object(limits), ..ScheduleChange::default() };
    store.admin().set_schedules(organization, &["cust-1".to_owned()], &change).await.unwrap();
}

/// So many articles of ten characters each.
fn ten(ids: std::ops::RangeInclusive<i64>) -> Vec<IncomingArticle> {
    ids.map(|id| article(id, "Ten chars.", 5)).collect()
}

async fn files(store: &TestStore) -> Vec<(i64, String, i64, Option<String>)> {
    sqlx::query_as("select article_id, status, characters, error from file order by article_id")
        .fetch_all(&store.store.pool)
        .await
        .unwrap()
}

async fn stored(store: &TestStore) -> usize {
    files(store).await.len()
}

async fn told(store: &TestStore, organization: OrganizationId, kind: EventKind) -> Vec<Event> {
    let mut events = store.webhooks().events(organization, 0, 10_000).await.unwrap();
    events.retain(|event| event.kind == kind);
    events
}

/// A delta that waits for its plan: whether it would read everything.
async fn would_bring_more(store: &TestStore, connection: ConnectionId) -> bool {
    let run = store
        .admin()
        .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Delta)))
        .await
        .unwrap()
        .run;
    let plan = store.start(run).await;
    let more = store.sync().has_room_for_more(&plan).await.unwrap();
    store.admin().cancel_runs(crate::testing::FIRST, connection).await.unwrap();
    more
}

#[tokio::test]
async fn each_limit_is_reached_exactly_and_what_goes_beyond_it_is_skipped_with_its_reason() {
    for (name, most, kept) in [
        ("max_files", 3, 3),
        ("max_files_per_upload", 3, 3),
        ("max_characters", 30, 3),
        ("max_characters", 39, 3),
        ("max_characters_per_upload", 30, 3),
        ("max_characters_per_file", 10, 5),
        ("max_characters_per_file", 9, 0),
        ("max_files", 0, 0),
        ("max_files", -1, 5),
        ("max_characters", -1, 5),
    ] {
        for store in stores().await {
            let what = format!("{name} = {most} on {}", name_of(&store));
            let (organization, connection) = connected(&store).await;
            limit(&store, organization, json!({ name: most })).await;
            let outcome = store.sync_articles(connection, ten(1..=5)).await;
            assert_eq!((outcome.created, outcome.over_limit), (kept, 5 - kept), "{what}");
            assert_eq!(stored(&store).await, usize::try_from(kept).unwrap(), "{what}");
            // Zendesk shows them all.
            assert_eq!(store.sync().known_articles(connection).await.unwrap(), 5, "{what}");

            let run = store.admin().runs(organization, Some(connection), 1).await.unwrap().remove(0);
            assert_eq!(run.counters.skipped, 5 - kept, "{what}");
            let skipped = store.admin().skipped(crate::testing::FIRST, run.id, 0, 10).await.unwrap();
            let reason = format!("{name} would be exceeded: it is {most}");
            assert_eq!(skipped.len(), usize::try_from(5 - kept).unwrap(), "{what}");
            assert!(skipped.iter().all(|one| one.reason == reason), "{what}: {skipped:?}");

            let reached = told(&store, organization, EventKind::FileSyncLimitReached).await;
            let ends = told(&store, organization, EventKind::FilesSkipped).await;
            let anew = name.ends_with("_per_upload");
            assert_eq!(would_bring_more(&store, connection).await, anew, "{what}");
            if kept == 5 {
                assert!(reached.is_empty() && ends.is_empty(), "{what}");
                continue;
            }
            assert_eq!((reached.len(), ends.len()), (1, 1), "{what}");
            let customer = store.admin().customer(organization, "cust-1").await.unwrap();
            assert_eq!(reached[0].object_type, "ORGANIZATION_USER");
            assert_eq!(reached[0].object_id, customer.id.to_string());
            assert_eq!(reached[0].detail["reason"], reason, "{what}");
            assert_eq!((ends[0].object_type.as_str(), ends[0].object_id.as_str()), ("FILE_LIST", "[]"));
            assert_eq!(
                (&ends[0].detail["reason"], &ends[0].detail["articles"]),
                (&json!(reason), &json!(5 - kept))
            );
        }
    }
}

#[tokio::test]
async fn a_limit_of_the_customers_own_wins_over_the_organizations_and_each_is_set_by_itself() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        let change = |limits| OrganizationChange { limits: object(limits), ..OrganizationChange::default() };
        for limits in [json!({ "max_files": 2 }), json!({ "max_characters": 25 })] {
            store.admin().update_organization(organization, &change(limits)).await.unwrap();
        }
        let of_organization = store.admin().organization(organization).await.unwrap().limits;
        assert_eq!(of_organization, json!({ "max_files": 2, "max_characters": 25 }));
        assert_eq!(store.sync_articles(connection, ten(1..=5)).await.created, 2, "{}", name_of(&store));
        limit(&store, organization, json!({ "max_characters": 30 })).await;
        limit(&store, organization, json!({ "max_files": 4 })).await;
        assert_eq!(store.sync_articles(connection, ten(1..=5)).await.created, 1, "{}", name_of(&store));
        limit(&store, organization, json!({ "max_characters": -1 })).await;
        assert_eq!(store.sync_articles(connection, ten(1..=5)).await.created, 1);
        let own = store.admin().customer(organization, "cust-1").await.unwrap().limits;
        assert_eq!(own, json!({ "max_files": 4, "max_characters": -1 }));
        // Another customer has the organization's.
        let other = store.admin().customer(organization, "cust-2").await.unwrap();
        let other = store.connect(&other, "acme").await;
        assert_eq!(store.sync_articles(other, ten(1..=5)).await.created, 2);
    }
}

#[tokio::test]
async fn a_file_whose_new_text_breaks_a_limit_keeps_its_old_one_and_says_so() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        store.sync_articles(connection, ten(1..=2)).await;
        limit(&store, organization, json!({ "max_characters_per_file": 12, "max_characters": 23 })).await;
        let of = |id, text: &str, version| vec![article(id, text, version)];
        let updated = PageOutcome { updated: 1, ..PageOutcome::default() };
        let refused = PageOutcome { over_limit: 1, ..PageOutcome::default() };
        assert_eq!(
            store.sync_articles(connection, of(1, "Twelve chars", 6)).await,
            updated,
            "{}",
            name_of(&store)
        );
        assert_eq!(store.sync_articles(connection, of(1, "Thirteen char", 7)).await, refused);
        let reason = "max_characters_per_file would be exceeded: it is 12".to_owned();
        let error = FileStatus::SyncError.as_str().to_owned();
        assert_eq!(files(&store).await[0], (1, error.clone(), 12, Some(reason.clone())));
        assert_eq!(told(&store, organization, EventKind::FileError).await[0].detail["reason"], reason);
        let ids: Vec<i64> = sqlx::query_scalar("select id from file where article_id = 1")
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
        let skipped = told(&store, organization, EventKind::FilesSkipped).await.remove(0);
        assert_eq!(skipped.object_id, json!(ids).to_string(), "a file that exists is named");
        // In all there is room for one character more.
        assert_eq!(store.sync_articles(connection, of(2, "Twelve chars", 6)).await, refused);
        assert_eq!(store.sync_articles(connection, of(2, "Eleven char", 7)).await, updated);
        // What is there may stay, and change in all but its text, whatever is set since.
        limit(
            &store,
            organization,
            json!({ "max_characters_per_file": 5, "max_characters": 5, "max_files": 0 }),
        )
        .await;
        let renamed = IncomingArticle { metadata_hash: "other".to_owned(), ..article(2, "Eleven char", 7) };
        assert_eq!(store.sync_articles(connection, vec![renamed]).await.over_limit, 0);
        assert_eq!(store.sync_articles(connection, of(2, "Ten chars.", 8)).await, refused, "still too long");
        assert_eq!(store.sync_articles(connection, of(2, "Five.", 9)).await, updated, "less than before");
        assert!(!would_bring_more(&store, connection).await);
        limit(&store, organization, json!({ "max_characters_per_file": -1, "max_characters": 18 })).await;
        assert!(would_bring_more(&store, connection).await, "12 + 5 leave one more, which is what it lacks");
        assert_eq!(store.sync_articles(connection, of(1, "Thirteen char", 7)).await, updated);
        assert_eq!(files(&store).await[0], (1, FileStatus::Ready.as_str().to_owned(), 13, None));
        assert!(!would_bring_more(&store, connection).await);
    }
}

#[tokio::test]
async fn room_is_made_by_a_higher_limit_and_by_removals_and_a_delta_notices() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        limit(&store, organization, json!({ "max_files": 3 })).await;
        store.sync_articles(connection, ten(1..=5)).await;
        assert!(!would_bring_more(&store, connection).await, "{}", name_of(&store));

        // One is unpublished in the page that brings another.
        let draft = IncomingArticle { translations: Vec::new(), ..article(2, "Draft", 6) };
        let outcome = store.sync_articles(connection, vec![article(0, "Ten chars.", 6), draft]).await;
        assert_eq!((outcome.created, outcome.removed, outcome.over_limit), (1, 1, 0));
        assert!(!would_bring_more(&store, connection).await);

        // One is gone.
        let run = store
            .admin()
            .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Resync)))
            .await
            .unwrap()
            .run;
        let shard = store.start(run).await;
        store.sync().settle_removed(&shard, &[1]).await.unwrap();
        store.admin().cancel_runs(crate::testing::FIRST, connection).await.unwrap();
        assert!(would_bring_more(&store, connection).await);
        assert_eq!(store.sync_articles(connection, ten(3..=5)).await.created, 1);
        assert!(!would_bring_more(&store, connection).await);

        // The content of one is deleted by request, and comes back when there is room for it as for any other.
        let customer = store.admin().customer(organization, "cust-1").await.unwrap().id;
        let three: i64 = sqlx::query_scalar("select id from file where article_id = 3")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        let one = FileFilters { ids: Some(vec![three]), ..FileFilters::default() };
        assert_eq!(store.admin().delete_files(customer, &one, true, false).await.unwrap(), 1);
        assert!(would_bring_more(&store, connection).await);
        let again = store
            .sync_articles(connection, vec![article(4, "Ten chars.", 5), article(5, "Ten chars.", 5)])
            .await;
        assert_eq!((again.created, again.over_limit), (1, 0));
        assert_eq!(store.sync_articles(connection, ten(3..=3)).await.over_limit, 1);
        assert!(!would_bring_more(&store, connection).await);

        limit(&store, organization, json!({ "max_files": 4 })).await;
        assert!(would_bring_more(&store, connection).await);
        let outcome = store.sync_articles(connection, ten(3..=5)).await;
        assert_eq!((outcome.updated, outcome.over_limit), (1, 0));
        limit(&store, organization, json!({ "max_files": -1 })).await;
        assert!(!would_bring_more(&store, connection).await, "nothing is left");
    }
}

#[tokio::test]
async fn per_upload_is_counted_over_all_runs_of_an_upload_and_anew_for_the_next() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        limit(&store, organization, json!({ "max_files_per_upload": 2, "max_characters_per_upload": 29 }))
            .await;
        assert_eq!(store.sync_articles(connection, ten(1..=1)).await.created, 1, "{}", name_of(&store));
        assert_eq!(store.sync_articles(connection, ten(1..=5)).await.created, 1, "the same upload");
        assert!(would_bring_more(&store, connection).await, "the next upload would");
        let next = walks(&store, connection, &[0]).await.remove(0);
        let page = PageWrite { articles: ten(1..=5), ..PageWrite::default() };
        let outcome = store.sync().store_page(&next, &page).await.unwrap();
        assert_eq!((outcome.created, outcome.over_limit), (2, 1));
        assert_eq!(store.sync().store_page(&next, &page).await.unwrap().created, 0);
        let reached = told(&store, organization, EventKind::FileSyncLimitReached).await;
        assert_eq!(reached.len(), 2, "once a run, however many pages reached it");
    }
}

#[tokio::test]
async fn what_was_chosen_and_kept_out_need_not_be_chosen_again() {
    for store in stores().await {
        let by_choice = json!({ "sync_files_on_connection": false });
        let (customer, connection) = synced_items::connected(&store, by_choice).await;
        limit(&store, customer.organization, json!({ "max_files": 1 })).await;
        let outcome = store.sync_articles(connection, ten(1..=2)).await;
        assert_eq!((outcome.created, outcome.over_limit), (1, 1), "{}", name_of(&store));
        let listing = walks(&store, connection, &[0]).await.remove(0);
        let page = PageWrite { articles: ten(1..=3), ..PageWrite::default() };
        let outcome = store.sync().store_page(&listing, &page).await.unwrap();
        assert_eq!((outcome.created, outcome.over_limit), (0, 1), "the third was not asked for");
        limit(&store, customer.organization, json!({ "max_files": -1 })).await;
        assert_eq!(store.sync().store_page(&listing, &page).await.unwrap().created, 1);
        let found: Vec<i64> = files(&store).await.into_iter().map(|file| file.0).collect();
        assert_eq!(found, [1, 2]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_stored_at_once_never_go_beyond_a_limit_and_leave_no_room() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        limit(&store, organization, json!({ "max_files": 15, "max_characters": 500 })).await;
        let shards = walks(&store, connection, &[0, 10, 20]).await;
        let tasks = shards.iter().zip(0..).map(|(shard, number): (_, i64)| {
            let store = &store;
            async move {
                for page in 0..4 {
                    let first = number * 1_000 + page * 10 + 1;
                    // Of these only a page that moves the mark would be alone without a limit.
                    let progress = (page == 3).then_some(Progress { position: Some(0), newest: Some(1) });
                    let page =
                        PageWrite { articles: ten(first..=first + 9), progress, ..PageWrite::default() };
                    store.sync().store_page(shard, &page).await.unwrap();
                }
            }
        });
        futures::future::join_all(tasks).await;
        assert_eq!(stored(&store).await, 15, "{}", name_of(&store));
        assert_eq!(store.sync().known_articles(connection).await.unwrap(), 120);
        assert_eq!(
            store.admin().run(crate::testing::FIRST, shards[0].run.id).await.unwrap().counters.skipped,
            105
        );
        assert_eq!(told(&store, organization, EventKind::FileSyncLimitReached).await.len(), 1);
    }
}
