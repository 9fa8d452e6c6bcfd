//! The audit log: every operation that changes something leaves who did what to whom.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use helpsync_app::{Parts, Process, Role, Runtime};
use helpsync_model::{Clock, ManualClock, OsEntropy, SystemClock};
use helpsync_store::testing::hold_a_file;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::app::{API_KEY, Shape, TestApp, small, until};

const CUSTOMER: &str = "ada";
const LOG: &str = "/helpsync/v1/audit";
/// Operations that take more than reading and are not walked, each with its reason.
const NOT_WALKED: [(&str, &str); 15] = [
    ("POST /integrations/zendesk/events/{endpoint}", "nobody asks for it: the run's receipt tells of it"),
    ("POST /integrations/connect", "in audited"),
    ("POST /integrations/zendesk/connect", "changes nothing; the callback tells of the grant"),
    ("POST /integrations/zendesk/manage", "in audited"),
    ("POST /helpsync/v1/manage_url", "changes nothing"),
    ("POST /helpsync/v1/selection/preview", "changes nothing"),
    ("POST /organization/statistics", "announces, and changes nothing"),
    ("POST /move_to_hot_storage", "changes nothing"),
    ("POST /modify_cold_storage_parameters", "changes nothing"),
    ("POST /modify_user_configuration", "changes nothing"),
    ("POST /helpsync/v1/verify", "changes nothing; what mends is in audited"),
    ("POST /helpsync/v1/dead-letters/{id}/replay", "in audited"),
    ("DELETE /helpsync/v1/dead-letters/{id}", "in audited"),
    ("POST /helpsync/v1/webhook-deliveries/{id}/redeliver", "in audited"),
    ("POST /helpsync/v1/webhooks/{id}/redeliver", "in audited"),
];

pub(crate) async fn log(app: &TestApp, query: &str) -> Vec<Value> {
    let (status, answer) = app.call(Method::GET, &format!("{LOG}?{query}"), CUSTOMER, None).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    answer["entries"].as_array().unwrap().clone()
}

/// The operations of the document that an API key of more than the scope read is needed for, or nobody's.
async fn changing(app: &TestApp) -> BTreeSet<String> {
    let (_, document) = app.call(Method::GET, "/openapi.json", CUSTOMER, None).await;
    let reference = include_str!("../../docs/api.md");
    let reads = |operation: &str| {
        let row = reference.lines().find(|line| line.starts_with(&format!("| `{operation}` |")));
        row.unwrap_or_else(|| panic!("{operation} is not in docs/api.md")).contains(": read |")
    };
    let mut found = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "get") {
            let operation = format!("{} {path}", method.to_uppercase());
            if !reads(&operation) {
                found.insert(operation);
            }
        }
    }
    found
}

/// Puts ids into the braces of an operation's path.
pub(crate) fn filled(operation: &str, id: &Value) -> (Method, String) {
    let (method, path) = operation.split_once(' ').unwrap();
    let path = match path.split_once('{') {
        None => path.to_owned(),
        Some((before, rest)) => {
            let id = id.as_str().map_or_else(|| id.to_string(), ToOwned::to_owned);
            format!("{before}{id}{}", rest.split_once('}').unwrap().1)
        }
    };
    (method.parse().unwrap(), path)
}

