//! `POST /oauth/tokens`: a code for tokens, or a refresh token for the next pair.

use serde_json::{Map, Value, json};

use super::authorize::verifier_fits;
use super::{Lifetimes, OauthClient, Refusal, Token, scopes};
use crate::account::State;
use crate::http::{Answer, Query};

/// Bounds of `expires_in`, in seconds.
const ACCESS_BOUNDS: (i64, i64) = (300, 172_800);
/// Bounds of `refresh_token_expires_in`, in seconds.
const REFRESH_BOUNDS: (i64, i64) = (604_800, 7_776_000);

const NO_CLIENT: Refusal = (
    401,
    "invalid_client",
    "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
);
const NO_GRANT: Refusal = (
    400,
    "invalid_grant",
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.",
);

/// Answers a token request given as JSON or as a form.
pub(crate) fn exchange(state: &mut State, content_type: &str, body: &[u8]) -> Answer {
    let Some(fields) = parse(content_type, body) else {
        return refuse((400, "invalid_request", "The request body could not be read."));
    };
    match grant(state, &fields) {
        Ok(answer) => Answer::json(if state.settings.token_status_created { 201 } else { 200 }, answer),
        Err(refusal) => refuse(refusal),
    }
}

fn refuse((status, error, description): Refusal) -> Answer {
    Answer::json(status, json!({"error": error, "error_description": description}))
}

fn parse(content_type: &str, body: &[u8]) -> Option<Map<String, Value>> {
    if content_type.starts_with("application/json") {
        return serde_json::from_slice::<Value>(body).ok()?.as_object().cloned();
    }
    let text = std::str::from_utf8(body).ok()?;
    Some(Query::parse(text).pairs().iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect())
}

fn grant(state: &mut State, fields: &Map<String, Value>) -> Result<Value, Refusal> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let client = state.oauth.client(text("client_id")).cloned().ok_or(NO_CLIENT)?;
    let asked = lifetimes(fields)?;
    let now = state.clock.now();
    match text("grant_type") {
        "authorization_code" => {
            authenticate(&client, text("client_secret"), !text("code_verifier").is_empty())?;
            let code = state.oauth.take_code(text("code"), now).ok_or(NO_GRANT)?;
            let verified = match &code.challenge {
                Some(challenge) => verifier_fits(challenge, text("code_verifier")),
                None => client.client_secret.is_some(),
            };
            if !verified || code.client_id != client.client_id || code.redirect_uri != text("redirect_uri") {
                return Err(NO_GRANT);
            }
            let granted = match fields.get("scope") {
                // Accepted, and good for nothing: the list becomes one scope that no call asks for.
                Some(Value::Array(list)) => vec![format!("{list:?}")],
                Some(Value::String(asked)) if !asked.is_empty() && code.scopes.is_empty() => scopes(asked),
                _ => code.scopes,
            };
            let token = state.oauth.issue(&client, code.user_id, granted, asked, now);
            Ok(answer(token, asked, now))
        }
        "refresh_token" => {
            authenticate(&client, text("client_secret"), true)?;
            let grace = state.settings.refresh_grace_seconds;
            let token = state.oauth.rotate(&client, text("refresh_token"), asked, grace, now)?;
            Ok(answer(token, asked, now))
        }
        "" => Err((400, "invalid_request", "The request is missing a required parameter: grant_type")),
        _ => Err((
            400,
            "unsupported_grant_type",
            "The authorization grant type is not supported by the authorization server.",
        )),
    }
}

fn authenticate(client: &OauthClient, secret: &str, has_proof: bool) -> Result<(), Refusal> {
    let known = match client.client_secret.as_deref() {
        Some(right) => secret == right,
        None => has_proof,
    };
    if known { Ok(()) } else { Err(NO_CLIENT) }
}

fn lifetimes(fields: &Map<String, Value>) -> Result<Lifetimes, Refusal> {
    const OUT: Refusal = (400, "invalid_request", "expires_in or refresh_token_expires_in is out of bounds");
    let number = |name: &str, bounds: (i64, i64)| match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let seconds =
                value.as_i64().or_else(|| value.as_str().and_then(|text| text.parse().ok())).ok_or(OUT)?;
            if (bounds.0..=bounds.1).contains(&seconds) { Ok(Some(seconds)) } else { Err(OUT) }
        }
    };
    Ok(Lifetimes {
        access: number("expires_in", ACCESS_BOUNDS)?,
        refresh: number("refresh_token_expires_in", REFRESH_BOUNDS)?,
    })
}

/// `expires_in` comes back only if the request asked for it: the trap that left connectors dead after 30 days.
fn answer(token: &Token, asked: Lifetimes, now: i64) -> Value {
    let mut answer = json!({
        "access_token": token.access,
        "token_type": "bearer",
        "scope": token.scopes.join(" "),
    });
    if let Some(refresh) = &token.refresh {
        answer["refresh_token"] = json!(refresh);
        answer["refresh_token_expires_in"] = json!(token.refresh_expires_at.map(|end| end - now));
        if asked.access.is_some() {
            answer["expires_in"] = json!(token.expires_at.map(|end| end - now));
        }
    }
    answer
}
