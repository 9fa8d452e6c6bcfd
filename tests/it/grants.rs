//! Grants: one workspace per customer, whatever races; states that work once; tokens that are forgotten.

use std::time::Duration;

use futures::future::join;
use helpsync_app::Runtime;
use helpsync_model::{Clock, EventKind, ManualClock, OsEntropy, RunKind, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::sync::Arc;
use zendesk_sim::{Change, Consent, Fault, FaultBody, FaultRule, GenerateOptions};

use crate::app::{Shape, TestApp, until};

/// Pairs of grants that finish at once.
const RACES: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn of_two_grants_for_two_workspaces_exactly_one_connects() {
    let app = TestApp::embedded().await;
    for name in ["acme", "bolt"] {
        app.account(name, GenerateOptions { articles: 0, ..GenerateOptions::default() });
    }
    for race in 0..RACES {
        let customer = format!("customer-{race}");
        let mut callbacks = Vec::new();
        for name in ["acme", "bolt"] {
            callbacks.push(app.consent(&app.oauth_url(&customer, name).await).await);
        }
        let open = |at: usize| app.http.get(&callbacks[at]).send();
        let (first, second) = join(open(0), open(1)).await;
        let (first, second) = (first.unwrap(), second.unwrap());
        let mut statuses = [first.status(), second.status()];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT], "race {race}");
        let loser = if first.status() == StatusCode::CONFLICT { first } else { second };
        let page = loser.text().await.unwrap();
        // The loser is told which workspace there is, and what to do about it.
        let connected = sources_of(&app, &customer).await;
        assert!(page.contains("a customer has one workspace"), "{page}");
        assert!(page.contains(&format!("disconnect {connected}")), "{connected}: {page}");
    }
}

