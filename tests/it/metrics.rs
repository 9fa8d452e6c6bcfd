//! `/metrics` of real processes, in both shapes: what they count together is what the receipts of the runs say.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use axum::routing::any;
use reqwest::redirect;
use serde_json::{Value, json};
use tempfile::TempDir;
use zendesk_sim::{Account, GenerateOptions, Sim, SimOptions};

use crate::app::{
    API_KEY, LATE, Shape, account, broker, named, prefix, service, services, settings_of, sqlite_url, until,
};
use crate::deploy::metrics_named;
use crate::processes::Running;

const CUSTOMER: &str = "ada";
/// What receipts and metrics count alike.
const OUTCOMES: [&str; 7] = ["created", "updated", "unchanged", "drafts", "unselected", "skipped", "removed"];

/// One series of a scrape, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Reads Prometheus's text; every line must be one.
pub(crate) fn read(text: &str) -> Vec<Series> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = labels.strip_suffix('}').unwrap();
            let labels = labels.split_terminator("\",").map(|label| {
                let (name, value) = label.split_once("=\"").unwrap();
                (name.to_owned(), value.trim_end_matches('"').to_owned())
            });
            Series { name: name.to_owned(), labels: labels.collect(), value: value.parse().unwrap() }
        })
        .collect()
}

/// The sum of all series of a name that have these labels.
pub(crate) fn sum(scrape: &[Series], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |series: &&Series| {
        series.name == name
            && labels.iter().all(|(label, value)| series.labels.get(*label).is_some_and(|has| has == value))
    };
    scrape.iter().filter(has).map(|series| series.value).sum()
}

/// Processes of one installation, with a help center.
pub(crate) struct Watched {
    pub(crate) sim: Sim,
    pub(crate) help_center: Account,
    http: reqwest::Client,
    api: String,
    processes: Vec<Running>,
    /// Where each answers `/metrics`.
    addresses: Vec<String>,
    /// Prefix of its queues.
    queues: Option<String>,
    _folder: TempDir,
    _database: Option<helpsync_store::testing::TestStore>,
}

impl Watched {
    pub(crate) async fn start(shape: Shape, extra: &[(&str, &str)]) -> Self {
        Self::start_at(shape, extra, None).await
    }

    /// One process, on a broker that does not answer.
    pub(crate) async fn start_without_broker(extra: &[(&str, &str)]) -> Self {
        // Bound and dropped: nothing listens there.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let broker = format!("amqp://guest:guest@{free}/%2f");
        Self::start_at(Shape::Embedded, extra, Some(broker)).await
    }

