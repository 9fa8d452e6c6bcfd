//! Syncing: everything, what changed, one article.

use helpsync_model::{FileStatus, Lane, RunKind, RunParams, Trigger};
use helpsync_store::testing::overwrite_markdown;
use helpsync_store::{FileFilters, FileOrder, FileQuery, RunRequest};
use reqwest::Method;
use serde_json::json;
use zendesk_sim::{BodyProfile, Change, GenerateOptions};

use crate::app::{Shape, TestApp, until};
use crate::copy::assert_equal;

const CUSTOMER: &str = "ada";

fn small(articles: usize) -> GenerateOptions {
    GenerateOptions { articles, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

/// The issue's own measure: 5,000 articles, 500 random mutations, equal id by id and hash by hash.
async fn full_then_delta_gives_an_exact_copy(shape: Shape) {
    let app = TestApp::of(shape).await;
    let account = app.account("acme", small(5_000));
    let full = app.connect(CUSTOMER, "acme").await;
    assert_eq!(full.kind, RunKind::Full);
    assert_equal(&app, &account, CUSTOMER).await;

    account.apply_random(500, 11);
    let delta = app.sync(CUSTOMER, "acme").await;
    assert_eq!(delta.kind, RunKind::Delta);
    assert_equal(&app, &account, CUSTOMER).await;

    account.clear_requests();
    let quiet = app.sync(CUSTOMER, "acme").await;
    let counters = &quiet.counters;
    assert_eq!((counters.created, counters.updated, counters.removed), (0, 0, 0));
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_then_delta_gives_an_exact_copy_embedded() {
    full_then_delta_gives_an_exact_copy(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_then_delta_gives_an_exact_copy_on_services() {
    full_then_delta_gives_an_exact_copy(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_are_never_stored_and_appear_once_published() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(30));
    let made = |draft| Change::Create {
        section_id: None,
        title: "Not yet".to_owned(),
        body: "<p>soon</p>".to_owned(),
        draft,
    };
    let id = account.apply(made(true)).unwrap().article;
    app.connect(CUSTOMER, "acme").await;
    assert!(!crate::copy::ours(&app, CUSTOMER).await.contains_key(&id));

    account.apply(Change::Publish { id, locale: None }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert!(crate::copy::ours(&app, CUSTOMER).await.contains_key(&id));

    account.apply(Change::Unpublish { id, locale: None }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert!(!crate::copy::ours(&app, CUSTOMER).await.contains_key(&id));
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_article_is_fetched_anew_on_request() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(20));
    app.connect(CUSTOMER, "acme").await;
    let parts = app.parts();
    let customer = parts.store.admin().customer(parts.organization, CUSTOMER).await.unwrap();
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 1,
        offset: 0,
    };
    let file = parts.store.admin().files(&query).await.unwrap().0.remove(0);
    let change = Change::Edit {
        id: file.article_id,
        title: Some("Fresh".to_owned()),
        body: Some("<p>new</p>".to_owned()),
    };
    account.apply(change).unwrap();
    let answer = app.post("/resync_file", CUSTOMER, json!({ "file_id": file.id.0 })).await;
    assert_eq!(answer["sync_status"], "QUEUED_FOR_SYNC");
    let fresh = until("the file to be fetched", async || {
        let now = parts.store.admin().file(customer.id, file.id).await.unwrap();
        (now.status == FileStatus::Ready && now.name == "Fresh").then_some(now)
    })
    .await;
    assert_ne!(fresh.content_hash, file.content_hash);

    let (status, read) =
        app.call(Method::GET, &format!("/helpsync/v1/files/{}", file.id.0), CUSTOMER, None).await;
    assert!(status.is_success(), "{read}");
    assert!(read.to_string().contains("<p>new</p>"), "{read}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_of_one_workspace_have_a_copy_each() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(40));
    app.connect("ada", "acme").await;
    app.connect("bob", "acme").await;
    assert_equal(&app, &account, "ada").await;
    assert_equal(&app, &account, "bob").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_user_grant_walks_the_list_and_stores_what_it_may_see() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(250));
    account.update_settings(|settings| settings.grant_as = zendesk_sim::Role::EndUser);
    let run = app.connect(CUSTOMER, "acme").await;
    assert!(run.counters.requests > 0);
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_that_has_not_changed_is_converted_again_by_another_converter_only() {
    let app = TestApp::embedded().await;
    let _account = app.account("acme", small(150));
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let store = &app.parts().store;
    let customer = store.admin().customer(app.parts().organization, CUSTOMER).await.unwrap().id;
    let query = FileQuery {
        customer,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 500,
        offset: 0,
    };
    let (files, _) = store.admin().files(&query).await.unwrap();
    let marked = async || {
        let mut marked = 0;
        for file in &files {
            let texts = store.admin().file_content(file.organization, file.id).await.unwrap();
            marked += usize::from(texts.iter().all(|text| text.markdown == "mine"));
        }
        marked
    };
    for (converter, left) in [(None, files.len()), (Some(0), 0)] {
        overwrite_markdown(store, "mine", converter).await;
        let request = RunRequest {
            connection,
            kind: Some(RunKind::Full),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "again".to_owned(),
            upload_id: "again".to_owned(),
            params: RunParams::default(),
        };
        let run = app.run(request).await;
        assert_eq!((run.counters.created, run.counters.updated), (0, 0), "{run:?}");
        assert_eq!(marked().await, left, "the converter was {converter:?}");
    }
}
