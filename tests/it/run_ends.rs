//! The log line of a run's end: one for each run, whichever process ends it.

use helpsync_model::RunState;
use reqwest::{Method, StatusCode};
use serde_json::json;
use zendesk_sim::{Fault, FaultBody, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, until};

const CUSTOMER: &str = "ada";

fn few() -> GenerateOptions {
    GenerateOptions {
        articles: 30,
        draft_fraction: 0.0,
        restricted_fraction: 0.0,
        translated_fraction: 0.0,
        ..GenerateOptions::default()
    }
}

/// The one line that names the run. It follows the commit, so it may be a moment late.
async fn line_of(app: &TestApp, run: helpsync_model::RunId) -> String {
    let lines = until("the line of a run's end", async || {
        let lines = app.logged(&format!(" workspace=acme run={run} kind="));
        (!lines.is_empty()).then_some(lines)
    })
    .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.into_iter().next().unwrap()
}

fn assert_says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_done_says_whose_it_was_and_what_it_did_once() {
    for shape in [Shape::Embedded, Shape::Services] {
        let app = TestApp::of(shape).await;
        app.account("acme", few());
        let first = app.connect(CUSTOMER, "acme").await;
        let counters = &first.counters;
        let line = line_of(&app, first.id).await;
        let requests = format!("requests={}", counters.requests);
        assert!(line.starts_with("INFO a run is done customer=ada workspace=acme run="), "{line}");
        assert_says(&line, &["kind=full", "trigger=connect", "state=done", "created=30", "updated=0"]);
        assert_says(&line, &["unchanged=0", "skipped=0", "removed=0", "held=0", &requests, "seconds="]);
        assert!(!line.contains("brand=") && !line.contains("error="), "{line}");

        let second = app.sync(CUSTOMER, "acme").await;
        assert_says(&line_of(&app, second.id).await, &["kind=delta", "trigger=request", "created=0"]);
        assert_eq!(app.logged("a run is done").len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_says_why() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", few());
    let first = app.connect(CUSTOMER, "acme").await;
    line_of(&app, first.id).await;
    let refusal = Fault::Status { code: 400, retry_after: None, body: FaultBody::Json };
    account.inject(FaultRule::always(refusal).on("help_center"));
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let run = app.ended(first.connection).await;
    let line = line_of(&app, run.id).await;
    assert!(line.starts_with("INFO a run failed customer=ada workspace=acme"), "{line}");
    assert_says(&line, &["state=failed", "error=zendesk rejects the request with 400: Fault: on order"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cancelled_says_so_also_when_its_customer_is_deleted() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", few());
    let connection = app.connect(CUSTOMER, "acme").await.connection;
    account.inject(FaultRule::always(Fault::Delay { ms: 20_000 }).on("help_center"));
    let begin = async || {
        app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
        let parts = app.parts();
        until("a run to begin", async || {
            let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
            runs.into_iter().find(|run| run.state == RunState::Running)
        })
        .await
    };
    let run = begin().await;
    app.post(&format!("/helpsync/v1/data_sources/{connection}/cancel"), CUSTOMER, json!({})).await;
    let line = line_of(&app, run.id).await;
    assert!(line.starts_with("INFO a run was cancelled customer=ada"), "{line}");
    assert_says(&line, &["state=cancelled", "error=cancelled by request"]);

    let run = begin().await;
    let (status, answer) =
        app.call(Method::POST, "/delete_users", CUSTOMER, Some(json!({ "customer_ids": [CUSTOMER] }))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_says(
        &line_of(&app, run.id).await,
        &["a run was cancelled", "error=the workspace was disconnected"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receipt_of_a_run_that_failed_counts_every_request_that_was_refused() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", few());
    let first = app.connect(CUSTOMER, "acme").await;
    account.clear_requests();
    let refusal = Fault::Status { code: 400, retry_after: None, body: FaultBody::Json };
    account.inject(FaultRule::always(refusal).on("help_center"));
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let run = app.ended(first.connection).await;
    assert_eq!(run.state, RunState::Failed);
    let sent = i64::try_from(account.requests().len()).unwrap();
    assert!(sent > 1, "what is asked in passing is refused too: {:?}", account.requests());
    assert_eq!(run.counters.requests, sent, "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fetching_an_article_again_that_is_as_it_was_changes_nothing_of_its_history() {
    let app = TestApp::embedded().await;
    app.account("acme", few());
    let first = app.connect(CUSTOMER, "acme").await;
    let file = app.post("/user_files_v2", CUSTOMER, json!({})).await["results"][0]["id"].clone();
    let history = format!("/helpsync/v1/files/{file}/history");
    let (_, before) = app.call(Method::GET, &history, CUSTOMER, None).await;
    for _ in 0..2 {
        app.post("/resync_file", CUSTOMER, json!({ "file_id": file })).await;
        let run = app.finished(first.connection).await;
        assert_eq!((run.counters.updated, run.counters.unchanged), (0, 1), "{run:?}");
    }
    assert_eq!(app.call(Method::GET, &history, CUSTOMER, None).await.1, before);
    let answer = app.call(Method::GET, &format!("/helpsync/v1/files/{file}"), CUSTOMER, None).await.1;
    assert_eq!(answer["sync_status"], "READY", "{answer}");
}
