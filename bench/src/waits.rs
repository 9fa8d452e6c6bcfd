//! How long a sync takes where Zendesk answers late, and how many requests it sends: what is serial costs a wait each.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use helpsync_store::testing::{name_of, stores};
use reqwest::Method;
use serde_json::{Value, json};

use crate::Options;
use crate::installation::Installation;
use crate::report::{Goal, Report, Row};
use crate::simulator::Simulator;

/// Articles of the first syncs.
const ARTICLES: usize = 3_000;
/// Articles of the sync that finds some of them deleted, and how many are.
const MANY: usize = 20_000;
const DELETED: usize = 200;
const REQUESTS_GOAL: f64 = 24.0;

/// A first sync, by whom, behind answers that come so late, and the time in ms that it may take.
struct First {
    what: &'static str,
    role: &'static str,
    late: Duration,
    goal: f64,
}

const FIRSTS: [First; 2] = [
    First { what: "by lists (end user)", role: "end_user", late: Duration::from_millis(300), goal: 3_000.0 },
    First { what: "by the export (admin)", role: "admin", late: Duration::from_millis(100), goal: 800.0 },
];

pub(crate) async fn measure(_options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for first in &FIRSTS {
        for store in stores().await {
            let simulator = Simulator::start(ARTICLES).await?;
            let help_center = HelpCenter { simulator: &simulator };
            help_center.control(Method::PATCH, "settings", json!({ "grant_as": first.role })).await?;
            let late =
                json!({ "path": "/api/v2/", "fault": { "kind": "delay", "ms": first.late.as_millis() } });
            help_center.control(Method::POST, "faults", late).await?;
            let app = Installation::start(&simulator, store.url()).await?;
            let began = Instant::now();
            app.connect(json!({ "file_sync_config": { "store_file_only": true } })).await?;
            let took = began.elapsed();
            let requests = app.requests_of_last_run().await?;
            report.add(Row {
                what: format!(
                    "{}, first sync of {ARTICLES} articles {}, {requests} requests",
                    name_of(&store),
                    first.what
                ),
                unit: "ms",
                ours: milliseconds(took),
                bare: "one answer of Zendesk's".to_owned(),
                theirs: milliseconds(first.late),
                goal: Some(Goal::Itself(first.goal)),
            });
            app.stop().await;
        }
    }
    for store in stores().await {
        let simulator = Simulator::start(MANY).await?;
        let help_center = HelpCenter { simulator: &simulator };
        help_center.control(Method::PATCH, "settings", json!({ "grant_as": "admin" })).await?;
        let app = Installation::start(&simulator, store.url()).await?;
        app.connect(json!({ "file_sync_config": { "store_file_only": true } })).await?;
        help_center.delete(DELETED).await?;
        let began = Instant::now();
        app.sync().await?;
        let took = milliseconds(began.elapsed());
        let requests = app.requests_of_last_run().await?;
        report.add(Row {
            what: format!(
                "{}, delta that finds {DELETED} of {MANY} articles deleted, in {took:.0} ms",
                name_of(&store)
            ),
            unit: "requests",
            ours: requests as f64,
            bare: "pages of the export".to_owned(),
            theirs: MANY as f64 / 1_000.0,
            goal: Some(Goal::Itself(REQUESTS_GOAL)),
        });
        app.stop().await;
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// The simulated help center's own handles.
struct HelpCenter<'a> {
    simulator: &'a Simulator,
}

impl HelpCenter<'_> {
    async fn control(&self, method: Method, what: &str, body: Value) -> anyhow::Result<Value> {
        let url = self.simulator.handle(what);
        let answer = self.simulator.client()?.request(method, url).json(&body).send().await?;
        let text = answer.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Deletes articles here and there.
    async fn delete(&self, number: usize) -> anyhow::Result<()> {
        let truth = self.control(Method::GET, "truth", Value::Null).await?;
        let articles = truth.as_array().context("no truth")?;
        let apart = articles.len() / number;
        let changes: Vec<Value> = articles
            .iter()
            .step_by(apart.max(1))
            .take(number)
            .map(|article| json!({ "kind": "delete", "id": article["id"] }))
            .collect();
        self.control(Method::POST, "changes", Value::Array(changes)).await.map(drop)
    }
}