    async fn start_at(shape: Shape, extra: &[(&str, &str)], away: Option<String>) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let generate = GenerateOptions { articles: 250, ..GenerateOptions::default() };
        let help_center = account(&sim, "acme", generate);
        let folder = tempfile::tempdir().unwrap();
        let mut env = settings_of(&sim);
        env.retain(|(name, _)| name != "HELPSYNC_LOG__FILTER");
        env.push(named("LOG__FILTER", "info"));
        env.push(named("TELEMETRY__LISTEN", "127.0.0.1:0"));
        env.push(named("TELEMETRY__COLLECT_SECONDS", "1"));
        env.push(named("WEBHOOKS__ALLOW_PRIVATE", "true"));
        for (name, value) in extra {
            let (name, value) = named(name, *value);
            env.retain(|(known, _)| *known != name);
            env.push((name, value));
        }
        if let Some(broker) = away {
            env.push(named("QUEUE__URL", broker));
            let redis = service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379");
            env.push(named("COORDINATOR__URL", redis));
            env.push(named("COORDINATOR__KEY_PREFIX", prefix()));
        }
        let (database, queues) = match shape {
            Shape::Embedded => (None, None),
            Shape::Services => (Some(helpsync_store::testing::postgres().await), Some(prefix())),
        };
        env.extend(match (&database, &queues) {
            (Some(database), Some(prefix)) => services(database.url(), prefix),
            _ => vec![named("STORE__URL", sqlite_url(folder.path()))],
        });
        let started: &[(&str, &[&str])] = match shape {
            Shape::Embedded => &[("helpsync", &["up"])],
            Shape::Services => {
                &[("helpsync-dispatcher", &[]), ("helpsync-worker", &[]), ("helpsync-worker", &[])]
            }
        };
        let mut processes = Vec::new();
        for (name, arguments) in started {
            processes.push(Running::start(name, arguments, &env));
            // The first migrates the store.
            processes.last().unwrap().said("metrics at ").await;
        }
        let api = match shape {
            Shape::Embedded => processes[0].said("Helpsync is up at ").await,
            Shape::Services => processes[0].said("API at ").await,
        };
        let mut addresses = Vec::new();
        for process in &processes {
            let said = process.said("metrics at ").await;
            addresses.push(said.split('"').next().unwrap().to_owned());
        }
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
        let (_folder, _database) = (folder, database);
        Self { sim, help_center, http, api, processes, addresses, queues, _folder, _database }
    }

    pub(crate) async fn ask(&self, path: &str, body: Option<Value>) -> Value {
        let address = format!("{}{path}", self.api);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", CUSTOMER).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// Connects the help center by a grant; its first sync has begun then.
    pub(crate) async fn connect(&self) {
        let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
        let answer = self.ask("integrations/oauth_url", Some(wanted)).await;
        let page = self.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success());
    }

    /// Every run, once so many have ended.
    pub(crate) async fn ended(&self, number: usize) -> Vec<Value> {
        until("runs to end", async || {
            let runs = self.ask("helpsync/v1/runs", None).await["runs"].as_array().unwrap().clone();
            let ended = runs.iter().filter(|run| !run["finished_at"].is_null()).count();
            (ended >= number && ended == runs.len()).then_some(runs)
        })
        .await
    }

    /// What all processes tell, process by process.
    pub(crate) async fn scrapes(&self) -> Vec<Vec<Series>> {
        let mut scrapes = Vec::new();
        for address in &self.addresses {
            let answer = self.http.get(address).send().await.unwrap();
            assert!(answer.status().is_success());
            scrapes.push(read(&answer.text().await.unwrap()));
        }
        scrapes
    }

    /// What all processes tell together, once it is told that so many runs ended.
    pub(crate) async fn scrape_after(&self, runs: f64) -> Vec<Series> {
        until("the runs to be counted", async || {
            let all: Vec<Series> = self.scrapes().await.into_iter().flatten().collect();
            (sum(&all, "helpsync_runs_total", &[]) >= runs).then_some(all)
        })
        .await
    }

    /// What a process has printed so far.
    pub(crate) fn text_of(&self, process: usize) -> String {
        self.processes[process].text()
    }

    pub(crate) async fn stop(self) {
        self.stopped_texts().await;
    }

    /// Stops everything; what each process has printed.
    pub(crate) async fn stopped_texts(self) -> Vec<String> {
        let mut texts = Vec::new();
        for process in self.processes {
            let (status, text) = process.stopped().await;
            assert!(status.success());
            texts.push(text);
        }
        self.sim.stop().await;
        if let Some(prefix) = self.queues {
            let names = helpsync_queue_rabbitmq::Names::new(&prefix);
            helpsync_queue_rabbitmq::delete_topology(&broker(), &names).await.unwrap();
        }
        texts
    }
}

/// Somebody who takes every webhook; the address.
pub(crate) async fn receiver() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(any(|| async {}))).await });
    format!("http://{address}/")
}

fn counted(runs: &[Value], counter: &str) -> f64 {
    runs.iter().map(|run| run["counters"][counter].as_f64().unwrap()).sum()
}

