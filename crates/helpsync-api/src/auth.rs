//! Credentials: an API key (with a customer's id), or a customer's access token.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use helpsync_model::{CustomerId, KeyScope, OrganizationId, chain};
use helpsync_store::{ApiKey, Customer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Api;
use crate::audit::{self, Operation};
use crate::error::{ApiError, Wrong};
use crate::rate::too_many;
use crate::signing::Purpose;

const CUSTOMER_ID: &str = "customer-id";
/// The longest `customer_id`.
pub(crate) const CUSTOMER_ID_CHARS_MAX: usize = 255;
/// Python clients with two credentials send two `authorization` headers; more are not looked at.
pub(crate) const CREDENTIALS_MAX: usize = 4;

/// A customer, spoken for by itself or by its organization.
pub(crate) struct Caller(pub(crate) Customer);

/// An organization, by its API key alone.
pub(crate) struct ByKey(pub(crate) OrganizationId);

/// An API key alone, where it matters which.
pub(crate) struct Keyed(pub(crate) ApiKey);

/// An organization by its API key, or a customer.
pub(crate) enum Reader {
    ByKey(OrganizationId),
    Caller(Box<Customer>),
}

/// What an access token says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TokenClaim {
    /// The organization.
    pub(crate) o: i64,
    /// The customer, as the organization calls it.
    pub(crate) c: String,
    /// The customer, as we do: a token does not outlive its customer.
    pub(crate) i: i64,
    /// The API key that it was made with: a token does not outlive that either.
    pub(crate) k: i64,
    /// The user segments of the reader that it was made for; absent: it was made for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) v: Option<Vec<i64>>,
}

/// A key that this process vouches for, in a request that it makes of itself (see `inside`). Nobody outside can send one.
#[derive(Clone)]
pub(crate) struct Vouched(pub(crate) ApiKey);

/// Which key a request was made with, and what its organization wants of those who read: left with the request for
/// whoever asks later.
#[derive(Debug, Clone)]
pub(crate) struct Spoken {
    pub(crate) key: i64,
    pub(crate) viewer_required: bool,
    /// It was an access token: whoever holds it speaks for itself.
    pub(crate) is_customer: bool,
    /// The reader that the token was made for.
    pub(crate) made_for: Option<Vec<i64>>,
}

enum Credential {
    Key(ApiKey),
    Token(TokenClaim),
}

/// The first credential that verifies, if it may do what the endpoint asks for.
async fn credential(parts: &mut Parts, api: &Api) -> Result<Credential, ApiError> {
    let (credential, key) = verified(parts, api).await?;
    let (is_customer, made_for) = match &credential {
        Credential::Key(key) => {
            let operation = parts.extensions.get::<Arc<Operation>>();
            let acts_for_customer = operation.is_some_and(|operation| operation.acts_for_customer);
            let customer = customer_id(parts).ok().flatten().filter(|_| acts_for_customer);
            audit::by_key(key, customer.as_deref());
            (false, None)
        }
        Credential::Token(claim) => {
            audit::by_customer(&key, &claim.c);
            (true, claim.v.clone())
        }
    };
    let viewer_required = key.viewer_required;
    parts.extensions.insert(Spoken { key: key.id, viewer_required, is_customer, made_for });
    Ok(credential)
}

/// The credential, and the key that it is or was made with.
async fn verified(parts: &Parts, api: &Api) -> Result<(Credential, ApiKey), ApiError> {
    let mut seen = false;
    // Which of them would hold is nothing to guess at.
    if parts.headers.get_all(CUSTOMER_ID).iter().nth(1).is_some() {
        return Err(ApiError::bad("send one customer-id header, not several"));
    }
    if let Some(Vouched(key)) = parts.extensions.get::<Vouched>() {
        check_scope(parts, api, key, "the API key")?;
        return Ok((Credential::Key(key.clone()), key.clone()));
    }
    for value in parts.headers.get_all(AUTHORIZATION).iter().take(CREDENTIALS_MAX) {
        let Ok(text) = value.to_str() else { continue };
        let Some((scheme, secret)) = text.trim().split_once(' ') else { continue };
        let secret = secret.trim();
        seen = true;
        if scheme.eq_ignore_ascii_case("bearer") {
            if let Some(key) = api.store().admin().find_api_key(&secret.to_owned().into()).await? {
                check_key(parts, api, &key, "the API key").await?;
                return Ok((Credential::Key(key.clone()), key));
            }
        } else if scheme.eq_ignore_ascii_case("token")
            && let Some(claim) = api.signer().read::<TokenClaim>(Purpose::AccessToken, secret, api.now_ms())
        {
            let key = api.store().admin().api_key(OrganizationId(claim.o), claim.k).await?;
            let key = key.ok_or_else(|| {
                ApiError::unauthorized("the API key that the access token was made with was revoked")
            })?;
            if let Err(wait_ms) = api.rates().customer(CustomerId(claim.i), api.now_ms()) {
                return Err(too_many(wait_ms));
            }
            check_key(parts, api, &key, "the API key that the access token was made with").await?;
            return Ok((Credential::Token(claim), key));
        }
    }
    Err(ApiError::unauthorized(if seen {
        "the API key is unknown, or the access token has ended"
    } else {
        "send `authorization: Bearer <API key>` with `customer-id`, or `authorization: Token <access token>`"
    }))
}

/// Refuses a key that has ended, or that may not do what the endpoint asks for, and notes the use of one that may.
async fn check_key(parts: &Parts, api: &Api, key: &ApiKey, what: &str) -> Result<(), ApiError> {
    // The secrets are counted before anybody looks them up; a key has as many tokens as it likes.
    if let Err(wait_ms) = api.rates().key(key.id, api.now_ms()) {
        return Err(too_many(wait_ms));
    }
    check_scope(parts, api, key, what)?;
    if let Err(error) = api.store().admin().note_key_use(key).await {
        tracing::warn!(error = chain(&error), "the use of an API key was not noted");
    }
    Ok(())
}

