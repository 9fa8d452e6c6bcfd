//! The organization's own OAuth clients with Zendesk; the one stored last asks for new grants.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use helpsync_model::{KeyScope, OrganizationId, is_unseen};
use helpsync_store::OauthClient;
use url::{Host, Url};

use crate::Api;
use crate::auth::ByKey;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::wire::branding::is_pattern;
use crate::wire::white_label::{
    DeleteWhiteLabelRequest, ListWhiteLabelRequest, WhiteLabel, WhiteLabelInput, WhiteLabels,
};
use crate::wire::{GenericSuccessResponse, LIST_MAX, OrderDir, Pagination, SUCCESS, bounded, ids, short};

/// Records of one `/white_label/create`.
const RECORDS_MAX: usize = 10;
const CLIENT_ID_CHARS_MAX: usize = 255;
const REDIRECT_CHARS_MAX: usize = 2_048;
const SECRET_CHARS_MAX: usize = 1_024;
/// The path is fixed; the host may be the organization's own.
const CALLBACK_PATH: &str = "/integrations/zendesk";

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/white_label/create", Access::Key, "Store the organization's OAuth client", create)
            .takes::<Vec<WhiteLabelInput>>()
            .gives::<WhiteLabels>(),
        post("/white_label/update", Access::Key, "Store the organization's OAuth client anew", update)
            .takes::<WhiteLabelInput>()
            .gives::<WhiteLabels>(),
        post("/white_label/list", Access::Key, "The organization's OAuth clients, without secrets", list)
            .needs(KeyScope::Read)
            .takes::<ListWhiteLabelRequest>()
            .gives::<WhiteLabels>(),
        post("/white_label/delete", Access::Key, "Forget OAuth clients", delete)
            .takes::<DeleteWhiteLabelRequest>()
            .gives::<GenericSuccessResponse>(),
    ]
}

async fn create(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(inputs): Body<Vec<WhiteLabelInput>>,
) -> Result<Json<WhiteLabels>, ApiError> {
    if inputs.is_empty() || inputs.len() > RECORDS_MAX {
        return Err(ApiError::bad(format!("send a list of 1 to {RECORDS_MAX} records")));
    }
    let clients = inputs.into_iter().map(client_of).collect::<Result<Vec<_>, _>>()?;
    let ids: BTreeSet<&str> = clients.iter().map(|client| client.client_id.as_str()).collect();
    if ids.len() < clients.len() {
        return Err(ApiError::bad("a client_id is in the list twice"));
    }
    api.store().admin().put_oauth_clients(organization, &clients).await?;
    let shown: Vec<String> = clients.into_iter().map(|client| client.client_id).collect();
    named(&api, organization, &shown).await
}

async fn update(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<WhiteLabelInput>,
) -> Result<Json<WhiteLabels>, ApiError> {
    let client = client_of(input)?;
    let named_so = [client.client_id.clone()];
    if !api.store().admin().update_oauth_client(organization, client).await? {
        return Err(ApiError::missing("white label record"));
    }
    named(&api, organization, &named_so).await
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<ListWhiteLabelRequest>,
) -> Result<Json<WhiteLabels>, ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let filters = input.filters.unwrap_or_default();
    let wanted = ids(filters.ids, "filters.ids")?.filter(|ids| !ids.is_empty());
    let types = bounded(filters.data_source_type, "filters.data_source_type", LIST_MAX)?.unwrap_or_default();
    let served = types.is_empty() || types.iter().any(|kind| kind == "ZENDESK");
    let mut found = api.store().admin().oauth_clients(organization).await?;
    found.retain(|client| {
        served && client.id > paging.starting_id && wanted.as_ref().is_none_or(|ids| ids.contains(&client.id))
    });
    if input.order_dir == Some(OrderDir::Desc) {
        found.reverse();
    }
    let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
    let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
    let page = found.into_iter().skip(size(paging.offset)).take(size(paging.limit));
    Ok(Json(WhiteLabels { results: page.map(WhiteLabel::from).collect(), count }))
}

async fn delete(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<DeleteWhiteLabelRequest>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let ids = ids(Some(input.ids), "ids")?.unwrap_or_default();
    let deleted = api.store().admin().delete_oauth_clients(organization, &ids).await?;
    tracing::info!(%organization, deleted, "OAuth clients forgotten");
    Ok(SUCCESS)
}

fn client_of(input: WhiteLabelInput) -> Result<OauthClient, ApiError> {
    if input.data_source_type != "ZENDESK" {
        return Err(ApiError::bad("this data_source_type is not served: the only one is ZENDESK"));
    }
    let given = input.credentials;
    let client_id = given.client_id.trim().to_owned();
    let is_odd = client_id.chars().count() > CLIENT_ID_CHARS_MAX || client_id.chars().any(is_unseen);
    if client_id.is_empty() || is_odd {
        return Err(ApiError::bad(
            "credentials.client_id is the OAuth client's unique identifier, as Zendesk shows it: without characters that \
             people cannot see",
        ));
    }
    let fits = Url::parse(&given.redirect_uri).is_ok_and(|url| {
        // Kept as it is written: what a parser would change in it, browsers change too.
        url.as_str() == given.redirect_uri
            && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)))
            && url.path().ends_with(CALLBACK_PATH)
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && !is_pattern(&url)
    });
    short(Some(&given.redirect_uri), "credentials.redirect_uri", REDIRECT_CHARS_MAX)?;
    short(given.client_secret.as_deref(), "credentials.client_secret", SECRET_CHARS_MAX)?;
    if !fits {
        return Err(ApiError::bad(format!(
            "credentials.redirect_uri must be the registered URL, https://<your host>{CALLBACK_PATH}, as browsers write it: the \
             host in lower case, no default port, no spaces"
        )));
    }
    Ok(OauthClient {
        client_id,
        client_secret: given.client_secret.filter(|secret| !secret.is_empty()).map(Into::into),
        redirect_uri: given.redirect_uri,
    })
}

/// Codes come back to the redirect URL: in the clear to nobody but this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

async fn named(
    api: &Api,
    organization: OrganizationId,
    names: &[String],
) -> Result<Json<WhiteLabels>, ApiError> {
    let mut found = api.store().admin().oauth_clients(organization).await?;
    found.retain(|client| names.contains(&client.client_id));
    let count = i64::try_from(found.len()).unwrap_or(i64::MAX);
    Ok(Json(WhiteLabels { results: found.into_iter().map(WhiteLabel::from).collect(), count }))
}
