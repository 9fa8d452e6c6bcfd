//! Files: finding, fetching again, deleting.

use helpsync_model::{ConnectionId, EventKind, FileId, FileStatus, RunKind, RunParams};

use crate::testing::{TestStore, article, stores};
use crate::{
    Customer, Entity, File, FileFilters, FileOrder, FileQuery, IncomingArticle, ItemKind, NewItem, PageWrite,
    ResyncRequested, RunRequest, StoreError, TagFilter, Viewer,
};

async fn filled(store: &TestStore) -> (Customer, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    let articles = vec![article(11, "Alpha 100%", 5), article(12, "Beta", 5), article(13, "Gamma_x", 5)];
    store.sync_articles(connection, articles).await;
    (customer, connection)
}

fn query(customer: &Customer, filters: FileFilters) -> FileQuery {
    FileQuery {
        customer: customer.id,
        filters,
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 100,
        offset: 0,
    }
}

async fn names(store: &TestStore, customer: &Customer, filters: FileFilters) -> Vec<String> {
    let (files, count) = store.admin().files(&query(customer, filters)).await.unwrap();
    assert_eq!(files.len(), usize::try_from(count).unwrap());
    files.into_iter().map(|file| file.name).collect()
}

async fn by_article(store: &TestStore, customer: &Customer, article: i64) -> Option<File> {
    let filters =
        FileFilters { external_file_ids: Some(vec![article.to_string()]), ..FileFilters::default() };
    store.admin().files(&query(customer, filters)).await.unwrap().0.pop()
}

fn texts(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

#[tokio::test]
async fn every_filter_finds_what_it_names_and_nothing_else() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let beta = by_article(&store, &customer, 12).await.unwrap();
        let none = FileFilters::default;
        let all: &[&str] = &["Alpha 100%", "Beta", "Gamma_x"];
        let url = "https://acme.zendesk.com/hc/en-us/articles/13";
        let cases: Vec<(FileFilters, &[&str])> = vec![
            (none(), all),
            (FileFilters { nothing: true, ..none() }, &[]),
            (FileFilters { ids: Some(vec![beta.id.0, 999]), ..none() }, &["Beta"]),
            (FileFilters { ids: Some(vec![]), ..none() }, &[]),
            (FileFilters { external_file_ids: texts(&["11", "x"]), ..none() }, &["Alpha 100%"]),
            (FileFilters { external_urls: texts(&[url]), ..none() }, &["Gamma_x"]),
            (FileFilters { name: Some("ALPHA".into()), ..none() }, &["Alpha 100%"]),
            (FileFilters { name: Some("100%".into()), ..none() }, &["Alpha 100%"]),
            (FileFilters { name: Some("_".into()), ..none() }, &["Gamma_x"]),
            (FileFilters { name: Some("%".into()), ..none() }, &["Alpha 100%"]),
            (FileFilters { name: Some("\\".into()), ..none() }, &[]),
            (
                FileFilters { connections: Some(vec![connection.0]), ids: Some(vec![beta.id.0]), ..none() },
                &["Beta"],
            ),
            (FileFilters { connections: Some(vec![connection.0 + 1]), ..none() }, &[]),
            (FileFilters { statuses: texts(&["READY"]), ..none() }, all),
            (FileFilters { statuses: texts(&["SYNC_ERROR"]), ..none() }, &[]),
            (FileFilters { error: Some(String::new()), ..none() }, all),
            (FileFilters { error: Some("big".into()), ..none() }, &[]),
            (FileFilters { request_ids: texts(&["request-1"]), ..none() }, all),
            (FileFilters { request_ids: texts(&["request-1"]), upload_ids: texts(&["no"]), ..none() }, &[]),
        ];
        for (filters, expected) in cases {
            let shown = format!("{filters:?}");
            assert_eq!(names(&store, &customer, filters).await, expected, "{shown}");
        }
        let stranger = store.admin().customer(customer.organization, "cust-2").await.unwrap();
        assert!(names(&store, &stranger, none()).await.is_empty());
        assert!(matches!(store.admin().file(stranger.id, beta.id).await, Err(StoreError::NotFound(_))));
    }
}

#[tokio::test]
async fn files_are_sorted_and_paged_with_the_whole_count() {
    for store in stores().await {
        let (customer, _) = filled(&store).await;
        for order in [
            FileOrder::CreatedAt,
            FileOrder::UpdatedAt,
            FileOrder::Name,
            FileOrder::LastSync,
            FileOrder::FileSize,
            FileOrder::Id,
        ] {
            let page = FileQuery {
                order,
                descending: true,
                limit: 1,
                offset: 1,
                ..query(&customer, FileFilters::default())
            };
            let (files, count) = store.admin().files(&page).await.unwrap();
            let expected = if order == FileOrder::FileSize { "Gamma_x" } else { "Beta" };
            assert_eq!((files[0].name.as_str(), count), (expected, 3), "{order:?}");
        }
    }
}

