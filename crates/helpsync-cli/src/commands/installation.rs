//! The whole installation: who works, what waits, what is left of the limits.

use serde_json::Value;

use crate::args::Remote;
use crate::client::Client;
use crate::commands::ask::{rows, rows_of};
use crate::output::{Output, cell};

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(crate) async fn workers(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let answer = Client::of(remote, output)?.get("/helpsync/v1/workers").await?;
    output.show(&answer, || {
        let columns = ["process", "role", "host", "version", "alive", "last seen", "does"];
        rows_of(&columns, list(&answer["processes"]), |process| {
            let shards = list(&process["shards"]);
            let does = shards.iter().map(|shard| {
                format!(
                    "run {} of {} ({}): {}",
                    shard["run_id"],
                    cell(&shard["customer_id"]),
                    cell(&shard["workspace"]),
                    cell(&shard["kind"])
                )
            });
            let does = does.collect::<Vec<_>>().join("; ");
            let free = format!("nothing of {}", process["concurrency"]);
            vec![
                cell(&process["holder"]),
                cell(&process["role"]),
                cell(&process["host"]),
                cell(&process["version"]),
                if process["alive"] == true { "yes" } else { "no" }.to_owned(),
                cell(&process["seen_at"]),
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
    output.show(&answer, || rows(&answer["lanes"], &["lane", "paused_at", "pending", "out"]))
}

pub(crate) async fn budgets(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let answer = Client::of(remote, output)?.get("/helpsync/v1/budgets").await?;
    let columns = [
        "workspace",
        "limit",
        "remaining",
        "window_ends_at",
        "in_flight",
        "blocked_until",
        "granted",
        "waits",
        "error",
    ];
    output.show(&answer, || rows(&answer["budgets"], &columns))
}
