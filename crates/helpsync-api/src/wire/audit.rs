//! The audit log, as it is shown.

use helpsync_store::AuditEntry;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Int, time};

#[derive(Deserialize)]
pub(crate) struct AuditLogQuery {
    pub(crate) before: Option<Int>,
    pub(crate) limit: Option<Int>,
    pub(crate) actor: Option<String>,
    pub(crate) customer_id: Option<String>,
    pub(crate) action: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) until: Option<String>,
}

/// Who made a change.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditActor {
    /// `api_key`, `customer`, `upstream`, `browser` or `operator`.
    pub(crate) kind: String,
    /// Of a key its number, of a customer its name, of an upstream service its user at the broker.
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
}

/// One change.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditRow {
    pub(crate) id: i64,
    pub(crate) at: String,
    pub(crate) actor: AuditActor,
    /// An operation of the API (`POST /add_webhook`), or what was done otherwise.
    pub(crate) action: String,
    /// The path that was asked for, or the name of what was changed.
    pub(crate) target: String,
    /// Whom it was done to; null: the organization.
    pub(crate) customer_id: Option<String>,
    /// What was asked for: names, numbers and switches.
    #[schema(value_type = Object)]
    pub(crate) detail: Value,
    /// As in the answer's `x-request-id` and in the log.
    pub(crate) request_id: String,
}

/// A part of the audit log, the latest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLog {
    pub(crate) entries: Vec<AuditRow>,
    /// `before` of the next part; null: there are none.
    pub(crate) next_before: Option<i64>,
}

impl From<AuditEntry> for AuditRow {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id,
            at: time(entry.created_at),
            actor: AuditActor { kind: entry.actor_kind, id: entry.actor_id, name: entry.actor_name },
            action: entry.action,
            target: entry.target,
            customer_id: entry.customer_id,
            detail: entry.detail,
            request_id: entry.request_id,
        }
    }
}
