//! Zendesk's webhooks: made on connect, believed only when signed and fresh, gone with the connection.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use helpsync_model::{Clock as _, SystemClock, Trigger};
use hmac::{Hmac, Mac};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions, Role};

use crate::app::{CLIENT_ID, Shape, TestApp, until};
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";

pub(crate) fn acme(app: &TestApp) -> Account {
    let generate =
        GenerateOptions { articles: 30, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let account = app.account("acme", generate);
    account.update_settings(|settings| settings.grant_as = Role::Admin);
    account
}

pub(crate) async fn connect(app: &TestApp, scopes: &[&str]) {
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme", "scopes": scopes });
    let answer = app.post("/integrations/oauth_url", CUSTOMER, body).await;
    let callback = app.consent(answer["oauth_url"].as_str().unwrap()).await;
    assert!(app.http.get(callback).send().await.unwrap().status().is_success());
    let connection = app.connection(CUSTOMER, "acme").await;
    app.finished(connection).await;
}

pub(crate) const WATCHING: [&str; 3] = ["hc:read", "webhooks:read", "webhooks:write"];

/// What an administrator sees of the account's webhooks.
async fn webhooks(app: &TestApp, account: &Account, path: &str) -> Value {
    let token = account.issue_tokens(CLIENT_ID, Role::Admin, "webhooks:read").access_token;
    let url = format!("http://{}/acme/api/v2/webhooks{path}", app.sim.address());
    app.http.get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
}

/// What Zendesk signs a webhook's events with.
pub(crate) async fn secret_of(app: &TestApp, account: &Account, webhook: &Value) -> String {
    let path = format!("/{}/signing_secret", webhook["id"].as_str().unwrap());
    webhooks(app, account, &path).await["signing_secret"]["secret"].as_str().unwrap().to_owned()
}

/// As Zendesk signs an event.
pub(crate) fn signature(secret: &str, at: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(at.as_bytes());
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Waits until the webhook is made and its secret is ours.
pub(crate) async fn made(app: &TestApp, account: &Account) -> Value {
    // Asked from the record first: the account's budget for webhooks is small.
    until("the secret to be read", async || {
        let read = |request: &zendesk_sim::SeenRequest| {
            request.path.ends_with("/signing_secret") && request.status == 200
        };
        account.requests().iter().any(read).then_some(())
    })
    .await;
    let webhook = webhooks(app, account, "").await["webhooks"][0].clone();
    let endpoint = webhook["endpoint"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
    until("the watch to be in place", async || {
        app.parts().store.admin().event_subscription(&endpoint).await.unwrap().map(drop)
    })
    .await;
    webhook
}

async fn published(app: &TestApp, account: &Account) -> i64 {
    let known = account.truth();
    until("a file", async || ours(app, CUSTOMER).await.keys().next().copied()).await;
    known[0].id
}

async fn an_event_changes_the_answers_without_another_sync(shape: Shape) {
    let app = TestApp::of(shape).await;
    let account = acme(&app);
    connect(&app, &WATCHING).await;
    made(&app, &account).await;
    let id = published(&app, &account).await;

    account.apply(Change::Unpublish { id, locale: None }).unwrap();
    until("the article to be gone", async || (!ours(&app, CUSTOMER).await.contains_key(&id)).then_some(()))
        .await;

    account.apply(Change::Publish { id, locale: None }).unwrap();
    until("the article to be back", async || ours(&app, CUSTOMER).await.contains_key(&id).then_some(()))
        .await;
    let delivered = account.deliveries();
    assert!(!delivered.is_empty() && delivered.iter().all(|one| one.status == 200), "{delivered:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_changes_the_answers_without_another_sync_embedded() {
    an_event_changes_the_answers_without_another_sync(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_changes_the_answers_without_another_sync_on_services() {
    an_event_changes_the_answers_without_another_sync(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_old_and_repeated_events_do_nothing() {
    let app = TestApp::embedded().await;
    let account = acme(&app);
    connect(&app, &WATCHING).await;
    let webhook = made(&app, &account).await;
    let endpoint = webhook["endpoint"].as_str().unwrap();
    let secret = secret_of(&app, &account, &webhook).await;
    let article = published(&app, &account).await;
    let event = |id: &str, article: &str| {
        json!({ "id": id, "type": "zen:event-type:article.unpublished", "detail": { "id": article } })
            .to_string()
    };
    let send = async |body: String, at: String, secret: &str| {
        let request = app
            .http
            .post(endpoint)
            .header("x-zendesk-webhook-signature", signature(secret, &at, body.as_bytes()))
            .header("x-zendesk-webhook-signature-timestamp", at)
            .body(body);
        request.send().await.unwrap().status()
    };
    let now = || SystemClock.now().to_string();
    let old = || (SystemClock.now() - Duration::from_secs(301)).to_string();
    let article = article.to_string();
    assert_eq!(send(event("e1", &article), now(), "forged").await, StatusCode::UNAUTHORIZED);
    assert_eq!(send(event("e1", &article), old(), &secret).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send(event("e1", &article), "yesterday".to_owned(), &secret).await, StatusCode::UNAUTHORIZED);
    assert_eq!(send("{".to_owned(), now(), &secret).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(event("e1", "x"), now(), &secret).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(event("e1", &"9".repeat(70_000)), now(), &secret).await, StatusCode::PAYLOAD_TOO_LARGE);
    let unsigned = app.http.post(endpoint).body(event("e1", &article)).send().await.unwrap();
    assert_eq!(unsigned.status(), StatusCode::UNAUTHORIZED);
    let elsewhere = endpoint.rsplit_once('/').unwrap().0.to_owned() + "/guessed";
    assert_eq!(app.http.post(elsewhere).body("{}").send().await.unwrap().status(), StatusCode::NOT_FOUND);
    let by_events = async || {
        let parts = app.parts();
        let connection = app.connection(CUSTOMER, "acme").await;
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 50).await.unwrap();
        runs.iter().filter(|run| run.trigger == Trigger::Webhook).count()
    };
    assert_eq!(by_events().await, 0);
    for _ in 0..3 {
        assert_eq!(send(event("e1", &article), now(), &secret).await, StatusCode::OK);
    }
    assert_eq!(by_events().await, 1);
    assert_eq!(send(event("e\u{0}1", &article), now(), &secret).await, StatusCode::OK);
    assert_eq!(by_events().await, 1, "an id is read without NUL");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_subscription_is_made_once_through_failures_and_goes_with_the_connection() {
    let app = TestApp::embedded().await;
    let account = acme(&app);
    // The webhook is there by the time the question for its secret fails, and must be found again.
    let failing = Fault::Status { code: 503, retry_after: Some("1".to_owned()), body: FaultBody::Html };
    account.inject(FaultRule::always(failing).on("signing_secret").times(2));
    connect(&app, &WATCHING).await;
    made(&app, &account).await;
    assert_eq!(webhooks(&app, &account, "").await["webhooks"].as_array().unwrap().len(), 1);

    let connection = app.connection(CUSTOMER, "acme").await;
    app.post("/revoke_access_token", CUSTOMER, json!({ "data_source_id": connection.0 })).await;
    until("the webhook to be deleted", async || {
        let deleted = |request: &zendesk_sim::SeenRequest| {
            request.method == "DELETE" && request.path.contains("webhooks") && request.status == 204
        };
        account.requests().iter().any(deleted).then_some(())
    })
    .await;
    assert_eq!(webhooks(&app, &account, "").await["webhooks"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_no_webhook_is_tried() {
    let app = TestApp::embedded().await;
    let account = acme(&app);
    connect(&app, &["hc:read"]).await;
    assert!(!account.requests().iter().any(|request| request.path.contains("webhooks")));
}

/// Zendesk's trouble with webhooks is waited out, its refusal is final, and articles are none the worse.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_subscription_waits_for_what_may_pass_whatever_the_status() {
    let app = &TestApp::embedded().await;
    let played = [402, 423, 500, 520, 525, 410, 418, 451].map(|code| async move {
        let name = format!("hooks-{code}");
        let generate =
            GenerateOptions { articles: 5, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
        let account = app.account(&name, generate);
        account.update_settings(|settings| settings.grant_as = Role::Admin);
        let fault = Fault::Status { code, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule::always(fault).on("/api/v2/webhooks"));
        let body = json!({ "service": "ZENDESK", "zendesk_subdomain": name, "scopes": WATCHING });
        let answer = app.post("/integrations/oauth_url", &name, body).await;
        let callback = app.consent(answer["oauth_url"].as_str().unwrap()).await;
        assert!(app.http.get(callback).send().await.unwrap().status().is_success());
        app.finished(app.connection(&name, &name).await).await;
        let asked = || account.requests().iter().filter(|seen| seen.path.contains("/webhooks")).count();
        until("the webhook to be asked for", async || (asked() > 0).then_some(())).await;
        let refused = matches!(code, 410 | 418 | 451);
        if refused {
            let whose = format!("connection={} ", app.connection(&name, &name).await);
            until("the refusal to be told", async || {
                let told = app.logged("an event subscription could not be made");
                told.iter().any(|line| line.contains(&whose) && line.contains("wait=None")).then_some(())
            })
            .await;
        } else {
            until("a second try", async || (asked() > 1).then_some(())).await;
            account.clear_faults();
            until("the secret to be read", async || {
                let read = |seen: &zendesk_sim::SeenRequest| {
                    seen.path.ends_with("/signing_secret") && seen.status == 200
                };
                account.requests().iter().any(read).then_some(())
            })
            .await;
        }
        assert_equal(app, &account, &name).await;
    });
    futures::future::join_all(played).await;
}
