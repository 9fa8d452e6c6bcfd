//! The start of a shard: what is taken, moved and read in the transaction that gives it to a worker.

use helpsync_model::{ConnectionId, DataSourceStatus, RunEvent, RunState, ShardId};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::selection_of;
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_CONNECTION, ACTIVE_RUN, STARTABLE_SHARD, SYNC, Step};
use crate::db::{StoreError, Write, decode, sql};
use crate::run::fence::Fence;
use crate::run::file_options::FileOptions;
use crate::run::runs::{RUN, Run, run_of};
use crate::run::shards::{Granted, Shard, StartedShard};

/// Shows on the connection that a sync of it is under way, if the shard is one of a sync and can be started. Undone
/// with the rest when the shard is not to be had.
///
/// Rows are locked in one order everywhere: connection, shard, run. A request that comes in at the same moment holds the
/// connection and waits for the run.
pub(crate) async fn show_syncing(write: &mut Write, id: ShardId) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "update connection set sync_status = $2, updated_at = $3
         where sync_status <> $2 and state = {ACTIVE_CONNECTION}
           and id = (select run.connection_id from shard join run on run.id = shard.run_id
             where shard.id = $1 and run.kind in {SYNC} and shard.state in {STARTABLE_SHARD})"
    )))
    .bind(id.0)
    .bind(DataSourceStatus::Syncing.as_str())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Takes the shard, if it waits and its run goes on.
pub(crate) async fn take(
    write: &mut Write,
    id: ShardId,
    holder: &str,
    lease_until: i64,
) -> Result<Option<AnyRow>, StoreError> {
    Ok(sqlx::query(sql(format!(
        "{} returning id, run_id, key, kind, lane, params, cursor, attempt, failures, released_at",
        SHARDS.take(
            "$4",
            ", holder = $3, updated_at = $4, started_at = coalesce(started_at, $4)",
            &format!(
                "id = $2 and {} and exists (select 1 from run join connection on connection.id = run.connection_id
                   where run.id = shard.run_id and run.epoch = connection.epoch
                     and connection.state = {ACTIVE_CONNECTION} and run.state in {ACTIVE_RUN})",
                (SHARDS.ready)()
            )
        )
    )))
    .bind(lease_until)
    .bind(id.0)
    .bind(holder)
    .bind(write.now)
    .fetch_optional(&mut *write.tx)
    .await?)
}

pub(crate) async fn begin_run(write: &mut Write, id: i64) -> Result<Run, StoreError> {
    let Step { from, to } = Step::of::<RunState>(RunEvent::ShardStarted);
    let row = sqlx::query(sql(format!(
        "update run set state = {to}, started_at = coalesce(started_at, $2), waiting_for = null
         where id = $1 and state in {from} returning {RUN}"
    )))
    .bind(id)
    .bind(write.now)
    .fetch_one(&mut *write.tx)
    .await?;
    run_of(&row)
}

/// What a worker needs to know of the connection: for [`started_of`].
pub(crate) async fn connection_of(write: &mut Write, id: ConnectionId) -> Result<AnyRow, StoreError> {
    Ok(sqlx::query(
        "select connection.id, customer.external_id, connection.sync_options, connection.subdomain, connection.high_water,
           connection.last_audit_at, connection.export_access, connection.passed_second, connection.selection,
           connection.tree_mark, coalesce(connection.list_locales, '[]') as list_locales,
           coalesce(connection.locale_counts, 'null') as locale_counts, connection.scopes, connection.parent_id,
           connection.brands_asked_at, coalesce(parent.id, connection.id) as granted_id,
           coalesce(parent.subdomain, connection.subdomain) as granted_subdomain,
           cast(case when exists (select 1 from remote_article where remote_article.connection_id = connection.id
             and over_limit is not null) then 1 else 0 end as bigint) as kept_out
         from connection join customer on customer.id = connection.customer_id
           left join connection as parent on parent.id = connection.parent_id
         where connection.id = $1",
    )
    .bind(id.0)
    .fetch_one(&mut *write.tx)
    .await?)
}

pub(crate) fn started_of(
    fence: Fence,
    shard: Shard,
    run: Run,
    connection: &AnyRow,
) -> Result<StartedShard, StoreError> {
    Ok(StartedShard {
        fence,
        shard,
        organization: run.organization,
        customer: run.customer,
        customer_name: connection.try_get("external_id")?,
        subdomain: connection.try_get("subdomain")?,
        granted: Granted {
            connection: ConnectionId(connection.try_get("granted_id")?),
            subdomain: connection.try_get("granted_subdomain")?,
        },
        brands_asked_at: brands_asked_at(connection)?,
        high_water: connection.try_get("high_water")?,
        kept_out: connection.try_get::<i64, _>("kept_out")? == 1,
        last_audit_at: connection.try_get("last_audit_at")?,
        files: FileOptions::of(&run, &decode::json(connection, "connection", "sync_options")?),
        export_access: decode::named_if_any(connection, "connection", "export_access")?,
        passed_second: connection.try_get("passed_second")?,
        tree_mark: connection.try_get("tree_mark")?,
        list_locales: decode::json(connection, "connection", "list_locales")?,
        locale_counts: decode::json(connection, "connection", "locale_counts")?,
        selection: selection_of(connection)?,
        run,
    })
}

/// Which scope shows brands is not written down at Zendesk; these two are a guess, so the answer is taken for what it is.
fn brands_asked_at(connection: &AnyRow) -> Result<Option<i64>, StoreError> {
    let scopes: String = connection.try_get("scopes")?;
    let shown = scopes.split_ascii_whitespace().any(|scope| matches!(scope, "read" | "brands:read"));
    if !shown || connection.try_get::<Option<i64>, _>("parent_id")?.is_some() {
        return Ok(None);
    }
    Ok(Some(connection.try_get::<Option<i64>, _>("brands_asked_at")?.unwrap_or(0)))
}