#[tokio::test]
async fn every_translation_is_there_with_the_source_locale_first() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let mut two = article(14, "Delta", 6);
        let mut german = two.translations[0].clone();
        "de".clone_into(&mut german.locale);
        "<p>Dreieck</p>".clone_into(&mut german.html);
        two.translations.push(german);
        store.sync_articles(connection, vec![two]).await;
        let id = by_article(&store, &customer, 14).await.unwrap().id;
        let content = store.admin().file_content(crate::testing::FIRST, id).await.unwrap();
        let shown: Vec<(&str, &str)> =
            content.iter().map(|one| (one.locale.as_str(), one.html.as_str())).collect();
        assert_eq!(shown, [("en-us", "<p>Delta</p>"), ("de", "<p>Dreieck</p>")]);
    }
}

#[tokio::test]
async fn a_hidden_file_is_nowhere_to_be_seen() {
    for store in stores().await {
        let (customer, _) = filled(&store).await;
        let id = by_article(&store, &customer, 12).await.unwrap().id;
        sqlx::query("update file set hidden_at = 1 where id = $1")
            .bind(id.0)
            .execute(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(names(&store, &customer, FileFilters::default()).await, ["Alpha 100%", "Gamma_x"]);
        let missing = |error: Option<StoreError>| matches!(error, Some(StoreError::NotFound(_)));
        assert!(missing(store.admin().file(customer.id, id).await.err()));
        assert!(missing(store.admin().file_of_organization(customer.organization, id).await.err()));
        assert!(missing(store.admin().request_resync(customer.id, id, "r").await.err()));
        assert!(store.admin().file_content(crate::testing::FIRST, id).await.unwrap().is_empty());
        assert_eq!(store.admin().status(customer.organization).await.unwrap().files, 2);
        let filters = FileFilters { ids: Some(vec![id.0]), ..FileFilters::default() };
        assert_eq!(store.admin().delete_files(customer.id, &filters, false, true).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_resync_is_queued_once_and_fetches_that_article() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let id = by_article(&store, &customer, 12).await.unwrap().id;
        let ResyncRequested::Queued(file) =
            store.admin().request_resync(customer.id, id, "r2").await.unwrap()
        else {
            panic!("not queued")
        };
        assert_eq!(file.status, FileStatus::QueuedForSync);
        let run = store.admin().runs(customer.organization, Some(connection), 1).await.unwrap().remove(0);
        assert_eq!((run.kind, &run.params), (RunKind::Resync, &RunParams::articles(vec![12])));
        assert!(matches!(
            store.admin().request_resync(customer.id, id, "r3").await.unwrap(),
            ResyncRequested::Busy
        ));
        let other = by_article(&store, &customer, 13).await.unwrap().id;
        assert!(matches!(
            store.admin().request_resync(customer.id, other, "r4").await.unwrap(),
            ResyncRequested::Queued(_)
        ));
        let unknown = store.admin().request_resync(customer.id, FileId(999), "r5").await;
        assert!(matches!(unknown, Err(StoreError::NotFound(Entity::File))));

        store.admin().disconnect(customer.organization, connection).await.unwrap();
        let refused = store.admin().request_resync(customer.id, id, "r6").await;
        assert!(matches!(refused, Err(StoreError::NotFound(Entity::ActiveConnection))));
    }
}

#[tokio::test]
async fn a_deleted_file_is_announced_and_comes_back_when_its_article_changes() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let filters = FileFilters { external_file_ids: texts(&["12"]), ..FileFilters::default() };
        assert_eq!(store.admin().delete_files(customer.id, &filters, false, true).await.unwrap(), 1);
        assert!(by_article(&store, &customer, 12).await.is_none());
        store.sync_articles(connection, vec![article(12, "Beta 2", 6)]).await;
        assert_eq!(by_article(&store, &customer, 12).await.unwrap().name, "Beta 2");
        let events = store.webhooks().events(customer.organization, 0, 100).await.unwrap();
        assert_eq!(events.iter().filter(|event| event.kind == EventKind::FileDeleted).count(), 1);
    }
}

