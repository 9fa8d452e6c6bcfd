//! The whole installation: who works, what waits, what is left of the limits.

use helpsync_model::ShardKind;
use serde_json::Value;

use crate::args::Remote;
use crate::client::Client;
use crate::commands::ask::{list_of, rows_of};
use crate::output::{Output, cell, moment};

/// What a shard does, for people; of a server that knows more kinds, its own word.
fn stage(kind: &Value) -> String {
    let known = kind.as_str().and_then(|kind| kind.parse::<ShardKind>().ok());
    known.map_or_else(|| cell(kind), |kind| kind.in_words().to_owned())
}

pub(crate) async fn workers(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let answer = Client::of(remote, output)?.get("/helpsync/v1/workers").await?;
    output.show(&answer, || {
        let columns = ["process", "role", "host", "version", "alive", "last seen", "does"];
        rows_of(&columns, list_of(&answer["processes"]), |process| {
            let shards = list_of(&process["shards"]);
            let does = shards.iter().map(|shard| {
                format!(
                    "run {} of {} ({}): {}",
                    shard["run_id"],
                    cell(&shard["customer_id"]),
                    cell(&shard["workspace"]),
                    stage(&shard["kind"])
                )
            });
            let does = does.collect::<Vec<_>>().join("; ");
            let free = format!("nothing of {}", process["concurrency"]);
            vec![
                // The number alone tells those of one machine apart; JSON has the whole.
                cell(&process["holder"]).split('-').next().unwrap_or_default().to_owned(),
                cell(&process["role"]),
                cell(&process["host"]),
                cell(&process["version"]),
                if process["alive"] == true { "yes" } else { "no" }.to_owned(),
                moment(&process["seen_at"]),
                match (does.is_empty(), process["role"] == "dispatcher") {
                    (false, _) => does,
                    (true, true) => "-".to_owned(),
                    (true, false) => free,
                },
            ]
        })
    })
}

pub(crate) async fn lanes(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let answer = Client::of(remote, output)?.get("/helpsync/v1/lanes").await?;
    output.show(&answer, || {
        rows_of(&["lane", "state", "waiting", "under way"], list_of(&answer["lanes"]), |lane| {
            let paused = Some(moment(&lane["paused_at"])).filter(|at| at != "-");
            vec![
                cell(&lane["lane"]),
                paused.map_or_else(|| "open".to_owned(), |at| format!("paused {at}")),
                cell(&lane["pending"]),
                cell(&lane["out"]),
            ]
        })
    })
}

pub(crate) async fn budgets(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let answer = Client::of(remote, output)?.get("/helpsync/v1/budgets").await?;
    let columns = [
        "workspace",
        "a minute",
        "left",
        "window ends",
        "under way",
        "blocked until",
        "granted",
        "waits",
        "error",
    ];
    output.show(&answer, || {
        rows_of(&columns, list_of(&answer["budgets"]), |budget| {
            let value = |name: &str| cell(&budget[name]);
            vec![
                value("workspace"),
                value("limit"),
                value("remaining"),
                moment(&budget["window_ends_at"]),
                value("in_flight"),
                moment(&budget["blocked_until"]),
                value("granted"),
                value("waits"),
                value("error"),
            ]
        })
    })
}
