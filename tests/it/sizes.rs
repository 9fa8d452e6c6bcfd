//! Sizes of what is kept and of what is answered: one request cannot make every later listing large.

use reqwest::{Method, StatusCode};
use serde_json::{Map, Value, json};
use zendesk_sim::GenerateOptions;

use crate::app::{API_KEY, TestApp, small};

const CUSTOMER: &str = "ada";
/// What a body may just have.
const LARGE: usize = 900_000;
/// A listing of a hundred files, each with as many tags as it may have.
const LISTING_BYTES_MAX: usize = 1_200_000;

/// Tags of so many bytes: in one text, or in many.
fn tags(bytes: usize, many: bool) -> Value {
    if !many {
        return json!({ "t": "x".repeat(bytes) });
    }
    Value::Object(
        (0..bytes / 20).map(|number| (format!("key-{number}"), json!("value"))).collect::<Map<_, _>>(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_large_is_kept_to_be_shown_in_every_listing() {
    let app = TestApp::embedded().await;
    app.account("acme", GenerateOptions { articles: 100, ..GenerateOptions::default() });
    app.connect(CUSTOMER, "acme").await;
    let source = app.connection(CUSTOMER, "acme").await.0;
    let files = app.post("/user_files_v2", CUSTOMER, json!({ "pagination": { "limit": 100 } })).await;
    let file = files["results"][0]["id"].clone();
    for many in [false, true] {
        let tags = tags(LARGE, many);
        let text = "x".repeat(LARGE);
        let configs = json!({ "ZENDESK": { "allowed_file_formats": [text] } });
        let record = |secret: &str, path: &str| {
            let redirect = format!("https://a.example/{path}/integrations/zendesk");
            let credentials = json!({ "client_id": "c", "client_secret": secret, "redirect_uri": redirect });
            json!([{ "data_source_type": "ZENDESK", "credentials": credentials }])
        };
        for (path, body) in [
            ("/create_user_file_tags", json!({ "organization_user_file_id": file, "tags": tags })),
            ("/data_sources/tags/add", json!({ "data_source_id": source, "tags": tags })),
            ("/integrations/files/sync", json!({ "data_source_id": source, "ids": ["1"], "tags": tags })),
            ("/integrations/oauth_url", json!({ "service": "ZENDESK", "tags": tags })),
            ("/integrations/oauth_url", json!({ "service": "ZENDESK", "data_source_tags": tags })),
            ("/integrations/oauth_url", json!({ "service": "ZENDESK", "file_sync_config": tags })),
            ("/integrations/oauth_url", json!({ "service": "ZENDESK", "request_id": text })),
            ("/organization/update", json!({ "data_source_configs": configs })),
            ("/white_label/create", record(&text, "")),
            ("/white_label/create", record("s", &text)),
            ("/user_files_v2", json!({ "filters": { "name": text } })),
            ("/add_webhook", json!({ "url": format!("https://a.example/{text}") })),
        ] {
            let (status, answer) = app.call(Method::POST, path, CUSTOMER, Some(body)).await;
            let is_refused = [StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY].contains(&status);
            assert!(is_refused, "{path}: {status} {answer}");
            assert!(answer.to_string().len() < 2_000, "{path} says it all again");
        }
    }
    // Nor bit by bit: what is there counts too.
    let mut refused = None;
    for number in 0..50 {
        let body = json!({ "organization_user_file_id": file, "tags": { format!("tag-{number}"): "x".repeat(500) } });
        let (status, answer) = app.call(Method::POST, "/create_user_file_tags", CUSTOMER, Some(body)).await;
        if status != StatusCode::OK {
            refused = Some((status, answer));
            break;
        }
    }
    let (status, answer) = refused.expect("a bound");
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["detail"].as_str().unwrap().contains("8192 bytes"), "{answer}");
    let removing = json!({ "organization_user_file_id": file, "tags": ["tag-0"] });
    app.post("/delete_user_file_tags", CUSTOMER, removing).await;
    let listed = app.post("/user_files_v2", CUSTOMER, json!({ "pagination": { "limit": 100 } })).await;
    assert!(listed["results"].as_array().unwrap().len() > 50);
    assert!(listed.to_string().len() < LISTING_BYTES_MAX);
}

/// The longest chunk that may be brought, of characters that an answer has to escape: it is twice as long there.
const CHUNK_BYTES: usize = 262_144;
/// So many of them are more than an answer holds, though their texts alone are not.
const LONG_CHUNKS: usize = 66;
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Brings chunks for a file.
async fn bring(app: &TestApp, file: &Value, chunks: Vec<Value>) {
    let body = json!({ "embedding_model": "COHERE_MULTILINGUAL_V3", "overwrite_existing": true,
        "chunks_and_embeddings": [{ "file_id": file, "chunks_and_embeddings": chunks }] });
    app.post("/upload_chunks_and_embeddings", CUSTOMER, body).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_would_be_too_long_says_to_ask_for_less_and_less_is_answered() {
    let app = TestApp::embedded().await;
    app.account("acme", small(LONG_CHUNKS));
    app.connect(CUSTOMER, "acme").await;
    let files = app.post("/user_files_v2", CUSTOMER, json!({ "pagination": { "limit": 100 } })).await;
    let files: Vec<Value> =
        files["results"].as_array().unwrap().iter().map(|file| file["id"].clone()).collect();
    assert_eq!(files.len(), LONG_CHUNKS);
    let long = "\"".repeat(CHUNK_BYTES);
    for file in &files {
        bring(&app, file, vec![json!({ "chunk_number": 0, "chunk": long, "embedding": [1.0] })]).await;
    }
    let list = async |limit: usize, vectors: bool| {
        let body = json!({ "filters": {}, "include_vectors": vectors, "pagination": { "limit": limit } });
        let request = app.http.post(app.url("/list_chunks_and_embeddings")).bearer_auth(API_KEY);
        let answer = request.header("customer-id", CUSTOMER).json(&body).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(text.len() <= ANSWER_BYTES_MAX, "{} bytes", text.len());
        (status, text)
    };
    let refused = |(status, text): (StatusCode, String)| {
        let answer: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
        answer["detail"].as_str().unwrap().to_owned()
    };
    // What the database gave is short enough; written as JSON it is not.
    let said = refused(list(LONG_CHUNKS, false).await);
    assert_eq!(said, "the answer would be longer than 33554432 bytes: ask for fewer rows at once");
    let (status, text) = list(LONG_CHUNKS / 2, false).await;
    assert_eq!(status, StatusCode::OK);
    assert!(text.len() > ANSWER_BYTES_MAX / 2 - CHUNK_BYTES, "{} bytes", text.len());

    // And what is too much already when it is read from the database.
    let vector = vec![1; 16_384];
    for file in files.iter().take(8) {
        let one = |number| json!({ "chunk_number": number, "chunk": "x", "embedding": vector });
        bring(&app, file, (0..25).map(one).collect()).await;
    }
    let said = refused(list(200, true).await);
    assert!(said.contains("33554432 bytes") && said.ends_with("ask for fewer rows at once"), "{said}");
    assert_eq!(list(10, true).await.0, StatusCode::OK);
}
