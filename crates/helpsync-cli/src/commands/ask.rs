//! Commands that are one or two calls of the API.

use anyhow::Context as _;
use serde_json::{Value, json};
use url::Url;

use crate::args::{Connect, Export, Resync, Sync};
use crate::client::Client;
use crate::commands::verify::estimate;
use crate::commands::watch::{exit_after, watch_run};
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

/// Ends with [`Exit::Attention`] where it watched, and removals are held.
pub(crate) async fn sync(args: Sync, output: Output) -> anyhow::Result<Exit> {
    let client = Client::of(&args.remote, output)?;
    client.check_customer(args.whose.customer()).await?;
    if args.dry_run {
        return estimate(&client, args.whose.customer(), output).await.map(|()| Exit::Done);
    }
    let body = json!({ "customer_id": args.whose.customer(), "full": args.full });
    let answer = client.post("/helpsync/v1/sync", body).await?;
    let runs = run_ids(&answer);
    if runs.is_empty() {
        let text = format!(
            "customer {:?} has no connected workspace: start with `helpsync connect`",
            args.whose.customer()
        );
        return Err(refusal(Exit::Failed, text));
    }
    if !args.watch {
        output.show(&answer, || {
            let told = runs.iter().map(|run| format!("run {run} of {} is queued", args.whose.customer()));
            told.collect::<Vec<_>>().join("\n")
        })?;
        return Ok(Exit::Done);
    }
    let mut exit = Exit::Done;
    for run in runs {
        let run = watch_run(&client, run, output).await?;
        if exit_after(&run) == Exit::Attention {
            exit = Exit::Attention;
        }
        if output.json {
            output.answer(format_args!("{run:#}"))?;
        }
    }
    Ok(exit)
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

pub(crate) async fn export(args: Export, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, args.whose.customer(), output).await?;
    client.copy("/helpsync/v1/export", &mut std::io::stdout().lock()).await
}

/// A table of objects; `none` where there are none.
pub(crate) fn rows(list: &Value, columns: &[&str]) -> String {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    rows_of(columns, list, |row| columns.iter().map(|column| cell(&row[*column])).collect())
}

/// A table of what `cells` makes of each; `none` where there are none.
pub(crate) fn rows_of(columns: &[&str], list: &[Value], cells: impl Fn(&Value) -> Vec<String>) -> String {
    let rows: Vec<Vec<String>> = list.iter().map(cells).collect();
    if rows.is_empty() { "none".to_owned() } else { table_text(columns, &rows) }
}

/// A path of the API, whatever the parts behind its beginning hold: each stays one segment.
pub(crate) fn path(parts: &[&str]) -> String {
    let (first, more) = parts.split_first().unwrap_or((&"", &[]));
    let Ok(mut url) = Url::parse(&format!("http://localhost{first}")) else { return (*first).to_owned() };
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.extend(more);
    }
    url.path().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_stays_one_segment_whatever_it_holds() {
        assert_eq!(path(&["/a/b", "shard-7"]), "/a/b/shard-7");
        assert_eq!(path(&["/a", "message-a/../b ?#%", "replay"]), "/a/message-a%2F..%2Fb%20%3F%23%25/replay");
    }

    #[test]
    fn run_ids_are_found_in_any_depth() {
        let answer = json!({ "runs": [{ "run_id": 3 }, { "run_id": 4, "created": true }] });
        assert_eq!(run_ids(&answer), [3, 4]);
    }
}
