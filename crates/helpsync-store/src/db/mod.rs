//! What every statement needs: the pool, transactions, dialects, decoding, errors, sealing. Knows no table but the
//! connection's own, for its family.

pub(crate) mod advice;
pub mod audit;
pub(crate) mod bounds;
pub(crate) mod conditions;
pub(crate) mod decode;
pub(crate) mod dialect;
pub(crate) mod error;
pub(crate) mod facets;
pub(crate) mod family;
pub(crate) mod file;
pub(crate) mod lease;
pub(crate) mod migrations;
pub(crate) mod outage;
pub(crate) mod outdated;
pub(crate) mod pgvector;
pub(crate) mod pool;
pub(crate) mod reads;
pub(crate) mod states;
pub(crate) mod vault;
pub(crate) mod write;

pub(crate) use dialect::{Dialect, integer, text};
pub(crate) use error::{Entity, StoreError};
pub(crate) use facets::{AdminStore, QueueStore, SearchStore, SyncStore, TokenStore, WebhookStore};
pub(crate) use pool::Database;
pub(crate) use vault::Vault;
pub(crate) use write::{Write, placeholders, sql};
