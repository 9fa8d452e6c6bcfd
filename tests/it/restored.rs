//! An older backup of the database is put in place: beside what RabbitMQ and Redis hold since, the copy becomes right by
//! itself, and what cannot is said.

use std::path::{Path, PathBuf};

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::KeyRing;
use helpsync_store::testing::{FIRST, TestStore};
use helpsync_store::{Store, StoreOptions, Vault};
use reqwest::{Method, StatusCode, redirect};
use serde_json::{Value, json};
use tempfile::TempDir;
use zendesk_sim::{Account, Fault, FaultRule, Sim, SimOptions};

use crate::app::{
    API_KEY, LATE, Shape, account, broker, named, prefix, services, settings_of, small, sqlite_url, until,
};
use crate::copy::{assert_same, held, truth};
use crate::processes::Running;

/// Connected and synced when the backup is made.
const OLD: [(&str, &str); 2] = [("ada", "acme"), ("bob", "beta")];
/// Connected after that.
const NEW: (&str, &str) = ("carol", "gamma");
/// Connected after the restore: its files get the ids that those of the one before had.
const LATER: (&str, &str) = ("dave", "delta");
const ARTICLES: usize = 150;
/// Short lines of a page, so that a sync can be killed in the middle.
const SLOWLY: Fault = Fault::SlowBody { chunk_bytes: 4_000, delay_ms: 60 };

/// Where the database of an installation is.
enum Database {
    Folder(TempDir),
    Postgres(Box<TestStore>),
}

/// An installation of processes, killed and started as a whole.
struct Installation {
    env: Vec<(String, String)>,
    database: Database,
    http: reqwest::Client,
    sim: Sim,
    running: Vec<Running>,
    api: String,
}

fn files_of(folder: &Path) -> [PathBuf; 3] {
    ["app.db", "app.db-wal", "app.db-shm"].map(|name| folder.join(name))
}

fn copy(from: &Path, to: &Path) {
    for (from, to) in files_of(from).iter().zip(files_of(to)) {
        drop(std::fs::remove_file(&to));
        if from.exists() {
            std::fs::copy(from, to).unwrap();
        }
    }
}

impl Installation {
    async fn new(shape: Shape) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let mut env = settings_of(&sim);
        // What a lost message held is issued again soon.
        env.extend([
            named("WORKER__SHARD_LEASE_SECONDS", "5"),
            named("DISPATCHER__SWEEP_AFTER_SECONDS", "10"),
        ]);
        let database = match shape {
            Shape::Embedded => {
                let folder = tempfile::tempdir().unwrap();
                env.push(named("STORE__URL", sqlite_url(folder.path())));
                Database::Folder(folder)
            }
            Shape::Services => {
                let store = helpsync_store::testing::postgres().await;
                env.extend(services(store.url(), &prefix()));
                // Nobody may be connected to what is copied.
                store.close().await;
                Database::Postgres(Box::new(store))
            }
        };
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
        let mut one = Self { env, database, http, sim, running: Vec::new(), api: String::new() };
        one.start().await;
        one
    }

    async fn start(&mut self) {
        match &self.database {
            Database::Folder(_) => {
                let process = Running::start("helpsync", &["up"], &self.env);
                self.api = process.said("Helpsync is up at ").await;
                self.running = vec![process];
            }
            Database::Postgres(_) => {
                let dispatcher = Running::start("helpsync-dispatcher", &[], &self.env);
                self.api = dispatcher.said("API at ").await;
                self.running = vec![dispatcher];
                self.running.extend([0, 1].map(|_| Running::start("helpsync-worker", &[], &self.env)));
            }
        }
    }

    /// `kill -9` of all, in the middle of whatever they do.
    fn kill(&mut self) {
        self.running.drain(..).for_each(Running::kill);
    }

    async fn back_up(&self, backup: &Path) {
        match &self.database {
            Database::Folder(folder) => copy(folder.path(), backup),
            Database::Postgres(store) => store.back_up().await,
        }
    }

    async fn restore(&self, backup: &Path) {
        match &self.database {
            Database::Folder(folder) => copy(backup, folder.path()),
            Database::Postgres(store) => store.restore().await,
        }
    }

    async fn ask(&self, path: &str, customer: &str, body: Option<Value>) -> Value {
        let address = format!("{}{path}", self.api);
        let method = if body.is_some() { Method::POST } else { Method::GET };
        let mut request = self.http.request(method, address).bearer_auth(API_KEY);
        request = request.header("customer-id", customer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    async fn connect(&self, (customer, subdomain): (&str, &str)) {
        let wanted =
            json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain, "connecting_new_account": true });
        let answer = self.ask("integrations/oauth_url", customer, Some(wanted)).await;
        let page = self.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success(), "{}", page.text().await.unwrap());
    }

    async fn request_sync(&self, customer: &str) {
        self.ask("helpsync/v1/sync", customer, Some(json!({ "customer_id": customer }))).await;
    }

    async fn is_quiet(&self) {
        until("all work to end", async || {
            let status = self.ask("helpsync/v1/status", "ada", None).await;
            (status["runs"] == json!([])).then_some(())
        })
        .await;
    }

    /// Queries of the URLs that show the texts of a customer's files.
    async fn urls(&self, customer: &str) -> Vec<String> {
        let wanted = json!({ "include_raw_file": true, "pagination": { "limit": 100 } });
        let answer = self.ask("user_files_v2", customer, Some(wanted)).await;
        let url = |file: &Value| {
            file["presigned_url"].as_str().unwrap().split_once("/presigned_file").unwrap().1.to_owned()
        };
        answer["results"].as_array().unwrap().iter().map(url).collect()
    }

    async fn status_of(&self, url: &str) -> StatusCode {
        self.http.get(format!("{}presigned_file{url}", self.api)).send().await.unwrap().status()
    }

    async fn source(&self, customer: &str) -> Value {
        self.ask("user_data_sources", customer, Some(json!({}))).await["results"][0].clone()
    }

    /// Looks into the database beside the process that holds it.
    async fn is_equal(&self, account: &Account, customer: &str) {
        let settings = Settings::load(None, self.env.clone()).unwrap();
        let options = StoreOptions {
            url: settings.store.url.expose().to_owned(),
            connections_max: 2,
            acquire_timeout: LATE,
        };
        let Runtime { clock, entropy } = Runtime::default();
        // Articles are not sealed: any key does.
        let vault = Vault::new(&KeyRing::generate("k1", &*entropy), entropy);
        let store = Store::open(&options, vault, clock).await.unwrap();
        let ours = held(&store, FIRST, customer).await;
        store.close().await;
        assert_same(&truth(account), &ours);
    }

    async fn end(mut self) {
        for process in self.running.drain(..).rev() {
            assert!(process.stop().await.success());
        }
        if let Database::Postgres(_) = self.database {
            let settings = Settings::load(None, self.env.clone()).unwrap();
            let parts = Parts::open(settings, Runtime::default()).await.unwrap();
            let names = parts.rabbit.as_ref().unwrap().names().clone();
            parts.store.close().await;
            helpsync_queue_rabbitmq::delete_topology(&broker(), &names).await.unwrap();
        }
        self.sim.stop().await;
    }
}

