//! The page of a link that starts a sync.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use helpsync_model::{ConnectionId, OrganizationId, Trigger};
use helpsync_pages::{Forms, Page};
use helpsync_store::Connection;
use helpsync_store::audit::{self, Actor};
use maud::html;
use serde::Deserialize;
use serde_json::{Value, json};

use super::callback::{broken, not_ours, welcome};
use super::{look, texts};
use crate::Api;
use crate::auth::check_key_lives;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::routes::finish::{Connected, start};
use crate::signing::{Purpose, SIGNED_BYTES_MAX};
use crate::wire::grant::{OAuthURLRequest, SyncClaim};

/// How long a sync URL can be opened.
const SYNC_URL_LIFE: Duration = Duration::from_secs(30 * 60);

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
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
        .told_as("Start a sync by a link")
        .parameter("token", "string", "From the URL of /integrations/oauth_url")
        .gives_text("text/html"),
    ]
}

/// The URL of the page that starts a sync.
pub(crate) fn link(
    api: &Api,
    connection: &Connection,
    key: i64,
    request: &OAuthURLRequest,
) -> Result<String, ApiError> {
    let claim = SyncClaim {
        o: connection.organization.0,
        d: connection.id.0,
        c: connection.created_at,
        r: request.options.request_id.clone().unwrap_or_else(|| api.fresh_id()),
        p: request.options.to_value(),
        k: Some(key),
    };
    let token = api.signer().sign(Purpose::SyncUrl, claim, api.ends_in(SYNC_URL_LIFE));
    if token.len() > SIGNED_BYTES_MAX {
        return Err(ApiError::bad("tags and file_sync_config are too large for a URL together"));
    }
    Ok(api.public(&format!("/integrations/zendesk/sync?token={token}")))
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
    let organization = OrganizationId(claim.o);
    check_key_lives(api, organization, claim.k).await?;
    let found = api.store().admin().connection(organization, ConnectionId(claim.d)).await?;
    if found.created_at == claim.c { Ok(found) } else { Err(ApiError::missing("connection")) }
}

/// Links are opened by whoever looks ahead of people: mail scanners, previews, browsers. So the link only asks.
async fn ask_to_sync(State(api): State<Api>, query: Result<Query<SyncQuery>, ApiError>) -> Response {
    let Some(claim) = claim_of(&api, query) else { return not_ours().into() };
    match connection_of(&api, &claim).await {
        Ok(connection) => {
            let page = Page::good(&texts::is_connected(&connection.subdomain))
                .line(texts::CAN_BE_SYNCED)
                .part(html! { div.row { form method="post" { button.main type="submit" { (texts::SYNC_NOW) } } } })
                .forms(Forms::Here);
            look(&api, connection.organization).await.on(page).into()
        }
        Err(error) => broken(error).into(),
    }
}

async fn sync(State(api): State<Api>, query: Result<Query<SyncQuery>, ApiError>) -> Response {
    let Some(claim) = claim_of(&api, query) else { return not_ours().into() };
    match start_again(&api, &claim).await {
        Ok(connection) => {
            let connected = Connected {
                connection: connection.id,
                created_at: connection.created_at,
                reconnected: false,
                syncing: true,
            };
            look(&api, connection.organization).await.on(welcome(&connection.subdomain, connected)).into()
        }
        Err(error) => broken(error).into(),
    }
}

async fn start_again(api: &Api, claim: &SyncClaim) -> Result<Connection, ApiError> {
    let connection = connection_of(api, claim).await?;
    audit::acts(
        connection.organization,
        Actor { kind: "browser", id: String::new(), name: "whoever has the sync URL".to_owned() },
    );
    audit::about_customer(connection.customer);
    let options = merged(&connection.sync_options, &claim.p);
    api.store().admin().take_up_options(connection.organization, connection.id, &options).await?;
    start(api, connection.organization, connection.id, Trigger::Request, Some(&claim.r)).await?;
    Ok(connection)
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
