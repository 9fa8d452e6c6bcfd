//! `helpsync api-keys` and `helpsync orgs`: who may do what.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::args::{ApiKeyAction, ApiKeys, CreateApiKey, OrgAction, Orgs, SetOrg};
use crate::client::Client;
use crate::commands::ask::{list_of, rows_of};
use crate::output::{Output, cell, moment};

const KEYS: &str = "/helpsync/v1/api-keys";
const ORGANIZATIONS: &str = "/helpsync/v1/organizations";
/// The largest logo that the API takes.
const LOGO_BYTES_MAX: u64 = 32 * 1024;
/// As many as an answer holds.
const LISTED_MAX: u32 = 1_000;

pub(crate) async fn api_keys(args: ApiKeys, output: Output) -> anyhow::Result<()> {
    match args.action {
        ApiKeyAction::List(remote) => {
            let answer = Client::of(&remote, output)?.get(&format!("{KEYS}?limit={LISTED_MAX}")).await?;
            let keys = list_of(&answer["keys"]);
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
                let found = list_of(&answer["organizations"]);
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
        OrgAction::Set(args) => set(*args, output).await,
    }
}

/// Shows the logo by its length: nobody reads the rest.
async fn set(args: SetOrg, output: Output) -> anyhow::Result<()> {
    let mut path = url::Url::parse("http://any/helpsync/v1/branding")?;
    if let Some(name) = &args.organization {
        path.query_pairs_mut().append_pair("organization", name);
    }
    let path = path.as_str().trim_start_matches("http://any").to_owned();
    let remote = args.remote.clone();
    let change = changed(args)?;
    let client = Client::of(&remote, output)?;
    let answer = match change.is_empty() {
        true => client.get(&path).await?,
        false => client.send(Method::PUT, &path, Some(Value::Object(change))).await?,
    };
    output.show(&answer, || {
        let mut shown = answer.clone();
        if let Some(logo) = answer["logo"].as_str() {
            shown["logo"] = format!("{} bytes as a data: URL", logo.len()).into();
        }
        let lines = ["name", "display_name", "logo", "color", "contact", "return_urls", "subdomains"];
        lines.map(|name| format!("{name:<13} {}", cell(&shown[name]))).join("\n")
    })
}

/// What is to be changed.
fn changed(args: SetOrg) -> anyhow::Result<Map<String, Value>> {
    let mut change = Map::new();
    let logo = match &args.logo {
        Some(path) => Some(data_url(path)?),
        None => args.no_logo.then(String::new),
    };
    let texts = [
        ("display_name", args.display_name),
        ("logo", logo),
        ("color", args.color),
        ("contact", args.contact),
    ];
    for (name, text) in texts {
        change.extend(text.map(|text| (name.to_owned(), Value::from(text))));
    }
    for (name, list) in [("return_urls", args.return_url), ("subdomains", args.subdomain)] {
        let list = list.map(|list| list.into_iter().filter(|one| !one.is_empty()).collect::<Vec<_>>());
        change.extend(list.map(|list| (name.to_owned(), Value::from(list))));
    }
    Ok(change)
}

/// An image as the API takes it. What it is, the server looks at.
fn data_url(path: &Path) -> anyhow::Result<String> {
    let bytes = read_at_most(path, LOGO_BYTES_MAX)?;
    let kind = match path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase).as_deref() {
        Some("jpg" | "jpeg") => "jpeg",
        Some("gif") => "gif",
        Some("webp") => "webp",
        _ => "png",
    };
    Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(bytes)))
}

fn read_at_most(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let failed = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .with_context(failed)?
        .take(bytes_max + 1)
        .read_to_end(&mut bytes)
        .with_context(failed)?;
    ensure!(
        bytes.len() as u64 <= bytes_max,
        "{} is larger than {bytes_max} bytes: take a smaller image",
        path.display()
    );
    Ok(bytes)
}

/// The key alone on its line, so that a script can take it; the warning goes beside it.
fn shown_once(answer: &Value, output: Output) -> anyhow::Result<()> {
    output.show(answer, || answer["api_key"].as_str().unwrap_or_default().to_owned())?;
    output.note(format_args!("keep it: it is never shown again"));
    Ok(())
}
