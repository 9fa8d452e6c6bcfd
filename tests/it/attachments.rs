//! What hangs on articles: fetched behind them, kept once, served by URL, gone with them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp, real_time, until};

const CUSTOMER: &str = "ada";
const BYTES_MAX: usize = 400_000;

/// What is kept, by article and attachment: its bytes, or why there are none.
async fn kept(app: &TestApp) -> BTreeMap<(i64, i64), Result<Vec<u8>, String>> {
    kept_of(app, CUSTOMER).await
}

pub(crate) async fn kept_of(app: &TestApp, customer: &str) -> BTreeMap<(i64, i64), Result<Vec<u8>, String>> {
    let request = app.http.request(Method::GET, app.url("/helpsync/v1/export"));
    let request = request.bearer_auth(API_KEY).header("customer-id", customer);
    let text = request.send().await.unwrap().text().await.unwrap();
    let mut kept = BTreeMap::new();
    for line in text.lines() {
        let file: Value = serde_json::from_str(line).unwrap();
        let article: i64 = file["external_file_id"].as_str().unwrap().parse().unwrap();
        for one in file["attachments"].as_array().unwrap() {
            let held = match one["url"].as_str() {
                None => Err(one["skipped_reason"].as_str().unwrap().to_owned()),
                Some(url) => {
                    let path = &url[url.find("/presigned_attachment").unwrap()..];
                    let answer = app.http.get(app.url(path)).send().await.unwrap();
                    if answer.status() == StatusCode::NOT_FOUND {
                        // It went between the two requests.
                        continue;
                    }
                    assert_eq!(answer.status(), StatusCode::OK);
                    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
                    Ok(answer.bytes().await.unwrap().to_vec())
                }
            };
            kept.insert((article, one["id"].as_i64().unwrap()), held);
        }
    }
    kept
}

pub(crate) fn truth(account: &Account) -> BTreeMap<(i64, i64), Vec<u8>> {
    let all = account.truth().into_iter();
    all.flat_map(|article| article.attachments.into_iter().map(move |(id, bytes)| ((article.id, id), bytes)))
        .collect()
}

/// Waits until what is kept is what hangs on the articles, longer ones apart.
async fn agrees(app: &TestApp, account: &Account) {
    let right = truth(account);
    until("the attachments to be those of the help center", async || {
        let kept = kept(app).await;
        let same = kept.len() == right.len()
            && right.iter().all(|(key, bytes)| match kept.get(key) {
                Some(Ok(held)) => held == bytes,
                Some(Err(reason)) => bytes.len() > BYTES_MAX && reason.contains("attachment_bytes_max"),
                None => false,
            });
        same.then_some(())
    })
    .await;
}

