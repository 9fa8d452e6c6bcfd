//! Commands that are one or two calls of the API.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use helpsync_model::{Subdomain, chain};
use serde_json::{Value, json};
use url::Url;

use crate::args::{Connect, Export, Resync, Sync};
use crate::client::Client;
use crate::commands::verify::estimate;
use crate::commands::watch::{exit_after, watch_run, whose};
use crate::exit::{Exit, exit_of, refusal};
use crate::output::{LOOK_EVERY, Output, cell, table_text};

/// How long the run after one that has ended is waited for: it is made when that one ends.
const SUCCESSOR_PATIENCE: Duration = Duration::from_secs(60);
/// Runs among which it is looked for, the newest.
const NEWEST: u32 = 50;

/// Asks for a connect URL.
pub(crate) async fn oauth_url(client: &Client, subdomain: &str) -> anyhow::Result<String> {
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
    let answer = client.post("/integrations/oauth_url", body).await?;
    let url = answer
        .get("oauth_url")
        .and_then(Value::as_str)
        .context("the answer has no address to open: is the server older than this command?")?;
    Ok(url.to_owned())
}

/// An error where this is no workspace's name: whoever asks for a connect URL makes the customer by it.
pub(crate) fn check_subdomain(subdomain: &str) -> anyhow::Result<()> {
    let wrong = |error| refusal(Exit::Usage, format!("{subdomain:?} names no workspace: {}", chain(&error)));
    Subdomain::parse(subdomain).map(drop).map_err(wrong)
}

pub(crate) async fn connect(args: Connect, output: Output) -> anyhow::Result<()> {
    check_subdomain(&args.subdomain)?;
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
    let run = answer["run_id"]
        .as_i64()
        .context("the answer names no run: is the server older than this command?")?;
    if !args.watch {
        output.show(&answer, || match answer["serves"].as_bool() {
            Some(false) => {
                format!(
                    "run {run} of {} is under way, and the one after it does what is asked",
                    whose(&answer)
                )
            }
            _ => format!("run {run} of {} is queued", whose(&answer)),
        })?;
        return Ok(Exit::Done);
    }
    let run = match answer["serves"].as_bool() {
        Some(false) => after(&client, run, &answer, output).await?,
        _ => run,
    };
    let run = watch_run(&client, run, output).await?;
    if output.json {
        output.answer(format_args!("{run:#}"))?;
    }
    Ok(exit_after(&run))
}

/// Watches the run that was under way, then finds the one that does what was asked.
async fn after(client: &Client, before: i64, answer: &Value, output: Output) -> anyhow::Result<i64> {
    let of = whose(answer);
    output.note(format_args!("run {before} of {of} is under way, and the one after it does what is asked"));
    match watch_run(client, before, output).await {
        Ok(_) => {}
        // Its end is no matter of the one after it.
        Err(error) if exit_of(&error) == Exit::Failed => output.note(helpsync_model::chain(error.as_ref())),
        Err(error) => return Err(error),
    }
    let runs = format!("/helpsync/v1/runs?limit={NEWEST}&data_source_id={}", answer["data_source_id"]);
    let since = Instant::now();
    while since.elapsed() < SUCCESSOR_PATIENCE {
        let newest = client.get(&runs).await?;
        if let Some(next) = successor(&newest["runs"], before, &answer["data_source_id"]) {
            output.note(format_args!("run {before} of {of} has ended, run {next} does what is asked"));
            return Ok(next);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let text =
        format!("run {before} of {of} has ended, and none has come after it: `helpsync runs` shows what did");
    Err(refusal(Exit::Unavailable, text))
}

/// The first sync of the data source after a run, of some runs, newest first.
fn successor(runs: &Value, before: i64, data_source: &Value) -> Option<i64> {
    let runs = runs.as_array()?.iter();
    let of_it = runs.filter(|run| run["data_source_id"] == *data_source && run["kind"] != "resync");
    of_it.filter_map(|run| run["id"].as_i64()).filter(|id| *id > before).min()
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
    let list = list_of(list);
    rows_of(columns, list, |row| columns.iter().map(|column| cell(&row[*column])).collect())
}

/// The members of a list; none of what is no list.
pub(crate) fn list_of(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
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
    fn what_is_asked_is_done_by_the_first_sync_after_the_one_under_way() {
        let run =
            |id: i64, kind: &str, source: i64| json!({ "id": id, "kind": kind, "data_source_id": source });
        let runs = json!([
            run(9, "delta", 1),
            run(8, "full", 1),
            run(7, "resync", 1),
            run(6, "full", 2),
            run(5, "delta", 1)
        ]);
        assert_eq!(successor(&runs, 5, &json!(1)), Some(8));
        assert_eq!(successor(&runs, 9, &json!(1)), None);
    }

    #[test]
    fn what_names_no_workspace_is_refused_before_anybody_is_asked() {
        for wrong in ["nope!", "bad!x", "", "-a-b"] {
            let error = check_subdomain(wrong).unwrap_err();
            assert_eq!(exit_of(&error), Exit::Usage, "{wrong}");
        }
        check_subdomain("https://acme.zendesk.com/").unwrap();
    }

    #[test]
    fn run_ids_are_found_in_any_depth() {
        let answer = json!({ "runs": [{ "run_id": 3 }, { "run_id": 4, "created": true }] });
        assert_eq!(run_ids(&answer), [3, 4]);
    }
}
