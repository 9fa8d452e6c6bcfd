//! What a person who watches a run sees of it before it has ended.

use reqwest::Method;
use serde_json::json;
use zendesk_sim::{BodyProfile, Change, Fault, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, until};
use crate::copy::ours;

const CUSTOMER: &str = "ada";

async fn a_run_under_way_says_what_it_is_doing(shape: Shape) {
    let app = TestApp::of(shape).await;
    let generate =
        GenerateOptions { articles: 300, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account("acme", generate);
    // Pages take their time, so that there is a middle to look at.
    account.update_settings(|settings| settings.incremental_page_size = 20);
    account.inject(FaultRule::always(Fault::SlowBody { chunk_bytes: 4_000, delay_ms: 20 }).on("incremental"));
    app.grant(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let parts = app.parts();
    let run = until("a run", async || {
        parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap().into_iter().next()
    })
    .await;
    let path = format!("/helpsync/v1/runs/{}", run.id);
    let said = until("the run to say something", async || {
        let (_, view) = app.call(Method::GET, &path, CUSTOMER, None).await;
        assert_ne!(view["state"], "done", "it ended without a word");
        let said = view["working_on"].as_str().map(str::to_owned)?;
        // Before the first page is stored, who watches knows how many articles there are.
        assert!(view["counters"]["remote_count"].as_i64() > Some(200), "{view}");
        Some(said)
    })
    .await;
    assert_eq!(said, "reading articles: storing 20 articles");
    app.finished(connection).await;
    let (_, view) = app.call(Method::GET, &path, CUSTOMER, None).await;
    assert_eq!((&view["state"], &view["working_on"]), (&"done".into(), &serde_json::Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_says_what_it_is_doing_embedded() {
    a_run_under_way_says_what_it_is_doing(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_under_way_says_what_it_is_doing_on_services() {
    a_run_under_way_says_what_it_is_doing(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_removes_says_how_many_missing_articles_it_has_asked_for() {
    let app = TestApp::embedded().await;
    let generate =
        GenerateOptions { articles: 120, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    // More than one shard asks for.
    let gone: Vec<i64> = ours(&app, CUSTOMER).await.into_keys().take(60).collect();
    for id in &gone {
        account.apply(Change::Delete { id: *id }).unwrap();
    }
    // One answers late, the others one after the other: shards that ask at once end at once.
    let late = format!("/help_center/articles/{}", gone[0]);
    account.inject(FaultRule::always(Fault::Delay { ms: 20_000 }).on(&late));
    account.inject(FaultRule::always(Fault::Delay { ms: 500 }).on("/help_center/articles/"));
    let run = app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let path = format!("/helpsync/v1/runs/{}", run["run_id"]);
    let asked = async |enough: &dyn Fn(u64) -> bool| {
        until("articles to have been asked for", async || {
            let (_, view) = app.call(Method::GET, &path, CUSTOMER, None).await;
            let missing = |name: &str| view["missing_articles"][name].as_u64();
            assert!(missing("total").is_none_or(|total| total == 60), "{view}");
            enough(missing("asked")?).then_some(())
        })
        .await;
    };
    asked(&|asked| (1..50).contains(&asked) && asked != 10).await;
    asked(&|asked| asked > 50).await;
    let connection = app.connection(CUSTOMER, "acme").await;
    app.post(&format!("/helpsync/v1/data_sources/{}/cancel", connection.0), CUSTOMER, json!({})).await;
    let (_, view) = app.call(Method::GET, &path, CUSTOMER, None).await;
    assert_eq!((&view["state"], &view["missing_articles"]), (&"cancelled".into(), &serde_json::Value::Null));
}

/// First syncs that are under way at once, more than a worker has slots.
const FIRST_SYNCS: usize = 12;

async fn nobody_waits_behind_first_syncs(shape: Shape) {
    let app = TestApp::of(shape).await;
    let generate =
        GenerateOptions { articles: 60, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    app.account("acme", generate.clone());
    app.connect(CUSTOMER, "acme").await;
    let mut others = Vec::new();
    for number in 0..FIRST_SYNCS {
        let (customer, subdomain) = (format!("c{number}"), format!("other{number}"));
        let account = app.account(&subdomain, generate.clone());
        // Their pages come drop by drop for as long as the test looks.
        let slow = Fault::SlowBody { chunk_bytes: 100, delay_ms: 100 };
        account.inject(FaultRule::always(slow).on("incremental"));
        app.grant(&customer, &subdomain).await;
        others.push((app.connection(&customer, &subdomain).await, account));
    }
    let (_, asked) =
        app.call(Method::POST, "/helpsync/v1/sync", CUSTOMER, Some(json!({ "customer_id": CUSTOMER }))).await;
    let run = asked["run_id"].as_i64().unwrap();
    let path = format!("/helpsync/v1/runs/{run}");
    until("the run that a person asked for", async || {
        let (_, view) = app.call(Method::GET, &path, CUSTOMER, None).await;
        (view["state"] == "done").then_some(())
    })
    .await;
    let parts = app.parts();
    for (connection, account) in others {
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
        assert!(runs[0].state.is_active(), "a first sync ended before: the test shows nothing");
        account.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_behind_first_syncs_embedded() {
    nobody_waits_behind_first_syncs(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_behind_first_syncs_on_services() {
    nobody_waits_behind_first_syncs(Shape::Services).await;
}
