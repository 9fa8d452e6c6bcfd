//! The whole installation at a glance.

use std::io::IsTerminal as _;
use std::time::Duration;

use helpsync_model::{Clock as _, SystemClock, Timestamp};
use serde_json::Value;

use crate::args::Status;
use crate::client::Client;
use crate::commands::ask::{list_of, rows_of};
use crate::commands::watch::doing;
use crate::output::{Output, cell, counted, customer_argument, moment_of, one_line, write_out};

const REFRESH: Duration = Duration::from_secs(2);
const RUNS_SHOWN: usize = 10;
/// The server names no more paused customers than this.
const PAUSED_MANY: usize = 10;

pub(crate) async fn status(args: Status, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    // Another screen on a terminal, lines one after the other elsewhere.
    let clears = args.watch && !output.json && std::io::stdout().is_terminal();
    loop {
        let answer = client.get("/helpsync/v1/status").await?;
        if args.watch && output.json {
            output.answer(&answer)?;
        } else {
            if clears {
                write_out("\u{1b}[2J\u{1b}[H")?;
            }
            output.show(&answer, || status_text(&answer))?;
        }
        if !args.watch {
            return Ok(());
        }
        tokio::time::sleep(REFRESH).await;
    }
}

/// How fresh the copies are that were complete longest ago.
fn copies_text(copies: &[Value], now_ms: i64) -> String {
    rows_of(&["customer", "workspace", "complete", "next sync", "oldest change not stored"], copies, |copy| {
        let at = |name: &str| moment_of(&copy[name], now_ms);
        let known = Some(at("oldest_missing_at")).filter(|told| told != "-");
        vec![
            cell(&copy["customer_id"]),
            cell(&copy["workspace"]),
            if copy["complete_at"].is_null() { "never yet".to_owned() } else { at("complete_at") },
            at("next_sync_at"),
            known.map_or_else(|| "none known".to_owned(), |told| format!("told {told}")),
        ]
    })
}

fn runs_text(runs: &[Value]) -> String {
    let columns =
        ["run", "customer", "workspace", "kind", "doing", "read", "changes", "requests", "waits for"];
    let shown: Vec<Value> = runs.iter().take(RUNS_SHOWN).cloned().collect();
    rows_of(&columns, &shown, |run| {
        let counted = |name: &str| cell(&run["counters"][name]);
        vec![
            cell(&run["id"]),
            cell(&run["customer_id"]),
            cell(&run["workspace"]),
            cell(&run["kind"]),
            doing(run).to_owned(),
            counted("listed"),
            format!("+{} ~{} -{}", counted("created"), counted("updated"), counted("removed")),
            counted("requests"),
            cell(&run["waiting_for"]),
        ]
    })
}

fn status_text(status: &Value) -> String {
    let now = status["now"].as_str().and_then(|now| now.parse::<Timestamp>().ok());
    let now_ms = now.map_or_else(|| SystemClock.now_ms(), Timestamp::as_millisecond);
    let count = |name: &str| status[name].as_u64().unwrap_or(0);
    let mut text = format!(
        "{} connected, {} to be connected again, {}, {} held for a person\n",
        count("active"),
        count("paused"),
        counted(count("files"), "file"),
        counted(count("held"), "removal")
    );
    let mut line = |more: std::fmt::Arguments<'_>| text += &format!("{more}\n");
    if let Some(why) = status["store"].as_str().filter(|store| *store != "up") {
        line(format_args!("the database is in trouble: {}", one_line(why)));
    }
    let paused: Vec<String> = list_of(&status["paused_customers"]).iter().map(cell).collect();
    if !paused.is_empty() {
        let (more, first) = (if paused.len() >= PAUSED_MANY { ", maybe others" } else { "" }, &paused[0]);
        line(format_args!(
            "paused by a person: {}{more} (helpsync resume {})",
            paused.join(", "),
            customer_argument(first)
        ));
    }
    for one in list_of(&status["paused_lanes"]) {
        let (lane, at) = (cell(&one["lane"]), moment_of(&one["paused_at"], now_ms));
        line(format_args!("the lane {lane} is paused by a person, {at} (helpsync resume --lane {lane})"));
    }
    let copies = list_of(&status["oldest"]);
    if !copies.is_empty() {
        line(format_args!("\n{}", copies_text(copies, now_ms)));
    }
    let runs = list_of(&status["runs"]);
    if runs.is_empty() {
        line(format_args!("\nnothing is running"));
    } else {
        line(format_args!("\n{}", runs_text(runs)));
    }
    if runs.len() > RUNS_SHOWN {
        line(format_args!("and {} more: helpsync runs", runs.len() - RUNS_SHOWN));
    }
    if count("held") > 0 {
        line(format_args!(
            "\na person decides about {}: helpsync customers says whose",
            counted(count("held"), "removal")
        ));
    }
    let failed = list_of(&status["dead_letters"]).len();
    if failed > 0 {
        line(format_args!(
            "\n{} gave up: helpsync dead-letters list",
            counted(u64::try_from(failed).unwrap_or(u64::MAX), "shard")
        ));
    }
    if count("dead_messages") > 0 {
        line(format_args!(
            "\n{} could not be done: helpsync dead-letters list",
            counted(count("dead_messages"), "message")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_status_says_how_fresh_copies_are_and_what_wants_a_person() {
        let text = status_text(&json!({
            "now": "2026-11-28T12:00:00Z", "active": 2, "paused": 0, "files": 7, "held": 3, "store": "up",
            "oldest": [
                { "customer_id": "bob", "workspace": "two", "complete_at": null, "next_sync_at": null, "oldest_missing_at": null },
                { "customer_id": "ada", "workspace": "acme", "complete_at": "2026-11-28T11:00:00Z",
                  "next_sync_at": "2026-11-29T11:00:00Z", "oldest_missing_at": "2026-11-28T11:59:00Z" },
            ],
            "runs": [{ "id": 4, "customer_id": "ada", "workspace": "acme", "kind": "full", "state": "running", "stage": "walk",
                "waiting_for": "budget", "counters": { "listed": 9, "created": 5, "updated": 1, "removed": 2, "requests": 3 } }],
            "dead_letters": [], "dead_messages": 0, "paused_customers": ["bob", "eve"],
            "paused_lanes": [{ "lane": "backfill", "paused_at": "2026-11-28T11:57:00Z" }],
        }));
        let flat: String =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect();
        for line in [
            "2 connected, 0 to be connected again, 7 files, 3 removals held for a person\n",
            "customer workspace complete next sync oldest change not stored\n",
            "bob two never yet - none known\n",
            "ada acme 1 h ago in 23 h told 1 min ago\n",
            "4 ada acme full reading articles 9 +5 ~1 -2 3 budget\n",
            "a person decides about 3 removals: helpsync customers says whose\n",
            "paused by a person: bob, eve (helpsync resume bob)\n",
            "the lane backfill is paused by a person, 3 min ago (helpsync resume --lane backfill)\n",
        ] {
            assert!(flat.contains(line), "{line}: {flat}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
