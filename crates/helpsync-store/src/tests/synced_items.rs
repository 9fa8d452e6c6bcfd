//! Listing without syncing, choosing from the tree, records without content.

use helpsync_model::{ConnectionId, FileStatus, Lane, OrganizationId, RunKind, RunParams, Trigger};
use serde_json::{Value, json};

use crate::db::sql;
use crate::testing::{TestStore, article, grant, stores};
use crate::{
    Customer, Entity, File, FileFilters, FileOrder, FileQuery, GrantOutcome, IncomingArticle, Item, ItemKind,
    ItemOrder, ItemQuery, ItemsRequest, ItemsRequested, NewItem, PageWrite, ResyncRequested, RunRequest,
    ShardEnd, StoreError, Viewer,
};

pub(super) async fn connected(store: &TestStore, options: Value) -> (Customer, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let mut grant = grant(&customer, "acme");
    grant.sync_options = options;
    let GrantOutcome::Connected { connection, .. } = store.admin().complete_grant(&grant).await.unwrap()
    else {
        panic!("refused")
    };
    (customer, connection)
}

fn folder(kind: ItemKind, id: i64, parent: Option<(ItemKind, i64)>, name: &str) -> NewItem {
    NewItem { kind, external_id: id, parent, category: None, name: name.to_owned(), external_url: None }
}

/// A whole sync that brings a tree and its articles: Handbook > (Start > (Deep), End).
async fn listing(store: &TestStore, connection: ConnectionId, articles: Vec<IncomingArticle>) {
    let request = RunRequest {
        connection,
        kind: None,
        trigger: Trigger::Connect,
        lane: Lane::OnDemand,
        request_id: "request-0".to_owned(),
        upload_id: "upload-0".to_owned(),
        params: RunParams::default(),
    };
    let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
    let started = store.start(run).await;
    let items = vec![
        folder(ItemKind::Category, 1, None, "Handbook"),
        folder(ItemKind::Section, 20, Some((ItemKind::Category, 1)), "Start"),
        folder(ItemKind::Section, 21, Some((ItemKind::Section, 20)), "Deep"),
        folder(ItemKind::Section, 22, Some((ItemKind::Category, 1)), "End"),
    ];
    store.sync().store_page(&started, &PageWrite { articles, items, ..PageWrite::default() }).await.unwrap();
    store.queue().end_shard(&started.fence, &ShardEnd::Failed("only so far".to_owned())).await.unwrap();
    let last = store.start(run).await;
    store.sync().finalize_run(&last).await.unwrap();
}

fn in_section(id: i64, name: &str, section: i64) -> IncomingArticle {
    IncomingArticle { section_id: Some(section), ..article(id, name, 5) }
}

fn tree() -> Vec<IncomingArticle> {
    vec![in_section(101, "Alpha", 20), in_section(102, "Beta", 21), in_section(103, "Gamma", 22)]
}

fn all(connection: ConnectionId) -> ItemQuery {
    ItemQuery {
        organization: crate::testing::FIRST,
        connection,
        parent: None,
        roots_only: false,
        ids: None,
        name: None,
        kinds: None,
        starting_id: 0,
        order: ItemOrder::Name,
        descending: false,
        limit: 100,
        offset: 0,
        viewer: None,
    }
}

async fn named(store: &TestStore, query: &ItemQuery) -> Vec<String> {
    let (items, count) = store.admin().items(query).await.unwrap();
    assert!(items.len() as i64 == count || query.limit < 100);
    items.into_iter().map(|item| item.name).collect()
}

async fn files(store: &TestStore, customer: &Customer) -> Vec<File> {
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Name,
        descending: false,
        limit: 100,
        offset: 0,
    };
    store.admin().files(&query).await.unwrap().0
}

fn request(
    organization: OrganizationId,
    customer: &Customer,
    connection: ConnectionId,
    ids: &[i64],
) -> ItemsRequest {
    ItemsRequest {
        organization,
        customer: customer.id,
        connection,
        ids: ids.to_vec(),
        only_new: false,
        articles_max: 10,
        request_id: "request-1".to_owned(),
        upload_id: "upload-1".to_owned(),
        options: json!({ "tags": { "requested": "yes" } }),
    }
}

