//! Logging in by API key, and out. The browser holds a random secret in a cookie that no script can read; the store holds
//! its hash, and forgets it with the key.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use helpsync_pages::{Page, cookie};
use maud::html;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::dashboard::Dashboard;
use crate::form::{self, Sent};
use crate::layout;
use crate::problem::{Problem, see_other, too_many};
use crate::text as t;
use crate::visitor::{Given, Visitor};

/// A session ends by then, whatever its browser does.
const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Random bytes of what a browser holds.
const SECRET_BYTES: usize = 32;
/// The longest API key that is looked up.
const KEY_BYTES_MAX: usize = 512;
const COOKIE: &str = "helpsync";

/// Who asks, as the listener noted it.
pub(crate) fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// What the browser holds.
pub(crate) fn secret_of(dashboard: &Dashboard, headers: &HeaderMap) -> Option<SecretString> {
    let held = cookie::read(headers, COOKIE, dashboard.is_secure()).find(|value| !value.is_empty());
    held.map(|value| SecretString::from(value.to_owned()))
}

/// `value` for the browser to hold for `seconds`; 0 takes it away.
fn hold(dashboard: &Dashboard, value: &str, seconds: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(mut line) = HeaderValue::from_str(&cookie::set(COOKIE, value, dashboard.is_secure(), seconds)) {
        line.set_sensitive(true);
        headers.insert(SET_COOKIE, line);
    }
    headers
}

/// To the overview of whoever is logged in.
pub(crate) async fn home(State(dashboard): State<Dashboard>, visitor: Visitor) -> Response {
    see_other(&dashboard.at(&format!("/o/{}", visitor.home)))
}

#[derive(Deserialize, Default)]
pub(crate) struct Next {
    next: Option<String>,
}

/// Where to go after the login: a page of an organization, and nothing that leads elsewhere.
fn next_of(text: Option<&str>) -> &str {
    let is_plain = |text: &&str| {
        text.starts_with("/o/")
            && !text.contains("//")
            && !text.contains("/.")
            && !text.to_ascii_lowercase().contains("%2e")
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"'))
    };
    text.filter(is_plain).unwrap_or_default()
}

fn login_form(dashboard: &Dashboard, next: &str, wrong: Option<&str>) -> Page {
    let status = if wrong.is_some() { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
    let content = html! {
        form method="post" action=(dashboard.at("/login")) {
            input type="hidden" name="next" value=(next);
            label for="key" { (t::API_KEY) }
            input id="key" name="key" type="password" autocomplete="current-password" required autofocus
                aria-describedby="key-hint" aria-invalid=[wrong.map(|_| "true")];
            @if let Some(wrong) = wrong { p class="hint wrong" role="alert" { (wrong) } }
            p id="key-hint" class="hint" { (t::LOGIN_HINT) }
            div class="row" { button class="main block" type="submit" { (t::LOGIN) } }
        }
    };
    layout::alone(dashboard, status, t::LOGIN, content)
}

pub(crate) async fn login_page(State(dashboard): State<Dashboard>, Given(next): Given<Next>) -> Page {
    login_form(&dashboard, next_of(next.next.as_deref()), None)
}

pub(crate) async fn login(State(dashboard): State<Dashboard>, request: Request) -> Result<Response, Problem> {
    if let Some(Err(seconds)) = peer(&request).map(|peer| dashboard.inside().count(peer, true)) {
        return Ok(too_many(&dashboard, seconds));
    }
    let (parts, body) = request.into_parts();
    let fields = form::read(&dashboard, &parts.headers, body).await?;
    let next = next_of(fields.one("next"));
    let given = fields.one("key").unwrap_or_default().trim();
    let admin = dashboard.store().admin();
    let away = |error| Problem::of_store(&dashboard, &error);
    let found = match given.len() {
        1..=KEY_BYTES_MAX => admin.find_api_key(&given.to_owned().into()).await.map_err(away)?,
        _ => None,
    };
    let Some(key) = found.filter(|key| !key.has_ended(dashboard.now_ms())) else {
        tracing::info!("a login to the dashboard was refused");
        return Ok(login_form(&dashboard, next, Some(t::KEY_UNKNOWN)).into_response());
    };
    let mut bytes = [0; SECRET_BYTES];
    dashboard.entropy().fill(&mut bytes);
    let secret = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    admin.begin_session(&key, &secret, SESSION_LIFE).await.map_err(away)?;
    tracing::info!(organization = %key.organization, key = key.id, "somebody logged in to the dashboard");
    let cookie = hold(&dashboard, secret.expose_secret(), SESSION_LIFE.as_secs());
    Ok((cookie, see_other(&dashboard.at(next))).into_response())
}

pub(crate) async fn logout(
    State(dashboard): State<Dashboard>,
    Sent { visitor, fields }: Sent,
) -> Result<Response, Problem> {
    let ended = dashboard.store().admin().end_session(&visitor.secret, fields.has("everywhere")).await;
    ended.map_err(|error| Problem::of_store(&dashboard, &error))?;
    Ok((hold(&dashboard, "", 0), see_other(&dashboard.at("/login"))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_pages_of_the_dashboard_and_nowhere_else() {
        for good in ["/o/1/", "/o/1/customers?search=a%20b&state=held"] {
            assert_eq!(next_of(Some(good)), good);
        }
        for bad in [
            "",
            "/",
            "//evil.example",
            "/o//evil.example",
            "https://evil.example",
            "/o/\\evil",
            "/o/1/../../../evil",
            "/o/1/%2E%2e/evil",
            "/o/1/ x",
            "/o/\u{e9}",
        ] {
            assert_eq!(next_of(Some(bad)), "", "{bad}");
        }
        assert_eq!(next_of(None), "");
    }
}
