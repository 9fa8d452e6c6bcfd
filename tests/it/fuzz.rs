//! Fuzzing of a whole installation over HTTP: bytes that nobody would send, from seeds that somebody did. Seconds in the suite;
//! `HELPSYNC_TEST_FUZZ_SECONDS` makes each of them go on for longer, from another seed each time that
//! `HELPSYNC_TEST_FUZZ_SEED` says so. Readers of single crates have targets of their own, which libFuzzer leads.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fuzz_inputs::Changed;
use helpsync_model::{Clock as _, Entropy as _, SeededEntropy, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::{API_KEY, Shape, TestApp, real_time, small};
use crate::audit::log;
use crate::event_subscriptions;

const CUSTOMER: &str = "ada";
/// How long each target goes on.
const SECONDS: u64 = 2;
/// Inputs that each must at least have seen, so that a slow machine cannot make it a test of nothing.
const INPUTS_MIN: u64 = 20;
/// Bytes from which an input is drawn: eight changes at most.
const DRAWN_BYTES_MAX: usize = 1 + 8 * 7;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Makes inputs until the time is over.
struct Mutator {
    entropy: SeededEntropy,
    until: Instant,
    made: u64,
}

impl Mutator {
    fn new(seed: u64) -> Self {
        let seconds = Duration::from_secs(setting("HELPSYNC_TEST_FUZZ_SECONDS", SECONDS));
        let entropy = SeededEntropy::new(seed + setting("HELPSYNC_TEST_FUZZ_SEED", 0));
        Self { entropy, until: Instant::now() + seconds, made: 0 }
    }

    fn below(&self, end: usize) -> usize {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        usize::try_from(u64::from_le_bytes(bytes) % end.max(1) as u64).unwrap()
    }

    /// The next input, made of one of the seeds; `None`: it has been enough.
    fn next(&mut self, seeds: &[Vec<u8>]) -> Option<Vec<u8>> {
        if self.made >= INPUTS_MIN && Instant::now() >= self.until {
            println!("{} inputs", self.made);
            return None;
        }
        self.made += 1;
        let mut drawn = vec![0; self.below(DRAWN_BYTES_MAX) + 1];
        self.entropy.fill(&mut drawn);
        let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
        Some(Changed::by(&drawn).of(&seeds))
    }

    fn next_text(&mut self, seeds: &[Vec<u8>]) -> Option<String> {
        self.next(seeds).map(|input| String::from_utf8_lossy(&input).into_owned())
    }
}

/// The status, and the request's id.
async fn answered(app: &TestApp, path: &str, body: Vec<u8>) -> (StatusCode, String) {
    let request = app.http.post(app.url(path)).bearer_auth(API_KEY).header("customer-id", CUSTOMER);
    let answer = request.body(body).send().await.unwrap();
    (answer.status(), answer.headers()["x-request-id"].to_str().unwrap().to_owned())
}

/// An installation that lets one caller ask as much as it can: what is refused for haste tells nothing.
async fn unhurried() -> TestApp {
    let most = [
        ("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_KEY", "1000000"),
        ("HELPSYNC_API__REQUESTS_PER_MINUTE_OF_ADDRESS", "1000000"),
    ];
    TestApp::start(Shape::Embedded, &most, real_time()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn api_bodies_are_served_or_refused_and_break_nothing() {
    let app = unhurried().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let operations = [
        (
            "/user_files_v2",
            json!({ "pagination": { "limit": 1, "offset": 0 }, "filters": { "tags": { "AND": [{ "key": "a", "value": 1 }] } } }),
        ),
        ("/embeddings", json!({ "query": "x", "k": 2, "tags": { "OR": [{ "key": "a", "value": "b" }] } })),
        ("/integrations/items/list", json!({ "data_source_id": 1, "pagination": { "limit": 5 } })),
        ("/create_user_file_tags", json!({ "organization_user_file_id": 1, "tags": { "a": ["b"] } })),
        (
            "/update_users",
            json!({ "customer_ids": ["ada"], "auto_sync_enabled_sources": "ALL", "max_files": 9 }),
        ),
        (
            "/upload_chunks_and_embeddings",
            json!({ "embedding_model": "OPENAI", "chunks_and_embeddings": [{ "file_id": 1,
            "chunks_and_embeddings": [{ "chunk_number": 0, "chunk": "x", "embedding": [0.5] }] }] }),
        ),
        ("/helpsync/v1/webhooks/1/rotate-key", json!({ "overlap_hours": 3 })),
        (
            "/integrations/oauth_url",
            json!({ "service": "ZENDESK", "zendesk_subdomain": "acme", "scopes": ["hc:read"], "tags": { "a": 1 },
            "file_sync_config": { "generate_chunks_only": true } }),
        ),
        (
            "/integrations/connect",
            json!({ "authentication": { "source": "ZENDESK", "subdomain": "acme", "access_token": "x" },
            "sync_options": { "chunk_size": 100, "tags": { "a": "b" } } }),
        ),
        (
            "/integrations/files/sync",
            json!({ "data_source_id": 1, "ids": ["1", { "id": "2" }], "chunk_size": 9 }),
        ),
        ("/resync_file", json!({ "file_id": 1, "chunk_size": 100, "chunk_overlap": 5 })),
        ("/delete_files_v2", json!({ "filters": { "ids": [1, 2] }, "preserve_file_record": true })),
        ("/list_chunks_and_embeddings", json!({ "filters": { "name": "a" }, "order_by": "created_at" })),
        ("/user_data_sources", json!({ "filters": { "source": "ZENDESK", "ids": [1] }, "order_dir": "asc" })),
        ("/add_webhook", json!({ "url": "https://a.example/hook?x=1" })),
        (
            "/white_label/create",
            json!([{ "data_source_type": "ZENDESK", "credentials": { "client_id": "a", "client_secret": "b",
            "redirect_uri": "https://a.example/c" } }]),
        ),
        ("/organization/update", json!({ "global_user_config": { "max_files": 3 } })),
        ("/helpsync/v1/sync", json!({ "customer_id": "ada", "full": true, "request_id": "r" })),
        ("/helpsync/v1/api-keys", json!({ "name": "k", "scope": "read", "expires_in_days": 3 })),
        ("/helpsync/v1/selection/preview", json!({ "labels": ["a"], "section_ids": [1], "locales": ["de"] })),
        ("/list_users", json!({ "pagination": { "limit": 3 }, "filters": { "customer_ids": ["ada"] } })),
    ];
    // A seed that is refused as it is would be no seed.
    let mut refused = Vec::new();
    for (path, body) in &operations {
        let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body.clone())).await;
        if status == StatusCode::UNPROCESSABLE_ENTITY || status.is_server_error() {
            refused.push(format!("{path}: {status} {answer}"));
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    let (mut mutator, mut refused) = (Mutator::new(3), HashMap::new());
    loop {
        let (path, body) = &operations[mutator.below(operations.len())];
        let Some(input) = mutator.next(&[body.to_string().into_bytes()]) else { break };
        let shown = String::from_utf8_lossy(&input).into_owned();
        let (status, id) = answered(&app, path, input).await;
        assert!(!status.is_server_error(), "{path}: {status} for {shown:?}");
        if status.is_client_error() {
            refused.insert(id, format!("{path}: {status} for {shown:?}"));
        }
    }
    assert_eq!(answered(&app, "/user_files_v2", b"{}".to_vec()).await.0, StatusCode::OK);
    let entries = log(&app, "limit=1000").await;
    for entry in entries.iter().filter(|entry| entry["action"] != "make a customer") {
        let told = refused.get(entry["request_id"].as_str().unwrap());
        assert_eq!(told, None, "it was refused, and the audit log says that it was done: {entry}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_addresses_are_believed_only_as_they_were_made() {
    let app = unhurried().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let files = app.post("/user_files_v2", CUSTOMER, json!({ "include_raw_file": true })).await;
    let right = files["results"][0]["presigned_url"].as_str().unwrap();
    let token = right.split_once("token=").unwrap().1.as_bytes().to_vec();
    let (_, access) = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await;
    let access = access["access_token"].as_str().unwrap().as_bytes().to_vec();
    let mut mutator = Mutator::new(4);
    while let Some(input) = mutator.next(&[token.clone(), access.clone()]) {
        let mut url = app.url("/presigned_file");
        url.query_pairs_mut().append_pair("token", &String::from_utf8_lossy(&input));
        let status = app.http.get(url).send().await.unwrap().status();
        assert_eq!(status == StatusCode::OK, input == token, "{input:?}: {status}");
        assert!(!status.is_server_error(), "{input:?}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zendesks_events_are_believed_only_as_they_were_signed_and_read_or_refused() {
    let app = unhurried().await;
    let account = event_subscriptions::acme(&app);
    event_subscriptions::connect(&app, &event_subscriptions::WATCHING).await;
    let webhook = event_subscriptions::made(&app, &account).await;
    let endpoint = webhook["endpoint"].as_str().unwrap();
    let secret = event_subscriptions::secret_of(&app, &account, &webhook).await;
    let article = account.truth()[0].id;
    let seeds = ["published", "unpublished", "votes"].map(|what| {
        json!({ "id": "e1", "type": format!("zen:event-type:article.{what}"),
            "detail": { "id": article.to_string(), "brand_id": "1" } })
        .to_string()
        .into_bytes()
    });
    let send = async |body: Vec<u8>, at: &str, signature: String| {
        let request = app.http.post(endpoint).header("x-zendesk-webhook-signature", signature);
        let request = request.header("x-zendesk-webhook-signature-timestamp", at).body(body);
        request.send().await.unwrap().status()
    };
    let mut mutator = Mutator::new(5);
    while let Some(body) = mutator.next(&seeds) {
        let at = SystemClock.now().to_string();
        let right = event_subscriptions::signature(&secret, &at, &body);
        let status = send(body.clone(), &at, right.clone()).await;
        assert!(status == StatusCode::OK || status.is_client_error(), "{body:?}: {status}");
        let Some(forged) = mutator.next_text(&[right.clone().into_bytes()]) else { break };
        let is_header = forged.bytes().all(|byte| byte.is_ascii_graphic()) && forged != right;
        if is_header {
            assert_eq!(send(body, &at, forged.clone()).await, StatusCode::UNAUTHORIZED, "{forged}");
        }
    }
    let whole = seeds[0].clone();
    let at = SystemClock.now().to_string();
    let right = event_subscriptions::signature(&secret, &at, &whole);
    assert_eq!(send(whole, &at, right).await, StatusCode::OK, "a true one is still believed");
}
