//! The page before Zendesk's consent: who asks, for whom, what will be read. Its button binds the grant to the browser
//! that it was pressed in, and leads to Zendesk. A program that certainly is no browser is led there at once, and its
//! grant is no browser's then.

use std::time::Duration;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_account::subscriptions::scopes_allow;
use helpsync_model::{GrantBegunBy, Subdomain, SubdomainError, chain};
use helpsync_pages::visitor::is_program;
use helpsync_pages::{Forms, Page, cookie};
use helpsync_store::{Connection, Consumed, NewGrant, PastGrant};
use helpsync_zendesk::{PkceVerifier, authorize_url, is_unclaimed};
use maud::{Markup, html};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::callback::{broken, ended, not_ours};
use super::form::{Guard, Posted, not_from_page};
use super::refusal::Refusal;
use super::{Look, look, refusal, texts};
use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::routes::live_connection;
use crate::signing::Purpose;

/// How long a person may take, on our page and on Zendesk's.
pub(crate) const URL_LIFE: Duration = Duration::from_secs(30 * 60);
/// Longer states were never handed out.
pub(super) const STATE_BYTES_MAX: usize = 256;
/// The longest workspace name that is shown again.
const SHOWN_CHARS_MAX: usize = 100;
/// The field that holds it.
const FIELD: &str = "workspace";
/// How long a person waits, at most, for Zendesk to say whether there is such a workspace.
const CHECK_PATIENCE: Duration = Duration::from_secs(3);
/// What is shown of the cookie's state, so that several grants in one browser have a cookie each.
const COOKIE_CHARS: usize = 16;
const PATH: &str = "/integrations/zendesk/connect";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            PATH,
            Access::Open,
            "The page before Zendesk's consent, from /integrations/oauth_url. A program is sent on to Zendesk at once",
            show,
        )
        .parameter("state", "string", "From the URL of /integrations/oauth_url")
        .gives_text("text/html"),
        post(PATH, Access::Open, "The button of that page: binds the grant to this browser, and leads to Zendesk", begin)
            .parameter("state", "string", "From the URL of /integrations/oauth_url")
            .audited(false)
            .gives_text("text/html"),
    ]
}

/// What the cookie of the browser says that began a grant.
#[derive(Serialize, Deserialize)]
struct GrantClaim {
    /// SHA-256 of the state.
    s: String,
    /// The workspace that was chosen on the page.
    w: String,
}

#[derive(Deserialize)]
pub(super) struct StateQuery {
    state: Option<String>,
}

fn hash(state: &SecretString) -> String {
    hex::encode(Sha256::digest(state.expose_secret()))
}

fn cookie_name(state: &SecretString) -> String {
    let hash = hash(state);
    format!("helpsync-grant-{}", hash.get(..COOKIE_CHARS).unwrap_or_default())
}

fn is_https(grant: &NewGrant) -> bool {
    grant.redirect_uri.starts_with("https:")
}

/// The workspace that was chosen in this browser for this state, if it began that.
pub(super) fn chosen_here(
    api: &Api,
    headers: &HeaderMap,
    state: &SecretString,
    grant: &NewGrant,
) -> Option<String> {
    let (name, hash) = (cookie_name(state), hash(state));
    cookie::read(headers, &name, is_https(grant))
        .filter_map(|value| api.signer().read::<GrantClaim>(Purpose::GrantCookie, value, api.now_ms()))
        .find(|claim| claim.s == hash)
        .map(|claim| claim.w)
}

/// Takes the cookie away again.
pub(super) fn forget(state: &SecretString, grant: &NewGrant) -> String {
    cookie::set(&cookie_name(state), "", is_https(grant), 0)
}

/// The state of a link, and what it stands for.
async fn grant_of(
    api: &Api,
    query: Result<Query<StateQuery>, ApiError>,
) -> Result<(SecretString, NewGrant), Page> {
    let state = query.ok().and_then(|Query(query)| query.state).unwrap_or_default();
    if state.is_empty() || state.len() > STATE_BYTES_MAX {
        return Err(not_ours());
    }
    let state = SecretString::from(state);
    match api.store().admin().pending_grant(&state).await {
        // The version before sent nobody here.
        Ok(Consumed::Pending(grant)) if grant.begun_by.is_some() => Ok((state, *grant)),
        Ok(Consumed::Pending(_)) => Err(not_ours()),
        Ok(other) => Err(ended(api, other).await),
        Err(error) => Err(broken(error.into())),
    }
}