#[tokio::test]
async fn a_preserved_record_loses_its_content_and_can_be_fetched_again() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let id = by_article(&store, &customer, 12).await.unwrap().id;
        let filters = FileFilters { ids: Some(vec![id.0]), ..FileFilters::default() };
        assert_eq!(store.admin().delete_files(customer.id, &filters, true, false).await.unwrap(), 1);
        let file = store.admin().file(customer.id, id).await.unwrap();
        assert!(file.content_deleted && file.html_bytes == 0);
        assert!(store.admin().file_content(crate::testing::FIRST, id).await.unwrap().is_empty());
        store.admin().request_resync(customer.id, id, "r").await.unwrap();
        store.sync_articles(connection, vec![article(12, "Beta", 5)]).await;
        let file = store.admin().file(customer.id, id).await.unwrap();
        assert!(!file.content_deleted && file.status == FileStatus::Ready);
        assert_eq!(store.admin().file_content(crate::testing::FIRST, id).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn deleting_without_a_filter_deletes_everything_of_that_customer_only() {
    for store in stores().await {
        let (customer, _) = filled(&store).await;
        let other = store.admin().customer(customer.organization, "cust-2").await.unwrap();
        let connection = store.connect(&other, "acme").await;
        store.sync_articles(connection, vec![article(11, "Kept", 5)]).await;
        assert_eq!(
            store.admin().delete_files(customer.id, &FileFilters::default(), false, false).await.unwrap(),
            3
        );
        assert!(names(&store, &customer, FileFilters::default()).await.is_empty());
        assert_eq!(names(&store, &other, FileFilters::default()).await, ["Kept"]);
        let left: i64 = sqlx::query_scalar("select count(*) from translation")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(left, 1);
    }
}

#[tokio::test]
async fn a_files_path_leads_down_from_its_category_and_a_circle_ends() {
    for store in stores().await {
        let (customer, connection) = filled(&store).await;
        let item = |kind, external_id, parent, name: &str| NewItem {
            category: None,
            kind,
            external_id,
            parent,
            name: name.to_owned(),
            external_url: None,
        };
        let (category, section) = (ItemKind::Category, ItemKind::Section);
        let items = vec![
            item(category, 1, None, "Help"),
            item(section, 10, Some((category, 1)), "Accounts"),
            item(section, 20, Some((section, 10)), "Passwords"),
            item(section, 30, Some((section, 31)), "Chicken"),
            item(section, 31, Some((section, 30)), "Egg"),
        ];
        let request = RunRequest {
            connection,
            kind: Some(RunKind::Resync),
            trigger: helpsync_model::Trigger::Request,
            lane: helpsync_model::Lane::OnDemand,
            request_id: String::new(),
            upload_id: String::new(),
            params: RunParams::default(),
        };
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let started = store.start(run).await;
        store.sync().store_page(&started, &PageWrite { items, ..PageWrite::default() }).await.unwrap();
        let mut file = by_article(&store, &customer, 12).await.unwrap();
        assert_eq!(store.admin().path(&file).await.unwrap(), ["Help", "Accounts", "Passwords"]);
        file.section_id = Some(99);
        assert!(store.admin().path(&file).await.unwrap().is_empty());
        file.section_id = Some(30);
        assert_eq!(store.admin().path(&file).await.unwrap(), ["Egg", "Chicken"], "each is named once");
    }
}

#[tokio::test]
async fn a_reader_finds_what_everybody_or_his_segments_may_read() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let of = |id, segments: &[i64]| IncomingArticle {
            user_segment_id: segments.first().copied(),
            user_segment_ids: segments.to_vec(),
            ..article(id, &format!("For {segments:?}"), 5)
        };
        let older = IncomingArticle { user_segment_ids: Vec::new(), ..of(4, &[7]) };
        store.sync_articles(connection, vec![of(1, &[]), of(2, &[7]), of(3, &[8, 9]), older]).await;
        for (segments, right) in [
            (vec![], vec![1]),
            (vec![7], vec![1, 2, 4]),
            (vec![9], vec![1, 3]),
            (vec![7, 8], vec![1, 2, 3, 4]),
            (vec![70], vec![1]),
        ] {
            let viewer = Viewer { segments };
            let tags =
                Some(TagFilter::Is { key: "x".to_owned(), values: vec!["y".to_owned()], negate: true });
            for tags in [None, tags] {
                let filters = FileFilters { viewer: Some(viewer.clone()), tags, ..FileFilters::default() };
                let (found, count) = store.admin().files(&query(&customer, filters)).await.unwrap();
                let found: Vec<i64> = found.iter().map(|file| file.article_id).collect();
                assert_eq!(found, right, "{viewer:?} on {}", store.url());
                assert_eq!(usize::try_from(count).unwrap(), right.len());
            }
            let all = store.admin().files(&query(&customer, FileFilters::default())).await.unwrap().0;
            let mine =
                all.iter().filter(|file| viewer.may_read(&file.user_segment_ids)).map(|file| file.article_id);
            assert_eq!(mine.collect::<Vec<_>>(), right, "one by one");
        }
    }
}
