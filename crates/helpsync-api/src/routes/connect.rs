//! `POST /integrations/connect`: connect with a token that was obtained elsewhere.

use axum::Json;
use axum::extract::State;
use helpsync_model::{KeyScope, Subdomain};
use helpsync_store::{GrantCompleted, NewTokens};
use secrecy::SecretString;

use super::finish::{Checked, Finished, check_account, finish, other_workspace};
use super::oauth_url::{check_allowed, check_request_id};
use crate::Api;
use crate::auth::Speaker;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::wire::grant::{ConnectDataSourceInput, ConnectDataSourceResponse};

const TOKEN_BYTES_MAX: usize = 4_096;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/integrations/connect",
            Access::Customer,
            "Connect a workspace with a token of your own",
            connect,
        )
        .needs(KeyScope::Sync)
        .takes::<ConnectDataSourceInput>()
        .gives::<ConnectDataSourceResponse>(),
    ]
}

async fn connect(
    State(api): State<Api>,
    Speaker { customer, is_customer, .. }: Speaker,
    Body(input): Body<ConnectDataSourceInput>,
) -> Result<Json<ConnectDataSourceResponse>, ApiError> {
    let given = input.authentication;
    if given.source != "ZENDESK" {
        return Err(ApiError::bad("this source is not served: the only one is ZENDESK"));
    }
    let options = input.sync_options.unwrap_or_default();
    check_request_id(options.request_id.as_deref())?;
    options.check("sync_options.")?;
    let subdomain = Subdomain::parse(given.subdomain.as_deref().unwrap_or_default())
        .map_err(|error| ApiError::bad(error.to_string()))?;
    let (_, branding) = api.store().admin().branding(customer.organization).await?;
    check_allowed(&branding, &subdomain)?;
    let token = given.access_token.unwrap_or_default();
    if token.is_empty() || token.len() > TOKEN_BYTES_MAX || !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(ApiError::bad("authentication.access_token is missing, or is no token"));
    }
    // A customer must not search Zendesk for names of workspaces through us; who has the organization's key may ask.
    if is_customer && !api.rates().may_check_workspace(customer.id, api.now_ms()) {
        return Err(ApiError::throttled("too many workspaces were tried: try again in a minute"));
    }
    let token = SecretString::from(token);
    let account_label = match check_account(&api, &subdomain, &token).await? {
        Checked::Good(known) => known.label,
        // A 401 would tell the client that its own credential is bad.
        Checked::Refused(reason) => return Err(ApiError::bad(reason)),
        Checked::Unsure => {
            return Err(ApiError::unavailable(
                "Zendesk did not say whether the access token works: check the subdomain, and try again",
            ));
        }
    };
    let grant = GrantCompleted {
        organization: customer.organization,
        customer: customer.id,
        subdomain: subdomain.as_str().to_owned(),
        client_id: None,
        tokens: NewTokens { access: token, refresh: None, expires_at: None, refresh_expires_at: None },
        // A token from elsewhere does not say what it may do.
        scopes: None,
        account_label,
        sync_options: options.to_value(),
        tags: options.data_source_tags(),
    };
    let connected = match finish(&api, &grant).await? {
        Finished::Connected(connected) => connected,
        Finished::OtherWorkspace(connected) => {
            return Err(ApiError::conflict(other_workspace(&connected, &grant.subdomain)));
        }
    };
    let connection = api.store().admin().connection(customer.organization, connected.connection).await?;
    Ok(Json(ConnectDataSourceResponse { data_source: connection.into(), sync_url: None }))
}
