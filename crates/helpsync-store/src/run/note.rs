//! What a run finds out about its account, and its row about that.

use helpsync_model::{ConnectionId, ExportAccess, Plan};
use sqlx::Any;
use sqlx::any::AnyArguments;
use sqlx::query::Query;

use crate::db::{StoreError, Write, placeholders};

/// What a run found out about its account.
#[derive(Debug, Clone, Default)]
pub struct RunNote {
    /// The plan that it follows, and why, for people.
    pub plan: Option<(Plan, String)>,
    /// How many articles Zendesk counts.
    pub remote_count: Option<i64>,
    /// Requests that no stored page counts.
    pub requests: u64,
    /// Removals that are held back.
    pub held: Option<i64>,
    /// What the incremental export answers.
    pub export_access: Option<ExportAccess>,
    /// See [`StartedShard::passed_second`](crate::run::shards::StartedShard::passed_second).
    pub passed_second: Option<i64>,
    /// What was read may not be all: the run lists everything, for this reason.
    pub audit_reason: Option<String>,
    /// Articles that Zendesk counts although the run was not shown so many. It ends as incomplete unless what is still
    /// asked for by id makes up for it.
    pub owed: Option<i64>,
    /// What the counts say could not be settled: the next run lists everything.
    pub audit_next: bool,
    /// See [`StartedShard::tree_mark`](crate::run::shards::StartedShard::tree_mark).
    pub tree_mark: Option<String>,
    /// The locales by which lists are asked for.
    pub list_locales: Option<Vec<String>>,
    /// How many articles each of them has.
    pub locale_counts: Option<Vec<i64>>,
}

impl RunNote {
    /// What it sets in the run's row: seven placeholders from `first` on, as [`RunNote::bind`] binds them.
    pub(crate) fn set(first: usize) -> String {
        let [plan, reason, remote_count, requests, held, audit_reason, owed] = placeholders(first);
        format!(
            "plan = coalesce({plan}, plan), plan_reason = coalesce({reason}, plan_reason),
               remote_count = coalesce({remote_count}, remote_count), requests = requests + {requests},
               held = coalesce({held}, held), audit_reason = coalesce({audit_reason}, audit_reason),
               owed = coalesce({owed}, owed)"
        )
    }

    /// Binds what [`RunNote::set`] names.
    pub(crate) fn bind<'q>(&'q self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        let (plan, reason) =
            self.plan.as_ref().map(|(plan, reason)| (plan.as_str(), reason.as_str())).unzip();
        query
            .bind(plan)
            .bind(reason)
            .bind(self.remote_count)
            .bind(i64::try_from(self.requests).unwrap_or(i64::MAX))
            .bind(self.held)
            .bind(&self.audit_reason)
            .bind(self.owed)
    }

    /// Whether it changes the connection's row.
    pub(crate) const fn concerns_connection(&self) -> bool {
        self.export_access.is_some()
            || self.passed_second.is_some()
            || self.audit_next
            || self.tree_mark.is_some()
            || self.list_locales.is_some()
            || self.locale_counts.is_some()
    }

    /// Writes what concerns the connection. Its row is locked to be changed, if that is anything.
    pub(crate) async fn write_to_connection(
        &self,
        write: &mut Write,
        connection: ConnectionId,
    ) -> Result<(), StoreError> {
        if !self.concerns_connection() {
            return Ok(());
        }
        let json = |list: Result<String, serde_json::Error>| list.map_err(StoreError::unwritable);
        let locales = self.list_locales.as_ref().map(|list| json(serde_json::to_string(list))).transpose()?;
        let counts = self.locale_counts.as_ref().map(|list| json(serde_json::to_string(list))).transpose()?;
        sqlx::query(
            "update connection set export_access = coalesce($2, export_access),
               passed_second = coalesce($3, passed_second), tree_mark = coalesce($4, tree_mark),
               last_audit_at = case when $5 = 1 then 0 else last_audit_at end,
               list_locales = coalesce($6, list_locales),
               locale_counts = coalesce($7, case when $8 = 1 then null else locale_counts end) where id = $1",
        )
        .bind(connection.0)
        .bind(self.export_access.map(ExportAccess::as_str))
        .bind(self.passed_second)
        .bind(&self.tree_mark)
        .bind(i64::from(self.audit_next))
        .bind(locales)
        .bind(counts)
        // Counts of other locales tell nothing.
        .bind(i64::from(self.list_locales.is_some()))
        .execute(&mut *write.tx)
        .await?;
        Ok(())
    }

    /// Has it counted once it is committed.
    pub(crate) fn count(&self, write: &mut Write) {
        write.count_articles("held", self.held.unwrap_or(0));
    }
}
