//! A connection and the brands below it: what locks, pauses or ends the parent takes its brands along.
//!
//! A brand is a connection below the one that holds the grant. The parent's row is locked first, everywhere.

use helpsync_model::{ConnectionId, OrganizationId, SelectionFilter};
use sqlx::Row;

use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{Entity, StoreError, Write, decode, sql};

/// A connection and its brands, as a condition on an id; `$1` is the connection.
pub(crate) const FAMILY: &str = "(select id from connection where id = $1 or parent_id = $1)";

/// Refuses a connection of another organization, or none, as `missing`. Whose a connection is never changes, so nothing is
/// locked.
pub(crate) async fn check_owner(
    write: &mut Write,
    organization: OrganizationId,
    connection: ConnectionId,
    missing: Entity,
) -> Result<(), StoreError> {
    let owned: Option<i64> =
        sqlx::query_scalar("select id from connection where id = $1 and organization_id = $2")
            .bind(connection.0)
            .bind(organization.0)
            .fetch_optional(&mut *write.tx)
            .await?;
    owned.map(|_| ()).ok_or(StoreError::NotFound(missing))
}

/// Locks a connection's row on both databases, by writing it unchanged.
pub(crate) async fn lock(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    sqlx::query("update connection set epoch = epoch where id = $1")
        .bind(connection.0)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// The brands of a connection that a sync of it covers. The connection's row is locked.
pub(crate) async fn selected_brands(
    write: &mut Write,
    parent: ConnectionId,
) -> Result<Vec<ConnectionId>, StoreError> {
    let rows = sqlx::query(sql(format!(
        "select id, brand_id, selection from connection where parent_id = $1 and state = {ACTIVE_CONNECTION}
         order by id"
    )))
    .bind(parent.0)
    .fetch_all(&mut *write.tx)
    .await?;
    let mut selected = Vec::new();
    for row in &rows {
        let selection: SelectionFilter = decode::selection_of(row)?;
        if selection.keeps_brand(row.try_get("brand_id")?) {
            selected.push(ConnectionId(row.try_get("id")?));
        }
    }
    Ok(selected)
}

/// All brands of a connection that are not gone. The connection's row is locked.
pub(crate) async fn brands_below(
    write: &mut Write,
    parent: ConnectionId,
) -> Result<Vec<ConnectionId>, StoreError> {
    let ids: Vec<i64> =
        sqlx::query_scalar("select id from connection where parent_id = $1 and brand_gone = 0 order by id")
            .bind(parent.0)
            .fetch_all(&mut *write.tx)
            .await?;
    Ok(ids.into_iter().map(ConnectionId).collect())
}

/// Makes the brands of a connection what it has just become: active, paused or ended, with its tags and options. The
/// new epoch turns away what was begun before.
pub(crate) async fn follow(write: &mut Write, parent: ConnectionId) -> Result<(), StoreError> {
    let of =
        |column: &str| format!("(select parent.{column} from connection as parent where parent.id = $1)");
    let same =
        ["state", "disconnected_at", "pause_reason", "sync_status", "tags", "sync_options", "updated_at"];
    let same: Vec<String> = same.iter().map(|column| format!("{column} = {}", of(column))).collect();
    sqlx::query(sql(format!(
        "update connection set {}, epoch = epoch + 1 where parent_id = $1 and brand_gone = 0",
        same.join(", ")
    )))
    .bind(parent.0)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
