//! How soon work begins that a person waits for: on an idle installation, and beside first syncs of others.

use std::time::Duration;

use anyhow::Context as _;
use futures::future::try_join_all;
use helpsync_model::{Clock as _, ConnectionId, SystemClock};
use helpsync_store::testing::postgres;
use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::BodyProfile;

use crate::Options;
use crate::installation::{CUSTOMER, Installation};
use crate::meter::Times;
use crate::report::{Goal, Report, Row};
use crate::simulator::Simulator;

/// Articles of the customer for whom somebody waits.
const ARTICLES: usize = 20;
/// First syncs of others, of so many articles each, over a Zendesk that answers so late.
const BACKFILLS: usize = 50;
const ARTICLES_OF_OTHERS: usize = 1_000;
const LATE: Duration = Duration::from_millis(300);
/// Requests of a person, every other one for a single article.
const ASKED: usize = 200;
/// Milliseconds within which 99 of 100 runs are to begin.
const IDLE_MILLISECONDS: f64 = 100.0;
const BUSY_MILLISECONDS: f64 = 1_000.0;
/// What asks no database.
const BARE: &str = "/health";

pub(crate) async fn measure(_options: &Options, report: &mut Report) -> anyhow::Result<()> {
    let store = postgres().await;
    let simulator = Simulator::start(ARTICLES).await?;
    let app = Installation::services(&simulator, store.url()).await?;
    app.connect(&json!({})).await?;
    let person = Person::of(&app).await?;
    person.tell("idle, two workers", IDLE_MILLISECONDS, report).await?;
    let others: Vec<String> = (0..BACKFILLS).map(|number| format!("other{number}")).collect();
    for subdomain in &others {
        simulator.more(subdomain, ARTICLES_OF_OTHERS, BodyProfile::Realistic).await?;
        simulator.answer_late(subdomain, LATE).await?;
    }
    let options = json!({});
    let grants = others.iter().map(|subdomain| app.grant(subdomain, subdomain, &options));
    try_join_all(grants).await?;
    let under_way = person.backfills().await?;
    person.tell(&format!("beside {under_way} first syncs, two workers"), BUSY_MILLISECONDS, report).await?;
    eprintln!("  {} of {BACKFILLS} first syncs were under way at the end", person.backfills().await?);
    app.stop().await
}

/// Who waits.
struct Person<'a> {
    app: &'a Installation,
    connection: ConnectionId,
    file: i64,
}

impl<'a> Person<'a> {
    async fn of(app: &'a Installation) -> anyhow::Result<Self> {
        let files = app.ask(Method::POST, "/user_files_v2", CUSTOMER, json!({})).await?;
        let file = files["results"][0]["id"].as_i64().context("no file")?;
        Ok(Self { app, connection: app.connection_of(CUSTOMER).await?, file })
    }

    /// Others' syncs under way.
    async fn backfills(&self) -> anyhow::Result<usize> {
        let parts = self.app.parts()?;
        let status = parts.store.admin().status(parts.organization).await?;
        Ok(status.runs.iter().filter(|run| run.connection != self.connection).count())
    }

    async fn tell(&self, beside: &str, goal: f64, report: &mut Report) -> anyhow::Result<()> {
        let (mut bare, mut begun) = (Times::default(), Times::default());
        for number in 0..ASKED {
            bare.of(self.app.ask(Method::GET, BARE, CUSTOMER, Value::Null)).await?;
            begun.push(self.begins_after(number % 2 == 0).await?);
        }
        for percent in [50, 99] {
            report.add(Row {
                what: format!("from a person's request to its worker, {beside}, p{percent}"),
                unit: "ms",
                ours: begun.within(percent),
                bare: "a request without a statement".to_owned(),
                theirs: bare.within(percent),
                goal: (percent == 99).then_some(Goal::Itself(goal)),
            });
        }
        Ok(())
    }

    /// From the request until a worker has begun with it.
    async fn begins_after(&self, whole: bool) -> anyhow::Result<Duration> {
        let (path, body) = match whole {
            true => ("/helpsync/v1/sync", json!({ "customer_id": CUSTOMER })),
            false => ("/resync_file", json!({ "file_id": self.file })),
        };
        let before = self.app.run_of(CUSTOMER).await?.id;
        let asked = SystemClock.now_ms();
        self.app.ask(Method::POST, path, CUSTOMER, body).await?;
        let newer = async || {
            let run = self.app.run_of(CUSTOMER).await?;
            Ok(Some(run).filter(|run| run.id > before))
        };
        let run = self.app.until_done(newer).await?;
        let begun = run.started_at.context("a run that did not begin")?;
        Ok(Duration::from_millis(u64::try_from(begun.saturating_sub(asked)).unwrap_or_default()))
    }
}
