//! `helpsync runs`.

use std::time::Duration;

use helpsync_model::Timestamp;
use serde_json::Value;

use crate::args::{RunAction, Runs};
use crate::client::Client;
use crate::commands::ask::{list_of, rows_of};
use crate::commands::customers::run_text;
use crate::commands::watch::watch_run;
use crate::output::{Output, cell, moment, span};

/// Articles that could not be stored are shown one by one, up to so many; the API has them all.
const SKIPPED_SHOWN: u32 = 100;

pub(crate) async fn runs(args: Runs, output: Output) -> anyhow::Result<()> {
    match args.action {
        Some(RunAction::Show(one)) => {
            let client = Client::of(&one.remote, output)?;
            let mut run = client.get(&format!("/helpsync/v1/runs/{}", one.run)).await?;
            if run["counters"]["skipped"].as_u64().unwrap_or(0) > 0 {
                let path = format!("/helpsync/v1/runs/{}/skipped?limit={SKIPPED_SHOWN}", one.run);
                run["skipped_articles"] = client.get(&path).await?["skipped"].take();
            }
            return output.show(&run, || run_text(&run));
        }
        Some(RunAction::Watch(one)) => {
            let run = watch_run(&Client::of(&one.remote, output)?, one.run, output).await?;
            return if output.json { output.answer(format_args!("{run:#}")) } else { Ok(()) };
        }
        None => {}
    }
    let client = Client::of(&args.remote, output)?;
    let mut query = format!("limit={}", args.limit);
    if let Some(customer) = args.of.customer() {
        client.check_customer(customer).await?;
        let mut of = url::form_urlencoded::Serializer::new(String::new());
        query += &format!("&{}", of.append_pair("customer_id", customer).finish());
    }
    let answer = client.get(&format!("/helpsync/v1/runs?{query}")).await?;
    output.show(&answer, || {
        let columns = [
            "id",
            "customer",
            "workspace",
            "kind",
            "for",
            "state",
            "new",
            "changed",
            "removed",
            "held",
            "requests",
            "asked for",
            "took",
            "error",
        ];
        rows_of(&columns, list_of(&answer["runs"]), |run| {
            let counted = |name: &str| cell(&run["counters"][name]);
            vec![
                cell(&run["id"]),
                cell(&run["customer_id"]),
                cell(&run["workspace"]),
                cell(&run["kind"]),
                cell(&run["trigger"]),
                cell(&run["state"]),
                counted("created"),
                counted("updated"),
                counted("removed"),
                counted("held"),
                counted("requests"),
                moment(&run["created_at"]),
                took(run),
                cell(&run["error"]),
            ]
        })
    })
}

/// From the start of a run to its end.
fn took(run: &Value) -> String {
    let at = |name: &str| run[name].as_str()?.parse::<Timestamp>().ok();
    match (at("started_at"), at("finished_at")) {
        (Some(from), Some(to)) => {
            let ms = to.as_millisecond().saturating_sub(from.as_millisecond());
            span(Duration::from_millis(ms.max(0).unsigned_abs()))
        }
        _ => "-".to_owned(),
    }
}
