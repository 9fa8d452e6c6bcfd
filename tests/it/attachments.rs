//! What hangs on articles: fetched behind them, kept once, served by URL, gone with them.

use std::collections::BTreeMap;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Change, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp, real_time, until};

const CUSTOMER: &str = "ada";
const BYTES_MAX: usize = 400_000;

/// What is kept, by article and attachment: its bytes, or why there are none.
async fn kept(app: &TestApp) -> BTreeMap<(i64, i64), Result<Vec<u8>, String>> {
    let request = app.http.request(Method::GET, app.url("/helpsync/v1/export"));
    let request = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER);
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

fn truth(account: &Account) -> BTreeMap<(i64, i64), Vec<u8>> {
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
