//! Commands that are one or two calls of the API.

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::args::{Connect, Export, Remote, Resync, Sync};
use crate::client::Client;
use crate::commands::watch::watch_run;
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell, table_text};

/// Asks for a connect URL.
pub(crate) async fn oauth_url(client: &Client, subdomain: &str) -> anyhow::Result<String> {
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
    let answer = client.post("/integrations/oauth_url", body).await?;
    let url = answer.get("oauth_url").and_then(Value::as_str).context("the answer has no oauth_url")?;
    Ok(url.to_owned())
}

pub(crate) async fn connect(args: Connect, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?.speaking_for(&args.customer);
    let url = oauth_url(&client, &args.subdomain).await?;
    let document = json!({ "customer_id": args.customer, "workspace": args.subdomain, "oauth_url": url });
    output.show(&document, || {
        format!(
            "Open this as an administrator of {} (it is good for some minutes):\n\n  {url}\n\n\
             Then look at the sync with: helpsync status --watch",
            args.subdomain
        )
    })
}

pub(crate) async fn sync(args: Sync, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    client.check_customer(&args.customer).await?;
    let body = json!({ "customer_id": args.customer, "full": args.full });
    let answer = client.post("/helpsync/v1/sync", body).await?;
    let runs = run_ids(&answer);
    if runs.is_empty() {
        let text =
            format!("customer {:?} has no connected workspace: start with `helpsync connect`", args.customer);
        return Err(refusal(Exit::Failed, text));
    }
    if !args.watch {
        return output.show(&answer, || {
            let told = runs.iter().map(|run| format!("run {run} of {} is queued", args.customer));
            told.collect::<Vec<_>>().join("\n")
        });
    }
    for run in runs {
        let run = watch_run(&client, run, output).await?;
        if output.json {
            output.answer(format_args!("{run:#}"))?;
        }
    }
    Ok(())
}

/// Ids of the runs that an answer names, in whatever depth.
pub(crate) fn run_ids(answer: &Value) -> Vec<i64> {
    match answer {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_i64() {
                Some(id) if name == "run_id" => vec![id],
                _ => run_ids(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(run_ids).collect(),
        _ => Vec::new(),
    }
}

pub(crate) async fn resync(args: Resync, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, &args.customer, output).await?;
    let file = client.post("/resync_file", json!({ "file_id": args.file_id })).await?;
    output.show(&file, || format!("file {} is {}", args.file_id, cell(&file["sync_status"])))
}

pub(crate) async fn customers(remote: &Remote, output: Output) -> anyhow::Result<()> {
    let client = Client::of(remote, output)?;
    let answer = client.post("/list_users", json!({ "pagination": { "limit": 250 } })).await?;
    let columns = ["id", "organization_supplied_user_id", "auto_sync_enabled_sources", "num_files_synced"];
    output.show(&answer, || rows(&answer["users"], &columns))
}

pub(crate) async fn export(args: Export, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, &args.customer, output).await?;
    client.copy("/helpsync/v1/export", &mut std::io::stdout().lock()).await
}

/// A table of objects; `none` where there are none.
pub(crate) fn rows(list: &Value, columns: &[&str]) -> String {
    let rows: Vec<Vec<String>> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect();
    if rows.is_empty() { "none".to_owned() } else { table_text(columns, &rows) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_are_found_in_any_depth() {
        let answer = json!({ "runs": [{ "run_id": 3 }, { "run_id": 4, "created": true }] });
        assert_eq!(run_ids(&answer), [3, 4]);
    }
}
