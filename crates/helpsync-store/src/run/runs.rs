//! Runs: one pass of the engine over a connection, and the receipt it leaves.

use helpsync_model::{
    ConnectionId, CustomerId, DataSourceStatus, FileStatus, Lane, OrganizationId, Plan, RunEvent, RunId,
    RunKind, RunParams, RunState, ShardEvent, ShardState, Stage, SyncAction, Trigger, WaitKind,
};
use serde::Serialize;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::family::{FAMILY, brands_below, check_owner, lock, selected_brands};
use crate::db::states::{ACTIVE_CONNECTION, ACTIVE_RUN, SYNC, Step};
use crate::db::{AdminStore, Entity, StoreError, Write, decode, sql};
pub use crate::run::counters::RunCounters;
use crate::run::counters::counters_of;
use crate::run::ended::tell_ended;
use crate::run::held_back::{shown_run, shown_run_of};
use crate::run::home::Home;
use crate::run::new_run::NewRun;
use crate::run::pending_request::PendingRequest;
use crate::run::wake;

/// A request for a run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The connection to sync.
    pub connection: ConnectionId,
    /// `None` = a delta where a high-water mark is known, a full sync otherwise.
    pub kind: Option<RunKind>,
    /// Who wants it.
    pub trigger: Trigger,
    /// How urgent it is.
    pub lane: Lane,
    /// Stamped on the files that the run creates.
    pub request_id: String,
    /// Stamped on the files that the run creates.
    pub upload_id: String,
    /// What it is to do, besides its kind.
    pub params: RunParams,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunRequested {
    /// The run that serves the request, or the one before that.
    pub run: RunId,
    /// False: an equal run was already under way.
    pub created: bool,
    /// Whether it serves the request. Otherwise its successor does: it was past its start, or wants less.
    pub serves: bool,
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// What the organization calls the customer.
    pub customer_external_id: String,
    /// The workspace.
    pub subdomain: String,
    /// Over which connection.
    pub connection: ConnectionId,
    /// The connection that people know: another one where the run is of a brand.
    pub source: ConnectionId,
    /// The brand's address, where the run is of a brand.
    pub brand: Option<String>,
    /// What for.
    pub kind: RunKind,
    /// Why.
    pub trigger: Trigger,
    /// How urgent.
    pub lane: Lane,
    /// The connection's epoch that it was made for.
    pub epoch: i64,
    /// Where it stands.
    pub state: RunState,
    /// What it is at.
    pub stage: Stage,
    /// How it reads the articles, once selected.
    pub plan: Option<Plan>,
    /// Why so, for people.
    pub plan_reason: Option<String>,
    /// See [`RunRequest::params`].
    pub params: RunParams,
    /// Stamped on created files.
    pub request_id: String,
    /// Stamped on created files.
    pub upload_id: String,
    /// The receipt.
    pub counters: RunCounters,
    /// What it waits for, if it does, in words.
    pub waiting_for: Option<String>,
    /// Of what kind that is.
    pub waiting_kind: Option<WaitKind>,
    /// Why it lists every article's id though nobody asked for that.
    pub audit_reason: Option<String>,
    /// Files that are shown at its end.
    pub files: Option<i64>,
    /// SHA-256 over those files, in lower hex: a line `article id:content hash` for each, by article id. What is exported
    /// has the same, so the copy can be checked against the receipt.
    pub digest: Option<String>,
    /// Why it failed, is incomplete or was cancelled.
    pub error: Option<String>,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub started_at: Option<i64>,
    /// ms.
    pub finished_at: Option<i64>,
}

/// What [`run_of`] reads. Columns are named one by one everywhere: a process of this version must not notice one that
/// a later version adds.
pub(crate) const RUN: &str =
    "run.id, run.organization_id, run.customer_id,
  (select customer.external_id from customer where customer.id = run.customer_id) as run_customer,
  (select connection.subdomain from connection where connection.id = coalesce(run.source_id, run.connection_id))
    as run_subdomain, run.connection_id, run.source_id, run.brand, run.kind,
  run.trigger_name, run.lane, run.epoch, run.state, run.stage, run.plan, run.plan_reason, run.params,
  run.request_id, run.upload_id, run.listed, run.created, run.updated, run.unchanged, run.drafts,
  run.unselected, run.skipped, run.removed, run.held, run.requests, run.bytes, run.budget_wait_ms,
  run.wait_pace_ms, run.wait_window_ms, run.wait_in_flight_ms, run.wait_blocked_ms, run.wait_put_off_ms,
  run.remote_count, run.files, run.digest, run.waiting_for, run.waiting_kind, run.audit_reason, run.error, run.created_at, run.started_at,
  run.finished_at";

/// Of what kind a wait is. Rows of the version before have a reason alone.
pub(crate) fn waiting_kind(row: &AnyRow) -> Result<Option<WaitKind>, StoreError> {
    if row.try_get::<Option<String>, _>("waiting_for")?.is_none() {
        return Ok(None);
    }
    Ok(Some(decode::named_if_any(row, "run", "waiting_kind")?.unwrap_or(WaitKind::Other)))
}