#[tokio::test]
async fn the_tree_shows_a_reader_only_what_he_may_read_chosen_or_not() {
    for store in stores().await {
        let (customer, connection) = connected(&store, json!({ "sync_files_on_connection": false })).await;
        let mut articles = tree();
        (articles[0].user_segment_id, articles[0].user_segment_ids) = (Some(7), vec![7, 8]);
        listing(&store, connection, articles.clone()).await;
        let seen = async |segments: &[i64]| {
            let viewer = Some(Viewer { segments: segments.to_vec() });
            let articles = Some(vec!["ARTICLE".to_owned()]);
            named(&store, &ItemQuery { viewer, kinds: articles, ..all(connection) }).await
        };
        assert_eq!(seen(&[]).await, ["Beta", "Gamma"]);
        assert_eq!(seen(&[9]).await, ["Beta", "Gamma"]);
        assert_eq!(seen(&[9, 8]).await, ["Alpha", "Beta", "Gamma"]);
        let folders = ItemQuery { viewer: Some(Viewer::default()), ..all(connection) };
        assert_eq!(named(&store, &folders).await, ["Beta", "Deep", "End", "Gamma", "Handbook", "Start"]);

        let organization = customer.organization;
        store.admin().request_items(&request(organization, &customer, connection, &[101])).await.unwrap();
        let run = store.admin().runs(organization, Some(connection), 1).await.unwrap().remove(0);
        let started = store.start(run.id).await;
        articles.truncate(1);
        store.sync().store_page(&started, &PageWrite { articles, ..PageWrite::default() }).await.unwrap();
        assert_eq!(files(&store, &customer).await.len(), 1);
        assert_eq!(seen(&[]).await, ["Beta", "Gamma"]);
        assert_eq!(seen(&[7]).await, ["Alpha", "Beta", "Gamma"]);

        // Rows of an earlier version do not say who may read them.
        sqlx::query("update unsynced_article set user_segment_ids = null")
            .execute(&store.pool)
            .await
            .unwrap();
        assert!(seen(&[]).await.is_empty());
    }
}

#[tokio::test]
async fn a_connection_without_files_lists_its_tree_and_syncs_what_is_chosen() {
    for store in stores().await {
        let (customer, connection) = connected(&store, json!({ "sync_files_on_connection": false })).await;
        listing(&store, connection, tree()).await;
        assert!(files(&store, &customer).await.is_empty());
        let everything = all(connection);
        assert_eq!(
            named(&store, &everything).await,
            ["Alpha", "Beta", "Deep", "End", "Gamma", "Handbook", "Start"]
        );
        let below = |id| ItemQuery { parent: Some(id), ..all(connection) };
        assert_eq!(named(&store, &ItemQuery { roots_only: true, ..all(connection) }).await, ["Handbook"]);
        // What stands where nobody knows, whether it is a file or listed alone, or nowhere, is at the top.
        for section in ["999", "null"] {
            let statement =
                format!("update unsynced_article set section_id = {section} where article_id = 101");
            sqlx::query(sql(statement)).execute(&store.pool).await.unwrap();
            let roots = named(&store, &ItemQuery { roots_only: true, ..all(connection) }).await;
            assert_eq!(roots, ["Alpha", "Handbook"], "{section}");
        }
        sqlx::query("update unsynced_article set section_id = 20 where article_id = 101")
            .execute(&store.pool)
            .await
            .unwrap();
        assert_eq!(named(&store, &below(1)).await, ["End", "Start"]);
        let folders_first = ItemQuery { order: ItemOrder::FoldersFirst, ..below(20) };
        assert_eq!(named(&store, &folders_first).await, ["Deep", "Alpha"]);
        let by_name = ItemQuery { name: Some("ALPH".to_owned()), ..all(connection) };
        assert_eq!(named(&store, &by_name).await, ["Alpha"]);
        let kinds = ItemQuery { kinds: Some(vec!["CATEGORY".to_owned()]), ..all(connection) };
        assert_eq!(named(&store, &kinds).await, ["Handbook"]);
        let paged =
            ItemQuery { order: ItemOrder::Id, descending: true, limit: 2, offset: 1, ..all(connection) };
        assert_eq!(named(&store, &paged).await, ["Beta", "Alpha"]);
        let (items, _) =
            store.admin().items(&ItemQuery { ids: Some(vec![102]), ..all(connection) }).await.unwrap();
        let [Item { parent: Some(21), root: Some(1), file: None, .. }] = items.as_slice() else {
            panic!("{items:?}")
        };

        let organization = customer.organization;
        let outcome = store
            .admin()
            .request_items(&request(organization, &customer, connection, &[20, 20, 101]))
            .await
            .unwrap();
        assert_eq!(outcome, ItemsRequested::Queued(2));
        let run = store.admin().runs(organization, Some(connection), 1).await.unwrap().remove(0);
        let started = store.start(run.id).await;
        let fetched = PageWrite { articles: tree().into_iter().take(2).collect(), ..PageWrite::default() };
        store.sync().store_page(&started, &fetched).await.unwrap();
        let synced = files(&store, &customer).await;
        let shown: Vec<(&str, &Value, &str)> =
            synced.iter().map(|file| (file.name.as_str(), &file.tags, file.upload_id.as_str())).collect();
        let tags = json!({ "requested": "yes" });
        assert_eq!(shown, [("Alpha", &tags, "upload-1"), ("Beta", &tags, "upload-1")]);
        assert_eq!(named(&store, &everything).await.len(), 7, "a file stands for its article");
        sqlx::query("update file set section_id = 999 where article_id = 101")
            .execute(&store.pool)
            .await
            .unwrap();
        let roots = named(&store, &ItemQuery { roots_only: true, ..all(connection) }).await;
        assert_eq!(roots, ["Alpha", "Handbook"]);
        sqlx::query("update file set section_id = 20 where article_id = 101")
            .execute(&store.pool)
            .await
            .unwrap();
        let (items, _) =
            store.admin().items(&ItemQuery { ids: Some(vec![102]), ..all(connection) }).await.unwrap();
        assert_eq!(items[0].file, Some(synced[1].id.0));

        let new = ItemsRequest { only_new: true, ..request(organization, &customer, connection, &[1]) };
        assert_eq!(store.admin().request_items(&new).await.unwrap(), ItemsRequested::Queued(1));
        let many = ItemsRequest { articles_max: 2, ..request(organization, &customer, connection, &[1]) };
        assert_eq!(store.admin().request_items(&many).await.unwrap(), ItemsRequested::TooMany(3));
        store.admin().disconnect(organization, connection).await.unwrap();
        let refused = store.admin().request_items(&new).await;
        assert!(matches!(refused, Err(StoreError::NotFound(Entity::ActiveConnection))));
    }
}

