//! `helpsync up` killed at random moments: nothing is lost, nothing is doubled, nobody has to help.

use std::time::{Duration, Instant};

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::{Entropy, OsEntropy, SeededEntropy};
use reqwest::redirect;
use serde_json::{Value, json};
use zendesk_sim::{BodyProfile, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, named, settings_of, sqlite_url, until};
use crate::copy::{assert_same, held, truth};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
const KILLS_PER_SYNC: usize = 5;
/// A process lives at most this long before it is killed.
const LIFE_MAX: Duration = Duration::from_millis(700);

/// One installation that is a process at times.
struct Installation {
    env: Vec<(String, String)>,
    http: reqwest::Client,
}

impl Installation {
    async fn up(&self) -> (Running, String) {
        let process = Running::start("helpsync", &["up"], &self.env);
        let url = process.said("Helpsync is up at ").await;
        (process, url)
    }

    async fn ask(&self, url: &str, path: &str, body: Option<Value>) -> Option<Value> {
        let address = format!("{url}{path}");
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.ok()?;
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.ok()
    }

    async fn is_syncing(&self, url: &str) -> bool {
        let status = self.ask(url, "helpsync/v1/status", None).await.unwrap();
        !status["runs"].as_array().unwrap().is_empty()
    }

    /// Kills the process again and again while a sync is under way, then lets the sync end.
    async fn sync_through_kills(&self, start: Value, entropy: &dyn Entropy) {
        let (mut process, mut url) = self.up().await;
        let mut kills = 0;
        while kills < KILLS_PER_SYNC {
            if !self.is_syncing(&url).await {
                self.ask(&url, "helpsync/v1/sync", Some(start.clone())).await.unwrap();
            }
            // Not a wait for anything: the moment of the kill is what is random here.
            tokio::time::sleep(LIFE_MAX.mul_f64(entropy.fraction())).await;
            let under_way = self.is_syncing(&url).await;
            process.kill();
            kills += usize::from(under_way);
            (process, url) = self.up().await;
        }
        until("the sync to end", async || (!self.is_syncing(&url).await).then_some(())).await;
        assert!(process.stop().await.success());
    }
}

/// The issue's own measure: 5,000 articles, 500 random mutations, ten kills, equal id by id and hash by hash.
#[tokio::test(flavor = "multi_thread")]
async fn killed_ten_times_the_copy_is_still_exact() {
    let seed = OsEntropy.fraction().to_bits();
    println!("seed {seed}");
    let entropy = SeededEntropy::new(seed);
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let generate =
        GenerateOptions { articles: 5_000, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let acme = account(&sim, "acme", generate);
    let folder = tempfile::tempdir().unwrap();
    let mut env = settings_of(&sim);
    env.push(named("STORE__URL", sqlite_url(folder.path())));
    let http =
        reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
    let installation = Installation { env, http };

    let (process, url) = installation.up().await;
    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let answer = installation.ask(&url, "integrations/oauth_url", Some(wanted)).await.unwrap();
    let page = installation.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
    assert!(page.status().is_success());
    process.kill();

    let began = Instant::now();
    installation.sync_through_kills(json!({ "customer_id": CUSTOMER, "full": true }), &entropy).await;
    acme.apply_random(500, 11);
    installation.sync_through_kills(json!({ "customer_id": CUSTOMER }), &entropy).await;
    // What was changed during the last kills is read by one more, undisturbed sync.
    let (process, url) = installation.up().await;
    installation.ask(&url, "helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await.unwrap();
    until("the last sync to end", async || (!installation.is_syncing(&url).await).then_some(())).await;
    assert!(process.stop().await.success());
    println!("{} kills in {:?}", 2 * KILLS_PER_SYNC, began.elapsed());

    let settings = Settings::load(None, installation.env.clone()).unwrap();
    let parts = Parts::open(settings, Runtime::default()).await.unwrap();
    let ours = held(&parts.store, parts.organization, CUSTOMER).await;
    parts.store.close().await;
    assert_same(&truth(&acme), &ours);
    sim.stop().await;
}
