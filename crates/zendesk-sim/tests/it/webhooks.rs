//! Webhooks: made, heard, signed, tried again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use zendesk_sim::Change;

use crate::{Setup, articles};

#[tokio::test]
async fn publishing_posts_a_signed_event_and_a_refused_one_is_tried_again() {
    let setup = Setup::new(articles(3)).await;
    let (sent, mut arrived) = tokio::sync::mpsc::channel::<(HeaderMap, Bytes)>(10);
    let tries = Arc::new(AtomicU32::new(0));
    let hook = post(async move |headers: HeaderMap, body: Bytes| {
        if tries.fetch_add(1, Ordering::SeqCst) == 0 {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        sent.send((headers, body)).await.unwrap();
        StatusCode::OK
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", hook)).await });

    let body = json!({ "webhook": { "name": "test", "endpoint": endpoint, "http_method": "POST", "request_format": "json",
        "status": "active", "subscriptions": ["zen:event-type:article.unpublished"] } });
    let url = setup.url("/api/v2/webhooks");
    let made = setup.http.post(&url).bearer_auth(&setup.token).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.unwrap();
    let id = made["webhook"]["id"].as_str().unwrap();
    let (_, secret) = setup.get(&format!("/api/v2/webhooks/{id}/signing_secret")).await;
    let secret = secret["signing_secret"]["secret"].as_str().unwrap().to_owned();

    let article = setup.account.truth()[0].id;
    setup.account.apply(Change::Unpublish { id: article, locale: Some("en-us".to_owned()) }).unwrap();
    let arrived = tokio::time::timeout(Duration::from_secs(20), arrived.recv()).await;
    let (headers, body) = arrived.unwrap().unwrap();
    let header = |name: &str| headers[name].to_str().unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(header("x-zendesk-webhook-signature-timestamp").as_bytes());
    mac.update(&body);
    assert_eq!(STANDARD.encode(mac.finalize().into_bytes()), header("x-zendesk-webhook-signature"));
    let event: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(event["subject"], format!("zen:article:{article}"));
    while setup.account.deliveries().is_empty() {
        tokio::task::yield_now().await;
    }
    let delivery = setup.account.deliveries().remove(0);
    assert_eq!((delivery.status, delivery.attempts, delivery.article_id), (200, 2, article));
}
