//! OAuth 2.0 with Zendesk: authorization code with PKCE, and rotating refresh tokens. Source:
//! <https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/>.
//!
//! These calls do not pass the [`RateLimiter`](crate::RateLimiter). They are not counted in the help center's budget; a refresh that
//! waited for an empty budget would let the token die; and there is no account budget yet when a code is exchanged.
//! Whoever calls [`refresh`] makes sure that one process does so at a time, and stores the answer before using it.

use std::time::Duration;

use helpsync_model::Entropy;
use oauth2::basic::{BasicErrorResponse, BasicTokenType};
use std::pin::Pin;

use oauth2::{
    AccessToken, AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, Scope, StandardRevocableToken, TokenResponse, TokenUrl,
};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use url::Url;

use crate::http::{Http, Request};
use crate::{Endpoint, Failure};

/// The lifetime that access tokens are asked for: Zendesk's own default. It must be asked for, or the answer does not
/// say when the token ends. Allowed: above 300, below 172,800 and below the refresh token's.
pub const ACCESS_TOKEN_SECONDS: u32 = 1_800;
/// The lifetime that refresh tokens are asked for: Zendesk's own default, 30 days. Allowed: above 604,800, below
/// 7,776,000.
pub const REFRESH_TOKEN_SECONDS: u32 = 2_592_000;
/// Lifetimes beyond this are taken for it: a hostile number must not overflow a clock.
const LIFETIME_SECONDS_MAX: u64 = 10 * 366 * 24 * 3600;

/// An OAuth client as registered with Zendesk.
#[derive(Debug, Clone)]
pub struct OAuthApp {
    /// The unique identifier (a text, never the numeric id).
    pub client_id: String,
    /// The secret.
    pub client_secret: SecretString,
}

/// What a successful exchange or refresh yields.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// Up to several hundred bytes; opaque.
    pub access: SecretString,
    /// Absent for old clients; absent in a refresh's answer means that the stored one stays.
    pub refresh: Option<SecretString>,
    /// How long the access token lives. Absent does not mean expired: ask `token_info`, or assume none.
    pub expires_in: Option<Duration>,
    /// How long the refresh token lives.
    pub refresh_expires_in: Option<Duration>,
    /// Space-separated.
    pub scope: Option<String>,
}

/// Why there are no tokens.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OAuthFailure {
    /// The code or refresh token is spent, expired or revoked: a person must authorize again.
    #[error("the grant is not valid any more{0}")]
    InvalidGrant(crate::Detail),
    /// The client's identifier or secret is wrong.
    #[error("zendesk does not know the oauth client{0}")]
    InvalidClient(crate::Detail),
    /// Refused for a reason that says nothing about the grant: an address, a scope, a parameter.
    #[error("zendesk refuses the token request with {status}{detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        detail: crate::Detail,
    },
    /// No answer, 429 or 5xx. Whether the refresh token was spent is unknown: try the same one again.
    #[error("zendesk's token endpoint is not available")]
    Unavailable {
        /// `Retry-After`, clamped.
        after: Option<Duration>,
    },
    /// A 2xx that holds no token, or a redirect.
    #[error("zendesk's token answer is malformed")]
    Malformed,
}

/// A PKCE secret (RFC 7636). Kept between the authorization URL and the exchange; only its hash is shown.
#[derive(Debug, Clone)]
pub struct PkceVerifier(SecretString);

impl PkceVerifier {
    /// A new one: 256 random bits as 64 hexadecimal characters.
    #[must_use]
    pub fn generate(entropy: &dyn Entropy) -> Self {
        let mut bytes = [0u8; 32];
        entropy.fill(&mut bytes);
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The one that was stored.
    #[must_use]
    pub fn from_secret(secret: SecretString) -> Self {
        Self(secret)
    }

    /// To be stored, sealed.
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The S256 challenge, as the authorization URL shows it.
    #[must_use]
    pub fn challenge(&self) -> String {
        self.code_challenge().as_str().to_owned()
    }

    fn code_challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.code_verifier())
    }

    fn code_verifier(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.0.expose_secret().to_owned())
    }
}