async fn what_processes_count_is_what_receipts_say(shape: Shape) {
    let app = Watched::start(shape, &[]).await;
    app.ask("add_webhook", Some(json!({ "url": receiver().await }))).await;
    app.connect().await;
    app.ended(1).await;
    app.help_center.apply_random(40, 7);
    app.ask("helpsync/v1/sync", Some(json!({ "customer_id": CUSTOMER }))).await;
    let runs = app.ended(2).await;
    assert!(counted(&runs, "updated") > 0.0 && counted(&runs, "removed") > 0.0, "{runs:?}");
    #[expect(clippy::cast_precision_loss, reason = "a few runs")]
    let scrape = app.scrape_after(runs.len() as f64).await;

    for outcome in OUTCOMES {
        let told = sum(&scrape, "helpsync_articles_total", &[("outcome", outcome)]);
        assert_eq!(told, counted(&runs, outcome), "{outcome}");
    }
    assert_eq!(sum(&scrape, "helpsync_articles_listed_total", &[]), counted(&runs, "listed"));
    for (kind, number) in [("full", 1.0), ("delta", 1.0)] {
        let labels = [("kind", kind), ("outcome", "done")];
        assert_eq!(sum(&scrape, "helpsync_runs_total", &labels), number, "{kind}");
    }
    // All others belong to the grant.
    let of_grant = ["/oauth", "/api/v2/oauth", "/api/v2/users/me", "/api/v2/webhooks"];
    let sent = |series: &&Series| {
        series.name == "http_client_request_duration_seconds_count"
            && !of_grant.iter().any(|path| series.labels["url_template"].starts_with(path))
    };
    let of_runs: f64 = scrape.iter().filter(sent).map(|series| series.value).sum();
    let sent: Vec<&Series> = scrape.iter().filter(sent).collect();
    assert_eq!(of_runs, counted(&runs, "requests"), "{sent:?}");
    let used = sum(&scrape, "helpsync_zendesk_budget_used_total", &[("account", "acme")]);
    assert!(used >= of_runs, "{used} permits for {of_runs} requests");
    assert_eq!(sum(&scrape, "helpsync_leases_lost_total", &[]), 0.0);
    let shards = sum(&scrape, "helpsync_shard_duration_seconds_count", &[("outcome", "done")]);
    assert!(shards >= 6.0, "{shards} shards");
    assert_eq!(sum(&scrape, "helpsync_pickup_seconds_count", &[]), shards);
    // Of each run one at least. What follows alone goes on where the shard before it ended.
    let stored = sum(&scrape, "helpsync_messages_published_total", &[("outcome", "stored")]);
    assert!((2.0..=shards).contains(&stored), "{stored} messages of {shards} shards");
    let delayed = sum(&scrape, "helpsync_change_delay_seconds_count", &[]);
    assert!(delayed > 0.0);

    // Every process tells of itself, and of what it depends on.
    for scrape in app.scrapes().await {
        for dependency in ["store", "queue", "coordinator"] {
            let up = sum(&scrape, "helpsync_dependency_up", &[("dependency", dependency)]);
            assert_eq!(up, 1.0, "{dependency}");
        }
        for name in ["process_resident_memory_bytes", "process_cpu_seconds_total", "db_client_connection_max"]
        {
            assert!(sum(&scrape, name, &[]) > 0.0, "{name}");
        }
    }
    // Whoever dispatches tells of the store.
    until("the copy to be counted by its age", async || {
        let scrape = app.scrapes().await.remove(0);
        let fresh = sum(&scrape, "helpsync_copy_age_seconds_bucket", &[("le", "900")]);
        let active = sum(&scrape, "helpsync_connections", &[("state", "active")]);
        let delivered = sum(&scrape, "helpsync_webhook_deliveries_total", &[("outcome", "delivered")]);
        (fresh == 1.0 && active == 1.0 && delivered > 0.0).then_some(())
    })
    .await;
    // Pages for people stand beside the API.
    let page = app.http.get(format!("{}dashboard/login", app.api)).send().await.unwrap();
    assert!(page.status().is_success());
    let scrape = app.scrapes().await.remove(0);
    let login = [("http_route", "/dashboard/login"), ("http_response_status_code", "200")];
    assert_eq!(sum(&scrape, "http_server_request_duration_seconds_count", &login), 1.0);
    let told: BTreeSet<String> =
        app.scrapes().await.into_iter().flatten().map(|series| series.name).collect();
    let is_due = |name: &String| shape == Shape::Embedded || name != "helpsync_store_free_bytes";
    let missing: Vec<String> =
        metrics_named().into_iter().filter(|name| is_due(name) && !told.contains(name)).collect();
    assert!(missing.is_empty(), "dashboard and rules name what nobody tells: {missing:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_what_processes_count_is_what_receipts_say() {
    what_processes_count_is_what_receipts_say(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_what_processes_count_is_what_receipts_say() {
    what_processes_count_is_what_receipts_say(Shape::Services).await;
}
