//! The start of a shard: what is taken, moved and read in the transaction that gives it to a worker.

use helpsync_model::{
    ConnectionId, DataSourceStatus, Lane, RunEvent, RunState, ShardEvent, ShardId, ShardState,
};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::{millis, selection_of};
use crate::db::lease::SHARDS;
use crate::db::states::{ACTIVE_CONNECTION, ACTIVE_RUN, STARTABLE_SHARD, SYNC, Step};
use crate::db::{Dialect, StoreError, Write, decode, sql};
use crate::event::events;
use crate::run::fence::Fence;
use crate::run::file_options::FileOptions;
use crate::run::going_on::Onward;
use crate::run::runs::{RUN, Run};
use crate::run::shards::{Granted, NewShard, Shard, StartedShard};
use crate::run::stages::{NextStage, begin, listed};

/// Starts the shard for a worker: it is taken if it waits and its run goes on, the run begins, and the connection shows
/// that a sync of it is under way. Answers with what [`started_of`] reads, and of the shard what [`Shard::of_start`] does;
/// `None`: it is not to be had, and what this has written is to be rolled back.
///
/// Rows are locked in one order everywhere: connection, shard, run. A request that comes in at the same moment holds the
/// connection and waits for the run.
pub(crate) async fn start(
    write: &mut Write,
    id: ShardId,
    holder: &str,
    lease_until: i64,
) -> Result<Option<Taken>, StoreError> {
    let shown = format!(
        "update connection set sync_status = $5, updated_at = $4
         where sync_status <> $5 and state = {ACTIVE_CONNECTION}
           and id = (select run.connection_id from shard join run on run.id = shard.run_id
             where shard.id = $2 and run.kind in {SYNC} and shard.state in {STARTABLE_SHARD})"
    );
    // Looked at before the shard's row is.
    let first = "and (select count(*) from shown) >= 0 ";
    let which = |first: &str| {
        format!(
            "id = $2 and {} {first}and exists (select 1 from run join connection on connection.id = run.connection_id
               where run.id = shard.run_id and run.epoch = connection.epoch
                 and connection.state = {ACTIVE_CONNECTION} and run.state in {ACTIVE_RUN})",
            (SHARDS.ready)()
        )
    };
    let taken = |which: &str| {
        let further = ", holder = $3, updated_at = $4, started_at = coalesce(started_at, $4)";
        format!(
            "{} returning id as shard_id, run_id, key as shard_key, kind as shard_kind, lane as shard_lane,
               params as shard_params, cursor as shard_cursor, attempt as shard_attempt, failures as shard_failures,
               released_at as shard_released_at",
            SHARDS.take("$4", further, which)
        )
    };
    let syncing = DataSourceStatus::Syncing.as_str();
    let bound = |text: String| {
        sqlx::query(sql(text))
            .bind(lease_until)
            .bind(id.0)
            .bind(holder.to_owned())
            .bind(write.now)
            .bind(syncing)
    };
    if write.dialect == Dialect::Postgres {
        let text = format!(
            "with shown as ({shown} returning id), taken as ({}),
             run as ({} from taken where run.id = taken.run_id and {} returning run.*)
             select {RUN}, {SHARD}, {CONNECTION} from taken cross join run
               join connection on connection.id = run.connection_id {RELATED}",
            taken(&which(first)),
            begun().0,
            begun().1
        );
        let row = bound(text).fetch_optional(&mut *write.tx).await?;
        return Ok(row.map(Taken::One));
    }
    let query = sqlx::query(sql(shown.replace("$2", "$1").replace("$4", "$2").replace("$5", "$3")));
    query.bind(id.0).bind(write.now).bind(syncing).execute(&mut *write.tx).await?;
    let query = sqlx::query(sql(taken(&which(""))));
    let query = query.bind(lease_until).bind(id.0).bind(holder).bind(write.now);
    let Some(shard) = query.fetch_optional(&mut *write.tx).await? else { return Ok(None) };
    let (set, from) = begun();
    let run = sqlx::query(sql(format!("{set} where id = $1 and {from} returning {RUN}").replace("$4", "$2")))
        .bind(shard.try_get::<i64, _>("run_id")?)
        .bind(write.now)
        .fetch_one(&mut *write.tx)
        .await?;
    let connection = connection_of(write, ConnectionId(run.try_get("connection_id")?)).await?;
    Ok(Some(Taken::Parts { shard, run, connection }))
}

/// What begins a run: the update, with the time as `$4`, and which runs it finds.
fn begun() -> (String, String) {
    let Step { from, to } = Step::of::<RunState>(RunEvent::ShardStarted);
    (
        format!(
            "update run set state = {to}, started_at = coalesce(run.started_at, $4), waiting_for = null, waiting_kind = null"
        ),
        format!("run.state in {from}"),
    )
}

/// The rows of a shard that was taken.
pub(crate) enum Taken {
    /// All in one.
    One(AnyRow),
    /// Each by itself.
    Parts { shard: AnyRow, run: AnyRow, connection: AnyRow },
}

impl Taken {
    pub(crate) const fn shard(&self) -> &AnyRow {
        match self {
            Self::One(row) => row,
            Self::Parts { shard, .. } => shard,
        }
    }

