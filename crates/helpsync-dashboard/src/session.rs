//! Logging in by API key, and out. The browser holds a random secret in a cookie that no script can read; the store holds
//! its hash, and forgets it with the key.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::StatusCode;
use axum::http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::html;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::dashboard::Dashboard;
use crate::form::Form;
use crate::layout::{self, Page};
use crate::problem::{Problem, see_other, too_many};
use crate::text as t;
use crate::visitor::Visitor;

/// A session ends by then, whatever its browser does.
const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Random bytes of what a browser holds.
const SECRET_BYTES: usize = 32;
/// The longest API key that is looked up.
const KEY_BYTES_MAX: usize = 512;
/// Cookies of one request that are looked at.
const COOKIES_MAX: usize = 64;

/// Who asks, as the listener noted it.
pub(crate) fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// The cookie's name. With `__Host-` browsers take it from this host over TLS only, and from no sibling of it.
const fn cookie_name(is_secure: bool) -> &'static str {
    if is_secure { "__Host-helpsync" } else { "helpsync" }
}

/// What the browser holds.
pub(crate) fn secret_of(dashboard: &Dashboard, headers: &HeaderMap) -> Option<SecretString> {
    let name = cookie_name(dashboard.is_secure());
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|line| line.split(';')).take(COOKIES_MAX);
    let held = pairs.find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name && !value.is_empty()).then(|| value.to_owned())
    });
    held.map(SecretString::from)
}

fn cookie_line(is_secure: bool, value: &str, seconds: u64) -> String {
    let (name, secure) = (cookie_name(is_secure), if is_secure { "; Secure" } else { "" });
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

/// `value` for the browser to hold for `seconds`; none takes it away.
fn cookie(dashboard: &Dashboard, value: &str, seconds: u64) -> HeaderMap {
    let line = cookie_line(dashboard.is_secure(), value, seconds);
    let mut headers = HeaderMap::new();
    if let Ok(mut line) = HeaderValue::from_str(&line) {
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
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"'))
    };
    text.filter(is_plain).unwrap_or_default()
}

fn login_form(dashboard: &Dashboard, next: &str, wrong: Option<&str>) -> Page {
    layout::alone(
        &dashboard.at(""),
        t::LOGIN,
        &html! {
            h1 { (t::LOGIN) }
            form method="post" action=(dashboard.at("/login")) class="stack" {
                input type="hidden" name="next" value=(next);
                label for="key" { (t::API_KEY) }
                input id="key" name="key" type="password" autocomplete="current-password" required autofocus
                    aria-describedby="key-hint" aria-invalid=[wrong.map(|_| "true")];
                @if let Some(wrong) = wrong { p class="note failed" role="alert" { (wrong) } }
                p id="key-hint" class="soft" { (t::LOGIN_HINT) }
                button class="main" type="submit" { (t::LOGIN) }
            }
        },
    )
}

pub(crate) async fn login_page(State(dashboard): State<Dashboard>, Query(next): Query<Next>) -> Page {
    login_form(&dashboard, next_of(next.next.as_deref()), None)
}

pub(crate) async fn login(State(dashboard): State<Dashboard>, request: Request) -> Result<Response, Problem> {
    if let Some(Err(seconds)) = peer(&request).map(|peer| dashboard.inside().count(peer, true)) {
        return Ok(too_many(&dashboard, seconds));
    }
    let (_, form) = Form::of_anyone(&dashboard, request).await?;
    let next = next_of(form.one("next"));
    let given = form.one("key").unwrap_or_default().trim();
    let admin = dashboard.store().admin();
    let away = |error| Problem::of_store(&dashboard, &error);
    let found = match given.len() {
        1..=KEY_BYTES_MAX => admin.find_api_key(&given.to_owned().into()).await.map_err(away)?,
        _ => None,
    };
    let Some(key) = found.filter(|key| !key.has_ended(dashboard.now_ms())) else {
        tracing::info!("a login to the dashboard was refused");
        let page = login_form(&dashboard, next, Some(t::KEY_UNKNOWN));
        return Ok((StatusCode::UNAUTHORIZED, page).into_response());
    };
    let mut bytes = [0; SECRET_BYTES];
    dashboard.entropy().fill(&mut bytes);
    let secret = SecretString::from(URL_SAFE_NO_PAD.encode(bytes));
    admin.begin_session(&key, &secret, SESSION_LIFE).await.map_err(away)?;
    tracing::info!(organization = %key.organization, key = key.id, "somebody logged in to the dashboard");
    let cookie = cookie(&dashboard, secret.expose_secret(), SESSION_LIFE.as_secs());
    Ok((cookie, see_other(&dashboard.at(next))).into_response())
}

pub(crate) async fn logout(
    State(dashboard): State<Dashboard>,
    request: Request,
) -> Result<Response, Problem> {
    let (visitor, form) = Form::of_visitor(&dashboard, request).await?;
    let everywhere = form.one("everywhere").is_some();
    let ended = dashboard.store().admin().end_session(&visitor.secret, everywhere).await;
    ended.map_err(|error| Problem::of_store(&dashboard, &error))?;
    Ok((cookie(&dashboard, "", 0), see_other(&dashboard.at("/login"))).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_tls_the_cookie_is_of_this_host_alone() {
        assert_eq!(
            cookie_line(true, "s", 60),
            "__Host-helpsync=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60; Secure"
        );
        assert_eq!(cookie_line(false, "s", 60), "helpsync=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
    }

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
            "/o/1/ x",
            "/o/\u{e9}",
        ] {
            assert_eq!(next_of(Some(bad)), "", "{bad}");
        }
        assert_eq!(next_of(None), "");
    }
}