/// Every call: the operation, the id in its path, its body.
pub(crate) fn calls(
    source: i64,
    files: &[i64],
    article: &Value,
    hook: i64,
) -> Vec<(&'static str, Value, Value)> {
    let none = Value::Null;
    let client = |secret: &str| {
        let credentials = json!({ "client_id": "c", "client_secret": secret,
            "redirect_uri": "https://a.example/integrations/zendesk" });
        json!({ "data_source_type": "ZENDESK", "credentials": credentials })
    };
    let ours = json!({ "data_source_id": source });
    let tags = json!({ "organization_user_file_id": files[0], "tags": { "a": "b" } });
    let chunks = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "overwrite_existing": true,
        "chunks_and_embeddings": [{ "file_id": files[0], "chunks_and_embeddings": [
            { "chunk_number": 0, "chunk": "left", "embedding": [1.0, 0.0] }] }] });
    vec![
        (
            "POST /data_sources/tags/add",
            none.clone(),
            json!({ "data_source_id": source, "tags": { "a": "b" } }),
        ),
        (
            "POST /data_sources/tags/remove",
            none.clone(),
            json!({ "data_source_id": source, "tags_to_remove": ["a"] }),
        ),
        ("POST /create_user_file_tags", none.clone(), tags),
        (
            "POST /delete_user_file_tags",
            none.clone(),
            json!({ "organization_user_file_id": files[0], "tags": ["a"] }),
        ),
        ("POST /upload_chunks_and_embeddings", none.clone(), chunks),
        ("POST /resync_file", none.clone(), json!({ "file_id": files[0] })),
        (
            "POST /integrations/files/sync",
            none.clone(),
            json!({ "data_source_id": source, "ids": [article] }),
        ),
        ("POST /helpsync/v1/sync", none.clone(), json!({ "customer_id": CUSTOMER })),
        ("POST /helpsync/v1/data_sources/{data_source_id}/cancel", json!(source), json!({})),
        ("POST /helpsync/v1/data_sources/{data_source_id}/allow_removals", json!(source), json!({})),
        ("POST /integrations/items/sync", none.clone(), ours.clone()),
        ("POST /integrations/items/sync/cancel", none.clone(), ours.clone()),
        ("POST /helpsync/v1/customers/{customer_id}/approve_removals", json!(CUSTOMER), json!({})),
        ("POST /helpsync/v1/customers/{customer_id}/refuse_removals", json!(CUSTOMER), json!({})),
        ("POST /helpsync/v1/customers/{customer_id}/pause", json!(CUSTOMER), json!({})),
        ("POST /helpsync/v1/customers/{customer_id}/resume", json!(CUSTOMER), json!({})),
        ("POST /helpsync/v1/lanes/{lane}/pause", json!("backfill"), json!({})),
        ("POST /helpsync/v1/lanes/{lane}/resume", json!("backfill"), json!({})),
        ("PUT /helpsync/v1/selection", none.clone(), json!({ "attachments": true })),
        ("PUT /helpsync/v1/branding", none.clone(), json!({ "display_name": "Example" })),
        ("PUT /helpsync/v1/readers", none.clone(), json!({ "viewer_segments_required": false })),
        ("POST /delete_files_v2", none.clone(), json!({ "filters": { "ids": [files[1]] } })),
        ("POST /delete_files", none.clone(), json!({ "file_ids": [files[2]] })),
        ("DELETE /deletefile/{file_id}", json!(files[3]), json!({})),
        (
            "POST /update_users",
            none.clone(),
            json!({ "customer_ids": ["gone"], "auto_sync_enabled_sources": [] }),
        ),
        ("POST /delete_users", none.clone(), json!({ "customer_ids": ["gone"] })),
        ("POST /organization/update", none.clone(), json!({ "global_user_config": { "max_files": 1000 } })),
        ("POST /white_label/create", none.clone(), json!([client("one")])),
        ("POST /white_label/update", none.clone(), client("two")),
        ("POST /white_label/delete", none.clone(), json!({ "ids": [1] })),
        ("POST /helpsync/v1/webhooks/{id}/redeliver", json!(hook), json!({})),
        ("POST /helpsync/v1/webhooks/{id}/rotate-key", json!(hook), json!({})),
        ("DELETE /delete_webhook/{webhook_id}", json!(hook), json!({})),
        ("POST /revoke_access_token", none, ours),
    ]
}

