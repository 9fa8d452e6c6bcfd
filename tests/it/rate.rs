//! The issue's own measure of the request budget: three workspaces at 700 requests a minute each, shared by 1, 4 and 16
//! worker processes: at least 97 % of the allowance used, no 429, nothing sent while blocked.
//!
//! What this machine can do at the moment is measured in the same run, by the same processes without a limit: where that
//! is less than twice the allowance, a part of the 97 % is enough, for then processors are short and not the budget's use.
//! In simulated time, where nothing is ever late, `helpsync-coordinator` tests the use of windows without that allowance.
//!
//! Time is scaled: the simulator's windows last ten seconds in place of sixty, and the workers are told so by
//! `zendesk.budget_window_seconds`. So the requests of a minute come in ten seconds, and everything that costs real
//! time (round trips, late timers, headers in whole seconds) weighs six times as much as it would with Zendesk.

use futures::future::join_all;
use helpsync_queue_rabbitmq::Names;
use helpsync_store::testing::TestStore;
use reqwest::redirect;
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Fault, FaultRule, GenerateOptions, SeenRequest, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, named, prefix, service, services, settings_of, until};
use crate::processes::Running;

const WINDOW_MS: i64 = 10_000;
const TIME_SCALE: f64 = 6.0;
/// Measured, after one window to warm up.
const WINDOWS: i64 = 3;
const LIMIT: u64 = 700;
const RESERVE: u64 = 70;
/// Percent of a limit that the second integration of the third workspace takes.
const OTHERS_PERCENT: u64 = 40;
const USED_PERCENT_MIN: f64 = 97.0;
/// How many times the allowance the machine must be able to send before the whole of [`USED_PERCENT_MIN`] is asked for.
const HEADROOM: f64 = 2.0;
/// A limit that nothing reaches.
const NO_LIMIT: u32 = 1_000_000;
const WORKERS_MAX: usize = 16;
/// Shards that read single articles under way at once, over all workers: some for each workspace.
const SLOTS: usize = 16;
const RELEASED_PER_WORKSPACE: &str = "5";
const ARTICLES: usize = 150;
/// Of the shortest shard.
const ARTICLES_MIN: usize = 30;
/// More than the windows of a case can take.
const RESYNCS: usize = 40;
/// A request that was granted before the stop was reported may still arrive.
const ON_THE_WAY_MS: i64 = 400;

struct Workspace {
    subdomain: String,
    account: Account,
    data_source: Value,
    others_percent: u64,
}

/// An installation of processes, and the simulator that they talk to.
struct Installation {
    sim: Sim,
    http: reqwest::Client,
    url: String,
    prefix: String,
    processes: Vec<Running>,
}

