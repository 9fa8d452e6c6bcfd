//! Schedules, by a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use helpsync_app::Runtime;
use helpsync_model::{Clock, ManualClock, OsEntropy, SystemClock, Trigger};
use serde_json::json;
use zendesk_sim::{Change, GenerateOptions};

use crate::app::{Shape, TestApp, until};
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";

#[tokio::test(flavor = "multi_thread")]
async fn a_day_later_a_scheduled_customer_is_synced_and_an_unscheduled_one_is_not() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let runtime = Runtime { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(OsEntropy) };
    let app = TestApp::start(Shape::Embedded, &[], runtime).await;
    let account = app.account("acme", GenerateOptions { articles: 20, ..GenerateOptions::default() });
    app.connect(CUSTOMER, "acme").await;
    app.connect("bob", "acme").await;
    let schedule = json!({ "customer_ids": [CUSTOMER], "auto_sync_enabled_sources": "ALL" });
    app.post("/update_users", CUSTOMER, schedule).await;
    let id = account
        .apply(Change::Create {
            section_id: None,
            title: "New".to_owned(),
            body: "<p>x</p>".to_owned(),
            draft: false,
        })
        .unwrap()
        .article;

    clock.advance(Duration::from_secs(25 * 3600));
    let parts = app.parts();
    let connection = app.connection(CUSTOMER, "acme").await;
    until("the schedule to fire", async || {
        // Budgets and leases live by the same clock: it has to go on.
        clock.advance(Duration::from_millis(200));
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
        runs.into_iter().find(|run| run.trigger == Trigger::Schedule && !run.state.is_active())
    })
    .await;
    assert!(ours(&app, CUSTOMER).await.contains_key(&id));
    assert_equal(&app, &account, CUSTOMER).await;
    let others = app.connection("bob", "acme").await;
    let runs = parts.store.admin().runs(parts.organization, Some(others), 10).await.unwrap();
    assert!(runs.iter().all(|run| run.trigger != Trigger::Schedule));
}
