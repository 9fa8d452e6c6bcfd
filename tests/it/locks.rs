//! One database file, one process: whatever is deleted, and whoever starts beside it.

use std::path::Path;

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use reqwest::redirect;
use serde_json::{Value, json};
use tempfile::TempDir;
use zendesk_sim::{Account, Churn, Fault, FaultRule, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, named, settings_of, small, sqlite_url, until};
use crate::copy::{assert_same, held, truth};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
const ARTICLES: usize = 300;
const IN_USE: &str = "in use by another helpsync process";
/// Syncs under churn, each of them cut off by a kill.
const ROUNDS: usize = 5;

struct Installation {
    env: Vec<(String, String)>,
    folder: TempDir,
    http: reqwest::Client,
    sim: Sim,
    account: Account,
}

impl Installation {
    async fn new() -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let account = account(&sim, "acme", small(ARTICLES));
        let folder = tempfile::tempdir().unwrap();
        let mut env = settings_of(&sim);
        env.push(named("STORE__URL", sqlite_url(folder.path())));
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
        Self { env, folder, http, sim, account }
    }

    fn lock(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db.lock")
    }

    async fn up(&self) -> (Running, String) {
        // What is refused while another process holds the file is told with the request that wanted it.
        let process =
            Running::start("helpsync", &["up"], &self.env).allowing(&["the store failed a request"]);
        let url = process.said("Helpsync is up at ").await;
        (process, url)
    }

    /// One more, that must not come up.
    async fn is_refused(&self) {
        let mut process = Running::start("helpsync", &["up"], &self.env);
        process.said(IN_USE).await;
        until_ended(&mut process).await;
    }

    async fn ask(&self, url: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let address = format!("{url}{path}");
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    async fn connect(&self, url: &str) {
        let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
        let (_, answer) = self.ask(url, "integrations/oauth_url", Some(wanted)).await;
        let page = self.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success());
    }

    async fn sync(&self, url: &str) {
        let (status, told) =
            self.ask(url, "helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await;
        assert_eq!(status, 200, "{told}");
    }

    async fn is_quiet(&self, url: &str) {
        until("the sync to end", async || {
            let (_, told) = self.ask(url, "helpsync/v1/status", None).await;
            (told["runs"] == json!([])).then_some(())
        })
        .await;
    }

    /// The process has ended, so the file is free.
    async fn ends_equal(self) {
        let parts =
            Parts::open(Settings::load(None, self.env.clone()).unwrap(), Runtime::default()).await.unwrap();
        let ours = held(&parts.store, parts.organization, CUSTOMER).await;
        parts.store.close().await;
        assert_same(&truth(&self.account), &ours);
        self.sim.stop().await;
    }
}

/// Waits for the end of a process that ends by itself.
async fn until_ended(process: &mut Running) {
    let process = std::sync::Mutex::new(process);
    until("the process to end", async || process.lock().unwrap().has_ended().then_some(())).await;
}

fn delete(path: &Path) {
    std::fs::remove_file(path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_file_is_refused_also_when_the_lock_was_deleted() {
    let on = Installation::new().await;
    let (first, url) = on.up().await;
    on.is_refused().await;
    on.connect(&url).await;
    delete(&on.lock());
    // Readiness writes, and finds it gone; a look that began before may answer once more.
    until("the first to lock anew", async || {
        assert_eq!(on.ask(&url, "readyz", None).await.0, 200);
        on.lock().exists().then_some(())
    })
    .await;
    on.is_refused().await;
    on.is_quiet(&url).await;
    assert!(first.stop().await.success());
    on.ends_equal().await;
}

/// The lock is deleted under a process that cannot notice, and another takes the file in the middle of a sync.
#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_file_to_another_process_writes_nothing_until_that_one_ends() {
    let on = Installation::new().await;
    let (first, url) = on.up().await;
    on.account.inject(FaultRule::always(Fault::SlowBody { chunk_bytes: 4_000, delay_ms: 60 }));
    on.connect(&url).await;
    until("the first sync under way", async || (on.account.requests().len() > 4).then_some(())).await;
    first.signal("STOP");
    delete(&on.lock());
    on.account.clear_faults();
    // The first may have been stopped in the middle of a write, which the second has to wait for.
    let go_on = async {
        until("the second to hold the lock", async || on.lock().exists().then_some(())).await;
        first.signal("CONT");
    };
    let ((second, other), ()) = tokio::join!(on.up(), go_on);
    until("the first to notice", async || {
        let (status, told) = on.ask(&url, "readyz", None).await;
        (status == 503 && told["store"].as_str().unwrap().contains(IN_USE)).then_some(())
    })
    .await;
    let wanted = json!({ "customer_id": CUSTOMER });
    assert_eq!(on.ask(&url, "helpsync/v1/sync", Some(wanted)).await.0, 503);
    on.account.apply_random(50, 1);
    on.sync(&other).await;
    on.is_quiet(&other).await;
    assert!(second.stop().await.success());

    // Now the file is its again.
    until("the first to be ready", async || (on.ask(&url, "readyz", None).await.0 == 200).then_some(()))
        .await;
    on.account.apply_random(50, 2);
    on.sync(&url).await;
    on.is_quiet(&url).await;
    assert!(first.stop().await.success());
    on.ends_equal().await;
}

/// The help center changes with every request, the process is killed in every sync, and the lock is deleted each time.
#[tokio::test(flavor = "multi_thread")]
async fn under_churn_and_kills_the_copy_is_exact_once_the_changes_end() {
    let on = Installation::new().await;
    let (mut process, mut url) = on.up().await;
    on.connect(&url).await;
    on.account.update_settings(|settings| {
        settings.churn = Some(Churn { every_requests: 1, changes: 3, seed: 5 });
        settings.incremental_page_size = 50;
    });
    for _ in 0..ROUNDS {
        on.sync(&url).await;
        on.account.clear_requests();
        until("requests", async || (on.account.requests().len() > 2).then_some(())).await;
        process.kill();
        delete(&on.lock());
        (process, url) = on.up().await;
    }
    on.is_quiet(&url).await;
    on.account.update_settings(|settings| settings.churn = None);
    on.sync(&url).await;
    on.is_quiet(&url).await;
    on.sync(&url).await;
    on.is_quiet(&url).await;
    assert!(process.stop().await.success());
    on.ends_equal().await;
}
