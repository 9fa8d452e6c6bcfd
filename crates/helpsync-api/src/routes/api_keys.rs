//! API keys and organizations: who may do what. Keys are an administrator's, organizations an operator's.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use helpsync_model::{KeyScope, OrganizationId};
use helpsync_store::audit;
use helpsync_store::{ApiKey, NewApiKey};
use secrecy::{ExposeSecret, SecretString};

use super::status::rows;
use crate::Api;
use crate::auth::{ByKey, Keyed};
use crate::body::{Body, Query};
use crate::endpoint::{Access, Endpoint, delete, get, post};
use crate::error::ApiError;
use crate::wire::api_key::{
    Key, Keys, MadeKey, MadeOrganization, NewKey, NewOrganization, OrganizationRow, Organizations,
};
use crate::wire::native::After;
use crate::wire::{GenericSuccessResponse, Int, SUCCESS, own_name};

/// Keys of one organization.
const KEYS_MAX: i64 = 1_000;
/// The longest life that a key can be given, in days.
const DAYS_MAX: i64 = 3_650;
const DAY_MS: i64 = 86_400_000;
/// What every key begins with, so that scanners for leaked secrets know one.
const KEY_START: &str = "helpsync_";
/// Letters behind that which are shown to tell keys apart.
const SHOWN_CHARS: usize = 6;
/// Random bytes of a key.
const KEY_BYTES: usize = 32;
/// The name of an organization's first key.
const FIRST_KEY: &str = "first";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let paged = |endpoint: Endpoint| {
        endpoint.parameter("after", "integer", "Only what stands behind this id").parameter(
            "limit",
            "integer",
            "At most so many; 100 unless told, 1,000 at most",
        )
    };
    vec![
        paged(get(
            "/helpsync/v1/api-keys",
            Access::Key,
            "The organization's API keys, without secrets",
            keys,
        ))
        .needs(KeyScope::Admin)
        .gives::<Keys>(),
        post("/helpsync/v1/api-keys", Access::Key, "Make an API key; the answer alone shows it", make_key)
            .takes::<NewKey>()
            .gives::<MadeKey>(),
        delete("/helpsync/v1/api-keys/{id}", Access::Key, "Revoke an API key, at once", revoke_key)
            .gives::<GenericSuccessResponse>(),
        paged(get("/helpsync/v1/organizations", Access::Key, "Every organization", organizations))
            .needs(KeyScope::Operator)
            .gives::<Organizations>(),
        post("/helpsync/v1/organizations", Access::Key, "Make an organization and its first API key", make)
            .needs(KeyScope::Operator)
            .takes::<NewOrganization>()
            .gives::<MadeOrganization>(),
        delete(
            "/helpsync/v1/organizations/{id}",
            Access::Key,
            "Remove an organization that has no customers",
            remove,
        )
        .needs(KeyScope::Operator)
        .gives::<GenericSuccessResponse>(),
    ]
}

async fn keys(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<After>,
) -> Result<Json<Keys>, ApiError> {
    let (after, limit) = page(&query);
    let keys = api.store().admin().api_keys(organization, after, limit).await?;
    let next_after = next_after(&keys, limit, |key| key.id);
    let now = api.now_ms();
    Ok(Json(Keys { keys: keys.into_iter().map(|key| Key::of(key, now)).collect(), next_after }))
}

async fn make_key(
    State(api): State<Api>,
    Keyed(caller): Keyed,
    Body(wanted): Body<NewKey>,
) -> Result<Json<MadeKey>, ApiError> {
    let organization = match &wanted.organization {
        None => caller.organization,
        Some(name) => organization_named(&api, &caller, name).await?,
    };
    let Ok(scope) = wanted.scope.parse::<KeyScope>() else {
        let all: Vec<&str> = KeyScope::ALL.iter().map(|scope| scope.as_str()).collect();
        return Err(ApiError::field("scope", format!("is one of {}", all.join(", "))));
    };
    if !caller.scope.covers(scope) {
        return Err(ApiError::forbidden(format!(
            "a key of the scope {} makes none of the scope {scope}",
            caller.scope
        )));
    }
    let expires_at = match wanted.expires_in_days {
        None => None,
        Some(Int(days)) if (1..=DAYS_MAX).contains(&days) => Some(api.now_ms().saturating_add(days * DAY_MS)),
        Some(_) => return Err(ApiError::field("expires_in_days", format!("is 1 to {DAYS_MAX}"))),
    };
    let expires_at = match (caller.expires_at, expires_at) {
        (Some(end), Some(wanted)) if wanted > end => {
            return Err(ApiError::forbidden("a key makes none that outlives it: name fewer days"));
        }
        (end, wanted) => wanted.or(end),
    };
    let name = own_name(&wanted.name, "name")?;
    let (key, secret) = create(&api, organization, name, scope, expires_at).await?;
    Ok(Json(MadeKey { key: Key::of(key, api.now_ms()), api_key: secret.expose_secret().to_owned() }))
}

