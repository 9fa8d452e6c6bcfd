//! Attacks on a running server, each as its own test.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use helpsync_app::Runtime;
use helpsync_model::{Clock, ManualClock, OsEntropy, SystemClock};
use helpsync_store::testing::{FIRST, delete_without_forgetting};
use hmac::{Hmac, Mac as _};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use zendesk_sim::{BodyProfile, Change, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp, real_time, small, sqlite_url, until};
use crate::webhooks_out::{Receiver, add};

const CUSTOMER: &str = "ada";
const READERS: &str = "/helpsync/v1/readers";
/// Longer than any wait before a delivery is tried again.
const BETWEEN_TRIES: Duration = Duration::from_secs(24 * 3_600);

async fn names(app: &TestApp, key: &str, viewer: Option<&str>) -> BTreeSet<String> {
    let mut request =
        app.http.post(app.url("/user_files_v2")).bearer_auth(key).header("customer-id", CUSTOMER);
    if let Some(viewer) = viewer {
        request = request.header("helpsync-viewer-segments", viewer);
    }
    let answer = request.json(&json!({ "pagination": { "limit": 250 } })).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_that_wants_readers_named_shows_a_request_without_one_what_everybody_may_read() {
    let app = TestApp::embedded().await;
    let generate = GenerateOptions {
        articles: 40,
        restricted_fraction: 0.5,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    let (_, rule) = app.call(Method::GET, READERS, CUSTOMER, None).await;
    assert_eq!(rule["viewer_segments_required"], false, "the first organization is as Carbon's was");
    let everything = names(&app, API_KEY, None).await;
    let public = names(&app, API_KEY, Some("")).await;
    assert!(!public.is_empty() && public.len() < everything.len());
    let before = app.post("/user_files_v2", CUSTOMER, json!({ "include_raw_file": true })).await;

    let wanted = json!({ "viewer_segments_required": true });
    let (status, _) = app.call(Method::PUT, READERS, CUSTOMER, Some(wanted)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(names(&app, API_KEY, None).await, public, "fail closed");
    let (_, token) = app.call(Method::GET, "/auth/v1/access_token", CUSTOMER, None).await;
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let by_token = app.http.post(app.url("/user_files_v2")).header("authorization", token);
    let by_token: Value =
        by_token.json(&json!({ "pagination": { "limit": 250 } })).send().await.unwrap().json().await.unwrap();
    assert_eq!(by_token["count"], json!(public.len()), "an access token widens nothing");
    let export =
        app.http.get(app.url("/helpsync/v1/export")).bearer_auth(API_KEY).header("customer-id", CUSTOMER);
    assert_eq!(export.send().await.unwrap().text().await.unwrap().lines().count(), public.len());
    let hidden = before["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|file| !public.contains(file["name"].as_str().unwrap()));
    if let Some(hidden) = hidden {
        for path in ["/raw_file", "/helpsync/v1/files"] {
            let (status, _) =
                app.call(Method::GET, &format!("{path}/{}", hidden["id"]), CUSTOMER, None).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    if let Some(hidden) = hidden {
        let id = &hidden["id"];
        for (path, body) in [
            ("/resync_file", json!({ "file_id": id, "skip_file_processing": true })),
            ("/create_user_file_tags", json!({ "organization_user_file_id": id, "tags": { "a": "b" } })),
            ("/delete_user_file_tags", json!({ "organization_user_file_id": id, "tags": ["a"] })),
        ] {
            let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body)).await;
            assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
        }
        let history = format!("/helpsync/v1/files/{id}/history");
        assert_eq!(app.call(Method::GET, &history, CUSTOMER, None).await.0, StatusCode::NOT_FOUND);
        // A token reads for whom it was made, and its holder names nobody else.
        let file = app.http.get(app.url(&format!("/helpsync/v1/files/{id}")));
        let everyone = (1..=1_000).map(|segment| segment.to_string()).collect::<Vec<_>>().join(",");
        let segments = before_segments(&app, hidden).await;
        for (made_for, named, right) in [
            (None, None, StatusCode::NOT_FOUND),
            (None, Some(segments.as_str()), StatusCode::FORBIDDEN),
            (None, Some(everyone.as_str()), StatusCode::FORBIDDEN),
            (Some(segments.as_str()), None, StatusCode::OK),
            (Some(segments.as_str()), Some(segments.as_str()), StatusCode::OK),
            (Some(segments.as_str()), Some(""), StatusCode::NOT_FOUND),
            (Some(""), Some(segments.as_str()), StatusCode::FORBIDDEN),
        ] {
            let mut asked = app.http.get(app.url("/auth/v1/access_token")).bearer_auth(API_KEY);
            asked = asked.header("customer-id", CUSTOMER);
            if let Some(made_for) = made_for {
                asked = asked.header("helpsync-viewer-segments", made_for);
            }
            let token: Value = asked.send().await.unwrap().json().await.unwrap();
            let token = format!("Token {}", token["access_token"].as_str().unwrap());
            let mut asked = file.try_clone().unwrap().header("authorization", token);
            if let Some(named) = named {
                asked = asked.header("helpsync-viewer-segments", named);
            }
            assert_eq!(asked.send().await.unwrap().status(), right, "{made_for:?}, {named:?}");
        }
    }
    // Organizations that are made from now on begin so.
    let other = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": "other" })).await;
    let answer = app.http.get(app.url(READERS)).bearer_auth(other["api_key"].as_str().unwrap());
    let answer: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["viewer_segments_required"], true);
}

/// The segments that may read a file, as the header names them.
async fn before_segments(app: &TestApp, file: &Value) -> String {
    let id = helpsync_model::FileId(file["id"].as_i64().unwrap());
    let parts = app.parts();
    let file = parts.store.admin().file_of_organization(parts.organization, id).await.unwrap();
    file.user_segment_ids.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// The signatures of a delivery, with the time that they say.
fn signatures(received: &crate::webhooks_out::Received) -> (String, Vec<String>) {
    let value = received.headers["carbon-signature"].to_str().unwrap();
    let parts: Vec<(&str, &str)> = value.split(',').map(|it| it.split_once('=').unwrap()).collect();
    assert_eq!(parts[0].0, "t");
    (parts[0].1.to_owned(), parts[1..].iter().map(|(_, signature)| (*signature).to_owned()).collect())
}

fn signed(key: &str, time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&hex::decode(key).unwrap()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhooks_key_is_rotated_with_both_signing_for_a_time_and_one_after_it() {
    let extra = [("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let receiver = Receiver::start(200).await;
    let added = app.post("/add_webhook", CUSTOMER, json!({ "url": receiver.url })).await;
    let (old, id) = (added["signing_key"].as_str().unwrap(), added["id"].as_i64().unwrap());
    let path = format!("/helpsync/v1/webhooks/{id}/rotate-key");
    for wrong in [json!({ "overlap_hours": -1 }), json!({ "overlap_hours": 721 })] {
        let (status, _) = app.call(Method::POST, &path, CUSTOMER, Some(wrong)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (status, _) = app.call(Method::POST, "/helpsync/v1/webhooks/999/rotate-key", CUSTOMER, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let rotated = app.post(&path, CUSTOMER, json!({})).await;
    let new = rotated["signing_key"].as_str().unwrap();
    assert!(rotated["previous_key_until"].is_string() && new != old, "{rotated}");

    let next = async |count: usize| {
        app.post("/organization/statistics", CUSTOMER, json!({})).await;
        until("a delivery", async || receiver.received().get(count).cloned()).await
    };
    let received = next(0).await;
    let (time, both) = signatures(&received);
    assert_eq!(both, [signed(old, &time, &received.body), signed(new, &time, &received.body)]);
    // Rotated again, perhaps because the answer was lost: a receiver may know any of the three.
    let again = app.post(&path, CUSTOMER, json!({ "overlap_hours": 1 })).await;
    let newest = again["signing_key"].as_str().unwrap();
    let received = next(1).await;
    let (time, all) = signatures(&received);
    assert_eq!(all, [old, new, newest].map(|key| signed(key, &time, &received.body)));
    let (status, refused) = app.call(Method::POST, &path, CUSTOMER, Some(json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(refused["detail"].as_str().unwrap().contains("with overlap_hours 0"), "{refused}");
    app.post(&path, CUSTOMER, json!({ "overlap_hours": 0 })).await;
    let received = next(2).await;
    let (time, alone) = signatures(&received);
    assert_eq!(alone.len(), 1);
    for ended in [old, new, newest] {
        assert_ne!(alone[0], signed(ended, &time, &received.body), "a key that has ended signs no more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_try_of_a_delivery_signs_its_own_time_and_says_the_same() {
    let clock = Arc::new(ManualClock::new(SystemClock.now()));
    let runtime = Runtime { clock: Arc::clone(&clock) as Arc<dyn Clock>, entropy: Arc::new(OsEntropy) };
    let extra = [("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true"), ("HELPSYNC_WEBHOOKS__POLL_MS", "20")];
    let app = TestApp::start(Shape::Embedded, &extra, runtime).await;
    let receiver = Receiver::start(503).await;
    let (_webhook, key) = add(&app, &receiver.url).await;
    app.post("/organization/statistics", CUSTOMER, json!({})).await;
    until("the first try", async || receiver.refused().first().map(drop)).await;
    // The next one is due once the one before is written down, which nobody tells of: time goes on until it comes.
    let next = async |tries: usize| {
        until("the next try", async || {
            clock.advance(BETWEEN_TRIES);
            (receiver.refused().len() + receiver.received().len() >= tries).then_some(())
        })
        .await;
    };
    next(2).await;
    receiver.answer(200);
    next(receiver.refused().len() + 1).await;
    let taken = until("the try that is taken", async || receiver.received().first().cloned()).await;
    let mut tries = receiver.refused();
    tries.push(taken);
    let times: Vec<i64> = tries.iter().map(|one| signatures(one).0.parse().unwrap()).collect();
    let later = i64::try_from(BETWEEN_TRIES.as_secs()).unwrap();
    assert!(times.is_sorted() && times[times.len() - 1] >= times[0] + later, "{times:?}");
    for one in &tries {
        assert_eq!(one.body, tries[0].body, "the payload with its timestamp is the event's");
        assert_eq!(one.payload["timestamp"].as_str().unwrap().parse::<i64>().unwrap(), times[0]);
        let (time, both) = signatures(one);
        assert_eq!(both, [signed(&key, &time, &one.body)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presigned_url_ends_with_the_key_that_made_it() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let key = app.post("/helpsync/v1/api-keys", CUSTOMER, json!({ "name": "k", "scope": "read" })).await;
    let request = app.http.post(app.url("/user_files_v2")).bearer_auth(key["api_key"].as_str().unwrap());
    let request = request.header("customer-id", CUSTOMER).json(&json!({ "include_raw_file": true }));
    let files: Value = request.send().await.unwrap().json().await.unwrap();
    let url = files["results"][0]["presigned_url"].as_str().unwrap();
    assert_eq!(app.http.get(url).send().await.unwrap().status(), StatusCode::OK);
    let path = format!("/helpsync/v1/api-keys/{}", key["id"]);
    assert_eq!(app.call(Method::DELETE, &path, CUSTOMER, None).await.0, StatusCode::OK);
    assert_eq!(app.http.get(url).send().await.unwrap().status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_of_other_origins_than_those_that_are_set_are_given_nothing() {
    let extra = [("HELPSYNC_API__CORS_ORIGINS", "https://app.example.com")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    for (origin, allowed) in [("https://app.example.com", true), ("https://evil.example.com", false)] {
        let preflight = app.http.request(Method::OPTIONS, app.url("/user_files_v2")).header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
        let asked = app.http.get(app.url("/health")).header("origin", origin).send().await.unwrap();
        for answer in [preflight, asked] {
            let said = answer.headers().get("access-control-allow-origin").map(|it| it.to_str().unwrap());
            assert_eq!(said, allowed.then_some(origin), "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_origin_is_given_anything_where_the_setting_says_none() {
    let app = TestApp::start(Shape::Embedded, &[("HELPSYNC_API__CORS_ORIGINS", "none")], real_time()).await;
    for origin in ["https://app.example.com", "null"] {
        let preflight = app.http.request(Method::OPTIONS, app.url("/user_files_v2")).header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
        let asked = app.http.get(app.url("/health")).header("origin", origin).send().await.unwrap();
        for answer in [preflight, asked] {
            assert!(answer.headers().get("access-control-allow-origin").is_none(), "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customer_ids_are_refused_whatever_they_say() {
    let app = TestApp::embedded().await;
    for pair in [["ada", "bob"], ["ada", "ada"]] {
        let request = app.http.get(app.url("/whoami")).bearer_auth(API_KEY);
        let request = request.header("customer-id", pair[0]).header("customer-id", pair[1]);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_acts_never_leaves_whatever_was_stored() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let store = &app.parts().store;
    for statement in [
        "update file set external_url = $1",
        "update translation set external_url = $1",
        "update item set external_url = $1",
    ] {
        helpsync_store::testing::write_text(store, statement, "javascript:alert(1)").await;
    }
    let connection = app.connection(CUSTOMER, "acme").await;
    let listed = app.post("/user_files_v2", CUSTOMER, json!({})).await;
    let id = listed["results"][0]["id"].as_i64().unwrap();
    let items = json!({ "data_source_id": connection.0 });
    let search = json!({ "query": "the", "k": 5, "include_file_level_metadata": true });
    for (method, path, body) in [
        (Method::POST, "/user_files_v2".to_owned(), Some(json!({}))),
        (Method::GET, format!("/helpsync/v1/files/{id}"), None),
        (Method::GET, "/helpsync/v1/export".to_owned(), None),
        (Method::POST, "/integrations/items/list".to_owned(), Some(items)),
        (Method::POST, "/embeddings".to_owned(), Some(search)),
    ] {
        let mut request =
            app.http.request(method, app.url(&path)).bearer_auth(API_KEY).header("customer-id", CUSTOMER);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let text = answer.text().await.unwrap();
        assert!(!text.contains("javascript:"), "{path}: {text}");
    }
}

const PLANTED: &str = "xyzzyplantedword";

/// A customer whose copy has the planted word, and another.
async fn plant(app: &TestApp) {
    let account = app.account("acme", small(30));
    let change = Change::Create {
        section_id: None,
        title: format!("Title {PLANTED}"),
        body: format!("<p>{PLANTED} in a sentence</p>"),
        draft: false,
    };
    account.apply(change).unwrap();
    app.connect(CUSTOMER, "acme").await;
    app.account("beta", small(30));
    app.connect("bob", "beta").await;
    let found = async || {
        let answer = app.post("/embeddings", CUSTOMER, json!({ "query": PLANTED, "k": 1 })).await;
        (!answer["documents"].as_array().unwrap().is_empty()).then_some(())
    };
    until("the text to be found", found).await;
}

/// Whether the planted word is in the files of a database.
fn holds(url: &str) -> bool {
    let path = url.trim_start_matches("sqlite:");
    ["", "-wal"].iter().any(|suffix| {
        let bytes = std::fs::read(format!("{path}{suffix}")).unwrap_or_default();
        bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_customers_texts_are_in_the_file_no_more() {
    let app = TestApp::embedded().await;
    plant(&app).await;
    assert!(holds(&app.database_url()), "it was there");
    app.post("/delete_users", CUSTOMER, json!({ "customer_ids": [CUSTOMER] })).await;
    until("it to be gone from the file", async || (!holds(&app.database_url())).then_some(())).await;
    assert!(!names(&app, API_KEY, Some("")).await.contains("x"), "others are still served");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_start_makes_good_a_deletion_that_the_end_of_the_process_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite_url(folder.path());
    let settings = [("HELPSYNC_STORE__URL", url.as_str())];
    let app = TestApp::start(Shape::Embedded, &settings, real_time()).await;
    plant(&app).await;
    delete_without_forgetting(&app.parts().store, FIRST, CUSTOMER).await;
    app.stop().await;
    assert!(holds(&url), "it was there");
    let app = TestApp::start(Shape::Embedded, &settings, real_time()).await;
    until("it to be gone from the file", async || (!holds(&url)).then_some(())).await;
    assert!(!names(&app, API_KEY, Some("")).await.contains("x"), "others are still served");
}
