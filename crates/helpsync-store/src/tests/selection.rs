//! What a selection keeps, takes away and leaves in the ledger, on both databases.

use helpsync_model::{
    ConnectionId, EventKind, Lane, OrganizationId, RunKind, RunParams, SelectionFilter, Trigger,
};

use crate::testing::{TestStore, article, name_of, stores};
use crate::{
    Customer, FileFilters, FileOrder, FileQuery, IncomingArticle, IncomingTranslation, ItemKind, NewItem,
    PageWrite, Progress, RunRequest, StoreError, TreeLearned,
};

async fn connected(store: &TestStore) -> (OrganizationId, Customer, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    (organization, customer, connection)
}

fn section(id: i64, parent: Option<i64>, category: i64) -> NewItem {
    let parent = parent.map_or((ItemKind::Category, category), |parent| (ItemKind::Section, parent));
    NewItem {
        kind: ItemKind::Section,
        external_id: id,
        parent: Some(parent),
        category: Some(category),
        name: format!("Section {id}"),
        external_url: None,
    }
}

fn standing(id: i64, section: i64) -> IncomingArticle {
    IncomingArticle { section_id: Some(section), ..article(id, &format!("Article {id}"), 5) }
}

fn in_german(mut article: IncomingArticle) -> IncomingArticle {
    let german = IncomingTranslation { locale: "de".to_owned(), ..article.translations[0].clone() };
    article.translations.push(german);
    article
}

fn request(connection: ConnectionId) -> RunRequest {
    RunRequest {
        connection,
        kind: None,
        trigger: Trigger::Connect,
        lane: Lane::OnDemand,
        request_id: "request-3".to_owned(),
        upload_id: "upload-3".to_owned(),
        params: RunParams::default(),
    }
}

async fn ids(store: &TestStore, customer: &Customer) -> Vec<i64> {
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 100,
        offset: 0,
    };
    let mut ids: Vec<i64> =
        store.admin().files(&query).await.unwrap().0.iter().map(|file| file.article_id).collect();
    ids.sort_unstable();
    ids
}

async fn select(
    store: &TestStore,
    connection: ConnectionId,
    selection: &SelectionFilter,
) -> crate::SelectionFilterChanged {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    store.admin().select(organization, connection, selection, "request-2", "upload-2").await.unwrap()
}

async fn deleted(store: &TestStore, organization: OrganizationId) -> usize {
    let events = store.webhooks().events(organization, 0, 1_000).await.unwrap();
    events.iter().filter(|event| event.kind == EventKind::FileDeleted).count()
}

#[tokio::test]
async fn what_is_unselected_goes_at_once_and_a_full_run_brings_the_rest() {
    for store in stores().await {
        let (organization, customer, connection) = connected(&store).await;
        let secret =
            IncomingArticle { user_segment_id: Some(9), user_segment_ids: vec![9], ..standing(3, 20) };
        let other = IncomingArticle { labels: vec!["other".to_owned()], ..standing(2, 20) };
        store.sync_articles(connection, vec![standing(1, 20), other, secret]).await;
        assert_eq!(ids(&store, &customer).await, [1, 2, 3]);

        let some = SelectionFilter {
            labels: vec!["label".to_owned()],
            public_only: true,
            ..SelectionFilter::default()
        };
        let changed = select(&store, connection, &some).await;
        assert_eq!(changed.removed, 2, "{}", name_of(&store));
        assert_eq!(ids(&store, &customer).await, [1]);
        assert_eq!(deleted(&store, organization).await, 2);
        // Zendesk shows them as before.
        assert_eq!(store.sync().known_articles(connection).await.unwrap(), 3);
        let run = store.admin().run(crate::testing::FIRST, changed.run.unwrap().run).await.unwrap();
        assert_eq!(run.kind, RunKind::Full);
        assert_eq!(store.admin().selection(organization, connection).await.unwrap(), some);

        let again = select(&store, connection, &some).await;
        assert_eq!((again.run, again.removed), (None, 0), "it is so already");
        let nobody = store
            .admin()
            .select(OrganizationId(organization.0 + 1), connection, &some, "request-2", "upload-2")
            .await;
        assert!(matches!(nobody, Err(StoreError::NotFound(_))));
    }
}

#[tokio::test]
async fn a_page_is_stored_as_the_selection_of_that_moment_leaves_it() {
    for store in stores().await {
        let (organization, customer, connection) = connected(&store).await;
        let german = SelectionFilter { locales: vec!["de".to_owned()], ..SelectionFilter::default() };
        select(&store, connection, &german).await;
        let outcome =
            store.sync_articles(connection, vec![in_german(standing(1, 20)), standing(2, 20)]).await;
        assert_eq!((outcome.created, outcome.unselected, outcome.drafts), (1, 1, 0));
        assert_eq!(ids(&store, &customer).await, [1]);
        assert_eq!(store.sync().known_articles(connection).await.unwrap(), 2);

        // It loses what it was selected for.
        let outcome = store.sync_articles(connection, vec![standing(1, 20)]).await;
        assert_eq!((outcome.unselected, outcome.removed), (1, 1));
        assert!(ids(&store, &customer).await.is_empty());
        assert_eq!(deleted(&store, organization).await, 1);
    }
}

