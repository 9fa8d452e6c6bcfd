//! `[secrets]`

use helpsync_model::KeyRing;

use crate::{Problem, declare::section};

section! {
    /// The keys that seal tokens at rest.
    pub struct SecretsSettings "secrets";

    /// Key ring `id:key[,id:key…]`, each key 32 random bytes in base64. The first seals, all open;
    /// docs/keys.md says how to change them. Required with Postgres; with SQLite a ring is made in a file beside the database.
    "HELPSYNC_SECRETS__KEYS" keys: Option<KeyRing>;
}

impl SecretsSettings {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