pub(crate) fn run_of(row: &AnyRow) -> Result<Run, StoreError> {
    let connection = row.try_get("connection_id")?;
    Ok(Run {
        id: RunId(row.try_get("id")?),
        organization: OrganizationId(row.try_get("organization_id")?),
        customer: CustomerId(row.try_get("customer_id")?),
        customer_external_id: row.try_get("run_customer")?,
        subdomain: row.try_get("run_subdomain")?,
        connection: ConnectionId(connection),
        source: ConnectionId(row.try_get::<Option<i64>, _>("source_id")?.unwrap_or(connection)),
        brand: row.try_get("brand")?,
        kind: decode::named(row, "run", "kind")?,
        trigger: decode::named(row, "run", "trigger_name")?,
        lane: decode::named(row, "run", "lane")?,
        epoch: row.try_get("epoch")?,
        state: decode::named(row, "run", "state")?,
        stage: decode::named(row, "run", "stage")?,
        plan: decode::named_if_any(row, "run", "plan")?,
        plan_reason: row.try_get("plan_reason")?,
        params: decode::json(row, "run", "params")?,
        request_id: row.try_get("request_id")?,
        upload_id: row.try_get("upload_id")?,
        counters: counters_of(row)?,
        waiting_for: row.try_get("waiting_for")?,
        waiting_kind: waiting_kind(row)?,
        audit_reason: row.try_get("audit_reason")?,
        files: row.try_get("files")?,
        digest: row.try_get("digest")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

/// Whose runs are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsOf {
    /// All of the organization's.
    Organization,
    /// Those of a connection and its brands.
    Connection(ConnectionId),
    /// Those of a customer, also of workspaces that are disconnected.
    Customer(CustomerId),
}

impl AdminStore {
    /// Makes a run, or finds the one under way that serves the same request.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the connection is not active.
    pub async fn request_run(
        &self,
        organization: OrganizationId,
        request: &RunRequest,
    ) -> Result<RunRequested, StoreError> {
        let mut write = self.write().await?;
        let home = Home::lock(&mut write, request.connection, Some(organization)).await?;
        let requested = insert_with_brands(&mut write, &home, request).await?;
        write.commit().await?;
        Ok(requested)
    }

    /// One run of an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn run(&self, organization: OrganizationId, id: RunId) -> Result<Run, StoreError> {
        let shown = shown_run();
        let row = sqlx::query(sql(format!("select {shown} from run where id = $1 and organization_id = $2")));
        let row = row.bind(id.0).bind(organization.0).fetch_optional(&self.pool).await?;
        shown_run_of(&row.ok_or(StoreError::NotFound(Entity::Run))?)
    }

    /// The newest `limit` runs of an organization, of one connection and its brands if given, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn runs(
        &self,
        organization: OrganizationId,
        connection: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let of = connection.map_or(RunsOf::Organization, RunsOf::Connection);
        self.runs_before(organization, of, None, limit).await
    }

    /// The newest `limit` runs with an id below `before`, newest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn runs_before(
        &self,
        organization: OrganizationId,
        of: RunsOf,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let (condition, whose) = match of {
            RunsOf::Organization => ("cast($2 as bigint) is null", None),
            RunsOf::Connection(connection) => (
                "connection_id in (select id from connection where id = $2 or parent_id = $2)",
                Some(connection.0),
            ),
            RunsOf::Customer(customer) => {
                ("connection_id in (select id from connection where customer_id = $2)", Some(customer.0))
            }
        };
        let shown = shown_run();
        sqlx::query(sql(format!(
            "select {shown} from run where organization_id = $1 and id < $3 and {condition}
             order by id desc limit $4"
        )))
        .bind(organization.0)
        .bind(whose)
        .bind(before.map_or(i64::MAX, |before| before.0))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(shown_run_of)
        .collect()
    }

    /// Stops every run of a connection and its brands at once; work in flight changes nothing any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn cancel_runs(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        check_owner(&mut write, organization, connection, Entity::DataSource).await?;
        cancel_active(&mut write, connection, "cancelled by request").await?;
        sqlx::query(sql(format!(
            "update connection set sync_status = $2, last_sync_action = $3, last_synced_at = $4, updated_at = $4
             where id in {FAMILY} and state = {ACTIVE_CONNECTION}"
        )))
        .bind(connection.0)
        .bind(DataSourceStatus::Ready.as_str())
        .bind(SyncAction::Cancel.as_str())
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}

/// Inserts the run that serves `request`; a sync is one of the connection's selected brands as well. Answers with its own.
pub(crate) async fn insert_run(write: &mut Write, request: &RunRequest) -> Result<RunRequested, StoreError> {
    let home = Home::lock(write, request.connection, None).await?;
    insert_with_brands(write, &home, request).await
}

