//! A worker that sleeps beyond its lease: another takes over, and what the sleeper still writes changes nothing.

use std::time::Duration;

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::RunState;
use helpsync_store::testing::end_leases;
use serde_json::json;
use zendesk_sim::{BodyProfile, Fault, FaultRule, GenerateOptions, Sim, SimOptions};

use crate::app::{API_KEY, LATE, account, broker, named, prefix, services, settings_of, until, until_within};
use crate::copy::{assert_same, held, truth};
use crate::processes::Running;

const CUSTOMER: &str = "ada";
/// It may be put to sleep between two answers, with nothing to write when it wakes up: then once more.
const ROUNDS_MAX: usize = 5;
/// The sleeper's watch over its lease looks after a third of it. So long a lease, that the test ends, keeps that watch from
/// stopping the sleeper before it writes: it only saves work, the fence alone must keep the copy right.
const SLEEPERS_LEASE_SECONDS: &str = "3600";
/// The sleeper's requests count as under way for 90 s (`GRANT_TTL` of the account's budget): where it fell asleep with as many as
/// may be at once, its heir asks nothing before.
const HEIRS_PATIENCE: Duration = LATE.saturating_mul(2);
/// What a worker says of a refused write.
const REFUSED: &str = "a write was refused";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_slept_beyond_its_lease_is_refused_and_the_copy_is_exact() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let database = helpsync_store::testing::postgres().await;
    let prefix = prefix();
    let mut env = settings_of(&sim);
    env.retain(|(name, _)| name != "HELPSYNC_LOG__FILTER");
    env.extend(services(database.url(), &prefix));
    env.retain(|(name, _)| name != "HELPSYNC_QUEUE__URL");
    env.extend([
        // The broker soon gives the sleeper's messages to the heir, so that a round is short.
        named("QUEUE__URL", format!("{}?heartbeat=2", broker())),
        named("WORKER__SHARD_LEASE_SECONDS", "5"),
        named("DISPATCHER__SWEEP_AFTER_SECONDS", "10"),
        named("LOG__FILTER", "info"),
        named("LOG__FORMAT", "text"),
    ]);
    let parts = Parts::open(Settings::load(None, env.clone()).unwrap(), Runtime::default()).await.unwrap();
    let http = reqwest::Client::builder().timeout(LATE).build().unwrap();
    let dispatcher = Running::start("helpsync-dispatcher", &[], &env);
    let api = dispatcher.said("API at ").await;
    let generate =
        GenerateOptions { articles: 300, body_profile: BodyProfile::Small, ..GenerateOptions::default() };
    let acme = account(&sim, "acme", generate);
    acme.update_settings(|settings| settings.incremental_page_size = 20);
    // An answer is on its way most of the time, so that it is what the sleeper wakes up to.
    acme.inject(FaultRule::always(Fault::SlowBody { chunk_bytes: 4_000, delay_ms: 60 }).on("incremental"));
    let post = async |path: &str, body: serde_json::Value| {
        let request = http.post(format!("{api}{path}")).json(&body).bearer_auth(API_KEY);
        let answer = request.header("customer-id", CUSTOMER).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json::<serde_json::Value>().await.unwrap()
    };
    let request = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme" });
    let url = post("integrations/oauth_url", request).await;
    assert!(http.get(url["oauth_url"].as_str().unwrap()).send().await.unwrap().status().is_success());

    let newest = async || {
        parts.store.admin().runs(parts.organization, None, 1).await.unwrap().into_iter().next().unwrap()
    };
    let mut sleepers = env.clone();
    sleepers.retain(|(name, _)| name != "HELPSYNC_WORKER__SHARD_LEASE_SECONDS");
    sleepers.push(named("WORKER__SHARD_LEASE_SECONDS", SLEEPERS_LEASE_SECONDS));
    let mut refused = None;
    for round in 1..=ROUNDS_MAX {
        if round > 1 {
            acme.apply_random(20, round as u64);
            post("helpsync/v1/sync", json!({ "customer_id": CUSTOMER, "full": true })).await;
        }
        let sleeper = Running::start("helpsync-worker", &[], &sleepers);
        let run = until("a walk in its middle", async || {
            let run = newest().await;
            if !run.state.is_active() || run.counters.listed < 40 {
                return None;
            }
            sleeper.signal("STOP");
            if end_leases(&parts.store).await > 0 {
                return Some(run);
            }
            sleeper.signal("CONT");
            None
        })
        .await;
        let heir = Running::start("helpsync-worker", &[], &env);
        until_within(HEIRS_PATIENCE, "the run to end without the sleeper", async || {
            (!parts.store.admin().run(parts.organization, run.id).await.unwrap().state.is_active())
                .then_some(())
        })
        .await;
        assert_eq!(parts.store.admin().run(parts.organization, run.id).await.unwrap().state, RunState::Done);
        let copy = held(&parts.store, parts.organization, CUSTOMER).await;
        assert_same(&truth(&acme), &copy);
        sleeper.signal("CONT");
        until("the sleeper to notice", async || {
            sleeper.has_said("lease lost").or_else(|| sleeper.has_said(REFUSED))
        })
        .await;
        refused = sleeper.has_said(REFUSED);
        assert!(sleeper.stop().await.success());
        // Whatever it wrote or tried to: nothing of the copy and nothing of the ended run has changed.
        assert_same(&copy, &held(&parts.store, parts.organization, CUSTOMER).await);
        assert!(heir.stop().await.success());
        if refused.is_some() {
            println!("refused in round {round}");
            break;
        }
    }
    assert!(refused.is_some(), "in {ROUNDS_MAX} rounds no late write reached the store");
    let runs = parts.store.admin().runs(parts.organization, None, 100).await.unwrap();
    for pair in runs.windows(2) {
        assert!(pair[1].finished_at.unwrap() <= pair[0].created_at, "two syncs overlapped: {pair:#?}");
    }
    assert!(dispatcher.stop().await.success());
    let names = parts.rabbit.as_ref().unwrap().names().clone();
    parts.store.close().await;
    sim.stop().await;
    helpsync_queue_rabbitmq::delete_topology(&broker(), &names).await.unwrap();
}