/// Changes everything and has it synced, slowly, so that what follows comes in the middle.
async fn syncing(on: &Installation, accounts: &[Account], round: u64) {
    for (account, (customer, _)) in accounts.iter().zip(OLD) {
        account.apply_random(60, round);
        account.clear_requests();
        account.inject(FaultRule::always(SLOWLY));
        on.request_sync(customer).await;
        until("a sync under way", async || (account.requests().len() > 2).then_some(())).await;
    }
}

async fn an_older_backup_converges(shape: Shape) {
    let mut on = Installation::new(shape).await;
    let backup = tempfile::tempdir().unwrap();
    let accounts = OLD.map(|(_, subdomain)| account(&on.sim, subdomain, small(ARTICLES)));
    let new = account(&on.sim, NEW.1, small(10));
    let later = account(&on.sim, LATER.1, small(ARTICLES));
    for one in OLD {
        on.connect(one).await;
    }
    on.is_quiet().await;

    // The backup has runs in it that are under way, shards that are out, and messages that wait.
    syncing(&on, &accounts, 1).await;
    on.kill();
    on.back_up(backup.path()).await;
    accounts.iter().for_each(Account::clear_faults);

    // Then life goes on: runs end, others begin, a customer connects, a token is refreshed.
    on.start().await;
    on.connect(NEW).await;
    on.is_quiet().await;
    let carols = on.urls(NEW.0).await;
    assert_eq!(on.status_of(&carols[0]).await, StatusCode::OK);
    accounts[1].expire_access_tokens();
    for round in 2..5 {
        for (account, (customer, _)) in accounts.iter().zip(OLD) {
            account.apply_random(40, round);
            on.request_sync(customer).await;
        }
        on.is_quiet().await;
    }
    // Leases, permits and messages of work that the backup does not know.
    syncing(&on, &accounts, 5).await;
    on.kill();
    on.restore(backup.path()).await;
    accounts.iter().for_each(Account::clear_faults);
    on.start().await;

    // The work of the backup is taken up by itself.
    on.is_quiet().await;
    on.request_sync(OLD[0].0).await;
    on.is_quiet().await;
    on.is_equal(&accounts[0], OLD[0].0).await;

    // The refresh token of the backup is spent: it is said, nothing is lost, and a new grant resumes.
    let source = until("the spent grant to be told", async || {
        let source = on.source(OLD[1].0).await;
        (source["sync_status"] == "SYNC_ERROR").then_some(source)
    })
    .await;
    assert!(source.to_string().contains("reconnect the workspace"), "{source}");
    assert!(!on.urls(OLD[1].0).await.is_empty());
    on.connect(OLD[1]).await;
    on.is_quiet().await;
    on.is_equal(&accounts[1], OLD[1].0).await;

    // Who connected since is not known; whoever comes now gets the same ids, and not the same rights.
    on.connect(LATER).await;
    on.is_quiet().await;
    let mut of_others = 0;
    for url in &carols {
        match on.status_of(url).await {
            StatusCode::FORBIDDEN => of_others += 1,
            status => assert_eq!(status, StatusCode::NOT_FOUND),
        }
    }
    // What Postgres gives out in vain takes ids too.
    assert!(of_others > 0 || shape == Shape::Services, "no id came again");
    on.connect(NEW).await;
    on.is_quiet().await;
    on.is_equal(&new, NEW.0).await;
    on.is_equal(&later, LATER.0).await;
    let letters = on.ask("helpsync/v1/dead-letters", "ada", None).await;
    assert_eq!(letters["dead_letters"], json!([]));
    on.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_that_is_put_in_place_becomes_right_by_itself() {
    an_older_backup_converges(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_dump_beside_newer_messages_and_leases_becomes_right_by_itself() {
    an_older_backup_converges(Shape::Services).await;
}
