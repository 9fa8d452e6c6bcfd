//! `helpsync audit` and `helpsync readers`.

use reqwest::Method;
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use crate::args::{Audit, ReaderRule, Readers};
use crate::client::Client;
use crate::commands::ask::{list_of, rows_of};
use crate::output::{Output, cell};

const READERS: &str = "/helpsync/v1/readers";

pub(crate) async fn audit(args: Audit, output: Output) -> anyhow::Result<()> {
    let mut query = Serializer::new(String::new());
    query.append_pair("limit", &args.limit.to_string());
    let before = args.before.map(|before| before.to_string());
    for (name, value) in [
        ("customer_id", args.customer),
        ("actor", args.actor),
        ("action", args.action),
        ("from", args.from),
        ("until", args.until),
        ("before", before),
    ] {
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
    }
    let path = format!("/helpsync/v1/audit?{}", query.finish());
    let answer = Client::of(&args.remote, output)?.get(&path).await?;
    output.show(&answer, || {
        let entries = list_of(&answer["entries"]);
        rows_of(&["id", "at", "actor", "customer", "action", "target", "detail"], entries, |entry| {
            let actor = &entry["actor"];
            vec![
                cell(&entry["id"]),
                cell(&entry["at"]),
                format!("{} {} ({})", cell(&actor["kind"]), cell(&actor["id"]), cell(&actor["name"])),
                cell(&entry["customer_id"]),
                cell(&entry["action"]),
                cell(&entry["target"]),
                cell(&entry["detail"]),
            ]
        })
    })?;
    if let Some(next) = answer["next_before"].as_i64() {
        output.note(format_args!("there may be more: --before {next}"));
    }
    Ok(())
}

pub(crate) async fn readers(args: Readers, output: Output) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, output)?;
    let answer = match args.rule {
        None => client.get(READERS).await?,
        Some(rule) => {
            let body = json!({ "viewer_segments_required": rule == ReaderRule::Named });
            client.send(Method::PUT, READERS, Some(body)).await?
        }
    };
    output.show(&answer, || {
        let text = if answer["viewer_segments_required"] == Value::Bool(true) {
            "restricted articles are shown to requests that name their reader's segments, and to no others"
        } else {
            "restricted articles are shown to every request that names no reader: the application decides who may see them"
        };
        text.to_owned()
    })
}
