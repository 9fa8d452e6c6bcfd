//! Webhooks: kept per account, posted with a signature by one task.

use std::collections::VecDeque;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::sync::mpsc;

use crate::account::Account;
use crate::clock::iso_ms;
use crate::content::{Event, EventKind};
use crate::http::{Answer, Request};
use crate::random::Random;
use crate::sync::lock;

/// Webhooks of one account.
const WEBHOOKS_MAX: usize = 100;
/// Ended deliveries that are remembered.
const DELIVERIES_KEPT: usize = 10_000;
/// Deliveries that wait for the posting task.
pub(crate) const OUTBOX: usize = 10_000;
/// For one try.
const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// One webhook.
#[derive(Debug, Clone)]
struct Webhook {
    id: String,
    name: String,
    endpoint: String,
    subscriptions: Vec<String>,
    status: String,
    secret: String,
    created_at_ms: i64,
}

/// A delivery that came to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The event's id: the same on every try.
    pub event_id: String,
    /// `zen:event-type:article.published` or `.unpublished`.
    pub event_type: String,
    /// The article.
    pub article_id: i64,
    /// Last status answered; 0 when nobody answered.
    pub status: u16,
    /// Tries.
    pub attempts: u32,
}

/// A delivery to be posted.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    endpoint: String,
    secret: String,
    webhook_id: String,
    event_id: String,
    event_type: String,
    article_id: i64,
    time: String,
    body: Vec<u8>,
}

/// The webhooks of one account.
#[derive(Debug)]
pub(crate) struct Webhooks {
    all: Vec<Webhook>,
    ended: VecDeque<Delivery>,
    random: Random,
}

impl Webhooks {
    pub(crate) fn new(seed: u64, subdomain: &str) -> Self {
        let random = Random::named(seed, &format!("webhooks/{subdomain}"));
        Self { all: Vec::new(), ended: VecDeque::new(), random }
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.ended.iter().cloned().collect()
    }

    /// What is to be posted for these events.
    pub(crate) fn posts(
        &mut self,
        events: &[Event],
        account_id: i64,
        brand_id: i64,
        now_ms: i64,
    ) -> Vec<Post> {
        let mut posts = Vec::new();
        for event in events {
            let event_type = match event.kind {
                EventKind::Published => "zen:event-type:article.published",
                EventKind::Unpublished => "zen:event-type:article.unpublished",
            };
            let event_id = self.random.ulid();
            let body = json!({
                "account_id": account_id,
                "detail": { "brand_id": brand_id.to_string(), "id": event.article_id.to_string() },
                "event": {
                    "author_id": event.author_id.to_string(),
                    "category_id": event.category_id.to_string(),
                    "locale": event.locale,
                    "section_id": event.section_id.to_string(),
                    "title": event.title,
                },
                "id": event_id,
                "subject": format!("zen:article:{}", event.article_id),
                "time": iso_ms(now_ms),
                "type": event_type,
                "zendesk_event_version": "2022-11-06",
            });
            let hears = |webhook: &&Webhook| {
                webhook.status == "active" && webhook.subscriptions.iter().any(|it| it == event_type)
            };
            posts.extend(self.all.iter().filter(hears).map(|webhook| Post {
                endpoint: webhook.endpoint.clone(),
                secret: webhook.secret.clone(),
                webhook_id: webhook.id.clone(),
                event_id: event_id.clone(),
                event_type: event_type.to_owned(),
                article_id: event.article_id,
                time: iso_ms(now_ms),
                body: body.to_string().into_bytes(),
            }));
        }
        posts
    }

