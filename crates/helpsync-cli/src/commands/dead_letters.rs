//! `helpsync dead-letters`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::args::{DeadLetterAction, DeadLetters};
use crate::client::Client;
use crate::commands::ask::{list_of, path, rows_of, run_ids};
use crate::commands::customers::listed;
use crate::output::{Output, cell, moment, one_line};

const LIST: &str = "/helpsync/v1/dead-letters";

pub(crate) async fn dead_letters(args: DeadLetters, output: Output) -> anyhow::Result<()> {
    match args.action {
        DeadLetterAction::List(remote) => list(&Client::of(&remote, output)?, output).await,
        DeadLetterAction::Show(one) => {
            let answer = Client::of(&one.remote, output)?.get(&path(&[LIST, &one.id])).await?;
            output.show(&answer, || letter_text(&answer))
        }
        DeadLetterAction::Replay(one) => {
            let client = Client::of(&one.remote, output)?;
            let answer = client.post(&path(&[LIST, &one.id, "replay"]), json!({})).await?;
            output.show(&answer, || match run_ids(&answer).first() {
                Some(run) => format!("{} is done again in run {run}", one.id),
                None => format!("{} is read again", one.id),
            })
        }
        DeadLetterAction::Discard(one) => {
            let client = Client::of(&one.remote, output)?;
            client.send(Method::DELETE, &path(&[LIST, &one.id]), None).await?;
            output.show(&json!({ "discarded": one.id }), || format!("{} is forgotten", one.id))
        }
    }
}

/// A dead letter, in lines: what it has.
fn letter_text(letter: &Value) -> String {
    let has = letter.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let lines: Vec<(String, String)> = has
        .map(|(name, value)| {
            let value = if name == "failed_at" { moment(value) } else { cell(value) };
            (name.replace('_', " "), value)
        })
        .collect();
    let lines: Vec<(&str, String)> =
        lines.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    listed(&lines)
}

/// Every page of the list.
async fn list(client: &Client, output: Output) -> anyhow::Result<()> {
    let (mut all, mut groups, mut after) = (Vec::new(), Value::Null, String::new());
    let unavailable = loop {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("limit", "1000")
            .append_pair("after", &after)
            .finish();
        let mut answer = client.get(&format!("{LIST}?{query}")).await?;
        if let Value::Array(page) = answer["dead_letters"].take() {
            all.extend(page);
        }
        if after.is_empty() {
            groups = answer["groups"].take();
        }
        match answer["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break answer["messages_unavailable"].take(),
        }
    };
    let document = json!({ "dead_letters": all, "groups": groups, "messages_unavailable": unavailable });
    output.show(&document, || {
        let mut text = String::new();
        if all.len() > list_of(&groups).len() {
            text = rows_of(
                &["how many", "customers", "last", "for example", "cause"],
                list_of(&groups),
                |group| {
                    let named = |name: &str| cell(&group[name]);
                    vec![
                        named("count"),
                        named("customers"),
                        moment(&group["last_failed_at"]),
                        named("example"),
                        named("cause"),
                    ]
                },
            ) + "\n\n";
        }
        text += &rows_of(
            &["id", "work", "customer", "when", "error"],
            list_of(&document["dead_letters"]),
            |letter| {
                let named = |name: &str| cell(&letter[name]);
                vec![
                    named("id"),
                    named("kind"),
                    named("customer_id"),
                    moment(&letter["failed_at"]),
                    named("error"),
                ]
            },
        );
        if let Some(why) = unavailable.as_str() {
            text += &format!("\nmessages are not in this list: {}", one_line(why));
        }
        text
    })
}
