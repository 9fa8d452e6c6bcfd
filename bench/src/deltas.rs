//! Syncs that find nothing new, which most are: what one costs, and how many a second the processors here carry.

use std::time::{Duration, Instant};

use helpsync_model::{ConnectionId, Lane, RunParams, RunState, Trigger};
use helpsync_store::RunRequest;
use helpsync_store::testing::many::Many;
use helpsync_store::testing::{name_of, postgres};
use serde_json::json;
use zendesk_sim::BodyProfile;

use crate::installation::Installation;
use crate::listings::filled;
use crate::report::{Goal, Report, Row};
use crate::simulator::Simulator;
use crate::{Options, meter};

/// Customers, each with a help center of its own, as it is with customers.
const CUSTOMERS: usize = 40;
const ARTICLES: usize = 20;
/// What others have, so that Postgres reads as it does where it has much to read.
const OTHERS: Many = Many { customers: 2_000, files: 50 };
/// Syncs of each before it is measured: Postgres plans a statement anew for the first five times on each connection.
const WARM_UP_ROUNDS: usize = 10;
/// Syncs of each.
const ROUNDS: usize = 25;
/// Looks are Postgres's work too.
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);
/// Processor time of Postgres that one may take.
const POSTGRES_MILLISECONDS: f64 = 8.0;
/// Runs a second that two processors are to carry: of both programs, the simulated Zendesk apart.
const RUNS_A_SECOND: f64 = 300.0;

pub(crate) async fn measure(_options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let store = postgres().await;
    let simulator = Simulator::start(1).await?;
    let app = Installation::services(&simulator, store.url()).await?;
    let mut connections = Vec::new();
    for number in 0..CUSTOMERS {
        let customer = format!("c{number}");
        let subdomain = format!("center-{number}");
        simulator.more(&subdomain, ARTICLES, BodyProfile::Realistic).await?;
        app.grant(&customer, &subdomain, &json!({})).await?;
        app.until_done(async || app.run_of(&customer).await.map(Some)).await?;
        connections.push(app.connection_of(&customer).await?);
    }
    filled(&store, OTHERS).await?;
    for round in 0..WARM_UP_ROUNDS {
        synced(&app, &connections, round).await?;
    }
    let (began, all, database) =
        (Instant::now(), meter::with_database(store.url()), meter::of_database(store.url()));
    for round in WARM_UP_ROUNDS..WARM_UP_ROUNDS + ROUNDS {
        synced(&app, &connections, round).await?;
    }
    let runs = (CUSTOMERS * ROUNDS) as f64;
    let (all, database) =
        (meter::with_database(store.url()) - all, meter::of_database(store.url()) - database);
    let name = name_of(&store);
    let mut add = |what: &str, ours: f64, bare: &str, theirs: f64, goal| {
        let (what, bare) = (format!("{name}, unchanged delta, {what}"), bare.to_owned());
        report.add(Row { what, unit: "ms", ours, bare, theirs, goal });
    };
    let wall = began.elapsed().as_secs_f64() * 1_000.0 / runs;
    add(
        "Postgres (CPU)",
        database / runs,
        "both programs",
        all / runs,
        Some(Goal::Itself(POSTGRES_MILLISECONDS)),
    );
    // A processor has a thousand milliseconds a second.
    let most = 2.0 * 1_000.0 / RUNS_A_SECOND;
    add("both programs (CPU)", all / runs, "the clock", wall, Some(Goal::Itself(most)));
    app.stop().await
}

/// Has every connection synced once, all at the same time.
async fn synced(app: &Installation, connections: &[ConnectionId], round: usize) -> anyhow::Result<()> {
    let parts = app.parts()?;
    let admin = parts.store.admin();
    for connection in connections {
        let request = RunRequest {
            connection: *connection,
            kind: None,
            trigger: Trigger::Schedule,
            lane: Lane::Scheduled,
            request_id: format!("round-{round}"),
            upload_id: format!("round-{round}"),
            params: RunParams::default(),
        };
        admin.request_run(parts.organization, &request).await?;
    }
    parts.wake.notify_one();
    let newest = u32::try_from(connections.len())?;
    let slowest = async || {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        let runs = admin.runs(parts.organization, None, newest).await?;
        let open = runs.iter().position(|run| run.state != RunState::Done);
        Ok(runs.into_iter().nth(open.unwrap_or_default()))
    };
    app.until_done(slowest).await.map(drop)
}
