//! One article of 50 MB: recorded with its reason, and no reason to need memory without bound.

use reqwest::redirect;
use serde_json::{Value, json};
use zendesk_sim::{BodyProfile, Change, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, consent, named, settings_of, sqlite_url, until};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
const HUGE_BYTES: usize = 50 * 1024 * 1024;
/// The most that the process may ever have held: an answer up to `zendesk.body_bytes_max` (64 MiB) as it arrives and
/// as it is read, one batch of 8 MiB being converted and one being stored, and the program itself. Seen: 88 MiB.
const PEAK_BYTES_MAX: u64 = 256 * 1024 * 1024;

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

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_fifty_megabytes_is_recorded_and_memory_stays_bounded() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let generate = GenerateOptions {
        articles: 50,
        draft_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let center = account(&sim, "acme", generate);
    let body = format!("<p>{}</p>", "word ".repeat(HUGE_BYTES / 5));
    let huge = Change::Create { section_id: None, title: "Huge".to_owned(), body, draft: false };
    let huge = center.apply(huge).unwrap().article;

    let folder = tempfile::tempdir().unwrap();
    let mut env = settings_of(&sim);
    env.push(named("STORE__URL", sqlite_url(folder.path())));
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
