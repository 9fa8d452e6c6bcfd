//! How long a sync takes where Zendesk answers late, and how many requests it sends: what is serial costs a wait each.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use helpsync_store::testing::{name_of, stores};
use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::BodyProfile;

use crate::installation::{CUSTOMER, Installation, LOOK_EVERY};
use crate::report::{Goal, Report, Row};
use crate::simulator::{SUBDOMAIN, Simulator};
use crate::{Options, meter};

/// Articles of the first syncs.
const ARTICLES: usize = 3_000;
/// Articles of the sync that finds some of them deleted, and how many are.
const MANY: usize = 20_000;
const DELETED: usize = 200;
const REQUESTS_GOAL: f64 = 24.0;
const LATE_WHILE_REMOVING: Duration = Duration::from_millis(100);
/// Deleted articles are shown no longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// A first sync of articles of these lengths, by whom, behind answers that come so late, and the time in ms that it may take.
struct First {
    what: &'static str,
    role: &'static str,
    bodies: BodyProfile,
    late: Duration,
    goal: f64,
}

impl First {
    const fn by_lists(what: &'static str, bodies: BodyProfile) -> Self {
        Self { what, role: "end_user", bodies, late: Duration::from_millis(300), goal: 3_000.0 }
    }

    const fn by_export(what: &'static str, bodies: BodyProfile) -> Self {
        Self { what, role: "admin", bodies, late: Duration::from_millis(100), goal: 800.0 }
    }
}

/// Of short articles nearly all of the time is waited, of ordinary ones much of it is their conversion.
const FIRSTS: [First; 4] = [
    First::by_lists("by lists (end user)", BodyProfile::Realistic),
    First::by_lists("by lists (end user), short ones", BodyProfile::Small),
    First::by_export("by the export (admin)", BodyProfile::Realistic),
    First::by_export("by the export (admin), short ones", BodyProfile::Small),
];
/// Their help center.
const FIRST: &str = "first";

pub(crate) async fn measure(_options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for first in &FIRSTS {
        for store in stores().await {
            let simulator = Simulator::start(1).await?;
            simulator.more(FIRST, ARTICLES, first.bodies).await?;
            let role = json!({ "grant_as": first.role });
            simulator.control(FIRST, Method::PATCH, "settings", &role).await?;
            simulator.answer_late(FIRST, first.late).await?;
            let app = Installation::start(&simulator, store.url()).await?;
            let began = Instant::now();
            app.connect_to(FIRST, &json!({ "file_sync_config": { "store_file_only": true } })).await?;
            let took = began.elapsed();
            let requests = app.requests_of_last_run().await?;
            report.add(Row {
                what: format!(
                    "{}, first sync of {ARTICLES} articles {}, {requests} requests",
                    name_of(&store),
                    first.what
                ),
                unit: "ms",
                ours: meter::milliseconds(took),
                bare: "one answer of Zendesk's".to_owned(),
                theirs: meter::milliseconds(first.late),
                goal: Some(Goal::Itself(first.goal)),
            });
            app.stop().await?;
        }
    }
    for store in stores().await {
        let simulator = Simulator::start(MANY).await?;
        simulator.control(SUBDOMAIN, Method::PATCH, "settings", &json!({ "grant_as": "admin" })).await?;
        let app = Installation::start(&simulator, store.url()).await?;
        app.connect(&json!({ "file_sync_config": { "store_file_only": true } })).await?;
        delete(&simulator, DELETED).await?;
        simulator.control(SUBDOMAIN, Method::DELETE, "requests", &Value::Null).await?;
        simulator.answer_late(SUBDOMAIN, LATE_WHILE_REMOVING).await?;
        let began = Instant::now();
        let (synced, hidden) = tokio::join!(app.sync(), shown_no_more(&app, &simulator, began));
        synced?;
        let took = meter::milliseconds(began.elapsed());
        let (hidden_after, asked) = hidden?;
        let of = format!("{}, delta that finds {DELETED} of {MANY} articles deleted", name_of(&store));
        let mut add = |what: String, requests: f64, goal| {
            let (bare, theirs) = ("pages of the export".to_owned(), MANY as f64 / 1_000.0);
            report.add(Row { what, unit: "requests", ours: requests, bare, theirs, goal });
        };
        let goal = Some(Goal::Itself(REQUESTS_GOAL));
        add(format!("{of}, until none of them is shown, in {hidden_after:.0} ms"), asked, goal);
        let all = app.requests_of_last_run().await? as f64;
        add(format!("{of}, until each is proved to be gone, in {took:.0} ms"), all, None);
        app.stop().await?;
    }
    Ok(())
}

/// Waits until no deleted article is shown any more. After how many milliseconds and requests that is.
async fn shown_no_more(
    app: &Installation,
    simulator: &Simulator,
    began: Instant,
) -> anyhow::Result<(f64, f64)> {
    loop {
        let files = app
            .ask(Method::POST, "/user_files_v2", CUSTOMER, json!({ "pagination": { "limit": 1 } }))
            .await?;
        if files["count"].as_u64() == Some((MANY - DELETED) as u64) {
            let after = meter::milliseconds(began.elapsed());
            let asked = simulator.control(SUBDOMAIN, Method::GET, "requests", &Value::Null).await?;
            return Ok((after, asked.as_array().map_or(0, Vec::len) as f64));
        }
        anyhow::ensure!(began.elapsed() < PATIENCE, "deleted articles are shown for ever");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Deletes articles here and there.
async fn delete(simulator: &Simulator, number: usize) -> anyhow::Result<()> {
    let truth = simulator.control(SUBDOMAIN, Method::GET, "truth", &Value::Null).await?;
    let articles = truth.as_array().context("no truth")?;
    let apart = articles.len() / number;
    let changes: Vec<Value> = articles
        .iter()
        .step_by(apart.max(1))
        .take(number)
        .map(|article| json!({ "kind": "delete", "id": article["id"] }))
        .collect();
    simulator.control(SUBDOMAIN, Method::POST, "changes", &Value::Array(changes)).await.map(drop)
}