/// The one workspace of a customer.
async fn sources_of(app: &TestApp, customer: &str) -> String {
    let sources = app.post("/user_data_sources", customer, json!({})).await;
    assert_eq!(sources["count"], 1, "{customer}");
    let external = sources["results"][0]["data_source_external_id"].as_str().unwrap();
    external.rsplit_once('|').unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_works_once_and_a_forged_one_never() {
    let app = TestApp::embedded().await;
    app.account("acme", GenerateOptions::default());
    let callback = app.consent(&app.oauth_url("ada", "acme").await).await;
    let looked = app.http.head(&callback).send().await.unwrap();
    assert_eq!(looked.status(), StatusCode::METHOD_NOT_ALLOWED, "looking uses nothing up");
    let first = app.http.get(&callback).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let page = first.text().await.unwrap();
    assert!(page.contains("acme"), "{page}");
    let code = callback.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!page.contains(code), "the page shows the code");

    let replayed = app.http.get(&callback).send().await.unwrap();
    assert_eq!(replayed.status(), StatusCode::GONE);
    assert!(replayed.text().await.unwrap().contains("This link was used before"));
    for not_ours in ["code=x&state=forged", "code=x", "state=&code=x", ""] {
        let answer =
            app.http.get(app.url(&format!("/integrations/zendesk?{not_ours}"))).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{not_ours}");
        assert!(answer.text().await.unwrap().contains("This link does not work"), "{not_ours}");
    }
    let sources = app.post("/user_data_sources", "ada", json!({})).await;
    assert_eq!(sources["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_expires() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let runtime = Runtime { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(OsEntropy) };
    let app = TestApp::start(Shape::Embedded, &[], runtime).await;
    app.account("acme", GenerateOptions::default());
    let callback = app.consent(&app.oauth_url("ada", "acme").await).await;
    clock.advance(Duration::from_secs(24 * 3600));
    let answer = app.http.get(&callback).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::GONE);
    assert!(answer.text().await.unwrap().contains("This link has expired"));
    let sources = app.post("/user_data_sources", "ada", json!({})).await;
    assert_eq!(sources["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_grant_connects_nothing_and_says_so() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", GenerateOptions::default());
    account.update_settings(|settings| settings.consent = Consent::Deny);
    let (status, page) = app.grant("ada", "acme").await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{page}");
    assert!(page.contains("Access was not granted"), "{page}");
    let sources = app.post("/user_data_sources", "ada", json!({})).await;
    assert_eq!(sources["count"], 0);
    let (_, log) = app.call(Method::GET, "/helpsync/v1/audit?actor=browser", "ada", None).await;
    assert_eq!(log["entries"][0]["detail"]["granted"], false, "{log}");
    // What passes is no fault of the client's set-up.
    account.update_settings(|settings| settings.consent = Consent::Allow);
    let mut callback: url::Url = app.consent(&app.oauth_url("ada", "acme").await).await.parse().unwrap();
    let (_, state) = callback.query_pairs().find(|(name, _)| name == "state").unwrap();
    let state = state.into_owned();
    callback.query_pairs_mut().clear().append_pair("state", &state).append_pair("error", "server_error");
    let page = app.http.get(callback).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Zendesk does not answer at the moment") && !page.contains("makers"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn disconnecting_revokes_the_token_and_frees_the_customer_for_another_workspace() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", GenerateOptions { articles: 5, ..GenerateOptions::default() });
    app.account("bolt", GenerateOptions { articles: 5, ..GenerateOptions::default() });
    app.connect("ada", "acme").await;
    let connection = app.connection("ada", "acme").await;
    let (status, _) = app
        .call(Method::POST, "/revoke_access_token", "ada", Some(json!({ "data_source_id": connection.0 })))
        .await;
    assert_eq!(status, StatusCode::OK);
    until("the token to be revoked at Zendesk", async || {
        let revoked =
            acme.requests().iter().any(|request| request.method == "DELETE" && request.status < 300);
        revoked.then_some(())
    })
    .await;
    app.connect("ada", "bolt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_grant_pauses_the_connection_and_reconnecting_keeps_its_files() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", GenerateOptions { articles: 30, ..GenerateOptions::default() });
    app.connect("ada", "acme").await;
    account.revoke_tokens();
    let connection = app.connection("ada", "acme").await;
    app.post("/helpsync/v1/sync", "ada", json!({ "customer_id": "ada" })).await;
    let parts = app.parts();
    until("the connection to be paused", async || {
        let one = parts.store.admin().connection(parts.organization, connection).await.unwrap();
        one.pause_reason.map(drop)
    })
    .await;
    // Nothing was taken for gone.
    let before = crate::copy::ours(&app, "ada").await;
    assert_eq!(before.len(), account.truth().len());
    let events = parts.store.webhooks().events(parts.organization, 0, 1_000).await.unwrap();
    let paused: Vec<_> = events.iter().filter(|event| event.kind == EventKind::Revoke).collect();
    assert_eq!(paused.len(), 1, "{events:?}");
    assert_eq!(paused[0].detail["state"], "paused");

    let last = events.last().unwrap().id;
    let id = account.truth()[0].id;
    account.apply(Change::Edit { id, title: None, body: Some("<p>since</p>".to_owned()) }).unwrap();
    let run = app.connect("ada", "acme").await;
    // It goes on from the mark: nothing is indexed anew but what changed.
    assert_eq!((run.kind, run.counters.created, run.counters.updated), (RunKind::Delta, 0, 1), "{run:?}");
    let since = parts.store.webhooks().events(parts.organization, last, 1_000).await.unwrap();
    let of = |kind| since.iter().filter(|event| event.kind == kind).count();
    assert_eq!((of(EventKind::Add), of(EventKind::FileReady), of(EventKind::FileDeleted)), (1, 1, 0));
    crate::copy::assert_equal(&app, &account, "ada").await;
}

/// Whoever stands at the end of a grant is told what he can do about it: nothing of these is the client's fault.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_zendesk_cannot_finish_tells_what_is_wrong() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", GenerateOptions { articles: 5, ..GenerateOptions::default() });
    let status = |code| Fault::Status { code, retry_after: None, body: FaultBody::Html };
    for (fault, code, says) in [
        (status(402), 502, "suspended"),
        (Fault::Suspended, 502, "suspended"),
        (status(404), 502, "something unexpected"),
        (status(451), 502, "something unexpected"),
        (Fault::HtmlOk, 502, "something unexpected"),
        (Fault::TruncatedJson, 502, "something unexpected"),
        (status(500), 503, "does not answer"),
        (Fault::Reset, 503, "does not answer"),
        (status(401), 502, "identifier, secret or redirect URL"),
    ] {
        account.inject(FaultRule::always(fault.clone()).on("/oauth/tokens"));
        let (status, page) = app.grant("ada", "acme").await;
        assert_eq!(status.as_u16(), code, "{fault:?}: {page}");
        assert!(page.contains(says), "{fault:?}: {page}");
        account.clear_faults();
    }
    app.connect("ada", "acme").await;
}
