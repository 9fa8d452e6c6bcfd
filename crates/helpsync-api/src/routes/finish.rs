//! The end of every way to connect: check the account, make the connection, start the first sync.

use std::time::Duration;

use helpsync_account::subscriptions::{scopes_allow, unsubscribe};
use helpsync_model::{ConnectionId, Lane, OrganizationId, RunParams, Subdomain, Trigger, chain};
use helpsync_store::{GrantCompleted, GrantOutcome, RunRequest, RunRequested};
use helpsync_zendesk::{Client, Failure};
use secrecy::SecretString;
use serde_json::json;

use super::live_connection;
use crate::Api;
use crate::error::ApiError;
use crate::pages::Remark;

/// How long a person waits, at most, for Zendesk to say whom a token acts as, or to revoke one.
const ACCOUNT_PATIENCE: Duration = Duration::from_secs(20);
/// How long a person waits, at most, for a look at the help center.
const HELP_CENTER_PATIENCE: Duration = Duration::from_secs(5);
/// Random bytes of the address that an event subscription's events come to: nobody can guess it.
const ENDPOINT_BYTES: usize = 24;
/// The longest account label that is kept.
const LABEL_CHARS_MAX: usize = 200;
/// The role of those who are neither administrator nor agent.
const END_USER: &str = "end-user";

/// What Zendesk says of a token.
pub(crate) enum Checked {
    /// It works.
    Good(Known),
    /// It does not work.
    Refused(String),
    /// Zendesk did not say.
    Unsure,
}

/// Whom a token acts as.
pub(crate) struct Known {
    /// How people know the account.
    pub(crate) label: String,
    /// Whether Zendesk says that it is an end user's. It does not say of every token whose it is.
    pub(crate) is_end_user: bool,
}

impl Known {
    fn unnamed(subdomain: &Subdomain) -> Self {
        Self { label: subdomain.as_str().to_owned(), is_end_user: false }
    }
}

/// What came of a grant.
pub(crate) enum Finished {
    Connected(Connected),
    /// The customer has another workspace, this one.
    OtherWorkspace(String),
}

/// A connection was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Connected {
    pub(crate) connection: ConnectionId,
    pub(crate) created_at: i64,
    pub(crate) reconnected: bool,
    /// Whether a sync was started.
    pub(crate) syncing: bool,
}

/// What a customer with another workspace is told.
pub(crate) fn other_workspace(connected: &str, wanted: &str) -> String {
    format!(
        "this customer is connected to the Zendesk workspace {connected}, and a customer has one workspace: \
         disconnect {connected} with /revoke_access_token before connecting {wanted}"
    )
}

/// Asks Zendesk whom the token acts as.
pub(crate) async fn check_account(
    api: &Api,
    subdomain: &Subdomain,
    token: &SecretString,
) -> Result<Checked, ApiError> {
    let account = api.accounts().with_token(subdomain, token.clone())?;
    let asked = tokio::time::timeout(ACCOUNT_PATIENCE, ask(&account.client, subdomain)).await;
    Ok(asked.unwrap_or(Checked::Unsure))
}

async fn ask(client: &Client, subdomain: &Subdomain) -> Checked {
    match client.me().await {
        Ok(me) if !me.value.anonymous => {
            let me = me.value;
            let is_end_user = me.role == END_USER;
            let label = [me.email, me.name].into_iter().find(|text| !text.trim().is_empty());
            let label = label.unwrap_or_else(|| subdomain.as_str().to_owned());
            let label = label.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect();
            return Checked::Good(Known { label, is_end_user });
        }
        Ok(_anonymous) => {}
        Err(failure) => match refused(&failure) {
            Some(refused) => return refused,
            None => tracing::debug!(error = chain(&failure), "zendesk does not say whom the token acts as"),
        },
    }
    // A token of scope hc:read may not read users, but may always read itself.
    match client.token_info().await {
        Ok(_token) => Checked::Good(Known::unnamed(subdomain)),
        // A workspace that exists knows this address.
        Err(Failure::NotFound(_)) => Checked::Refused(format!("there is no Zendesk workspace {subdomain}")),
        Err(failure) => refused(&failure).unwrap_or(Checked::Unsure),
    }
}

fn refused(failure: &Failure) -> Option<Checked> {
    match failure {
        Failure::Unauthorized(_) | Failure::Token(_) => {
            Some(Checked::Refused("Zendesk refuses the access token".to_owned()))
        }
        _ => None,
    }
}

/// What a person should know of the help center before its articles do not arrive, by the smallest thing that every
/// user of one may ask for. Source:
/// <https://developer.zendesk.com/api-reference/help_center/help-center-api/help_center_locales/>.
pub(crate) async fn look_at_help_center(
    api: &Api,
    subdomain: &Subdomain,
    token: &SecretString,
) -> Option<Remark> {
    let account = api.accounts().with_token(subdomain, token.clone()).ok()?;
    let asked = tokio::time::timeout(HELP_CENTER_PATIENCE, account.client.locales()).await.ok()?;
    match asked {
        Err(Failure::NotFound(_) | Failure::Forbidden(_)) => Some(Remark::NoHelpCenter),
        Err(Failure::Suspended { .. }) => Some(Remark::Suspended),
        // The sync says itself what else goes wrong.
        Ok(_) | Err(_) => None,
    }
}

