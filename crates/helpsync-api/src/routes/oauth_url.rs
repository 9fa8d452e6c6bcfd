//! `POST /integrations/oauth_url`: where a customer's administrator goes to connect a workspace.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use helpsync_model::{ConnectionState, KeyScope, Subdomain};
use helpsync_store::{Connection, ConnectionOrder, ConnectionQuery, Customer, NewGrant, TagChange};
use helpsync_zendesk::{PkceVerifier, authorize_url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::data_sources::own_connection;
use super::finish::other_workspace;
use crate::Api;
use crate::auth::Speaker;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::signing::{Purpose, SIGNED_BYTES_MAX};
use crate::wire::grant::{OAuthURLRequest, OuthURLResponse, SyncClaim};

/// How long a person may take on Zendesk's page.
pub(super) const GRANT_LIFE: Duration = Duration::from_secs(30 * 60);
/// How long a sync URL can be opened.
const SYNC_URL_LIFE: Duration = Duration::from_secs(30 * 60);
const SCOPES_MAX: usize = 20;
const SCOPE_CHARS_MAX: usize = 64;
const REQUEST_ID_CHARS_MAX: usize = 255;
/// A customer has one connection; the second row is enough to see that something is wrong.
const LOOKED_AT: i64 = 2;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/integrations/oauth_url",
            Access::Customer,
            "Where the customer's administrator connects the workspace; or, when it is connected and no new account is \
             wanted, a URL that starts a sync",
            oauth_url,
        )
.needs(KeyScope::Sync)
        .takes::<OAuthURLRequest>()
        .gives::<OuthURLResponse>(),
    ]
}

async fn oauth_url(
    State(api): State<Api>,
    Speaker { customer, is_customer }: Speaker,
    Body(request): Body<OAuthURLRequest>,
) -> Result<Json<OuthURLResponse>, ApiError> {
    if request.service != "ZENDESK" {
        return Err(ApiError::bad("this service is not served: the only one is ZENDESK"));
    }
    let scopes = scopes(&request, &api.options().default_scopes)?;
    if is_customer {
        check_scopes(&scopes, &api.options().customer_scopes)?;
    }
    check_request_id(request.options.request_id.as_deref())?;
    request.options.check("")?;
    let wanted = match request.zendesk_subdomain.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => Some(Subdomain::parse(text).map_err(|error| ApiError::bad(error.to_string()))?),
    };
    let named = match request.data_source_id {
        Some(id) => Some(own_connection(&api, &customer, id.0).await?),
        None => None,
    };
    let connected = live_connection(&api, &customer).await?;
    let wanted = match (wanted, &named, &connected) {
        (Some(wanted), _, _) => wanted,
        // Asked for again without a name: what was meant before is meant now.
        (None, Some(known), _) | (None, None, Some(known)) => {
            Subdomain::parse(&known.subdomain).map_err(|error| ApiError::bad(error.to_string()))?
        }
        (None, None, None) => {
            let missing = helpsync_model::SubdomainError::Missing;
            return Err(ApiError::bad(missing.to_string()));
        }
    };
    if let Some(connected) = connected {
        if connected.subdomain != wanted.as_str() {
            return Err(ApiError::conflict(other_workspace(&connected.subdomain, wanted.as_str())));
        }
        if request.connecting_new_account != Some(true) && connected.state == ConnectionState::Active {
            let oauth_url = sync_url(&api, &connected, &request)?;
            // What the data source is called is the caller's own word; the link carries only what a sync does.
            if let Value::Object(tags) = request.options.data_source_tags()
                && !tags.is_empty()
            {
                let change = TagChange::Merge(tags);
                let admin = api.store().admin();
                admin.change_connection_tags(connected.organization, connected.id, &change).await?;
            }
            return Ok(Json(OuthURLResponse { oauth_url }));
        }
    }
    let oauth_url = grant_url(&api, &customer, &wanted, &scopes, &request).await?;
    Ok(Json(OuthURLResponse { oauth_url }))
}

/// The customer's connection that is not disconnected.
pub(super) async fn live_connection(api: &Api, customer: &Customer) -> Result<Option<Connection>, ApiError> {
    let query = ConnectionQuery {
        organization: customer.organization,
        customer: Some(customer.id),
        ids: None,
        revoked: Some(false),
        starting_id: 0,
        order: ConnectionOrder::UpdatedAt,
        descending: true,
        limit: LOOKED_AT,
        offset: 0,
    };
    Ok(api.store().admin().connections(&query).await?.0.into_iter().next())
}

