//! SIGTERM under load: what runs reaches a safe point, the rest goes back, and nothing has to be found again.

use std::time::{Duration, Instant};

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::RunState;
use helpsync_store::testing::tally;
use serde_json::json;
use zendesk_sim::{BodyProfile, Fault, FaultRule, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, named, prefix, services, settings_of, until};
use crate::copy::{assert_same, held, truth};
use crate::processes::Running;

const CUSTOMERS: usize = 6;
const STOPS: usize = 6;
const DRAIN: Duration = Duration::from_secs(3);
/// What a process may take beyond draining.
const GRACE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_under_load_a_worker_ends_in_time_and_nothing_is_lost_or_done_again() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let database = helpsync_store::testing::postgres().await;
    let prefix = prefix();
    let mut env = settings_of(&sim);
    env.retain(|(name, _)| name != "HELPSYNC_LOG__FILTER");
    env.extend(services(database.url(), &prefix));
    env.extend([
        named("WORKER__DRAIN_SECONDS", DRAIN.as_secs().to_string()),
        named("LOG__FILTER", "info"),
        named("LOG__FORMAT", "text"),
    ]);
    let parts = Parts::open(Settings::load(None, env.clone()).unwrap(), Runtime::default()).await.unwrap();
    let http = reqwest::Client::builder().timeout(LATE).build().unwrap();
    let dispatcher = Running::start("helpsync-dispatcher", &[], &env);
    let api = dispatcher.said("API at ").await;
    let start = || Running::start("helpsync-worker", &[], &env);
    let mut workers = vec![start(), start()];

    let mut accounts = Vec::new();
    for number in 0..CUSTOMERS {
        let generate =
            GenerateOptions { articles: 400, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
        let account = account(&sim, &format!("shop-{number}"), generate);
        // Pages take their time, so that there is always one in the middle.
        account.update_settings(|settings| settings.incremental_page_size = 50);
        account.inject(FaultRule::always(Fault::SlowBody { chunk_bytes: 10_000, delay_ms: 40 }));
        accounts.push((format!("customer-{number}"), account));
    }
    let post = async |path: &str, customer: &str, body: serde_json::Value| {
        let request = http.post(format!("{api}{path}")).json(&body).bearer_auth(API_KEY);
        let answer = request.header("customer-id", customer).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json::<serde_json::Value>().await.unwrap()
    };
    for (customer, account) in &accounts {
        let request = json!({ "service": "ZENDESK", "zendesk_subdomain": account.subdomain() });
        let url = post("integrations/oauth_url", customer, request).await;
        let page = http.get(url["oauth_url"].as_str().unwrap()).send().await.unwrap();
        assert!(page.status().is_success());
    }

    for stop in 0..STOPS {
        let before = tally(&parts.store).await.started;
        until("work to be under way", async || {
            for (customer, _) in &accounts {
                post("helpsync/v1/sync", customer, json!({ "customer_id": customer, "full": true })).await;
            }
            (tally(&parts.store).await.started > before + 2).then_some(())
        })
        .await;
        let worker = workers.remove(0);
        let told = Instant::now();
        let (status, log) = worker.stopped().await;
        let took = told.elapsed();
        assert!(status.success(), "stop {stop}: {status:?}\n{log}");
        assert!(took < DRAIN + GRACE, "stop {stop} took {took:?}\n{log}");
        println!("stop {stop} took {took:.1?}");
        workers.push(start());
    }
    until("all work to be done", async || {
        let left = tally(&parts.store).await;
        (left.active_runs + left.open_shards + left.outbox == 0).then_some(())
    })
    .await;

    for (customer, account) in &accounts {
        assert_same(&truth(account), &held(&parts.store, parts.organization, customer).await);
    }
    let runs = parts.store.admin().runs(parts.organization, None, 10_000).await.unwrap();
    assert!(runs.iter().all(|run| run.state == RunState::Done), "{runs:#?}");
    let found = dispatcher.has_said("shards were lost");
    assert_eq!(found, None, "the sweeper had to help");
    for process in workers.into_iter().chain([dispatcher]) {
        assert!(process.stop().await.success());
    }
    let names = parts.rabbit.as_ref().unwrap().names().clone();
    parts.store.close().await;
    sim.stop().await;
    helpsync_queue_rabbitmq::delete_topology(&crate::app::broker(), &names).await.unwrap();
}
