//! Where Zendesk sends the browser back to, and where sync URLs lead: pages for people.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use helpsync_account::AccountError;
use helpsync_model::{ConnectionId, OrganizationId, Subdomain, Trigger, chain};
use helpsync_store::{Connection, Consumed, GrantCompleted, NewGrant, NewTokens};
use helpsync_zendesk::{OAuthFailure, PkceVerifier, exchange_code};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::finish::{Checked, Connected, check_account, finish, start};
use crate::Api;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::page::Page;
use crate::signing::Purpose;
use crate::wire::grant::{Callback, SyncClaim};

/// Longer states and codes were never handed out.
const STATE_BYTES_MAX: usize = 256;
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
        .gives_text("text/html"),
        get(
            "/integrations/zendesk/sync",
            Access::Open,
            "Asks whether to sync a connected workspace; answers with a page for people",
            ask_to_sync,
        )
        .parameter("token", "string", "From the URL of /integrations/oauth_url")
        .gives_text("text/html"),
        post(
            "/integrations/zendesk/sync",
            Access::Open,
            "Starts a sync of a connected workspace; answers with a page for people",
            sync,
        )
        .parameter("token", "string", "From the URL of /integrations/oauth_url")
        .gives_text("text/html"),
    ]
}

async fn callback(State(api): State<Api>, query: Result<Query<Callback>, ApiError>) -> Response {
    let Ok(Query(query)) = query else { return not_ours().into() };
    // A browser that goes away must not tear the grant in two: the code is spent by then. So this runs to its end.
    match tokio::spawn(async move { settle(&api, query).await }).await {
        Ok(page) => page.into(),
        Err(error) => {
            tracing::error!(error = chain(&error), "the callback broke off");
            Page::failed(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side")
                .line("Please start again from your application; if it happens again, tell its makers.")
                .into()
        }
    }
}

fn not_ours() -> Page {
    Page::failed(StatusCode::BAD_REQUEST, "This link does not work")
        .line("It is not one of ours, or parts of it are missing.")
        .line("Please go back to your application and connect Zendesk again from there.")
}

fn used_up(title: &str, line: &str) -> Page {
    Page::failed(StatusCode::GONE, title).line(line).line(
        "If your application does not show the workspace as connected, connect Zendesk again from there.",
    )
}

async fn settle(api: &Api, query: Callback) -> Page {
    let Some(state) = query.state.filter(|state| !state.is_empty() && state.len() <= STATE_BYTES_MAX) else {
        return not_ours();
    };
    let grant = match api.store().admin().consume_grant(&SecretString::from(state)).await {
        Ok(Consumed::Pending(grant)) => *grant,
        Ok(Consumed::Expired) => {
            return used_up(
                "This link has expired",
                "It took too long to grant access, so nothing was changed.",
            );
        }
        Ok(Consumed::Replayed) => {
            return used_up(
                "This link was used before",
                "Every link works once, so nothing was changed this time.",
            );
        }
        Ok(Consumed::Unknown) => return not_ours(),
        Err(error) => return broken(ApiError::from(error)),
    };
    if let Some(error) = query.error {
        return refused(api, &grant, &error).await;
    }
    let Some(code) = query.code.filter(|code| !code.is_empty() && code.len() <= CODE_BYTES_MAX) else {
        return not_ours();
    };
    match connect(api, &grant, code.into()).await {
        Ok(connected) => welcome(&grant.subdomain, connected),
        Err(page) => page,
    }
}

/// Zendesk says that there is no code.
async fn refused(api: &Api, grant: &NewGrant, error: &str) -> Page {
    if error != "access_denied" {
        let error: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
        tracing::warn!(organization = %grant.organization, error, "zendesk refused to ask for a grant");
        return Page::failed(StatusCode::BAD_GATEWAY, "Zendesk did not accept the request")
            .line(
                "Nothing was changed. The OAuth client, its redirect URL or the requested scopes do not fit.",
            )
            .line("Please tell the makers of your application.");
    }
    if let Err(error) = api.store().admin().note_refused_grant(grant.customer, &grant.subdomain).await {
        tracing::error!(error = chain(&error), "a refused grant was not noted");
    }
    Page::failed(StatusCode::FORBIDDEN, "Access was not granted")
        .line(&format!("Nothing was changed, and {} was not connected.", grant.subdomain))
        .line("If that was a mistake, connect Zendesk again from your application and choose Allow.")
}

async fn connect(api: &Api, grant: &NewGrant, code: SecretString) -> Result<Connected, Page> {
    let broken_address = |_: &dyn std::error::Error| {
        Page::failed(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong on our side")
            .line("The workspace's address cannot be made. Please tell the makers of your application.")
    };
    let subdomain = Subdomain::parse(&grant.subdomain).map_err(|error| broken_address(&error))?;
    let redirect = Url::parse(&grant.redirect_uri).map_err(|error| broken_address(&error))?;
    let endpoint = api.accounts().endpoint(&subdomain).map_err(|error| broken(error.into()))?;
    let app = match api.accounts().app_of_grant(grant.organization, &grant.client_id).await {
        Ok(app) => app,
        Err(AccountError::AppGone(_)) => {
            return Err(Page::failed(StatusCode::CONFLICT, "Please start again")
                .line("The connection to Zendesk was set up anew while you were granting access.")
                .line("Nothing was changed. Please connect Zendesk again from your application."));
        }
        Err(error) => return Err(broken(error.into())),
    };
    let verifier = PkceVerifier::from_secret(grant.verifier.clone());
    let http = api.accounts().http();
    let tokens = exchange_code(http, &endpoint, &app, &code, &redirect, Some(&verifier))
        .await
        .map_err(|failure| not_exchanged(&failure))?;
    let account_label = match check_account(api, &subdomain, &tokens.access).await.map_err(broken)? {
        Checked::Good(label) => label,
        // The code came from the workspace itself, so its token is believed; a dead one pauses the connection.
        Checked::Unsure => grant.subdomain.clone(),
        Checked::Refused(_) => {
            return Err(Page::failed(StatusCode::BAD_GATEWAY, "Zendesk did not accept its own token")
                .line("Nothing was changed. Please connect Zendesk again from your application."));
        }
    };
    let now = api.now_ms();
    let later = |life: Option<std::time::Duration>| {
        life.map(|life| now.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX)))
    };
    let completed = GrantCompleted {
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
    };
    finish(api, &completed).await.map_err(broken)
}

