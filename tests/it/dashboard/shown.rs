//! What pages show of a customer's past: its runs, what they waited for, what was sent to webhooks, who changed what.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Visitor;
use crate::app::{API_KEY, Shape, TestApp, real_time, small, until};
use crate::webhooks_out;

const CUSTOMER: &str = "ada";

/// Where the page leads for the rest of a list.
fn next_in(page: &str) -> Option<String> {
    let (before, _) = page.split_once("rel=\"next\"").or_else(|| page.split_once("rel=next"))?;
    let (_, after) = page[before.len()..].split_once("href=\"")?;
    Some(after.split('"').next()?.replace("&amp;", "&"))
}

/// Ids of the runs that a page has in its list.
fn runs_in(page: &str) -> Vec<i64> {
    let (_, list) = page.split_once("<table").expect("a list of runs");
    let rows = list.split("/runs/").skip(1);
    rows.filter_map(|row| row.split('"').next()?.parse().ok()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_of_a_customer_can_be_come_by_page_by_page() {
    let app = TestApp::embedded().await;
    app.account("acme", small(1));
    app.connect(CUSTOMER, "acme").await;
    for _ in 0..21 {
        app.sync(CUSTOMER, "acme").await;
    }
    let visitor = Visitor::login(&app, API_KEY).await;
    let first = visitor.page(&format!("/customers/{}", visitor.customer(CUSTOMER).await)).await;
    let mut seen = runs_in(&first);
    assert_eq!(seen.len(), 20, "{seen:?}");
    let older = next_in(&first).expect("there are more");
    let older = visitor.get(&older).await;
    assert_eq!(older.status(), StatusCode::OK);
    let older = older.text().await.unwrap();
    assert_eq!(next_in(&older), None, "that was all");
    seen.extend(runs_in(&older));
    assert_eq!(seen, (1..=22).rev().collect::<Vec<i64>>(), "the newest first, each once");
    let none = visitor.page(&format!("/customers/{}?before=1", visitor.customer(CUSTOMER).await)).await;
    assert!(none.contains("There is no older run.") && !none.contains("no run yet"), "{none}");
    // The API reads on in the same way.
    let list = async |query: &str| {
        app.call(Method::GET, &format!("/helpsync/v1/runs?customer_id={CUSTOMER}&{query}"), CUSTOMER, None)
            .await
            .1
    };
    let part = list("limit=12").await;
    let rest = list(&format!("limit=12&before={}", part["next_before"])).await;
    assert_eq!((rest["runs"].as_array().map(Vec::len), &rest["next_before"]), (Some(10), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn waits_for_the_budget_within_a_shard_are_drawn_and_told_apart_from_work() {
    // A request in two and a half seconds: a full sync of one page takes several.
    let few = [("HELPSYNC_ZENDESK__REQUESTS_PER_MINUTE", "24")];
    let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
    app.account("acme", small(3));
    let connected = app.connect(CUSTOMER, "acme");
    let told = until("the wait to be told while it lasts", async || {
        let run = app.call(Method::GET, "/helpsync/v1/runs/1", CUSTOMER, None).await.1;
        run["working_on"].as_str().filter(|what| *what == "waiting for the budget of acme").map(|_| ())
    });
    tokio::join!(connected, told);
    let shards = app.call(Method::GET, "/helpsync/v1/runs/1/shards", CUSTOMER, None).await.1;
    let waits: Vec<&Value> = shards["shards"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|shard| shard["waits"].as_array().unwrap())
        .collect();
    let within: i64 = waits.iter().filter_map(|wait| wait["waited_ms"].as_i64()).sum();
    let run = app.call(Method::GET, "/helpsync/v1/runs/1", CUSTOMER, None).await.1;
    let counted = run["counters"]["budget_wait_ms"].as_i64().unwrap()
        - run["counters"]["wait_put_off_ms"].as_i64().unwrap();
    assert!(within > 0 && within <= counted, "{within} of {counted}: {shards}");
    assert!(within * 2 >= counted, "most of it is drawn: {within} of {counted}");
    let visitor = Visitor::login(&app, API_KEY).await;
    let page = visitor.page("/runs/1").await;
    assert!(page.contains("<rect class=\"budget\""), "{page}");
    assert!(page.contains("the even pace of requests"), "it says what for: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_has_what_was_sent_to_webhooks_about_it_and_it_can_be_sent_again() {
    let app = webhooks_out::start(Shape::Embedded, &[]).await;
    let receiver = webhooks_out::Receiver::start(200).await;
    let (webhook, _) = webhooks_out::add(&app, &receiver.url).await;
    app.account("acme", small(7));
    app.account("other", small(1));
    app.connect(CUSTOMER, "acme").await;
    app.connect("eve", "other").await;
    webhooks_out::arrived(&app, &receiver).await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = format!("/customers/{}", visitor.customer(CUSTOMER).await);
    let page = visitor.page(&customer).await;
    let (_, card) = page.split_once("Sent to webhooks").expect("a list of what was sent");
    assert_eq!(card.matches("name=\"delivery\"").count(), 5, "the latest: {card}");
    assert!(card.contains(&format!("/webhooks/{}\"", webhook.0)) && card.contains("/files/"), "{card}");

    // All of them, each once, and none of another customer.
    let path = "/helpsync/v1/customers/ada/deliveries?limit=3";
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let part = app.call(Method::GET, &format!("{path}{after}"), CUSTOMER, None).await.1;
        found.extend(part["deliveries"].as_array().unwrap().clone());
        let Some(next) = part["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let list = format!("/helpsync/v1/webhooks/{}/deliveries?limit=1000", webhook.0);
    let all = app.call(Method::GET, &list, CUSTOMER, None).await.1["deliveries"].as_array().unwrap().clone();
    let mut theirs: Vec<Value> = all.into_iter().filter(|one| one["customer_id"] == CUSTOMER).collect();
    theirs.sort_by_key(|one| -one["event_id"].as_i64().unwrap());
    assert_eq!(found, theirs);
    let wrong = app.call(Method::GET, "/helpsync/v1/customers/ada/deliveries?after=x", CUSTOMER, None).await;
    assert_eq!(wrong.0, StatusCode::BAD_REQUEST, "{}", wrong.1);

    let before = receiver.received().len();
    let sent =
        visitor.post(&format!("{customer}/deliveries"), &[("delivery", &found[0]["id"].to_string())]).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let led = sent.headers()[reqwest::header::LOCATION].to_str().unwrap().to_owned();
    assert!(visitor.get(&led).await.text().await.unwrap().contains("Sent again."));
    until("it to arrive again", async || (receiver.received().len() > before).then_some(())).await;
    // Of the webhook's own list each customer's are told.
    let page = visitor.page(&format!("/webhooks/{}", webhook.0)).await;
    assert!(page.contains("named?name=eve") && page.contains("named?name=ada"), "{page}");
    assert!(!page.contains("Send all dead ones again"), "none is dead: {page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_says_in_words_what_was_done() {
    let app = webhooks_out::start(Shape::Embedded, &[]).await;
    app.account("acme", small(2));
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = format!("/customers/{}", visitor.customer(CUSTOMER).await);
    visitor.post(&format!("{customer}/act/pause"), &[]).await;
    visitor.post(&format!("{customer}/act/resume"), &[]).await;
    app.post(
        "/update_users",
        CUSTOMER,
        json!({ "customer_ids": [CUSTOMER], "auto_sync_enabled_sources": "ALL", "auto_sync_interval": 6 }),
    )
    .await;
    let old = visitor.page("/audit").await;
    assert!(old.contains("auto_sync_interval: 6"), "{old}");
    let entries = app.call(Method::GET, "/helpsync/v1/audit", CUSTOMER, None).await.1["entries"].clone();
    for entry in entries.as_array().unwrap() {
        let summary = entry["summary"].as_str().unwrap();
        assert!(!summary.is_empty() && !summary.contains('/'), "{entry}");
    }
    let page = visitor.page("/audit").await;
    for said in [
        "Let the work of a customer go on",
        "Set whether and when customers are synced by themselves",
        "Hand no work of a customer out",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let cells = page.split("<td").skip(1).filter_map(|cell| cell.split_once('>')?.1.split("</td>").next());
    for cell in cells {
        assert!(!cell.contains(">POST /") && !cell.contains("/helpsync/v1/"), "{cell}");
    }
}
