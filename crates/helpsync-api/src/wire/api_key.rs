//! API keys and organizations.

use helpsync_store::{ApiKey, OrganizationSummary};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, time};

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What people call it, unique in its organization.
    pub(crate) name: String,
    /// `read`, `sync` or `admin`; `operator` too, by an operator's key.
    pub(crate) scope: String,
    /// Days until it ends; absent: when it is revoked.
    pub(crate) expires_in_days: Option<Int>,
    /// Another organization's name, by an operator's key.
    pub(crate) organization: Option<String>,
}

/// An API key without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Key {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// The key's first letters; empty for the bootstrap key.
    pub(crate) prefix: String,
    /// `read`, `sync`, `admin` or `operator`.
    pub(crate) scope: &'static str,
    /// Set by the operator's settings, or made by the embedded shape for itself: it ends when another takes its place.
    pub(crate) is_bootstrap: bool,
    pub(crate) has_ended: bool,
    pub(crate) expires_at: Option<String>,
    /// To the minute.
    pub(crate) last_used_at: Option<String>,
    pub(crate) created_at: String,
}

impl Key {
    pub(crate) fn of(key: ApiKey, now: i64) -> Self {
        Self {
            has_ended: key.has_ended(now),
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scope: key.scope.as_str(),
            is_bootstrap: key.is_bootstrap,
            expires_at: key.expires_at.map(time),
            last_used_at: key.last_used_at.map(time),
            created_at: time(key.created_at),
        }
    }
}

/// A key as answered once, with its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeKey {
    #[serde(flatten)]
    pub(crate) key: Key,
    /// The key itself. It is never shown again: only its hash is kept.
    pub(crate) api_key: String,
}

/// API keys, oldest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Keys {
    pub(crate) keys: Vec<Key>,
    /// `after` of the next page; absent at the end.
    pub(crate) next_after: Option<i64>,
}

/// An organization to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrganization {
    /// Unique.
    pub(crate) name: String,
}

/// An organization and its first key.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeOrganization {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// An API key of the scope `admin`. It is never shown again.
    pub(crate) api_key: String,
}

/// An organization in the operator's list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OrganizationRow {
    pub id: i64,
    pub name: String,
    pub keys: i64,
    pub customers: i64,
    pub created_at: String,
}

impl From<OrganizationSummary> for OrganizationRow {
    fn from(from: OrganizationSummary) -> Self {
        Self {
            id: from.id.0,
            name: from.name,
            keys: from.keys,
            customers: from.customers,
            created_at: time(from.created_at),
        }
    }
}

/// Organizations, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Organizations {
    pub organizations: Vec<OrganizationRow>,
    /// `after` of the next page; absent at the end.
    pub next_after: Option<i64>,
}
