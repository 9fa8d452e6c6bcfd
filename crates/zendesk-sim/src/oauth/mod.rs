//! OAuth 2.0 as Zendesk does it: clients, codes, tokens with or without expiry, rotation.

mod authorize;
mod exchange;

use std::collections::HashMap;

pub(crate) use authorize::{authorize, decide};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
pub(crate) use exchange::exchange;
use serde::{Deserialize, Serialize};

use crate::clock::Epoch;
use crate::random::Random;

/// What codes and tokens that say nothing begin with, so that whoever tests can look for them where none may be.
pub const PLANTED_IN_TOKENS: &str = "zdsimsecret";
/// Life of an access token when the request names none: 30 minutes.
pub(crate) const ACCESS_SECONDS: i64 = 1_800;
/// Life of a refresh token when the request names none: 30 days.
pub(crate) const REFRESH_SECONDS: i64 = 2_592_000;
/// Life of an authorization code.
pub(crate) const CODE_SECONDS: i64 = 120;

/// Whether a client's tokens end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLifetime {
    /// New clients: 30 minutes, with a rotating single-use refresh token.
    Expiring,
    /// Old clients: for ever, without a refresh token, whatever the request asks.
    Never,
    /// Old clients that honour `expires_in` when the request carries it.
    OnRequest,
}

/// An OAuth client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OauthClient {
    /// The identifier (never the numeric id).
    pub client_id: String,
    /// The secret; `None` = a public client, which must use PKCE.
    pub client_secret: Option<String>,
    /// Registered redirect addresses, matched exactly. Empty: any address on a loopback host.
    pub redirect_uris: Vec<String>,
    /// How long its tokens live.
    pub lifetime: TokenLifetime,
}

/// A pair as the token endpoint gives it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedTokens {
    /// Bearer token.
    pub access_token: String,
    /// Refresh token, if the client's tokens expire.
    pub refresh_token: Option<String>,
}

/// A code waiting to be exchanged.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) user_id: i64,
    pub(crate) expires_at: Epoch,
}

/// A live token pair.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) id: i64,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) client_id: String,
    pub(crate) user_id: i64,
    pub(crate) scopes: Vec<String>,
    pub(crate) created_at: Epoch,
    pub(crate) used_at: Option<Epoch>,
    pub(crate) expires_at: Option<Epoch>,
    pub(crate) refresh_expires_at: Option<Epoch>,
}

impl Token {
    /// `read` covers every `{resource}:read`, `write` every `{resource}:write`.
    pub(crate) fn allows(&self, resource: &str, verb: &str) -> bool {
        let exact = format!("{resource}:{verb}");
        self.scopes.iter().any(|scope| scope == verb || *scope == exact)
    }
}

/// Why a token request fails: status, `error`, `error_description`.
pub(crate) type Refusal = (u16, &'static str, &'static str);

/// Clients, codes and tokens of one account.
#[derive(Debug)]
pub(crate) struct Oauth {
    pub(crate) clients: Vec<OauthClient>,
    codes: HashMap<String, Code>,
    tokens: Vec<Token>,
    /// Spent refresh tokens and the pair that took their place, for the grace period.
    spent: HashMap<String, (Epoch, i64)>,
    random: Random,
    next_id: i64,
}

/// What a token request may ask about lifetimes, already checked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lifetimes {
    pub(crate) access: Option<i64>,
    pub(crate) refresh: Option<i64>,
}

