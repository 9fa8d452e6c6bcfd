//! Zendesk away for long: work waits and says so, gives up nothing, and goes on by itself. What gave up for another
//! reason heals with the next good run.

use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, real_time, until};
use crate::copy::assert_equal;

const ATTEMPTS: &str = "2";
/// So many requests in vain are more than any shard could make that gives up.
const TRIES: usize = 5;

async fn impatient(shape: Shape) -> TestApp {
    TestApp::start(shape, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", ATTEMPTS)], real_time()).await
}

/// A connected workspace with changes that are not synced.
async fn changed(app: &TestApp, name: &str) -> Account {
    let generate =
        GenerateOptions { articles: 30, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account(name, generate);
    app.connect(name, name).await;
    account.apply_random(10, 1);
    account.clear_requests();
    account
}

async fn start(app: &TestApp, name: &str) {
    app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
}

async fn dead_letters(app: &TestApp) -> Value {
    app.call(Method::GET, "/helpsync/v1/dead-letters", "nobody", None).await.1
}

/// What the data source says that it waits for.
async fn waits_for(app: &TestApp, name: &str) -> String {
    let answer = app.post("/user_data_sources", name, json!({})).await;
    answer["results"][0]["data_source_metadata"]["waiting_for"].as_str().unwrap_or_default().to_owned()
}

async fn is_waited_out(app: &TestApp, name: &str, fault: Fault, cause: &str) {
    let account = changed(app, name).await;
    account.inject(FaultRule::always(fault.clone()));
    start(app, name).await;
    let asked = "Zendesk is asked again at 20";
    let said = until("the wait to be told", async || {
        let said = waits_for(app, name).await;
        (said.contains(asked) && account.requests().len() >= TRIES).then_some(said)
    })
    .await;
    assert!(said.starts_with(cause), "{fault:?}: {said}");
    assert_eq!(dead_letters(app).await["dead_letters"], json!([]), "{fault:?}");
    account.clear_faults();
    // Who asks need not wait for the end of the pause.
    start(app, name).await;
    let connection = app.connection(name, name).await;
    app.finished(connection).await;
    assert_eq!(waits_for(app, name).await, "");
    assert_equal(app, &account, name).await;
}

fn status(code: u16, body: FaultBody) -> Fault {
    Fault::Status { code, retry_after: None, body }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out_whatever_it_looks_like() {
    let app = impatient(Shape::Embedded).await;
    let outages = [
        ("ace", status(503, FaultBody::Html), "zendesk is not available"),
        ("bee", Fault::Reset, "zendesk is not available: "),
        ("cat", status(402, FaultBody::Json), "zendesk has suspended the account: it answers 402"),
        ("dog", Fault::Suspended, "zendesk has suspended the account: it answers 423"),
        ("elk", Fault::HtmlOk, "zendesk's answer is malformed: html where json was due"),
    ];
    futures::future::join_all(
        outages.map(|(name, fault, cause)| async { is_waited_out(&app, name, fault, cause).await }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_waited_out_on_services() {
    let app = impatient(Shape::Services).await;
    is_waited_out(&app, "acme", status(500, FaultBody::Json), "zendesk is not available").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_always_fails_gives_up_and_the_next_good_run_heals_it() {
    let app = impatient(Shape::Embedded).await;
    let mut accounts = Vec::new();
    for name in ["one", "two"] {
        let account = changed(&app, name).await;
        // Zendesk answers everything else.
        account.inject(FaultRule::always(status(500, FaultBody::Json)).on("/incremental/articles"));
        start(&app, name).await;
        app.ended(app.connection(name, name).await).await;
        accounts.push(account);
    }
    let answer = dead_letters(&app).await;
    assert_eq!(answer["dead_letters"].as_array().unwrap().len(), 2, "{answer}");
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{answer}");
    assert_eq!((&groups[0]["count"], &groups[0]["customers"]), (&json!(2), &json!(2)), "{answer}");
    assert!(groups[0]["cause"].as_str().unwrap().starts_with("zendesk is not available"), "{answer}");

    accounts[0].clear_faults();
    app.sync("one", "one").await;
    let left = dead_letters(&app).await["dead_letters"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["customer_id"]), (1, &json!("two")), "{left}");
    assert_eq!(waits_for(&app, "one").await, "");
    assert_equal(&app, &accounts[0], "one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_article_waits_for_zendesk_too() {
    let app = impatient(Shape::Embedded).await;
    let account = changed(&app, "ada").await;
    app.sync("ada", "ada").await;
    let id = account.truth()[0].id;
    account.apply(Change::Edit { id, title: Some("New".to_owned()), body: None }).unwrap();
    let answer =
        app.post("/user_files_v2", "ada", json!({ "filters": { "external_file_ids": [id.to_string()] } }));
    let file = answer.await["results"][0]["id"].clone();
    account.clear_requests();
    account.inject(FaultRule::always(status(503, FaultBody::Html)));
    app.post("/resync_file", "ada", json!({ "file_id": file })).await;
    until("many tries", async || (account.requests().len() >= TRIES).then_some(())).await;
    assert_eq!(dead_letters(&app).await["dead_letters"], json!([]));
    account.clear_faults();
    until("the article to be fetched", async || {
        let files = crate::copy::ours(&app, "ada").await;
        (files == crate::copy::truth(&account)).then_some(())
    })
    .await;
}

/// Two kinds of work of one connection gave up, each for a reason of its own.
#[tokio::test(flavor = "multi_thread")]
async fn two_causes_of_one_connection_are_two_groups_and_each_heals_by_its_own_run() {
    let app = impatient(Shape::Embedded).await;
    let account = changed(&app, "ada").await;
    let held = crate::copy::ours(&app, "ada").await;
    let id = account.article_ids().into_iter().find(|id| held.contains_key(id)).unwrap();
    let alone = format!("/help_center/articles/{id}");
    account.inject(FaultRule::always(status(500, FaultBody::Html)).on(&alone));
    account.inject(FaultRule::always(status(418, FaultBody::Json)).on("/help_center/articles"));
    account.inject(FaultRule::always(status(500, FaultBody::Json)).on("/incremental/articles"));
    start(&app, "ada").await;
    app.ended(app.connection("ada", "ada").await).await;
    let asked = json!({ "filters": { "external_file_ids": [id.to_string()] } });
    let file = app.post("/user_files_v2", "ada", asked).await["results"][0]["id"].clone();
    app.post("/resync_file", "ada", json!({ "file_id": file })).await;
    app.ended(app.connection("ada", "ada").await).await;
    let answer = dead_letters(&app).await;
    let groups = answer["groups"].as_array().unwrap();
    let causes: Vec<&str> = groups.iter().map(|group| group["cause"].as_str().unwrap()).collect();
    assert_eq!((groups.len(), answer["dead_letters"].as_array().unwrap().len()), (2, 2), "{answer}");
    assert!(causes.iter().any(|cause| cause.contains("418")), "{causes:?}");

    // What the delta does again is done; the article that somebody named is not.
    account.clear_faults();
    app.sync("ada", "ada").await;
    let left = dead_letters(&app).await;
    assert_eq!(left["dead_letters"].as_array().unwrap().len(), 1, "{left}");
    app.post("/resync_file", "ada", json!({ "file_id": file })).await;
    app.finished(app.connection("ada", "ada").await).await;
    let left = dead_letters(&app).await;
    assert_eq!((&left["dead_letters"], &left["groups"]), (&json!([]), &json!([])), "{left}");
    assert_equal(&app, &account, "ada").await;
}