/// Where a grant of this workspace is given.
fn zendesk_url(
    api: &Api,
    state: &SecretString,
    grant: &NewGrant,
    subdomain: &Subdomain,
) -> Result<Url, Page> {
    let endpoint = api.accounts().endpoint(subdomain).map_err(|error| broken(error.into()))?;
    let scopes: Vec<&str> = grant.scopes.iter().map(String::as_str).collect();
    let verifier = PkceVerifier::from_secret(grant.verifier.clone());
    let redirect = base_of(grant)?;
    Ok(authorize_url(&endpoint, &grant.client_id, &redirect, &scopes, state.expose_secret(), &verifier))
}

/// The redirect address: pages stand below it, so that its cookies are theirs.
fn base_of(grant: &NewGrant) -> Result<Url, Page> {
    let failed = || Page::failed(StatusCode::INTERNAL_SERVER_ERROR, texts::OUR_FAULT).line(texts::NO_ADDRESS);
    Url::parse(&grant.redirect_uri).map_err(|_not_a_url| failed())
}

fn parse_subdomain(text: &str) -> Result<Subdomain, &'static str> {
    Subdomain::parse(text).map_err(|error| match error {
        SubdomainError::Missing => texts::WORKSPACE_MISSING,
        SubdomainError::Length(_) | SubdomainError::Characters => texts::WORKSPACE_WRONG,
    })
}

fn redirect(status: StatusCode, address: &Url, cookies: &[String]) -> Response {
    let mut headers = HeaderMap::new();
    if let Ok(address) = HeaderValue::from_str(address.as_str()) {
        headers.insert(LOCATION, address);
    }
    for cookie in cookies.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.append(SET_COOKIE, cookie);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    (status, headers).into_response()
}

async fn show(
    State(api): State<Api>,
    headers: HeaderMap,
    query: Result<Query<StateQuery>, ApiError>,
) -> Result<Response, Page> {
    let (api, headers) = (&api, &headers);
    let (state, grant) = grant_of(api, query).await?;
    if api.options().programs_may_connect && is_program(headers) {
        let subdomain = Subdomain::parse(&grant.subdomain).map_err(|_never_stored| not_ours())?;
        let address = zendesk_url(api, &state, &grant, &subdomain)?;
        let begun = api.store().admin().begin_grant(&state, GrantBegunBy::Program).await;
        if begun.map_err(|error| broken(error.into()))? {
            return Ok(redirect(StatusCode::FOUND, &address, &[]));
        }
    }
    let asked =
        Asked { api, headers, state: &state, grant: &grant, look: look(api, grant.organization).await };
    let refused = Refusal::read(api, headers, state.expose_secret(), is_https(&grant));
    let chosen = chosen_here(api, headers, &state, &grant);
    let typed = refused.as_ref().and_then(|refused| refused.typed.one(FIELD));
    let typed = typed.or(chosen.as_deref()).unwrap_or(&grant.subdomain);
    let wrong = refused.as_ref().map(|refused| refused.wrong.as_str());
    Ok(asked.page(StatusCode::OK, typed, wrong).await?.into())
}

