//! The rows of a new run: itself, its first shard, what its connection shows of it, and its announcement.

use helpsync_model::{DataSourceStatus, EventKind, RunId, RunKind, RunState, ShardState, Stage, SyncAction};
use helpsync_telemetry::trace;
use serde_json::json;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::{Dialect, StoreError, Write, sql};
use crate::event::events::{self, NewEvent};
use crate::run::home::Home;
use crate::run::runs::RunRequest;

/// A run that is to be inserted for a connection whose row is locked.
pub(crate) struct NewRun<'a> {
    home: &'a Home,
    request: &'a RunRequest,
    kind: RunKind,
    stage: Stage,
    /// Of the request, as the column holds them.
    params: String,
    /// The kind of the first shard, which is its key too.
    first: &'static str,
    /// Of the first shard.
    shard_params: String,
    traceparent: Option<String>,
}

impl<'a> NewRun<'a> {
    pub(crate) fn of(home: &'a Home, request: &'a RunRequest, kind: RunKind) -> Result<Self, StoreError> {
        // The beginning of its trace, or what it is to whoever asked for it.
        let span = tracing::info_span!("run", %kind, trigger = %request.trigger, connection = %home.id);
        let (stage, first) = Stage::first(kind, &request.params);
        Ok(Self {
            home,
            request,
            kind,
            stage,
            params: serde_json::to_string(&request.params).map_err(StoreError::unwritable)?,
            first: first.as_str(),
            shard_params: request.params.first_shard(first).to_json().map_err(StoreError::unwritable)?,
            traceparent: trace::parent_of(&span),
        })
    }

    /// Inserts it, unless a sync of the connection is under way. Answers its id, and whether the connection has brands.
    pub(crate) async fn insert(&self, write: &mut Write) -> Result<Option<(RunId, bool)>, StoreError> {
        match write.dialect {
            Dialect::Postgres => self.insert_at_once(write).await,
            Dialect::Sqlite => self.insert_in_parts(write).await,
        }
    }

    async fn insert_at_once(&self, write: &mut Write) -> Result<Option<(RunId, bool)>, StoreError> {
        let given = "exists (select 1 from run)";
        let shown =
            format!("shown as ({} and {given} returning id), ", shown_sql(["$3", "$18", "$19", "$13"]));
        let announced = events::insert_each(write.dialect, given, ["$1", "$2", "$3", "$13", "$20", "$23"]);
        let announced = format!("announced as ({announced} returning id), ");
        let event = self.event();
        let text = format!(
            "with run as ({RUN_SQL} returning id), {}{}added as ({} returning id)
             select run.id, {BRANDS} from run cross join added",
            if self.shows() { shown.as_str() } else { "" },
            if event.is_some() { announced.as_str() } else { "" },
            shard_sql("(select id from run)", ["$3", "$17", "$6", "$21", "$22", "$13"], given),
        );
        let query = self.bind_run(write.now, sqlx::query(sql(text))).bind(self.first);
        let query = query.bind(DataSourceStatus::Queued.as_str()).bind(SyncAction::Update.as_str());
        let events: Vec<_> = event.iter().map(NewEvent::announced).collect();
        let query = query.bind(events::rows_of(&events));
        let query = query.bind(ShardState::Pending.as_str()).bind(&self.shard_params).bind(trace::current());
        let row = query.fetch_optional(&mut *write.tx).await?;
        row.as_ref().map(inserted).transpose()
    }

    async fn insert_in_parts(&self, write: &mut Write) -> Result<Option<(RunId, bool)>, StoreError> {
        let query = format!("{RUN_SQL} returning id, {BRANDS}");
        let row = self.bind_run(write.now, sqlx::query(sql(query))).fetch_optional(&mut *write.tx).await?;
        let Some((run, has_brands)) = row.as_ref().map(inserted).transpose()? else { return Ok(None) };
        let shard = shard_sql("$1", ["$2", "$3", "$4", "$5", "$6", "$7"], "true");
        sqlx::query(sql(shard))
            .bind(run.0)
            .bind(self.home.id.0)
            .bind(self.first)
            .bind(self.lane())
            .bind(ShardState::Pending.as_str())
            .bind(&self.shard_params)
            .bind(write.now)
            .execute(&mut *write.tx)
            .await?;
        if self.shows() {
            sqlx::query(sql(shown_sql(["$1", "$2", "$3", "$4"])))
                .bind(self.home.id.0)
                .bind(DataSourceStatus::Queued.as_str())
                .bind(SyncAction::Update.as_str())
                .bind(write.now)
                .execute(&mut *write.tx)
                .await?;
        }
        if let Some(event) = self.event() {
            events::record(write, event).await?;
        }
        Ok(Some((run, has_brands)))
    }

    /// Binds what [`RUN_SQL`] names.
    fn bind_run<'q>(&'q self, now: i64, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        let Self { home, request, .. } = self;
        query
            .bind(home.organization.0)
            .bind(home.customer.0)
            .bind(home.id.0)
            .bind(self.kind.as_str())
            .bind(request.trigger.as_str())
            .bind(self.lane())
            .bind(home.epoch)
            .bind(RunState::Queued.as_str())
            .bind(self.stage.as_str())
            .bind(&self.params)
            .bind(&request.request_id)
            .bind(&request.upload_id)
            .bind(now)
            .bind(home.parent)
            .bind(home.parent.is_some().then_some(&home.subdomain))
            .bind(&self.traceparent)
    }

    fn lane(&self) -> &'static str {
        self.request.lane.of_run(self.kind).as_str()
    }

    /// Whether the connection shows it.
    fn shows(&self) -> bool {
        self.kind != RunKind::Resync
    }

    /// A sync is announced, of the connection that people know.
    fn event(&self) -> Option<NewEvent<'static>> {
        let home = self.home;
        (self.shows() && home.parent.is_none()).then(|| NewEvent {
            organization: home.organization,
            customer: home.customer,
            connection: home.id,
            kind: EventKind::Update,
            object_type: "DATA_SOURCE",
            object_id: home.id.to_string(),
            detail: json!({ "request_id": self.request.request_id }),
        })
    }
}

const RUN_SQL: &str =
    "insert into run (organization_id, customer_id, connection_id, kind, trigger_name, lane, epoch, state, stage,
    params, request_id, upload_id, created_at, progress_at, source_id, brand, traceparent)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, $15, $16) on conflict do nothing";

/// How many brands the connection `$3` has.
const BRANDS: &str = "(select count(*) from connection as brand where brand.parent_id = $3) as brands";

/// What inserts the first shard, if `given` is true: placeholders of the connection, the kind, the lane, the state, the
/// parameters and the time.
fn shard_sql(run: &str, [connection, kind, lane, state, params, now]: [&str; 6], given: &str) -> String {
    format!(
        "insert into shard (run_id, connection_id, key, kind, lane, state, params, due_at, created_at, updated_at)
         select {run}, {connection}, {kind}, {kind}, {lane}, {state}, {params}, {now}, {now}, {now} where {given}"
    )
}

/// What shows on the connection that a sync is to come: placeholders of it, the status, the action and the time.
fn shown_sql([connection, status, action, now]: [&str; 4]) -> String {
    format!(
        "update connection set sync_status = {status}, last_sync_action = {action}, last_synced_at = {now},
           files_synced_at = {now}, updated_at = {now} where id = {connection}"
    )
}

fn inserted(row: &AnyRow) -> Result<(RunId, bool), StoreError> {
    Ok((RunId(row.try_get("id")?), row.try_get::<i64, _>("brands")? > 0))
}
