//! Sealing tokens and secrets at rest.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use helpsync_model::Entropy;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use thiserror::Error;

const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
/// Key ids are short names; one byte on disk says how long.
const KEY_ID_BYTES_MAX: usize = 32;

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Error)]
pub enum VaultError {
    /// The key ring's text is not `id:base64key[,id:base64key]`.
    #[error("secrets.keys entry {0} must be id:key, the key 32 bytes in base64 (openssl rand -base64 32)")]
    KeyRing(usize),
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
    /// Reads a key ring of the form `id:base64key[,id:base64key]`.
    ///
    /// # Errors
    /// [`VaultError::KeyRing`] names the entry by position, never its text.
    pub fn new(ring: &SecretString, entropy: Arc<dyn Entropy>) -> Result<Self, VaultError> {
        let keys = ring
            .expose_secret()
            .split(',')
            .enumerate()
            .map(|(position, entry)| {
                let refused = || VaultError::KeyRing(position + 1);
                let (id, text) = entry.trim().split_once(':').ok_or_else(refused)?;
                let bytes: [u8; KEY_BYTES] = STANDARD
                    .decode(text)
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .filter(|_| (1..=KEY_ID_BYTES_MAX).contains(&id.len()))
                    .ok_or_else(refused)?;
                Ok((id.to_owned(), XChaCha20Poly1305::new(Key::from_slice(&bytes)), bytes))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys: keys.into(), entropy })
    }

    /// A fresh ring of one key, in the form that [`Vault::new`] reads.
    #[must_use]
    pub fn generate_ring(entropy: &dyn Entropy) -> SecretString {
        let mut key = [0u8; KEY_BYTES];
        entropy.fill(&mut key);
        format!("k1:{}", STANDARD.encode(key)).into()
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
        let (_, cipher, _) = self
            .keys
            .iter()
            .find(|(known, ..)| known.as_bytes() == id)
            .ok_or_else(|| VaultError::UnknownKey(String::from_utf8_lossy(id).into_owned()))?;
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = cipher.decrypt(XNonce::from_slice(nonce), payload).ok().ok_or(VaultError::Altered)?;
        Ok(String::from_utf8(plain).ok().ok_or(VaultError::Altered)?.into())
    }

    /// A 32-byte key derived from the sealing key for one purpose (signing URLs, access tokens).
    #[must_use]
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(self.keys[0].2).chain_update(purpose).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use helpsync_model::SeededEntropy;

    use super::*;

    fn vault(ring: &str) -> Vault {
        Vault::new(&ring.to_owned().into(), Arc::new(SeededEntropy::new(1))).unwrap()
    }

    fn ring(seed: u64) -> String {
        let ring = Vault::generate_ring(&SeededEntropy::new(seed));
        ring.expose_secret().replacen("k1", &format!("k{seed}"), 1)
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
    fn a_seal_opens_only_whole_and_only_in_its_place() {
        let vault = vault(&ring(1));
        let sealed = vault.seal("here", &"token".to_owned().into()).unwrap();
        assert!(matches!(vault.open("there", &sealed), Err(VaultError::Altered)));
        for cut in 0..sealed.len() {
            assert!(vault.open("here", &sealed[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_ring_is_refused_without_repeating_it() {
        for bad in ["", "k1", "k1:short", ":AAAA", "k1:!!!"] {
            let error = Vault::new(&bad.to_owned().into(), Arc::new(SeededEntropy::new(1))).unwrap_err();
            assert!(error.to_string().contains("entry 1"), "{bad}: {error}");
        }
    }
}
