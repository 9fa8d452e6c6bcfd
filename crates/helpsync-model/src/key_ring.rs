//! The keys that seal tokens at rest.

use std::{collections::BTreeSet, fmt, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use thiserror::Error;

use crate::Entropy;

/// Length of a sealing key in bytes (`ChaCha20-Poly1305`).
const KEY_BYTES: usize = 32;
/// An id is written beside every sealed value, so it is short.
const ID_CHARACTERS_MAX: usize = 32;
/// A ring is for changing keys, not for collecting them.
const KEYS_MAX: usize = 16;

/// One key and the id that sealed values name it by.
pub struct SealingKey {
    id: String,
    key: SecretBox<[u8; KEY_BYTES]>,
}

impl SealingKey {
    /// The id, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        self.key.expose_secret()
    }

    fn copied(&self) -> Self {
        Self { id: self.id.clone(), key: SecretBox::new(Box::new(*self.expose())) }
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.id)
    }
}

/// Keys in order: the first seals, all of them open. To change keys, put the new one first and keep the old ones
/// until everything has been sealed anew. Cheap to clone.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<[SealingKey]>);

/// Why a text is not a key ring. No variant quotes a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyRingError {
    /// An entry has no colon.
    #[error("entry {0} is not of the form id:base64key")]
    Form(usize),
    /// An id is empty, too long or has other characters than letters, digits, `-` and `_`.
    #[error("the id of entry {0} must be 1 to 32 letters, digits, - or _")]
    Id(usize),
    /// Two keys have one id.
    #[error("the id {0:?} occurs twice")]
    Twice(String),
    /// A key is not 32 bytes in standard base64.
    #[error("the key {0:?} is not 32 bytes in base64")]
    Key(String),
    /// More keys than a ring may hold.
    #[error("{0} keys are more than 16")]
    TooMany(usize),
}

impl KeyRing {
    /// Reads `id:base64key[,id:base64key…]`, each key 32 bytes in standard base64.
    ///
    /// # Errors
    /// [`KeyRingError`] names the entry by number or id.
    pub fn parse(text: &str) -> Result<Self, KeyRingError> {
        let entries: Vec<&str> = text.split(',').map(str::trim).collect();
        if entries.len() > KEYS_MAX {
            return Err(KeyRingError::TooMany(entries.len()));
        }
        let mut ids = BTreeSet::new();
        let mut keys = Vec::with_capacity(entries.len());
        for (number, entry) in (1..).zip(entries) {
            let (id, encoded) = entry.split_once(':').ok_or(KeyRingError::Form(number))?;
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if id.is_empty() || id.len() > ID_CHARACTERS_MAX || !id.chars().all(plain) {
                return Err(KeyRingError::Id(number));
            }
            if !ids.insert(id) {
                return Err(KeyRingError::Twice(id.to_owned()));
            }
            let decoded =
                STANDARD.decode(encoded).ok().and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
            let key = decoded.ok_or_else(|| KeyRingError::Key(id.to_owned()))?;
            keys.push(SealingKey { id: id.to_owned(), key: SecretBox::new(Box::new(key)) });
        }
        Ok(Self(keys.into()))
    }

    /// A ring of one new key, for an installation that is given none.
    #[must_use]
    pub fn generate(id: &str, entropy: &dyn Entropy) -> Self {
        let mut key = Box::new([0; KEY_BYTES]);
        entropy.fill(&mut *key);
        Self([SealingKey { id: id.to_owned(), key: SecretBox::new(key) }].into())
    }

    /// The text that [`KeyRing::parse`] reads, for the key file of an embedded installation.
    #[must_use]
    pub fn to_secret(&self) -> SecretString {
        let entries: Vec<String> =
            self.iter().map(|key| format!("{}:{}", key.id, STANDARD.encode(key.expose()))).collect();
        entries.join(",").into()
    }

    /// This ring with a new key at its end: it opens and does not seal yet.
    ///
    /// # Errors
    /// [`KeyRingError`]: the id is none or known, or the ring is full.
    pub fn with_new_key(&self, id: &str, entropy: &dyn Entropy) -> Result<Self, KeyRingError> {
        let added = Self::generate(id, entropy);
        let text = format!("{},{}", self.to_secret().expose_secret(), added.to_secret().expose_secret());
        Self::parse(&text)
    }

    /// This ring with the key of this id in front, so that it seals. `None`: there is no such key.
    #[must_use]
    pub fn sealing_with(&self, id: &str) -> Option<Self> {
        let (first, rest): (Vec<_>, Vec<_>) = self.iter().partition(|key| key.id == id);
        let is_known = !first.is_empty();
        is_known.then(|| Self(first.into_iter().chain(rest).map(SealingKey::copied).collect()))
    }

    /// This ring without the key of this id. `None`: there is no such key, or no other.
    #[must_use]
    pub fn without(&self, id: &str) -> Option<Self> {
        let left: Vec<SealingKey> = self.iter().filter(|key| key.id != id).map(SealingKey::copied).collect();
        (!left.is_empty() && left.len() < self.0.len()).then(|| Self(left.into()))
    }