impl Oauth {
    pub(crate) fn new(seed: u64, subdomain: &str) -> Self {
        let random = Random::named(seed, &format!("oauth/{subdomain}"));
        Self {
            clients: Vec::new(),
            codes: HashMap::new(),
            tokens: Vec::new(),
            spent: HashMap::new(),
            random,
            next_id: 1,
        }
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<&OauthClient> {
        self.clients.iter().find(|client| client.client_id == client_id)
    }

    pub(crate) fn add_code(&mut self, code: Code) -> String {
        let text = self.opaque();
        self.codes.insert(text.clone(), code);
        text
    }

    /// Takes the code: a second use finds nothing.
    pub(crate) fn take_code(&mut self, code: &str, now: Epoch) -> Option<Code> {
        self.codes.remove(code).filter(|code| code.expires_at >= now)
    }

    /// Makes a new pair for the user.
    pub(crate) fn issue(
        &mut self,
        client: &OauthClient,
        user_id: i64,
        scopes: Vec<String>,
        asked: Lifetimes,
        now: Epoch,
    ) -> &Token {
        let expires = match client.lifetime {
            TokenLifetime::Expiring => true,
            TokenLifetime::OnRequest => asked.access.is_some(),
            TokenLifetime::Never => false,
        };
        let access = if expires { self.jwt(&client.client_id, user_id, now) } else { self.opaque() };
        let refresh = if expires { Some(self.opaque()) } else { None };
        let id = self.next_id;
        self.next_id += 1;
        self.tokens.push(Token {
            id,
            access,
            refresh,
            client_id: client.client_id.clone(),
            user_id,
            scopes,
            created_at: now,
            used_at: None,
            expires_at: expires.then(|| now + asked.access.unwrap_or(ACCESS_SECONDS)),
            refresh_expires_at: expires.then(|| now + asked.refresh.unwrap_or(REFRESH_SECONDS)),
        });
        &self.tokens[self.tokens.len() - 1]
    }

    /// Spends the refresh token: the old pair dies, a new one takes its place. Within the grace period a spent
    /// token gives the same successor again.
    pub(crate) fn rotate(
        &mut self,
        client: &OauthClient,
        refresh: &str,
        asked: Lifetimes,
        grace: i64,
        now: Epoch,
    ) -> Result<&Token, Refusal> {
        const DEAD: Refusal = (
            400,
            "invalid_grant",
            "The provided authorization grant is invalid, expired, revoked, or was issued to another client.",
        );
        if let Some(&(spent_at, successor)) = self.spent.get(refresh) {
            let within = grace > 0 && now <= spent_at + grace;
            let known = self.tokens.iter().find(|token| token.id == successor);
            return known.filter(|token| within && token.client_id == client.client_id).ok_or(DEAD);
        }
        let position = self.tokens.iter().position(|token| token.refresh.as_deref() == Some(refresh));
        let position = position.filter(|&at| self.tokens[at].client_id == client.client_id).ok_or(DEAD)?;
        if self.tokens[position].refresh_expires_at.is_some_and(|end| end < now) {
            return Err(DEAD);
        }
        let old = self.tokens.remove(position);
        let id = self.issue(client, old.user_id, old.scopes, asked, now).id;
        self.spent.insert(refresh.to_owned(), (now, id));
        self.tokens.last().ok_or(DEAD)
    }

    /// The live token behind a bearer string. Notes its use.
    pub(crate) fn bearer(&mut self, access: &str, now: Epoch) -> Option<&Token> {
        let token = self.tokens.iter_mut().find(|token| token.access == access)?;
        if token.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        token.used_at = Some(now);
        Some(token)
    }

    pub(crate) fn revoke(&mut self, access: &str) {
        self.tokens.retain(|token| token.access != access);
    }

    pub(crate) fn revoke_all(&mut self) {
        self.tokens.clear();
        self.codes.clear();
        self.spent.clear();
    }

    /// Ends the life of every access token now, leaving the refresh tokens good.
    pub(crate) fn expire_access_tokens(&mut self, now: Epoch) {
        for token in self.tokens.iter_mut().filter(|token| token.refresh.is_some()) {
            token.expires_at = Some(now);
        }
    }

    /// Several hundred bytes in the shape of an `at+jwt`, as newer clients get. Nobody may rely on its content.
    /// Tells nothing but that it is a secret of this simulator.
    fn opaque(&mut self) -> String {
        format!("{PLANTED_IN_TOKENS}{}", self.random.hex(32))
    }

    fn jwt(&mut self, client_id: &str, user_id: i64, now: Epoch) -> String {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","typ":"at+jwt"}"#);
        let claims = format!(
            r#"{{"iss":"zendesk-sim","client_id":"{client_id}","sub":"{user_id}","iat":{now},"jti":"{}"}}"#,
            self.random.hex(16)
        );
        let signature = URL_SAFE_NO_PAD.encode(self.random.bytes(256));
        format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims))
    }
}

/// Splits a space-separated scope string.
pub(crate) fn scopes(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(ToOwned::to_owned).collect()
}
