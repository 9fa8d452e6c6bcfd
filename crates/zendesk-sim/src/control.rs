//! `/_sim/…`: the same handles as [`crate::Account`] has, over HTTP.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::account::{Account, AccountOptions};
use crate::content::{Change, GenerateOptions};
use crate::http::Answer;
use crate::oauth::OauthClient;
use crate::settings::{Role, Settings};
use crate::sim::Sim;
use crate::traffic::FaultRule;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RandomChanges {
    count: u32,
    #[serde(default)]
    seed: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensWanted {
    client_id: String,
    role: Role,
    scopes: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockChange {
    advance_seconds: Option<u64>,
    freeze_at: Option<i64>,
    #[serde(default)]
    thaw: bool,
    time_scale: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Changes {
    Many(Vec<Change>),
    One(Change),
}

/// Answers `/_sim/{rest}`.
pub(crate) fn answer(sim: &Sim, method: &str, rest: &[&str], body: &[u8]) -> Answer {
    match route(sim, method, rest, body) {
        Ok(answer) => answer,
        Err(error) => Answer::json(400, json!({ "error": error.to_string() })),
    }
}

fn route(sim: &Sim, method: &str, rest: &[&str], body: &[u8]) -> Result<Answer, serde_json::Error> {
    Ok(match (method, rest) {
        ("GET", ["health"]) => Answer::json(200, json!({ "status": "ok" })),
        ("GET", ["accounts"]) => Answer::json(200, json!({ "accounts": sim.subdomains() })),
        ("POST", ["accounts"]) => {
            let account = sim.create_account(serde_json::from_slice::<AccountOptions>(body)?);
            created(&account)
        }
        ("POST", ["clock"]) => {
            let change: ClockChange = serde_json::from_slice(body)?;
            let clock = sim.clock();
            if change.thaw {
                clock.thaw();
            }
            if let Some(at) = change.freeze_at {
                clock.freeze_at(at);
            }
            if let Some(seconds) = change.advance_seconds {
                clock.advance(Duration::from_secs(seconds));
            }
            if let Some(scale) = change.time_scale {
                clock.set_time_scale(scale);
            }
            Answer::json(200, json!({ "now": clock.now() }))
        }
        (method, ["accounts", subdomain, rest @ ..]) => match sim.account(subdomain) {
            Some(account) => match (method, rest) {
                ("POST", ["brands"]) => {
                    let brand = sim.create_brand(&account, serde_json::from_slice::<AccountOptions>(body)?);
                    created(&brand)
                }
                ("DELETE", ["brands", brand]) => {
                    sim.delete_brand(&account, brand);
                    Answer::empty(204)
                }
                _ => of_account(&account, method, rest, body)?,
            },
            None => Answer::json(404, json!({ "error": format!("there is no account {subdomain:?}") })),
        },
        _ => Answer::json(404, json!({ "error": "there is no such control" })),
    })
}

fn created(account: &Account) -> Answer {
    let articles = account.article_ids().len();
    Answer::json(201, json!({ "subdomain": account.subdomain(), "articles": articles }))
}

fn of_account(
    account: &Account,
    method: &str,
    rest: &[&str],
    body: &[u8],
) -> Result<Answer, serde_json::Error> {
    let done = || Answer::empty(204);
    Ok(match (method, rest) {
        ("GET", ["truth"]) => Answer::of(200, &account.truth()),
        ("GET", ["requests"]) => Answer::of(200, &account.requests()),
        ("DELETE", ["requests"]) => {
            account.clear_requests();
            done()
        }
        ("GET", ["counters"]) => Answer::of(200, &account.counters()),
        ("GET", ["deliveries"]) => Answer::of(200, &account.deliveries()),
        ("GET", ["settings"]) => Answer::of(200, &account.settings()),
        ("PATCH", ["settings"]) => patch_settings(account, body)?,
        ("POST", ["changes"]) => make_changes(account, body)?,
        ("POST", ["random_changes"]) => {
            let wanted: RandomChanges = serde_json::from_slice(body)?;
            Answer::of(200, &account.apply_random(wanted.count, wanted.seed))
        }
        ("POST", ["generate"]) => {
            account.generate(&serde_json::from_slice::<GenerateOptions>(body)?);
            Answer::json(200, json!({ "articles": account.article_ids().len() }))
        }
        ("POST", ["faults"]) => {
            account.inject(serde_json::from_slice::<FaultRule>(body)?);
            done()
        }
        ("DELETE", ["faults"]) => {
            account.clear_faults();
            done()
        }
        ("POST", ["clients"]) => {
            account.add_client(serde_json::from_slice::<OauthClient>(body)?);
            done()
        }
        ("POST", ["tokens"]) => {
            let wanted: TokensWanted = serde_json::from_slice(body)?;
            Answer::of(200, &account.issue_tokens(&wanted.client_id, wanted.role, &wanted.scopes))
        }
        ("DELETE", ["tokens"]) => {
            account.revoke_tokens();
            done()
        }
        _ => Answer::json(404, json!({ "error": "there is no such control" })),
    })
}

/// Changes the settings that are named; the others stay.
fn patch_settings(account: &Account, body: &[u8]) -> Result<Answer, serde_json::Error> {
    let mut merged = serde_json::to_value(account.settings())?;
    if let (Value::Object(merged), Value::Object(given)) = (&mut merged, serde_json::from_slice(body)?) {
        merged.extend(given);
    }
    let settings: Settings = serde_json::from_value(merged)?;
    account.update_settings(|now| *now = settings);
    Ok(Answer::of(200, &account.settings()))
}

/// Makes changes in their order, up to the first that cannot be made.
fn make_changes(account: &Account, body: &[u8]) -> Result<Answer, serde_json::Error> {
    let changes = match serde_json::from_slice(body)? {
        Changes::Many(changes) => changes,
        Changes::One(change) => vec![change],
    };
    let mut made = Vec::new();
    for change in changes {
        match account.apply(change) {
            Ok(mutation) => made.push(mutation),
            Err(error) => {
                let body = json!({ "error": error.to_string(), "made": made });
                return Ok(Answer::json(409, body));
            }
        }
    }
    Ok(Answer::of(200, &made))
}
