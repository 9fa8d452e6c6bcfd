//! Looking at customers, and steering one.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{Disconnect, OneCustomer, Pause, Remote, Schedule, Switch};
use crate::client::Client;
use crate::commands::ask::{path, rows_of};
use crate::commands::watch::{doing, whose};
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell, counted, customer_option, moment, one_line, span};

const CUSTOMERS: &str = "/helpsync/v1/customers";
/// Customers are read in pages of so many.
const PAGE: u32 = 1_000;

pub(crate) async fn customers(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let client = Client::of(remote, output)?;
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let mut answer = client.get(&format!("{CUSTOMERS}?after={after}&limit={PAGE}")).await?;
        if let Value::Array(page) = answer["customers"].take() {
            all.extend(page);
        }
        match answer["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let document = json!({ "customers": all });
    output.show(&document, || {
        let columns = [
            "customer",
            "workspace",
            "state",
            "files",
            "last sync",
            "next sync",
            "held",
            "dead",
            "waits for",
        ];
        rows_of(&columns, &all, |customer| {
            let workspace = &customer["workspace"];
            vec![
                cell(&customer["customer_id"]),
                cell(&workspace["subdomain"]),
                state(customer),
                cell(&customer["files"]),
                ago(workspace),
                moment(&workspace["next_sync_at"]),
                cell(&workspace["held"]),
                cell(&workspace["dead_letters"]),
                cell(&workspace["waiting_for"]),
            ]
        })
    })
}

/// One word for how a customer stands.
fn state(customer: &Value) -> String {
    let workspace = &customer["workspace"];
    if !customer["paused_at"].is_null() {
        "paused by a person".to_owned()
    } else if workspace.is_null() {
        "not connected".to_owned()
    } else if workspace["state"] == "paused" {
        "grant ended".to_owned()
    } else {
        match workspace["sync_status"].as_str() {
            Some("READY") => "ready".to_owned(),
            Some("SYNCING") => "syncing".to_owned(),
            Some("QUEUED_FOR_SYNCING") => "queued".to_owned(),
            Some("SYNC_ERROR") => "error".to_owned(),
            _ => cell(&workspace["sync_status"]),
        }
    }
}

/// How long ago a sync was complete last.
fn ago(workspace: &Value) -> String {
    let age = workspace["age_seconds"].as_u64();
    match age {
        // Of a disconnected workspace nobody says it: it may well have been complete.
        None if workspace.is_null() => "-".to_owned(),
        None => "never yet".to_owned(),
        Some(0) => "now".to_owned(),
        Some(age) => format!("{} ago", span(Duration::from_secs(age))),
    }
}

async fn stands(client: &Client, customer: &str) -> anyhow::Result<Value> {
    client.check_customer(customer).await?;
    client.get(&path(&[CUSTOMERS, customer])).await
}

pub(crate) async fn show(args: OneCustomer, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let mut customer = stands(&client, args.whose.customer()).await?;
    let run = match customer["workspace"]["run_id"].as_i64() {
        Some(id) => client.get(&format!("/helpsync/v1/runs/{id}")).await?,
        None => Value::Null,
    };
    let webhooks = client.post("/webhooks", json!({ "pagination": { "limit": 250 } })).await?;
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("customer_id", args.whose.customer())
        .finish();
    let fresh = client.get(&format!("/helpsync/v1/freshness?{query}")).await?;
    customer["freshness"] = fresh["copies"][0].clone();
    customer["run"] = run;
    customer["webhooks"] = webhooks["results"].clone();
    output.show(&customer, || show_text(&customer))
}

fn show_text(customer: &Value) -> String {
    let (workspace, run) = (&customer["workspace"], &customer["run"]);
    let name = cell(&customer["customer_id"]);
    let mut lines = vec![("customer", name.clone()), ("state", state(customer))];
    if workspace.is_null() {
        lines.push(("files", cell(&customer["files"])));
        lines.push(("next step", format!("helpsync connect SUBDOMAIN {}", customer_option(&name))));
        return listed(&lines);
    }
    lines.push(("workspace", cell(&workspace["subdomain"])));
    if let Some(reason) = workspace["pause_reason"].as_str() {
        let subdomain = cell(&workspace["subdomain"]);
        lines.push((
            "paused for",
            format!("{}: helpsync connect {subdomain} {}", one_line(reason), customer_option(&name)),
        ));
    }
    lines.push(("files", cell(&customer["files"])));
    lines.push(("last sync", ago(workspace)));
    let next = moment(&workspace["next_sync_at"]);
    lines.push(("next sync", if next == "-" { "when somebody asks for it".to_owned() } else { next }));
    let told = moment(&customer["freshness"]["oldest_missing_at"]);
    if told != "-" {
        lines.push(("not stored", format!("a change that was told of {told}, the oldest that is known")));
    }
    if !run.is_null() {
        lines.push(("under way", format!("run {}, {}: {}", run["id"], cell(&run["kind"]), doing(run))));
        let waiting = run["waiting_for"].as_str().or(workspace["waiting_for"].as_str());
        if let Some(what) = waiting {
            let until = Some(moment(&workspace["waiting_until"])).filter(|until| until != "-");
            let until = until.map(|until| format!(", looks again {until}")).unwrap_or_default();
            lines.push(("waits for", format!("{}{until}", one_line(what))));
        }
    }
    let count = |name: &str| workspace[name].as_u64().unwrap_or(0);
    if count("held") > 0 {
        let what = format!(
            "{}: helpsync files --held {}",
            counted(count("held"), "removal"),
            customer_option(&name)
        );
        lines.push(("held", what));
    }
    if count("dead_letters") > 0 {
        lines.push((
            "gave up",
            format!("{}: helpsync dead-letters list", counted(count("dead_letters"), "shard")),
        ));
    }
    if let Some(why) = workspace["events_error"].as_str() {
        let why = one_line(why);
        lines.push(("events", format!("Zendesk tells of no changes ({why}): they come with the next sync")));
    }
    for webhook in customer["webhooks"].as_array().into_iter().flatten() {
        let reason = webhook["status_reason"].as_str().map(|why| format!(" ({})", one_line(why)));
        let reason = reason.unwrap_or_default();
        lines.push(("webhook", format!("{} {}{reason}", cell(&webhook["url"]), cell(&webhook["status"]))));
    }
    listed(&lines)
}

/// `name   what`, a line each.
pub(crate) fn listed(lines: &[(&str, String)]) -> String {
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().map(|(name, what)| format!("{name:width$}  {what}\n")).collect()
}

pub(crate) async fn pause(args: Pause, paused: bool, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let verb = if paused { "pause" } else { "resume" };
    let what = if paused { "is paused: what is under way ends, nothing new begins" } else { "goes on" };
    let (place, text) = match (args.customer.or(args.option), args.lane) {
        (Some(customer), _) => {
            client.check_customer(&customer).await?;
            (path(&[CUSTOMERS, &customer, verb]), format!("the work of {customer} {what}"))
        }
        (None, lane) => {
            let lane = lane.unwrap_or_default();
            (path(&["/helpsync/v1/lanes", &lane, verb]), format!("the lane {lane} {what}"))
        }
    };
    let answer = client.post(&place, json!({})).await?;
    output.show(&answer, || text)
}

/// How many removals of a customer are held; an error where there are none to decide on.
async fn held(client: &Client, customer: &str, what: &str) -> anyhow::Result<u64> {
    let held = stands(client, customer).await?["workspace"]["held"].as_u64().unwrap_or(0);
    if held == 0 {
        return Err(refusal(
            Exit::Failed,
            format!("no removal of {customer} is held: there is nothing to {what}"),
        ));
    }
    Ok(held)
}

pub(crate) async fn approve_removals(args: OneCustomer, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let held = held(&client, args.whose.customer(), "approve").await?;
    let answer =
        client.post(&path(&[CUSTOMERS, args.whose.customer(), "approve_removals"]), json!({})).await?;
    output.show(&answer, || {
        format!(
            "{} of {} may go: run {} looks once more and removes what is gone\nhelpsync runs watch {}",
            counted(held, "removal"),
            args.whose.customer(),
            answer["run_id"],
            answer["run_id"]
        )
    })
}

pub(crate) async fn refuse_removals(args: OneCustomer, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    held(&client, args.whose.customer(), "refuse").await?;
    let answer =
        client.post(&path(&[CUSTOMERS, args.whose.customer(), "refuse_removals"]), json!({})).await?;
    output.show(&answer, || {
        format!(
            "kept: {} of {}; a run that finds them missing again holds them again",
            counted(answer["kept"].as_u64().unwrap_or(0), "file"),
            args.whose.customer()
        )
    })
}

pub(crate) async fn schedule(args: Schedule, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    client.check_customer(&args.customer).await?;
    if let Some(switch) = args.switch {
        let sources = if switch == Switch::On { json!(["ZENDESK"]) } else { json!([]) };
        let mut body = json!({ "customer_ids": [args.customer], "auto_sync_enabled_sources": sources });
        if let Some(hours) = args.every {
            body["auto_sync_interval"] = json!(hours.parse::<u32>()?);
        }
        client.post("/update_users", body).await?;
    }
    let state = stands(&client, &args.customer).await?;
    output.show(&state, || scheduled(&state, &args.customer))
}

/// How a customer is synced.
fn scheduled(state: &Value, customer: &str) -> String {
    let workspace = &state["workspace"];
    let whose = match workspace["subdomain"].as_str() {
        Some(subdomain) => format!("{customer} ({})", one_line(subdomain)),
        None => customer.to_owned(),
    };
    let every = state["interval_hours"].as_i64();
    let every =
        every.map_or_else(|| "at its organization's interval".to_owned(), |hours| format!("every {hours} h"));
    if let Some(reason) = workspace["pause_reason"].as_str() {
        let subdomain = cell(&workspace["subdomain"]);
        let connect = format!("helpsync connect {subdomain} {}", customer_option(customer));
        format!("{whose} is synced by nobody ({}) until it is connected again: {connect}", one_line(reason))
    } else if !workspace["next_sync_at"].is_null() {
        format!("{whose} is synced by itself {every}, next {}", moment(&workspace["next_sync_at"]))
    } else if state["scheduled"] == true {
        format!("{whose} is synced by itself {every} once its workspace is connected")
    } else if workspace.is_null() {
        format!(
            "{whose} has no connected workspace: nothing is synced, whatever its schedule says, until there is one"
        )
    } else {
        format!("{whose} is synced when somebody asks for it")
    }
}

pub(crate) async fn disconnect(args: Disconnect, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let state = stands(&client, args.whose.customer()).await?;
    let Some(id) = state["workspace"]["data_source_id"].as_i64() else {
        return Err(refusal(Exit::Failed, format!("{} has no connected workspace", args.whose.customer())));
    };
    let workspace = cell(&state["workspace"]["subdomain"]);
    if !args.yes {
        let text = format!(
            "this ends the syncs of {workspace} for {}, and its token is revoked; its files stay: say --yes to do it",
            args.whose.customer()
        );
        return Err(refusal(Exit::Usage, text));
    }
    let client = client.speaking_for(args.whose.customer());
    let body = json!({ "data_source_id": id });
    let answer = client.send(Method::POST, "/revoke_access_token", Some(body)).await?;
    output
        .show(&answer, || format!("{workspace} of {} is disconnected; its files stay", args.whose.customer()))
}

/// A run, in lines.
pub(crate) fn run_text(run: &Value) -> String {
    let mut lines = vec![
        ("run", run["id"].to_string()),
        ("of", whose(run)),
        ("kind", format!("{}, for {}", cell(&run["kind"]), cell(&run["trigger"]))),
        ("state", cell(&run["state"])),
        ("doing", doing(run).to_owned()),
        ("plan", format!("{}: {}", cell(&run["plan"]), cell(&run["plan_reason"]))),
    ];
    for (name, value) in [
        ("waits for", &run["waiting_for"]),
        ("working on", &run["working_on"]),
        ("audits", &run["audit_reason"]),
        ("error", &run["error"]),
        ("asked for at", &run["created_at"]),
        ("started at", &run["started_at"]),
        ("ended at", &run["finished_at"]),
    ] {
        if !value.is_null() {
            lines.push((name, cell(value)));
        }
    }
    if !run["finished_at"].is_null() {
        lines.retain(|(name, _)| *name != "doing");
    }
    // What was not waited for is nothing to read.
    let counters = run["counters"].as_object().into_iter().flatten();
    let counters = counters.filter(|(name, value)| !name.contains("wait") || value.as_i64() != Some(0));
    lines.extend(counters.map(|(name, value)| (name.as_str(), cell(value))));
    for name in ["files", "digest"] {
        if !run[name].is_null() {
            lines.push((name, cell(&run[name])));
        }
    }
    let mut text = listed(&lines);
    for skipped in run["skipped_articles"].as_array().into_iter().flatten() {
        text += &format!("  article {} is skipped: {}\n", skipped["article_id"], cell(&skipped["reason"]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_customer_is_one_word() {
        let workspace = json!({ "state": "active", "sync_status": "READY" });
        for (customer, word) in [
            (json!({ "paused_at": null, "workspace": null }), "not connected"),
            (json!({ "paused_at": null, "workspace": workspace }), "ready"),
            (json!({ "paused_at": "2026", "workspace": workspace }), "paused by a person"),
            (json!({ "paused_at": null, "workspace": { "state": "paused" } }), "grant ended"),
        ] {
            assert_eq!(state(&customer), word);
        }
    }

    #[test]
    fn a_copy_whose_workspace_is_disconnected_is_not_said_to_have_never_been_complete() {
        assert_eq!(ago(&Value::Null), "-");
        assert_eq!(ago(&json!({ "age_seconds": null })), "never yet");
        assert_eq!(ago(&json!({ "age_seconds": 60 })), "1 min ago");
    }

    #[test]
    fn a_schedule_says_whose_it_is_and_how_often() {
        let workspace = |next: Value| json!({ "subdomain": "acme", "next_sync_at": next });
        for (state, text) in [
            (
                json!({ "scheduled": true, "interval_hours": 6, "workspace": workspace(json!("T")) }),
                "ada (acme) is synced by itself every 6 h, next T",
            ),
            (
                json!({ "scheduled": true, "interval_hours": null, "workspace": null }),
                "ada is synced by itself at its organization's interval once its workspace is connected",
            ),
            (
                json!({ "scheduled": false, "interval_hours": 6, "workspace": workspace(Value::Null) }),
                "ada (acme) is synced when somebody asks for it",
            ),
        ] {
            assert_eq!(scheduled(&state, "ada"), text);
        }
    }

    #[test]
    fn a_customer_is_shown_with_what_to_do_about_what_is_wrong() {
        let text = show_text(&json!({
            "customer_id": "ada", "paused_at": null, "files": 7,
            "workspace": {
                "subdomain": "acme", "state": "active", "sync_status": "SYNCING", "complete_at": "T", "age_seconds": 90,
                "next_sync_at": null, "held": 3, "dead_letters": 2, "waiting_until": "T2", "events_error": null,
            },
            "freshness": { "oldest_missing_at": "T3" },
            "run": { "id": 4, "kind": "delta", "state": "running", "stage": "walk", "waiting_for": "budget of acme" },
            "webhooks": [{ "url": "https://x", "status": "FLAGGED", "status_reason": "500" }],
        }));
        for part in [
            "1 min 30 s ago",
            "when somebody asks for it",
            "told of T3",
            "run 4, delta: reading articles",
            "budget of acme, looks again T2",
            "helpsync files --held --customer ada",
            "helpsync dead-letters list",
            "https://x FLAGGED (500)",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
