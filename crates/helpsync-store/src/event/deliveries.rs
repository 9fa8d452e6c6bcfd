//! Deliveries: every event, once for every webhook of its organization.
//!
//! An event carries the mark that it waits to be fanned out from the transaction that wrote it, so none is passed over
//! however late that transaction commits: a cursor of ids would be. Deliveries are claimed under a lease and counted
//! before they are sent, as shards are.

use std::time::Duration;

use helpsync_model::{DeliveryEvent, DeliveryId, DeliveryState, OrganizationId, WebhookId, WebhookStatus};
use secrecy::SecretString;
use serde_json::json;
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::lease::DELIVERIES;
use crate::db::states::{PENDING_DELIVERY, Step};
use crate::db::{StoreError, WebhookStore, Write, sql};
use crate::event::events::{EVENT, Event, event_of};
use crate::event::webhooks::place;

/// Deliveries of one webhook that this process now holds under a lease.
#[derive(Debug)]
pub struct ClaimedRound {
    /// Of which.
    pub webhook: WebhookId,
    /// Where to.
    pub url: String,
    /// Hex digits, an even number of them. Two while a webhook's key is being replaced, the one of before first.
    pub signing_keys: Vec<SecretString>,
    /// In the order of their events.
    pub deliveries: Vec<ClaimedDelivery>,
}

/// One delivery to be sent now.
#[derive(Debug, Clone)]
pub struct ClaimedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// Which claim this is: the fence of its settling.
    pub attempt: i64,
    /// Tries spent, this one included.
    pub failures: i64,
    /// What to say.
    pub event: Event,
    /// The organization's id for the customer; none if the event concerns none.
    pub customer: Option<String>,
}

/// How one try ended.
#[derive(Debug, Clone)]
pub struct Tried {
    /// Which delivery.
    pub delivery: DeliveryId,
    /// As it was claimed.
    pub attempt: i64,
    /// How.
    pub end: TriedEnd,
}

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TriedEnd {
    /// The receiver took it.
    Delivered,
    /// It did not; try again.
    Retry {
        /// How long to wait.
        wait: Duration,
        /// What the receiver answered, if it did.
        http_status: Option<u16>,
        /// Why, for people.
        error: String,
    },
    /// It did not, and no try is left.
    Dead {
        /// What the receiver answered, if it did.
        http_status: Option<u16>,
        /// Why, for people.
        error: String,
    },
    /// The process stops: nothing is known, and the try counts for nothing.
    Released,
}

/// How a webhook fares: its circuit breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookHealth {
    /// Failures in a row.
    pub failures: i64,
    /// Nothing is sent until then (ms); from then on one probe at a time. Absent: the circuit is closed.
    pub open_until: Option<i64>,
    /// The last failure, shown while the circuit is open.
    pub reason: Option<String>,
}