fn check_scope(parts: &Parts, api: &Api, key: &ApiKey, what: &str) -> Result<(), ApiError> {
    if key.has_ended(api.now_ms()) {
        return Err(ApiError::unauthorized(format!("{what} has expired: make another")));
    }
    // An endpoint that says nothing is the operator's.
    let needed = parts.extensions.get::<KeyScope>().copied().unwrap_or(KeyScope::Operator);
    if !key.scope.covers(needed) {
        return Err(ApiError::forbidden(format!(
            "{what} has the scope {}, and this takes {needed}: use a key of that scope",
            key.scope
        )));
    }
    Ok(())
}

/// The `customer-id` header. Clients send other letters than ASCII as UTF-8 or as Latin-1.
fn customer_id(parts: &Parts) -> Result<Option<String>, ApiError> {
    let Some(value) = parts.headers.get(CUSTOMER_ID) else { return Ok(None) };
    let bytes = value.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_latin) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Ok(None);
    }
    check_customer_id(&text).map(|()| Some(text)).map_err(|msg| header_wrong(msg, "value_error"))
}

/// What any `customer_id` must be.
pub(crate) fn check_customer_id(text: &str) -> Result<(), String> {
    if text.is_empty() || text.chars().count() > CUSTOMER_ID_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(format!(
            "a customer id has 1 to {CUSTOMER_ID_CHARS_MAX} characters, and none of them is a control character"
        ));
    }
    Ok(())
}

fn header_wrong(msg: String, kind: &'static str) -> ApiError {
    let loc = ["header", CUSTOMER_ID].map(Value::from).to_vec();
    ApiError::Invalid(vec![Wrong { loc, msg, kind }])
}

fn only_keys() -> ApiError {
    ApiError::forbidden("this endpoint takes an API key, not a customer's access token")
}

async fn customer_of(api: &Api, claim: &TokenClaim) -> Result<Customer, ApiError> {
    let organization = OrganizationId(claim.o);
    let found = api.store().admin().find_customer(organization, &claim.c).await?;
    found
        .filter(|customer| customer.id.0 == claim.i)
        .ok_or_else(|| ApiError::unauthorized("the access token's customer was deleted"))
}

/// The customer of this name. As with Carbon the first call for a name makes it; a key that only reads makes none.
async fn named_customer(api: &Api, key: &ApiKey, name: &str) -> Result<Customer, ApiError> {
    let admin = api.store().admin();
    if key.scope.covers(KeyScope::Sync) {
        return Ok(admin.customer(key.organization, name).await?);
    }
    let found = admin.find_customer(key.organization, name).await?;
    found.ok_or_else(|| ApiError::missing("customer"))
}

/// Whom a key speaks for: it has to say.
async fn customer_of_key(parts: &Parts, api: &Api, key: &ApiKey) -> Result<Customer, ApiError> {
    let Some(id) = customer_id(parts)? else {
        return Err(header_wrong("an API key needs a customer-id header".to_owned(), "missing"));
    };
    named_customer(api, key, &id).await
}

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Speaker { customer, .. } = Speaker::from_request_parts(parts, api).await?;
        Ok(Self(customer))
    }
}

impl FromRequestParts<Api> for Keyed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match credential(parts, api).await? {
            Credential::Key(key) => Ok(Self(key)),
            Credential::Token(_) => Err(only_keys()),
        }
    }
}

impl FromRequestParts<Api> for ByKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Keyed(key) = Keyed::from_request_parts(parts, api).await?;
        Ok(Self(key.organization))
    }
}

impl FromRequestParts<Api> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match credential(parts, api).await? {
            Credential::Key(key) => match customer_id(parts)? {
                None => Ok(Self::ByKey(key.organization)),
                Some(id) => Ok(Self::Caller(Box::new(named_customer(api, &key, &id).await?))),
            },
            Credential::Token(claim) => Ok(Self::Caller(Box::new(customer_of(api, &claim).await?))),
        }
    }
}

/// An API key with a customer, and nothing else.
pub(crate) struct KeyedCaller {
    pub(crate) customer: Customer,
    /// The key's id.
    pub(crate) key: i64,
}

impl FromRequestParts<Api> for KeyedCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Keyed(key) = Keyed::from_request_parts(parts, api).await?;
        Ok(Self { customer: customer_of_key(parts, api, &key).await?, key: key.id })
    }
}

/// Refuses what is done with a link, or goes on, whose API key was revoked or has ended since.
pub(crate) async fn check_key_lives(
    api: &Api,
    organization: OrganizationId,
    key: Option<i64>,
) -> Result<(), ApiError> {
    let Some(key) = key else { return Ok(()) };
    match api.store().admin().api_key_is_live(organization, key).await? {
        true => Ok(()),
        false => {
            Err(ApiError::gone("the API key that this was asked for with has ended: ask again with another"))
        }
    }
}

/// A customer, and whether it speaks for itself: what its organization alone may ask for is refused to it then.
pub(crate) struct Speaker {
    pub(crate) customer: Customer,
    pub(crate) is_customer: bool,
    /// The id of the key, or of that which the token was made with.
    pub(crate) key: i64,
}

impl FromRequestParts<Api> for Speaker {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let (customer, is_customer, key) = match credential(parts, api).await? {
            Credential::Key(key) => (customer_of_key(parts, api, &key).await?, false, key.id),
            Credential::Token(claim) => (customer_of(api, &claim).await?, true, claim.k),
        };
        Ok(Self { customer, is_customer, key })
    }
}
