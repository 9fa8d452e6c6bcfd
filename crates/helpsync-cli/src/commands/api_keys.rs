//! `helpsync api-keys` and `helpsync orgs`: who may do what.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::args::{ApiKeyAction, ApiKeys, CreateApiKey, OrgAction, Orgs};
use crate::client::Client;
use crate::commands::ask::rows_of;
use crate::output::{Output, cell, moment};

const KEYS: &str = "/helpsync/v1/api-keys";
const ORGANIZATIONS: &str = "/helpsync/v1/organizations";
/// As many as an answer holds.
const LISTED_MAX: u32 = 1_000;

pub(crate) async fn api_keys(args: ApiKeys, output: Output) -> anyhow::Result<()> {
    match args.action {
        ApiKeyAction::List(remote) => {
            let answer = Client::of(&remote, output)?.get(&format!("{KEYS}?limit={LISTED_MAX}")).await?;
            let keys = answer["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
            output.show(&answer, || {
                rows_of(
                    &["id", "name", "begins", "scope", "state", "ends", "last used", "made"],
                    keys,
                    |key| {
                        let state = match (key["has_ended"] == true, key["is_bootstrap"] == true) {
                            (true, _) => "ENDED",
                            (false, true) => "bootstrap",
                            (false, false) => "good",
                        };
                        vec![
                            cell(&key["id"]),
                            cell(&key["name"]),
                            cell(&key["prefix"]),
                            cell(&key["scope"]),
                            state.to_owned(),
                            moment(&key["expires_at"]),
                            moment(&key["last_used_at"]),
                            moment(&key["created_at"]),
                        ]
                    },
                )
            })
        }
        ApiKeyAction::Create(args) => create(args, output).await,
        ApiKeyAction::Revoke(args) => {
            let client = Client::of(&args.remote, output)?;
            let answer = client.send(Method::DELETE, &format!("{KEYS}/{}", args.id), None).await?;
            output.show(&answer, || format!("API key {} is revoked: it is refused from now on", args.id))
        }
    }
}

async fn create(args: CreateApiKey, output: Output) -> anyhow::Result<()> {
    let mut wanted = Map::new();
    wanted.insert("name".to_owned(), args.name.into());
    wanted.insert("scope".to_owned(), args.scope.into());
    if let Some(days) = args.expires_in_days {
        wanted.insert("expires_in_days".to_owned(), days.into());
    }
    if let Some(organization) = args.organization {
        wanted.insert("organization".to_owned(), organization.into());
    }
    let answer = Client::of(&args.remote, output)?.post(KEYS, Value::Object(wanted)).await?;
    shown_once(&answer, output)
}

pub(crate) async fn orgs(args: Orgs, output: Output) -> anyhow::Result<()> {
    match args.action {
        OrgAction::List(remote) => {
            let client = Client::of(&remote, output)?;
            let answer = client.get(&format!("{ORGANIZATIONS}?limit={LISTED_MAX}")).await?;
            output.show(&answer, || {
                let found = answer["organizations"].as_array().map(Vec::as_slice).unwrap_or_default();
                rows_of(&["id", "name", "keys", "customers", "made"], found, |one| {
                    let mut row = ["id", "name", "keys", "customers"].map(|name| cell(&one[name])).to_vec();
                    row.push(moment(&one["created_at"]));
                    row
                })
            })
        }
        OrgAction::Create(args) => {
            let client = Client::of(&args.remote, output)?;
            let answer = client.post(ORGANIZATIONS, json!({ "name": args.name })).await?;
            shown_once(&answer, output)
        }
        OrgAction::Remove(args) => {
            let client = Client::of(&args.remote, output)?;
            let path = format!("{ORGANIZATIONS}/{}", args.id);
            let answer = client.send(Method::DELETE, &path, None).await?;
            output.show(&answer, || format!("organization {} is removed", args.id))
        }
    }
}

/// The key alone on its line, so that a script can take it; the warning goes beside it.
fn shown_once(answer: &Value, output: Output) -> anyhow::Result<()> {
    output.show(answer, || answer["api_key"].as_str().unwrap_or_default().to_owned())?;
    output.note(format_args!("keep it: it is never shown again"));
    Ok(())
}
