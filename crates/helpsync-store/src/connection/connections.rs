//! Connections (Carbon: data sources) as outside programs see them.

use helpsync_model::{
    ConnectionEvent, ConnectionId, ConnectionState, CustomerId, DataSourceStatus, EventKind, OrganizationId,
    SyncAction, WaitKind,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::audit;
use crate::db::conditions::Conditions;
use crate::db::family::{FAMILY, follow, lock};
use crate::db::states::{ACTIVE_RUN, EXPORT_LOST, STATUS_ORDER, SYNC, Step};
use crate::db::{AdminStore, Entity, StoreError, TokenStore, decode, sql};
use crate::event::events::{self, NewEvent};
use crate::filter::tag_filter::TagFilter;
use crate::run::held_back::{held_back_of, waits_for};
use crate::run::runs::cancel_active;

/// A customer's connection to a Zendesk workspace.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// The organization's id for the customer.
    pub customer_external_id: String,
    /// The workspace.
    pub subdomain: String,
    /// How people know the account.
    pub account_label: String,
    /// What it can do.
    pub state: ConnectionState,
    /// Why it cannot, if it is paused.
    pub pause_reason: Option<String>,
    /// What its newest run is doing.
    pub sync_status: DataSourceStatus,
    /// What last happened to it.
    pub last_sync_action: SyncAction,
    /// ms.
    pub last_synced_at: i64,
    /// ms of the last complete listing.
    pub source_items_synced_at: Option<i64>,
    /// ms when files were last queued.
    pub files_synced_at: Option<i64>,
    /// Whether a person has paused its customer's work.
    pub is_customer_paused: bool,
    /// What a sync of it or of its brands waits for, in words.
    pub waiting_for: Option<String>,
    /// Of what kind that is.
    pub waiting_kind: Option<WaitKind>,
    /// When its schedule fires next, in ms.
    pub next_sync_at: Option<i64>,
    /// The caller's tags.
    pub tags: Value,
    /// What its syncs were asked to do.
    pub sync_options: Value,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// The column that a listing of connections is ordered by; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConnectionOrder {
    /// When it was made.
    CreatedAt,
    /// When it last changed.
    #[default]
    UpdatedAt,
}

/// Which connections to list.
#[derive(Debug, Clone)]
pub struct ConnectionQuery {
    /// Whose.
    pub organization: OrganizationId,
    /// Of one customer only.
    pub customer: Option<CustomerId>,
    /// These only.
    pub ids: Option<Vec<i64>>,
    /// Only revoked ones, or only others.
    pub revoked: Option<bool>,
    /// Only ids above this.
    pub starting_id: i64,
    /// Ordered by.
    pub order: ConnectionOrder,
    /// Largest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// What is shown of a connection's state is that of its brands as well: under way while any of them is.
fn select_shown() -> String {
    let of_run = |column: &str| {
        format!(
            "(select run.{column} from run join connection as member on member.id = run.connection_id
              where (member.id = connection.id or member.parent_id = connection.id) and run.kind in {SYNC}
                and run.state in {ACTIVE_RUN} and run.waiting_for is not null order by run.id desc limit 1) as {column}"
        )
    };
    let (reason, kind) = (of_run("waiting_for"), of_run("waiting_kind"));
    let person = held_back_of(&format!(
        "from run join connection as member on member.id = run.connection_id
         where (member.id = connection.id or member.parent_id = connection.id) and run.kind in {SYNC}
           and run.state in {ACTIVE_RUN}"
    ));
    format!(
        "select connection.id, connection.organization_id, connection.customer_id, connection.subdomain,
           connection.account_label, connection.state, connection.pause_reason, connection.last_sync_action,
           connection.last_synced_at, connection.source_items_synced_at, connection.files_synced_at,
           connection.next_sync_at, connection.tags, connection.sync_options, connection.created_at,
           connection.updated_at,
           customer.external_id, customer.paused_at as customer_paused_at,
           (select member.sync_status from connection as member
            where member.id = connection.id or member.parent_id = connection.id
            order by case member.sync_status {STATUS_ORDER} end limit 1) as family_status,
           {reason}, {kind}, {person}
         from connection join customer on customer.id = connection.customer_id"
    )
}