#[tokio::test]
async fn sections_that_move_take_their_articles_out_and_say_when_others_come_in() {
    for store in stores().await {
        let (organization, customer, connection) = connected(&store).await;
        let some = SelectionFilter { categories: vec![1], sections: vec![30], ..SelectionFilter::default() };
        let run = select(&store, connection, &some).await.run.unwrap().run;
        let plan = store.start(run).await;
        let tree =
            [section(10, None, 1), section(11, Some(10), 1), section(20, None, 2), section(31, Some(30), 3)];
        assert_eq!(store.sync().learn_tree(&plan, &tree).await.unwrap(), TreeLearned::default());
        let all = [(1, 10), (2, 11), (3, 20), (4, 30), (5, 31), (6, 99)];
        let articles = all.map(|(id, section)| standing(id, section)).to_vec();
        let outcome = store.sync_articles(connection, articles.clone()).await;
        assert_eq!((outcome.created, outcome.unselected), (4, 2));
        assert_eq!(ids(&store, &customer).await, [1, 2, 4, 5], "{}", name_of(&store));

        // 11 leaves for category 2.
        let tree = [section(11, None, 2)];
        let learned = store.sync().learn_tree(&plan, &tree).await.unwrap();
        assert_eq!(learned, TreeLearned { removed: 1, gained: false });
        assert_eq!(ids(&store, &customer).await, [1, 4, 5]);
        assert_eq!(deleted(&store, organization).await, 1);
        assert_eq!(store.admin().run(crate::testing::FIRST, run).await.unwrap().counters.removed, 1);

        // An answer that does not say where a section stands leaves it where it is.
        let nowhere = NewItem { parent: None, category: None, ..section(10, None, 1) };
        assert_eq!(store.sync().learn_tree(&plan, &[nowhere]).await.unwrap(), TreeLearned::default());
        assert_eq!(ids(&store, &customer).await, [1, 4, 5]);

        // One that moved below a section of another category is in that one, whether it says so or not.
        let below = NewItem { category: None, ..section(10, Some(20), 0) };
        assert_eq!(store.sync().learn_tree(&plan, &[below]).await.unwrap().removed, 1);
        assert_eq!(ids(&store, &customer).await, [4, 5]);
        assert!(store.sync().learn_tree(&plan, &[section(10, None, 1)]).await.unwrap().gained);

        // And comes back, 20 with it: nothing is here of them.
        let tree = [section(11, Some(10), 1), section(20, Some(10), 1)];
        assert!(store.sync().learn_tree(&plan, &tree).await.unwrap().gained);
        // Until everything was read, however often that is looked at.
        assert!(store.sync().learn_tree(&plan, &tree).await.unwrap().gained);
        store.sync_articles(connection, articles).await;
        assert_eq!(ids(&store, &customer).await, [1, 2, 3, 4, 5]);
        assert!(!store.sync().learn_tree(&plan, &tree).await.unwrap().gained);
        assert_eq!(store.sync().unknown_sections(connection, &[10, 99]).await.unwrap(), [99]);
    }
}

#[tokio::test]
async fn a_paused_connection_is_selected_from_as_well() {
    for store in stores().await {
        let (_, customer, connection) = connected(&store).await;
        let secret = IncomingArticle { user_segment_id: Some(9), ..standing(1, 20) };
        store.sync_articles(connection, vec![secret, standing(2, 20)]).await;
        let walk = store.admin().request_run(crate::testing::FIRST, &request(connection)).await.unwrap().run;
        let walk = store.start(walk).await;
        let progress = Some(Progress { position: None, newest: Some(1_000_000) });
        store.sync().store_page(&walk, &PageWrite { progress, ..PageWrite::default() }).await.unwrap();
        let version = store.tokens().tokens(connection).await.unwrap().unwrap().version;
        assert!(store.tokens().pause(connection, version, "revoked").await.unwrap());
        let public = SelectionFilter { public_only: true, ..SelectionFilter::default() };
        let changed = select(&store, connection, &public).await;
        assert_eq!((changed.run, changed.removed), (None, 1));
        assert_eq!(ids(&store, &customer).await, [2], "also where only the older column says so");

        store.connect(&customer, "acme").await;
        let run = store.admin().request_run(crate::testing::FIRST, &request(connection)).await.unwrap().run;
        assert_eq!(
            store.admin().run(crate::testing::FIRST, run).await.unwrap().kind,
            RunKind::Full,
            "whatever was read before"
        );
    }
}