/// The page where a customer's administrator grants access.
///
/// `redirect_uri` must be one of the client's registered URLs, character by character; `scopes` such as `hc:read`;
/// `state` is echoed to the redirect address.
///
/// # Panics
/// Never: an [`Endpoint`]'s URLs and a [`Url`] are URLs.
#[must_use]
pub fn authorize_url(
    endpoint: &Endpoint,
    client_id: &str,
    redirect_uri: &Url,
    scopes: &[&str],
    state: &str,
    verifier: &PkceVerifier,
) -> Url {
    let state = state.to_owned();
    let client = OAuthClient::new(ClientId::new(client_id.to_owned()))
        .set_auth_uri(AuthUrl::from_url(endpoint.url("/oauth/authorizations/new", &[])))
        .set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
    let (url, _state) = client
        .authorize_url(move || CsrfToken::new(state))
        .add_scopes(scopes.iter().map(|scope| Scope::new((*scope).to_owned())))
        .set_pkce_challenge(verifier.code_challenge())
        .url();
    url
}

/// Exchanges the code of a finished authorization. A code lives for two minutes and works once.
///
/// # Errors
/// [`OAuthFailure`].
pub async fn exchange_code(
    http: &Http,
    endpoint: &Endpoint,
    app: &OAuthApp,
    code: &SecretString,
    redirect_uri: &Url,
    verifier: Option<&PkceVerifier>,
) -> Result<Tokens, OAuthFailure> {
    let client = token_client(endpoint, app).set_redirect_uri(RedirectUrl::from_url(redirect_uri.clone()));
    let mut request = client
        .exchange_code(AuthorizationCode::new(code.expose_secret().to_owned()))
        .add_extra_param("expires_in", ACCESS_TOKEN_SECONDS.to_string())
        .add_extra_param("refresh_token_expires_in", REFRESH_TOKEN_SECONDS.to_string());
    if let Some(verifier) = verifier {
        request = request.set_pkce_verifier(verifier.code_verifier());
    }
    let answer = request.request_async(&TokenHttp { http, endpoint }).await;
    answer.map(TokenAnswer::into_tokens).map_err(plain)
}

/// Spends a refresh token. On success it and the old access token are dead at once.
///
/// # Errors
/// [`OAuthFailure`].
pub async fn refresh(
    http: &Http,
    endpoint: &Endpoint,
    app: &OAuthApp,
    refresh_token: &SecretString,
) -> Result<Tokens, OAuthFailure> {
    let client = token_client(endpoint, app);
    let token = RefreshToken::new(refresh_token.expose_secret().to_owned());
    let request = client
        .exchange_refresh_token(&token)
        .add_extra_param("expires_in", ACCESS_TOKEN_SECONDS.to_string())
        .add_extra_param("refresh_token_expires_in", REFRESH_TOKEN_SECONDS.to_string());
    let answer = request.request_async(&TokenHttp { http, endpoint }).await;
    answer.map(TokenAnswer::into_tokens).map_err(plain)
}

/// oauth2's client with our own, lenient token answer.
type OAuthClient<HasAuth = EndpointNotSet, HasToken = EndpointNotSet> = oauth2::Client<
    BasicErrorResponse,
    TokenAnswer,
    oauth2::StandardTokenIntrospectionResponse<oauth2::EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicErrorResponse,
    HasAuth,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    HasToken,
>;

fn token_client(endpoint: &Endpoint, app: &OAuthApp) -> OAuthClient<EndpointNotSet, EndpointSet> {
    OAuthClient::new(ClientId::new(app.client_id.clone()))
        .set_client_secret(ClientSecret::new(app.client_secret.expose_secret().to_owned()))
        // Zendesk documents the secret in the body, not as Basic credentials.
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(TokenUrl::from_url(endpoint.url("/oauth/tokens", &[])))
}

/// Sends what oauth2 built. Any 2xx becomes the 200 that oauth2 insists on; anything else is judged here, because
/// Zendesk's error bodies are not always OAuth's.
/// The transport of the oauth2 crate. A named type, because a closure's future is not `Send` for every lifetime.
struct TokenHttp<'a> {
    http: &'a Http,
    endpoint: &'a Endpoint,
}

