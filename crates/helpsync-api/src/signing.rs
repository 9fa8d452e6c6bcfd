//! What we hand out and recognise again without keeping it: access tokens, presigned URLs, links to pages, cookies.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use helpsync_store::{SIGNED_FOR_MAX, Vault};
use hmac::{Hmac, Mac};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

/// Clocks of two of our processes differ by less.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(3_600);

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
    /// The cookie that keeps what was refused of a form.
    Refusal,
    /// The page that shows how a sync goes.
    ProgressUrl,
    /// The page on which a customer's administrator changes what is synced.
    ManageUrl,
    /// What a button of that page did.
    Done,
}

impl Purpose {
    /// What its key is derived by: another text would void all that is signed.
    const fn name(self) -> &'static str {
        match self {
            Self::AccessToken => "access token",
            Self::SyncUrl => "sync url",
            Self::PresignedUrl => "presigned url",
            Self::GrantCookie => "grant cookie",
            Self::Form => "form",
            Self::Refusal => "refusal",
            Self::ProgressUrl => "progress url",
            Self::ManageUrl => "manage url",
            Self::Done => "done",
        }
    }
}

/// Signs with keys derived from the vault's, and believes what any key of the ring has signed.
pub(crate) struct Signer(Vault);

#[derive(serde::Deserialize, Serialize)]
struct Claim<T> {
    /// When it ends, in ms.
    e: i64,
    #[serde(flatten)]
    claim: T,
}

/// HMAC takes keys of every length, so this is never `None`.
fn mac(key: &[u8; 32], text: &str) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac)
}

impl Signer {
    pub(crate) fn new(vault: &Vault) -> Self {
        Self(vault.clone())
    }

    /// `claim` as text that [`Signer::read`] believes until `ends_at` (ms): the key's id, the claim, the signature over
    /// both. A key from before there were ids leaves its own out.
    pub(crate) fn sign<T: Serialize>(&self, purpose: Purpose, claim: T, ends_at: i64) -> String {
        let json = serde_json::to_vec(&Claim { e: ends_at, claim }).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.encode(json);
        let (id, key) = self.0.signing_key(purpose.name());
        let signed = id.map_or_else(|| payload.clone(), |id| format!("{id}.{payload}"));
        let tag = mac(&key, &signed).map(|mac| mac.finalize().into_bytes()).unwrap_or_default();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// The claim, if we signed it for this purpose and it has not ended.
    pub(crate) fn read<T: DeserializeOwned>(&self, purpose: Purpose, text: &str, now: i64) -> Option<T> {
        self.read_or_ended(purpose, text, now).filter(|(_, has_ended)| !has_ended).map(|(claim, _)| claim)
    }

    /// The claim, if we signed it for this purpose, and whether it has ended.
    pub(crate) fn read_or_ended<T: DeserializeOwned>(
        &self,
        purpose: Purpose,
        text: &str,
        now: i64,
    ) -> Option<(T, bool)> {
        if text.len() > SIGNED_BYTES_MAX {
            return None;
        }
        let (signed, tag) = text.rsplit_once('.')?;
        // Neither ids nor payloads hold a dot.
        let (id, payload) = match signed.split_once('.') {
            Some((id, payload)) => (Some(id), payload),
            None => (None, signed),
        };
        let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
        // `verify_slice` compares in constant time.
        let is_of = |key: &[u8; 32]| mac(key, signed).is_some_and(|mac| mac.verify_slice(&tag).is_ok());
        self.0.verifying_keys(purpose.name(), id).iter().find(|key| is_of(key))?;
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claim: Claim<T> = serde_json::from_slice(&json).ok()?;
        // Nothing of ours is good for longer, whoever has our key.
        let end = now.saturating_add(i64::try_from((SIGNED_FOR_MAX + CLOCKS_APART_MAX).as_millis()).ok()?);
        (claim.e <= end).then_some((claim.claim, claim.e <= now))
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
        let ended = signer.read_or_ended::<Value>(Purpose::AccessToken, &text, 100);
        assert_eq!(ended, Some((json!({"o": 1}), true)));
        let life = i64::try_from(SIGNED_FOR_MAX.as_millis()).unwrap();
        let long = |more: i64| signer.sign(Purpose::AccessToken, json!({"o": 1}), life + more);
        assert!(read(Purpose::AccessToken, &long(0), 0).is_some());
        assert_eq!(read(Purpose::AccessToken, &long(4_000_000), 0), None, "we sign nothing for so long");
        assert_eq!(read(Purpose::SyncUrl, &text, 99), None, "made for something else");
        assert_eq!(self::signer(2).read::<Value>(Purpose::AccessToken, &text, 99), None, "another key");
    }

    #[test]
    fn what_another_key_of_the_ring_signed_is_believed_and_what_one_outside_of_it_did_is_not() {
        let entropy = SeededEntropy::new(1);
        let old = KeyRing::generate("k1", &entropy);
        let before = Signer::new(&Vault::new(&old, Arc::new(SeededEntropy::new(2))));
        let text = before.sign(Purpose::SyncUrl, json!({"o": 1}), 100);
        let both = old.with_new_key("k2", &entropy).unwrap().sealing_with("k2").unwrap();
        let after = Signer::new(&Vault::new(&both, Arc::new(SeededEntropy::new(2))));
        assert_eq!(after.read::<Value>(Purpose::SyncUrl, &text, 1), Some(json!({"o": 1})));
        // Whose it says it is, is signed too.
        for named in ["k1", "k2"] {
            assert_eq!(after.read::<Value>(Purpose::SyncUrl, &format!("{named}.{text}"), 1), None);
        }
        let new = KeyRing::generate("k3", &entropy);
        let apart = Signer::new(&Vault::new(&new, Arc::new(SeededEntropy::new(2))));
        assert_eq!(apart.read::<Value>(Purpose::SyncUrl, &text, 1), None);
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