#[tokio::test]
async fn a_deleted_file_can_be_chosen_again() {
    for store in stores().await {
        let (customer, connection) = connected(&store, json!({})).await;
        listing(&store, connection, tree()).await;
        assert_eq!(
            store.admin().delete_files(customer.id, &FileFilters::default(), false, false).await.unwrap(),
            3
        );
        assert_eq!(named(&store, &all(connection)).await.len(), 7);
    }
}

#[tokio::test]
async fn tags_and_ids_of_a_grant_are_on_the_files_that_its_sync_creates_and_on_no_others() {
    for store in stores().await {
        let options = json!({ "tags": { "team": "support" }, "chunk_size": 300 });
        let (customer, connection) = connected(&store, options).await;
        listing(&store, connection, tree()).await;
        let file = files(&store, &customer).await.remove(0);
        assert_eq!(file.tags, json!({ "team": "support" }));
        assert_eq!(file.sync_options, json!({ "chunk_size": 300 }));
        assert_eq!((file.request_id.as_str(), file.upload_id.as_str()), ("request-0", "upload-0"));
        store.admin().change_file_tags(customer.id, file.id, &crate::TagChange::Clear).await.unwrap();
        store.sync_articles(connection, vec![in_section(101, "Alpha 2", 20)]).await;
        let file = files(&store, &customer).await.remove(0);
        assert_eq!((file.name.as_str(), &file.tags), ("Alpha 2", &json!({})));
    }
}

#[tokio::test]
async fn a_record_has_no_content_until_it_is_fetched() {
    for store in stores().await {
        let (customer, connection) =
            connected(&store, json!({ "file_sync_config": { "skip_file_processing": true } })).await;
        for _ in 0..2 {
            listing(&store, connection, tree()).await;
            let all = files(&store, &customer).await;
            assert!(
                all.len() == 3 && all.iter().all(|file| file.status == FileStatus::ReadyToSync),
                "{all:?}"
            );
            assert!(store.admin().file_content(crate::testing::FIRST, all[0].id).await.unwrap().is_empty());
        }
        let file = files(&store, &customer).await.remove(0);
        let queued = store.admin().request_resync(customer.id, file.id, "r").await.unwrap();
        assert!(matches!(queued, ResyncRequested::Queued(_)));
        let run = store.admin().runs(customer.organization, Some(connection), 1).await.unwrap().remove(0);
        assert_eq!(run.kind, RunKind::Resync);
        let started = store.start(run.id).await;
        assert_eq!(store.admin().file(customer.id, file.id).await.unwrap().status, FileStatus::Syncing);
        store
            .sync()
            .store_page(
                &started,
                &PageWrite { articles: tree().into_iter().take(1).collect(), ..PageWrite::default() },
            )
            .await
            .unwrap();
        assert_eq!(store.admin().file(customer.id, file.id).await.unwrap().status, FileStatus::Ready);
        assert_eq!(store.admin().file_content(crate::testing::FIRST, file.id).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_cancelled_fetch_leaves_the_file_as_it_was() {
    for store in stores().await {
        let (customer, connection) = connected(&store, json!({})).await;
        listing(&store, connection, tree()).await;
        let file = files(&store, &customer).await.remove(0);
        store.admin().request_resync(customer.id, file.id, "r").await.unwrap();
        store.admin().cancel_runs(crate::testing::FIRST, connection).await.unwrap();
        assert_eq!(store.admin().file(customer.id, file.id).await.unwrap().status, FileStatus::Ready);
    }
}
