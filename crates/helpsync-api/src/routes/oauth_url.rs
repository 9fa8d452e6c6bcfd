//! `POST /integrations/oauth_url`: where a customer's administrator goes to connect a workspace.

use axum::Json;
use axum::extract::State;
use helpsync_model::{ConnectionState, CustomerId, GrantBegunBy, KeyScope, OrganizationId, Subdomain};
use helpsync_store::{Branding, Connection, ConnectionOrder, ConnectionQuery, Customer, NewGrant, TagChange};
use helpsync_zendesk::PkceVerifier;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

use super::data_sources::own_connection;
use super::finish::other_workspace;
use super::white_label::is_loopback;
use crate::Api;
use crate::auth::Speaker;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::pages::{URL_LIFE, sync_link};
use crate::wire::grant::{OAuthURLRequest, OuthURLResponse};

const SCOPES_MAX: usize = 20;
const SCOPE_CHARS_MAX: usize = 64;
const REQUEST_ID_CHARS_MAX: usize = 255;
/// The longest address that a page leads back to.
pub(crate) const RETURN_URL_BYTES_MAX: usize = 2_048;
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
        .told_as("Make a link by which a workspace is connected or synced")
        .takes::<OAuthURLRequest>()
        .gives::<OuthURLResponse>(),
    ]
}

async fn oauth_url(
    State(api): State<Api>,
    Speaker { customer, is_customer, key }: Speaker,
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
    let connected = live_connection(&api, customer.organization, customer.id).await?;
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
    let (_, branding) = api.store().admin().branding(customer.organization).await?;
    check_allowed(&branding, &wanted)?;
    let return_url = request.return_url.as_deref().filter(|url| !url.is_empty());
    let return_url = return_url.map(|url| check_return_url(&branding, url)).transpose()?;
    if let Some(connected) = connected {
        if connected.subdomain != wanted.as_str() {
            return Err(ApiError::conflict(other_workspace(&connected.subdomain, wanted.as_str())));
        }
        if request.connecting_new_account != Some(true) && connected.state == ConnectionState::Active {
            let oauth_url = sync_link(&api, &connected, key, &request)?;
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
    let oauth_url = grant_url(&api, &customer, key, &wanted, scopes, return_url, &request).await?;
    Ok(Json(OuthURLResponse { oauth_url }))
}

/// The customer's connection that is not disconnected.
pub(crate) async fn live_connection(
    api: &Api,
    organization: OrganizationId,
    customer: CustomerId,
) -> Result<Option<Connection>, ApiError> {
    let query = ConnectionQuery {
        organization,
        customer: Some(customer),
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

async fn grant_url(
    api: &Api,
    customer: &Customer,
    key: i64,
    subdomain: &Subdomain,
    scopes: Vec<String>,
    return_url: Option<String>,
    request: &OAuthURLRequest,
) -> Result<String, ApiError> {
    let (app, registered) = api.accounts().app(customer.organization).await?;
    api.accounts().endpoint(subdomain)?;
    let redirect_uri = registered.unwrap_or_else(|| api.public("/integrations/zendesk"));
    let redirect = Url::parse(&redirect_uri)
        .map_err(|error| ApiError::bad(format!("the OAuth client's redirect_uri is not a URL: {error}")))?;
    if redirect.scheme() == "http" && !is_loopback(&redirect) {
        return Err(ApiError::bad(
            "the grant would come back over plain http, where its code can be read on the way: set api.public_url, or \
             the OAuth client's redirect_uri, to an https address",
        ));
    }
    let mut bytes = [0u8; 32];
    api.entropy().fill(&mut bytes);
    let state: SecretString = hex::encode(bytes).into();
    let verifier = PkceVerifier::generate(api.entropy());
    // The page stands below the redirect address, which may be the organization's own host: its cookies are read there.
    let url = format!("{redirect_uri}/connect?state={}", state.expose_secret());
    let grant = NewGrant {
        organization: customer.organization,
        customer: customer.id,
        customer_external_id: customer.external_id.clone(),
        subdomain: subdomain.as_str().to_owned(),
        client_id: app.client_id,
        redirect_uri,
        verifier: verifier.secret().clone(),
        sync_options: request.options.to_value(),
        tags: request.options.data_source_tags(),
        scopes,
        return_url,
        begun_by: Some(GrantBegunBy::Nobody),
        api_key: Some(key),
    };
    api.store().admin().put_pending_grant(&state, &grant, URL_LIFE).await?;
    Ok(url)
}

/// Refuses a workspace that the organization does not connect.
pub(crate) fn check_allowed(branding: &Branding, subdomain: &Subdomain) -> Result<(), ApiError> {
    if branding.allows(subdomain.as_str()) {
        return Ok(());
    }
    Err(ApiError::forbidden(format!(
        "the workspace {} is not among those that this organization connects: see `subdomains` of /helpsync/v1/branding",
        subdomain.as_str()
    )))
}

/// Where a page may lead back to: what the organization has named, and all below it.
fn check_return_url(branding: &Branding, text: &str) -> Result<String, ApiError> {
    let wrong = |text: String| ApiError::field("return_url", text);
    let url = Url::parse(text).map_err(|_not_a_url| wrong("is no URL".to_owned()))?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if text.len() > RETURN_URL_BYTES_MAX || !is_plain || !matches!(url.scheme(), "https" | "http") {
        return Err(wrong(format!("is an https URL of at most {RETURN_URL_BYTES_MAX} bytes")));
    }
    let below = |allowed: &String| Url::parse(allowed).is_ok_and(|allowed| is_below(&url, &allowed));
    if branding.return_urls.iter().any(below) {
        return Ok(url.into());
    }
    Err(wrong("is not below any of `return_urls` of /helpsync/v1/branding".to_owned()))
}

/// Whether an address is another one, or below it: same origin, and every part of the path.
pub(crate) fn is_below(url: &Url, allowed: &Url) -> bool {
    let rest = url.path().strip_prefix(allowed.path().trim_end_matches('/'));
    url.origin() == allowed.origin() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_is_one_that_the_organization_named() {
        let branding = Branding {
            return_urls: vec![
                "https://app.example.com/settings/".to_owned(),
                "https://b.example.com".to_owned(),
            ],
            ..Branding::default()
        };
        for right in [
            "https://app.example.com/settings",
            "https://app.example.com/settings/zendesk?tab=1#x",
            "https://b.example.com/anything",
            "https://B.example.com",
        ] {
            assert!(check_return_url(&branding, right).is_ok(), "{right}");
        }
        for wrong in [
            "https://app.example.com/settingsX",
            "https://app.example.com/settings/../admin",
            "http://app.example.com/settings",
            "https://app.example.com:8443/settings",
            "https://b.example.com.evil.example",
            "https://b.example.com@evil.example/",
            "https://user@b.example.com/",
            "//b.example.com/",
            "javascript:alert(1)",
            "",
        ] {
            assert!(check_return_url(&branding, wrong).is_err(), "{wrong}");
        }
        let long = format!("https://b.example.com/{}", "x".repeat(RETURN_URL_BYTES_MAX));
        assert!(check_return_url(&branding, &long).is_err());
    }
}
