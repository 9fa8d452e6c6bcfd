//! `helpsync runs`.

use crate::args::{RunAction, Runs};
use crate::client::Client;
use crate::commands::ask::rows_of;
use crate::commands::customers::{data_source_of, run_text};
use crate::commands::watch::watch_run;
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell};

pub(crate) async fn runs(args: Runs, output: Output) -> anyhow::Result<()> {
    match args.action {
        Some(RunAction::Show(one)) => {
            let client = Client::of(&one.remote, output)?;
            let run = client.get(&format!("/helpsync/v1/runs/{}", one.run)).await?;
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
    if let Some(customer) = &args.customer {
        let Some(id) = data_source_of(&client, customer).await? else {
            return Err(refusal(Exit::Failed, format!("{customer} has no connected workspace")));
        };
        query += &format!("&data_source_id={id}");
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
            "created",
            "updated",
            "removed",
            "held",
            "requests",
            "started",
            "finished",
            "error",
        ];
        rows_of(&columns, answer["runs"].as_array().map(Vec::as_slice).unwrap_or_default(), |run| {
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
                cell(&run["started_at"]),
                cell(&run["finished_at"]),
                cell(&run["error"]),
            ]
        })
    })
}
