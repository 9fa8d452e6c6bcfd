//! What we hand out and recognise again without keeping it: access tokens, presigned URLs, links to pages, cookies.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use helpsync_store::Vault;
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Longer texts were never signed by us.
pub(crate) const SIGNED_BYTES_MAX: usize = 6_144;

/// What a signature is good for; one made for one purpose is worth nothing for another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    AccessToken,
    SyncUrl,
    PresignedUrl,
    /// The cookie of the browser that began a grant.
    GrantCookie,
    /// A form of one page in one browser.
    Form,
    /// The page that shows how a sync goes.
    ProgressUrl,
    /// The page on which a customer's administrator changes what is synced.
    ManageUrl,
}

/// Signs with keys derived from the vault's.
pub(crate) struct Signer {
    access: [u8; 32],
    sync: [u8; 32],
    presigned: [u8; 32],
    grant: [u8; 32],
    form: [u8; 32],
    progress: [u8; 32],
    manage: [u8; 32],
}

#[derive(serde::Deserialize, Serialize)]
struct Claim<T> {
    /// When it ends, in ms.
    e: i64,
    #[serde(flatten)]
    claim: T,
}

impl Signer {
    pub(crate) fn new(vault: &Vault) -> Self {
        Self {
            access: vault.derive("access token"),
            sync: vault.derive("sync url"),
            presigned: vault.derive("presigned url"),
            grant: vault.derive("grant cookie"),
            form: vault.derive("form"),
            progress: vault.derive("progress url"),
            manage: vault.derive("manage url"),
        }
    }

    fn mac(&self, purpose: Purpose, text: &str) -> Option<Hmac<Sha256>> {
        let key = match purpose {
            Purpose::AccessToken => &self.access,
            Purpose::SyncUrl => &self.sync,
            Purpose::PresignedUrl => &self.presigned,
            Purpose::GrantCookie => &self.grant,
            Purpose::Form => &self.form,
            Purpose::ProgressUrl => &self.progress,
            Purpose::ManageUrl => &self.manage,
        };
        // HMAC takes keys of every length, so this is never `None`.
        let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
        mac.update(text.as_bytes());
        Some(mac)
    }

    /// `claim` as text that [`Signer::read`] believes until `ends_at` (ms).
    pub(crate) fn sign<T: Serialize>(&self, purpose: Purpose, claim: T, ends_at: i64) -> String {
        let json = serde_json::to_vec(&Claim { e: ends_at, claim }).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.encode(json);
        let tag = self.mac(purpose, &payload).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!("{payload}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The claim, if we signed it for this purpose and it has not ended.
    pub(crate) fn read<T: DeserializeOwned>(&self, purpose: Purpose, text: &str, now: i64) -> Option<T> {
        if text.len() > SIGNED_BYTES_MAX {
            return None;
        }
        let (payload, tag) = text.split_once('.')?;
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        // `verify_slice` compares in constant time.
        self.mac(purpose, payload)?.verify_slice(&tag).ok()?;
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claim: Claim<T> = serde_json::from_slice(&json).ok()?;
        (claim.e > now).then_some(claim.claim)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use helpsync_model::{KeyRing, SeededEntropy};
    use serde_json::{Value, json};

    use super::*;

    fn signer(seed: u64) -> Signer {
        let entropy = SeededEntropy::new(seed);
        Signer::new(&Vault::new(&KeyRing::generate("k1", &entropy), Arc::new(entropy)))
    }

    #[test]
    fn a_signature_is_good_for_its_own_purpose_until_it_ends() {
        let signer = signer(1);
        let text = signer.sign(Purpose::AccessToken, json!({"o": 1}), 100);
        let read = |purpose, text: &str, now| signer.read::<Value>(purpose, text, now);
        assert_eq!(read(Purpose::AccessToken, &text, 99), Some(json!({"o": 1})));
        assert_eq!(read(Purpose::AccessToken, &text, 100), None, "ended");
        assert_eq!(read(Purpose::SyncUrl, &text, 99), None, "made for something else");
        assert_eq!(self::signer(2).read::<Value>(Purpose::AccessToken, &text, 99), None, "another key");
    }

    #[test]
    fn nothing_that_was_changed_is_believed() {
        let signer = signer(1);
        let text = signer.sign(Purpose::AccessToken, json!({"o": 1}), 100);
        for position in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[position] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            // The last letter of unpadded base64 holds spare bits, which the decoder refuses.
            assert_eq!(signer.read::<Value>(Purpose::AccessToken, &changed, 1), None, "at {position}");
            assert_eq!(signer.read::<Value>(Purpose::AccessToken, &text[..position], 1), None);
        }
    }
}
