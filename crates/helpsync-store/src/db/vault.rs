//! Sealing tokens and secrets at rest.

use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use helpsync_model::{Entropy, KeyRing};
use helpsync_telemetry::metrics as telemetry;
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The value was sealed with a key that the ring no longer holds.
    #[error("sealed with key {0:?}, which is not in secrets.keys")]
    UnknownKey(String),
    /// The value was changed, cut or sealed for another place.
    #[error("the sealed value was altered")]
    Altered,
    /// Encryption refused, which only an absurd length can bring about.
    #[error("the value cannot be sealed")]
    Seal,
}

/// A ring of keys: the first seals, all open. Cheap to clone.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<[(String, XChaCha20Poly1305, [u8; KEY_BYTES])]>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, ..)| id)).finish()
    }
}

impl Vault {
    /// A vault of these keys; `entropy` gives the nonces.
    #[must_use]
    pub fn new(ring: &KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        let keys = ring.iter().map(|key| {
            (key.id().to_owned(), XChaCha20Poly1305::new(Key::from_slice(key.expose())), *key.expose())
        });
        Self { keys: keys.collect(), entropy }
    }

    /// Seals `plain` for one `place` (for example `connection/7/access`); it opens only there.
    ///
    /// # Errors
    /// [`VaultError::Seal`].
    pub fn seal(&self, place: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        let (id, cipher, _) = &self.keys[0];
        let mut nonce = [0u8; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let payload = Payload { msg: plain.expose_secret().as_bytes(), aad: place.as_bytes() };
        // The cause holds nothing: an AEAD tells no reasons.
        let Ok(ciphertext) = cipher.encrypt(XNonce::from_slice(&nonce), payload) else {
            return Err(VaultError::Seal);
        };
        let id_length = u8::try_from(id.len()).unwrap_or(u8::MAX);
        Ok([&[id_length], id.as_bytes(), &nonce, &ciphertext].concat())
    }

    /// Opens what [`Vault::seal`] sealed for the same `place`.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] or [`VaultError::Altered`].
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let (&id_length, rest) = sealed.split_first().ok_or(VaultError::Altered)?;
        let (id, rest) = rest.split_at_checked(id_length.into()).ok_or(VaultError::Altered)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(VaultError::Altered)?;
        let (_, cipher, _) =
            self.keys.iter().find(|(known, ..)| known.as_bytes() == id).ok_or_else(|| {
                telemetry::key_missing();
                VaultError::UnknownKey(String::from_utf8_lossy(id).into_owned())
            })?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = cipher.decrypt(XNonce::from_slice(nonce), payload).ok().ok_or(VaultError::Altered)?;
        Ok(String::from_utf8(plain).ok().ok_or(VaultError::Altered)?.into())
    }

    /// A key of 32 bytes for one purpose (signing URLs, access tokens), derived from the key that seals: HKDF with
    /// SHA-256, no salt, the purpose as `info`. Source: RFC 5869. Keys of different purposes tell nothing of each other
    /// or of the sealing key. Another sealing key gives other keys, so what they signed is void after a change.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; KEY_BYTES];
        let expanded = Hkdf::<Sha256>::new(None, &self.keys[0].2).expand(purpose.as_bytes(), &mut key);
        debug_assert!(expanded.is_ok(), "HKDF refuses only outputs above 255 hashes");
        key
    }
}

#[cfg(test)]
mod tests {
    use helpsync_model::SeededEntropy;

    use super::*;

    fn vault(ring: &str) -> Vault {
        Vault::new(&KeyRing::parse(ring).unwrap(), Arc::new(SeededEntropy::new(1)))
    }

    fn ring(seed: u64) -> String {
        let ring = KeyRing::generate(&format!("k{seed}"), &SeededEntropy::new(seed));
        ring.to_secret().expose_secret().to_owned()
    }

    #[test]
    fn a_rotated_ring_opens_old_seals_and_seals_with_the_first_key() {
        let sealed = vault(&ring(1)).seal("here", &"token".to_owned().into()).unwrap();
        let rotated = vault(&format!("{},{}", ring(2), ring(1)));
        assert_eq!(rotated.open("here", &sealed).unwrap().expose_secret(), "token");
        let resealed = rotated.seal("here", &"token".to_owned().into()).unwrap();
        assert!(
            matches!(vault(&ring(1)).open("here", &resealed), Err(VaultError::UnknownKey(id)) if id == "k2")
        );
    }

    #[test]
    fn derived_keys_are_hkdf_of_the_sealing_key_and_differ_by_purpose() {
        let first = KeyRing::parse("a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let vault = Vault::new(&first, Arc::new(SeededEntropy::new(1)));
        // Computed apart from this code: HMAC(HMAC(32 zeros, key), "sync url" || 0x01), the keys first.
        assert_eq!(
            hex::encode(vault.derive("sync url")),
            "3d5e15fcf37ff1fd02f2ab247b5cfbb46282d878327231e331f35bbcf3449774"
        );
        assert_ne!(vault.derive("sync url"), vault.derive("access token"));
    }

    #[test]
    fn a_seal_opens_only_whole_and_only_in_its_place() {
        let vault = vault(&ring(1));
        let sealed = vault.seal("here", &"token".to_owned().into()).unwrap();
        assert!(matches!(vault.open("there", &sealed), Err(VaultError::Altered)));
        for cut in 0..sealed.len() {
            assert!(vault.open("here", &sealed[..cut]).is_err(), "cut at {cut}");
        }
    }
}
