//! A first sync beside the slowest of its stages alone, which is what it would take if nothing stood in the way; and how
//! much memory it needs.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use helpsync_content::{Converted, Limits, convert};
use helpsync_store::testing::{BareTexts, TestStore, Texts, name_of, postgres, stores};
use reqwest::Method;
use serde_json::{Value, json};

use crate::installation::{CUSTOMER, Installation};
use crate::report::{Goal, Report, Row};
use crate::simulator::{SUBDOMAIN, Simulator};
use crate::{Options, meter};

/// Of its slowest stage, a first sync takes at most so many times the time.
const EMBEDDED_GOAL: Goal = Goal::Ratio(1.0 / 0.8);
const SERVICES_GOAL: Goal = Goal::Ratio(1.0 / 0.7);
const MEGABYTES_GOAL: Goal = Goal::Itself(150.0);
/// Articles of a page of the export.
const PAGE: usize = 1_000;
/// Bytes of the one large article.
const LARGE: usize = 14_000_000;
const SENTENCE: &str = "Some words of a long article, one after the other. ";
/// In a paragraph.
const SENTENCES: usize = 8;

pub(crate) async fn measure(options: &Options, report: &mut Report) -> anyhow::Result<()> {
    for store in stores().await {
        let simulator = Simulator::start(options.synced).await?;
        let app = Installation::start(&simulator, store.url()).await?;
        let of = format!("{}, one process, {} articles", name_of(&store), options.synced);
        let first = First { of: &of, goal: EMBEDDED_GOAL };
        first.tell(&app, &simulator, &store, report).await?;
        if store.url().starts_with("sqlite") {
            large(&app, &simulator, &of, report).await?;
        }
        app.stop().await?;
    }
    let store = postgres().await;
    let simulator = Simulator::start(options.synced).await?;
    let app = Installation::services(&simulator, store.url()).await?;
    let of = format!("{}, two workers, {} articles", name_of(&store), options.synced);
    First { of: &of, goal: SERVICES_GOAL }.tell(&app, &simulator, &store, report).await?;
    app.stop().await
}

/// A first sync that is measured.
struct First<'a> {
    of: &'a str,
    goal: Goal,
}

/// A stage by itself.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    took: Duration,
}

impl First<'_> {
    async fn tell(
        &self,
        app: &Installation,
        simulator: &Simulator,
        store: &TestStore,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        meter::forget_peak()?;
        let (began, processor) = (Instant::now(), meter::with_database(store.url()));
        app.connect(&json!({ "file_sync_config": { "store_file_only": true } })).await?;
        let (took, processor) =
            (meter::milliseconds(began.elapsed()), meter::with_database(store.url()) - processor);
        // Later ones hold what the first left behind.
        if store.url().starts_with("sqlite") {
            peak(format!("{}, peak of the first sync", self.of), report);
        }
        // Behind it, so that what they hold is not in its peak.
        let slowest = slowest_stage(simulator, store).await?;
        let mut add = |what: &str, ours: f64, goal| {
            let what = format!("{}, {what}", self.of);
            let (bare, theirs) =
                (format!("{} alone, the slowest stage", slowest.name), meter::milliseconds(slowest.took));
            report.add(Row { what, unit: "ms", ours, bare, theirs, goal });
        };
        add("first sync (clock)", took, Some(self.goal));
        add("first sync (CPU)", processor, None);
        Ok(())
    }
}

fn peak(what: String, report: &mut Report) {
    report.add(Row {
        what,
        unit: "MB",
        ours: meter::peak_megabytes(),
        bare: "the large article".to_owned(),
        theirs: LARGE as f64 / 1e6,
        goal: Some(MEGABYTES_GOAL),
    });
}

/// One article of very many words is stored beside the others.
async fn large(
    app: &Installation,
    simulator: &Simulator,
    of: &str,
    report: &mut Report,
) -> anyhow::Result<()> {
    let paragraph = format!("<p>{}</p>\n", SENTENCE.repeat(SENTENCES));
    let body = paragraph.repeat(LARGE / paragraph.len());
    let article = json!({ "kind": "create", "title": "Large", "body": body, "draft": false });
    let made = simulator.control(SUBDOMAIN, Method::POST, "changes", &article).await?;
    let id = made[0]["article"].as_i64().context("no article")?;
    meter::forget_peak()?;
    app.sync().await?;
    peak(format!("{of}, then one of {} MB, peak", LARGE / 1_000_000), report);
    let filter = json!({ "filters": { "external_file_ids": [id.to_string()] } });
    let found = app.ask(Method::POST, "/user_files_v2", CUSTOMER, filter).await?;
    if found["results"][0]["sync_status"] != "READY" {
        let skipped = format!("/helpsync/v1/runs/{}/skipped", app.run_of(CUSTOMER).await?.id.0);
        let skipped = app.ask(Method::GET, &skipped, CUSTOMER, Value::Null).await?;
        bail!("the large article is not stored: {skipped}");
    }
    Ok(())
}

/// Reads, converts and writes all articles, each by itself and nothing at the same time.
async fn slowest_stage(simulator: &Simulator, store: &TestStore) -> anyhow::Result<Stage> {
    let (pages, reading) = read(simulator).await?;
    let bodies: Vec<String> = pages.iter().flat_map(bodies).collect();
    let limits = Limits::default();
    let began = Instant::now();
    let converted: Vec<Converted> = bodies
        .iter()
        .map(|html| convert(html, Some("https://acme.example.com/hc/en-us/articles/1"), &limits))
        .collect::<Result<_, _>>()?;
    let converting = began.elapsed();
    let texts: Vec<Texts<'_>> = bodies
        .iter()
        .zip(&converted)
        .map(|(html, converted)| [html.as_str(), converted.markdown.as_str(), converted.text.as_str()])
        .collect();
    let mut bare = BareTexts::of(store).await?;
    let began = Instant::now();
    for page in texts.chunks(PAGE) {
        bare.write(page).await?;
    }
    let writing = began.elapsed();
    let stages = [("reading", reading), ("converting", converting), ("writing", writing)];
    let stages = stages.map(|(name, took)| Stage { name, took });
    eprintln!("  {}: {stages:?}", name_of(store));
    stages.into_iter().max_by_key(|stage| stage.took).context("no stage")
}

/// The pages of the export one after the other, and how long it takes to have them.
async fn read(simulator: &Simulator) -> anyhow::Result<(Vec<Value>, Duration)> {
    let http = simulator.client()?;
    let mut next = Some(simulator.url("/api/v2/help_center/incremental/articles?start_time=0"));
    let (mut pages, mut took) = (Vec::new(), Duration::ZERO);
    while let Some(url) = next {
        let began = Instant::now();
        let answer = http.get(url).bearer_auth(&simulator.token).send().await?.error_for_status()?;
        let bytes = answer.bytes().await?;
        took += began.elapsed();
        let page: Value = serde_json::from_slice(&bytes)?;
        let full = page["articles"].as_array().is_some_and(|articles| articles.len() >= PAGE);
        next = page["next_page"].as_str().filter(|_| full).map(ToOwned::to_owned);
        pages.push(page);
    }
    Ok((pages, took))
}

fn bodies(page: &Value) -> impl Iterator<Item = String> {
    let articles = page["articles"].as_array().into_iter().flatten();
    articles.filter_map(|article| article["body"].as_str()).map(ToOwned::to_owned)
}