fn connection_of(row: &AnyRow) -> Result<Connection, StoreError> {
    let (waiting_for, waiting_kind) = waits_for(row)?;
    Ok(Connection {
        id: ConnectionId(row.try_get("id")?),
        organization: OrganizationId(row.try_get("organization_id")?),
        customer: CustomerId(row.try_get("customer_id")?),
        customer_external_id: row.try_get("external_id")?,
        subdomain: row.try_get("subdomain")?,
        account_label: row.try_get("account_label")?,
        state: decode::named(row, "connection", "state")?,
        pause_reason: row.try_get("pause_reason")?,
        sync_status: decode::named(row, "connection", "family_status")?,
        last_sync_action: decode::named(row, "connection", "last_sync_action")?,
        last_synced_at: row.try_get("last_synced_at")?,
        source_items_synced_at: row.try_get("source_items_synced_at")?,
        files_synced_at: row.try_get("files_synced_at")?,
        is_customer_paused: row.try_get::<Option<i64>, _>("customer_paused_at")?.is_some(),
        waiting_for,
        waiting_kind,
        next_sync_at: row.try_get("next_sync_at")?,
        tags: decode::json(row, "connection", "tags")?,
        sync_options: decode::json(row, "connection", "sync_options")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl AdminStore {
    /// One connection of an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn connection(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<Connection, StoreError> {
        let row = sqlx::query(sql(format!(
            "{} where connection.id = $1 and connection.organization_id = $2 and connection.parent_id is null", select_shown()
        )))
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&self.pool)
        .await?;
        connection_of(&row.ok_or(StoreError::NotFound(Entity::DataSource))?)
    }

    /// A page of connections, and how many match before paging.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn connections(&self, query: &ConnectionQuery) -> Result<(Vec<Connection>, i64), StoreError> {
        self.tagged_connections(query, None).await
    }

    /// As [`AdminStore::connections`], with a condition on their tags.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tagged_connections(
        &self,
        query: &ConnectionQuery,
        tags: Option<&TagFilter>,
    ) -> Result<(Vec<Connection>, i64), StoreError> {
        let mut matching = Conditions::new(self.dialect);
        let organization = matching.integer(query.organization.0);
        matching
            .and(&format!("connection.organization_id = {organization} and connection.parent_id is null"));
        if let Some(customer) = query.customer {
            let customer = matching.integer(customer.0);
            matching.and(&format!("connection.customer_id = {customer}"));
        }
        if let Some(ids) = &query.ids {
            let ids = matching.integers(ids);
            matching.and(&format!("connection.id in {ids}"));
        }
        if query.starting_id > 0 {
            let above = matching.integer(query.starting_id);
            matching.and(&format!("connection.id > {above}"));
        }
        if let Some(revoked) = query.revoked {
            matching.and(if revoked { "disconnected_at is not null" } else { "disconnected_at is null" });
        }
        if let Some(tags) = tags {
            let condition = tags.sql("connection.tags", &mut matching);
            matching.and(&condition);
        }
        let order = match query.order {
            ConnectionOrder::CreatedAt => "created_at",
            ConnectionOrder::UpdatedAt => "updated_at",
        };
        let direction = if query.descending { "desc" } else { "asc" };
        let mut paged = matching.clone();
        let (limit, offset) = (paged.integer(query.limit), paged.integer(query.offset));
        let listing = sql(format!(
            "{} {} order by connection.{order} {direction}, connection.id {direction} limit {limit} offset {offset}",
            select_shown(),
            matching.sql()
        ));
        let found = paged.bind(sqlx::query(listing)).fetch_all(&self.pool).await?;
        let counting = sql(format!("select count(*) as matches from connection {}", matching.sql()));
        let counted = matching.bind(sqlx::query(counting)).fetch_one(&self.pool).await?;
        Ok((found.iter().map(connection_of).collect::<Result<_, _>>()?, counted.try_get("matches")?))
    }

    /// Ends a connection: its token is forgotten here, its runs are stopped, its files stay. Answers with the access
    /// token, so that the caller can revoke it at Zendesk; `None` if there was nothing left to end.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn disconnect(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<Option<SecretString>, StoreError> {
        let connection = self.connection(organization, id).await?;
        let token = TokenStore(self.0.clone()).tokens(id).await?.map(|tokens| tokens.access);
        let mut write = self.write().await?;
        let now = write.now;
        let Step { from, to } = Step::of::<ConnectionState>(ConnectionEvent::Disconnected);
        let ended = sqlx::query(sql(format!(
            "update connection set state = {to}, disconnected_at = $2, epoch = epoch + 1,
               access_token_sealed = null, refresh_token_sealed = null, token_expires_at = null,
               refresh_expires_at = null, token_version = token_version + 1, next_sync_at = null,
               sync_status = $3, last_sync_action = $4, last_synced_at = $2, updated_at = $2
             where id = $1 and state in {from}"
        )))
        .bind(id.0)
        .bind(now)
        .bind(DataSourceStatus::Ready.as_str())
        .bind(SyncAction::Revoke.as_str())
        .execute(&mut *write.tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(None);
        }
        follow(&mut write, id).await?;
        cancel_active(&mut write, id, "the workspace was disconnected").await?;
        let event = NewEvent {
            organization,
            customer: connection.customer,
            connection: id,
            kind: EventKind::Revoke,
            object_type: "DATA_SOURCE",
            object_id: id.to_string(),
            detail: json!({}),
        };
        events::record(&mut write, event).await?;
        write.commit().await?;
        Ok(token)
    }

    /// Notes that a person refused a grant for a workspace that is connected.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_refused_grant(&self, customer: CustomerId, subdomain: &str) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let row = sqlx::query(
            "update connection set last_sync_action = $3, last_synced_at = $4, updated_at = $4
             where customer_id = $1 and subdomain = $2 and disconnected_at is null and parent_id is null
             returning id, organization_id",
        )
        .bind(customer.0)
        .bind(subdomain)
        .bind(SyncAction::Cancel.as_str())
        .bind(now)
        .fetch_optional(&mut *write.tx)
        .await?;
        if let Some(row) = row {
            let connection = ConnectionId(row.try_get("id")?);
            let event = NewEvent {
                organization: OrganizationId(row.try_get("organization_id")?),
                customer,
                connection,
                kind: EventKind::Cancel,
                object_type: "DATA_SOURCE",
                object_id: connection.to_string(),
                detail: json!({}),
            };
            events::record(&mut write, event).await?;
        }
        write.commit().await
    }

    /// Lets the next run remove what is held now, and those of its brands, above the ceiling: what else is missing by then
    /// has to be looked at again. Answers how many that are.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn allow_removals(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<i64, StoreError> {
        self.connection(organization, id).await?;
        let mut write = self.write().await?;
        lock(&mut write, id).await?;
        // A grant whose user lost his role holds back as many as the last run missed, and marks no files.
        let allowed: Vec<i64> = sqlx::query_scalar(sql(format!(
            "update connection set removals_allowed = case when export_access = {EXPORT_LOST}
               then coalesce((select held from run where run.connection_id = connection.id and held > 0
                 order by id desc limit 1), 0)
               else (select count(*) from file where file.connection_id = connection.id and held_at is not null) end
             where id in {FAMILY} returning removals_allowed"
        )))
        .bind(id.0)
        .fetch_all(&mut *write.tx)
        .await?;
        let allowed = allowed.iter().sum::<i64>();
        audit::detail("removals", allowed.into());
        write.commit_if(allowed > 0).await?;
        Ok(allowed)
    }

    /// Keeps the files of a connection and its brands whose removal is held, until a run finds them missing again, and takes
    /// a leave back that no run has used. Answers how many were held.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn refuse_removals(
        &self,
        organization: OrganizationId,
        id: ConnectionId,
    ) -> Result<u64, StoreError> {
        self.connection(organization, id).await?;
        let mut write = self.write().await?;
        lock(&mut write, id).await?;
        let taken_back = sqlx::query(sql(format!(
            "update connection set removals_allowed = 0 where id in {FAMILY} and removals_allowed <> 0"
        )))
        .bind(id.0)
        .execute(&mut *write.tx)
        .await?;
        let kept = sqlx::query(sql(format!(
            "update file set held_at = null where connection_id in {FAMILY} and held_at is not null"
        )))
        .bind(id.0)
        .execute(&mut *write.tx)
        .await?;
        write.commit_if(taken_back.rows_affected() + kept.rows_affected() > 0).await?;
        Ok(kept.rows_affected())
    }
}
