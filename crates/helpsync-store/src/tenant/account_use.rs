//! How the budget of each Zendesk account was used in the last day: a row for each half hour in which it was asked.

use helpsync_model::{ConnectionId, OrganizationId};

use crate::db::{AdminStore, QueueStore, StoreError};

/// A slot, in ms.
pub const USE_SLOT_MS: i64 = 30 * 60_000;
/// Slots that are kept: a day.
pub const USE_SLOTS: i64 = 48;

/// How an account's budget was used within some time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountUse {
    /// Requests that were answered.
    pub requests: i64,
    /// Of them, by 429.
    pub throttled: i64,
    /// Time that requests waited for a permit, in ms.
    pub waited_ms: i64,
    /// Requests a minute, as the last answer said.
    pub limit: Option<i64>,
    /// The least that an answer left of a minute.
    pub least_left: Option<i64>,
}

/// A slot as it is read: slot, requests, throttled, `waited_ms`, limit, `least_left`.
type SlotRow = (i64, i64, i64, i64, Option<i64>, Option<i64>);

impl AccountUse {
    /// Adds what came later.
    pub fn add(&mut self, later: &Self) {
        self.requests += later.requests;
        self.throttled += later.throttled;
        self.waited_ms += later.waited_ms;
        self.limit = later.limit.or(self.limit);
        self.least_left = self.least_left.into_iter().chain(later.least_left).min();
    }
}

impl QueueStore {
    /// Adds to the present slot of accounts, and forgets slots that are older than a day.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_account_use(&self, used: &[(String, AccountUse)]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let slot = write.now.div_euclid(USE_SLOT_MS);
        // In one order, or two processes would wait for each other.
        let mut used: Vec<&(String, AccountUse)> = used.iter().collect();
        used.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        for (account, used) in used {
            sqlx::query(
                "insert into account_use (account, slot, requests, throttled, waited_ms, minute_limit, least_left)
                 values ($1, $2, $3, $4, $5, $6, $7)
                 on conflict (account, slot) do update set
                   requests = account_use.requests + excluded.requests,
                   throttled = account_use.throttled + excluded.throttled,
                   waited_ms = account_use.waited_ms + excluded.waited_ms,
                   minute_limit = coalesce(excluded.minute_limit, account_use.minute_limit),
                   least_left = case
                     when excluded.least_left is null or account_use.least_left < excluded.least_left
                     then account_use.least_left else excluded.least_left end",
            )
            .bind(account)
            .bind(slot)
            .bind(used.requests)
            .bind(used.throttled)
            .bind(used.waited_ms)
            .bind(used.limit)
            .bind(used.least_left)
            .execute(&mut *write.tx)
            .await?;
        }
        sqlx::query("delete from account_use where slot <= $1")
            .bind(slot - USE_SLOTS)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }
}

impl AdminStore {
    /// How the budget of a connection's account was used in the last day, by slot; whoever else connected that account
    /// uses it too.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn account_use(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<Vec<(i64, AccountUse)>, StoreError> {
        let since = self.clock.now_ms().div_euclid(USE_SLOT_MS) - USE_SLOTS;
        let rows: Vec<SlotRow> = sqlx::query_as(
            "select slot, requests, throttled, waited_ms, minute_limit, least_left from account_use
             where account in (select subdomain from connection where id = $1 and organization_id = $2)
               and slot > $3
             order by slot",
        )
        .bind(connection.0)
        .bind(organization.0)
        .bind(since)
        .fetch_all(&self.pool)
        .await?;
        let used = rows.into_iter().map(|(slot, requests, throttled, waited_ms, limit, least_left)| {
            (slot, AccountUse { requests, throttled, waited_ms, limit, least_left })
        });
        Ok(used.collect())
    }
}
