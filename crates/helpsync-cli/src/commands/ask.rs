//! Commands that are one or two calls of the API.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::args::{Connect, Export, Plain, Resync, Sync};
use crate::client::Client;
use crate::commands::status::watch_run;
use crate::output::{cell, table};

/// Asks for a connect URL.
pub(crate) async fn oauth_url(client: &Client, subdomain: &str) -> anyhow::Result<String> {
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
    let answer = client.post("/integrations/oauth_url", body).await?;
    let url = answer.get("oauth_url").and_then(Value::as_str).context("the answer has no oauth_url")?;
    Ok(url.to_owned())
}

pub(crate) async fn connect(args: Connect) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, Some(&args.customer))?;
    let url = oauth_url(&client, &args.subdomain).await?;
    println!(
        "Open this as an administrator of {} (it is good for some minutes):\n\n  {url}\n",
        args.subdomain
    );
    println!("Then look at the sync with: helpsync status --watch");
    Ok(())
}

pub(crate) async fn sync(args: Sync) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, Some(&args.customer))?;
    let body = json!({ "customer_id": args.customer, "full": args.full });
    let answer = client.post("/helpsync/v1/sync", body).await?;
    let runs = run_ids(&answer);
    if runs.is_empty() {
        bail!("customer {:?} has no connected workspace: start with `helpsync connect`", args.customer);
    }
    for run in runs {
        println!("run {run} is queued");
        if args.watch {
            watch_run(&client, run).await?;
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

pub(crate) async fn resync(args: Resync) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, Some(&args.customer))?;
    let file = client.post("/resync_file", json!({ "file_id": args.file_id })).await?;
    println!("file {} is {}", args.file_id, cell(&file["sync_status"]));
    Ok(())
}

pub(crate) async fn customers(args: Plain) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, None)?;
    let answer = client.post("/list_users", json!({ "pagination": { "limit": 250 } })).await?;
    if args.json {
        println!("{answer:#}");
        return Ok(());
    }
    let columns = ["id", "organization_supplied_user_id", "auto_sync_enabled_sources", "num_files_synced"];
    print_rows(&answer["users"], &columns);
    Ok(())
}

pub(crate) async fn export(args: Export) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, Some(&args.customer))?;
    client.copy("/helpsync/v1/export", &mut std::io::stdout().lock()).await
}

pub(crate) fn print_rows(list: &Value, columns: &[&str]) {
    let rows: Vec<Vec<String>> = list
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect();
    if rows.is_empty() {
        println!("none");
    } else {
        table(columns, &rows);
    }
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
