//! Where Zendesk sends the browser back to: the end of a grant.

use axum::extract::State;
use axum::http::header::{ALLOW, CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_account::AccountError;
use helpsync_model::{GrantBegunBy, Subdomain, chain};
use helpsync_pages::Page;
use helpsync_pages::visitor::is_program;
use helpsync_store::audit::{self, Actor};
use helpsync_store::{Consumed, GrantCompleted, NewGrant, NewTokens, StoreError};
use helpsync_zendesk::{OAuthFailure, PkceVerifier, Tokens, exchange_code};
use secrecy::SecretString;
use serde_json::json;
use url::Url;

use super::connect::{STATE_BYTES_MAX, chosen_here, forget, other_workspace};
use super::progress::{ProgressClaim, Remark};
use super::{Look, look, progress, texts};
use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::routes::finish::{Checked, Connected, Finished, check_account, finish, look_at_help_center};
use crate::routes::live_connection;
use crate::wire::grant::Callback;

const CODE_BYTES_MAX: usize = 4_096;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/integrations/zendesk",
            Access::Open,
            "Where Zendesk sends the browser back to; answers with a page for people",
            callback,
        )
        .parameter("state", "string", "From the URL of /integrations/oauth_url; good once")
        .parameter("code", "string", "Zendesk's authorization code")
        .parameter("error", "string", "Why there is no code, for example access_denied")
        .audited(true)
        .told_as("Answer whether access to a workspace is granted")
        .gives_text("text/html"),
    ]
}

async fn callback(
    State(api): State<Api>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<Callback>, ApiError>,
) -> Response {
    if method == Method::HEAD {
        // Whoever only looks would use the state up.
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, HeaderValue::from_static("GET"))]).into_response();
    }
    let Ok(Query(query)) = query else { return not_ours().into() };
    // A browser that goes away must not tear the grant in two: the code is spent by then. So this runs to its end.
    match tokio::spawn(audit::of_this_request(async move { settle(&api, &headers, query).await })).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(error = chain(&error), "the callback broke off");
            Page::failed(StatusCode::INTERNAL_SERVER_ERROR, texts::OUR_FAULT)
                .line(texts::OUR_FAULT_NEXT)
                .into()
        }
    }
}

pub(super) fn not_ours() -> Page {
    Page::failed(StatusCode::BAD_REQUEST, texts::NOT_OURS)
        .line(texts::NOT_OURS_WHY)
        .line(texts::NOT_OURS_NEXT)
}

/// The page of a state that is good for nothing any more.
pub(super) async fn ended(api: &Api, consumed: Consumed) -> Page {
    let (title, why, past) = match consumed {
        Consumed::Expired(past) => (texts::EXPIRED, texts::EXPIRED_WHY, past),
        Consumed::Replayed(past) => (texts::USED, texts::USED_WHY, past),
        Consumed::Unknown | Consumed::Pending(_) => return not_ours(),
    };
    let page = Page::failed(StatusCode::GONE, title).line(why).line(texts::USED_UP_NEXT);
    let look = look(api, past.organization).await;
    look.on(look.back(page, past.return_url.as_deref()))
}

async fn settle(api: &Api, headers: &HeaderMap, query: Callback) -> Response {
    let state = query.state.filter(|state| !state.is_empty() && state.len() <= STATE_BYTES_MAX);
    let Some(state) = state.map(SecretString::from) else { return not_ours().into() };
    let grant = match take(api, headers, &state).await {
        Ok(grant) => grant,
        Err(page) => return page.into(),
    };
    audit::acts(
        grant.organization,
        Actor { kind: "browser", id: String::new(), name: "an administrator at Zendesk".to_owned() },
    );
    audit::about_customer(grant.customer);
    audit::detail("subdomain", json!(grant.subdomain));
    let look = look(api, grant.organization).await;
    let failed = |page: Page| {
        // Its cookie has no use any more.
        let page = if by_page(&grant) { page.cookie(forget(&state, &grant)) } else { page };
        look.on(look.back(page, grant.return_url.as_deref())).into()
    };
    if let Some(error) = query.error {
        return failed(refused(api, &grant, &error).await);
    }
    // Since the link was made the organization may have taken the workspace from its list.
    if !look.branding.allows(&grant.subdomain) {
        let wrong = texts::not_allowed(look.name(), &grant.subdomain);
        return failed(Page::failed(StatusCode::FORBIDDEN, texts::NOT_ALLOWED).line(&wrong));
    }
    let Some(code) = query.code.filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX) else {
        return failed(not_ours());
    };
    audit::detail("granted", json!(true));
    match connect(api, &grant, &look, code.into()).await {
        Ok((connected, remark)) => arrived(api, &state, &grant, &look, connected, remark),
        Err(page) => failed(page),
    }
}

fn by_page(grant: &NewGrant) -> bool {
    grant.begun_by == Some(GrantBegunBy::Page)
}

