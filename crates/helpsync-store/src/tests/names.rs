//! Names of authors and content tags, on both databases.

use std::collections::BTreeSet;
use std::time::Duration;

use helpsync_model::{Lane, RunKind, RunParams, SelectionFilter, Trigger};
use serde_json::json;

use crate::testing::{article, stores};
use crate::{
    FileFilters, FileNames, FileOrder, FileQuery, IncomingArticle, NewAuthor, PageWrite, RunRequest,
};

#[tokio::test]
async fn names_are_kept_for_what_is_kept_and_follow_a_renaming() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let request = RunRequest {
            connection,
            kind: Some(RunKind::Full),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "request-1".to_owned(),
            upload_id: "upload-1".to_owned(),
            params: RunParams::default(),
        };
        let selection = SelectionFilter { labels: vec!["label".to_owned()], ..SelectionFilter::default() };
        store.admin().select(organization, connection, &selection, "request-0", "upload-0").await.unwrap();
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let started = store.start(run).await;
        let author = |author_id, name: &str| NewAuthor { author_id, name: name.to_owned() };
        let tagged = IncomingArticle {
            metadata: json!({ "content_tag_ids": ["01B", "01A", "01C"] }),
            ..article(1, "One", 5)
        };
        let left_out = IncomingArticle { author_id: Some(8), labels: Vec::new(), ..article(2, "Two", 5) };
        let page = PageWrite {
            articles: vec![tagged.clone(), left_out],
            authors: vec![author(7, "Ann"), author(8, "Bo"), author(9, "Cy")],
            ..PageWrite::default()
        };
        store.sync().store_page(&started, &page).await.unwrap();
        let known: i64 =
            sqlx::query_scalar("select count(*) from author").fetch_one(&store.pool).await.unwrap();
        assert_eq!(known, 1, "of nobody whose articles are not kept");

        let tags: BTreeSet<String> = ["01A", "01B", "01C"].map(str::to_owned).into();
        let asked = store.sync().unnamed_tags(connection, &tags, 0).await.unwrap();
        assert_eq!(asked.len(), 3);
        let named = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())).collect()
        };
        store.sync().name_tags(&started, &named(&[("01A", "beta"), ("01B", "api")]), &asked).await.unwrap();
        assert!(
            store.sync().unnamed_tags(connection, &tags, 0).await.unwrap().is_empty(),
            "once, named or not"
        );
        store.clock.advance(Duration::from_secs(10));
        let now = helpsync_model::Clock::now_ms(&*store.clock);
        assert_eq!(
            store.sync().unnamed_tags(connection, &tags, now).await.unwrap().len(),
            3,
            "but not for ever"
        );

        let query = FileQuery {
            customer: customer.id,
            filters: FileFilters::default(),
            starting_id: 0,
            order: FileOrder::Id,
            descending: false,
            limit: 10,
            offset: 0,
        };
        let file = store.admin().files(&query).await.unwrap().0.remove(0);
        let tag = |id: &str, name: Option<&str>| (id.to_owned(), name.map(str::to_owned));
        let right = FileNames {
            author: Some("Ann".to_owned()),
            content_tags: vec![tag("01B", Some("api")), tag("01A", Some("beta")), tag("01C", None)],
        };
        assert_eq!(store.admin().names(&file).await.unwrap(), right);

        let again =
            PageWrite { articles: vec![tagged], authors: vec![author(7, "Anna")], ..PageWrite::default() };
        store.sync().store_page(&started, &again).await.unwrap();
        assert_eq!(store.admin().names(&file).await.unwrap().author.as_deref(), Some("Anna"));

        // Nothing of hers is kept any more.
        let gone = IncomingArticle { translations: Vec::new(), ..article(1, "One", 6) };
        store.sync_articles(connection, vec![gone]).await;
        assert_eq!(store.admin().names(&file).await.unwrap().author, None);
        assert!(store.admin().delete_customer(organization, "cust-1").await.unwrap().is_some());
    }
}