impl WebhookStore {
    /// Makes the deliveries of up to `limit` events, oldest first. Answers how many events had waited.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fan_out_events(&self, limit: u32) -> Result<usize, StoreError> {
        // A look outside the transaction: an idle system takes no write lock every time. In order, for that is to Postgres by
        // the index of those that wait: without, it may read all events to find one where it takes many of them to wait.
        let waiting: Option<i64> =
            sqlx::query_scalar("select id from event where fanned_out = 0 order by id limit 1")
                .fetch_optional(&self.pool)
                .await?;
        if waiting.is_none() {
            return Ok(0);
        }
        let mut write = self.write().await?;
        let now = write.now;
        // Waiting for another's rows instead of passing over them keeps the order: what it took is marked by then.
        let events: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select id from event where fanned_out = 0 order by id limit $1{}",
            self.dialect.for_update()
        )))
        .bind(i64::from(limit))
        .fetch_all(&mut *write.tx)
        .await?;
        let listed = json!(events).to_string();
        let among = self.dialect.json_integers("$1");
        sqlx::query(sql(format!(
            "insert into webhook_delivery (webhook_id, event_id, organization_id, connection_id, object_key, barrier,
               state, due_at, since, created_at)
             select webhook.id, event.id, event.organization_id, event.connection_id,
               case when event.object_type in ('FILE', 'DATA_SOURCE') then event.object_type || '/' || event.object_id end,
               case when event.object_type = 'FILE' then 0 else 1 end, {PENDING_DELIVERY}, $2, $2, $2
             from event join webhook on webhook.organization_id = event.organization_id and webhook.deleted_at is null
             where event.id in {among} order by event.id
             on conflict (webhook_id, event_id) do nothing"
        )))
        .bind(&listed)
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        sqlx::query(sql(format!("update event set fanned_out = 1 where id in {among}")))
            .bind(&listed)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(events.len())
    }

    /// Up to `limit` webhooks that have something due and whose circuit lets it through, those with ids above `after`
    /// first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_webhooks(&self, after: WebhookId, limit: u32) -> Result<Vec<WebhookId>, StoreError> {
        let found: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select id from webhook
             where deleted_at is null and (open_until is null or open_until <= $1)
               and exists (select 1 from webhook_delivery as due where due.webhook_id = webhook.id and {})
             order by case when id > $2 then 0 else 1 end, id limit $3",
            DELIVERIES.due("$1")
        )))
        .bind(self.clock.now_ms())
        .bind(after.0)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(found.into_iter().map(WebhookId).collect())
    }

    /// Claims due deliveries of a webhook for `lease`, as many as keep it at `concurrency` over all processes; a single
    /// probe when its circuit was open. Events of one object keep their order; other events wait for the first try of
    /// everything that their connection had before. `None`: there is nothing to send now.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Sealed`] when the signing key's seal cannot be opened.
    pub async fn claim_deliveries(
        &self,
        webhook: WebhookId,
        concurrency: u32,
        lease: Duration,
    ) -> Result<Option<ClaimedRound>, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let Some(row) = sqlx::query(sql(format!(
            "select id, organization_id, url, signing_key_sealed, previous_key_sealed, previous_key_until, older_key_sealed,
               older_key_until, open_until from webhook
             where id = $1 and deleted_at is null and (open_until is null or open_until <= $2){}",
            self.dialect.for_update()
        )))
        .bind(webhook.0)
        .bind(now)
        .fetch_optional(&mut *write.tx)
        .await?
        else {
            return Ok(None);
        };
        let out: i64 = sqlx::query_scalar(
            "select count(*) from webhook_delivery where webhook_id = $1 and lease_until is not null and lease_until > $2",
        )
        .bind(webhook.0)
        .bind(now)
        .fetch_one(&mut *write.tx)
        .await?;
        let probing = row.try_get::<Option<i64>, _>("open_until")?.is_some();
        let room = if probing { 1 } else { i64::from(concurrency) } - out;
        if room <= 0 {
            return Ok(None);
        }
        let url: String = row.try_get("url")?;
        let organization = OrganizationId(row.try_get("organization_id")?);
        let sealed: Vec<u8> = row.try_get("signing_key_sealed")?;
        let place = place(organization, &url);
        let mut signing_keys = Vec::with_capacity(3);
        for (key, until) in
            [("older_key_sealed", "older_key_until"), ("previous_key_sealed", "previous_key_until")]
        {
            let before: Option<Vec<u8>> = row.try_get(key)?;
            if let Some(before) = before
                && row.try_get::<Option<i64>, _>(until)?.is_some_and(|until| until > now)
            {
                signing_keys.push(self.vault.open(&place, &before)?);
            }
        }
        signing_keys.push(self.vault.open(&place, &sealed)?);
        let until = now.saturating_add(millis(lease));
        let deliveries = take(&mut write, webhook, room, until).await?;
        write.commit().await?;
        if deliveries.is_empty() {
            return Ok(None);
        }
        Ok(Some(ClaimedRound { webhook, url, signing_keys, deliveries }))
    }

    /// Records how tries ended, and what `judge` makes of the webhook's health, in one transaction. A try that another
    /// process has repeated meanwhile can still succeed, and no longer fail.
    ///
    /// # Errors
    /// [`StoreError`]; the leases then run out and the deliveries are sent again.
    pub async fn settle_deliveries(
        &self,
        webhook: WebhookId,
        tried: &[Tried],
        judge: impl FnOnce(&WebhookHealth) -> WebhookHealth + Send,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let row = sqlx::query(sql(format!(
            "select failures, open_until, status_reason from webhook where id = $1{}",
            self.dialect.for_update()
        )))
        .bind(webhook.0)
        .fetch_one(&mut *write.tx)
        .await?;
        let before = WebhookHealth {
            failures: row.try_get("failures")?,
            open_until: row.try_get("open_until")?,
            reason: row.try_get("status_reason")?,
        };
        for one in tried {
            settle(&mut write, one).await?;
        }
        let after = judge(&before);
        if after != before {
            let status =
                if after.open_until.is_some() { WebhookStatus::Flagged } else { WebhookStatus::Active };
            sqlx::query(
                "update webhook set failures = $2, open_until = $3, status = $4, status_reason = $5,
                   updated_at = case when status = $4 then updated_at else $6 end where id = $1",
            )
            .bind(webhook.0)
            .bind(after.failures)
            .bind(after.open_until)
            .bind(status.as_str())
            .bind(after.reason)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        }
        write.commit().await
    }
}

