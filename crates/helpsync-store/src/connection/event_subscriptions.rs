//! Watches: Zendesk's webhooks for our connections, as they should be, and the events that they bring.

use std::time::Duration;

use helpsync_model::{
    Articles, ConnectionId, Lane, OrganizationId, RunKind, RunParams, ShardParams, Trigger,
};
use secrecy::SecretString;
use sqlx::Row;

use crate::db::decode::{millis, selection_of};
use crate::db::family::check_owner;
use crate::db::lease::EVENT_SUBSCRIPTIONS;
use crate::db::states::{ACTIVE_CONNECTION, BY_WEBHOOK, PENDING_SHARD, QUEUED_RUN};
use crate::db::{AdminStore, Entity, StoreError, TokenStore, Write, decode, sql};
use crate::run::runs::{RunRequest, insert_run};

/// Events are remembered this long: longer than Zendesk tries to deliver one.
const EVENT_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Forgotten events that one call clears away.
const PRUNED_PER_CALL: i64 = 100;
/// Articles that wait to be fetched together in one run.
const ARTICLES_PER_RUN: usize = 50;

/// An event subscription that is to be made, or made sure of.
#[derive(Debug, Clone)]
pub struct DueSubscription {
    /// For which connection.
    pub connection: ConnectionId,
    /// Whose.
    pub organization: OrganizationId,
    /// The workspace.
    pub subdomain: String,
    /// The last part of the address that Zendesk is to post to.
    pub endpoint: String,
    /// Which claim this is: the fence of its settling.
    pub attempt: i64,
    /// Tries spent, this one included.
    pub failures: u32,
}

/// An event subscription that is in place.
#[derive(Debug, Clone)]
pub struct EventSubscription {
    /// Whose.
    pub organization: OrganizationId,
    /// For which connection.
    pub connection: ConnectionId,
    /// What its events are signed with.
    pub secret: SecretString,
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventAccepted {
    /// The article will be fetched.
    Queued,
    /// The event was here before.
    Known,
    /// The connection is paused: a reconnect reads everything that changed.
    Paused,
    /// It is about a brand of which nothing is kept.
    OtherBrand,
}

pub(crate) fn place(connection: ConnectionId) -> String {
    format!("event_subscription/{connection}/secret")
}

impl AdminStore {
    /// Wants an event subscription for a connection. `endpoint` is taken when there is none yet; a reconnect keeps the known one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn want_subscription(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        endpoint: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        check_owner(&mut write, organization, connection, Entity::DataSource).await?;
        sqlx::query(
            "insert into event_subscription (connection_id, endpoint, due_at, created_at, updated_at) values ($1, $2, $3, $3, $3)
             on conflict (connection_id) do update set due_at = excluded.due_at, failures = 0, error = null,
               lease_until = null, updated_at = excluded.updated_at",
        )
        .bind(connection.0)
        .bind(endpoint)
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}

impl TokenStore {
    /// Claims up to `limit` due event subscriptions of active connections for `lease`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_subscriptions(
        &self,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<DueSubscription>, StoreError> {
        let now = self.clock.now_ms();
        // A look outside the transaction: an idle system takes no write lock every tick.
        let due: i64 = sqlx::query_scalar(sql(format!(
            "select count(*) from event_subscription where {}",
            EVENT_SUBSCRIPTIONS.due("$1")
        )))
        .bind(now)
        .fetch_one(&self.pool)
        .await?;
        if due == 0 {
            return Ok(Vec::new());
        }
        let mut write = self.write().await?;
        let claimed = sqlx::query(sql(format!(
            "{} returning connection_id, attempt, endpoint, failures,
               (select organization_id from connection where id = connection_id) as organization_id,
               (select subdomain from connection where id = connection_id) as subdomain",
            EVENT_SUBSCRIPTIONS.claim(
                self.dialect,
                &format!(
                    " and connection_id in (select id from connection where state = {ACTIVE_CONNECTION})"
                )
            )
        )))
        .bind(now.saturating_add(millis(lease)))
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&mut *write.tx)
        .await?;
        write.commit().await?;
        claimed
            .iter()
            .map(|row| {
                Ok(DueSubscription {
                    connection: ConnectionId(row.try_get("connection_id")?),
                    organization: OrganizationId(row.try_get("organization_id")?),
                    subdomain: row.try_get("subdomain")?,
                    endpoint: row.try_get("endpoint")?,
                    attempt: row.try_get("attempt")?,
                    failures: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or(u32::MAX),
                })
            })
            .collect()
    }