    /// `/api/v2/webhooks…`; `rest` is what follows in the path.
    pub(crate) fn answer(&mut self, request: &Request, rest: &[&str], now_ms: i64) -> Answer {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let all: Vec<Value> = self.all.iter().map(shown).collect();
                Answer::json(200, json!({ "webhooks": all, "meta": { "has_more": false }, "links": {} }))
            }
            ("POST", []) => self.create(&request.body, now_ms),
            (method, [id, tail @ ..]) => {
                let Some(at) = self.all.iter().position(|webhook| webhook.id == *id) else {
                    return Answer::no_record();
                };
                match (method, tail) {
                    ("GET", []) => Answer::json(200, json!({ "webhook": shown(&self.all[at]) })),
                    ("DELETE", []) => {
                        self.all.remove(at);
                        Answer::empty(204)
                    }
                    ("PATCH" | "PUT", []) => {
                        let given = serde_json::from_slice::<Value>(&request.body).unwrap_or_default();
                        if let Some(status) = given["webhook"]["status"].as_str() {
                            self.all[at].status = status.to_owned();
                        }
                        Answer::empty(204)
                    }
                    ("GET", ["signing_secret"]) => {
                        let secret = &self.all[at].secret;
                        let shown = json!({ "algorithm": "SHA256", "secret": secret });
                        Answer::json(200, json!({ "signing_secret": shown }))
                    }
                    _ => Answer::no_endpoint(),
                }
            }
            _ => Answer::no_endpoint(),
        }
    }

    fn create(&mut self, body: &[u8], now_ms: i64) -> Answer {
        let given = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let webhook = &given["webhook"];
        let (Some(name), Some(endpoint)) = (webhook["name"].as_str(), webhook["endpoint"].as_str()) else {
            let error = json!({ "code": "InvalidWebhook", "title": "name and endpoint are required" });
            return Answer::json(400, json!({ "errors": [error] }));
        };
        if self.all.len() >= WEBHOOKS_MAX {
            return Answer::json(
                400,
                json!({ "errors": [{ "code": "TooManyWebhooks", "title": "limit reached" }] }),
            );
        }
        let subscriptions = webhook["subscriptions"].as_array().into_iter().flatten();
        let made = Webhook {
            id: self.random.ulid(),
            name: name.to_owned(),
            endpoint: endpoint.to_owned(),
            subscriptions: subscriptions.filter_map(Value::as_str).map(ToOwned::to_owned).collect(),
            status: webhook["status"].as_str().unwrap_or("active").to_owned(),
            secret: STANDARD.encode(self.random.bytes(30)),
            created_at_ms: now_ms,
        };
        let answer = Answer::json(201, json!({ "webhook": shown(&made) }));
        self.all.push(made);
        answer
    }
}

fn shown(webhook: &Webhook) -> Value {
    json!({
        "id": webhook.id,
        "name": webhook.name,
        "endpoint": webhook.endpoint,
        "http_method": "POST",
        "request_format": "json",
        "status": webhook.status,
        "subscriptions": webhook.subscriptions,
        "created_at": iso_ms(webhook.created_at_ms),
        "updated_at": iso_ms(webhook.created_at_ms),
    })
}

/// base64(HMAC-SHA256(secret, timestamp + body)).
fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(body);
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Posts what arrives until every account is gone.
pub(crate) async fn post_all(mut outbox: mpsc::Receiver<(Account, Post)>) {
    let client = reqwest::Client::builder().timeout(POST_TIMEOUT).no_proxy().build();
    let Ok(client) = client else { return };
    while let Some((account, post)) = outbox.recv().await {
        let settings = account.settings();
        let (mut status, mut attempts) = (0, 0);
        while attempts <= settings.webhook_retries {
            attempts += 1;
            let sent = client
                .post(&post.endpoint)
                .header("content-type", "application/json; charset=utf-8")
                .header("user-agent", "Zendesk Webhook")
                .header("x-zendesk-webhook-id", &post.webhook_id)
                .header("x-zendesk-webhook-invocation-id", &post.event_id)
                .header("x-zendesk-webhook-signature", signature(&post.secret, &post.time, &post.body))
                .header("x-zendesk-webhook-signature-timestamp", &post.time)
                .body(post.body.clone())
                .send()
                .await;
            status = sent.map_or(0, |answer| answer.status().as_u16());
            if (200..300).contains(&status) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(settings.webhook_retry_delay_ms)).await;
        }
        let ended = &mut lock(&account.state).webhooks.ended;
        if ended.len() == DELIVERIES_KEPT {
            ended.pop_front();
        }
        ended.push_back(Delivery {
            event_id: post.event_id,
            event_type: post.event_type,
            article_id: post.article_id,
            status,
            attempts,
        });
    }
}