/// Makes the connection and asks for its first sync. A customer with another workspace is refused, and the new token
/// is revoked.
pub(crate) async fn finish(api: &Api, grant: &GrantCompleted) -> Result<Finished, ApiError> {
    let (connection, reconnected) = match api.store().admin().complete_grant(grant).await? {
        GrantOutcome::Connected { connection, reconnected } => (connection, reconnected),
        GrantOutcome::OtherWorkspace { subdomain } => {
            let known = live_connection(api, grant.organization, grant.customer).await?;
            let customer = known.map(|known| known.customer_external_id).unwrap_or_default();
            revoke(api, &customer, &grant.subdomain, grant.tokens.access.clone());
            return Ok(Finished::OtherWorkspace(subdomain));
        }
    };
    let made = api.store().admin().connection(grant.organization, connection).await?;
    let (customer, workspace) = (&made.customer_external_id, &made.subdomain);
    tracing::info!(%connection, customer, workspace, reconnected, "workspace connected");
    if scopes_allow(grant.scopes.as_deref().unwrap_or_default()) {
        let mut secret = [0u8; ENDPOINT_BYTES];
        api.entropy().fill(&mut secret);
        api.store().admin().want_subscription(grant.organization, connection, &hex::encode(secret)).await?;
    }
    let syncing = grant.sync_options["sync_files_on_connection"] != json!(false);
    if syncing || grant.sync_options["sync_source_items"] != json!(false) {
        let request_id = grant.sync_options["request_id"].as_str();
        start(api, grant.organization, connection, Trigger::Connect, request_id).await?;
    }
    Ok(Finished::Connected(Connected { connection, created_at: made.created_at, reconnected, syncing }))
}

/// Asks for a sync of a connection.
pub(crate) async fn start(
    api: &Api,
    organization: OrganizationId,
    connection: ConnectionId,
    trigger: Trigger,
    request_id: Option<&str>,
) -> Result<(RunRequested, String), ApiError> {
    let request_id = request_id.map_or_else(|| api.fresh_id(), str::to_owned);
    let request = RunRequest {
        connection,
        kind: None,
        trigger,
        lane: Lane::OnDemand,
        request_id: request_id.clone(),
        upload_id: api.fresh_id(),
        params: RunParams::default(),
    };
    let requested = api.store().admin().request_run(organization, &request).await?;
    api.wake();
    Ok((requested, request_id))
}

/// Ends a connection here, and tells Zendesk in the background.
pub(crate) async fn end(api: &Api, connection: &helpsync_store::Connection) -> Result<(), ApiError> {
    let webhook = api.store().admin().drop_subscription(connection.organization, connection.id).await?;
    if let Some(token) = api.store().admin().disconnect(connection.organization, connection.id).await? {
        farewell(api, &connection.customer_external_id, &connection.subdomain, token, webhook);
    }
    Ok(())
}

/// Tells Zendesk, in the background and once, that a token is no longer needed. Ours is forgotten whatever it answers.
pub(crate) fn revoke(api: &Api, customer: &str, subdomain: &str, token: SecretString) {
    farewell(api, customer, subdomain, token, None);
}

/// The webhook goes first: it takes the token to take it away.
fn farewell(api: &Api, customer: &str, subdomain: &str, token: SecretString, webhook: Option<String>) {
    let customer = customer.to_owned();
    let Ok(subdomain) = Subdomain::parse(subdomain) else { return };
    let Ok(account) = api.accounts().with_token(&subdomain, token) else { return };
    tokio::spawn(async move {
        if let Some(webhook) = webhook {
            match tokio::time::timeout(ACCOUNT_PATIENCE, unsubscribe(&account.client, &webhook)).await {
                Ok(Ok(())) => tracing::info!(customer, workspace = %subdomain, "webhook deleted"),
                Ok(Err(failure)) => {
                    tracing::warn!(customer, workspace = %subdomain, error = chain(&failure), "webhook not deleted");
                }
                Err(_elapsed) => {
                    tracing::warn!(customer, workspace = %subdomain, "webhook not deleted: no answer in time");
                }
            }
        }
        match tokio::time::timeout(ACCOUNT_PATIENCE, account.client.revoke_token()).await {
            Ok(Ok(_revoked)) => tracing::info!(customer, workspace = %subdomain, "access token revoked"),
            Ok(Err(failure)) => {
                tracing::warn!(customer, workspace = %subdomain, error = chain(&failure), "access token not revoked at Zendesk");
            }
            Err(_elapsed) => {
                tracing::warn!(customer, workspace = %subdomain, "access token not revoked at Zendesk: no answer in time");
            }
        }
    });
}
