//! The suite: twenty workspaces, three workers, two dispatchers, and everything that can go wrong with what they
//! stand on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::future::join_all;
use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::{Entropy as _, OsEntropy, RunState, SeededEntropy};
use helpsync_queue::Queue as _;
use helpsync_store::testing::{open_shards, tally};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use zendesk_sim::{AccountOptions, BodyProfile, Fault, FaultRule, GenerateOptions, Sim, SimOptions};

use super::faults::{play, script};
use super::fleet::Fleet;
use super::invariants::{assert_copies_exact, assert_nothing_lost_or_doubled};
use super::services::Services;
use super::traffic::{Customer, Traffic};
use crate::app::{LATE, client, named, service, settings_of};

/// Faults in the run of every day; the long run sets more.
const FAULTS: usize = 55;
const WORKSPACES: usize = 20;
const DISPATCHERS: usize = 2;
const WORKERS: usize = 3;
/// Customers are served by so many at once.
const AT_ONCE: usize = 4;
/// Requests a minute that the simulator answers before it says 429.
const LIMIT_PER_MINUTE: u32 = 700;
/// Without faults, while the queues are made and the first customers connect.
const SETTLING: Duration = Duration::from_secs(6);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A request goes back to the queue within this time, or its run is there.
const QUIET: Duration = Duration::from_secs(2);
/// By then the backlog of the longest run is worked off.
const QUIET_MAX: Duration = Duration::from_mins(15);

#[tokio::test(flavor = "multi_thread")]
async fn killed_cut_off_and_restarted_the_copies_are_exact_and_nothing_is_lost_or_doubled() {
    let mut services = Services::start().await;
    let faults = service("HELPSYNC_TEST_CHAOS_FAULTS", &FAULTS.to_string()).parse().unwrap();
    let fresh = OsEntropy.fraction().to_bits().to_string();
    let seed: u64 = service("HELPSYNC_TEST_CHAOS_SEED", &fresh).parse().unwrap();
    println!("HELPSYNC_TEST_CHAOS_SEED={seed}");
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let customers: Vec<Customer> = (0..WORKSPACES).map(|number| customer(&sim, number)).collect();
    let mut env = settings_of(&sim);
    env.retain(|(name, _)| name != "HELPSYNC_ZENDESK__REQUESTS_PER_MINUTE" && name != "HELPSYNC_LOG__FILTER");
    env.extend([
        named("LOG__FILTER", service("HELPSYNC_TEST_LOG", "info")),
        named("LOG__FORMAT", "text"),
        // Recovery within seconds, so that many faults fit into minutes.
        named("WORKER__SHARD_LEASE_SECONDS", "5"),
        named("WORKER__DRAIN_SECONDS", "5"),
        named("DISPATCHER__SWEEP_AFTER_SECONDS", "10"),
        // In a long run a workspace that was cut off for minutes comes back with hundreds of removals: nobody is here
        // to allow them.
        named("SYNC__REMOVAL_CEILING_MIN", "1000000"),
    ]);
    let direct = [env.clone(), services.settings(true)].concat();
    let parts = Parts::open(Settings::load(None, direct).unwrap(), Runtime::default()).await.unwrap();
    let fleet = Fleet::new([env, services.settings(false)].concat(), DISPATCHERS, WORKERS);
    let fleet = Arc::new(Mutex::new(fleet));
    let supervisor = tokio::spawn(supervise(Arc::clone(&fleet)));

    let began = Instant::now();
    let traffic = Traffic::new(Arc::clone(&fleet), parts.clone(), seed ^ 1);
    let enough = CancellationToken::new();
    let groups = customers.chunks(WORKSPACES.div_ceil(AT_ONCE));
    let busy: Vec<_> =
        groups.map(|group| tokio::spawn(traffic.clone().run(group.to_vec(), enough.clone()))).collect();
    // RabbitMQ 3.10 keeps what it needs of a new quorum queue in memory for its first moments: a crash then leaves a
    // queue without a leader, which only a person can delete. That is its fault to mend, not one to be met here.
    tokio::time::sleep(SETTLING).await;
    let entropy = SeededEntropy::new(seed);
    let happened = play(script(faults, &entropy), &entropy, &mut services, &fleet).await;
    let (faulty, count) = (began.elapsed(), happened.values().sum::<usize>());
    enough.cancel();
    for group in join_all(busy).await {
        group.unwrap();
    }
    // Every change was followed by a request that was accepted: with nothing lost, the copies are exact without another.
    quiet(&parts).await;
    let recovered = began.elapsed() - faulty;
    assert_copies_exact(&parts, &customers).await;
    for customer in &customers {
        traffic.sync(customer, false).await;
    }
    quiet(&parts).await;
    assert_copies_exact(&parts, &customers).await;
    assert_nothing_lost_or_doubled(&parts, &customers).await;

    supervisor.abort();
    drop(supervisor.await);
    let (asked, tally) = (Arc::clone(&traffic.asked), tally(&parts.store).await);
    let runs = parts.store.admin().runs(parts.organization, None, 1_000_000).await.unwrap();
    drop(traffic);
    let fleet = Arc::into_inner(fleet).unwrap().into_inner();
    println!("{count} faults in {faulty:.1?}, quiet {recovered:.1?} later");
    for (name, count) in happened {
        println!("  {count:4} {name}");
    }
    println!(
        "{} processes started, {} of them gave up starting while a service was away",
        fleet.starts,
        fleet.ended.len()
    );
    let count = |counter: &std::sync::atomic::AtomicUsize| counter.load(Ordering::Relaxed);
    println!(
        "{} changes; {} syncs by the API, {} upstream, {} articles; asked {} times again",
        count(&asked.changes),
        count(&asked.syncs),
        count(&asked.upstream),
        count(&asked.resyncs),
        count(&asked.again)
    );
    let done = runs.iter().filter(|run| run.state == RunState::Done).count();
    println!(
        "{} runs ({done} done, {} cancelled by a repeated grant), {} shards, {} requests to Zendesk",
        runs.len(),
        runs.len() - done,
        tally.shards,
        customers.iter().map(|customer| customer.account.requests().len()).sum::<usize>()
    );
    for line in &fleet.ended {
        assert!(line.contains("cannot open the store"), "a process ended by itself: {line}");
    }
    fleet.stop().await;
    parts.store.close().await;
    sim.stop().await;
}

