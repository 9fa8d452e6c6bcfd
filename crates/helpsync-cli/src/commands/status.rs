//! The whole installation at a glance.

use std::io::IsTerminal as _;
use std::time::Duration;

use serde_json::Value;

use crate::args::Status;
use crate::client::Client;
use crate::commands::watch::doing;
use crate::output::{Output, cell, table_text};

const REFRESH: Duration = Duration::from_secs(2);
const RUNS_SHOWN: usize = 10;

pub(crate) async fn status(args: Status, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    // Another screen on a terminal, lines one after the other elsewhere.
    let clears = args.watch && !output.json && std::io::stdout().is_terminal();
    loop {
        let answer = client.get("/helpsync/v1/status").await?;
        if args.watch && output.json {
            output.answer(&answer)?;
        } else {
            let clear = if clears { "\u{1b}[2J\u{1b}[H" } else { "" };
            output.show(&answer, || format!("{clear}{}", status_text(&answer)))?;
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(REFRESH).await;
    }
}

fn status_text(status: &Value) -> String {
    let count = |name: &str| status[name].as_i64().unwrap_or(0);
    let mut text = format!(
        "{} connected, {} paused, {} files, {} removals held for a person\n",
        count("active"),
        count("paused"),
        count("files"),
        count("held")
    );
    let mut line = |more: std::fmt::Arguments<'_>| text += &format!("{more}\n");
    if let Some(why) = status["store"].as_str().filter(|store| *store != "up") {
        line(format_args!("the database is in trouble: {why}"));
    }
    let columns = [
        "id",
        "customer",
        "workspace",
        "kind",
        "state",
        "doing",
        "listed",
        "created",
        "updated",
        "removed",
        "requests",
        "waiting_for",
    ];
    let runs = status["runs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows: Vec<Vec<String>> = runs
        .iter()
        .take(RUNS_SHOWN)
        .map(|run| {
            let value = |name: &str| match name {
                "customer" => cell(&run["customer_id"]),
                "doing" => doing(run).to_owned(),
                // Counters are in an object of their own.
                name if run[name].is_null() => cell(&run["counters"][name]),
                name => cell(&run[name]),
            };
            columns.iter().map(|name| value(name)).collect()
        })
        .collect();
    if rows.is_empty() {
        line(format_args!("nothing is running"));
    } else {
        line(format_args!("\n{}", table_text(&columns, &rows)));
    }
    if runs.len() > RUNS_SHOWN {
        line(format_args!("and {} more: helpsync runs", runs.len() - RUNS_SHOWN));
    }
    if count("held") > 0 {
        line(format_args!("\n{} removals are held: helpsync customers says whose", count("held")));
    }
    let failed = status["dead_letters"].as_array().map_or(0, Vec::len);
    if failed > 0 {
        line(format_args!("\n{failed} shards gave up: helpsync dead-letters list"));
    }
    if count("dead_messages") > 0 {
        line(format_args!(
            "\n{} messages could not be done: helpsync dead-letters list",
            count("dead_messages")
        ));
    }
    text
}
