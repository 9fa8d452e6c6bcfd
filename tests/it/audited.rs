//! Changes that the walk in `audit` does not reach, for each takes something that is there: work that gave up, a delivery, a
//! difference, a page. Each leaves who did what to whom.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, Change, FaultRule, Role};

use crate::app::{API_KEY, CLIENT_ID, Shape, TestApp, real_time, small, until};
use crate::audit::{entry_of, log};
use crate::browser::Browser;
use crate::managing::manage_url;
use crate::pages::status;
use crate::verify::compared;
use crate::webhooks_out::{Receiver, add};

const CUSTOMER: &str = "ada";
const LETTERS: &str = "/helpsync/v1/dead-letters";

/// The newest entry of an action has to be of the API key, about the customer, and done to this path.
async fn assert_by_key(app: &TestApp, action: &str, target: &str, customer: Option<&str>) -> Value {
    let entry = entry_of(app, action).await;
    assert_eq!((&entry["actor"]["kind"], &entry["actor"]["name"]), (&json!("api_key"), &json!("bootstrap")));
    assert_eq!((&entry["target"], &entry["customer_id"]), (&json!(target), &json!(customer)), "{entry}");
    assert!(!entry["request_id"].as_str().unwrap().is_empty(), "{entry}");
    entry
}

/// An installation whose shards give up at once, and a help center that answers everything but its changes.
pub(crate) async fn giving_up(shape: Shape, extra: &[(&str, &str)], subdomain: &str) -> (TestApp, Account) {
    let mut settings = vec![("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "1")];
    settings.extend(extra);
    let app = TestApp::start(shape, &settings, real_time()).await;
    let account = app.account(subdomain, small(8));
    app.connect(CUSTOMER, subdomain).await;
    (app, account)
}

/// Has a sync of the customer give up; the id of the dead letter.
pub(crate) async fn given_up(app: &TestApp, account: &Account, subdomain: &str) -> String {
    account.inject(FaultRule::always(status(400)).on("articles"));
    let body = json!({ "customer_id": CUSTOMER, "full": true });
    app.post("/helpsync/v1/sync", CUSTOMER, body).await;
    app.ended(app.connection(CUSTOMER, subdomain).await).await;
    let (_, letters) = app.call(Method::GET, LETTERS, CUSTOMER, None).await;
    letters["dead_letters"][0]["id"].as_str().unwrap_or_else(|| panic!("{letters}")).to_owned()
}

/// As whoever holds the organization's key asks: nothing but the path says what for.
async fn by_key(app: &TestApp, method: Method, path: &str, body: &Value) -> StatusCode {
    app.http.request(method, app.url(path)).bearer_auth(API_KEY).json(body).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_is_replayed_or_discarded() {
    let (app, account) = giving_up(Shape::Embedded, &[], "acme").await;
    let letter = given_up(&app, &account, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let path = format!("{LETTERS}/{letter}/replay");
    assert_eq!(by_key(&app, Method::POST, &path, &Value::Null).await, StatusCode::OK);
    let action = "POST /helpsync/v1/dead-letters/{id}/replay";
    assert_by_key(&app, action, &path, Some(CUSTOMER)).await;
    app.ended(connection).await;
    // It gave up again.
    let letter = given_up(&app, &account, "acme").await;
    let path = format!("{LETTERS}/{letter}");
    assert_eq!(by_key(&app, Method::DELETE, &path, &Value::Null).await, StatusCode::OK);
    let action = "DELETE /helpsync/v1/dead-letters/{id}";
    let entry = assert_by_key(&app, action, &path, Some(CUSTOMER)).await;
    // What is not there cannot be taken away, and nobody is said to have done so.
    assert_eq!(by_key(&app, Method::DELETE, &path, &Value::Null).await, StatusCode::NOT_FOUND);
    assert_eq!(entry_of(&app, action).await, entry);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_message_that_is_replayed_or_discarded() {
    let app = TestApp::of(Shape::Services).await;
    let rabbit = app.parts().rabbit.clone().unwrap();
    let body = br#"{"schema":"helpsync.request.v9","customer_id":"eve"}"#;
    for (method, behind) in [(Method::POST, "/replay"), (Method::DELETE, "")] {
        let name = format!("r{}", behind.len());
        let origin = helpsync_queue::Origin::Requests;
        assert!(rabbit.publish_raw(origin, &name, body.to_vec()).await.is_stored());
        let path = format!("{LETTERS}/message-{name}{behind}");
        until("the message to be dead", async || {
            let letter = format!("{LETTERS}/message-{name}");
            (by_key(&app, Method::GET, &letter, &Value::Null).await == StatusCode::OK).then_some(())
        })
        .await;
        let action = format!("{method} {LETTERS}/{{id}}{behind}");
        assert_eq!(by_key(&app, method, &path, &Value::Null).await, StatusCode::OK);
        assert_by_key(&app, &action, &path, Some("eve")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_sent_once_more() {
    let extra = [
        ("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true"),
        ("HELPSYNC_WEBHOOKS__POLL_MS", "20"),
        ("HELPSYNC_WEBHOOKS__ATTEMPTS_MAX", "1"),
    ];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let receiver = Receiver::start(200).await;
    let (webhook, _) = add(&app, &receiver.url).await;
    app.post("/organization/statistics", CUSTOMER, json!({})).await;
    until("the delivery", async || receiver.received().pop()).await;
    let listed = format!("/helpsync/v1/webhooks/{webhook}/deliveries");
    let (_, listed) = app.call(Method::GET, &listed, CUSTOMER, None).await;
    let path = format!("/helpsync/v1/webhook-deliveries/{}/redeliver", listed["deliveries"][0]["id"]);
    assert_eq!(by_key(&app, Method::POST, &path, &json!({})).await, StatusCode::OK);
    // The event is the organization's, and no customer's.
    assert_by_key(&app, "POST /helpsync/v1/webhook-deliveries/{id}/redeliver", &path, None).await;

    receiver.answer(503);
    app.post("/organization/statistics", CUSTOMER, json!({})).await;
    let dead = format!("/helpsync/v1/webhooks/{webhook}/deliveries?state=dead");
    until("a dead delivery", async || {
        let (_, listed) = app.call(Method::GET, &dead, CUSTOMER, None).await;
        listed["deliveries"].as_array().and_then(|all| all.first().cloned())
    })
    .await;
    let path = format!("/helpsync/v1/webhooks/{webhook}/redeliver");
    assert_eq!(by_key(&app, Method::POST, &path, &json!({})).await, StatusCode::OK);
    assert_by_key(&app, "POST /helpsync/v1/webhooks/{id}/redeliver", &path, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_mends_what_it_found() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let (path, action) = ("/helpsync/v1/verify", "POST /helpsync/v1/verify");
    account.apply(Change::Delete { id: account.article_ids()[0] }).unwrap();
    compared(&app, json!({ "customer_id": CUSTOMER })).await;
    let none = log(&app, "action=POST%20/helpsync/v1/verify").await;
    assert!(none.is_empty(), "it has changed nothing: {none:?}");
    for whose in ["customer_id", "data_source_id"] {
        let mut body = json!({ "repair": true });
        body[whose] = if whose == "customer_id" { json!(CUSTOMER) } else { json!(connection.0) };
        let (_, last) = compared(&app, body).await;
        assert!(last["repaired_by_run"].is_i64(), "{last}");
        assert_by_key(&app, action, path, Some(CUSTOMER)).await;
        app.ended(connection).await;
        account.apply(Change::Delete { id: account.article_ids()[0] }).unwrap();
    }
    assert_eq!(log(&app, "action=POST%20/helpsync/v1/verify").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_buttons_of_the_managing_page() {
    let app = TestApp::embedded().await;
    app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let url = manage_url(&app, API_KEY).await;
    let browser = Browser::new(&app.http);
    let token = browser.open(&url).await.field("form_token");
    let action = "POST /integrations/zendesk/manage";
    let mut before = Value::Null;
    for what in ["sync", "select", "disconnect"] {
        let mut fields = vec![("form_token", token.as_str()), ("do", what)];
        if what == "select" {
            fields.extend([("locales", "de"), ("sure", "1")]);
        }
        assert_eq!(browser.send(&url, &fields).await.status, StatusCode::SEE_OTHER, "{what}");
        let entry = entry_of(&app, action).await;
        assert_ne!(entry["id"], before, "{what} left none of its own");
        assert_eq!((&entry["actor"]["kind"], &entry["detail"]["do"]), (&json!("browser"), &json!(what)));
        let target = "/integrations/zendesk/manage";
        assert_eq!((&entry["customer_id"], &entry["target"]), (&json!(CUSTOMER), &json!(target)), "{entry}");
        let text = entry.to_string();
        assert!(!text.contains(&token) && !text.contains(url.split("token=").nth(1).unwrap()), "{text}");
        before = entry["id"].clone();
        app.ended(connection).await;
    }
    // What only asks, and what no page of ours has sent.
    for fields in [[("form_token", token.as_str()), ("do", "ask")], [("form_token", "x"), ("do", "sync")]] {
        browser.send(&url, &fields).await;
    }
    assert_eq!(entry_of(&app, action).await["id"], before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_connected_with_a_token_of_its_own() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(3));
    let token = account.issue_tokens(CLIENT_ID, Role::Agent, "hc:read").access_token;
    let given = json!({ "source": "ZENDESK", "subdomain": "acme", "access_token": token });
    let body = json!({ "authentication": given });
    app.post("/integrations/connect", CUSTOMER, body).await;
    let entry =
        assert_by_key(&app, "POST /integrations/connect", "/integrations/connect", Some(CUSTOMER)).await;
    assert!(!entry.to_string().contains(&token), "{entry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_or_hit_nothing_is_said_of_nobody_and_what_changed_is_said_in_full() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    app.sync(CUSTOMER, "acme").await;
    let listed = app.post("/user_files_v2", CUSTOMER, json!({})).await;
    let file = &listed["results"][0]["id"];
    let mut chunks = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "overwrite_existing": true,
        "chunks_and_embeddings": [{ "file_id": file, "chunks_and_embeddings": [
            { "chunk_number": 0, "chunk": "x", "embedding": [1.0, 0.0] }] }] });
    app.post("/upload_chunks_and_embeddings", CUSTOMER, chunks.clone()).await;
    chunks["overwrite_existing"] = json!(false);
    let before = log(&app, "limit=1000").await;
    for (path, body, expected) in [
        ("/helpsync/v1/customers/ghost/pause", json!({}), StatusCode::NOT_FOUND),
        ("/helpsync/v1/customers/ghost/resume", json!({}), StatusCode::NOT_FOUND),
        ("/upload_chunks_and_embeddings", chunks.clone(), StatusCode::CONFLICT),
        ("/delete_files", json!({ "file_ids": [999_999] }), StatusCode::OK),
        ("/delete_files_v2", json!({ "filters": { "ids": [999_999] } }), StatusCode::OK),
    ] {
        let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body)).await;
        assert_eq!(status, expected, "{path}: {answer}");
        assert_eq!(log(&app, "limit=1000").await, before, "{path}");
    }

    let client = json!([{ "data_source_type": "ZENDESK", "credentials": { "client_id": "c", "client_secret": "hidden",
        "redirect_uri": "https://a.example/integrations/zendesk" } }]);
    app.post("/white_label/create", CUSTOMER, client).await;
    let entry = entry_of(&app, "POST /white_label/create").await;
    assert_eq!(entry["detail"]["list"][0]["credentials"]["client_id"], "c", "{entry}");
    assert!(!entry.to_string().contains("hidden"), "{entry}");
    app.post("/organization/update", CUSTOMER, json!({ "global_user_config": { "max_files": 77 } })).await;
    let entry = entry_of(&app, "POST /organization/update").await;
    assert_eq!(entry["detail"]["global_user_config"]["max_files"], 77, "{entry}");
    app.call(Method::PUT, "/helpsync/v1/selection", CUSTOMER, Some(json!({ "public_only": true }))).await;
    let entry = entry_of(&app, "PUT /helpsync/v1/selection").await;
    assert_eq!(entry["detail"]["selection"]["public_only"], true, "{entry}");
}
