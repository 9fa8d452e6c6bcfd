//! NUL and halves of surrogate pairs: what Zendesk sends is stored without them, what a caller sends is refused.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{BodyProfile, Fault, FaultRule, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp};
use crate::copy::{assert_equal, ours, truth};

const CUSTOMER: &str = "ada";

/// The status of a body that is sent as it stands.
async fn post(app: &TestApp, path: &str, body: String) -> (StatusCode, String) {
    let request =
        app.http.post(app.url(path)).bearer_auth(API_KEY).header("customer-id", CUSTOMER).body(body);
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

/// Every file of the customer; an export that breaks off fails.
async fn exported(app: &TestApp) -> Vec<Value> {
    let request = app.http.request(Method::GET, app.url("/helpsync/v1/export"));
    let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn what_zendesk_sends_is_stored_without_them(shape: Shape) {
    let app = TestApp::of(shape).await;
    let generate =
        GenerateOptions { articles: 60, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account("acme", generate);
    account.inject(FaultRule::always(Fault::Nuls));
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    let files = exported(&app).await;
    assert_eq!(files.len(), account.truth().len());
    assert!(files.iter().any(|file| file["content_tags"][0]["name"].is_string()), "{}", files[0]);

    account.clear_faults();
    account.inject(FaultRule::always(Fault::LoneSurrogates));
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    let run = app.finished(app.connection(CUSTOMER, "acme").await).await;
    assert_eq!(run.counters.skipped, 0, "{run:?}");
    let held = ours(&app, CUSTOMER).await;
    assert!(held.keys().eq(truth(&account).keys()));
    let files = exported(&app).await;
    assert_eq!(files.len(), held.len());
    let name = files[0]["name"].as_str().unwrap();
    assert!(name.ends_with('\u{fffd}'), "{name}");

    account.clear_faults();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    app.finished(app.connection(CUSTOMER, "acme").await).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_zendesk_sends_is_stored_without_them_embedded() {
    what_zendesk_sends_is_stored_without_them(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_zendesk_sends_is_stored_without_them_on_services() {
    what_zendesk_sends_is_stored_without_them(Shape::Services).await;
}

async fn what_a_caller_sends_is_refused(shape: Shape) {
    let app = TestApp::of(shape).await;
    for odd in ["\\u0000", "\\ud83d", "x\\uDC00y"] {
        for (path, body) in [
            ("/user_files_v2", r#"{"filters":{"name":"@"}}"#),
            ("/user_files_v2", r#"{"filters":{"external_urls":["@"]}}"#),
            ("/user_files_v2", r#"{"filters":{"tags":{"a@":"b"}}}"#),
            ("/user_files_v2", r#"{"filters":{"tags_v2":{"OR":[{"key":"a","value":["@"]}]}}}"#),
            ("/update_users", r#"{"customer_ids":["@"],"auto_sync_enabled_sources":"ALL"}"#),
            ("/create_user_file_tags", r#"{"organization_user_file_id":1,"tags":{"a":"@"}}"#),
            ("/embeddings", r#"{"query":"@","k":1}"#),
            ("/helpsync/v1/sync", r#"{"customer_id":"@"}"#),
            ("/integrations/oauth_url", r#"{"service":"ZENDESK","zendesk_subdomain":"@"}"#),
            ("/add_webhook", r#"{"url":"https://example.com/@"}"#),
            ("/helpsync/v1/api-keys", r#"{"name":"@","scope":"read"}"#),
            ("/helpsync/v1/organizations", r#"{"name":"@"}"#),
            ("/user_files_v2", r#"{"filters":{"external_file_ids":["@"]}}"#),
            ("/user_files_v2", r#"{"filters":{"sync_error_message":"@"}}"#),
            ("/integrations/items/list", r#"{"data_source_id":1,"filters":{"name":"@"}}"#),
            ("/resync_file", r#"{"file_id":1,"unknown@":"x"}"#),
        ] {
            let (status, answer) = post(&app, path, body.replace('@', odd)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body} {odd}: {answer}");
            assert!(answer.contains("NUL"), "{answer}");
        }
    }
    for path in [
        "/helpsync/v1/export?customer_id=a%00b",
        "/helpsync/v1/data_sources/1%00/cancel",
        "/integrations/zendesk?code=%00&state=%00",
        "/integrations/zendesk/events/%00",
        "/%00",
        "/helpsync/v1/data_sources/%ED%A0%80/cancel",
        "/helpsync/v1/export?customer_id=a%FFb",
    ] {
        let (status, answer) = app.call(Method::GET, path, CUSTOMER, None).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {answer}");
        assert!(answer["detail"].is_string(), "{path}: in the envelope of every error");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_sends_is_refused_embedded() {
    what_a_caller_sends_is_refused(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_sends_is_refused_on_services() {
    what_a_caller_sends_is_refused(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_text_that_no_title_can_hold_is_refused() {
    let app = TestApp::embedded().await;
    app.account("acme", GenerateOptions { articles: 5, ..GenerateOptions::default() });
    let connection = app.connect(CUSTOMER, "acme").await.connection.0;
    let of = |part: String| {
        [
            ("/user_files_v2", json!({ "filters": { "name": part } })),
            ("/user_files_v2", json!({ "filters": { "sync_error_message": part } })),
            (
                "/integrations/items/list",
                json!({ "data_source_id": connection, "filters": { "name": part } }),
            ),
        ]
    };
    for (path, body) in of("x".repeat(1_000)) {
        app.post(path, CUSTOMER, body).await;
    }
    for (path, body) in of("%".repeat(50_000)) {
        let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path}: {answer}");
    }
}
