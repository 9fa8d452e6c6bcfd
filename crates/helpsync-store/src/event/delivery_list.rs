//! Deliveries as people meet them: listed, sent again, and pruned in the end.

use std::time::Duration;

use helpsync_model::{
    CustomerId, DeliveryEvent, DeliveryId, DeliveryState, EventKind, OrganizationId, WebhookId,
};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::millis;
use crate::db::states::{DEAD_DELIVERY, Step};
use crate::db::{Entity, StoreError, WebhookStore, Write, decode, sql};

/// Of a customer's events, so many are looked at for a page of its deliveries: not all of them are delivered anywhere.
const EVENTS_LOOKED_AT: i64 = 10_000;
/// What is read of a delivery, with its event.
const SHOWN: &str = "webhook_delivery.id, webhook_delivery.webhook_id, webhook_delivery.event_id, webhook_delivery.state,
  webhook_delivery.failures, webhook_delivery.due_at, webhook_delivery.http_status, webhook_delivery.error,
  webhook_delivery.created_at, webhook_delivery.finished_at, event.kind, event.object_type, event.object_id,
  coalesce((select external_id from customer where customer.id = event.customer_id), event.customer_external_id)
    as customer_external_id";

/// A delivery and what it is about.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// Where to.
    pub webhook: WebhookId,
    /// Which event.
    pub event: i64,
    /// Whom it is about, by the organization's name for them; `None`: the organization.
    pub customer_external_id: Option<String>,
    /// What happened.
    pub kind: EventKind,
    /// To what, for example `FILE`.
    pub object_type: String,
    /// To which; a JSON array of ids for list kinds.
    pub object_id: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// Tries so far.
    pub attempts: i64,
    /// When the next try is due, in ms.
    pub due_at: i64,
    /// What the receiver answered last.
    pub http_status: Option<i64>,
    /// Why the last try failed.
    pub error: Option<String>,
    /// ms.
    pub created_at: i64,
    /// When it was delivered or given up, in ms.
    pub finished_at: Option<i64>,
}

/// Where a customer's deliveries go on: behind this one of this event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryMark {
    /// The event.
    pub event: i64,
    /// The delivery; 0: all of the event's were read.
    pub delivery: i64,
}

/// A part of a customer's deliveries, and where they go on.
#[derive(Debug, Clone)]
pub struct CustomerDeliveries {
    /// The latest event first.
    pub deliveries: Vec<Delivery>,
    /// `None`: that was all.
    pub next: Option<DeliveryMark>,
}

/// How long things are kept.
#[derive(Debug, Clone, Copy)]
pub struct WebhookRetention {
    /// A delivery that has been tried for so long is dead.
    pub retry_age: Duration,
    /// Events, and deliveries that have ended, are forgotten after this.
    pub keep: Duration,
}

/// What a pruning did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhooksPruned {
    /// Deliveries given up because of their age.
    pub expired: u64,
    /// Deliveries forgotten.
    pub deliveries: u64,
    /// Events forgotten.
    pub events: u64,
}

