//! Credentials: an API key (with a customer's id), or a customer's access token.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use helpsync_model::OrganizationId;
use helpsync_store::Customer;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Api;
use crate::error::{ApiError, Wrong};
use crate::signing::Purpose;

/// The longest `customer_id`.
pub(crate) const CUSTOMER_ID_CHARS_MAX: usize = 255;
/// Python clients with two credentials send two `authorization` headers; more are not looked at.
const CREDENTIALS_MAX: usize = 4;

/// A customer, spoken for by itself or by its organization.
pub(crate) struct Caller(pub(crate) Customer);

/// An organization, by its API key alone.
pub(crate) struct Operator(pub(crate) OrganizationId);

/// An organization by its API key, or a customer.
pub(crate) enum Reader {
    Operator(OrganizationId),
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
}

enum Credential {
    Key(OrganizationId),
    Token(TokenClaim),
}

/// The first credential that verifies.
async fn credential(parts: &Parts, api: &Api) -> Result<Credential, ApiError> {
    let mut seen = false;
    for value in parts.headers.get_all(AUTHORIZATION).iter().take(CREDENTIALS_MAX) {
        let Ok(text) = value.to_str() else { continue };
        let Some((scheme, secret)) = text.trim().split_once(' ') else { continue };
        let secret = secret.trim();
        seen = true;
        if scheme.eq_ignore_ascii_case("bearer") {
            if let Some(organization) =
                api.store().admin().organization_of_key(&secret.to_owned().into()).await?
            {
                return Ok(Credential::Key(organization));
            }
        } else if scheme.eq_ignore_ascii_case("token")
            && let Some(claim) = api.signer().read(Purpose::AccessToken, secret, api.now_ms())
        {
            return Ok(Credential::Token(claim));
        }
    }
    Err(ApiError::unauthorized(if seen {
        "the API key is unknown, or the access token has ended"
    } else {
        "send `authorization: Bearer <API key>` with `customer-id`, or `authorization: Token <access token>`"
    }))
}

/// The `customer-id` header. Clients send other letters than ASCII as UTF-8 or as Latin-1.
fn customer_id(parts: &Parts) -> Result<Option<String>, ApiError> {
    let Some(value) = parts.headers.get("customer-id") else { return Ok(None) };
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
    let loc = ["header", "customer-id"].map(Value::from).to_vec();
    ApiError::Invalid(vec![Wrong { loc, msg, kind }])
}

async fn customer_of(api: &Api, claim: &TokenClaim) -> Result<Customer, ApiError> {
    let found = api.store().admin().find_customer(OrganizationId(claim.o), &claim.c).await?;
    found
        .filter(|customer| customer.id.0 == claim.i)
        .ok_or_else(|| ApiError::unauthorized("the access token's customer was deleted"))
}

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match credential(parts, api).await? {
            Credential::Key(organization) => {
                let Some(id) = customer_id(parts)? else {
                    return Err(header_wrong("an API key needs a customer-id header".to_owned(), "missing"));
                };
                Ok(Self(api.store().admin().customer(organization, &id).await?))
            }
            Credential::Token(claim) => Ok(Self(customer_of(api, &claim).await?)),
        }
    }
}

impl FromRequestParts<Api> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match credential(parts, api).await? {
            Credential::Key(organization) => Ok(Self(organization)),
            Credential::Token(_) => {
                Err(ApiError::forbidden("this endpoint takes an API key, not a customer's access token"))
            }
        }
    }
}

impl FromRequestParts<Api> for Reader {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        match credential(parts, api).await? {
            Credential::Key(organization) => match customer_id(parts)? {
                None => Ok(Self::Operator(organization)),
                Some(id) => {
                    Ok(Self::Caller(Box::new(api.store().admin().customer(organization, &id).await?)))
                }
            },
            Credential::Token(claim) => Ok(Self::Caller(Box::new(customer_of(api, &claim).await?))),
        }
    }
}

/// `GET /auth/v1/access_token` takes nothing but an API key with a customer.
pub(crate) struct KeyedCaller(pub(crate) Customer);

impl FromRequestParts<Api> for KeyedCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Operator(_) = Operator::from_request_parts(parts, api).await?;
        Ok(Self(Caller::from_request_parts(parts, api).await?.0))
    }
}
