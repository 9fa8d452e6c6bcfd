//! How customers stand: workspace, files, syncs, and what is under way.

use helpsync_model::{ConnectionId, OrganizationId, Source, WaitKind};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::family::FAMILY;
use crate::db::states::{ACTIVE_RUN, DONE_RUN, FAILED_SHARD, PENDING_SHARD, STATUS_ORDER, SYNC};
use crate::db::{AdminStore, StoreError, sql};
use crate::file::files::readers_of;
use crate::run::held_back::{held_back_of, waits_for};
use crate::run::schedule::auto_sync_of;

/// How a customer stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerState {
    /// Our id.
    pub id: i64,
    /// What the organization calls it.
    pub customer_id: String,
    /// Since when a person has paused its work, in ms.
    pub paused_at: Option<i64>,
    /// Whether it is synced by itself, by its own setting or its organization's.
    pub is_scheduled: bool,
    /// Hours between its scheduled syncs, if it has an interval of its own.
    pub interval_hours: Option<i64>,
    /// Files shown.
    pub files: i64,
    /// Its connected workspace.
    pub workspace: Option<WorkspaceState>,
}

/// How a connected workspace stands, its brands included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceState {
    /// The connection.
    pub connection: ConnectionId,
    /// The workspace.
    pub subdomain: String,
    /// `active` or `paused`: the grant has ended.
    pub state: String,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// What its grant allows, as Zendesk said it.
    pub scopes: String,
    /// Who granted it.
    pub account_label: String,
    /// When everything was last listed, in ms.
    pub listed_at: Option<i64>,
    /// What its newest run is doing, in Carbon's words.
    pub sync_status: String,
    /// When a sync last ended well, in ms.
    pub complete_at: Option<i64>,
    /// When its schedule fires next, in ms.
    pub next_sync_at: Option<i64>,
    /// Files whose removal waits for a person.
    pub held: i64,
    /// Shards that gave up.
    pub dead_letters: i64,
    /// The run under way.
    pub run: Option<i64>,
    /// What that waits for, in words.
    pub waiting_for: Option<String>,
    /// Of what kind that is.
    pub waiting_kind: Option<WaitKind>,
    /// Until when, in ms; a time that has passed: for a free worker.
    pub waiting_until: Option<i64>,
    /// What is wrong with Zendesk's events, if anything: changes then come with the next sync.
    pub events_error: Option<String>,
}

/// A file whose removal waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFile {
    /// Its id.
    pub id: i64,
    /// Zendesk's.
    pub article_id: i64,
    /// Its title.
    pub name: String,
    /// Where it was.
    pub external_url: Option<String>,
    /// Since when, in ms.
    pub held_at: i64,
    /// Who may read it; empty: everybody.
    pub user_segment_ids: Vec<i64>,
}

/// A customer's connection, and its brands.
const FAMILY_OF: &str = "(select member.id from connection as member
    where member.id = connection.id or member.parent_id = connection.id)";

pub(crate) fn select_state() -> String {
    let of_run = |column: &str| {
        format!(
            "(select run.{column} from run where run.connection_id in {FAMILY_OF} and run.state in {ACTIVE_RUN}
                and run.waiting_for is not null order by run.id desc limit 1) as {column}"
        )
    };
    let (reason, kind) = (of_run("waiting_for"), of_run("waiting_kind"));
    let person = held_back_of(&format!(
        "from run where run.connection_id in {FAMILY_OF} and run.state in {ACTIVE_RUN}"
    ));
    format!(
        "select customer.id, customer.external_id, customer.paused_at, customer.interval_hours,
           coalesce(customer.auto_sync, (select organization.auto_sync from organization
             where organization.id = customer.organization_id)) as auto_sync,
           connection.id as connection_id, connection.subdomain, connection.state, connection.pause_reason,
           connection.next_sync_at, connection.scopes, connection.account_label, connection.source_items_synced_at,
           (select cast(coalesce(sum(kept_total.files), 0) as bigint) from kept_total
            where kept_total.customer_id = customer.id) as files,
           (select member.sync_status from connection as member
            where member.id = connection.id or member.parent_id = connection.id
            order by case member.sync_status {STATUS_ORDER} end limit 1) as family_status,
           (select run.finished_at from run where run.connection_id = connection.id and run.kind in {SYNC}
              and run.state = {DONE_RUN} order by run.id desc limit 1) as complete_at,
           (select count(*) from file where file.connection_id in {FAMILY_OF} and held_at is not null) as held,
           (select count(*) from shard where shard.connection_id in {FAMILY_OF} and shard.state = {FAILED_SHARD})
             as dead_letters,
           (select max(run.id) from run where run.connection_id in {FAMILY_OF} and run.state in {ACTIVE_RUN})
             as active_run,
           {reason}, {kind}, {person},
           (select min(shard.due_at) from shard where shard.connection_id in {FAMILY_OF}
              and shard.state = {PENDING_SHARD}) as waiting_until,
           (select event_subscription.error from event_subscription
            where event_subscription.connection_id = connection.id) as events_error
         from customer left join connection on connection.customer_id = customer.id
           and connection.parent_id is null and connection.disconnected_at is null"
    )
}

