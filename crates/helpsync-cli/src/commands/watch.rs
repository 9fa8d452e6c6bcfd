//! Watching one run until it has ended.

use serde_json::Value;

use crate::client::Client;
use crate::commands::ask::path;
use crate::exit::{Exit, refusal};
use crate::output::{
    LOOK_EVERY, Output, Position, Progress, cell, counted, customer_argument, customer_option, one_line,
};

/// Shows a run until it has ended.
pub(crate) async fn watch_run(client: &Client, id: i64, output: Output) -> anyhow::Result<Value> {
    let mut progress = Progress::start(output);
    loop {
        let run = client.get(&format!("/helpsync/v1/runs/{id}")).await?;
        match run["state"].as_str() {
            Some("done") => {
                let held = held(&run);
                progress.end(&ended(&run), held.is_some())?;
                if let Some(text) = held.filter(|_| !output.json) {
                    output.answer(text)?;
                }
                return Ok(run);
            }
            Some(state @ ("failed" | "incomplete" | "cancelled")) => {
                progress.clear();
                let paused_for = paused_for(client, &run).await;
                return Err(refusal(Exit::Failed, stopped(&run, id, state, paused_for.as_deref())));
            }
            _ => progress.set(&position(&run)),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How a command ends that watched a run to its good end.
pub(crate) fn exit_after(run: &Value) -> Exit {
    if held(run).is_some() { Exit::Attention } else { Exit::Done }
}

fn count(run: &Value, name: &str) -> u64 {
    run["counters"][name].as_u64().unwrap_or(0)
}

/// A run's stage in a person's words.
pub(crate) fn doing(run: &Value) -> &'static str {
    match (run["state"].as_str(), run["stage"].as_str()) {
        (Some("queued"), _) if run["waiting_kind"] == "person" => "paused",
        (Some("queued"), _) if !run["waiting_for"].is_null() => "waiting",
        (Some("queued"), _) => "waiting for a worker",
        (_, Some("plan")) => "asking Zendesk what there is",
        (_, Some("walk")) => "reading articles",
        (_, Some("removal")) => "looking for removed articles",
        _ => "finishing",
    }
}

pub(crate) fn position(run: &Value) -> Position {
    let reads = run["stage"] == "walk";
    let done = ["created", "updated", "unchanged", "drafts", "unselected", "skipped"]
        .into_iter()
        .map(|name| count(run, name))
        .sum();
    let missing = |name: &str| run["missing_articles"][name].as_u64();
    if let (Some(asked), Some(total)) = (missing("asked"), missing("total")) {
        return Position {
            doing: "asking for each missing article".to_owned(),
            done: asked,
            total: Some(total),
            waits: run["waiting_for"].as_str().map(one_line),
        };
    }
    // Of what only reads changes, nobody knows beforehand how many there are.
    let reads_all = run["kind"] == "full" && reads;
    Position {
        doing: doing(run).to_owned(),
        // Later stages read some of it once more: what they do is not counted by articles.
        done: if reads { done } else { 0 },
        total: run["counters"]["remote_count"].as_u64().filter(|total| reads_all && *total > 0),
        waits: run["waiting_for"].as_str().map(one_line),
    }
}

fn ended(run: &Value) -> String {
    format!(
        "{} sync of {}: {} new, {} changed, {} removed, {} unchanged, {}",
        cell(&run["kind"]),
        whose(run),
        count(run, "created"),
        count(run, "updated"),
        count(run, "removed"),
        count(run, "unchanged"),
        counted(count(run, "requests"), "request")
    )
}

/// Customer and workspace of a run, or of what else names both.
pub(crate) fn whose(run: &Value) -> String {
    match (run["customer_id"].as_str(), run["workspace"].as_str()) {
        (Some(customer), Some(workspace)) => format!("{} ({})", one_line(customer), one_line(workspace)),
        _ => format!("data source {}", cell(&run["data_source_id"])),
    }
}

/// What is held back, and what to do about it.
fn held(run: &Value) -> Option<String> {
    let held = count(run, "held");
    (held > 0).then(|| {
        let customer = cell(&run["customer_id"]);
        let (customer, option) = (customer_argument(&customer), customer_option(&customer));
        format!(
            "  {} held: Zendesk shows so much less than before that a person must look first.\n\
             \x20   helpsync files --held {option}      which they are\n\
             \x20   helpsync approve-removals {customer}             they are gone: remove them\n\
             \x20   helpsync refuse-removals {customer}              keep them, until a run finds them missing again",
            counted(held, "removal")
        )
    })
}

/// Why nothing more is read from the run's workspace, where that is so.
async fn paused_for(client: &Client, run: &Value) -> Option<String> {
    let customer = run["customer_id"].as_str()?;
    // What went wrong is told in any case.
    let state = client.get(&path(&["/helpsync/v1/customers", customer])).await.ok()?;
    state["workspace"]["pause_reason"].as_str().map(one_line)
}

/// Why a run ended badly, and what to do.
fn stopped(run: &Value, id: i64, state: &str, paused_for: Option<&str>) -> String {
    let customer = run["customer_id"].as_str().map_or_else(|| "CUSTOMER".to_owned(), one_line);
    let of_run = |said: fn(&str) -> String| said(&customer);
    let next = match (state, paused_for) {
        ("failed", _) => "`helpsync dead-letters list` has its shards, and replays them".to_owned(),
        (_, Some(reason)) => {
            let workspace = run["workspace"].as_str().map_or_else(|| "SUBDOMAIN".to_owned(), one_line);
            format!("{reason}: `helpsync connect {workspace} {}` connects it again", of_run(customer_option))
        }
        ("incomplete", None) => format!(
            "the next run reads what is missing: `helpsync sync {}` starts it",
            of_run(customer_argument)
        ),
        _ => format!("`helpsync sync {}` starts another", of_run(customer_argument)),
    };
    let why = run["error"].as_str().map(|why| format!(" ({})", one_line(why))).unwrap_or_default();
    format!("run {id} of {} is {state}{why}: {next}", whose(run))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run() -> Value {
        json!({
            "kind": "full", "state": "running", "stage": "walk", "customer_id": "ada", "workspace": "acme",
            "waiting_for": null, "error": null,
            "counters": { "created": 3, "drafts": 1, "skipped": 1, "remote_count": 10, "held": 0 },
        })
    }

    #[test]
    fn a_position_counts_everything_that_was_read() {
        let expected =
            Position { doing: "reading articles".to_owned(), done: 5, total: Some(10), waits: None };
        assert_eq!(position(&run()), expected);
    }

    #[test]
    fn missing_articles_are_counted_by_those_that_were_asked_for() {
        let mut run = run();
        run["stage"] = json!("removal");
        run["missing_articles"] = json!({ "asked": 50, "total": 1_300 });
        let expected = Position {
            doing: "asking for each missing article".to_owned(),
            done: 50,
            total: Some(1_300),
            waits: None,
        };
        assert_eq!(position(&run), expected);
    }

    #[test]
    fn what_is_not_known_is_not_shown_as_complete() {
        for change in [
            json!({ "stage": "plan" }),
            json!({ "kind": "delta" }),
            json!({ "counters": { "remote_count": 0 } }),
            json!({ "counters": { "remote_count": null } }),
        ] {
            let mut run = run();
            run.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(position(&run).total, None, "{change}");
        }
    }

    #[test]
    fn what_is_paused_or_put_off_does_not_wait_for_a_worker() {
        for (kind, why, said) in [
            (Value::Null, Value::Null, "waiting for a worker"),
            (json!("person"), json!("a person to resume its customer"), "paused"),
            (json!("budget"), json!("the budget of acme"), "waiting"),
        ] {
            let run = json!({ "state": "queued", "stage": "plan", "waiting_kind": kind, "waiting_for": why });
            assert_eq!(doing(&run), said);
        }
    }

    #[test]
    fn a_held_removal_says_what_to_do() {
        assert_eq!((held(&run()), exit_after(&run())), (None, Exit::Done));
        let mut run = run();
        run["counters"]["held"] = json!(7);
        assert_eq!(exit_after(&run), Exit::Attention);
        let text = held(&run).unwrap();
        assert!(text.contains("7 removals held: ") && text.contains("approve-removals ada"), "{text}");
    }

    #[test]
    fn a_run_that_ended_badly_says_whose_and_why_and_what_next() {
        let mut run = run();
        run["error"] = json!("1 shard gave up");
        let text = stopped(&run, 4, "failed", None);
        assert_eq!(
            text,
            "run 4 of ada (acme) is failed (1 shard gave up): `helpsync dead-letters list` has its shards, and replays them"
        );
        run["customer_id"] = json!("ada b");
        let text = stopped(&run, 4, "cancelled", Some("the grant has ended"));
        assert!(
            text.ends_with(
                "the grant has ended: `helpsync connect acme --customer 'ada b'` connects it again"
            ),
            "{text}"
        );
        let text = stopped(&run, 4, "incomplete", None);
        assert!(text.ends_with("`helpsync sync 'ada b'` starts it"), "{text}");
    }
}
