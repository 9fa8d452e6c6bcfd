//! `helpsync dead-letters`.

use reqwest::Method;
use serde_json::{Value, json};
use url::Url;

use crate::args::{DeadLetterAction, DeadLetters, Plain};
use crate::client::Client;
use crate::commands::ask::{print_rows, run_ids};

const LIST: &str = "/helpsync/v1/dead-letters";

pub(crate) async fn dead_letters(args: DeadLetters) -> anyhow::Result<()> {
    match args.action {
        DeadLetterAction::List(plain) => list(plain).await?,
        DeadLetterAction::Show(one) => {
            let answer = Client::of(&one.remote, None)?.get(&path(&one.id, None)?).await?;
            println!("{answer:#}");
        }
        DeadLetterAction::Replay(one) => {
            let client = Client::of(&one.remote, None)?;
            let answer = client.post(&path(&one.id, Some("replay"))?, json!({})).await?;
            match run_ids(&answer).first() {
                Some(run) => println!("{} is done again in run {run}", one.id),
                None => println!("{} is read again", one.id),
            }
        }
        DeadLetterAction::Discard(one) => {
            let client = Client::of(&one.remote, None)?;
            client.send(Method::DELETE, &path(&one.id, None)?, None).await?;
            println!("{} is forgotten", one.id);
        }
    }
    Ok(())
}

/// Every page of the list.
async fn list(args: Plain) -> anyhow::Result<()> {
    let client = Client::of(&args.remote, None)?;
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
    if args.json {
        println!(
            "{:#}",
            json!({ "dead_letters": all, "groups": groups, "messages_unavailable": unavailable })
        );
        return Ok(());
    }
    if all.len() > groups.as_array().map_or(0, Vec::len) {
        print_rows(&groups, &["count", "customers", "last_failed_at", "example", "cause"]);
    }
    print_rows(&Value::Array(all), &["id", "kind", "customer_id", "failed_at", "error"]);
    if let Some(why) = unavailable.as_str() {
        println!("messages are not in this list: {why}");
    }
    Ok(())
}

/// An id may hold anything, so it is made one segment.
fn path(id: &str, action: Option<&str>) -> anyhow::Result<String> {
    let mut url = Url::parse("http://localhost")?.join(LIST)?;
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.push(id).extend(action);
    }
    Ok(url.path().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment_whatever_it_holds() {
        assert_eq!(path("shard-7", None).unwrap(), "/helpsync/v1/dead-letters/shard-7");
        assert_eq!(
            path("message-a/../b ?#%", Some("replay")).unwrap(),
            "/helpsync/v1/dead-letters/message-a%2F..%2Fb%20%3F%23%25/replay"
        );
    }
}