    /// An event subscription is in place, whoever holds it now: there is one webhook, found by its address.
    /// False: it is no longer wanted, and the webhook should go again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_subscription(
        &self,
        connection: ConnectionId,
        webhook_id: &str,
        secret: &SecretString,
    ) -> Result<bool, StoreError> {
        let sealed = self.vault.seal(&place(connection), secret)?;
        let mut write = self.write().await?;
        let put = sqlx::query(
            "update event_subscription set webhook_id = $2, secret_sealed = $3, due_at = null, lease_until = null, failures = 0,
               error = null, updated_at = $4 where connection_id = $1",
        )
        .bind(connection.0)
        .bind(webhook_id)
        .bind(sealed)
        .bind(self.clock.now_ms())
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(put.rows_affected() == 1)
    }

    /// An event subscription could not be made; it is tried again after `wait`, or never for `None`. What another process
    /// has claimed since is left to it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off_subscription(
        &self,
        due: &DueSubscription,
        wait: Option<Duration>,
        error: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        sqlx::query(sql(EVENT_SUBSCRIPTIONS.settle("due_at = $3, error = $4, updated_at = $5")))
            .bind(due.connection.0)
            .bind(due.attempt)
            .bind(wait.map(|wait| now.saturating_add(millis(wait))))
            .bind(error)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }
}

impl AdminStore {
    /// Forgets the event subscription of a connection that ends. Answers with the id of Zendesk's webhook, if one was made.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn drop_subscription(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<Option<String>, StoreError> {
        let mut write = self.write().await?;
        check_owner(&mut write, organization, connection, Entity::DataSource).await?;
        let dropped: Option<(Option<String>,)> =
            sqlx::query_as("delete from event_subscription where connection_id = $1 returning webhook_id")
                .bind(connection.0)
                .fetch_optional(&mut *write.tx)
                .await?;
        sqlx::query("delete from subscription_event where connection_id = $1")
            .bind(connection.0)
            .execute(&mut *write.tx)
            .await?;
        write.commit_if(dropped.is_some()).await?;
        Ok(dropped.and_then(|(webhook,)| webhook))
    }

    /// The event subscription that an address belongs to, if it is in place.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn event_subscription(&self, endpoint: &str) -> Result<Option<EventSubscription>, StoreError> {
        let row = sqlx::query(
            "select connection_id, secret_sealed, connection.organization_id from event_subscription
             join connection on connection.id = connection_id where endpoint = $1",
        )
        .bind(endpoint)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let connection = ConnectionId(row.try_get("connection_id")?);
        let sealed: Option<Vec<u8>> = row.try_get("secret_sealed")?;
        let Some(sealed) = sealed else { return Ok(None) };
        Ok(Some(EventSubscription {
            organization: OrganizationId(row.try_get("organization_id")?),
            connection,
            secret: self.vault.open(&place(connection), &sealed)?,
        }))
    }

    /// Takes a verified event in: the article will be fetched at once, from the help center of the brand that it names.
    /// Events that come while others wait to be fetched join them.
    ///
    /// # Errors
    /// [`StoreError`]; the event is then unknown still, and Zendesk delivers it again.
    pub async fn accept_event(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        event_id: &str,
        article_id: i64,
        brand_id: Option<i64>,
    ) -> Result<EventAccepted, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        check_owner(&mut write, organization, connection, Entity::DataSource).await?;
        sqlx::query(
            "delete from subscription_event where event_id in
               (select event_id from subscription_event where received_at < $1 order by received_at limit $2)",
        )
        .bind(now - EVENT_KEPT_MS)
        .bind(PRUNED_PER_CALL)
        .execute(&mut *write.tx)
        .await?;
        let fresh = sqlx::query(
            "insert into subscription_event (connection_id, event_id, received_at) values ($1, $2, $3)
             on conflict (connection_id, event_id) do nothing",
        )
        .bind(connection.0)
        .bind(event_id)
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
        if fresh.rows_affected() == 0 {
            return Ok(EventAccepted::Known);
        }
        let Some(connection) = help_center_of(&mut write, connection, brand_id).await? else {
            write.commit().await?;
            return Ok(EventAccepted::OtherBrand);
        };
        if !join_waiting(&mut write, connection, article_id).await? {
            let request = RunRequest {
                connection,
                kind: Some(RunKind::Resync),
                trigger: Trigger::Webhook,
                lane: Lane::OnDemand,
                request_id: format!("zendesk-{event_id}"),
                upload_id: format!("zendesk-{event_id}"),
                params: RunParams::articles(vec![article_id]),
            };
            match insert_run(&mut write, &request).await {
                Ok(_) => {}
                Err(StoreError::NotFound(Entity::ActiveConnection)) => return Ok(EventAccepted::Paused),
                Err(error) => return Err(error),
            }
        }
        write.commit().await?;
        Ok(EventAccepted::Queued)
    }
}

