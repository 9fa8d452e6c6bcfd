//! The audit log, read and shortened.

use helpsync_model::OrganizationId;
use serde_json::Value;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::db::conditions::Conditions;
use crate::db::{AdminStore, StoreError, decode, sql};

/// Entries removed in one transaction.
const REMOVED_AT_ONCE: i64 = 1_000;

/// One change, as it was written down.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// Its id; later ones are higher.
    pub id: i64,
    /// What kind of actor: `api_key`, `customer`, `upstream`, `browser`, `operator`.
    pub actor_kind: String,
    /// Which of them.
    pub actor_id: String,
    /// What people call it.
    pub actor_name: String,
    /// To whom, as the organization calls them.
    pub customer_id: Option<String>,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// With what.
    pub detail: Value,
    /// The request's id, as in its answer and in the log.
    pub request_id: String,
    /// ms.
    pub created_at: i64,
}

/// Which entries to list, the latest first.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Only ids below this.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u32,
    /// Of this kind of actor.
    pub actor_kind: Option<String>,
    /// Of this actor among its kind.
    pub actor_id: Option<String>,
    /// Done to this customer.
    pub customer_id: Option<String>,
    /// Exactly this action.
    pub action: Option<String>,
    /// Not before this, in ms.
    pub from: Option<i64>,
    /// Before this, in ms.
    pub until: Option<i64>,
}

fn entry_of(row: &AnyRow) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        id: row.try_get("id")?,
        actor_kind: row.try_get("actor_kind")?,
        actor_id: row.try_get("actor_id")?,
        actor_name: row.try_get("actor_name")?,
        customer_id: row.try_get("customer_id")?,
        action: row.try_get("action")?,
        target: row.try_get("target")?,
        detail: decode::json(row, "audit_entry", "detail")?,
        request_id: row.try_get("request_id")?,
        created_at: row.try_get("created_at")?,
    })
}

impl AdminStore {
    /// A page of an organization's audit log.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_log(
        &self,
        organization: OrganizationId,
        query: &AuditQuery,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let mut conditions = Conditions::new(self.dialect);
        let place = conditions.integer(organization.0);
        conditions.and(&format!("organization_id = {place}"));
        for (column, text) in [
            ("actor_kind", &query.actor_kind),
            ("actor_id", &query.actor_id),
            ("customer_id", &query.customer_id),
            ("action", &query.action),
        ] {
            if let Some(text) = text {
                let place = conditions.text(text);
                conditions.and(&format!("{column} = {place}"));
            }
        }
        for (compared, number) in
            [("id <", query.before), ("created_at >=", query.from), ("created_at <", query.until)]
        {
            if let Some(number) = number {
                let place = conditions.integer(number);
                conditions.and(&format!("{compared} {place}"));
            }
        }
        let limit = conditions.integer(i64::from(query.limit));
        let statement = format!(
            "select id, actor_kind, actor_id, actor_name, customer_id, action, target, detail, request_id, created_at
             from audit_entry {} order by id desc limit {limit}",
            conditions.sql()
        );
        let found = conditions.bind(sqlx::query(sql(statement))).fetch_all(&self.pool).await?;
        found.iter().map(entry_of).collect()
    }

    /// Writes down what the request at hand has done outside of the database.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_change(&self) -> Result<(), StoreError> {
        self.write().await?.commit().await
    }

    /// Removes some of the entries that are older than `before` (ms); how many. To be repeated while there were any.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn shorten_audit_log(&self, before: i64) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let removed = sqlx::query(
            "delete from audit_entry where id in
               (select id from audit_entry where created_at < $1 order by created_at limit $2)",
        )
        .bind(before)
        .bind(REMOVED_AT_ONCE)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(removed.rows_affected())
    }
}
