//! Watching: the whole installation, or one run.

use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use crate::args::Status;
use crate::client::Client;
use crate::output::{LOOK_EVERY, Progress, cell, table};

const REFRESH: Duration = Duration::from_secs(2);
const RUNS_SHOWN: usize = 10;

pub(crate) async fn status(args: Status) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, None)?;
    loop {
        let answer = client.get("/helpsync/v1/status").await?;
        if args.json {
            println!("{}", if args.watch { answer.to_string() } else { format!("{answer:#}") });
        } else {
            if args.watch && std::io::stdout().is_terminal() {
                print!("\u{1b}[2J\u{1b}[H");
            }
            print_status(&answer);
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(REFRESH).await;
    }
}

fn print_status(status: &Value) {
    let count = |name: &str| status[name].as_i64().unwrap_or(0);
    println!(
        "{} connected, {} paused, {} files, {} removals held for a person",
        count("active"),
        count("paused"),
        count("files"),
        count("held")
    );
    if let Some(why) = status["store"].as_str().filter(|store| *store != "up") {
        println!("the database is in trouble: {why}");
    }
    let columns = [
        "id",
        "kind",
        "state",
        "stage",
        "listed",
        "created",
        "updated",
        "removed",
        "requests",
        "waiting_for",
    ];
    let rows: Vec<Vec<String>> = status["runs"]
        .as_array()
        .into_iter()
        .flatten()
        .take(RUNS_SHOWN)
        .map(|run| {
            // Counters are in an object of their own.
            let value = |name: &str| if run[name].is_null() { &run["counters"][name] } else { &run[name] };
            columns.iter().map(|name| cell(value(name))).collect()
        })
        .collect();
    if rows.is_empty() {
        println!("nothing is running");
    } else {
        println!();
        table(&columns, &rows);
    }
    let failed = status["dead_letters"].as_array().map_or(0, Vec::len);
    if failed > 0 {
        println!("\n{failed} shards gave up: helpsync dead-letters list");
    }
    if count("dead_messages") > 0 {
        println!("\n{} messages could not be done: helpsync dead-letters list", count("dead_messages"));
    }
}

/// Shows a run until it has ended.
pub(crate) async fn watch_run(client: &Client, id: i64) -> anyhow::Result<Value> {
    let progress = Progress::start(&format!("run {id}"));
    loop {
        let run = client.get(&format!("/helpsync/v1/runs/{id}")).await?;
        let counters = &run["counters"];
        let count = |name: &str| counters[name].as_u64().unwrap_or(0);
        let done =
            count("created") + count("updated") + count("unchanged") + count("drafts") + count("unselected");
        match run["state"].as_str() {
            Some("done") => {
                progress.end(&format!(
                    "{} sync: {} new, {} changed, {} removed, {} unchanged, {} requests",
                    cell(&run["kind"]),
                    count("created"),
                    count("updated"),
                    count("removed"),
                    count("unchanged"),
                    count("requests")
                ));
                return Ok(run);
            }
            Some("failed" | "incomplete" | "cancelled") => {
                bail!("run {id} is {}: {}", cell(&run["state"]), cell(&run["error"]));
            }
            _ => {
                let waits = run["waiting_for"].as_str().map(|what| format!("waits for {what}"));
                let works = || run["working_on"].as_str().map(str::to_owned);
                progress.set(done, count("remote_count"), waits.or_else(works));
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