/// Which of a connection's help centers an event is about: a webhook hears of all brands of its account. Where the
/// brands are not known, or the event names none, it is taken for one of the workspace's own.
async fn help_center_of(
    write: &mut Write,
    connection: ConnectionId,
    brand_id: Option<i64>,
) -> Result<Option<ConnectionId>, StoreError> {
    let own: Option<i64> = sqlx::query_scalar("select brand_id from connection where id = $1")
        .bind(connection.0)
        .fetch_optional(&mut *write.tx)
        .await?
        .flatten();
    let (Some(own), Some(brand_id)) = (own, brand_id) else { return Ok(Some(connection)) };
    if own == brand_id {
        return Ok(Some(connection));
    }
    let row = sqlx::query(
        "select id, selection from connection where parent_id = $1 and brand_id = $2 and brand_gone = 0",
    )
    .bind(connection.0)
    .bind(brand_id)
    .fetch_optional(&mut *write.tx)
    .await?;
    let Some(row) = row else {
        // A new brand, it seems: the next run asks for the list.
        sqlx::query("update connection set brands_asked_at = null where id = $1")
            .bind(connection.0)
            .execute(&mut *write.tx)
            .await?;
        return Ok(None);
    };
    let selected = selection_of(&row)?.keeps_brand(Some(brand_id));
    Ok(selected.then_some(ConnectionId(row.try_get("id")?)))
}

/// Adds the article to a fetch that nobody has taken up yet. A burst of events then costs few runs.
async fn join_waiting(
    write: &mut Write,
    connection: ConnectionId,
    article_id: i64,
) -> Result<bool, StoreError> {
    let waiting = sqlx::query(sql(format!(
        "select shard.id, shard.params from shard join run on run.id = shard.run_id
         where shard.connection_id = $1 and shard.state = {PENDING_SHARD} and shard.attempt = 0
           and run.trigger_name = {BY_WEBHOOK} and run.state = {QUEUED_RUN} order by shard.id desc limit 1"
    )))
    .bind(connection.0)
    .fetch_optional(&mut *write.tx)
    .await?;
    let Some(row) = waiting else { return Ok(false) };
    let mut asked: Articles = decode::json(&row, "shard", "params")?;
    if asked.articles.len() >= ARTICLES_PER_RUN {
        return Ok(false);
    }
    if !asked.articles.contains(&article_id) {
        asked.articles.push(article_id);
    }
    let params = ShardParams::FetchArticles(asked).to_json().map_err(StoreError::unwritable)?;
    let joined =
        sqlx::query(sql(format!("update shard set params = $2 where id = $1 and state = {PENDING_SHARD}")))
            .bind(row.try_get::<i64, _>("id")?)
            .bind(params)
            .execute(&mut *write.tx)
            .await?;
    Ok(joined.rows_affected() == 1)
}
