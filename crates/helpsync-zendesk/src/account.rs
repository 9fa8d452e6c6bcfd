//! Who we are to the account. Source:
//! <https://developer.zendesk.com/api-reference/ticketing/oauth/oauth_tokens/>.

use helpsync_model::Timestamp;
use reqwest::Method;

use crate::Failure;
use crate::client::{Answer, Call, Client};
use crate::envelope::{Envelope, text};

const CURRENT_TOKEN: &str = "/api/v2/oauth/tokens/current";

/// What Zendesk says about the token in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its id.
    pub id: Option<i64>,
    /// The OAuth client's numeric id.
    pub client_id: Option<i64>,
    /// Whom it acts as.
    pub user_id: Option<i64>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// When it ends; `None` when it does not, or when Zendesk does not say.
    pub expires_at: Option<Timestamp>,
    /// When its refresh token ends.
    pub refresh_token_expires_at: Option<Timestamp>,
}

/// Whom the token acts as. A 200 proves no login: see `anonymous`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Absent for the anonymous user.
    pub id: Option<i64>,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub name: String,
    /// `admin`, `agent` or `end-user`.
    pub role: String,
    /// Zendesk did not accept the token but answered all the same.
    pub anonymous: bool,
}

impl Client {
    /// What Zendesk says about the token in use.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn token_info(&self) -> Result<Answer<TokenInfo>, Failure> {
        self.get(CURRENT_TOKEN, &[]).await?.try_map(|body| {
            let text = text(&body);
            let token = Envelope::read(&text)?.object("token")?;
            Ok(TokenInfo {
                id: token.id("id"),
                client_id: token.id("client_id"),
                user_id: token.id("user_id"),
                scopes: token.texts("scopes"),
                expires_at: token.time("expires_at"),
                refresh_token_expires_at: token.time("refresh_token_expires_at"),
            })
        })
    }

    /// Revokes the token in use. One that is already dead counts as revoked; it is never renewed for this.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn revoke_token(&self) -> Result<Answer<()>, Failure> {
        let url = self.endpoint().url(CURRENT_TOKEN, &[]);
        match self.call(Call { method: Method::DELETE, url, json: None, renew: false }).await {
            Ok(answer) => Ok(answer.map(|_body| ())),
            Err(Failure::Unauthorized(_) | Failure::NotFound(_)) => {
                Ok(Answer { value: (), bytes: 0, date: None })
            }
            Err(failure) => Err(failure),
        }
    }

    /// Whom the token acts as.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn me(&self) -> Result<Answer<Me>, Failure> {
        self.get("/api/v2/users/me", &[]).await?.try_map(|body| {
            let text = text(&body);
            let user = Envelope::read(&text)?.object("user")?;
            let id = user.id("id");
            Ok(Me {
                id,
                email: user.text("email"),
                name: user.text("name"),
                role: user.text("role"),
                anonymous: id.is_none(),
            })
        })
    }
}