fn delivery_of(row: &AnyRow) -> Result<Delivery, StoreError> {
    Ok(Delivery {
        id: DeliveryId(row.try_get("id")?),
        webhook: WebhookId(row.try_get("webhook_id")?),
        event: row.try_get("event_id")?,
        customer_external_id: row.try_get("customer_external_id")?,
        kind: decode::named(row, "event", "kind")?,
        object_type: row.try_get("object_type")?,
        object_id: row.try_get("object_id")?,
        state: decode::named(row, "webhook_delivery", "state")?,
        attempts: row.try_get("failures")?,
        due_at: row.try_get("due_at")?,
        http_status: row.try_get("http_status")?,
        error: row.try_get("error")?,
        created_at: row.try_get("created_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

/// A new round of tries, from now on. One that is out right now is left to its process.
fn send_again() -> String {
    let Step { from, to } = Step::of::<DeliveryState>(DeliveryEvent::SentAgain);
    format!(
        "update webhook_delivery set state = {to}, failures = 0, tried = 0, due_at = $2, since = $2,
           lease_until = null, finished_at = null
         where state in {from} and (lease_until is null or lease_until <= $2)"
    )
}

/// A person who asks believes that the receiver is well: its next delivery is let through as a probe.
async fn half_open(write: &mut Write, webhook: WebhookId) -> Result<bool, StoreError> {
    let opened = sqlx::query("update webhook set open_until = $2 where id = $1 and open_until > $2")
        .bind(webhook.0)
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    Ok(opened.rows_affected() > 0)
}

impl WebhookStore {
    /// Up to `limit` deliveries of a webhook with an id above `after`, oldest first, in one state or in any.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such webhook.
    pub async fn deliveries(
        &self,
        organization: OrganizationId,
        webhook: WebhookId,
        state: Option<DeliveryState>,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.webhook(organization, webhook).await?;
        sqlx::query(sql(format!(
            "select {SHOWN} from webhook_delivery join event on event.id = webhook_delivery.event_id
             where webhook_delivery.webhook_id = $1 and webhook_delivery.id > $2
               and webhook_delivery.state = coalesce($3, webhook_delivery.state)
             order by webhook_delivery.id limit $4"
        )))
        .bind(webhook.0)
        .bind(after)
        .bind(state.map(DeliveryState::as_str))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(delivery_of)
        .collect()
    }

    /// Up to `limit` deliveries of what happened to a customer, to every webhook, the latest first. A page may be shorter
    /// though more follow: it looks at so many events only.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn deliveries_of_customer(
        &self,
        organization: OrganizationId,
        customer: CustomerId,
        after: Option<DeliveryMark>,
        limit: u32,
    ) -> Result<CustomerDeliveries, StoreError> {
        let DeliveryMark { event, delivery } = after.unwrap_or(DeliveryMark { event: i64::MAX, delivery: 0 });
        let rows = sqlx::query(sql(format!(
            "select {SHOWN}
             from (select id, customer_id, customer_external_id, kind, object_type, object_id from event
               where customer_id = $1 and id <= $3 order by id desc limit $6) as event
             join webhook_delivery on webhook_delivery.event_id = event.id
             where webhook_delivery.organization_id = $2 and (event.id < $3 or webhook_delivery.id < $4)
             order by event.id desc, webhook_delivery.id desc limit $5"
        )))
        .bind(customer.0)
        .bind(organization.0)
        .bind(event)
        .bind(delivery)
        .bind(i64::from(limit))
        .bind(EVENTS_LOOKED_AT)
        .fetch_all(&self.pool)
        .await?;
        let deliveries = rows.iter().map(delivery_of).collect::<Result<Vec<_>, _>>()?;
        let next = match deliveries.last() {
            Some(last) if deliveries.len() >= limit as usize => {
                Some(DeliveryMark { event: last.event, delivery: last.id.0 })
            }
            _ => sqlx::query_scalar(
                "select id from event where customer_id = $1 and id <= $2 order by id desc limit 1 offset $3",
            )
            .bind(customer.0)
            .bind(event)
            .bind(EVENTS_LOOKED_AT - 1)
            .fetch_optional(&self.pool)
            .await?
            .map(|event| DeliveryMark { event, delivery: 0 }),
        };
        Ok(CustomerDeliveries { deliveries, next })
    }

    /// Sends a delivery once more, whatever became of it. Its event may be older than what the receiver knows by now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn redeliver(&self, organization: OrganizationId, id: DeliveryId) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let webhook: Option<i64> = sqlx::query_scalar(
            "select webhook.id from webhook_delivery join webhook on webhook.id = webhook_delivery.webhook_id
             where webhook_delivery.id = $1 and webhook_delivery.organization_id = $2 and webhook.deleted_at is null",
        )
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&mut *write.tx)
        .await?;
        let webhook = WebhookId(webhook.ok_or(StoreError::NotFound(Entity::Delivery))?);
        half_open(&mut write, webhook).await?;
        sqlx::query(sql(send_again() + " and id = $1")).bind(id.0).bind(now).execute(&mut *write.tx).await?;
        write.commit().await
    }

    /// Sends up to `limit` dead deliveries of a webhook once more, oldest first. Answers how many.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such webhook.
    pub async fn redeliver_dead(
        &self,
        organization: OrganizationId,
        webhook: WebhookId,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.webhook(organization, webhook).await?;
        let mut write = self.write().await?;
        let now = write.now;
        let opened = half_open(&mut write, webhook).await?;
        let moved = sqlx::query(sql(format!(
            "{} and id in (select id from webhook_delivery where webhook_id = $1 and state = {DEAD_DELIVERY}
               order by id limit $3)",
            send_again()
        )))
        .bind(webhook.0)
        .bind(now)
        .bind(i64::from(limit))
        .execute(&mut *write.tx)
        .await?;
        write.commit_if(opened || moved.rows_affected() > 0).await?;
        Ok(moved.rows_affected())
    }

    /// Gives up what was tried for too long and forgets what is old, at most `limit` rows of each; what still waits to
    /// be sent keeps its event.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn prune_webhooks(
        &self,
        retention: WebhookRetention,
        limit: u32,
    ) -> Result<WebhooksPruned, StoreError> {
        let now = self.clock.now_ms();
        let tried_before = now.saturating_sub(millis(retention.retry_age));
        let kept_from = now.saturating_sub(millis(retention.keep));
        let skip = self.dialect.for_update_skip_locked();
        let mut write = self.write().await?;
        let Step { from, to } = Step::of::<DeliveryState>(DeliveryEvent::GivenUp);
        let expired = sqlx::query(sql(format!(
            "update webhook_delivery set state = {to}, finished_at = $1, lease_until = null,
               error = coalesce(error, 'it waited for too long') where id in
               (select id from webhook_delivery where state in {from} and since < $2
                  and (lease_until is null or lease_until <= $1) order by since limit $3{skip})"
        )))
        .bind(now)
        .bind(tried_before)
        .bind(i64::from(limit))
        .execute(&mut *write.tx)
        .await?
        .rows_affected();
        let mut deliveries = 0;
        for old in [
            "finished_at < $1",
            "webhook_id in (select id from webhook where deleted_at is not null and deleted_at <= $2)",
        ] {
            deliveries += sqlx::query(sql(format!(
                "delete from webhook_delivery where id in
                   (select id from webhook_delivery where {old} and $1 <= $2 order by id limit $3{skip})"
            )))
            .bind(kept_from)
            .bind(now)
            .bind(i64::from(limit))
            .execute(&mut *write.tx)
            .await?
            .rows_affected();
        }
        sqlx::query(
            "delete from webhook where deleted_at is not null
               and not exists (select 1 from webhook_delivery where webhook_id = webhook.id)",
        )
        .execute(&mut *write.tx)
        .await?;
        let events = sqlx::query(sql(format!(
            "delete from event where id in
               (select id from event where created_at < $1 and fanned_out = 1
                  and not exists (select 1 from webhook_delivery where event_id = event.id)
                order by created_at limit $2{skip})"
        )))
        .bind(kept_from)
        .bind(i64::from(limit))
        .execute(&mut *write.tx)
        .await?
        .rows_affected();
        write.commit().await?;
        Ok(WebhooksPruned { expired, deliveries, events })
    }
}
