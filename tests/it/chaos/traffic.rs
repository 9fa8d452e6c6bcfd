//! What customers, applications and upstream services do meanwhile: change articles, and insist on syncs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use helpsync_app::Parts;
use helpsync_model::{Entropy, Request, RequestAction, SeededEntropy};
use helpsync_queue::Origin;
use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use zendesk_sim::Account;

use super::fleet::{Fleet, index};
use crate::app::API_KEY;

/// A client that waits longer asks again.
const ANSWER_LATE: Duration = Duration::from_secs(6);
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Rounds of changes and syncs that every customer gets at least.
const ROUNDS_MIN: usize = 2;
/// Between two rounds of one customer.
const ROUND_PAUSE: Duration = Duration::from_millis(800);
const CHANGES_MAX: usize = 12;

/// A customer and its workspace.
#[derive(Clone)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) account: Account,
}

/// What was asked for and accepted.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) changes: AtomicUsize,
    pub(super) syncs: AtomicUsize,
    pub(super) upstream: AtomicUsize,
    pub(super) resyncs: AtomicUsize,
    /// Answers that did not come, or said to come again.
    pub(super) again: AtomicUsize,
}

/// The world outside. Cheap to clone.
#[derive(Clone)]
pub(super) struct Traffic {
    pub(super) fleet: Arc<Mutex<Fleet>>,
    pub(super) parts: Parts,
    pub(super) asked: Arc<Asked>,
    http: reqwest::Client,
    entropy: Arc<SeededEntropy>,
}

impl Traffic {
    pub(super) fn new(fleet: Arc<Mutex<Fleet>>, parts: Parts, seed: u64) -> Self {
        let builder = reqwest::Client::builder().timeout(ANSWER_LATE).redirect(redirect::Policy::none());
        Self {
            fleet,
            parts,
            asked: Arc::default(),
            // Dispatchers come and go: a kept connection would meet a dead one.
            http: builder.pool_max_idle_per_host(0).build().unwrap(),
            entropy: Arc::new(SeededEntropy::new(seed)),
        }
    }

    /// Connects the customers, then changes and syncs them in turn until `enough`. The last thing that happens to a
    /// customer is that a request for a sync is accepted after its last change.
    pub(super) async fn run(self, customers: Vec<Customer>, enough: CancellationToken) {
        for customer in &customers {
            self.connect(customer).await;
        }
        let mut rounds = 0;
        while rounds < ROUNDS_MIN || !enough.is_cancelled() {
            for customer in &customers {
                let changes = 1 + index(self.entropy.fraction(), CHANGES_MAX);
                let seed = u64::from(self.entropy.fraction().to_bits() as u32) + rounds as u64;
                customer.account.apply_random(u32::try_from(changes).unwrap(), seed);
                self.asked.changes.fetch_add(changes, Ordering::Relaxed);
                self.request(customer).await;
            }
            rounds += 1;
            tokio::time::sleep(ROUND_PAUSE.mul_f64(self.entropy.fraction())).await;
        }
    }

    async fn request(&self, customer: &Customer) {
        let kind = self.entropy.fraction();
        if kind < 0.15 {
            // One article at once, and the rest of the changes by the sync that follows.
            let ids = customer.account.article_ids();
            let article_id = ids[index(self.entropy.fraction(), ids.len())];
            self.publish(customer, RequestAction::ResyncArticle { article_id }).await;
            self.asked.resyncs.fetch_add(1, Ordering::Relaxed);
        }
        if kind < 0.4 {
            self.publish(customer, RequestAction::Sync { full: kind < 0.2 }).await;
            self.asked.upstream.fetch_add(1, Ordering::Relaxed);
        } else {
            self.sync(customer, kind > 0.9).await;
        }
    }

    /// A sync through the API, until a dispatcher has accepted it.
    pub(super) async fn sync(&self, customer: &Customer, full: bool) {
        let body = json!({ "customer_id": customer.id, "full": full });
        self.post("helpsync/v1/sync", customer, &body).await;
        self.asked.syncs.fetch_add(1, Ordering::Relaxed);
    }

    /// A request of an upstream service, until the broker has confirmed it.
    async fn publish(&self, customer: &Customer, action: RequestAction) {
        let id = format!("upstream-{}", self.entropy.uuid().simple());
        let body = Request::new(customer.id.clone(), action).to_bytes();
        let rabbit = self.parts.rabbit.as_ref().unwrap();
        while !rabbit.publish_raw(Origin::Requests, &id, body.clone()).await.is_stored() {
            self.pause().await;
        }
    }

    /// The whole grant, begun anew until it has ended well.
    async fn connect(&self, customer: &Customer) {
        let request = json!({
            "service": "ZENDESK", "zendesk_subdomain": customer.account.subdomain(), "connecting_new_account": true,
        });
        loop {
            let answer = self.post("integrations/oauth_url", customer, &request).await;
            let url = answer["oauth_url"].as_str().unwrap();
            if let Some(callback) = self.consent(url).await {
                match self.http.get(callback).send().await {
                    Ok(page) if page.status() == StatusCode::OK => return,
                    Ok(page) => assert!(!page.status().is_client_error(), "{}", page.text().await.unwrap()),
                    Err(_away) => {}
                }
            }
            self.pause().await;
        }
    }

    /// By way of our page and Zendesk's to our callback. `None`: the dispatcher that the page is of is away.
    async fn consent(&self, url: &str) -> Option<String> {
        let mut address = url.to_owned();
        for _ in ["our page", "Zendesk's"] {
            let answer = self.http.get(&address).send().await.ok()?;
            if answer.status().is_server_error() {
                return None;
            }
            assert_eq!(answer.status(), StatusCode::FOUND);
            address = answer.headers()["location"].to_str().unwrap().to_owned();
        }
        Some(address)
    }

    /// POST to whichever dispatcher is there, until one has accepted it. Only "not now" is a reason to ask again.
    async fn post(&self, path: &str, customer: &Customer, body: &Value) -> Value {
        loop {
            let api = self.fleet.lock().await.api(self.entropy.fraction());
            if let Some(api) = api {
                let request = self.http.post(format!("{api}{path}")).json(body).bearer_auth(API_KEY);
                match request.header("customer-id", &customer.id).send().await {
                    Ok(answer) if answer.status().is_success() => {
                        if let Ok(answer) = answer.json().await {
                            return answer;
                        }
                    }
                    Ok(answer) => {
                        let status = answer.status();
                        let text = answer.text().await.unwrap_or_default();
                        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {text}");
                    }
                    Err(_away) => {}
                }
            }
            self.pause().await;
        }
    }

    async fn pause(&self) {
        self.asked.again.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(ASK_AGAIN).await;
    }
}
