//! Sealing tokens and secrets at rest, and the keys that sign.
//!
//! Each key of the ring stands for several, one for each purpose, by HKDF. A key from before that ([`Vault::derived`] does
//! not name it) goes on to seal by itself and to sign without its id, because processes of the version before read nothing
//! else; it ends when the keys are rotated. Whatever the form, all keys of the ring open and verify.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use helpsync_model::{Entropy, KeyRing, Timestamp};
use helpsync_telemetry::metrics as telemetry;
use hkdf::Hkdf;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use thiserror::Error;

const NONCE_BYTES: usize = 24;
const KEY_BYTES: usize = 32;
/// The first byte of a seal by a derived key. In the form before, it is the length of an id, at most 32.
const DERIVED: u8 = 0xD1;
/// What the derived key that seals is for.
const SEALING: &str = "seal";

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

/// Why a ring cannot be this database's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RingError {
    /// Keys that are needed are not in the ring, each with the number of secrets that only it opens.
    #[error(
        "the key ring lacks {}: put the key back, and remove it once `helpsync keys list` counts nothing for it",
        Lost(.0)
    )]
    Missing(Vec<(String, i64)>),
    /// A key of the ring is another one than the key of its name that sealed what is stored.
    #[error(
        "the key {0:?} of the ring is not the key {0:?} that sealed what is stored: put that one back, or give the new one another id"
    )]
    Differs(String),
    /// The key in front was given up: nothing that it signs would be believed.
    #[error(
        "the key {0:?} was given up, and stands in front of the ring: put another key in front, and take this one out"
    )]
    GivenUp(String),
    /// What this key signed may be good until then, in ms.
    #[error(
        "the key ring lacks the key {0:?}, and what that signed may be good until {time}: put the key back until then, or end \
         all of it now with `helpsync keys remove {0} --void`", time = in_words(*.1)
    )]
    Signs(String, i64),
}

struct Lost<'a>(&'a [(String, i64)]);

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (id, sealed)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}the key {id:?}, without which {sealed} sealed secrets would be lost")?;
        }
        Ok(())
    }
}

