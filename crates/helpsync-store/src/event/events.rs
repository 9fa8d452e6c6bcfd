//! Announcements, written in the transaction of the change that they announce.

use helpsync_model::{ConnectionId, CustomerId, EventKind, OrganizationId};
use helpsync_telemetry::trace;
use serde_json::{Value, json};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::{Dialect, StoreError, WebhookStore, Write, decode, integer, placeholders, sql, text};

/// An announcement to be written.
pub(crate) struct NewEvent<'a> {
    pub(crate) organization: OrganizationId,
    pub(crate) customer: CustomerId,
    pub(crate) connection: ConnectionId,
    pub(crate) kind: EventKind,
    /// `DATA_SOURCE`, `FILE`, `FILE_LIST`, `ORGANIZATION_USER` or `UPLOAD_REQUEST_ID`.
    pub(crate) object_type: &'a str,
    pub(crate) object_id: String,
    pub(crate) detail: Value,
}

/// A written announcement.
#[derive(Debug, Clone)]
pub struct Event {
    /// Ever growing; page with it.
    pub id: i64,
    /// Whose; none if it concerns the organization, or the customer is gone.
    pub customer: Option<CustomerId>,
    /// Of which connection, if of one.
    pub connection: Option<ConnectionId>,
    /// What happened.
    pub kind: EventKind,
    /// Carbon's object kind, for example `FILE`.
    pub object_type: String,
    /// The object's id; a JSON array of ids for list kinds.
    pub object_id: String,
    /// More about it, for example `is_resync`.
    pub detail: Value,
    /// When, in ms.
    pub created_at: i64,
    /// W3C trace context of the work that it tells of, if that was traced.
    pub traceparent: Option<String>,
}

/// Whom announcements concern.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) organization: OrganizationId,
    pub(crate) customer: CustomerId,
    pub(crate) connection: ConnectionId,
}

/// Writes an announcement. One of a brand is one of the connection that people know.
pub(crate) async fn record(write: &mut Write, event: NewEvent<'_>) -> Result<(), StoreError> {
    let query = sqlx::query(sql(insert(1)));
    event.bind(write.now, query).execute(&mut *write.tx).await?;
    Ok(())
}

/// Whether nobody is to be told of an announcement, so that it need not be written once more for those who are. A webhook
/// that is being added waits for whoever writes one ([`WebhookStore::add_webhook`]).
fn untold(organization: &str) -> String {
    format!(
        "case when exists (select 1 from webhook where webhook.organization_id = {organization} and deleted_at is null)
           then 0 else 1 end"
    )
}

/// What writes an announcement: nine placeholders from `first` on, as [`NewEvent::bind`] binds them.
pub(crate) fn insert(first: usize) -> String {
    let [organization, customer, connection, kind, object_type, object_id, detail, created_at, traceparent] =
        placeholders(first);
    format!(
        "insert into event (organization_id, customer_id, connection_id, kind, object_type, object_id, detail, created_at,
           traceparent, fanned_out)
         values ({organization}, {customer},
           coalesce((select parent_id from connection where id = {connection}), {connection}), {kind}, {object_type},
           {object_id}, {detail}, {created_at}, {traceparent}, {})",
        untold(&organization)
    )
}

impl NewEvent<'_> {
    /// As [`rows_of`] takes it.
    pub(crate) fn announced(&self) -> Announced<'_> {
        Announced {
            kind: self.kind,
            object_type: self.object_type,
            object_id: &self.object_id,
            detail: &self.detail,
        }
    }

    /// Binds what [`insert`] names; `now` in ms.
    pub(crate) fn bind<'q>(
        self,
        now: i64,
        query: Query<'q, Any, AnyArguments>,
    ) -> Query<'q, Any, AnyArguments> {
        query
            .bind(self.organization.0)
            .bind(self.customer.0)
            .bind(self.connection.0)
            .bind(self.kind.as_str())
            .bind(self.object_type.to_owned())
            .bind(self.object_id)
            .bind(self.detail.to_string())
            .bind(now)
            .bind(trace::current())
    }
}

/// Writes many announcements of one kind, in their order: each an object's id and its detail.
pub(crate) async fn record_all(
    write: &mut Write,
    owner: Owner,
    kind: EventKind,
    object_type: &str,
    objects: &[(String, Value)],
) -> Result<(), StoreError> {
    let objects = objects.iter().map(|(id, detail)| Announced { kind, object_type, object_id: id, detail });
    record_each(write, owner, &objects.collect::<Vec<_>>()).await
}

