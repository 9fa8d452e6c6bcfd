//! Zendesk's event webhooks. Source:
//! <https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use sha2::Sha256;
use url::Url;

use crate::Failure;
use crate::client::{Answer, Call, Client};
use crate::envelope::{Envelope, Next, text};

/// Pages of webhooks that are looked through: an account has some hundred webhooks at most.
const PAGES_MAX: u32 = 10;

/// A webhook's id, a ULID: letters and digits only, so that it fits into a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebhookId(String);

/// A webhook to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    /// Shown to administrators.
    pub name: String,
    /// Where events are posted to.
    pub endpoint: Url,
    /// Event types, such as `zen:event-type:article.published`.
    pub subscriptions: Vec<String>,
}

impl WebhookId {
    /// Reads an id; `None` when it holds anything but letters and digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        fits.then(|| Self(text.to_owned()))
    }

    /// The id itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Client {
    /// Makes an active webhook. Needs the scope `webhooks:write` and an administrator.
    ///
    /// Not idempotent: a lost answer leaves a webhook behind.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Answer<WebhookId>, Failure> {
        let body = json!({"webhook": {
            "name": new.name,
            "endpoint": new.endpoint,
            "http_method": "POST",
            "request_format": "json",
            "status": "active",
            "subscriptions": new.subscriptions,
        }});
        let url = self.endpoint().url("/api/v2/webhooks", &[]);
        self.call(Call { method: Method::POST, url, json: Some(body), renew: true }).await?.try_map(|body| {
            let text = text(&body);
            let webhook = Envelope::read(&text)?.object("webhook")?;
            WebhookId::parse(&webhook.text("id")).ok_or_else(|| Failure::malformed("the webhook has no id"))
        })
    }

    /// The webhook that posts to `endpoint`, if there is one. Needs the scope `webhooks:read`.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn find_webhook(&self, endpoint: &Url) -> Result<Answer<Option<WebhookId>>, Failure> {
        let mut all = Answer { value: None, bytes: 0, date: None };
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut query = vec![("page[size]", "100")];
            query.extend(after.as_deref().map(|after| ("page[after]", after)));
            let answer = self.get("/api/v2/webhooks", &query).await?;
            all.bytes += answer.bytes;
            let text = text(&answer.value);
            let envelope = Envelope::read(&text)?;
            let (found, _unreadable) = envelope.records("webhooks", |webhook| {
                Ok((webhook.text("endpoint"), WebhookId::parse(&webhook.text("id"))))
            })?;
            let ours = found.into_iter().find(|(posts_to, _)| posts_to == endpoint.as_str());
            if let Some((_, Some(id))) = ours {
                all.value = Some(id);
                return Ok(all);
            }
            match envelope.next_cursor(self.endpoint(), after.as_deref())? {
                Next::Cursor(next) => after = Some(next),
                Next::End | Next::Offset(_) | Next::Unproven => break,
            }
        }
        Ok(all)
    }

    /// The secret that a webhook's deliveries are signed with.
    ///
    /// # Errors
    /// [`Failure`]. After a creation whose secret cannot be had, delete the webhook again.
    pub async fn webhook_secret(&self, id: &WebhookId) -> Result<Answer<SecretString>, Failure> {
        let path = format!("/api/v2/webhooks/{}/signing_secret", id.as_str());
        self.get(&path, &[]).await?.try_map(|body| {
            let text = text(&body);
            let secret = Envelope::read(&text)?.object("signing_secret")?.some_text("secret");
            secret.map(SecretString::from).ok_or_else(|| Failure::malformed("the webhook has no secret"))
        })
    }

    /// Deletes a webhook. One that is not there counts as deleted.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn delete_webhook(&self, id: &WebhookId) -> Result<Answer<()>, Failure> {
        let url = self.endpoint().url(&format!("/api/v2/webhooks/{}", id.as_str()), &[]);
        match self.call(Call { method: Method::DELETE, url, json: None, renew: true }).await {
            Ok(answer) => Ok(answer.map(|_body| ())),
            Err(Failure::NotFound(_)) => Ok(Answer { value: (), bytes: 0, date: None }),
            Err(failure) => Err(failure),
        }
    }
}

/// Whether a delivery was signed with `secret`: base64(HMAC-SHA256(secret, timestamp + raw body)), compared in constant
/// time. Source:
/// <https://developer.zendesk.com/documentation/webhooks/verifying/>.
#[must_use]
pub fn is_signed(secret: &SecretString, timestamp: &str, body: &[u8], signature: &str) -> bool {
    // HMAC takes keys of every length, so this is never an error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else { return false };
    mac.update(timestamp.as_bytes());
    mac.update(body);
    STANDARD.decode(signature).is_ok_and(|given| mac.verify_slice(&given).is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_signed;

    /// Made with: printf '%s' '2026-05-06T08:35:33Z{"id":"1"}' | openssl dgst -sha256 -hmac s3cret -binary | base64
    const SIGNATURE: &str = "rKEUObpvZsOyautcCSB3CQwEPpw3T002005GA15h/sM=";

    #[test]
    fn a_signature_covers_timestamp_and_body_to_the_last_byte() {
        let secret = "s3cret".to_owned().into();
        let (time, body) = ("2026-05-06T08:35:33Z", br#"{"id":"1"}"#.as_slice());
        assert!(is_signed(&secret, time, body, SIGNATURE));
        assert!(!is_signed(&secret, "2026-05-06T08:35:34Z", body, SIGNATURE));
        assert!(!is_signed(&secret, time, br#"{"id":"2"}"#, SIGNATURE));
        assert!(!is_signed(&"other".to_owned().into(), time, body, SIGNATURE));
        assert!(!is_signed(&secret, time, body, ""));
        assert!(!is_signed(&secret, time, body, "not base64!"));
    }
}
