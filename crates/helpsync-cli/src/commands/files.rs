//! What is kept of a customer: files, one file, searches, and the selection.

use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use helpsync_model::chain;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::args::{File, Files, Search, Select};
use crate::client::Client;
use crate::commands::ask::{list_of, path, rows_of};
use crate::commands::customers::listed;
use crate::exit::{Exit, refusal};
use crate::output::{Output, cell, counted, moment, shown_text};

/// Of a found text, so many characters are shown.
const SHOWN_CHARACTERS_MAX: usize = 160;
/// The largest file of a selection.
const SELECTION_BYTES_MAX: u64 = 1_048_576;
const SELECTION: &str = "/helpsync/v1/selection";

pub(crate) async fn files(args: Files, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, args.whose.customer(), output).await?;
    if args.held {
        let place = path(&["/helpsync/v1/customers", args.whose.customer(), "held"]);
        let answer = client.get(&format!("{place}?after={}&limit={}", args.after, args.limit)).await?;
        output.show(&answer, || {
            let held = list_of(&answer["held"]);
            rows_of(&["id", "article", "held", "name", "url"], held, |file| {
                vec![
                    cell(&file["id"]),
                    cell(&file["article_id"]),
                    moment(&file["held_at"]),
                    cell(&file["name"]),
                    cell(&file["external_url"]),
                ]
            })
        })?;
        if let Some(next) = answer["next"].as_i64() {
            output.note(format_args!("there may be more: --after {next}"));
        }
        return Ok(());
    }
    let body = json!({
        "pagination": { "limit": args.limit, "starting_id": args.after }, "order_by": "id", "order_dir": "asc",
    });
    let answer = client.post("/user_files_v2", body).await?;
    let found = list_of(&answer["results"]);
    output.show(&answer, || {
        rows_of(&["id", "article", "status", "last sync", "name", "url"], found, |file| {
            vec![
                cell(&file["id"]),
                cell(&file["external_file_id"]),
                cell(&file["sync_status"]),
                moment(&file["last_sync"]),
                cell(&file["name"]),
                cell(&file["external_url"]),
            ]
        })
    })?;
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found == args.limit);
    if let (true, Some(last)) = (is_full, found.last()) {
        output.note(format_args!("there may be more: --after {}", last["id"]));
    }
    Ok(())
}

pub(crate) async fn file(args: File, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let file = client.get(&format!("/helpsync/v1/files/{}", args.id)).await?;
    output.show(&file, || {
        let places: Vec<String> = file["path"].as_array().into_iter().flatten().map(cell).collect();
        let head = [
            ("file", cell(&file["id"])),
            ("of", cell(&file["organization_supplied_user_id"])),
            ("article", cell(&file["external_file_id"])),
            ("name", cell(&file["name"])),
            ("url", cell(&file["external_url"])),
            ("in", places.join(" > ")),
            ("status", cell(&file["sync_status"])),
            ("changed", cell(&file["source_updated_at"])),
        ];
        let texts = file["translations"].as_array().into_iter().flatten().map(|translation| {
            format!(
                "\n--- {}: {}\n{}\n",
                cell(&translation["locale"]),
                cell(&translation["title"]),
                shown_text(translation["markdown"].as_str().unwrap_or("-"))
            )
        });
        format!("{}{}", listed(&head), texts.collect::<String>())
    })
}

pub(crate) async fn search(args: Search, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, &args.customer, output).await?;
    let answer = client.post("/embeddings", json!({ "query": args.query, "k": args.limit })).await?;
    let found = list_of(&answer["documents"]);
    output.show(&answer, || {
        if found.is_empty() {
            return "none".to_owned();
        }
        found.iter().map(found_text).collect::<Vec<_>>().join("\n")
    })
}

/// Where a text is, and below it how it begins.
fn found_text(document: &Value) -> String {
    let text = cell(&document["content"]);
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let start: String = text.chars().take(SHOWN_CHARACTERS_MAX).collect();
    format!(
        "file {}  score {:.3}  {}\n    {start}",
        document["file_id"],
        document["score"].as_f64().unwrap_or(0.0),
        cell(&document["source_url"]),
    )
}

pub(crate) async fn select(args: Select, output: Output) -> anyhow::Result<()> {
    let client = Client::known_customer(&args.remote, args.whose.customer(), output).await?;
    let selection = match chosen(&args)? {
        Some(chosen) => {
            is_meant(&client, &chosen, &args, output).await?;
            client.send(Method::PUT, SELECTION, Some(chosen)).await?
        }
        None => client.get(SELECTION).await?,
    };
    output.show(&selection, || selection_text(&selection))?;
    if let Some(run) = selection["run_id"].as_i64() {
        output.note(format_args!("run {run} brings the rest: helpsync runs watch {run}"));
    }
    Ok(())
}