async fn begin(
    State(api): State<Api>,
    query: Result<Query<StateQuery>, ApiError>,
    form: Posted,
) -> Result<Response, Page> {
    let api = &api;
    let (state, grant) = grant_of(api, query).await?;
    let base = base_of(&grant)?;
    if !form.is_ours(api, state.expose_secret(), &base) {
        return Err(not_from_page(&format!("connect?state={}", state.expose_secret())));
    }
    let look = look(api, grant.organization).await;
    let asked = Asked { api, headers: &form.headers, state: &state, grant: &grant, look };
    let typed = form.fields.one(FIELD).unwrap_or(&grant.subdomain);
    let subdomain = match asked.checked(typed).await? {
        Ok(subdomain) => subdomain,
        Err(wrong) => return asked.refused(typed, wrong).await,
    };
    let address = zendesk_url(api, &state, &grant, &subdomain)?;
    let begun = api.store().admin().begin_grant(&state, GrantBegunBy::Page).await;
    if !begun.map_err(|error| broken(error.into()))? {
        let past = PastGrant { organization: grant.organization, return_url: grant.return_url.clone() };
        return Err(ended(api, Consumed::Replayed(past)).await);
    }
    let claim = GrantClaim { s: hash(&state), w: subdomain.as_str().to_owned() };
    let value = api.signer().sign(Purpose::GrantCookie, claim, api.ends_in(URL_LIFE));
    let is_https = is_https(&grant);
    let cookie = cookie::set(&cookie_name(&state), &value, is_https, URL_LIFE.as_secs());
    let cookies = [cookie, refusal::forget(state.expose_secret(), is_https)];
    Ok(redirect(StatusCode::SEE_OTHER, &address, &cookies))
}

/// What a person is told whose customer has another workspace, which was connected `by` somebody.
pub(super) fn other_workspace(
    look: &Look,
    grant: &NewGrant,
    connected: &str,
    by: Option<&str>,
    wanted: &str,
) -> Page {
    let page = Page::failed(StatusCode::CONFLICT, &texts::already_connected(connected))
        .line(&texts::already_connected_why(&grant.customer_external_id, connected));
    let page = match known_by(connected, by) {
        Some(by) => page.line(&texts::connected_by(by)),
        None => page,
    };
    let page = page.line(&texts::disconnect_first(look.name(), connected, wanted));
    look.on(look.back(page, grant.return_url.as_deref()))
}

/// Who connected a workspace, where that says more than its name.
fn known_by<'a>(connected: &str, by: Option<&'a str>) -> Option<&'a str> {
    by.filter(|by| !by.is_empty() && *by != connected)
}

/// A person who is asked.
struct Asked<'a> {
    api: &'a Api,
    headers: &'a HeaderMap,
    state: &'a SecretString,
    grant: &'a NewGrant,
    look: Look,
}

