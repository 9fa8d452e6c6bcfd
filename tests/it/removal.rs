//! Removal: what is gone goes away, and nothing else does.

use helpsync_model::RunState;
use serde_json::json;
use zendesk_sim::{Change, Fault, FaultBody, FaultRule, GenerateOptions, Role, SeenRequest};

use crate::app::{TestApp, small, until};
use crate::copy::{assert_equal, ours, truth};

const CUSTOMER: &str = "ada";

#[tokio::test(flavor = "multi_thread")]
async fn archived_deleted_and_restricted_articles_go_away() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(60));
    app.connect(CUSTOMER, "acme").await;
    let ids = account.article_ids();
    account.apply(Change::Archive { id: ids[0] }).unwrap();
    account.apply(Change::Delete { id: ids[1] }).unwrap();
    account.apply(Change::Restrict { id: ids[2] }).unwrap();
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(run.counters.removed, 3, "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;

    account.apply(Change::Restore { id: ids[0] }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert!(ours(&app, CUSTOMER).await.contains_key(&ids[0]));
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_removals_than_the_ceiling_wait_for_a_person() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(400));
    app.connect(CUSTOMER, "acme").await;
    for id in account.article_ids().into_iter().take(250) {
        account.apply(Change::Delete { id }).unwrap();
    }
    let held = app.sync(CUSTOMER, "acme").await;
    assert_eq!((held.counters.removed, held.counters.held), (0, 250), "{held:?}");
    assert_eq!(ours(&app, CUSTOMER).await.len(), 400);

    let connection = app.connection(CUSTOMER, "acme").await;
    let path = format!("/helpsync/v1/data_sources/{}/allow_removals", connection.0);
    app.post(&path, CUSTOMER, json!({})).await;
    let allowed = app.finished(connection).await;
    assert_eq!(allowed.counters.removed, 250, "{allowed:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_center_that_answers_404_to_everything_removes_nothing() {
    let app = TestApp::start(
        crate::app::Shape::Embedded,
        &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")],
        crate::app::real_time(),
    )
    .await;
    let account = app.account("acme", small(50));
    app.connect(CUSTOMER, "acme").await;
    account.update_settings(|settings| settings.help_center_enabled = false);
    let run = app.audit(CUSTOMER, "acme").await;
    assert_ne!(run.state, RunState::Done, "{run:?}");
    assert_eq!(ours(&app, CUSTOMER).await.len(), 50);
    account.update_settings(|settings| settings.help_center_enabled = true);
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_was_taken_away_is_not_a_removal() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", GenerateOptions { restricted_fraction: 0.2, ..small(100) });
    // The export was refused when it was asked first.
    let refused = Fault::Status { code: 403, retry_after: None, body: FaultBody::Json };
    account.inject(FaultRule::once(refused).on("/incremental/articles"));
    app.connect(CUSTOMER, "acme").await;
    let before = ours(&app, CUSTOMER).await.len();
    account.clear_requests();
    account.inject(FaultRule::always(Fault::DemoteUser).times(1));
    // Whatever the run makes of it, within the ceiling or not: nothing that Zendesk still has may go for good
    // without somebody being able to bring it back.
    let connection = app.connection(CUSTOMER, "acme").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    app.ended(connection).await;
    // An export that has answered is asked again some time later: it may have been refused for a moment.
    let refused = |seen: &&SeenRequest| seen.path.contains("/incremental/") && seen.status >= 400;
    let times: Vec<i64> = account.requests().iter().filter(refused).map(|seen| seen.at_ms).collect();
    assert!(times.len() >= 2 && times[1] - times[0] >= 9_000, "{times:?}");
    account.clear_faults();
    account.update_settings(|settings| settings.grant_as = Role::Admin);
    app.connect(CUSTOMER, "acme").await;
    assert_eq!(ours(&app, CUSTOMER).await.len(), before);
    assert_eq!(truth(&account).len(), before);
}

/// Whoever takes the work away takes no file with it that Zendesk may still have.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_asked_for_once_more_is_shown_again_when_its_run_is_cancelled() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(20));
    app.connect(CUSTOMER, "acme").await;
    let held = ours(&app, CUSTOMER).await;
    let gone = *held.keys().next().unwrap();
    account.apply(Change::Delete { id: gone }).unwrap();
    let alone = format!("/help_center/articles/{gone}");
    account.inject(FaultRule::always(Fault::Delay { ms: 20_000 }).on(&alone));
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    until("it to be hidden", async || (ours(&app, CUSTOMER).await.len() < held.len()).then_some(())).await;
    let connection = app.connection(CUSTOMER, "acme").await;
    app.post(&format!("/helpsync/v1/data_sources/{}/cancel", connection.0), CUSTOMER, json!({})).await;
    assert_eq!(ours(&app, CUSTOMER).await.len(), held.len());
    account.clear_faults();
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}
