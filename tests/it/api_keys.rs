//! API keys and organizations: who may do what, over the API alone.

use std::sync::Arc;
use std::time::Duration;

use helpsync_app::Runtime;
use helpsync_model::{Clock, ManualClock, OsEntropy, SystemClock};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Change, FaultRule};

use crate::app::{API_KEY, Shape, TestApp, small};
use crate::browser::Browser;
use crate::pages::status;

const KEYS: &str = "/helpsync/v1/api-keys";
const ORGANIZATIONS: &str = "/helpsync/v1/organizations";
/// Articles of an export that no socket takes at once, more than one page of it.
const EXPORTED: usize = 250;

/// A call with a key, for a customer.
async fn ask(app: &TestApp, key: &str, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let request =
        app.http.request(method.clone(), app.url(path)).bearer_auth(key).header("customer-id", "ada");
    let request = if method == Method::GET { request } else { request.json(&body) };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or(Value::Null))
}

async fn made(app: &TestApp, with: &str, wanted: Value) -> (String, Value) {
    let (status, answer) = ask(app, with, Method::POST, KEYS, wanted).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    (answer["api_key"].as_str().unwrap().to_owned(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_does_what_its_scope_covers_and_nothing_more() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect("ada", "acme").await;
    let (post, get, delete) = (Method::POST, Method::GET, Method::DELETE);
    let calls = [
        (get.clone(), "/helpsync/v1/runs", json!({}), "read"),
        (post.clone(), "/user_files_v2", json!({}), "read"),
        (post.clone(), "/embeddings", json!({ "query": "word", "k": 1 }), "read"),
        (get.clone(), "/helpsync/v1/status", json!({}), "read"),
        (get.clone(), "/helpsync/v1/estimate?customer_id=ada", json!({}), "sync"),
        (post.clone(), "/organization/statistics", json!({}), "sync"),
        (post.clone(), "/helpsync/v1/sync", json!({ "customer_id": "ada" }), "sync"),
        (post.clone(), "/resync_file", json!({ "file_id": 1 }), "sync"),
        (
            post.clone(),
            "/update_users",
            json!({ "customer_ids": ["ada"], "auto_sync_enabled_sources": "ALL" }),
            "sync",
        ),
        (post.clone(), "/add_webhook", json!({ "url": "https://example.com/hook" }), "admin"),
        (post.clone(), "/delete_users", json!({ "customer_ids": ["nobody"] }), "admin"),
        (get.clone(), KEYS, json!({}), "admin"),
        (get, ORGANIZATIONS, json!({}), "operator"),
        (post, ORGANIZATIONS, json!({ "name": "made by an operator" }), "operator"),
        (delete, "/helpsync/v1/organizations/999", json!({}), "operator"),
    ];
    let order = ["read", "sync", "admin", "operator"];
    for (rank, scope) in order.iter().enumerate() {
        let (key, shown) = made(&app, API_KEY, json!({ "name": scope, "scope": scope })).await;
        assert!(
            key.starts_with("helpsync_") && key.starts_with(shown["prefix"].as_str().unwrap()),
            "{shown}"
        );
        for (method, path, body, needed) in &calls {
            let (status, answer) = ask(&app, &key, method.clone(), path, body.clone()).await;
            let covered = rank >= order.iter().position(|at| at == needed).unwrap();
            assert_eq!(status != StatusCode::FORBIDDEN, covered, "{scope} at {path}: {status} {answer}");
            if !covered {
                let said = answer["detail"].as_str().unwrap();
                assert!(said.contains(&format!("has the scope {scope}, and this takes {needed}")), "{said}");
            }
        }
        // What a key makes is worth no more than it is.
        let (status, _) =
            ask(&app, &key, Method::POST, KEYS, json!({ "name": "higher", "scope": "operator" })).await;
        assert_eq!(status == StatusCode::OK, *scope == "operator", "{scope}");
        let (_, token) = ask(&app, &key, Method::GET, "/auth/v1/access_token", json!({})).await;
        let token = format!("Token {}", token["access_token"].as_str().unwrap());
        let by_token =
            app.http.post(app.url("/integrations/items/sync/cancel")).header("authorization", token);
        let status = by_token.json(&json!({ "data_source_id": 1 })).send().await.unwrap().status();
        assert_eq!(status == StatusCode::FORBIDDEN, *scope == "read", "{scope}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_without_secrets_end_by_themselves_and_are_revoked_at_once() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let runtime = Runtime { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(OsEntropy) };
    let app = TestApp::start(Shape::Embedded, &[], runtime).await;
    let wanted = json!({ "name": "for a day", "scope": "read", "expires_in_days": 1 });
    let (short, _) = made(&app, API_KEY, wanted).await;
    let (long, shown) = made(&app, API_KEY, json!({ "name": "for good", "scope": "admin" })).await;
    let whoami = async |key: &str| ask(&app, key, Method::GET, "/whoami", json!({})).await;
    assert_eq!(whoami(API_KEY).await.0, StatusCode::OK, "makes the customer");
    assert_eq!(whoami(&short).await.0, StatusCode::OK);
    clock.advance(Duration::from_secs(24 * 3600));
    let (status, answer) = whoami(&short).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(answer["detail"].as_str().unwrap().contains("has expired"), "{answer}");

    let (_, listed) = ask(&app, &long, Method::GET, KEYS, json!({})).await;
    let listed = listed["keys"].as_array().unwrap().clone();
    let names: Vec<&str> = listed.iter().map(|key| key["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bootstrap", "for a day", "for good"]);
    assert_eq!(listed[1]["has_ended"], true);
    assert!(listed[1]["last_used_at"].is_string() && listed[2]["last_used_at"].is_string(), "{listed:?}");
    let text = serde_json::to_string(&listed).unwrap();
    assert!(!text.contains(&short) && !text.contains(&long) && !text.contains("hash"), "{text}");
    let (_, page) = ask(&app, &long, Method::GET, &format!("{KEYS}?limit=1"), json!({})).await;
    assert_eq!((page["keys"].as_array().unwrap().len(), &page["next_after"]), (1, &listed[0]["id"]));

    for (id, right) in [
        (listed[0]["id"].to_string(), StatusCode::CONFLICT),
        ("999".to_owned(), StatusCode::NOT_FOUND),
        ("x".to_owned(), StatusCode::NOT_FOUND),
        (shown["id"].to_string(), StatusCode::OK),
    ] {
        let (status, answer) = ask(&app, API_KEY, Method::DELETE, &format!("{KEYS}/{id}"), json!({})).await;
        assert_eq!(status, right, "{id}: {answer}");
    }
    assert_eq!(whoami(&long).await.0, StatusCode::UNAUTHORIZED);
    for wrong in [
        json!({ "name": "", "scope": "read" }),
        json!({ "name": "a\nb", "scope": "read" }),
        json!({ "name": "x".repeat(101), "scope": "read" }),
        json!({ "name": "x", "scope": "root" }),
        json!({ "name": "x" }),
        json!({ "name": "x", "scope": "read", "expires_in_days": 0 }),
        json!({ "name": "x", "scope": "read", "expires_in_days": 4_000 }),
        json!({ "name": "x", "scope": "read", "expires_in_day": 4 }),
    ] {
        let (status, answer) = ask(&app, API_KEY, Method::POST, KEYS, wrong.clone()).await;
        assert!(status.is_client_error(), "{wrong}: {status} {answer}");
    }
    let (status, _) =
        ask(&app, API_KEY, Method::POST, KEYS, json!({ "name": "for a day", "scope": "read" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
}

/// Links are for people who have no key: they end with the one that made them.
#[tokio::test(flavor = "multi_thread")]
async fn links_end_with_the_key_that_made_them() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    let (key, shown) = made(&app, API_KEY, json!({ "name": "passing", "scope": "admin" })).await;
    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let link = async || {
        let (status, answer) = ask(&app, &key, Method::POST, "/integrations/oauth_url", wanted.clone()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["oauth_url"].as_str().unwrap().to_owned()
    };
    let grant = link().await;
    let browser = Browser::new(&app.http);
    let pressed = browser.press(&grant).await;
    app.connect("ada", "acme").await;
    let sync = link().await;
    let (_, answer) = ask(&app, &key, Method::POST, "/helpsync/v1/manage_url", json!({})).await;
    let manage = answer["manage_url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let shown_there = browser.open(&manage).await.text;
    let watch = shown_there.split("progress?").nth(1).unwrap_or_else(|| panic!("{shown_there}"));
    let watch = watch.split(['"', '\'', '>', ' ']).next().unwrap();
    let watch = app.url(&format!("/integrations/zendesk/progress?{watch}")).to_string();
    for link in [&sync, &watch] {
        assert_eq!(browser.open(link).await.status, StatusCode::OK, "{link}");
    }
    let path = format!("{KEYS}/{}", shown["id"]);
    assert_eq!(ask(&app, API_KEY, Method::DELETE, &path, json!({})).await.0, StatusCode::OK);
    for link in [&grant, &pressed, &sync, &manage, &watch] {
        let page = browser.open(link).await;
        assert_eq!(page.status, StatusCode::GONE, "{link}: {}", page.text);
    }
    assert_eq!(browser.send(&sync, &[]).await.status, StatusCode::GONE);
}

/// A page that listens, and a program that reads a long export, hear nothing more once the key has ended.
#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_ends_with_its_key() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(1));
    let body = "<p>One of many words that make an article long.</p>".repeat(1_200);
    for number in 0..EXPORTED {
        let title = format!("Long {number}");
        account.apply(Change::Create { section_id: None, title, body: body.clone(), draft: false }).unwrap();
    }
    let (key, shown) = made(&app, API_KEY, json!({ "name": "passing", "scope": "admin" })).await;
    let path = format!("{KEYS}/{}", shown["id"]);
    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let (_, answer) = ask(&app, &key, Method::POST, "/integrations/oauth_url", wanted).await;
    let browser = Browser::new(&app.http);
    let end = browser.press(answer["oauth_url"].as_str().unwrap()).await;
    let end = browser.open(&end).await.location.unwrap();
    app.ended(app.connection("ada", "acme").await).await;
    // The next sync stays under way.
    account.inject(FaultRule::always(status(503)).on("/help_center/"));
    ask(&app, API_KEY, Method::POST, "/helpsync/v1/sync", json!({ "customer_id": "ada" })).await;
    let mut events = app.http.get(end.replace("/progress?", "/progress/events?")).send().await.unwrap();
    events.chunk().await.unwrap().unwrap();
    let export = app.http.get(app.url("/helpsync/v1/export")).bearer_auth(&key).header("customer-id", "ada");
    let mut export = export.send().await.unwrap();
    export.chunk().await.unwrap().unwrap();

    assert_eq!(ask(&app, API_KEY, Method::DELETE, &path, json!({})).await.0, StatusCode::OK);
    app.expect_error("an export broke off");
    account.clear_faults();
    let mut heard = String::new();
    while let Some(piece) = events.chunk().await.unwrap() {
        heard += &String::from_utf8_lossy(&piece);
    }
    assert!(!heard.contains("event: end"), "{heard}");
    let mut lines = 0;
    let broke_off = loop {
        match export.chunk().await {
            Ok(Some(piece)) => lines += piece.iter().filter(|byte| **byte == b'\n').count(),
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    assert!(broke_off && lines < EXPORTED, "{lines} lines");
}

/// Two names must not look alike and differ, and a name must not turn a line of a terminal around.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_has_no_character_that_people_cannot_see() {
    let app = TestApp::embedded().await;
    for unseen in ["\u{202e}", "\u{200b}", "\u{feff}", "\u{ad}", "\u{7f}", "\u{2028}"] {
        let name = format!("re{unseen}port");
        let client = json!({ "data_source_type": "ZENDESK", "credentials": {
            "client_id": name, "redirect_uri": "https://helpsync.example.com/integrations/zendesk" } });
        for (path, body) in [
            (KEYS, json!({ "name": name, "scope": "read" })),
            (ORGANIZATIONS, json!({ "name": name })),
            ("/white_label/create", json!([client.clone()])),
            ("/white_label/update", client),
        ] {
            let (status, answer) = ask(&app, API_KEY, Method::POST, path, body).await;
            assert!(status.is_client_error(), "{path} {unseen:?}: {answer}");
            assert!(answer["detail"].to_string().contains("cannot see"), "{path} {unseen:?}: {answer}");
        }
    }
    let (status, answer) =
        ask(&app, API_KEY, Method::POST, KEYS, json!({ "name": "Büro 日本 🙂", "scope": "read" })).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_reads_makes_no_customer() {
    let app = TestApp::embedded().await;
    let (key, _) = made(&app, API_KEY, json!({ "name": "reader", "scope": "read" })).await;
    for (method, path) in [
        (Method::GET, "/whoami"),
        (Method::POST, "/user_files_v2"),
        (Method::GET, "/auth/v1/access_token"),
        (Method::GET, "/helpsync/v1/export"),
    ] {
        let (status, answer) = ask(&app, &key, method, path, json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
    }
    let (_, listed) = ask(&app, API_KEY, Method::POST, "/list_users", json!({ "include_count": true })).await;
    assert_eq!(listed["count"], 0, "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slip_of_the_pen_deletes_nothing() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect("ada", "acme").await;
    let count =
        async || ask(&app, API_KEY, Method::POST, "/user_files_v2", json!({})).await.1["count"].clone();
    let before = count().await;
    for (path, body) in [
        ("/delete_files", json!({})),
        ("/delete_files", json!({ "ids": [5] })),
        ("/delete_files", json!({ "delete_non_synced_only": false })),
        ("/delete_files_v2", json!({ "file_ids": [5] })),
        ("/delete_files_v2", json!({ "filter": { "ids": [5] } })),
        ("/delete_files_v2", json!({ "filters": { "file_id": 5 } })),
        ("/delete_files_v2", json!({ "filters": { "external_file_id": ["x"] } })),
    ] {
        let (status, answer) = ask(&app, API_KEY, Method::POST, path, body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {answer}");
        assert_eq!(count().await, before, "{path} {body}");
    }
    let all = json!({ "filters": { "include_containers": true } });
    assert_eq!(ask(&app, API_KEY, Method::POST, "/delete_files_v2", all).await.0, StatusCode::OK);
    assert_eq!(count().await, 0, "what says all means all");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_organizations_that_are_apart_and_removes_them() {
    let app = TestApp::embedded().await;
    let (status, other) = ask(&app, API_KEY, Method::POST, ORGANIZATIONS, json!({ "name": "other" })).await;
    assert_eq!(status, StatusCode::OK, "{other}");
    let key = other["api_key"].as_str().unwrap().to_owned();
    let (status, _) = ask(&app, API_KEY, Method::POST, ORGANIZATIONS, json!({ "name": "other" })).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (second, _) =
        made(&app, API_KEY, json!({ "name": "second", "scope": "read", "organization": "other" })).await;
    for key in [&key, &second] {
        let (_, organization) = ask(&app, key, Method::GET, "/organization", json!({})).await;
        assert_eq!(organization["name"], "other");
    }
    let of_default = json!({ "name": "spy", "scope": "read", "organization": "default" });
    assert_eq!(ask(&app, &key, Method::POST, KEYS, of_default).await.0, StatusCode::FORBIDDEN);

    assert_eq!(
        ask(&app, &key, Method::GET, "/whoami", json!({})).await.0,
        StatusCode::OK,
        "makes a customer"
    );
    let path = format!("{ORGANIZATIONS}/{}", other["id"]);
    let (status, answer) = ask(&app, API_KEY, Method::DELETE, &path, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    let ada = json!({ "customer_ids": ["ada"] });
    assert_eq!(ask(&app, &key, Method::POST, "/delete_users", ada).await.0, StatusCode::OK);
    let (status, answer) = ask(&app, API_KEY, Method::DELETE, &path, json!({})).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(ask(&app, &key, Method::GET, "/organization", json!({})).await.0, StatusCode::UNAUTHORIZED);
    let own = app.parts().organization;
    let (status, _) = ask(&app, API_KEY, Method::DELETE, &format!("{ORGANIZATIONS}/{own}"), json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT);
    let (_, left) = ask(&app, API_KEY, Method::GET, ORGANIZATIONS, json!({})).await;
    assert_eq!(left["organizations"].as_array().unwrap().len(), 1, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_reaches_no_further_than_itself() {
    let app = TestApp::embedded().await;
    let (_, operators) = made(&app, API_KEY, json!({ "name": "operator", "scope": "operator" })).await;
    let (admin, _) =
        made(&app, API_KEY, json!({ "name": "admin", "scope": "admin", "expires_in_days": 2 })).await;
    let path = format!("{KEYS}/{}", operators["id"]);
    let (status, answer) = ask(&app, &admin, Method::DELETE, &path, Value::Null).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
    let longer = json!({ "name": "longer", "scope": "read", "expires_in_days": 3 });
    assert_eq!(ask(&app, &admin, Method::POST, KEYS, longer).await.0, StatusCode::FORBIDDEN);
    let (_, endless) = made(&app, &admin, json!({ "name": "endless", "scope": "read" })).await;
    let (_, listed) = ask(&app, API_KEY, Method::GET, KEYS, Value::Null).await;
    let end = |name: &str| {
        let keys = listed["keys"].as_array().unwrap();
        keys.iter().find(|key| key["name"] == name).unwrap()["expires_at"].clone()
    };
    assert!(end("admin").is_string() && end("endless") == end("admin"), "{endless}: {listed}");
    assert_eq!(ask(&app, API_KEY, Method::DELETE, &path, Value::Null).await.0, StatusCode::OK);
}