fn not_exchanged(failure: &OAuthFailure) -> Page {
    tracing::warn!(error = chain(failure), "a code was not exchanged");
    let nothing = "Nothing was changed.";
    match failure {
        OAuthFailure::InvalidGrant(_) => {
            Page::failed(StatusCode::BAD_REQUEST, "Zendesk does not accept this link any more")
                .line(nothing)
                .line("Please connect Zendesk again from your application.")
        }
        OAuthFailure::Unavailable { .. } => {
            Page::failed(StatusCode::SERVICE_UNAVAILABLE, "Zendesk does not answer at the moment")
                .line(nothing)
                .line("Please connect Zendesk again from your application in a few minutes.")
        }
        OAuthFailure::Refused { status: 402 | 423, .. } => {
            Page::failed(StatusCode::BAD_GATEWAY, "Zendesk lets nobody into this account").line(nothing).line(
                "The account is suspended. Once its owner has had that ended, please connect Zendesk again.",
            )
        }
        OAuthFailure::Malformed | OAuthFailure::Refused { status: 404.., .. } => {
            Page::failed(StatusCode::BAD_GATEWAY, "Zendesk answered something unexpected")
                .line(nothing)
                .line("Please connect Zendesk again from your application in a few minutes.")
        }
        OAuthFailure::InvalidClient(_) | OAuthFailure::Refused { .. } => {
            Page::failed(StatusCode::BAD_GATEWAY, "Zendesk did not accept the request")
                .line(nothing)
                .line("The OAuth client's identifier, secret or redirect URL does not fit.")
                .line("Please tell the makers of your application.")
        }
    }
}