/// An announcement beside others of one owner.
pub(crate) struct Announced<'a> {
    pub(crate) kind: EventKind,
    /// As of [`NewEvent`].
    pub(crate) object_type: &'a str,
    pub(crate) object_id: &'a str,
    pub(crate) detail: &'a Value,
}

/// Writes announcements of one owner, in their order.
pub(crate) async fn record_each(
    write: &mut Write,
    owner: Owner,
    announced: &[Announced<'_>],
) -> Result<(), StoreError> {
    if announced.is_empty() {
        return Ok(());
    }
    sqlx::query(sql(insert_each(write.dialect, "true", ["$1", "$2", "$3", "$4", "$5", "$6"])))
        .bind(owner.organization.0)
        .bind(owner.customer.0)
        .bind(owner.connection.0)
        .bind(write.now)
        .bind(rows_of(announced))
        .bind(trace::current())
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Announcements as [`insert_each`] takes them.
pub(crate) fn rows_of(announced: &[Announced<'_>]) -> String {
    let rows = announced.iter().enumerate().map(|(number, one)| {
        json!({ "number": number, "kind": one.kind.as_str(), "object_type": one.object_type,
            "object_id": one.object_id, "detail": one.detail.to_string() })
    });
    Value::from_iter(rows).to_string()
}

/// What writes announcements of one owner, in their order, if `given` is true; placeholders.
pub(crate) fn insert_each(
    dialect: Dialect,
    given: &str,
    [organization, customer, connection, now, rows, traceparent]: [&str; 6],
) -> String {
    let columns = [integer("number"), text("kind"), text("object_type"), text("object_id"), text("detail")];
    format!(
        "insert into event (organization_id, customer_id, connection_id, kind, object_type, object_id, detail, created_at,
           traceparent, fanned_out)
         select {organization}, {customer}, coalesce((select parent_id from connection where id = {connection}), {connection}),
           kind, object_type, object_id, detail, {now}, cast({traceparent} as text), {}
         from {} where {given} order by number",
        untold(organization),
        dialect.json_rows(rows, &columns)
    )
}

impl WebhookStore {
    /// Up to `limit` announcements of an organization with an id above `after`, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn events(
        &self,
        organization: OrganizationId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>, StoreError> {
        let statement =
            format!("select {EVENT} from event where organization_id = $1 and id > $2 order by id limit $3");
        self.page(statement, organization, after, limit, event_of).await
    }

    /// Announces what concerns a whole organization and no customer, such as finished statistics.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn announce(&self, organization: OrganizationId, kind: EventKind) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        sqlx::query(sql(format!(
            "insert into event (organization_id, kind, object_type, object_id, created_at, fanned_out)
             values ($1, $2, 'NONE', 'null', $3, {})",
            untold("$1")
        )))
        .bind(organization.0)
        .bind(kind.as_str())
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}

/// In the transaction that deletes a customer, before its rows go: its announcements stay and can still be sent, and
/// the last of them says that it is gone.
pub(crate) async fn outlive_customer(
    write: &mut Write,
    organization: OrganizationId,
    customer: CustomerId,
    external_id: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update event set customer_external_id = $2, customer_id = null, connection_id = null where customer_id = $1",
    )
    .bind(customer.0)
    .bind(external_id)
    .execute(&mut *write.tx)
    .await?;
    sqlx::query(sql(format!(
        "insert into event (organization_id, customer_external_id, kind, object_type, object_id, created_at, fanned_out)
         values ($1, $2, $3, 'ORGANIZATION_USER', $4, $5, {})",
        untold("$1")
    )))
    .bind(organization.0)
    .bind(external_id)
    .bind(EventKind::OrganizationUserDeleted.as_str())
    .bind(customer.to_string())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// What [`event_of`] reads.
pub(crate) const EVENT: &str =
    "event.id, event.customer_id, event.connection_id, event.kind, event.object_type, event.object_id,
  event.detail, event.created_at, event.traceparent";

pub(crate) fn event_of(row: &AnyRow) -> Result<Event, StoreError> {
    let customer: Option<i64> = row.try_get("customer_id")?;
    let connection: Option<i64> = row.try_get("connection_id")?;
    Ok(Event {
        id: row.try_get("id")?,
        customer: customer.map(CustomerId),
        connection: connection.map(ConnectionId),
        kind: decode::named(row, "event", "kind")?,
        object_type: row.try_get("object_type")?,
        object_id: row.try_get("object_id")?,
        detail: decode::json(row, "event", "detail")?,
        created_at: row.try_get("created_at")?,
        traceparent: row.try_get("traceparent")?,
    })
}