/// The grant of a state, used up, if it was begun by whoever comes back. If it was not, it stays what it is for whoever
/// did begin it.
async fn take(api: &Api, headers: &HeaderMap, state: &SecretString) -> Result<NewGrant, Page> {
    let admin = api.store().admin();
    let failed = |error: StoreError| broken(error.into());
    let grant = match admin.pending_grant(state).await.map_err(failed)? {
        Consumed::Pending(grant) => *grant,
        other => return Err(ended(api, other).await),
    };
    let chosen = match grant.begun_by {
        // The version before sent people to Zendesk without our page; such a state ends within half an hour.
        None => grant.subdomain.clone(),
        // A program may also make Zendesk's address by itself, from the state of ours.
        Some(GrantBegunBy::Program | GrantBegunBy::Nobody)
            if api.options().programs_may_connect && is_program(headers) =>
        {
            grant.subdomain.clone()
        }
        Some(GrantBegunBy::Page) => match chosen_here(api, headers, state, &grant) {
            Some(subdomain) => subdomain,
            None => return Err(elsewhere(api, &grant).await),
        },
        Some(GrantBegunBy::Program | GrantBegunBy::Nobody) => return Err(elsewhere(api, &grant).await),
    };
    match admin.consume_grant(state, grant.begun_by).await.map_err(failed)? {
        // Another browser may have chosen another workspace meanwhile; what was chosen in this one holds.
        Consumed::Pending(grant) => Ok(NewGrant { subdomain: chosen, ..*grant }),
        other => Err(ended(api, other).await),
    }
}

async fn elsewhere(api: &Api, grant: &NewGrant) -> Page {
    tracing::warn!(organization = %grant.organization, "a grant came back to somebody who did not begin it");
    let page = Page::failed(StatusCode::FORBIDDEN, texts::OTHER_BROWSER)
        .line(texts::OTHER_BROWSER_WHY)
        .line(texts::OTHER_BROWSER_NEXT);
    look(api, grant.organization).await.on(page)
}

/// Whoever pressed our button goes on to the page that shows the sync, whose address can be loaded again; a program
/// gets its answer here.
fn arrived(
    api: &Api,
    state: &SecretString,
    grant: &NewGrant,
    look: &Look,
    connected: Connected,
    remark: Option<Remark>,
) -> Response {
    if !by_page(grant) {
        return look.on(look.back(welcome(&grant.subdomain, connected), grant.return_url.as_deref())).into();
    }
    let claim = ProgressClaim {
        o: grant.organization.0,
        d: connected.connection.0,
        c: connected.created_at,
        r: remark,
        b: grant.return_url.clone(),
        k: grant.api_key,
    };
    let address = format!("{}/progress?token={}", grant.redirect_uri, progress::token(api, claim));
    let mut headers = HeaderMap::new();
    for (name, value) in [(LOCATION, address), (SET_COOKIE, forget(state, grant))] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (StatusCode::SEE_OTHER, headers).into_response()
}

/// Zendesk says that there is no code.
async fn refused(api: &Api, grant: &NewGrant, error: &str) -> Page {
    // RFC 6749, 4.1.2.1: these pass.
    if ["temporarily_unavailable", "server_error"].contains(&error) {
        tracing::info!(organization = %grant.organization, error, "zendesk cannot ask for a grant just now");
        return Page::failed(StatusCode::BAD_GATEWAY, texts::ZENDESK_AWAY)
            .line(texts::NOTHING_CHANGED)
            .line(texts::START_AGAIN_LATER);
    }
    if error != "access_denied" {
        let error: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
        tracing::warn!(organization = %grant.organization, error, "zendesk refused to ask for a grant");
        return Page::failed(StatusCode::BAD_GATEWAY, texts::REQUEST_REFUSED)
            .line(texts::REQUEST_REFUSED_WHY)
            .line(texts::TELL_MAKERS);
    }
    audit::detail("granted", json!(false));
    if let Err(error) = api.store().admin().note_refused_grant(grant.customer, &grant.subdomain).await {
        tracing::error!(error = chain(&error), "a refused grant was not noted");
    }
    Page::failed(StatusCode::FORBIDDEN, texts::NOT_GRANTED)
        .line(&texts::not_granted_why(&grant.subdomain))
        .line(texts::NOT_GRANTED_NEXT)
}