impl Asked<'_> {
    /// The customer's connection, if there is one.
    async fn connected(&self) -> Result<Option<Connection>, Page> {
        live_connection(self.api, self.grant.organization, self.grant.customer).await.map_err(broken)
    }

    /// The workspace of a form; or what is wrong with it, in words.
    async fn checked(&self, typed: &str) -> Result<Result<Subdomain, String>, Page> {
        let subdomain = match parse_subdomain(typed) {
            Ok(subdomain) => subdomain,
            Err(wrong) => return Ok(Err(wrong.to_owned())),
        };
        let (name, wanted) = (self.look.name(), subdomain.as_str());
        if !self.look.branding.allows(wanted) {
            return Ok(Err(texts::not_allowed(name, wanted)));
        }
        if let Some(connected) = self.connected().await?
            && connected.subdomain != wanted
        {
            let known = connected.subdomain.as_str();
            let why = texts::already_connected_why(&self.grant.customer_external_id, known);
            let by = known_by(known, Some(&connected.account_label)).map(texts::connected_by);
            let next = texts::disconnect_first(name, known, wanted);
            return Ok(Err([Some(why), by, Some(next)].into_iter().flatten().collect::<Vec<_>>().join(" ")));
        }
        if self.is_unclaimed(&subdomain).await {
            return Ok(Err(texts::no_such_workspace(wanted)));
        }
        Ok(Ok(subdomain))
    }

    /// Whether it is certain that Zendesk has no such workspace. Whoever is unsure lets the person go on.
    async fn is_unclaimed(&self, subdomain: &Subdomain) -> bool {
        if !self.api.rates().may_check_workspace(self.grant.customer, self.api.now_ms()) {
            return false;
        }
        let Ok(endpoint) = self.api.accounts().endpoint(subdomain) else { return false };
        let asked = is_unclaimed(self.api.accounts().http(), &endpoint);
        match tokio::time::timeout(CHECK_PATIENCE, asked).await {
            Ok(Ok(is_unclaimed)) => is_unclaimed,
            Ok(Err(failure)) => {
                tracing::debug!(%subdomain, error = chain(&failure), "zendesk does not say whether there is a workspace");
                false
            }
            Err(_elapsed) => {
                tracing::debug!(%subdomain, "zendesk does not say in time whether there is a workspace");
                false
            }
        }
    }

    /// Leads back to the page, which says what is wrong and keeps what was typed.
    async fn refused(&self, typed: &str, wrong: String) -> Result<Response, Page> {
        let typed: String = typed.chars().take(SHOWN_CHARS_MAX).collect();
        let link = self.state.expose_secret();
        let refusal = Refusal { wrong, typed: [(FIELD.to_owned(), typed.clone())].into_iter().collect() };
        let back = refusal.led_back(self.api, link, is_https(self.grant), &format!("?state={link}"));
        match back {
            Some(back) => Ok(back),
            None => {
                let page = self.page(StatusCode::UNPROCESSABLE_ENTITY, &typed, Some(&refusal.wrong));
                Ok(page.await?.into())
            }
        }
    }

    async fn page(&self, status: StatusCode, typed: &str, wrong: Option<&str>) -> Result<Page, Page> {
        let base = base_of(self.grant)?;
        let connected = self.connected().await?;
        let guard = Guard::new(self.api, self.headers, self.state.expose_secret(), &base);
        let page = Page::new(status, &texts::connect_title(self.look.name()))
            .line(&texts::connect_lead(self.look.name()))
            .part(self.form(&guard, typed, wrong, connected.as_ref()));
        let page = self.look.on(self.look.back(page, self.grant.return_url.as_deref()));
        // Zendesk's own address is https, but for a simulated one.
        let zendesk = Subdomain::parse(&self.grant.subdomain)
            .ok()
            .and_then(|it| self.api.accounts().endpoint(&it).ok());
        let origin =
            zendesk.map(|endpoint| endpoint.base().origin().ascii_serialization()).unwrap_or_default();
        Ok(guard.on(page, Forms::Onward(origin)))
    }

    fn form(
        &self,
        guard: &Guard,
        typed: &str,
        wrong: Option<&str>,
        connected: Option<&Connection>,
    ) -> Markup {
        let typed: String = typed.chars().take(SHOWN_CHARS_MAX).collect();
        let renewed = connected.filter(|connected| connected.subdomain == self.grant.subdomain);
        html! {
            form method="post" action=(format!("?state={}", self.state.expose_secret())) {
                (guard.field())
                label for="workspace" { (texts::WORKSPACE) }
                div.joined {
                    input #workspace type="text" name=(FIELD) value=(typed) required autocomplete="off"
                        autocapitalize="none" spellcheck="false" aria-describedby="workspace-hint"
                        aria-invalid=[wrong.map(|_| "true")];
                    span { ".zendesk.com" }
                }
                @match wrong {
                    Some(wrong) => p.hint.wrong #workspace-hint role="alert" { (wrong) },
                    None => p.hint #workspace-hint { (texts::WORKSPACE_HINT) },
                }
                dl { dt { (texts::CUSTOMER) } dd { (self.grant.customer_external_id) } }
                @if let Some(connected) = renewed {
                    div.note.good { p { (texts::renews(&connected.subdomain)) } }
                }
                (self.reads())
                div.row { button.main.block type="submit" { (texts::CONTINUE) } }
                p.hint { (texts::CONTINUE_HINT) }
            }
        }
    }

    /// What is read and what is not, by the scopes that Zendesk will be asked for.
    fn reads(&self) -> Markup {
        let reads_more = self.grant.scopes.iter().any(|scope| !scope.contains(':'));
        let writes = scopes_allow(&self.grant.scopes.join(" "));
        html! {
            h2 { (texts::READ) }
            ul.marks.yes { @for one in texts::READ_LIST { li { (one) } } }
            @if reads_more { p.hint { (texts::READS_MORE) } }
            @if !self.grant.scopes.is_empty() {
                p.hint { (texts::SCOPES) " " @for scope in &self.grant.scopes { code { (scope) } " " } }
            }
            h2 { (texts::NOT_READ) }
            ul.marks.no { @for one in texts::NOT_READ_LIST { li { (one) } } }
            p.hint { @if writes { (texts::ADDS_WEBHOOK) } @else { (texts::WRITES_NOTHING) } }
            div.note { p { (texts::SIGN_IN_AS) } }
        }
    }
}
