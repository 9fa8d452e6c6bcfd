//! Outgoing webhooks, from the change in the help center to the receiver.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode as Status};
use helpsync_model::{DeliveryState, WebhookId};
use helpsync_store::{FileFilters, FileOrder, FileQuery, WebhookAdded};
use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use zendesk_sim::{BodyProfile, GenerateOptions};

use crate::app::{Shape, TestApp, make_key, real_time, until};
use crate::copy::assert_equal;
use crate::log::plant;

const CUSTOMER: &str = "ada";
const MANY: u32 = 100_000;

/// One request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) payload: Value,
}

impl Received {
    pub(crate) fn kind(&self) -> &str {
        self.payload["webhook_type"].as_str().unwrap()
    }

    pub(crate) fn object(&self) -> &Value {
        &self.payload["obj"]["object_id"]
    }

    fn event(&self) -> i64 {
        self.headers["helpsync-event-id"].to_str().unwrap().parse().unwrap()
    }

    /// As Carbon's helpers verify, written anew.
    fn assert_signed(&self, key: &str) {
        let compact = serde_json::from_str::<Value>(&self.body).unwrap().to_string();
        for (header, version, text) in
            [("carbon-signature", "v1", &self.body), ("carbon-signature-compact", "v2", &compact)]
        {
            let value = self.headers[header].to_str().unwrap();
            let parts: Vec<(&str, &str)> = value.split(',').map(|it| it.split_once('=').unwrap()).collect();
            let (name, time) = parts[0];
            // Of the try, which is not before the event.
            let event: i64 = self.payload["timestamp"].as_str().unwrap().parse().unwrap();
            assert!(name == "t" && time.parse::<i64>().unwrap() >= event, "{value}");
            let mut mac = Hmac::<Sha256>::new_from_slice(&hex::decode(key).unwrap()).unwrap();
            mac.update(format!("{time}.{text}").as_bytes());
            assert_eq!(parts[1], (version, hex::encode(mac.finalize().into_bytes()).as_str()));
        }
    }
}

#[derive(Debug, Default)]
struct Seen {
    received: Mutex<Vec<Received>>,
    /// Those that were answered otherwise than with 200.
    refused: Mutex<Vec<Received>>,
    /// What is answered; 0: nothing, ever.
    status: AtomicU16,
    under_way: AtomicI64,
    most_under_way: AtomicI64,
}

/// A receiver of webhooks.
pub(crate) struct Receiver {
    seen: Arc<Seen>,
    pub(crate) url: String,
    serving: tokio::task::JoinHandle<()>,
}

impl Receiver {
    pub(crate) async fn start(status: u16) -> Self {
        let seen = Arc::new(Seen { status: AtomicU16::new(status), ..Seen::default() });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().fallback(receive).with_state(Arc::clone(&seen));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { seen, url, serving }
    }

    pub(crate) fn answer(&self, status: u16) {
        self.seen.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.seen.received.lock().unwrap().clone()
    }

    pub(crate) fn refused(&self) -> Vec<Received> {
        self.seen.refused.lock().unwrap().clone()
    }

