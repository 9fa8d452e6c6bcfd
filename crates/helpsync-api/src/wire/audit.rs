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
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// `api_key`, `customer`, `upstream`, `browser` or `operator`.
    pub kind: String,
    /// Of a key its number, of a customer its name, of an upstream service its user at the broker.
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// One change.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditRow {
    pub id: i64,
    pub at: String,
    pub actor: AuditActor,
    /// An operation of the API (`POST /add_webhook`), or what was done otherwise.
    pub action: String,
    /// What it does, in words.
    pub summary: String,
    /// The path that was asked for, or the name of what was changed.
    pub target: String,
    /// Whom it was done to; null: the organization.
    pub customer_id: Option<String>,
    /// What was asked for: names, numbers and switches.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// As in the answer's `x-request-id` and in the log.
    pub request_id: String,
}

/// A part of the audit log, the latest first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuditLog {
    pub entries: Vec<AuditRow>,
    /// `before` of the next part; null: there are none.
    pub next_before: Option<i64>,
}

impl AuditRow {
    pub(crate) fn new(entry: AuditEntry, summary: String) -> Self {
        Self {
            summary,
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
