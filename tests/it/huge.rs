//! Very long articles: one of 14 MB is stored, one of 50 MB recorded with its reason, and neither is a reason to need memory
//! without bound.

use std::path::Path;

use reqwest::redirect;
use serde_json::{Value, json};
use zendesk_sim::{BodyProfile, Change, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, consent, named, settings_of, sqlite_url, until};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
const HUGE_BYTES: usize = 50 * 1024 * 1024;
/// The most that the process may ever have held: an answer up to `zendesk.body_bytes_max` (64 MiB) as it arrives and
/// as it is read, one batch of 4 MiB being converted and one being stored, and the program itself. Seen: 88 MiB.
const PEAK_BYTES_MAX: u64 = 256 * 1024 * 1024;

const LONG_BYTES: usize = 14 * 1024 * 1024;
/// The same for one that is stored: what it is as JSON, as a tree and in its three forms, and each of these once more on its way
/// into the database. Seen: 300 to 352 MiB.
const LONG_PEAK_BYTES_MAX: u64 = 512 * 1024 * 1024;

struct Up {
    process: Running,
    url: String,
    http: reqwest::Client,
}

impl Up {
    async fn ask(&self, path: &str, body: Option<Value>) -> Value {
        let address = format!("{}{path}", self.url);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Waits for the newest run's end.
    async fn finished(&self) -> Value {
        until("a run to end", async || {
            let runs = self.ask("helpsync/v1/runs", None).await;
            let run = runs["runs"][0].clone();
            (run["finished_at"].is_string()).then_some(run)
        })
        .await
    }
}

/// A help center of 50 articles and one with this text, and its id.
fn with_article(sim: &Sim, body: String) -> i64 {
    let generate = GenerateOptions {
        articles: 50,
        draft_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let center = account(sim, "acme", generate);
    let article = Change::Create { section_id: None, title: "Long".to_owned(), body, draft: false };
    center.apply(article).unwrap().article
}

/// A process over SQLite that has connected the help center, what it held before, and its first run.
async fn synced(sim: &Sim, folder: &Path) -> (Up, u64, Value) {
    let mut env = settings_of(sim);
    env.push(named("STORE__URL", sqlite_url(folder)));
    let process = Running::start("helpsync", &["up"], &env);
    let url = process.said("Helpsync is up at ").await;
    let http = reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::none()).build().unwrap();
    let up = Up { process, url, http };
    let before = up.process.peak_bytes();

    let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let oauth_url = up.ask("integrations/oauth_url", Some(wanted)).await["oauth_url"].clone();
    let callback = consent(&up.http, oauth_url.as_str().unwrap()).await;
    assert!(up.http.get(callback).send().await.unwrap().status().is_success());
    let run = up.finished().await;
    assert_eq!(run["state"], "done", "{run}");
    (up, before, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_fourteen_megabytes_is_stored_and_memory_stays_bounded() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let paragraph = format!("<p>{}</p>\n", "Words of a long article. ".repeat(16));
    with_article(&sim, paragraph.repeat(LONG_BYTES / paragraph.len()));
    let folder = tempfile::tempdir().unwrap();
    let (up, before, run) = synced(&sim, folder.path()).await;
    assert_eq!((&run["counters"]["skipped"], &run["counters"]["created"]), (&json!(0), &json!(51)), "{run}");
    let peak = up.process.peak_bytes();
    println!("peak memory: {} MiB before, {} MiB after an article of 14 MiB", before >> 20, peak >> 20);
    assert!(peak <= LONG_PEAK_BYTES_MAX, "{peak} bytes");
    assert!(up.process.stop().await.success());
    sim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_fifty_megabytes_is_recorded_and_memory_stays_bounded() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let huge = with_article(&sim, format!("<p>{}</p>", "word ".repeat(HUGE_BYTES / 5)));
    let folder = tempfile::tempdir().unwrap();
    let (up, before, run) = synced(&sim, folder.path()).await;
    assert_eq!((&run["counters"]["skipped"], &run["counters"]["created"]), (&json!(1), &json!(50)), "{run}");

    // The reason is on record, and what is skipped is not gone.
    let skipped = up.ask(&format!("helpsync/v1/runs/{}/skipped", run["id"]), None).await;
    let list = skipped["skipped"].as_array().unwrap();
    assert_eq!((list.len(), &list[0]["article_id"]), (1, &json!(huge)), "{skipped}");
    let reason = list[0]["reason"].as_str().unwrap();
    println!("the reason: {reason}");
    assert!(reason.contains("long") || reason.contains("bytes"), "{reason}");
    up.ask("helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await;
    let run = up.finished().await;
    assert_eq!((&run["kind"], &run["counters"]["removed"]), (&json!("delta"), &json!(0)), "{run}");

    let peak = up.process.peak_bytes();
    println!("peak memory: {} MiB before, {} MiB after an article of 50 MiB", before >> 20, peak >> 20);
    assert!(peak <= PEAK_BYTES_MAX, "{peak} bytes");
    assert!(up.process.stop().await.success());
    sim.stop().await;
}