/// Another organization than the caller's own, which takes an operator.
pub(super) async fn organization_named(
    api: &Api,
    caller: &ApiKey,
    name: &str,
) -> Result<OrganizationId, ApiError> {
    if caller.scope != KeyScope::Operator {
        return Err(ApiError::forbidden("other organizations take an operator's key"));
    }
    let found = api.store().admin().find_organization(name.trim()).await?;
    let found = found.ok_or_else(|| ApiError::missing("organization"))?;
    audit::affects(found);
    audit::detail("organization", name.trim().into());
    Ok(found)
}

async fn create(
    api: &Api,
    organization: OrganizationId,
    name: String,
    scope: KeyScope,
    expires_at: Option<i64>,
) -> Result<(ApiKey, SecretString), ApiError> {
    let admin = api.store().admin();
    if admin.count_api_keys(organization).await? >= KEYS_MAX {
        return Err(ApiError::conflict(format!(
            "an organization has at most {KEYS_MAX} keys: revoke one first"
        )));
    }
    let mut bytes = [0; KEY_BYTES];
    api.entropy().fill(&mut bytes);
    let secret = format!("{KEY_START}{}", URL_SAFE_NO_PAD.encode(bytes));
    let prefix = secret.chars().take(KEY_START.len() + SHOWN_CHARS).collect();
    let secret = SecretString::from(secret);
    let key = NewApiKey { name, scope, expires_at, prefix };
    let made = admin.create_api_key(organization, &key, &secret).await?;
    let made =
        made.ok_or_else(|| ApiError::conflict("the organization has a key of this name: choose another"))?;
    tracing::info!(%organization, key = made.id, name = key.name, %scope, "an API key was made");
    Ok((made, secret))
}

async fn revoke_key(
    State(api): State<Api>,
    Keyed(caller): Keyed,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let organization = caller.organization;
    let missing = || ApiError::missing("API key");
    let id = id.parse().or(Err(missing()))?;
    let admin = api.store().admin();
    let key = admin.api_key(organization, id).await?.ok_or_else(missing)?;
    if key.is_bootstrap {
        return Err(ApiError::conflict(
            "this is the bootstrap key: it ends when HELPSYNC_API__BOOTSTRAP_KEY names another, or when the file of the \
             embedded shape's key is removed and the server started again",
        ));
    }
    if !caller.scope.covers(key.scope) {
        return Err(ApiError::forbidden(format!(
            "a key of the scope {} revokes none of the scope {}",
            caller.scope, key.scope
        )));
    }
    audit::detail("name", key.name.as_str().into());
    audit::detail("scope", key.scope.as_str().into());
    if !admin.revoke_api_key(organization, id).await? {
        return Err(missing());
    }
    tracing::info!(%organization, key = id, name = key.name, "an API key was revoked");
    Ok(SUCCESS)
}

async fn organizations(
    State(api): State<Api>,
    Keyed(_): Keyed,
    Query(query): Query<After>,
) -> Result<Json<Organizations>, ApiError> {
    let (after, limit) = page(&query);
    let found = api.store().admin().organizations(after, limit).await?;
    let next_after = next_after(&found, limit, |organization| organization.id.0);
    let organizations = found.into_iter().map(OrganizationRow::from).collect();
    Ok(Json(Organizations { organizations, next_after }))
}

async fn make(
    State(api): State<Api>,
    Keyed(_): Keyed,
    Body(wanted): Body<NewOrganization>,
) -> Result<Json<MadeOrganization>, ApiError> {
    let name = own_name(&wanted.name, "name")?;
    let made = api.store().admin().create_organization(&name).await?;
    let id =
        made.ok_or_else(|| ApiError::conflict("there is an organization of this name: choose another"))?;
    tracing::info!(organization = %id, name, "an organization was made");
    let (_, secret) = create(&api, id, FIRST_KEY.to_owned(), KeyScope::Admin, None).await?;
    Ok(Json(MadeOrganization { id: id.0, name, api_key: secret.expose_secret().to_owned() }))
}

async fn remove(
    State(api): State<Api>,
    Keyed(caller): Keyed,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let id = id.parse().map(OrganizationId).or(Err(ApiError::missing("organization")))?;
    if id == caller.organization || id == api.options().operator {
        return Err(ApiError::conflict("the operator's own organization stays"));
    }
    if !api.store().admin().remove_organization(id).await? {
        return Err(ApiError::conflict(
            "this organization has customers: delete them with /delete_users and a key of its own first",
        ));
    }
    tracing::info!(organization = %id, "an organization was removed");
    Ok(SUCCESS)
}

fn page(query: &After) -> (i64, u32) {
    (query.after.map_or(0, |after| after.0), rows(query.limit))
}

fn next_after<T>(found: &[T], limit: u32, id: impl Fn(&T) -> i64) -> Option<i64> {
    found.last().filter(|_| found.len() >= limit as usize).map(id)
}