/// Of webhook `$4`: events of one object in their order, and a barrier after the first try of all that its connection
/// had before.
fn in_order() -> String {
    format!(" and due.webhook_id = $4
   and not exists (select 1 from webhook_delivery as before where before.webhook_id = $4
     and before.state = {PENDING_DELIVERY} and before.object_key = due.object_key and before.event_id < due.event_id)
   and (due.barrier = 0 or not exists (select 1 from webhook_delivery as before
     where before.webhook_id = $4 and before.state = {PENDING_DELIVERY} and before.tried = 0
       and before.connection_id = due.connection_id and before.event_id < due.event_id))")
}

async fn take(
    write: &mut Write,
    webhook: WebhookId,
    room: i64,
    until: i64,
) -> Result<Vec<ClaimedDelivery>, StoreError> {
    let claimed: Vec<(i64, i64, i64, i64)> = sqlx::query_as(sql(format!(
        "{} returning id, event_id, attempt, failures",
        DELIVERIES.claim(write.dialect, &in_order())
    )))
    .bind(until)
    .bind(write.now)
    .bind(room)
    .bind(webhook.0)
    .fetch_all(&mut *write.tx)
    .await?;
    let mut deliveries = Vec::with_capacity(claimed.len());
    for (id, event, attempt, failures) in claimed {
        let row = sqlx::query(sql(format!(
            "select {EVENT}, coalesce(event.customer_external_id, customer.external_id) as external_id
             from event left join customer on customer.id = event.customer_id where event.id = $1"
        )))
        .bind(event)
        .fetch_one(&mut *write.tx)
        .await?;
        deliveries.push(ClaimedDelivery {
            id: DeliveryId(id),
            attempt,
            failures,
            event: event_of(&row)?,
            customer: row.try_get("external_id")?,
        });
    }
    deliveries.sort_by_key(|delivery| delivery.event.id);
    Ok(deliveries)
}

async fn settle(write: &mut Write, tried: &Tried) -> Result<(), StoreError> {
    let failed = |http_status: Option<u16>| http_status.map(i64::from);
    let Step { from, to } = Step::of::<DeliveryState>(match &tried.end {
        TriedEnd::Delivered => DeliveryEvent::Delivered,
        TriedEnd::Retry { .. } | TriedEnd::Released => DeliveryEvent::Retried,
        TriedEnd::Dead { .. } => DeliveryEvent::GivenUp,
    });
    let query = match &tried.end {
        TriedEnd::Delivered => sqlx::query(sql(format!(
            "update webhook_delivery set state = {to}, tried = 1, lease_until = null, http_status = 200,
               error = null, finished_at = $2 where id = $1 and state in {from} and created_at <= $3"
        )))
        .bind(tried.delivery.0)
        .bind(write.now)
        // A delivery that was made after the claim has the id of the one that was claimed: an older backup was restored
        // in between.
        .bind(tried.attempt),
        TriedEnd::Retry { wait, http_status, error } => {
            sqlx::query(sql(DELIVERIES.settle("tried = 1, due_at = $3, http_status = $4, error = $5")))
                .bind(tried.delivery.0)
                .bind(tried.attempt)
                .bind(write.now.saturating_add(millis(*wait)))
                .bind(failed(*http_status))
                .bind(error)
        }
        TriedEnd::Dead { http_status, error } => sqlx::query(sql(DELIVERIES
            .settle(&format!("state = {to}, tried = 1, finished_at = $3, http_status = $4, error = $5"))))
        .bind(tried.delivery.0)
        .bind(tried.attempt)
        .bind(write.now)
        .bind(failed(*http_status))
        .bind(error),
        TriedEnd::Released => sqlx::query(sql(DELIVERIES.settle("failures = failures - 1")))
            .bind(tried.delivery.0)
            .bind(tried.attempt),
    };
    query.execute(&mut *write.tx).await?;
    Ok(())
}
