//! Many searches at once over very many vectors: who asks for much waits behind himself, and memory stays bounded.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use helpsync_store::testing::searchable::{Vectors, add_vectors};
use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use zendesk_sim::{Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, consent, named, settings_of, small, sqlite_url, until};
use crate::processes::Running;

/// Of the one customer.
const VECTORS: i64 = 30_000;
const DIMENSIONS: usize = 1_024;
/// His searches at once.
const AT_ONCE: usize = 16;
/// What the searches may add to the most memory ever held: less than the vectors of one of them, which are 120 MB, and
/// two read at once. Steps of 512 vectors, what the driver reads ahead, and the databases' caches are some 50 MB.
const GROWTH_BYTES_MAX: u64 = 100 * 1024 * 1024;
const LATE_DETAIL: &str = "too many searches are under way: try again";

/// An embedded installation in a process of its own.
pub(crate) struct Up {
    pub(crate) process: Running,
    url: String,
    http: reqwest::Client,
}

impl Up {
    pub(crate) async fn start(env: &[(String, String)]) -> Self {
        let process = Running::start("helpsync", &["up"], env);
        let url = process.said("Helpsync is up at ").await;
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::none()).build().unwrap();
        Self { process, url, http }
    }

    pub(crate) async fn ask(&self, customer: &str, path: &str, body: Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).json(&body);
        let answer = request.bearer_auth(API_KEY).header("customer-id", customer).send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    /// Grants, and waits until the one file is chunked: what is uploaded before goes with the text's own chunks.
    pub(crate) async fn connect(&self, customer: &str, subdomain: &str) {
        let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
        let (_, granted) = self.ask(customer, "integrations/oauth_url", wanted).await;
        let callback = consent(&self.http, granted["oauth_url"].as_str().unwrap()).await;
        assert!(self.http.get(callback).send().await.unwrap().status().is_success());
        until("the file to be chunked", async || {
            let (_, listed) = self.ask(customer, "user_files_v2", json!({})).await;
            let tokens = listed["results"][0]["file_statistics"]["num_tokens"].as_i64();
            (tokens > Some(0)).then_some(())
        })
        .await;
    }

    /// The one chunk that is nearest.
    async fn search(&self, customer: &str) -> (StatusCode, Value) {
        let mut vector = vec![0.0; DIMENSIONS];
        vector[0] = 1.0;
        self.ask(customer, "embeddings", json!({ "query": "-", "query_vector": vector, "k": 1 })).await
    }
}

async fn many_searches_stop_nobody_else(store: &str) {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    account(&sim, "acme", small(1));
    account(&sim, "globex", small(1));
    let mut env = settings_of(&sim);
    env.push(named("STORE__URL", store));
    env.push(named("SECRETS__KEYS", format!("k1:{}=", "A".repeat(43))));
    let up = Up::start(&env).await;
    up.connect("ada", "acme").await;
    up.connect("bob", "globex").await;
    add_vectors(store, "ada", Vectors { count: VECTORS, dimensions: DIMENSIONS }).await;
    add_vectors(store, "bob", Vectors { count: 1, dimensions: DIMENSIONS }).await;
    // What a first search makes stays.
    assert_eq!(up.search("bob").await.0, StatusCode::OK);
    let before = up.process.peak_bytes();

    let ended = AtomicBool::new(false);
    let many = async {
        let many = futures::stream::iter((0..AT_ONCE).map(|_| up.search("ada"))).buffer_unordered(AT_ONCE);
        let answers = many.collect::<Vec<_>>().await;
        ended.store(true, Ordering::Relaxed);
        answers
    };
    // The other one asks as long as they are under way.
    let others = async {
        let mut answers = vec![up.search("bob").await];
        while !ended.load(Ordering::Relaxed) {
            answers.push(up.search("bob").await);
        }
        answers
    };
    let (his, others) = futures::join!(many, others);
    let grown = up.process.peak_bytes().saturating_sub(before);
    let (found, late): (Vec<_>, Vec<_>) = his.iter().partition(|(status, _)| status.is_success());
    println!(
        "{} found, {} late, the other one {} times, {} MiB more",
        found.len(),
        late.len(),
        others.len(),
        grown >> 20
    );
    for (status, answer) in &others {
        assert_eq!(
            (*status, &answer["documents"][0]["content"]),
            (StatusCode::OK, &json!("the nearest")),
            "{answer}"
        );
    }
    // His own may come too late on a slow machine: it is his searches that they wait for.
    assert!(!found.is_empty(), "{his:?}");
    for (_, answer) in found {
        assert_eq!(answer["documents"][0]["content"], "the nearest", "{answer}");
    }
    for (status, answer) in late {
        assert_eq!(
            (*status, &answer["detail"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!(LATE_DETAIL)),
            "{answer}"
        );
    }
    assert!(grown <= GROWTH_BYTES_MAX, "{grown} bytes");
    assert!(up.process.stop().await.success());
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_one_customer_over_very_many_vectors_stop_nobody_else_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    many_searches_stop_nobody_else(&sqlite_url(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_of_one_customer_over_very_many_vectors_stop_nobody_else_on_postgres() {
    let database = helpsync_store::testing::postgres().await;
    many_searches_stop_nobody_else(database.url()).await;
}