async fn insert_with_brands(
    write: &mut Write,
    home: &Home,
    request: &RunRequest,
) -> Result<RunRequested, StoreError> {
    let inserted = insert_at(write, home, request).await?;
    if request.kind != Some(RunKind::Resync) && inserted.has_brands {
        for brand in selected_brands(write, request.connection).await? {
            insert_one(write, &RunRequest { connection: brand, ..request.clone() }).await?;
        }
    }
    Ok(inserted.requested)
}

/// Inserts the run that serves `request` for one connection alone, its first shard and its announcement.
pub(crate) async fn insert_one(write: &mut Write, request: &RunRequest) -> Result<RunRequested, StoreError> {
    let home = Home::lock(write, request.connection, None).await?;
    Ok(insert_at(write, &home, request).await?.requested)
}

/// What came of inserting a run.
struct Inserted {
    requested: RunRequested,
    /// The connection may have brands.
    has_brands: bool,
}

/// [`insert_one`] for a connection whose row is locked, so that no equal run can appear meanwhile.
async fn insert_at(write: &mut Write, home: &Home, request: &RunRequest) -> Result<Inserted, StoreError> {
    let kind = request.kind.unwrap_or(if home.high_water.is_some() { RunKind::Delta } else { RunKind::Full });
    let new = NewRun::of(home, request, kind)?;
    if let Some((run, has_brands)) = new.insert(write).await? {
        return Ok(Inserted { requested: RunRequested { run, created: true, serves: true }, has_brands });
    }
    let (run, serves) = join_active(write, request).await?;
    Ok(Inserted { requested: RunRequested { run, created: false, serves }, has_brands: true })
}

/// The active sync of the connection, and whether it serves the request. What it does not serve is kept with it for its
/// successor.
async fn join_active(write: &mut Write, request: &RunRequest) -> Result<(RunId, bool), StoreError> {
    let active_row = sqlx::query(sql(format!(
        "select {RUN}, run.pending_request from run where connection_id = $1 and kind in {SYNC} and state in {ACTIVE_RUN}"
    )))
    .bind(request.connection.0)
    .fetch_one(&mut *write.tx)
    .await?;
    let (active, wanted) = (run_of(&active_row)?, PendingRequest::of(request));
    let serves = wanted.is_served_by(&active);
    if !serves {
        let kept: Option<String> = active_row.try_get("pending_request")?;
        let wanted = serde_json::to_string(&wanted.with(kept.as_deref())).map_err(StoreError::unwritable)?;
        sqlx::query("update run set pending_request = $2 where id = $1")
            .bind(active.id.0)
            .bind(wanted)
            .execute(&mut *write.tx)
            .await?;
    }
    wake::asked_for(write, request.connection).await?;
    Ok((active.id, serves))
}

/// Ends every active run of a connection and of its brands as cancelled, with all their shards.
pub(crate) async fn cancel_active(
    write: &mut Write,
    connection: ConnectionId,
    reason: &str,
) -> Result<(), StoreError> {
    // The connections' rows first, as everywhere.
    lock(write, connection).await?;
    for brand in brands_below(write, connection).await? {
        lock(write, brand).await?;
    }
    let Step { from, to } = Step::of::<ShardState>(ShardEvent::Cancelled);
    sqlx::query(sql(format!(
        "update shard set state = {to}, lease_until = null, updated_at = $2
         where connection_id in {FAMILY} and state in {from}"
    )))
    .bind(connection.0)
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    // Files that waited to be fetched again go back to what is kept of them.
    sqlx::query(sql(format!(
        "update file set status = case when content_hash is null then $3 else $4 end, updated_at = $2
         where connection_id in {FAMILY} and status in ($5, $6)"
    )))
    .bind(connection.0)
    .bind(write.now)
    .bind(FileStatus::ReadyToSync.as_str())
    .bind(FileStatus::Ready.as_str())
    .bind(FileStatus::QueuedForSync.as_str())
    .bind(FileStatus::Syncing.as_str())
    .execute(&mut *write.tx)
    .await?;
    // Nobody finds out any more whether hidden files are gone.
    sqlx::query(sql(format!(
        "update file set hidden_at = null where connection_id in {FAMILY} and hidden_at is not null"
    )))
    .bind(connection.0)
    .execute(&mut *write.tx)
    .await?;
    let Step { from, to } = Step::of::<RunState>(RunEvent::Cancelled);
    let cancelled: Vec<i64> = sqlx::query_scalar(sql(format!(
        "update run set state = {to}, finished_at = $2, error = $3, waiting_for = null, waiting_kind = null
         where connection_id in {FAMILY} and state in {from} returning id"
    )))
    .bind(connection.0)
    .bind(write.now)
    .bind(reason)
    .fetch_all(&mut *write.tx)
    .await?;
    tell_ended(write, &cancelled).await
}