fn sync_url(api: &Api, connection: &Connection, request: &OAuthURLRequest) -> Result<String, ApiError> {
    let claim = SyncClaim {
        o: connection.organization.0,
        d: connection.id.0,
        c: connection.created_at,
        r: request.options.request_id.clone().unwrap_or_else(|| api.fresh_id()),
        p: request.options.to_value(),
    };
    let ends_at = api.now_ms().saturating_add(i64::try_from(SYNC_URL_LIFE.as_millis()).unwrap_or(i64::MAX));
    let token = api.signer().sign(Purpose::SyncUrl, claim, ends_at);
    if token.len() > SIGNED_BYTES_MAX {
        return Err(ApiError::bad("tags and file_sync_config are too large for a URL together"));
    }
    Ok(api.public(&format!("/integrations/zendesk/sync?token={token}")))
}

async fn grant_url(
    api: &Api,
    customer: &Customer,
    subdomain: &Subdomain,
    scopes: &[String],
    request: &OAuthURLRequest,
) -> Result<String, ApiError> {
    let (app, registered) = api.accounts().app(customer.organization).await?;
    let endpoint = api.accounts().endpoint(subdomain)?;
    let redirect_uri = registered.unwrap_or_else(|| api.public("/integrations/zendesk"));
    let redirect = Url::parse(&redirect_uri)
        .map_err(|error| ApiError::bad(format!("the OAuth client's redirect_uri is not a URL: {error}")))?;
    let mut bytes = [0u8; 32];
    api.entropy().fill(&mut bytes);
    let state: SecretString = hex::encode(bytes).into();
    let verifier = PkceVerifier::generate(api.entropy());
    let grant = NewGrant {
        organization: customer.organization,
        customer: customer.id,
        subdomain: subdomain.as_str().to_owned(),
        client_id: app.client_id.clone(),
        redirect_uri,
        verifier: verifier.secret().clone(),
        sync_options: request.options.to_value(),
        tags: request.options.data_source_tags(),
    };
    api.store().admin().put_pending_grant(&state, &grant, GRANT_LIFE).await?;
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let url = authorize_url(&endpoint, &app.client_id, &redirect, &scopes, state.expose_secret(), &verifier);
    Ok(url.into())
}

/// What the grant asks for: exactly what the request names, else the configured scopes.
fn scopes(request: &OAuthURLRequest, default: &str) -> Result<Vec<String>, ApiError> {
    let split = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let scopes = match (&request.scopes, &request.scope) {
        (Some(scopes), _) if !scopes.is_empty() => scopes.clone(),
        (_, Some(scope)) if !scope.trim().is_empty() => split(scope),
        _ => split(default),
    };
    let odd = |scope: &String| {
        scope.is_empty() || scope.len() > SCOPE_CHARS_MAX || !scope.chars().all(|c| c.is_ascii_graphic())
    };
    if scopes.len() > SCOPES_MAX || scopes.iter().any(odd) {
        return Err(ApiError::bad(format!(
            "scopes takes at most {SCOPES_MAX} names such as hc:read, without spaces"
        )));
    }
    Ok(scopes)
}

/// What customers may have asked for: their organization's settings say so, not they.
fn check_scopes(scopes: &[String], allowed: &[String]) -> Result<(), ApiError> {
    match scopes.iter().find(|scope| !allowed.contains(scope)) {
        Some(_) => Err(ApiError::forbidden(format!(
            "with an access token, scopes may be {}: others take an API key",
            allowed.join(", ")
        ))),
        None => Ok(()),
    }
}

/// A request id is kept with every file and shown in answers.
pub(super) fn check_request_id(id: Option<&str>) -> Result<(), ApiError> {
    match id {
        Some(id) if id.chars().count() > REQUEST_ID_CHARS_MAX || id.chars().any(char::is_control) => {
            Err(ApiError::bad(format!(
                "request_id has at most {REQUEST_ID_CHARS_MAX} characters, none of them a control character"
            )))
        }
        _ => Ok(()),
    }
}
