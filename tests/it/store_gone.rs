//! A database whose file goes, or whose disk is full: it is named, nothing spins, and work goes on once it is back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::{StatusCode, redirect};
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Fault, FaultRule, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, named, settings_of, sqlite_url, until};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
/// How long a process is watched for spinning.
const WATCHED: Duration = Duration::from_secs(8);
/// Of a core, for an idle or blocked process.
const BUSY_MAX: f64 = 0.01;
/// A machine that is slow just now may need more: half of what the same process takes while it is asked so often. One that
/// spun without its file took 13 percent where that half is 3.
const ASKED_EVERY: Duration = Duration::from_millis(80);

/// Told by one that looks for work whether there is any or not.
const DISPATCHING_FAILED: &str = "dispatching failed, it is tried again every tick";
/// Lines about one shard each.
const OF_A_SHARD: [&str; 2] = ["lease lost, work stopped", "the end of a shard could not be recorded"];

/// A process with a workspace.
struct Installation {
    process: Running,
    url: String,
    http: reqwest::Client,
    account: Account,
    sim: Sim,
}

impl Installation {
    async fn up(folder: &Path, articles: usize) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let generate =
            GenerateOptions { articles, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
        let account = account(&sim, "acme", generate);
        let mut env = settings_of(&sim);
        env.retain(|(name, _)| name != "HELPSYNC_LOG__FILTER");
        env.push(named("STORE__URL", sqlite_url(folder)));
        env.push(named("LOG__FILTER", "warn,helpsync_cli=info"));
        // Whoever asks the API meanwhile is told 503, and the log why.
        let process = Running::start("helpsync", &["up"], &env).allowing(&["the store failed a request"]);
        let url = process.said("Helpsync is up at ").await.trim_end_matches('/').to_owned();
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
        let up = Self { process, url, http, account, sim };
        let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
        let (_, answer) = up.ask("/integrations/oauth_url", Some(wanted)).await;
        let page = up.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success());
        up
    }

    async fn ask(&self, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let address = format!("{}{path}", self.url);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
        let status = answer.status();
        (status, answer.json().await.unwrap())
    }

    /// Waits until readiness says no with this text, and gives the whole of it.
    async fn is_unready(&self, says: &str) -> String {
        until(says, async || {
            let (status, told) = self.ask("/readyz", None).await;
            let why = told["store"].as_str().unwrap().to_lowercase();
            (status == StatusCode::SERVICE_UNAVAILABLE && why.contains(says)).then_some(why)
        })
        .await
    }

    async fn is_ready(&self) {
        until("readiness", async || (self.ask("/readyz", None).await.0 == StatusCode::OK).then_some(()))
            .await;
    }

    /// The part of a core that it takes.
    async fn busy(&self) -> f64 {
        let before = self.process.processor_time();
        // What is measured is time.
        tokio::time::sleep(WATCHED).await;
        (self.process.processor_time() - before).as_secs_f64() / WATCHED.as_secs_f64()
    }

    /// What it may take when it has nothing to do, on this machine as it is now.
    async fn busy_max(&self) -> f64 {
        let asks = async {
            let mut moments = tokio::time::interval(ASKED_EVERY);
            loop {
                moments.tick().await;
                self.ask("/whoami", None).await;
            }
        };
        let busy = tokio::select! {
            busy = self.busy() => busy,
            () = asks => unreachable!(),
        };
        BUSY_MAX.max(busy / 2.0)
    }

    /// Waits until it is idle, for chunks may still be made of what was stored, and gives what it may take from then on.
    async fn is_idle(&self) -> f64 {
        until("an idle process", async || {
            // In this order: what it may take is measured when it has nothing else to do.
            let busy = self.busy().await;
            let busy_max = self.busy_max().await;
            (busy < busy_max).then_some(busy_max)
        })
        .await
    }

    /// Waits until it is quiet. One that spins never is.
    async fn spins_not(&self, when: &str, busy_max: f64) {
        until(&format!("quiet {when}"), async || (self.busy().await < busy_max).then_some(())).await;
    }

    /// How often each WARN line of ours was said.
    fn warnings(&self) -> BTreeMap<String, usize> {
        let mut said = BTreeMap::new();
        for line in self.process.text().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            let is_ours = line["target"].as_str().is_some_and(|target| target.starts_with("helpsync"));
            if line["level"] == "WARN" && is_ours {
                let message = line["message"].as_str().unwrap_or_default().to_owned();
                *said.entry(message).or_default() += 1;
            }
        }
        said
    }

    async fn sync_ends(&self) {
        until("the sync to end", async || {
            let (status, told) = self.ask("/helpsync/v1/status", None).await;
            (status.is_success() && told["runs"] == json!([])).then_some(())
        })
        .await;
    }

    async fn files(&self) -> usize {
        let (_, told) = self.ask("/helpsync/v1/status", None).await;
        usize::try_from(told["files"].as_u64().unwrap()).unwrap()
    }

    async fn end(self) {
        assert!(self.process.stop().await.success());
        self.sim.stop().await;
    }
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    ["app.db", "app.db-wal", "app.db-shm"].map(|name| folder.join(name)).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_file_that_is_taken_away_is_named_nothing_spins_and_work_goes_on_once_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let aside = tempfile::tempdir().unwrap();
    let up = Installation::up(folder.path(), 400).await;
    up.sync_ends().await;
    let busy_max = up.is_idle().await;
    // In the middle of a sync.
    up.account.apply_random(200, 1);
    up.account.inject(FaultRule::always(Fault::Delay { ms: 300 }));
    up.ask("/helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER, "full": true }))).await;
    let moved = |from: &Path, to: &Path| {
        for (from, to) in files_of(from).iter().zip(files_of(to)) {
            if from.exists() {
                std::fs::rename(from, to).unwrap();
            }
        }
    };
    moved(folder.path(), aside.path());
    up.is_unready("app.db is gone").await;
    up.account.clear_faults();
    up.spins_not("without its file", busy_max).await;
    let warnings = up.warnings();
    assert!(warnings.contains_key(DISPATCHING_FAILED), "{warnings:?}");
    // Shards that were under way end one by one; whoever looks for work says it once, however often it looks, also though
    // looks that find nothing to write work meanwhile: an open file can be read.
    let loud =
        warnings.iter().filter(|(message, times)| **times > 1 && !OF_A_SHARD.contains(&message.as_str()));
    assert_eq!(loud.collect::<Vec<_>>(), [], "{warnings:?}");
    assert!(!folder.path().join("app.db").exists(), "it is not made anew: that one would be empty");
    let (status, told) = up.ask("/helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{told}");
    assert!(up.process.has_said("app.db is gone").is_some(), "the log names it");

    moved(aside.path(), folder.path());
    up.is_ready().await;
    up.sync_ends().await;
    up.ask("/helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await;
    up.sync_ends().await;
    assert_eq!(up.files().await, up.account.truth().len());
    up.end().await;
}

/// A disk of its own; unmounted with its handle.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// `None`, with a word about it, where none can be mounted.
    fn mount(megabytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|mounted| mounted.status.success()) {
            eprintln!("SKIPPED: no disk can be mounted");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.0.path()).status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named_nothing_spins_and_work_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(40) else { return };
    let up = Installation::up(disk.0.path(), 200).await;
    up.sync_ends().await;
    let busy_max = up.is_idle().await;
    let ballast = disk.0.path().join("ballast");
    drop(std::fs::write(&ballast, vec![0; 64 * 1024 * 1024]));
    up.account.generate(&GenerateOptions {
        articles: 1_500,
        seed: 7,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    });
    up.ask("/helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER, "full": true }))).await;
    up.is_unready("no space left on device").await;
    let (_, status) = up.ask("/helpsync/v1/status", None).await;
    assert!(status["store"].as_str().unwrap().to_lowercase().contains("no space left"), "{status}");
    until("the log to name it", async || {
        let text = up.process.text();
        let names = |line: &&str| {
            line.contains("No space left on device") && line.contains("this process is not ready")
        };
        text.lines().find(names).map(|_| ())
    })
    .await;
    up.spins_not("on a full disk", busy_max).await;
    std::fs::remove_file(&ballast).unwrap();
    up.is_ready().await;
    up.ask("/helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER, "full": true }))).await;
    up.sync_ends().await;
    assert_eq!(up.files().await, up.account.truth().len());
    up.end().await;
}