async fn attachments_follow_their_articles(shape: Shape) {
    let most = BYTES_MAX.to_string();
    let extra = [("HELPSYNC_SYNC__ATTACHMENT_BYTES_MAX", most.as_str())];
    let app = TestApp::start(shape, &extra, real_time()).await;
    let generate = GenerateOptions {
        articles: 80,
        draft_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account("acme", generate);
    let ids: Vec<i64> = account.truth().iter().map(|article| article.id).collect();
    let attach = |id: i64, text: Option<String>| {
        account.apply(Change::Attach { id, text }).unwrap();
    };
    // Two of the same bytes, one over several chunks, one of the largest size, one beyond.
    attach(ids[0], Some("same".to_owned()));
    attach(ids[1], Some("same".to_owned()));
    attach(ids[2], Some("x".repeat(BYTES_MAX)));
    attach(ids[3], Some("x".repeat(BYTES_MAX + 1)));
    app.connect(CUSTOMER, "acme").await;
    assert!(kept(&app).await.is_empty(), "only where they are wanted");
    let asked = |path: &str| account.requests().iter().filter(|one| one.path.contains(path)).count();
    assert_eq!(asked("attachments"), 0);

    let wanted = Some(json!({ "attachments": true }));
    let (status, answer) = app.call(Method::PUT, "/helpsync/v1/selection", CUSTOMER, wanted).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    agrees(&app, &account).await;
    assert!(asked("/hc/article_attachments/") >= truth(&account).len() - 1);

    // Changed, taken away, gone with its article. What did not change is not fetched again.
    account.clear_requests();
    attach(ids[0], Some("other".to_owned()));
    attach(ids[2], None);
    account.apply(Change::Delete { id: ids[1] }).unwrap();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    agrees(&app, &account).await;
    assert_eq!(asked("/hc/article_attachments/"), 1);

    // Their bytes go as well, once nothing refers to them.
    let parts = app.parts();
    app.call(Method::PUT, "/helpsync/v1/selection", CUSTOMER, Some(json!({}))).await;
    assert!(kept(&app).await.is_empty());
    assert_eq!(helpsync_store::testing::blobs(&parts.store).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_follow_their_articles_embedded() {
    attachments_follow_their_articles(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_follow_their_articles_on_services() {
    attachments_follow_their_articles(Shape::Services).await;
}

/// One attachment of a text, on the first article, wanted.
pub(crate) async fn one_attached(app: &TestApp, name: &str, text: &str) -> Account {
    let generate = GenerateOptions {
        articles: 3,
        draft_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account(name, generate);
    let ids: Vec<i64> = account.truth().iter().map(|article| article.id).collect();
    for id in &ids {
        account.apply(Change::Attach { id: *id, text: None }).unwrap();
    }
    account.apply(Change::Attach { id: ids[0], text: Some(text.to_owned()) }).unwrap();
    account
}

pub(crate) async fn want(app: &TestApp, name: &str) {
    app.connect(name, name).await;
    let wanted = Some(json!({ "attachments": true }));
    let (status, answer) = app.call(Method::PUT, "/helpsync/v1/selection", name, wanted).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

/// The attachment as it is kept, once it was looked at.
pub(crate) async fn the_one(app: &TestApp, name: &str) -> Result<Vec<u8>, String> {
    until("the attachment to be looked at", async || kept_of(app, name).await.into_values().next()).await
}

/// What comes in place of the bytes for a while, and what is then said of the attachment.
async fn is_left_out_and_comes_later(app: &TestApp, name: &str, fault: Fault, says: &str) {
    let account = one_attached(app, name, "the right bytes").await;
    account.inject(FaultRule::always(fault.clone()).on("/hc/article_attachments"));
    want(app, name).await;
    let reason = the_one(app, name).await.unwrap_err();
    assert!(reason.contains(says), "{fault:?}: {reason}");
    let asked = account.requests().iter().filter(|one| one.path.contains("/hc/")).count();
    assert!(asked >= 3, "{fault:?} is asked for again: {asked}");
    // It is not known: no article changes, and the next run asks all the same.
    account.clear_faults();
    app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
    until("the bytes to come", async || {
        (the_one(app, name).await.ok()? == truth(&account).into_values().next()?).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_is_asked_for_again_then_left_out_and_fetched_by_the_next_run() {
    let app = TestApp::embedded().await;
    let status = Fault::Status { code: 500, retry_after: None, body: FaultBody::Html };
    let faults = [
        ("page", Fault::HtmlOk, "the answer is text/html, and the attachment application/pdf"),
        ("empty", Fault::EmptyBody, "0 bytes came, and it has"),
        ("short", Fault::TruncatedJson, "bytes came, and it has"),
        ("cut", Fault::TruncatedBody { after_bytes: 4 }, "the answer broke off"),
        ("broken", status, "zendesk is not available"),
    ];
    let played = faults.map(|(name, fault, says)| is_left_out_and_comes_later(&app, name, fault, says));
    futures::future::join_all(played).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_once_is_fetched_in_the_same_run() {
    let app = TestApp::embedded().await;
    for (name, fault) in [("page", Fault::HtmlOk), ("empty", Fault::EmptyBody)] {
        let account = one_attached(&app, name, "the right bytes").await;
        account.inject(FaultRule::once(fault).on("/hc/article_attachments"));
        want(&app, name).await;
        assert_eq!(the_one(&app, name).await, Ok(truth(&account).into_values().next().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_path_helps_where_the_id_is_refused_and_redirects_within_the_help_center_are_followed() {
    let app = TestApp::embedded().await;
    let not_found = Fault::Status { code: 404, retry_after: None, body: FaultBody::Html };
    for (name, rule) in [
        ("path", FaultRule::once(not_found).on("/hc/article_attachments")),
        ("locale", FaultRule::always(Fault::RedirectToLocale).on("/hc/article_attachments")),
    ] {
        let account = one_attached(&app, name, "the right bytes").await;
        account.inject(rule);
        want(&app, name).await;
        assert_eq!(the_one(&app, name).await, Ok(truth(&account).into_values().next().unwrap()), "{name}");
        let asked = account.requests().into_iter().filter(|one| one.path.contains("/hc/"));
        let tokens: Vec<bool> = asked.map(|one| one.token_hash.is_some()).collect();
        assert_eq!(tokens, [true, true], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn storage_gives_the_bytes_without_seeing_the_token_and_nobody_else_is_asked() {
    let app = TestApp::embedded().await;
    let account = one_attached(&app, "acme", "the right bytes").await;
    let bytes = truth(&account).into_values().next().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (log, stored) = (Arc::clone(&seen), bytes.clone());
    let storage = axum::Router::new().fallback(move |request: axum::extract::Request| {
        log.lock().unwrap().push(request.headers().contains_key("authorization"));
        std::future::ready(([("content-type", "application/pdf")], stored.clone()))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let location = format!("http://{}/attachment/1?token=x", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, storage).await.unwrap() });
    account.inject(FaultRule::always(Fault::Redirect { location }).on("/hc/article_attachments"));
    want(&app, "acme").await;
    assert_eq!(the_one(&app, "acme").await, Ok(bytes));
    assert_eq!(*seen.lock().unwrap(), [false]);
    server.abort();

    let account = one_attached(&app, "other", "the right bytes").await;
    let location = "https://evil.example/x".to_owned();
    account.inject(FaultRule::always(Fault::Redirect { location }).on("/hc/article_attachments"));
    want(&app, "other").await;
    assert!(the_one(&app, "other").await.unwrap_err().contains("evil.example"));
}