fn workspace_of(row: &AnyRow, connection: ConnectionId) -> Result<WorkspaceState, StoreError> {
    let (waiting_for, waiting_kind) = waits_for(row)?;
    let is_paused = waiting_kind == Some(WaitKind::Person);
    Ok(WorkspaceState {
        connection,
        subdomain: row.try_get("subdomain")?,
        state: row.try_get("state")?,
        pause_reason: row.try_get("pause_reason")?,
        scopes: row.try_get("scopes")?,
        account_label: row.try_get("account_label")?,
        listed_at: row.try_get("source_items_synced_at")?,
        sync_status: row.try_get("family_status")?,
        complete_at: row.try_get("complete_at")?,
        next_sync_at: row.try_get("next_sync_at")?,
        held: row.try_get("held")?,
        dead_letters: row.try_get("dead_letters")?,
        run: row.try_get("active_run")?,
        waiting_for,
        waiting_kind,
        // When its work is due says nothing of when a person resumes it.
        waiting_until: if is_paused { None } else { row.try_get("waiting_until")? },
        events_error: row.try_get("events_error")?,
    })
}

pub(crate) fn state_of(row: &AnyRow) -> Result<CustomerState, StoreError> {
    let connection: Option<i64> = row.try_get("connection_id")?;
    let workspace = match connection {
        None => None,
        Some(id) => Some(workspace_of(row, ConnectionId(id))?),
    };
    Ok(CustomerState {
        id: row.try_get("id")?,
        customer_id: row.try_get("external_id")?,
        paused_at: row.try_get("paused_at")?,
        is_scheduled: auto_sync_of(row.try_get("auto_sync")?).covers(Source::Zendesk),
        interval_hours: row.try_get("interval_hours")?,
        files: row.try_get("files")?,
        workspace,
    })
}

impl AdminStore {
    /// How a customer stands; `None`: the organization has none of that name.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn customer_state(
        &self,
        organization: OrganizationId,
        external_id: &str,
    ) -> Result<Option<CustomerState>, StoreError> {
        let statement = sql(format!(
            "{} where customer.organization_id = $1 and customer.external_id = $2",
            select_state()
        ));
        let row =
            sqlx::query(statement).bind(organization.0).bind(external_id).fetch_optional(&self.pool).await?;
        row.as_ref().map(state_of).transpose()
    }

    /// Up to `limit` files of a connection and its brands whose removal is held, with an id above `after`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn held_files(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<HeldFile>, StoreError> {
        let rows = sqlx::query(sql(format!(
            "select id, article_id, name, external_url, held_at, user_segment_id, user_segment_ids from file
             where connection_id in {FAMILY} and organization_id = $2 and held_at is not null and id > $3
             order by id limit $4"
        )))
        .bind(connection.0)
        .bind(organization.0)
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let held_of = |row: &AnyRow| {
            Ok(HeldFile {
                id: row.try_get("id")?,
                article_id: row.try_get("article_id")?,
                name: row.try_get("name")?,
                external_url: row.try_get("external_url")?,
                held_at: row.try_get("held_at")?,
                user_segment_ids: readers_of(row)?,
            })
        };
        rows.iter().map(held_of).collect()
    }
}