/// The newest entry of an action.
pub(crate) async fn entry_of(app: &TestApp, action: &str) -> Value {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("action", action).append_pair("limit", "1");
    let found = log(app, &query.finish()).await;
    found.into_iter().next().unwrap_or_else(|| panic!("{action} left no entry"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_about_the_customer_whom_its_path_or_body_names() {
    let app = TestApp::embedded().await;
    app.account("acme", small(4));
    app.connect(CUSTOMER, "acme").await;
    for (path, operation, body) in [
        ("/helpsync/v1/customers/ada/pause", "POST /helpsync/v1/customers/{customer_id}/pause", json!({})),
        ("/helpsync/v1/customers/ada/resume", "POST /helpsync/v1/customers/{customer_id}/resume", json!({})),
        ("/helpsync/v1/sync", "POST /helpsync/v1/sync", json!({ "customer_id": CUSTOMER })),
    ] {
        // Without the header that names a customer too.
        let answer = app.http.post(app.url(path)).bearer_auth(API_KEY).json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{operation}");
        assert_eq!(entry_of(&app, operation).await["customer_id"], CUSTOMER, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_that_changes_something_leaves_an_entry_and_no_secret_is_in_one() {
    let app = TestApp::embedded().await;
    app.account("acme", small(8));
    app.connect(CUSTOMER, "acme").await;
    let mut walked = BTreeSet::new();
    let granted = entry_of(&app, "GET /integrations/zendesk").await;
    assert_eq!((&granted["actor"]["kind"], &granted["customer_id"]), (&json!("browser"), &json!(CUSTOMER)));
    let asked = entry_of(&app, "POST /integrations/oauth_url").await;
    assert_eq!(
        (&asked["actor"]["kind"], &asked["detail"]["service"]),
        (&json!("api_key"), &json!("ZENDESK"))
    );
    walked.insert("POST /integrations/oauth_url".to_owned());

    let link = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let link =
        app.post("/integrations/oauth_url", CUSTOMER, link).await["oauth_url"].as_str().unwrap().to_owned();
    assert!(app.http.post(&link).send().await.unwrap().status().is_success());
    assert_eq!(entry_of(&app, "POST /integrations/zendesk/sync").await["actor"]["kind"], "browser");
    walked.insert("POST /integrations/zendesk/sync".to_owned());

    let hook = app
        .post("/add_webhook", CUSTOMER, json!({ "url": "https://hooks.example.com/x?token=hidden" }))
        .await;
    let added = entry_of(&app, "POST /add_webhook").await;
    assert_eq!(added["detail"], json!({ "url": "https://hooks.example.com/x" }));
    walked.insert("POST /add_webhook".to_owned());
    let key = app.post("/helpsync/v1/api-keys", CUSTOMER, json!({ "name": "k", "scope": "read" })).await;
    let organization = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": "other" })).await;
    for operation in ["POST /helpsync/v1/api-keys", "POST /helpsync/v1/organizations"] {
        assert_eq!(entry_of(&app, operation).await["actor"]["kind"], "api_key");
        walked.insert(operation.to_owned());
    }

    let source = app.connection(CUSTOMER, "acme").await.0;
    let listed = app.post("/user_files_v2", CUSTOMER, json!({ "pagination": { "limit": 10 } })).await;
    let files: Vec<i64> =
        listed["results"].as_array().unwrap().iter().map(|file| file["id"].as_i64().unwrap()).collect();
    let article = listed["results"][0]["external_file_id"].clone();
    let mut all = calls(source, &files, &article, hook["id"].as_i64().unwrap());
    all.push(("DELETE /helpsync/v1/api-keys/{id}", key["id"].clone(), json!({})));
    all.push(("DELETE /helpsync/v1/organizations/{id}", organization["id"].clone(), json!({})));
    all.retain(|(operation, ..)| !NOT_WALKED.iter().any(|(known, _)| known == operation));
    for (operation, id, body) in all {
        if operation.ends_with("allow_removals") || operation.ends_with("approve_removals") {
            hold_a_file(&app.parts().store).await;
        }
        if operation == "PUT /helpsync/v1/readers" {
            let required = Some(json!({ "viewer_segments_required": true }));
            app.call(Method::PUT, "/helpsync/v1/readers", CUSTOMER, required).await;
        }
        let (method, path) = filled(operation, &id);
        let (status, answer) = app.call(method, &path, CUSTOMER, Some(body)).await;
        assert!(status.is_success(), "{operation}: {status} {answer}");
        let entry = entry_of(&app, operation).await;
        assert_eq!((&entry["actor"]["kind"], &entry["target"]), (&json!("api_key"), &json!(path)), "{entry}");
        assert!(!entry["request_id"].as_str().unwrap().is_empty(), "{entry}");
        walked.insert(operation.to_owned());
    }
    let expected: BTreeSet<String> = changing(&app)
        .await
        .into_iter()
        .filter(|operation| !NOT_WALKED.iter().any(|(known, _)| known == operation))
        .collect();
    assert_eq!(walked.intersection(&expected).cloned().collect::<BTreeSet<_>>(), expected, "not walked");
    for customer in ["gone", CUSTOMER] {
        assert!(!log(&app, &format!("customer_id={customer}&limit=1")).await.is_empty(), "{customer}");
    }
    let text = json!(log(&app, "limit=1000").await).to_string();
    assert!(!text.contains("hidden") && !text.contains(key["api_key"].as_str().unwrap()), "{text}");
    assert!(!text.contains("\"one\"") && !text.contains("\"two\""), "a client's secret: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_is_named_what_only_reads_leaves_nothing_and_each_organization_sees_its_own() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let other = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": "other" })).await;
    let other = other["api_key"].as_str().unwrap();
    let ask = async |key: &str, query: &str| {
        let answer = app.http.get(app.url(&format!("{LOG}?{query}"))).bearer_auth(key).send().await.unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(ask(other, "").await.1["entries"], json!([]));

    let before = log(&app, "limit=1000").await;
    for (path, body) in [("/user_files_v2", json!({})), ("/embeddings", json!({ "query": "x", "k": 1 }))] {
        app.post(path, CUSTOMER, body).await;
    }
    app.call(Method::GET, "/helpsync/v1/status", CUSTOMER, None).await;
    assert_eq!(log(&app, "limit=1000").await.len(), before.len(), "what only reads leaves nothing");
    let (status, _) =
        app.call(Method::POST, "/resync_file", CUSTOMER, Some(json!({ "file_id": 999_999 }))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(log(&app, "limit=1000").await.len(), before.len(), "what was refused was not done");

    let (_, token) = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await;
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let source = app.connection(CUSTOMER, "acme").await.0;
    let by_token = app.http.post(app.url("/integrations/items/sync")).header("authorization", token);
    let status = by_token.json(&json!({ "data_source_id": source })).send().await.unwrap().status();
    assert_eq!(status, StatusCode::OK);
    let [newest] = &log(&app, &format!("actor=customer:{CUSTOMER}&limit=1")).await[..] else {
        panic!("no entry")
    };
    assert_eq!(
        (&newest["action"], &newest["actor"]["id"]),
        (&json!("POST /integrations/items/sync"), &json!(CUSTOMER))
    );
    assert!(newest["actor"]["name"].as_str().unwrap().contains("bootstrap"), "{newest}");

    // Pages by id, and by time.
    let all = log(&app, "limit=1000").await;
    let (_, page) = app.call(Method::GET, &format!("{LOG}?limit=2"), CUSTOMER, None).await;
    assert_eq!(page["entries"], json!(all[..2]));
    let next = log(&app, &format!("limit=2&before={}", page["next_before"])).await;
    assert_eq!(next, all[2..4]);
    let at = newest["at"].as_str().unwrap();
    assert!(log(&app, &format!("until={}", all.last().unwrap()["at"].as_str().unwrap())).await.is_empty());
    assert!(!log(&app, &format!("from={at}")).await.is_empty());
    for wrong in ["from=yesterday", "before=x", &format!("action={}", "x".repeat(400))] {
        let (status, answer) = app.call(Method::GET, &format!("{LOG}?{wrong}"), CUSTOMER, None).await;
        assert!(status.is_client_error(), "{wrong}: {status} {answer}");
    }
    let read = app.post("/helpsync/v1/api-keys", CUSTOMER, json!({ "name": "r", "scope": "sync" })).await;
    assert_eq!(ask(read["api_key"].as_str().unwrap(), "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(API_KEY, "").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_kept_for_the_time_that_is_set_and_then_go() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let runtime = || Runtime { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(OsEntropy) };
    let mut app = TestApp::start(Shape::Embedded, &[("HELPSYNC_API__AUDIT_LOG_DAYS", "4")], runtime()).await;
    let made = "action=POST%20/helpsync/v1/api-keys&limit=10";
    for name in ["old", "new"] {
        app.post("/helpsync/v1/api-keys", CUSTOMER, json!({ "name": name, "scope": "read" })).await;
        clock.advance(Duration::from_secs(2 * 86_400 + 1));
    }
    // A process looks when it starts, and every hour (its own test makes that time pass).
    let settings = app.parts().settings().clone();
    for process in std::mem::take(&mut app.processes) {
        process.stop().await;
    }
    let parts = Parts::open(settings, runtime()).await.unwrap();
    app.processes.push(Process::start(parts, Role::All).await.unwrap());
    let left = until("the old entry to go", async || {
        let left = log(&app, made).await;
        (left.len() == 1).then_some(left)
    })
    .await;
    assert_eq!(left[0]["detail"]["name"], "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_does_to_another_organization_is_in_that_ones_log() {
    let app = TestApp::embedded().await;
    let other = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": "other" })).await;
    let branding = Some(json!({ "display_name": "Other" }));
    let (status, answer) =
        app.call(Method::PUT, "/helpsync/v1/branding?organization=other", CUSTOMER, branding).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let key = json!({ "name": "theirs", "scope": "admin", "organization": "other" });
    app.post("/helpsync/v1/api-keys", CUSTOMER, key).await;
    let theirs = app.http.get(app.url(LOG)).bearer_auth(other["api_key"].as_str().unwrap());
    let theirs: Value = theirs.send().await.unwrap().json().await.unwrap();
    let mine = log(&app, "limit=100").await;
    for action in ["PUT /helpsync/v1/branding", "POST /helpsync/v1/api-keys"] {
        for entries in [theirs["entries"].as_array().unwrap(), &mine] {
            let entry = entries.iter().find(|entry| entry["action"] == action);
            assert_eq!(entry.unwrap()["detail"]["organization"], "other", "{action}: {theirs}");
        }
    }
}