/// The page of an error that elsewhere would be an envelope.
fn broken(error: ApiError) -> Page {
    let (status, text) = (error.status(), error.text());
    if let ApiError::Store(error) = error
        && status.is_server_error()
    {
        tracing::error!(error = chain(&error), "the store failed a grant");
    }
    let title = match status {
        StatusCode::CONFLICT => "Another workspace is connected",
        StatusCode::SERVICE_UNAVAILABLE => "Not at the moment",
        _ => "Something went wrong",
    };
    let mut letters = text.chars();
    let text = letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>());
    Page::failed(status, title)
        .line(&format!("{}.", text.unwrap_or_default()))
        .line("Then connect Zendesk again from your application.")
}

fn welcome(subdomain: &str, connected: Connected) -> Page {
    let page = Page::good(&format!("{subdomain} is connected"));
    let page = if connected.syncing {
        page.line(
            "Its published help center articles are being fetched now. Large help centers take some minutes.",
        )
    } else {
        page.line("Its published help center articles will be fetched when your application asks for them.")
    };
    let page = if connected.reconnected {
        page.line("The articles that were fetched before are kept and brought up to date.")
    } else {
        page
    };
    page.line("You can close this page and go back to your application.")
}

/// The query of a sync URL.
#[derive(Deserialize)]
struct SyncQuery {
    token: Option<String>,
}

fn claim_of(api: &Api, query: Result<Query<SyncQuery>, ApiError>) -> Option<SyncClaim> {
    let token = query.ok().and_then(|Query(query)| query.token).unwrap_or_default();
    api.signer().read::<SyncClaim>(Purpose::SyncUrl, &token, api.now_ms())
}

/// The connection that the URL was made for.
async fn connection_of(api: &Api, claim: &SyncClaim) -> Result<Connection, ApiError> {
    let found = api.store().admin().connection(OrganizationId(claim.o), ConnectionId(claim.d)).await?;
    if found.created_at == claim.c { Ok(found) } else { Err(ApiError::missing("connection")) }
}

/// Links are opened by whoever looks ahead of people: mail scanners, previews, browsers. So the link only asks.
async fn ask_to_sync(State(api): State<Api>, query: Result<Query<SyncQuery>, ApiError>) -> Response {
    let Some(claim) = claim_of(&api, query) else { return not_ours().into() };
    match connection_of(&api, &claim).await {
        Ok(connection) => Page::good(&format!("{} is connected", connection.subdomain))
            .line("Its published help center articles can be brought up to date now.")
            .button("Sync now")
            .into(),
        Err(error) => broken(error).into(),
    }
}

async fn sync(State(api): State<Api>, query: Result<Query<SyncQuery>, ApiError>) -> Response {
    let Some(claim) = claim_of(&api, query) else { return not_ours().into() };
    match start_again(&api, &claim).await {
        Ok(subdomain) => {
            let connected =
                Connected { connection: ConnectionId(claim.d), reconnected: false, syncing: true };
            welcome(&subdomain, connected).into()
        }
        Err(error) => broken(error).into(),
    }
}

async fn start_again(api: &Api, claim: &SyncClaim) -> Result<String, ApiError> {
    let connection = connection_of(api, claim).await?;
    let options = merged(&connection.sync_options, &claim.p);
    api.store().admin().take_up_options(connection.organization, connection.id, &options).await?;
    start(api, connection.organization, connection.id, Trigger::Request, Some(&claim.r)).await?;
    Ok(connection.subdomain)
}

/// What a sync URL says wins. Without a word of it files are synced, and nothing turns that off again.
fn merged(before: &Value, said: &Value) -> Value {
    let mut options = before.clone();
    if let (Value::Object(options), Value::Object(said)) = (&mut options, said) {
        options.extend(said.clone());
    }
    let only_lists = said["sync_files_on_connection"] == json!(false)
        && before["sync_files_on_connection"] == json!(false);
    options["sync_files_on_connection"] = json!(!only_lists);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_url_adds_its_options_and_turns_files_on_but_never_off() {
        let off = json!({ "sync_files_on_connection": false, "tags": { "a": "b" } });
        let on = json!({ "sync_files_on_connection": true, "tags": { "a": "b" } });
        assert_eq!(merged(&off, &json!({})), on);
        assert_eq!(merged(&off, &json!({ "sync_files_on_connection": false })), off);
        assert_eq!(merged(&on, &json!({ "sync_files_on_connection": false })), on);
        assert_eq!(merged(&on, &json!({ "tags": {} }))["tags"], json!({}));
    }
}