fn customer(sim: &Sim, number: usize) -> Customer {
    let generate = GenerateOptions {
        articles: 60 + number * 90 / WORKSPACES,
        body_profile: BodyProfile::Small,
        seed: number as u64,
        ..GenerateOptions::default()
    };
    let account = sim.create_account(AccountOptions {
        subdomain: format!("shop-{number}"),
        locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
        settings: zendesk_sim::Settings {
            limit_per_minute: LIMIT_PER_MINUTE,
            // Several pages a walk, so that there is a middle to be interrupted in.
            incremental_page_size: 25,
            ..zendesk_sim::Settings::default()
        },
        clients: vec![client()],
        generate,
    });
    // Answers take their time, so that most faults meet work in its middle.
    account.inject(FaultRule::always(Fault::SlowBody { chunk_bytes: 8_000, delay_ms: 60 }).on("articles"));
    Customer { id: format!("customer-{number}"), account }
}

async fn supervise(fleet: Arc<Mutex<Fleet>>) {
    loop {
        fleet.lock().await.tend();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until nothing is left to be done anywhere. A request that a dispatcher has in its hands is seen nowhere, so
/// this has to be so for a while. How long it takes is the backlog's matter: what may not be is that nothing moves.
async fn quiet(parts: &Parts) {
    let rabbit = parts.rabbit.as_ref().unwrap();
    let (began, mut moved, mut seen, mut since) = (Instant::now(), Instant::now(), None, None);
    loop {
        let waiting = rabbit.waiting_requests().await.ok();
        let left = tally(&parts.store).await;
        if seen != Some((waiting, left)) {
            (seen, moved) = (Some((waiting, left)), Instant::now());
        }
        if waiting != Some(0) || left.active_runs + left.open_shards + left.outbox > 0 {
            since = None;
            if moved.elapsed() > LATE {
                let shards = open_shards(&parts.store).await;
                let queue = rabbit.stats().await;
                panic!("nothing moves: {waiting:?} requests wait, {left:?}, {shards:#?}, {queue:#?}");
            }
            assert!(began.elapsed() < QUIET_MAX, "no end to the work: {waiting:?} requests wait, {left:?}");
        } else if since.get_or_insert_with(Instant::now).elapsed() > QUIET {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