async fn connect(
    api: &Api,
    grant: &NewGrant,
    look: &Look,
    code: SecretString,
) -> Result<(Connected, Option<Remark>), Page> {
    let broken_address =
        || Page::failed(StatusCode::INTERNAL_SERVER_ERROR, texts::OUR_FAULT).line(texts::NO_ADDRESS);
    let subdomain = Subdomain::parse(&grant.subdomain).map_err(|_never_stored| broken_address())?;
    let redirect = Url::parse(&grant.redirect_uri).map_err(|_never_stored| broken_address())?;
    let endpoint = api.accounts().endpoint(&subdomain).map_err(|error| broken(error.into()))?;
    let app = match api.accounts().app_of_grant(grant.organization, &grant.client_id).await {
        Ok(app) => app,
        Err(AccountError::AppGone(_)) => {
            return Err(Page::failed(StatusCode::CONFLICT, texts::SET_UP_ANEW)
                .line(texts::SET_UP_ANEW_WHY)
                .line(texts::NOTHING_CHANGED)
                .line(texts::START_AGAIN));
        }
        Err(error) => return Err(broken(error.into())),
    };
    let verifier = PkceVerifier::from_secret(grant.verifier.clone());
    let http = api.accounts().http();
    let tokens = exchange_code(http, &endpoint, &app, &code, &redirect, Some(&verifier))
        .await
        .map_err(|failure| not_exchanged(&failure))?;
    let (account_label, mut remark) =
        match check_account(api, &subdomain, &tokens.access).await.map_err(broken)? {
            Checked::Good(known) => (known.label, known.is_end_user.then_some(Remark::EndUser)),
            // The code came from the workspace itself, so its token is believed; a dead one pauses the connection.
            Checked::Unsure => (grant.subdomain.clone(), None),
            Checked::Refused(_) => {
                return Err(Page::failed(StatusCode::BAD_GATEWAY, texts::TOKEN_REFUSED)
                    .line(texts::NOTHING_CHANGED)
                    .line(texts::START_AGAIN));
            }
        };
    if by_page(grant)
        && let Some(found) = look_at_help_center(api, &subdomain, &tokens.access).await
    {
        remark = Some(found);
    }
    let completed = completed(api, grant, tokens, account_label);
    match finish(api, &completed).await.map_err(broken)? {
        Finished::Connected(connected) => Ok((connected, remark)),
        Finished::OtherWorkspace(connected) => {
            let known = live_connection(api, grant.organization, grant.customer).await.map_err(broken)?;
            let by = known.as_ref().map(|known| known.account_label.as_str());
            let grant = NewGrant { return_url: None, ..grant.clone() };
            Err(other_workspace(look, &grant, &connected, by, &grant.subdomain))
        }
    }
}

/// What is kept of a grant whose code was exchanged.
fn completed(api: &Api, grant: &NewGrant, tokens: Tokens, account_label: String) -> GrantCompleted {
    let later = |life: Option<std::time::Duration>| life.map(|life| api.ends_in(life));
    GrantCompleted {
        organization: grant.organization,
        customer: grant.customer,
        subdomain: grant.subdomain.clone(),
        client_id: Some(grant.client_id.clone()),
        tokens: NewTokens {
            access: tokens.access,
            refresh: tokens.refresh,
            expires_at: later(tokens.expires_in),
            refresh_expires_at: later(tokens.refresh_expires_in),
        },
        scopes: tokens.scope,
        account_label,
        sync_options: grant.sync_options.clone(),
        tags: grant.tags.clone(),
    }
}

fn not_exchanged(failure: &OAuthFailure) -> Page {
    tracing::warn!(error = chain(failure), "a code was not exchanged");
    let (status, title, lines): (StatusCode, &str, &[&str]) = match failure {
        OAuthFailure::InvalidGrant(_) => {
            (StatusCode::BAD_REQUEST, texts::LINK_REFUSED, &[texts::START_AGAIN])
        }
        OAuthFailure::Unavailable { .. } => {
            (StatusCode::SERVICE_UNAVAILABLE, texts::ZENDESK_AWAY, &[texts::START_AGAIN_LATER])
        }
        OAuthFailure::Refused { status: 402 | 423, .. } => {
            (StatusCode::BAD_GATEWAY, texts::SUSPENDED, &[texts::SUSPENDED_NEXT])
        }
        OAuthFailure::Malformed | OAuthFailure::Refused { status: 404.., .. } => {
            (StatusCode::BAD_GATEWAY, texts::UNEXPECTED, &[texts::START_AGAIN_LATER])
        }
        OAuthFailure::InvalidClient(_) | OAuthFailure::Refused { .. } => (
            StatusCode::BAD_GATEWAY,
            texts::REQUEST_REFUSED,
            &[texts::CLIENT_REFUSED_WHY, texts::TELL_MAKERS],
        ),
    };
    let page = Page::failed(status, title).line(texts::NOTHING_CHANGED);
    lines.iter().fold(page, |page, line| page.line(line))
}

/// The page of an error that elsewhere would be an envelope. What that says is for programs.
pub(super) fn broken(error: ApiError) -> Page {
    let status = error.status();
    if let ApiError::Store(error) = error
        && status.is_server_error()
    {
        tracing::error!(error = chain(&error), "the store failed a page");
    }
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::REQUEST_TIMEOUT => {
            Page::failed(status, texts::NOT_NOW).line(texts::NOT_NOW_NEXT)
        }
        StatusCode::GONE => Page::failed(status, texts::LINK_EXPIRED).line(texts::LINK_EXPIRED_NEXT),
        StatusCode::CONFLICT | StatusCode::NOT_FOUND => {
            Page::failed(status, texts::GONE).line(texts::GONE_NEXT)
        }
        _ => Page::failed(status, texts::OUR_FAULT).line(texts::OUR_FAULT_NEXT),
    }
}

pub(super) fn welcome(subdomain: &str, connected: Connected) -> Page {
    let page = Page::good(&texts::is_connected(subdomain));
    let page = page.line(if connected.syncing { texts::FETCHING } else { texts::FETCHED_WHEN_ASKED });
    let page = if connected.reconnected { page.line(texts::KEPT) } else { page };
    page.line(texts::CLOSE)
}