impl<'call> AsyncHttpClient<'call> for TokenHttp<'_> {
    type Error = OAuthFailure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OAuthFailure>> + Send + 'call>>;

    fn call(&'call self, request: HttpRequest) -> Self::Future {
        Box::pin(post(self.http, self.endpoint, request))
    }
}

async fn post(http: &Http, endpoint: &Endpoint, request: HttpRequest) -> Result<HttpResponse, OAuthFailure> {
    let url = Url::parse(&request.uri().to_string()).map_err(|_not_a_url| OAuthFailure::Malformed)?;
    if !endpoint.owns(&url) {
        return Err(OAuthFailure::Malformed);
    }
    let body = Some(("application/x-www-form-urlencoded", request.into_body()));
    let exchange = http
        .send(Request { method: Method::POST, url: &url, template: "/oauth/tokens", token: None, body })
        .await;
    let after = exchange.report.retry_after;
    let reply = match exchange.outcome {
        Ok(reply) => reply,
        Err(Failure::Unavailable { after, .. }) => return Err(OAuthFailure::Unavailable { after }),
        Err(_other) => return Err(OAuthFailure::Malformed),
    };
    if reply.status.is_success() {
        return Ok(HttpResponse::new(reply.body));
    }
    let code = serde_json::from_slice::<Value>(&reply.body)
        .ok()
        .and_then(|value| value.get("error")?.as_str().map(str::to_owned))
        .unwrap_or_default();
    let (detail, status) = match Failure::of_answer(reply.status, &reply.headers, after, &reply.body, "") {
        Failure::RateLimited { after, .. } | Failure::Unavailable { after, .. } => {
            return Err(OAuthFailure::Unavailable { after });
        }
        Failure::Unauthorized(detail) | Failure::Forbidden(detail) | Failure::NotFound(detail) => {
            (detail, reply.status.as_u16())
        }
        Failure::Rejected { status, detail } | Failure::Suspended { status, detail } => (detail, status),
        _ => return Err(OAuthFailure::Malformed),
    };
    Err(match code.as_str() {
        "invalid_grant" | "invalid_token" => OAuthFailure::InvalidGrant(detail),
        "invalid_client" | "unauthorized_client" => OAuthFailure::InvalidClient(detail),
        _ => OAuthFailure::Refused { status, detail },
    })
}

/// Drops what oauth2 wraps around our own failure; its parse errors hold the body, which holds tokens.
fn plain(error: RequestTokenError<OAuthFailure, BasicErrorResponse>) -> OAuthFailure {
    match error {
        RequestTokenError::Request(failure) => failure,
        _ => OAuthFailure::Malformed,
    }
}

/// Zendesk's token answer. Lenient, because refusing one that holds a token would lose the connection: the old tokens
/// are already dead.
#[derive(Debug, Deserialize, Serialize)]
struct TokenAnswer {
    access_token: AccessToken,
    #[serde(default = "bearer", skip)]
    token_type: BasicTokenType,
    #[serde(default)]
    refresh_token: Option<RefreshToken>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    refresh_token_expires_in: Value,
    #[serde(default)]
    scope: Value,
}

fn bearer() -> BasicTokenType {
    BasicTokenType::Bearer
}

fn lifetime(value: &Value) -> Option<Duration> {
    let seconds = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    Some(Duration::from_secs(seconds.min(LIFETIME_SECONDS_MAX)))
}

impl TokenAnswer {
    fn into_tokens(self) -> Tokens {
        let scope = match &self.scope {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
            _ => None,
        };
        Tokens {
            access: self.access_token.into_secret().into(),
            refresh: self
                .refresh_token
                .map(RefreshToken::into_secret)
                .filter(|t| !t.is_empty())
                .map(Into::into),
            expires_in: lifetime(&self.expires_in),
            refresh_expires_in: lifetime(&self.refresh_token_expires_in),
            scope: scope.filter(|text| !text.is_empty()),
        }
    }
}

impl TokenResponse for TokenAnswer {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &self.token_type
    }

    fn expires_in(&self) -> Option<Duration> {
        lifetime(&self.expires_in)
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        self.refresh_token.as_ref()
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}