impl Installation {
    async fn start(database: &str, workers: usize) -> Self {
        let sim = Sim::start(SimOptions { time_scale: TIME_SCALE, ..SimOptions::default() }).await.unwrap();
        let prefix = prefix();
        let mut env = settings_of(&sim);
        env.extend(services(database, &prefix));
        env.retain(|(name, _)| {
            !["HELPSYNC_STORE__CONNECTIONS_MAX", "HELPSYNC_ZENDESK__REQUESTS_PER_MINUTE"]
                .contains(&name.as_str())
        });
        env.extend([
            // 16 workers share the database's hundred connections with all other tests.
            named("STORE__CONNECTIONS_MAX", if workers > 4 { "2" } else { "6" }),
            // A quarter of the slots are for on-demand work, at least one.
            named("WORKER__CONCURRENCY", (SLOTS / workers * 4).to_string()),
            named("DISPATCHER__RELEASE_WINDOW", RELEASED_PER_WORKSPACE),
            named("ZENDESK__BUDGET_WINDOW_SECONDS", (WINDOW_MS / 1_000).to_string()),
            // Scaled like the rest: requests take as long as ever, so more of them are under way at once.
            named("ZENDESK__CONCURRENCY", "24"),
            // `zendesk.requests_per_minute` stays at its default, which is too low: the limit is learned.
            named("COORDINATOR__CALL_TIMEOUT_MS", "5000"),
        ]);
        let dispatcher = Running::start("helpsync-dispatcher", &[], &env);
        let url = dispatcher.said("API at ").await;
        let mut processes = vec![dispatcher];
        for _ in 0..workers {
            processes.push(Running::start("helpsync-worker", &[], &env));
        }
        for worker in &processes[1..] {
            worker.said("health at ").await;
        }
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::limited(5)).build().unwrap();
        Self { sim, http, url, prefix, processes }
    }

    async fn ask(&self, customer: &str, path: &str, body: Option<Value>) -> Value {
        let address = format!("{}{path}", self.url);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let answer = request.bearer_auth(API_KEY).header("customer-id", customer).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Connects a workspace, its customer named like it, and waits for the first sync.
    async fn connect(&self, subdomain: &str, others_percent: u64) -> Workspace {
        let generate = GenerateOptions {
            articles: ARTICLES,
            draft_fraction: 0.0,
            restricted_fraction: 0.0,
            translated_fraction: 0.0,
            body_profile: BodyProfile::Small,
            ..GenerateOptions::default()
        };
        let account = account(&self.sim, subdomain, generate);
        account.update_settings(|settings| {
            settings.limit_per_minute = u32::try_from(LIMIT).unwrap();
            settings.other_integration_share = others_percent as f64 / 100.0;
        });
        let wanted = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
        let answer = self.ask(subdomain, "integrations/oauth_url", Some(wanted)).await;
        let page = self.http.get(answer["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success(), "{}", page.text().await.unwrap());
        let sources = until("the first sync", async || {
            let sources = self.ask(subdomain, "user_data_sources", Some(json!({}))).await;
            (sources["results"][0]["sync_status"] == "READY").then_some(sources)
        })
        .await;
        let data_source = sources["results"][0]["id"].clone();
        Workspace { subdomain: subdomain.to_owned(), account, data_source, others_percent }
    }

    /// Orders more single-article requests than the case's windows can take. The first runs are shorter each than the
    /// next, so that shards do not all end at once and leave the workers nothing but the database to wait for.
    async fn load(&self, workspace: &Workspace) {
        let ids = workspace.account.article_ids();
        for run in 0..RESYNCS {
            let ids = &ids[..ids.len().min((run + 1) * ARTICLES_MIN)];
            let body = json!({ "data_source_id": workspace.data_source, "ids": ids });
            self.ask(&workspace.subdomain, "integrations/files/sync", Some(body)).await;
        }
    }

    async fn passed(&self, what: &str, at_ms: i64) {
        until(what, async || (self.sim.clock().now_ms() >= at_ms).then_some(())).await;
    }

    async fn stop(self) {
        for process in self.processes {
            process.kill();
        }
        self.sim.stop().await;
        let url = service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
        helpsync_queue_rabbitmq::delete_topology(&url, &Names::new(&self.prefix)).await.unwrap();
    }
}

/// What one workspace's simulator saw.
#[derive(Debug)]
struct Figures {
    used_percent: f64,
    requests: usize,
    limited: usize,
    while_blocked: usize,
}

/// Of whole windows from `from` on, in numbers since the epoch.
fn figures(workspace: &Workspace, from: i64) -> Figures {
    let seen: Vec<SeenRequest> = workspace.account.requests();
    let counted: Vec<&SeenRequest> = seen.iter().filter(|request| request.in_window.is_some()).collect();
    let windows = from..from + WINDOWS;
    let measured: Vec<_> =
        counted.iter().filter(|request| windows.contains(&request.at_ms.div_euclid(WINDOW_MS))).collect();
    let others = LIMIT * workspace.others_percent / 100;
    let allowance = (LIMIT - RESERVE - others) * u64::try_from(WINDOWS).unwrap();
    let used = measured.iter().filter(|request| request.status != 429).count();
    let while_blocked = counted.iter().filter(|request| request.status == 429).map(|limited| {
        // As in the answer: whole seconds to the window's end.
        let left_ms = WINDOW_MS - limited.at_ms.rem_euclid(WINDOW_MS);
        let until_ms = limited.at_ms + (left_ms + 999) / 1_000 * 1_000;
        counted.iter().filter(|one| one.sequence > limited.sequence && one.at_ms < until_ms).count()
    });
    Figures {
        used_percent: used as f64 * 100.0 / allowance as f64,
        requests: counted.len(),
        limited: counted.iter().filter(|request| request.status == 429).count(),
        while_blocked: while_blocked.sum(),
    }
}

/// One `Retry-After` stops the workspace for every process, and only as long as it says.
async fn a_stop_holds_everywhere(installation: &Installation, workspace: &Workspace) {
    let fault =
        Fault::Status { code: 429, retry_after: Some("3".to_owned()), body: zendesk_sim::FaultBody::Text };
    workspace.account.inject(FaultRule { times: Some(1), ..FaultRule::always(fault) });
    let stop = until("the 429", async || {
        workspace.account.requests().into_iter().find(|request| request.fault.is_some())
    })
    .await;
    installation.passed("the stop to end", stop.at_ms + 4_500).await;
    let after: Vec<i64> = workspace
        .account
        .requests()
        .iter()
        .filter(|request| request.sequence > stop.sequence)
        .map(|request| request.at_ms - stop.at_ms)
        .collect();
    let early = after.iter().filter(|ms| (ON_THE_WAY_MS..3_000).contains(*ms)).count();
    assert_eq!(early, 0, "sent while blocked: {after:?}");
    assert!(after.iter().any(|ms| *ms >= 3_000), "work goes on: {after:?}");
}

/// The run's record says how long it waited: something, and never more than the time that passed.
async fn the_record_tells_the_waiting(installation: &Installation, store: &TestStore) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let runs = store.admin().runs(organization, None, 200).await.unwrap();
    let fetched = runs.iter().filter(|run| run.counters.requests >= i64::try_from(ARTICLES_MIN).unwrap());
    let waits: Vec<(i64, i64)> = fetched
        .map(|run| (run.counters.budget_wait_ms, installation.sim.clock().now_ms() - run.started_at.unwrap()))
        .collect();
    assert!(!waits.is_empty(), "no resync has fetched its articles");
    assert!(waits.iter().all(|(waited, since)| (0..=*since).contains(waited)), "(waited, since): {waits:?}");
    assert!(waits.iter().any(|(waited, _)| *waited > 1_000), "the budget was short: {waits:?}");
}

/// How many times the allowance of a window the same processes send when nothing limits them, at the load of this
/// moment. Work that runs out before counts as enough.
async fn capacity(installation: &Installation, workspaces: &[Workspace]) -> f64 {
    for workspace in workspaces {
        workspace.account.update_settings(|settings| {
            settings.limit_per_minute = NO_LIMIT;
            settings.other_integration_share = 0.0;
        });
    }
    // The new limit is told in the answers of the next window.
    let learned = (installation.sim.clock().now_ms().div_euclid(WINDOW_MS) + 1) * WINDOW_MS;
    let from = learned + WINDOW_MS / 2;
    installation.passed("a window without a limit", from + WINDOW_MS / 2).await;
    let sent: usize = workspaces
        .iter()
        .map(|workspace| workspace.account.requests().iter().filter(|request| request.at_ms >= from).count())
        .sum();
    let allowance: u64 =
        workspaces.iter().map(|workspace| LIMIT - RESERVE - LIMIT * workspace.others_percent / 100).sum();
    let ordered: usize = (1..=RESYNCS).map(|run| ARTICLES.min(run * ARTICLES_MIN)).sum();
    let is_done = |workspace: &Workspace| workspace.account.requests().len() >= ordered;
    if workspaces.iter().any(is_done) { HEADROOM } else { sent as f64 * 2.0 / allowance as f64 }
}

async fn the_allowance_is_used(workers: usize) {
    let database = helpsync_store::testing::postgres().await;
    let installation = Installation::start(database.url(), workers).await;
    let wanted = [("acme", 0), ("globex", 0), ("initech", OTHERS_PERCENT)];
    let workspaces = join_all(wanted.map(|(name, others)| installation.connect(name, others))).await;
    join_all(workspaces.iter().map(|workspace| installation.load(workspace))).await;
    // What is left of this window and a whole one to warm up.
    let from = installation.sim.clock().now_ms().div_euclid(WINDOW_MS) + 2;
    installation.passed("the measured windows", (from + WINDOWS) * WINDOW_MS).await;

    let found: Vec<(&Workspace, Figures)> =
        workspaces.iter().map(|workspace| (workspace, figures(workspace, from))).collect();
    the_record_tells_the_waiting(&installation, &database).await;
    if workers == WORKERS_MAX {
        a_stop_holds_everywhere(&installation, &workspaces[0]).await;
    }
    let capacity = capacity(&installation, &workspaces).await;
    let used_percent_min = USED_PERCENT_MIN * (capacity / HEADROOM).min(1.0);
    println!(
        "{workers} workers, windows of {} s (scale {TIME_SCALE}), {WINDOWS} measured; without a limit they send {capacity:.1} \
         times the allowance, so at least {used_percent_min:.0} % of it must be used:",
        WINDOW_MS / 1_000
    );
    let ordered: usize = (1..=RESYNCS).map(|run| ARTICLES.min(run * ARTICLES_MIN)).sum();
    for (workspace, figures) in found {
        println!("  {} (others take {} %): {figures:.1?}", workspace.subdomain, workspace.others_percent);
        assert!(figures.requests + 5 * ARTICLES < ordered, "the work ran out: {figures:?}");
        assert!(
            figures.used_percent >= used_percent_min,
            "{workers} workers, {}: {figures:?}, and {used_percent_min:.0} % were possible",
            workspace.subdomain
        );
        assert!(figures.limited * 1_000 < figures.requests, "{}: {figures:?}", workspace.subdomain);
        assert_eq!(figures.while_blocked, 0, "{}: {figures:?}", workspace.subdomain);
    }
    installation.stop().await;
}

/// One test, so that the cases do not take each other's processor time.
#[tokio::test(flavor = "multi_thread")]
async fn three_workspaces_use_their_allowance_whatever_the_number_of_workers() {
    for workers in [1, 4, WORKERS_MAX] {
        the_allowance_is_used(workers).await;
    }
}