    /// An id for the next key: `k` and a number above that of every key named so, in the ring or among `others`.
    #[must_use]
    pub fn free_id<'a>(&'a self, others: impl IntoIterator<Item = &'a str>) -> String {
        Self::id_beside(self.iter().map(SealingKey::id).chain(others))
    }

    /// The same beside keys of which only the ids are known: `k1` where there are none.
    #[must_use]
    pub fn id_beside<'a>(ids: impl IntoIterator<Item = &'a str>) -> String {
        let number = |id: &str| id.strip_prefix('k')?.parse::<u32>().ok();
        format!("k{}", ids.into_iter().filter_map(number).max().unwrap_or(0).saturating_add(1))
    }

    /// The ids, in order.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        self.iter().map(|key| key.id.clone()).collect()
    }

    /// All keys, at least one; the first one seals.
    pub fn iter(&self) -> impl Iterator<Item = &SealingKey> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    /// 32 zeros.
    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    #[test]
    fn keys_keep_their_order_and_are_not_shown() {
        let other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        let ring = KeyRing::parse(&format!("new:{other}, old:{KEY}")).unwrap();
        let keys: Vec<_> = ring.iter().map(|key| (key.id(), key.expose())).collect();
        assert_eq!(keys, [("new", &[1; KEY_BYTES]), ("old", &[0; KEY_BYTES])]);
        assert_eq!(format!("{ring:?}"), "KeyRing([new:***, old:***])");
    }

    #[test]
    fn a_generated_ring_reads_back_from_its_text() {
        let made = KeyRing::generate("local", &SeededEntropy::new(1));
        let read = KeyRing::parse(made.to_secret().expose_secret()).unwrap();
        let key =
            |ring: &KeyRing| ring.iter().map(|key| (key.id().to_owned(), *key.expose())).collect::<Vec<_>>();
        assert_eq!(key(&made), key(&read));
        assert_ne!(made.iter().next().unwrap().expose(), &[0; KEY_BYTES]);
    }

    #[test]
    fn a_new_key_opens_first_and_seals_once_it_is_in_front() {
        let entropy = SeededEntropy::new(1);
        let ring = KeyRing::generate("k1", &entropy);
        assert_eq!(ring.free_id([]), "k2");
        let both = ring.with_new_key("k2", &entropy).unwrap();
        assert_eq!((both.ids(), both.free_id([])), (vec!["k1".to_owned(), "k2".to_owned()], "k3".to_owned()));
        assert_eq!(both.with_new_key("k2", &entropy).unwrap_err(), KeyRingError::Twice("k2".to_owned()));
        let turned = both.sealing_with("k2").unwrap();
        assert_eq!(turned.ids(), ["k2", "k1"]);
        assert_eq!(turned.iter().nth(1).unwrap().expose(), ring.iter().next().unwrap().expose());
        assert!(both.sealing_with("k3").is_none());
        assert_eq!(turned.without("k1").unwrap().ids(), ["k2"]);
        assert!(turned.without("k3").is_none() && ring.without("k1").is_none(), "one stays");
        // Names are not used again while a later one is there.
        let gap = KeyRing::parse(&format!("k3:{KEY}")).unwrap();
        assert_eq!(gap.free_id(["k3", "old"]), "k4");
        assert_eq!(gap.free_id(["k7", "k5"]), "k8");
        let mut full = ring;
        while full.ids().len() < KEYS_MAX {
            full = full.with_new_key(&full.free_id([]), &entropy).unwrap();
        }
        assert_eq!(full.with_new_key("one-more", &entropy).unwrap_err(), KeyRingError::TooMany(17));
    }

    #[test]
    fn a_faulty_key_ring_is_refused_without_quoting_a_key() {
        let sixteen = (0..16).map(|n| format!("k{n}:{KEY}")).collect::<Vec<_>>().join(",");
        KeyRing::parse(&sixteen).unwrap();
        let long = "i".repeat(33);
        for (text, fault) in [
            (String::new(), KeyRingError::Form(1)),
            (KEY.to_owned(), KeyRingError::Form(1)),
            (format!("a:{KEY},"), KeyRingError::Form(2)),
            (format!(":{KEY}"), KeyRingError::Id(1)),
            (format!("{long}:{KEY}"), KeyRingError::Id(1)),
            (format!("a:{KEY},a:{KEY}"), KeyRingError::Twice("a".to_owned())),
            ("a:c2hvcnQ=".to_owned(), KeyRingError::Key("a".to_owned())),
            (format!("{sixteen},k16:{KEY}"), KeyRingError::TooMany(17)),
        ] {
            assert_eq!(KeyRing::parse(&text).unwrap_err(), fault, "{text}");
            assert!(!fault.to_string().contains("c2hvcnQ"));
        }
    }
}
