//! How fresh each customer's copy is.

use helpsync_model::{ConnectionId, CustomerId, OrganizationId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::states::{ACTIVE_RUN, BY_WEBHOOK, FAILED_SHARD};
use crate::db::{AdminStore, StoreError, sql};

/// How fresh one copy is; all times in ms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freshness {
    /// Which.
    pub connection: ConnectionId,
    /// Whose, by the organization's id.
    pub customer: String,
    /// Of which workspace.
    pub subdomain: String,
    /// When a sync of it was complete last; `None`: never yet.
    pub complete_at: Option<i64>,
    /// Everything that changed up to then is stored.
    pub stored_up_to: Option<i64>,
    /// When the oldest change was told of that is known and not stored: by Zendesk's event, or by work that gave up.
    /// `None`: none is known.
    pub oldest_missing_at: Option<i64>,
    /// When its schedule fires next.
    pub next_sync_at: Option<i64>,
}

impl AdminStore {
    /// The copies of an organization, of one customer if given, the longest incomplete ones first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn freshness(
        &self,
        organization: OrganizationId,
        customer: Option<CustomerId>,
        limit: u32,
    ) -> Result<Vec<Freshness>, StoreError> {
        // Said apart: a condition that may be none defeats every index.
        let whose =
            if customer.is_some() { "connection.customer_id = $2" } else { "cast($2 as bigint) is null" };
        let rows = sqlx::query(sql(format!(
            "select connection.id, customer.external_id, connection.subdomain, connection.source_items_synced_at,
               connection.high_water, connection.next_sync_at,
               (select min(told_at) from (
                  select min(run.created_at) as told_at from run
                  where run.connection_id in (select id from connection as member
                      where member.id = connection.id or member.parent_id = connection.id)
                    and run.trigger_name = {BY_WEBHOOK} and run.state in {ACTIVE_RUN}
                  union all
                  select min(shard.created_at) from shard
                  where shard.state = {FAILED_SHARD} and shard.connection_id in (select id from connection as member
                      where member.id = connection.id or member.parent_id = connection.id)) as missing) as oldest_missing_at
             from connection join customer on customer.id = connection.customer_id
             where connection.organization_id = $1 and connection.disconnected_at is null
               and connection.parent_id is null and {whose}
             order by coalesce(connection.source_items_synced_at, 0), connection.id limit $3"
        )))
        .bind(organization.0)
        .bind(customer.map(|customer| customer.0))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(freshness_of).collect()
    }
}

fn freshness_of(row: &AnyRow) -> Result<Freshness, StoreError> {
    let high_water: Option<i64> = row.try_get("high_water")?;
    Ok(Freshness {
        connection: ConnectionId(row.try_get("id")?),
        customer: row.try_get("external_id")?,
        subdomain: row.try_get("subdomain")?,
        complete_at: row.try_get("source_items_synced_at")?,
        stored_up_to: high_water.map(|seconds| seconds.saturating_mul(1_000)),
        oldest_missing_at: row.try_get("oldest_missing_at")?,
        next_sync_at: row.try_get("next_sync_at")?,
    })
}
