//! On whose behalf files are read: only what everybody or his segments may read is answered, wherever it is asked for.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{BodyProfile, Change, GenerateOptions};

use crate::app::{API_KEY, TestApp, until};
use crate::copy::ours;

const CUSTOMER: &str = "ada";
const HEADER: &str = "helpsync-viewer-segments";

async fn call(
    app: &TestApp,
    method: Method,
    path: &str,
    viewer: &str,
    body: Option<Value>,
) -> (StatusCode, String) {
    let mut request = app.http.request(method, app.url(path)).bearer_auth(API_KEY);
    request = request.header("customer-id", CUSTOMER).header(HEADER, viewer);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

async fn listed(app: &TestApp, viewer: &str) -> BTreeSet<i64> {
    let body = json!({ "pagination": { "limit": 1000 } });
    let (status, text) = call(app, Method::POST, "/user_files_v2", viewer, Some(body)).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let results = answer["results"].as_array().unwrap();
    assert_eq!(answer["count"], json!(results.len()));
    results.iter().map(|file| file["external_file_id"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_path_obeys_the_readers_segments() {
    let app = TestApp::embedded().await;
    let generate = GenerateOptions {
        articles: 60,
        restricted_fraction: 0.5,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    let truth = account.truth();
    let public: BTreeSet<i64> =
        truth.iter().filter(|one| one.user_segment_id.is_none()).map(|one| one.id).collect();
    let secret = truth.iter().find(|one| one.user_segment_id.is_some()).unwrap();
    let segment = secret.user_segment_id.unwrap();
    let mine: BTreeSet<i64> = truth
        .iter()
        .filter(|one| one.user_segment_id.is_none_or(|id| id == segment))
        .map(|one| one.id)
        .collect();
    assert!(public.len() < mine.len());

    let member = segment.to_string();
    assert_eq!(listed(&app, "").await, public, "a stranger");
    assert_eq!(listed(&app, &member).await, mine, "a member");
    assert_eq!(crate::copy::ours(&app, CUSTOMER).await.len(), truth.len(), "without a reader all are found");

    let filters =
        json!({ "filters": { "external_file_ids": [secret.id.to_string()] }, "include_raw_file": true });
    let (_, text) = call(&app, Method::POST, "/user_files_v2", &member, Some(filters.clone())).await;
    let file: Value = serde_json::from_str::<Value>(&text).unwrap()["results"][0].clone();
    let id = file["id"].as_i64().unwrap();
    for path in [format!("/helpsync/v1/files/{id}"), format!("/raw_file/{id}"), format!("/parsed_file/{id}")]
    {
        assert_eq!(call(&app, Method::GET, &path, &member, None).await.0, StatusCode::OK, "{path}");
        assert_eq!(call(&app, Method::GET, &path, "", None).await.0, StatusCode::NOT_FOUND, "{path}");
        let (status, text) = call(&app, Method::GET, &path, "everybody", None).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
        assert!(text.contains(HEADER), "{text}");
    }
    // What is cut from an article is read like the article.
    let cut = async |viewer: &str| {
        let chunks = json!({ "filters": { "ids": [id] } });
        let (_, text) = call(&app, Method::POST, "/list_chunks_and_embeddings", viewer, Some(chunks)).await;
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let chunk = until("the article to be cut", async || {
        cut(&member).await["results"].get(0).map(|chunk| chunk["source_content"].clone())
    })
    .await;
    assert_eq!(cut("").await["count"], 0);
    let of_one = json!({ "filters": { "user_file_id": id } });
    assert_eq!(call(&app, Method::POST, "/text_chunks", "", Some(of_one)).await.0, StatusCode::NOT_FOUND);
    let words: Vec<&str> = chunk.as_str().unwrap().split_whitespace().take(5).collect();
    for (viewer, right) in [("", false), (member.as_str(), true)] {
        let wanted = json!({ "query": words.join(" "), "k": 100, "include_raw_file": true });
        let (_, text) = call(&app, Method::POST, "/embeddings", viewer, Some(wanted)).await;
        let found: Value = serde_json::from_str(&text).unwrap();
        let found = found["documents"].as_array().unwrap();
        assert_eq!(found.iter().any(|one| one["file_id"] == json!(id)), right, "{text}");
    }

    let source = app.post("/user_data_sources", CUSTOMER, json!({})).await["results"][0]["id"].clone();
    for (viewer, right) in [("", &public), (member.as_str(), &mine)] {
        let tree = json!({ "data_source_id": source, "filters": { "item_types": ["ARTICLE"] },
            "pagination": { "limit": 250 } });
        let (_, text) = call(&app, Method::POST, "/integrations/items/list", viewer, Some(tree)).await;
        let items = serde_json::from_str::<Value>(&text).unwrap();
        let ids: BTreeSet<i64> = items["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["external_id"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(&ids, right, "{text}");
        let (_, text) = call(&app, Method::GET, "/helpsync/v1/export", viewer, None).await;
        let ids: BTreeSet<i64> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .map(|line| line["external_file_id"].as_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(&ids, right);
    }

    // A URL that was made for a reader is good for as long as he may read.
    let made_for_member = file["presigned_url"].as_str().unwrap().to_owned();
    let (_, all) = app.call(Method::POST, "/user_files_v2", CUSTOMER, Some(filters)).await;
    let made_for_all = all["results"][0]["presigned_url"].as_str().unwrap().to_owned();
    let open = |url: String| async { app.http.get(url).send().await.unwrap().status() };
    assert_eq!(open(app.url(path_of(&made_for_member)).into()).await, StatusCode::OK);
    account.apply(Change::Restrict { id: secret.id }).unwrap();
    // The grant's user sees no article of that segment: it goes as a whole. Another one is moved between segments.
    app.sync(CUSTOMER, "acme").await;
    assert_eq!(open(app.url(path_of(&made_for_all)).into()).await, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_made_for_a_stranger_ends_when_its_article_is_restricted() {
    let app = TestApp::embedded().await;
    let generate = GenerateOptions {
        articles: 10,
        restricted_fraction: 0.0,
        draft_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    let wanted = json!({ "include_raw_file": true, "pagination": { "limit": 1 } });
    let (_, text) = call(&app, Method::POST, "/user_files_v2", "", Some(wanted)).await;
    let file = serde_json::from_str::<Value>(&text).unwrap()["results"][0].clone();
    let url = app.url(path_of(file["presigned_url"].as_str().unwrap()));
    let (_, all) = app.call(Method::GET, &format!("/raw_file/{}", file["id"]), CUSTOMER, None).await;
    let unbound = app.url(path_of(all["presigned_url"].as_str().unwrap()));
    assert_eq!(app.http.get(url.clone()).send().await.unwrap().status(), StatusCode::OK);

    let id = file["external_file_id"].as_str().unwrap().parse().unwrap();
    account.apply(Change::RestrictToStaff { id }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert_eq!(app.http.get(url).send().await.unwrap().status(), StatusCode::NOT_FOUND);
    assert_eq!(app.http.get(unbound).send().await.unwrap().status(), StatusCode::OK, "made for no reader");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_readers_are_required_a_token_of_nobody_neither_sees_nor_changes_what_is_restricted() {
    let app = TestApp::embedded().await;
    let generate = GenerateOptions {
        articles: 30,
        restricted_fraction: 0.4,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    let truth = account.truth();
    let secret = truth.iter().find(|one| one.user_segment_id.is_some()).unwrap();
    let public = truth.iter().filter(|one| one.user_segment_id.is_none()).count();
    let filters = json!({ "filters": { "external_file_ids": [secret.id.to_string()] } });
    let found = app.post("/user_files_v2", CUSTOMER, filters).await;
    let id = found["results"][0]["id"].as_i64().unwrap();
    let made_before = app.call(Method::GET, &format!("/raw_file/{id}"), CUSTOMER, None).await.1;
    let made_before = app.url(path_of(made_before["presigned_url"].as_str().unwrap()));
    let open = async || app.http.get(made_before.clone()).send().await.unwrap().status();
    assert_eq!(open().await, StatusCode::OK);
    let require = async |required: bool| {
        let body = json!({ "viewer_segments_required": required });
        let (status, told) = app.call(Method::PUT, "/helpsync/v1/readers", CUSTOMER, Some(body)).await;
        assert_eq!(status, StatusCode::OK, "{told}");
    };
    require(true).await;
    assert_eq!(open().await, StatusCode::NOT_FOUND, "it was made for nobody");

    let token = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await.1;
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let asked = async |method: Method, path: &str, body: Option<Value>| {
        let request = app.http.request(method, app.url(path)).header("authorization", &token);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    let (status, shown) = asked(Method::GET, "/integrations", None).await;
    assert_eq!(status, StatusCode::OK, "{shown}");
    let files = shown["active_integrations"][0]["synced_files"].as_array().unwrap();
    assert_eq!(files.len(), public, "of what everybody may read");

    let chunks = json!({ "embedding_model": "OPENAI", "chunks_only": true, "overwrite_existing": true,
        "chunks_and_embeddings": [{ "file_id": id, "chunks_and_embeddings": [{ "chunk_number": 1, "chunk": "mine" }] }] });
    assert_eq!(
        asked(Method::POST, "/upload_chunks_and_embeddings", Some(chunks)).await.0,
        StatusCode::NOT_FOUND
    );
    assert_eq!(asked(Method::DELETE, &format!("/deletefile/{id}"), None).await.0, StatusCode::NOT_FOUND);
    for (path, body) in [
        ("/delete_files", json!({ "file_ids": [id] })),
        ("/delete_files_v2", json!({ "filters": { "ids": [id] } })),
        ("/delete_files_v2", json!({})),
    ] {
        assert_eq!(asked(Method::POST, path, Some(body)).await.0, StatusCode::OK, "{path}");
    }
    require(false).await;
    assert_eq!(ours(&app, CUSTOMER).await.len(), truth.len() - public, "none of what is restricted is gone");
    // The organization's own key deletes all of it.
    require(true).await;
    app.post("/delete_files_v2", CUSTOMER, json!({})).await;
    require(false).await;
    assert_eq!(ours(&app, CUSTOMER).await.len(), 0);
}

/// The part of a presigned URL behind the public address.
fn path_of(url: &str) -> &str {
    &url[url.find("/presigned_file").unwrap()..]
}
