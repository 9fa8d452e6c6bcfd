//! What a person who watches a run sees of it before it has ended.

use reqwest::Method;
use zendesk_sim::{BodyProfile, Fault, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, until};

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
        view["working_on"].as_str().map(str::to_owned)
    })
    .await;
    assert!(said.starts_with("walk_export") && said.ends_with(": storing 20 articles"), "{said}");
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
