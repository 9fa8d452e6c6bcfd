//! The connection that a run is made for.

use helpsync_model::{ConnectionId, CustomerId, OrganizationId};
use sqlx::Row;

use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{Entity, StoreError, Write, sql};

/// The connection that a run is made for. Its row is locked.
pub(crate) struct Home {
    pub(crate) id: ConnectionId,
    pub(crate) organization: OrganizationId,
    pub(crate) customer: CustomerId,
    pub(crate) epoch: i64,
    pub(crate) high_water: Option<i64>,
    /// The connection that it is a brand of.
    pub(crate) parent: Option<i64>,
    pub(crate) subdomain: String,
}

impl Home {
    /// `organization`: only if it is this one's.
    pub(crate) async fn lock(
        write: &mut Write,
        id: ConnectionId,
        organization: Option<OrganizationId>,
    ) -> Result<Self, StoreError> {
        let row = sqlx::query(sql(format!(
            "select id, organization_id, customer_id, epoch, high_water, parent_id, subdomain from connection
             where id = $1 and state = {ACTIVE_CONNECTION}
               and organization_id = coalesce(cast($2 as bigint), organization_id){}",
            write.dialect.for_update()
        )))
        .bind(id.0)
        .bind(organization.map(|organization| organization.0))
        .fetch_optional(&mut *write.tx)
        .await?
        .ok_or(StoreError::NotFound(Entity::ActiveConnection))?;
        Ok(Self {
            id,
            organization: OrganizationId(row.try_get("organization_id")?),
            customer: CustomerId(row.try_get("customer_id")?),
            epoch: row.try_get("epoch")?,
            high_water: row.try_get("high_water")?,
            parent: row.try_get("parent_id")?,
            subdomain: row.try_get("subdomain")?,
        })
    }
}
