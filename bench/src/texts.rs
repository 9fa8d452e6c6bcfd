//! The articles that are converted and chunked.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::Options;
use crate::simulator::Simulator;

/// Simulated ones, where no others are given.
const SIMULATED: usize = 500;
const PER_PAGE: usize = 100;

/// The HTML of the articles that `options` names.
pub(crate) async fn html(options: &Options) -> anyhow::Result<Vec<String>> {
    let html = match &options.articles {
        Some(path) => bodies(&read(path)?),
        None => simulated().await?,
    };
    anyhow::ensure!(!html.is_empty(), "there are no articles");
    eprintln!(
        "  {} articles, {} kB of HTML",
        html.len(),
        html.iter().map(String::len).sum::<usize>() / 1_000
    );
    Ok(html)
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_str(&text)?)
}

fn bodies(page: &Value) -> Vec<String> {
    let articles = page["articles"].as_array().into_iter().flatten();
    articles.filter_map(|article| article["body"].as_str()).map(ToOwned::to_owned).collect()
}

async fn simulated() -> anyhow::Result<Vec<String>> {
    let simulator = Simulator::start(SIMULATED).await?;
    let http = simulator.client()?;
    let mut html = Vec::new();
    for number in 1..=SIMULATED.div_ceil(PER_PAGE) {
        let url = simulator
            .url(&format!("/api/v2/help_center/en-us/articles.json?per_page={PER_PAGE}&page={number}"));
        let page = http.get(url).bearer_auth(&simulator.token).send().await?.error_for_status()?;
        html.extend(bodies(&page.json().await?));
    }
    Ok(html)
}