/// An error unless the selection names what there is, and whoever gave it knows what it removes.
async fn is_meant(client: &Client, chosen: &Value, args: &Select, output: Output) -> anyhow::Result<()> {
    let preview = client.post(&format!("{SELECTION}/preview"), chosen.clone()).await?;
    for (what, one) in [("categories", "category"), ("sections", "section")] {
        if let Some(text) = unknown_places(&preview[what], what, one) {
            return Err(refusal(Exit::Failed, text));
        }
    }
    let removed = preview["would_remove"].as_u64().unwrap_or(0);
    if removed == 0 || args.yes {
        return Ok(());
    }
    let text = format!(
        "this removes {} of {} at once, which a wider selection brings again",
        counted(removed, "file"),
        args.whose.customer()
    );
    match output.asks(&text)? {
        Some(true) => Ok(()),
        Some(false) => Err(refusal(Exit::Failed, "nothing was changed")),
        None => Err(refusal(Exit::Usage, format!("{text}: say --yes to do it"))),
    }
}

/// What to tell who named a category or section that the copy does not know. A copy that knows none was not synced yet.
fn unknown_places(places: &Value, what: &str, one: &str) -> Option<String> {
    let unknown = places["unknown"].as_array()?.first()?;
    let known: Vec<String> = places["known"]
        .as_array()?
        .iter()
        .map(|place| format!("{} ({})", place["id"], cell(&place["name"])))
        .collect();
    let more = places["known_total"].as_u64()?.saturating_sub(known.len() as u64);
    if known.is_empty() {
        return None;
    }
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Some(format!(
        "there is no {one} {unknown}: the {what} are {}{more}; what was made since the last sync is known after `helpsync sync`",
        known.join(", ")
    ))
}

/// The selection that the arguments ask for; `None`: they ask for none.
fn chosen(args: &Select) -> anyhow::Result<Option<Value>> {
    if args.everything {
        return Ok(Some(json!({})));
    }
    if let Some(file) = &args.file {
        let mut text = String::new();
        let read = if file == Path::new("-") {
            std::io::stdin().lock().take(SELECTION_BYTES_MAX).read_to_string(&mut text)
        } else {
            std::fs::File::open(file)
                .and_then(|file| file.take(SELECTION_BYTES_MAX).read_to_string(&mut text))
        };
        read.with_context(|| format!("the selection in {} cannot be read", file.display()))?;
        let chosen = serde_json::from_str(&text);
        let wrong = |error: serde_json::Error| {
            refusal(Exit::Usage, format!("the selection in {} is no JSON: {}", file.display(), chain(&error)))
        };
        return chosen.map(Some).map_err(wrong);
    }
    let mut body = Map::new();
    let lists = [
        ("category_ids", json!(args.category)),
        ("section_ids", json!(args.section)),
        ("brand_ids", json!(args.brand)),
        ("labels", json!(args.label)),
        ("locales", json!(args.locale)),
    ];
    body.extend(
        lists.into_iter().filter(|(_, list)| *list != json!([])).map(|(name, list)| (name.to_owned(), list)),
    );
    for (name, on) in [("public_only", args.public_only), ("attachments", args.attachments)] {
        if on {
            body.insert(name.to_owned(), json!(true));
        }
    }
    Ok((!body.is_empty()).then_some(Value::Object(body)))
}

fn selection_text(selection: &Value) -> String {
    let mut lines = Vec::new();
    for (name, what) in [
        ("brand_ids", "brands"),
        ("category_ids", "categories"),
        ("section_ids", "sections"),
        ("labels", "labels"),
        ("locales", "locales"),
    ] {
        let list: Vec<String> = selection[name].as_array().into_iter().flatten().map(cell).collect();
        lines.push((what, if list.is_empty() { "all".to_owned() } else { list.join(", ") }));
    }
    lines.push(("readers", if selection["public_only"] == true { "everybody" } else { "all" }.to_owned()));
    lines
        .push(("attachments", if selection["attachments"] == true { "kept" } else { "not kept" }.to_owned()));
    if let Some(removed) = selection["removed"].as_i64().filter(|removed| *removed > 0) {
        lines.push(("removed", format!("{removed} files, at once")));
    }
    listed(&lines)
}