/// A time in ms, for people.
fn in_words(ms: i64) -> String {
    Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A key of the ring, and what is derived from it.
struct VaultKey {
    id: String,
    bytes: [u8; KEY_BYTES],
    /// As before there were purposes.
    plain: XChaCha20Poly1305,
    sealing: XChaCha20Poly1305,
    /// Whether it seals by the derived key.
    derives: bool,
}

impl VaultKey {
    /// HKDF with SHA-256, no salt, the purpose as `info`. Source: RFC 5869.
    fn derive(bytes: &[u8; KEY_BYTES], purpose: &str) -> [u8; KEY_BYTES] {
        let mut key = [0; KEY_BYTES];
        let expanded = Hkdf::<Sha256>::new(None, bytes).expand(purpose.as_bytes(), &mut key);
        debug_assert!(expanded.is_ok(), "HKDF refuses only outputs above 255 hashes");
        key
    }

    fn head(&self, derives: bool) -> Vec<u8> {
        head(&self.id, derives)
    }
}

/// How every seal of a key begins.
pub(crate) fn head(id: &str, derives: bool) -> Vec<u8> {
    let mut head = Vec::with_capacity(2 + id.len());
    if derives {
        head.push(DERIVED);
    }
    head.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    head.extend_from_slice(id.as_bytes());
    head
}

/// The id of the key that sealed it, and whether by a derived key.
pub(crate) fn sealed_by(sealed: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let (derives, rest) = match sealed.split_first()? {
        (&DERIVED, rest) => (true, rest),
        _ => (false, sealed),
    };
    let (&id_length, rest) = rest.split_first()?;
    let (id, rest) = rest.split_at_checked(id_length.into())?;
    Some((derives, id, rest))
}

/// A ring of keys: the first seals, all open. Cheap to clone; the clones change together.
#[derive(Clone)]
pub struct Vault {
    keys: Arc<RwLock<Arc<[VaultKey]>>>,
    /// Keys whose signatures are given up: they open what they sealed, and verify nothing.
    voided: Arc<RwLock<BTreeSet<String>>>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

fn keys_of(ring: &KeyRing, derived: &BTreeSet<String>) -> Arc<[VaultKey]> {
    let cipher = |bytes: &[u8; KEY_BYTES]| XChaCha20Poly1305::new(Key::from_slice(bytes));
    let keys = ring.iter().map(|key| VaultKey {
        id: key.id().to_owned(),
        bytes: *key.expose(),
        plain: cipher(key.expose()),
        sealing: cipher(&VaultKey::derive(key.expose(), SEALING)),
        derives: derived.contains(key.id()),
    });
    keys.collect()
}

impl Vault {
    /// A vault of these keys, none of which seals by a derived key yet; `entropy` gives the nonces.
    #[must_use]
    pub fn new(ring: &KeyRing, entropy: Arc<dyn Entropy>) -> Self {
        Self { keys: Arc::new(RwLock::new(keys_of(ring, &BTreeSet::new()))), voided: Arc::default(), entropy }
    }

    /// Takes another ring's keys in the place of its own; those named in `derived` seal by a derived key. Sealing and
    /// opening under way end with the keys that they began with.
    pub(crate) fn replace(&self, ring: &KeyRing, derived: &BTreeSet<String>) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys_of(ring, derived);
    }

    /// What these keys signed, and no others, is void. Answers whether those were others than before.
    pub(crate) fn void(&self, ids: BTreeSet<String>) -> bool {
        let mut voided = self.voided.write().unwrap_or_else(PoisonError::into_inner);
        let are_others = *voided != ids;
        *voided = ids;
        are_others
    }

    /// The key in front, where what it signs is void.
    pub(crate) fn voided_front(&self) -> Option<String> {
        let keys = self.keys();
        let voided = self.voided.read().unwrap_or_else(PoisonError::into_inner);
        keys.first().map(|key| key.id.clone()).filter(|id| voided.contains(id))
    }

    fn keys(&self) -> Arc<[VaultKey]> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The ids of its keys; the first one seals.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.keys().iter().map(|key| key.id.clone()).collect()
    }

    /// Whether its keys are those of this ring, in this order.
    #[must_use]
    pub fn is_of(&self, ring: &KeyRing) -> bool {
        let keys = self.keys();
        keys.len() == ring.iter().count()
            && keys
                .iter()
                .zip(ring.iter())
                .all(|(mine, its)| mine.id == its.id() && mine.bytes == *its.expose())
    }

    /// Where it takes its nonces from.
    pub(crate) fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.entropy)
    }

    /// How the seals begin that the first key makes now.
    pub(crate) fn present_head(&self) -> Vec<u8> {
        let keys = self.keys();
        keys[0].head(keys[0].derives)
    }

    /// Seals `plain` for one `place` (for example `connection/7/access`); it opens only there.
    ///
    /// # Errors
    /// [`VaultError::Seal`].
    pub fn seal(&self, place: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        let keys = self.keys();
        self.seal_with(&keys[0], place, plain)
    }

    /// [`Vault::seal`] with the key of this id; `None`: there is no such key.
    pub(crate) fn seal_by(
        &self,
        id: &str,
        place: &str,
        plain: &SecretString,
    ) -> Result<Option<Vec<u8>>, VaultError> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id == id);
        key.map(|key| self.seal_with(key, place, plain)).transpose()
    }

    fn seal_with(&self, key: &VaultKey, place: &str, plain: &SecretString) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0u8; NONCE_BYTES];
        self.entropy.fill(&mut nonce);
        let payload = Payload { msg: plain.expose_secret().as_bytes(), aad: place.as_bytes() };
        let cipher = if key.derives { &key.sealing } else { &key.plain };
        // The cause holds nothing: an AEAD tells no reasons.
        let Ok(ciphertext) = cipher.encrypt(XNonce::from_slice(&nonce), payload) else {
            return Err(VaultError::Seal);
        };
        Ok([key.head(key.derives).as_slice(), &nonce, &ciphertext].concat())
    }

    /// Opens what [`Vault::seal`] sealed for the same `place`, in either form.
    ///
    /// # Errors
    /// [`VaultError::UnknownKey`] or [`VaultError::Altered`].
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<SecretString, VaultError> {
        let (derives, id, rest) = sealed_by(sealed).ok_or(VaultError::Altered)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE_BYTES).ok_or(VaultError::Altered)?;
        let keys = self.keys();
        let key = keys.iter().find(|key| key.id.as_bytes() == id).ok_or_else(|| {
            telemetry::key_missing();
            VaultError::UnknownKey(String::from_utf8_lossy(id).into_owned())
        })?;
        let cipher = if derives { &key.sealing } else { &key.plain };
        let payload = Payload { msg: ciphertext, aad: place.as_bytes() };
        let plain = cipher.decrypt(XNonce::from_slice(nonce), payload).ok().ok_or(VaultError::Altered)?;
        Ok(String::from_utf8(plain).ok().ok_or(VaultError::Altered)?.into())
    }

    /// The key that signs for one purpose (URLs, access tokens), derived from the first of the ring: keys of different
    /// purposes tell nothing of each other or of the key that seals. With it the id that signatures carry; `None` for a
    /// key from before they did.
    #[must_use]
    pub fn signing_key(&self, purpose: &str) -> (Option<String>, [u8; 32]) {
        let keys = self.keys();
        let key = &keys[0];
        (key.derives.then(|| key.id.clone()), VaultKey::derive(&key.bytes, purpose))
    }

    /// The keys that may have signed for one purpose: that of this id, or all where a signature carries none. None whose
    /// signatures are given up.
    #[must_use]
    pub fn verifying_keys(&self, purpose: &str, id: Option<&str>) -> Vec<[u8; 32]> {
        let keys = self.keys();
        let voided = self.voided.read().unwrap_or_else(PoisonError::into_inner);
        let believed = keys.iter().filter(|key| !voided.contains(&key.id));
        let named = believed.filter(|key| id.is_none_or(|id| key.id == id));
        named.map(|key| VaultKey::derive(&key.bytes, purpose)).collect()
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

    /// A vault all of whose keys derive.
    fn deriving(text: &str) -> Vault {
        let (vault, ring) = (vault(text), KeyRing::parse(text).unwrap());
        vault.replace(&ring, &ring.ids().into_iter().collect());
        vault
    }

    #[test]
    fn a_rotated_ring_opens_old_seals_and_seals_with_the_first_key() {
        for of in [vault, deriving] {
            let sealed = of(&ring(1)).seal("here", &"token".to_owned().into()).unwrap();
            let rotated = of(&format!("{},{}", ring(2), ring(1)));
            assert_eq!(rotated.open("here", &sealed).unwrap().expose_secret(), "token");
            let resealed = rotated.seal("here", &"token".to_owned().into()).unwrap();
            assert!(
                matches!(of(&ring(1)).open("here", &resealed), Err(VaultError::UnknownKey(id)) if id == "k2")
            );
        }
    }

    #[test]
    fn a_key_opens_what_it_sealed_before_it_derived_and_the_two_forms_are_different_ciphertexts() {
        let vault = vault(&ring(1));
        let before = vault.seal("here", &"token".to_owned().into()).unwrap();
        assert!(before.starts_with(&vault.present_head()));
        let parsed = KeyRing::parse(&ring(1)).unwrap();
        vault.replace(&parsed, &parsed.ids().into_iter().collect());
        let after = vault.seal("here", &"token".to_owned().into()).unwrap();
        assert!(after.starts_with(&vault.present_head()) && !before.starts_with(&vault.present_head()));
        for sealed in [&before, &after] {
            assert_eq!(vault.open("here", sealed).unwrap().expose_secret(), "token");
        }
        // The one form is not the other without its mark.
        assert!(matches!(vault.open("here", &after[1..]), Err(VaultError::Altered)));
        assert!(matches!(vault.open("here", &[&[DERIVED], &*before].concat()), Err(VaultError::Altered)));
    }

    #[test]
    fn derived_keys_are_hkdf_of_the_ring_and_differ_by_purpose() {
        let first = "a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        // Computed apart from this code: HMAC(HMAC(32 zeros, key), "sync url" || 0x01), the keys first.
        let known = "3d5e15fcf37ff1fd02f2ab247b5cfbb46282d878327231e331f35bbcf3449774";
        let (id, key) = vault(first).signing_key("sync url");
        assert_eq!((id, hex::encode(key).as_str()), (None, known));
        let (id, key) = deriving(first).signing_key("sync url");
        assert_eq!((id.as_deref(), hex::encode(key).as_str()), (Some("a"), known));
        assert_ne!(deriving(first).signing_key("sync url"), deriving(first).signing_key("access token"));
    }

    #[test]
    fn what_a_replaced_key_signed_is_verified_by_its_id_or_by_all() {
        let (_, old) = vault(&ring(1)).signing_key("url");
        let rotated = deriving(&format!("{},{}", ring(2), ring(1)));
        assert_eq!(rotated.verifying_keys("url", Some("k1")), [old]);
        assert_eq!(rotated.verifying_keys("url", None).len(), 2);
        assert!(rotated.verifying_keys("url", None).contains(&old));
        assert!(rotated.verifying_keys("url", Some("k3")).is_empty());
    }

    #[test]
    fn a_seal_opens_only_whole_and_only_in_its_place() {
        for vault in [vault(&ring(1)), deriving(&ring(1))] {
            let sealed = vault.seal("here", &"token".to_owned().into()).unwrap();
            assert!(matches!(vault.open("there", &sealed), Err(VaultError::Altered)));
            for cut in 0..sealed.len() {
                assert!(vault.open("here", &sealed[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
}
