//! `verify`: does the copy hold what the help center shows? And what a first sync would take.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::Verify;
use crate::client::Client;
use crate::commands::watch::whose;
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell, counted, customer_argument, customer_option, table_text};

/// Differences that are shown one by one; the totals count all.
const SHOWN_MAX: usize = 50;
const COLUMNS: [&str; 6] =
    ["workspace", "article_id", "file_id", "cause", "here_updated_at", "there_updated_at"];

/// Ends with [`Exit::Attention`] where copies differ and nothing was started that mends them.
pub(crate) async fn verify(args: Verify, output: Output) -> anyhow::Result<Exit> {
    let client = Client::of(&args.remote, output)?;
    client.check_customer(args.whose.customer()).await?;
    let body = json!({ "customer_id": args.whose.customer(), "repair": args.repair });
    let (mut shown, mut last) = (Vec::new(), Value::Null);
    client
        .lines("/helpsync/v1/verify", body, |line| {
            if output.json {
                output.answer(&line)?;
            } else if line.get("broke_off").is_none()
                && shown.len() < SHOWN_MAX
                && line.get("totals").is_none()
            {
                shown.push(COLUMNS.map(|column| cell(&line[column])).to_vec());
            }
            last = line;
            Ok(())
        })
        .await?;
    if let Some(broke_off) = last.get("broke_off") {
        if !shown.is_empty() {
            output.answer(table_text(&COLUMNS, &shown))?;
        }
        return Err(broken_off(broke_off, args.whose.customer()));
    }
    let totals = last.get("totals").context("the comparison broke off: the server's log says why")?;
    let count = |name: &str| totals[name].as_u64().unwrap_or(0);
    let repaired = last.get("repaired_by_run").and_then(Value::as_i64);
    if !output.json {
        if !shown.is_empty() {
            output.answer(table_text(&COLUMNS, &shown))?;
        }
        let more = count("differences").saturating_sub(shown.len() as u64);
        if more > 0 {
            output.answer(format_args!("and {}: `--json` lists all", counted(more, "more difference")))?;
        }
        output.answer(format_args!(
            "{}: {} compared by {}, {}{}",
            whose(&last),
            counted(count("shown"), "article"),
            counted(count("requests"), "request"),
            counted(count("differences"), "difference"),
            causes(&totals["by_cause"])
        ))?;
        match repaired {
            Some(run) => {
                output.note(format_args!("run {run} mends what can be mended: helpsync status --watch"));
            }
            None if count("mendable") > 0 => {
                output.note(format_args!(
                    "mend it: helpsync verify {} --repair",
                    customer_argument(args.whose.customer())
                ));
            }
            None if totals["by_cause"]["held"].as_u64().unwrap_or(0) > 0 => {
                let customer = customer_argument(args.whose.customer());
                output.note(format_args!(
                    "a person decides what is held: helpsync files --held {customer}, then approve-removals or refuse-removals"
                ));
            }
            None => {}
        }
    }
    Ok(if count("differences") > 0 && repaired.is_none() { Exit::Attention } else { Exit::Done })
}

/// Why a comparison broke off, and what to do.
fn broken_off(why: &Value, customer: &str) -> anyhow::Error {
    let (customer, option) = (customer_argument(customer), customer_option(customer));
    let (exit, next) = match why["cause"].as_str() {
        Some("passing") => (Exit::Unavailable, "try again in some minutes".to_owned()),
        Some("grant") => (Exit::Failed, format!("helpsync connect SUBDOMAIN {option}")),
        _ => (Exit::Failed, format!("`helpsync show {customer}` says how the customer stands")),
    };
    refusal(exit, format!("the comparison broke off: {}: {next}", cell(&why["reason"])))
}

/// `: 3 draft, 1 not_shown`.
fn causes(by_cause: &Value) -> String {
    let causes = by_cause.as_object().into_iter().flatten();
    let causes: Vec<String> = causes.map(|(cause, number)| format!("{number} {cause}")).collect();
    if causes.is_empty() { String::new() } else { format!(": {}", causes.join(", ")) }
}

/// What a first sync would take.
pub(crate) async fn estimate(client: &Client, customer: &str, output: Output) -> anyhow::Result<()> {
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).append_pair("customer_id", customer).finish();
    let answer = client.get(&format!("/helpsync/v1/estimate?{query}")).await?;
    output.show(&answer, || {
        let lines = answer["help_centers"].as_array().into_iter().flatten().map(|one| {
            format!(
                "{}: {} (drafts included), {}, some {} s at {} a minute\n  {}",
                cell(&one["workspace"]),
                counted(one["articles"].as_u64().unwrap_or(0), "article"),
                counted(one["requests"].as_u64().unwrap_or(0), "request"),
                cell(&one["seconds"]),
                counted(one["requests_per_minute"].as_u64().unwrap_or(0), "request"),
                cell(&one["plan_reason"]),
            )
        });
        lines.chain(["nothing was started".to_owned()]).collect::<Vec<_>>().join("\n")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::exit_of;

    #[test]
    fn a_comparison_that_broke_off_says_why_and_what_next() {
        for (cause, exit, next) in [
            ("passing", Exit::Unavailable, "try again"),
            ("grant", Exit::Failed, "helpsync connect SUBDOMAIN --customer ada"),
            ("other", Exit::Failed, "helpsync show ada"),
        ] {
            let error = broken_off(&json!({ "reason": "zendesk is away", "cause": cause }), "ada");
            assert_eq!(exit_of(&error), exit, "{cause}");
            let text = error.to_string();
            assert!(text.contains("broke off: zendesk is away: ") && text.contains(next), "{text}");
        }
    }
}