    pub(crate) const fn run(&self) -> &AnyRow {
        match self {
            Self::One(row) => row,
            Self::Parts { run, .. } => run,
        }
    }

    pub(crate) const fn connection(&self) -> &AnyRow {
        match self {
            Self::One(row) => row,
            Self::Parts { connection, .. } => connection,
        }
    }
}

/// What [`Shard::of_start`] reads of a shard that was taken.
const SHARD: &str =
    "taken.shard_id, taken.run_id, taken.shard_key, taken.shard_kind, taken.shard_lane, taken.shard_params,
  taken.shard_cursor, taken.shard_attempt, taken.shard_failures, taken.shard_released_at";

/// What a worker needs to know of the connection: for [`started_of`].
const CONNECTION: &str =
    "customer.external_id, connection.sync_options, connection.subdomain, connection.high_water,
  connection.last_audit_at, connection.export_access, connection.passed_second, connection.selection,
  connection.tree_mark, coalesce(connection.list_locales, '[]') as list_locales,
  coalesce(connection.locale_counts, 'null') as locale_counts, connection.scopes, connection.parent_id,
  connection.brands_asked_at, coalesce(parent.id, connection.id) as granted_id,
  coalesce(parent.subdomain, connection.subdomain) as granted_subdomain,
  cast(case when exists (select 1 from remote_article where remote_article.connection_id = connection.id
    and over_limit is not null) then 1 else 0 end as bigint) as kept_out";

/// The rows besides the connection's that [`CONNECTION`] names.
const RELATED: &str = "join customer on customer.id = connection.customer_id
  left join connection as parent on parent.id = connection.parent_id";

/// What a start reads of connection `$1`.
pub(crate) fn read_connection() -> String {
    format!("select connection.id, {CONNECTION} from connection {RELATED} where connection.id = $1")
}

async fn connection_of(write: &mut Write, id: ConnectionId) -> Result<AnyRow, StoreError> {
    Ok(sqlx::query(sql(read_connection())).bind(id.0).fetch_one(&mut *write.tx).await?)
}

/// Adds a shard that is taken at once, and begins the stage that it opens. The run's row is locked. Answers with what
/// [`started_of`] reads of the connection, and the shard's id as `taken`; `None`: there was one of that key.
pub(crate) async fn take_new(
    write: &mut Write,
    fence: &Fence,
    lane: Lane,
    shard: &NewShard,
    stage: Option<(&Run, &NextStage)>,
    onward: &Onward,
) -> Result<Option<AnyRow>, StoreError> {
    let Step { to, .. } = Step::of::<ShardState>(ShardEvent::Started);
    let added = format!(
        "insert into shard (run_id, connection_id, key, kind, lane, state, params, position, due_at, created_at,
           updated_at, attempt, failures, lease_until, holder, started_at)
         values ($1, $2, $3, $4, $5, {to}, $6, cast($7 as bigint), $8, $8, $8, $8, 1, $9, $10, $8)
         on conflict (run_id, key) do nothing returning id"
    );
    let at_once = stage.filter(|_| write.dialect == Dialect::Postgres);
    if let (Some((run, stage)), None) = (stage, at_once) {
        begin(write, run, stage).await?;
    }
    let params = shard.params.to_json().map_err(StoreError::unwritable)?;
    let bound = |text: String| {
        sqlx::query(sql(text))
            .bind(fence.run.0)
            .bind(fence.connection.0)
            .bind(shard.key.clone())
            .bind(shard.params.kind().as_str())
            .bind(lane.as_str())
            .bind(params.clone())
            .bind(shard.position)
            .bind(write.now)
            .bind(write.now.saturating_add(millis(onward.lease)))
            .bind(onward.holder.clone())
    };
    if write.dialect == Dialect::Sqlite {
        let taken = bound(format!("{added} as taken")).fetch_optional(&mut *write.tx).await?;
        let Some(taken) = taken else { return Ok(None) };
        let id: i64 = taken.try_get("taken")?;
        let row = sqlx::query(sql(format!(
            "select cast($2 as bigint) as taken, {CONNECTION} from connection {RELATED} where connection.id = $1"
        )));
        return Ok(Some(row.bind(fence.connection.0).bind(id).fetch_one(&mut *write.tx).await?));
    }
    let begins = at_once.map(|(_, stage)| format!("begun as ({} returning id), ", stage.update("$11", "$8")));
    let listed = at_once.filter(|(_, stage)| stage.is_listed).map(|(run, _)| listed(run));
    let announces = listed.as_ref().map(|_| format!("announced as ({} returning id), ", events::insert(12)));
    let query = bound(format!(
        "with {}{}added as ({added})
         select added.id as taken, {CONNECTION} from added join connection on connection.id = $2 {RELATED}",
        begins.unwrap_or_default(),
        announces.unwrap_or_default()
    ));
    let query = at_once.into_iter().fold(query, |query, (_, stage)| query.bind(stage.stage.as_str()));
    let query = listed.into_iter().fold(query, |query, event| event.bind(write.now, query));
    Ok(query.fetch_optional(&mut *write.tx).await?)
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
