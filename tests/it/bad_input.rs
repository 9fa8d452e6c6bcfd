//! Bad input, each with its status and a text that says what to do. Forged, replayed, expired and denied grants are in
//! `grants`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{API_KEY, LATE, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_subdomain_is_refused_before_anything_is_asked() {
    let app = TestApp::embedded().await;
    let long = "a".repeat(64);
    let characters = "may hold only letters, digits and inner hyphens";
    for (subdomain, said) in [
        ("evil.com/#", characters),
        ("evil.com/#.zendesk.com", characters),
        ("a.b", characters),
        ("127.0.0.1", characters),
        ("[::1]", characters),
        ("a b", characters),
        ("acme@evil.com", characters),
        (&long, "must have 3 to 63 characters, this one has 64"),
        ("", "is missing: send the part before .zendesk.com"),
    ] {
        for (path, body) in [
            ("/integrations/oauth_url", json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain })),
            (
                "/integrations/connect",
                json!({ "authentication":
                    { "source": "ZENDESK", "access_token": "x", "subdomain": subdomain } }),
            ),
        ] {
            let (status, answer) = app.call(Method::POST, path, "ada", Some(body)).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {subdomain:?}: {answer}");
            let detail = answer["detail"].as_str().unwrap();
            assert!(detail.contains(said), "{path} {subdomain:?}: {detail}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_takes_a_hundred_customers_and_known_sources() {
    let app = TestApp::embedded().await;
    let ids = |count: usize| (0..count).map(|n| format!("c{n}")).collect::<Vec<_>>();
    let body = |count: usize, sources: Value| json!({ "customer_ids": ids(count), "auto_sync_enabled_sources": sources });
    for good in [
        body(100, json!(["ZENDESK"])),
        body(100, json!("ALL")),
        body(1, json!([])),
        body(1, Value::Null),
        json!({ "customer_ids": ["c1"], "auto_sync_interval": 12 }),
    ] {
        let (status, answer) = app.call(Method::POST, "/update_users", "ada", Some(good.clone())).await;
        assert_eq!((status, answer), (StatusCode::OK, json!({ "success": true })), "{good}");
    }
    for (bad, said) in [
        (body(101, json!("ALL")), "100"),
        (body(0, json!("ALL")), "customer"),
        (body(1, json!(["NO_SUCH_SOURCE"])), "NO_SUCH_SOURCE"),
        (body(1, json!("SOME")), "ALL"),
        (json!({ "customer_ids": ["c1"], "auto_sync_interval": 5 }), "3, 6, 12"),
        (json!({ "customer_ids": "c1", "auto_sync_enabled_sources": "ALL" }), "customer_ids"),
        (json!({ "auto_sync_enabled_sources": "ALL" }), "customer_ids"),
    ] {
        let (status, answer) = app.call(Method::POST, "/update_users", "ada", Some(bad.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        assert!(answer["detail"].to_string().contains(said), "{bad}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_bodies_and_sizes_are_checked() {
    let app = TestApp::embedded().await;
    let url = app.url("/user_files_v2");
    let post = |key: &str, body: String| {
        let request = app.http.post(url.clone()).bearer_auth(key).header("customer-id", "ada");
        request.header("content-type", "application/json").body(body).send()
    };
    for (key, body, status, said) in [
        ("no-such-key-no-such-key", "{}".to_owned(), StatusCode::UNAUTHORIZED, "the API key is unknown"),
        (API_KEY, "{\"pagination\":".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, "json"),
        (API_KEY, "[1, 2]".to_owned(), StatusCode::UNPROCESSABLE_ENTITY, "body"),
        (
            API_KEY,
            format!("{{\"x\":\"{}\"}}", "x".repeat(2_000_000)),
            StatusCode::PAYLOAD_TOO_LARGE,
            "longer than 1048576 bytes",
        ),
    ] {
        let answer = post(key, body).await.unwrap();
        let content_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let (got, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!((got, content_type.as_str()), (status, "application/json"), "{text}");
        let detail = serde_json::from_str::<Value>(&text).unwrap()["detail"].to_string();
        assert!(detail.to_lowercase().contains(&said.to_lowercase()), "{said}: {detail}");
    }
    let nobody = app.http.post(url.clone()).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert!(nobody.text().await.unwrap().contains("send `authorization: Bearer"));
    let without_customer = app.http.post(url).bearer_auth(API_KEY).send().await.unwrap();
    assert_eq!(without_customer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without_customer.text().await.unwrap().contains("customer-id"));
    let (status, answer) = app.call(Method::GET, "/no/such/path", "ada", None).await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({ "detail": "path not found" })));
    let (status, _) = app.call(Method::GET, "/user_files_v2", "ada", None).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

/// Sends a whole request of `bytes` before it reads anything, as simple clients do; gives what was answered.
async fn send_all_then_read(app: &TestApp, path: &str, key: &str, bytes: usize) -> std::io::Result<String> {
    let url = app.url(path);
    let mut socket = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: helpsync\r\nauthorization: Bearer {key}\r\ncustomer-id: ada\r\n\
         connection: close\r\ncontent-length: {bytes}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await?;
    socket.write_all(&vec![b' '; bytes]).await?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_still_sending_gets_the_answer_and_no_reset() {
    let app = TestApp::embedded().await;
    let long = 12_000_000;
    for (path, key, status, said) in [
        ("/user_files_v2", API_KEY, "413", "longer than 1048576 bytes"),
        ("/user_files_v2", "no-such-key-no-such-key", "401", "the API key is unknown"),
        ("/no/such/path", API_KEY, "404", "path not found"),
        ("/integrations/zendesk/events/abc", API_KEY, "413", "longer than 65536 bytes"),
    ] {
        let answer = send_all_then_read(&app, path, key, long).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains("application/json") && answer.contains(said), "{path}: {answer}");
    }
    // Without end nobody is listened to.
    let endless = send_all_then_read(&app, "/user_files_v2", API_KEY, 200_000_000);
    let ended = tokio::time::timeout(LATE, endless).await.expect("the connection is closed on who sends on");
    assert!(ended.is_err(), "{ended:?}");
}

/// Words that only a Rust programmer knows.
const RUST: [&str; 10] =
    ["struct ", "sequence", "untagged", "enum ", "i64", "u32", "expected ", "unit value", "variant", "`"];

/// Every endpoint of the document that takes a body, with something in the place of what stands in braces.
async fn endpoints_with_bodies(app: &TestApp) -> Vec<(Method, String)> {
    let (_, document) = app.call(Method::GET, "/openapi.json", "ada", None).await;
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, endpoint) in methods.as_object().unwrap() {
            let media = &endpoint["requestBody"]["content"];
            if media.get("application/json").is_some() {
                let path: String = path
                    .split('{')
                    .map(|part| {
                        part.split_once('}').map_or_else(|| part.to_owned(), |(_, rest)| format!("1{rest}"))
                    })
                    .collect();
                found.push((method.to_uppercase().parse().unwrap(), path));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_the_wrong_kind_is_told_so_in_plain_words_at_every_endpoint() {
    let app = TestApp::embedded().await;
    let endpoints = endpoints_with_bodies(&app).await;
    assert!(endpoints.len() > 30, "{}", endpoints.len());
    for (method, path) in &endpoints {
        let refused = async |body: Value| {
            let (status, answer) = app.call(method.clone(), path, "ada", Some(body.clone())).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{method} {path} {body}: {answer}");
            answer["detail"][0]["msg"].as_str().unwrap_or_default().to_owned()
        };
        let said = refused(json!("text")).await;
        let wanted =
            said.strip_prefix("is \"text\", and must be ").unwrap_or_else(|| panic!("{path}: {said}"));
        assert!(["an object", "a list"].contains(&wanted), "{method} {path}: {said}");
        assert_eq!(refused(json!(5)).await, format!("is 5, and must be {wanted}"), "{method} {path}");
        if wanted == "an object" {
            for list in [json!([]), json!(["a"]), json!([{ "a": 1 }])] {
                assert_eq!(refused(list).await, "is a list, and must be an object", "{method} {path}");
            }
        } else {
            assert_eq!(refused(json!({})).await, "is an object, and must be a list", "{method} {path}");
        }
        // Every field that may be there, of a kind that no field has.
        let (_, answer) =
            app.call(method.clone(), path, "ada", Some(json!({ "no_such_field": [[{}]] }))).await;
        let detail = answer["detail"].to_string();
        assert!(RUST.iter().all(|word| !detail.contains(word)), "{method} {path}: {detail}");
    }
    for (path, body, said) in [
        ("/user_files_v2", json!({ "order_dir": 5 }), "must be one of the known words"),
        ("/user_files_v2", json!({ "order_dir": "up" }), "is \"up\", and may be asc or desc"),
        ("/user_files_v2", json!({ "filters": { "source": 5 } }), "must be a text or a list of texts"),
        ("/user_files_v2", json!({ "filters": { "locale": "de" } }), "is not known here: it may be one of"),
        ("/user_files_v2", json!({ "pagination": [5, 6] }), "is a list, and must be an object"),
        ("/update_users", json!({ "customer_ids": "c1" }), "is \"c1\", and must be a list"),
        ("/helpsync/v1/sync", json!({ "customer_id": 5 }), "is 5, and must be a text"),
        ("/helpsync/v1/sync", json!({ "customer_id": "ada", "full": "yes" }), "must be true or false"),
    ] {
        let (status, answer) = app.call(Method::POST, path, "ada", Some(body.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {answer}");
        let said_there = answer["detail"][0]["msg"].as_str().unwrap_or_default();
        assert!(said_there.contains(said), "{path} {body}: {answer}");
    }
}