    /// Ids of the events that were taken.
    pub(crate) fn events(&self) -> BTreeSet<i64> {
        self.received().iter().map(Received::event).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn receive(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> Status {
    let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_under_way.fetch_max(now, Ordering::SeqCst);
    let status = seen.status.load(Ordering::SeqCst);
    if status == 0 {
        std::future::pending::<()>().await;
    }
    assert_eq!(headers["content-type"], "application/json");
    let body = String::from_utf8(body.to_vec()).unwrap();
    let outer: Value = serde_json::from_str(&body).unwrap();
    let payload = serde_json::from_str(outer["payload"].as_str().unwrap()).unwrap();
    let kept = if status == 200 { &seen.received } else { &seen.refused };
    kept.lock().unwrap().push(Received { headers, body, payload });
    seen.under_way.fetch_sub(1, Ordering::SeqCst);
    Status::from_u16(status).unwrap()
}

pub(crate) async fn start(shape: Shape, more: &[(&str, &str)]) -> TestApp {
    let mut settings =
        vec![("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true"), ("HELPSYNC_WEBHOOKS__POLL_MS", "20")];
    settings.extend(more);
    TestApp::start(shape, &settings, real_time()).await
}

pub(crate) fn small(articles: usize) -> GenerateOptions {
    GenerateOptions { articles, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

/// Adds a webhook; its id and its key.
pub(crate) async fn add(app: &TestApp, url: &str) -> (WebhookId, String) {
    let added = app.post("/add_webhook", CUSTOMER, json!({ "url": url })).await;
    let key = added["signing_key"].as_str().unwrap().to_owned();
    plant(&key);
    assert_eq!((key.len(), &added["status"]), (32, &json!("ACTIVE")), "{added}");
    (WebhookId(added["id"].as_i64().unwrap()), key)
}

/// Every event there is.
async fn written(app: &TestApp) -> BTreeSet<i64> {
    let parts = app.parts();
    let events = parts.store.webhooks().events(parts.organization, 0, MANY).await.unwrap();
    events.iter().map(|event| event.id).collect()
}

pub(crate) async fn arrived(app: &TestApp, receiver: &Receiver) {
    until("every event to arrive", async || (receiver.events() == written(app).await).then_some(())).await;
}

/// Our ids of the files that a customer has.
async fn files(app: &TestApp) -> BTreeSet<String> {
    let parts = app.parts();
    let customer = parts.store.admin().customer(parts.organization, CUSTOMER).await.unwrap().id;
    let query = FileQuery {
        customer,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: i64::from(MANY),
        offset: 0,
    };
    let (files, _) = parts.store.admin().files(&query).await.unwrap();
    files.iter().map(|file| file.id.to_string()).collect()
}

/// What a receiver that believes the events has.
fn rebuilt(received: &[Received]) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for one in received {
        match one.kind() {
            "FILE_READY" => {
                held.insert(one.object().as_str().unwrap().to_owned());
            }
            "FILE_DELETED" => {
                held.remove(one.object().as_str().unwrap());
            }
            _ => {}
        }
    }
    held
}

async fn a_receiver_learns_of_everything_and_can_rebuild_the_set_of_files(shape: Shape) {
    let app = start(shape, &[]).await;
    let account = app.account("acme", small(150));
    let receiver = Receiver::start(200).await;
    let (_, key) = add(&app, &receiver.url).await;
    app.connect(CUSTOMER, "acme").await;
    arrived(&app, &receiver).await;
    assert_eq!(rebuilt(&receiver.received()), files(&app).await);

    account.apply_random(80, 5);
    app.sync(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    arrived(&app, &receiver).await;
    assert_equal(&app, &account, CUSTOMER).await;
    assert_eq!(rebuilt(&receiver.received()), files(&app).await);
    app.post("/revoke_access_token", CUSTOMER, json!({ "data_source_id": connection.0 })).await;
    arrived(&app, &receiver).await;

    let received = receiver.received();
    assert_eq!((received[0].kind(), received.last().unwrap().kind()), ("ADD", "REVOKE"));
    let kinds: BTreeSet<&str> = received.iter().map(Received::kind).collect();
    for kind in [
        "ADD",
        "UPDATE",
        "FILES_CREATED",
        "FILE_READY",
        "FILE_DELETED",
        "DATA_SOURCE_READY",
        "ALL_UPLOADED_FILES_QUEUED",
        "ALL_FILES_PROCESSED",
        "REVOKE",
    ] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
    for one in &received {
        one.assert_signed(&key);
        assert_eq!(one.payload["customer_id"], CUSTOMER);
        if one.payload["obj"]["object_type"] == "DATA_SOURCE" {
            assert_eq!(*one.object(), connection.to_string());
        }
        if one.kind() == "FILE_READY" {
            let given = &one.payload["obj"]["additional_information"];
            assert!(given["is_resync"] == "True" || given["is_resync"] == "False", "{given}");
            assert!(given["request_id"].is_string(), "{given}");
        }
    }
    assert_eq!(received.len(), receiver.events().len(), "nothing broke, and yet something came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_learns_of_everything_and_can_rebuild_the_set_of_files_embedded() {
    a_receiver_learns_of_everything_and_can_rebuild_the_set_of_files(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_learns_of_everything_and_can_rebuild_the_set_of_files_on_services() {
    a_receiver_learns_of_everything_and_can_rebuild_the_set_of_files(Shape::Services).await;
}

async fn a_failing_receiver_is_left_alone_and_gets_everything_once_it_heals(shape: Shape) {
    let quick = [
        ("HELPSYNC_WEBHOOKS__ATTEMPTS_MAX", "3"),
        ("HELPSYNC_WEBHOOKS__RETRY_FIRST_MS", "1"),
        ("HELPSYNC_WEBHOOKS__BREAKER_FAILURES", "4"),
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS", "20"),
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MAX_SECONDS", "1"),
    ];
    let app = start(shape, &quick).await;
    app.account("acme", small(10));
    let receiver = Receiver::start(503).await;
    let (webhook, _) = add(&app, &receiver.url).await;
    app.connect(CUSTOMER, "acme").await;

    let flagged = until("the webhook to be flagged", async || {
        let listed = app.post("/webhooks", CUSTOMER, json!({})).await;
        assert_eq!((&listed["count"], &listed["results"][0]["signing_key"]), (&json!(1), &Value::Null));
        (listed["results"][0]["status"] == "FLAGGED").then(|| listed["results"][0].clone())
    })
    .await;
    assert!(flagged["status_reason"].as_str().unwrap().contains("503"), "{flagged}");
    let path = format!("/helpsync/v1/webhooks/{webhook}/deliveries?state=dead");
    let dead = until("a delivery to be dead", async || {
        let (_, answer) = app.call(Method::GET, &path, CUSTOMER, None).await;
        answer["deliveries"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!((&dead["attempts"], &dead["http_status"]), (&json!(3), &json!(503)), "{dead}");

    receiver.answer(200);
    app.post(&format!("/helpsync/v1/webhook-deliveries/{}/redeliver", dead["id"]), CUSTOMER, json!({})).await;
    until("the rest to arrive", async || {
        // More may have died before the receiver healed.
        app.post(&format!("/helpsync/v1/webhooks/{webhook}/redeliver"), CUSTOMER, json!({})).await;
        (receiver.events() == written(&app).await).then_some(())
    })
    .await;
    until("the webhook to be well", async || {
        let listed = app.post("/webhooks", CUSTOMER, json!({ "filters": { "ids": [webhook.0] } })).await;
        (listed["results"][0]["status"] == "ACTIVE").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_receiver_is_left_alone_and_gets_everything_once_it_heals_embedded() {
    a_failing_receiver_is_left_alone_and_gets_everything_once_it_heals(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_receiver_is_left_alone_and_gets_everything_once_it_heals_on_services() {
    a_failing_receiver_is_left_alone_and_gets_everything_once_it_heals(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_never_answers_holds_up_nobody_else() {
    let app = start(Shape::Embedded, &[("HELPSYNC_WEBHOOKS__CONCURRENCY", "2")]).await;
    app.account("acme", small(20));
    let (slow, quick) = (Receiver::start(0).await, Receiver::start(200).await);
    add(&app, &slow.url).await;
    add(&app, &quick.url).await;
    app.connect(CUSTOMER, "acme").await;
    until("the slow one to be called", async || {
        (slow.seen.under_way.load(Ordering::SeqCst) > 0).then_some(())
    })
    .await;
    arrived(&app, &quick).await;
    assert!(slow.received().is_empty());
    assert!(slow.seen.most_under_way.load(Ordering::SeqCst) <= 2);
    // A stopping process waits for no receiver, and gives back what it had.
    let (store, organization) = (app.parts().store.clone(), app.parts().organization);
    let stopping = std::time::Instant::now();
    assert!(!written(&app).await.is_empty() && store.webhooks().events(organization, 0, 1).await.is_ok());
    app.stop().await;
    assert!(stopping.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_refused_when_they_are_added_and_when_a_name_turns_out_to_be_one() {
    let app = TestApp::start(
        Shape::Embedded,
        &[("HELPSYNC_WEBHOOKS__POLL_MS", "20"), ("HELPSYNC_WEBHOOKS__ATTEMPTS_MAX", "1")],
        real_time(),
    )
    .await;
    let receiver = Receiver::start(200).await;
    for (url, said) in [
        (receiver.url.as_str(), "private address"),
        ("http://[::ffff:10.0.0.1]/", "private address"),
        ("https://localhost/x", "private address"),
        ("ftp://example.com", "https or http"),
        ("not a url", "not a URL"),
    ] {
        let (status, answer) =
            app.call(Method::POST, "/add_webhook", CUSTOMER, Some(json!({ "url": url }))).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{url}: {answer}");
        assert!(answer["detail"].as_str().unwrap().contains(said), "{url}: {answer}");
    }
    // Taken as public, and private by the time it is called: a name, and an address.
    let parts = app.parts();
    let mut added = Vec::new();
    for url in [receiver.url.replace("127.0.0.1", "localhost"), receiver.url.clone()] {
        let key = "00".to_owned().into();
        match parts.store.webhooks().add_webhook(parts.organization, &url, &key, 3).await.unwrap() {
            WebhookAdded::Added(webhook) => added.push(webhook.id),
            other => panic!("{other:?}"),
        }
    }
    app.account("acme", small(0));
    app.connect(CUSTOMER, "acme").await;
    for webhook in added {
        let error = until("the delivery to be refused", async || {
            let dead = Some(DeliveryState::Dead);
            let found =
                parts.store.webhooks().deliveries(parts.organization, webhook, dead, 0, 1).await.unwrap();
            found.into_iter().next()?.error
        })
        .await;
        assert!(error.contains("private address"), "{error}");
    }
    assert!(receiver.received().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_bounded_unique_and_the_organizations_own() {
    let app = start(Shape::Embedded, &[]).await;
    let url = |number: i64| json!({ "url": format!("https://app.example.com/{number}") });
    let mut ids = Vec::new();
    for number in 0..3 {
        let added = app.post("/add_webhook", CUSTOMER, url(number)).await;
        ids.push(added["id"].as_i64().unwrap());
    }
    let (again, _) = app.call(Method::POST, "/add_webhook", CUSTOMER, Some(url(0))).await;
    assert_eq!(again, StatusCode::CONFLICT);
    let (full, answer) = app.call(Method::POST, "/add_webhook", CUSTOMER, Some(url(3))).await;
    assert_eq!(full, StatusCode::BAD_REQUEST);
    assert!(answer["detail"].as_str().unwrap().contains("at most 3"), "{answer}");
    let (missing, _) = app.call(Method::POST, "/add_webhook", CUSTOMER, Some(json!({}))).await;
    assert_eq!(missing, StatusCode::UNPROCESSABLE_ENTITY);

    let remove =
        async |id: &str| app.call(Method::DELETE, &format!("/delete_webhook/{id}"), CUSTOMER, None).await.0;
    let id = ids[0].to_string();
    assert_eq!(remove(&id).await, StatusCode::OK);
    for unknown in [id.as_str(), "x", "99999999999999999999"] {
        assert_eq!(remove(unknown).await, StatusCode::NOT_FOUND, "{unknown}");
    }
    app.post("/add_webhook", CUSTOMER, url(0)).await;
    let page = json!({ "pagination": { "limit": 2 }, "order_by": "created_at", "order_dir": "desc",
        "filters": { "ids": [] } });
    let listed = app.post("/webhooks", CUSTOMER, page).await;
    assert_eq!((listed["results"].as_array().unwrap().len(), &listed["count"]), (2, &json!(3)));
    assert_eq!(listed["results"][0]["url"], "https://app.example.com/0");

    // Nothing here is for customers, or for another organization.
    let token =
        app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await.1["access_token"].clone();
    let parts = app.parts();
    let stranger = parts.store.admin().ensure_organization("other").await.unwrap();
    make_key(parts.store.admin(), stranger, "another-organization").await;
    for (credential, status) in [
        (format!("Token {}", token.as_str().unwrap()), StatusCode::FORBIDDEN),
        ("Bearer another-organization".to_owned(), StatusCode::NOT_FOUND),
        (String::new(), StatusCode::UNAUTHORIZED),
    ] {
        let path = format!("/helpsync/v1/webhooks/{}/deliveries", ids[1]);
        let answer = app.http.get(app.url(&path)).header("authorization", credential).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let (bad, _) = app
        .call(Method::GET, &format!("/helpsync/v1/webhooks/{}/deliveries?state=x", ids[1]), CUSTOMER, None)
        .await;
    assert_eq!(bad, StatusCode::BAD_REQUEST);
}
