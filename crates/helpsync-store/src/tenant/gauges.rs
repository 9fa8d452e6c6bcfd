//! What metrics tell of the whole store at one moment. Every statement is one pass over an index that holds only what it
//! counts, or a look at one end of it.

use sqlx::Row;

use crate::db::states::{
    ACTIVE_CONNECTION, FAILED_SHARD, PENDING_DELIVERY, PENDING_SHARD, RELEASED_SHARD, RUNNING_SHARD,
};
use crate::db::{Dialect, QueueStore, StoreError, sql};

/// Shards of a lane in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardGauge {
    /// The lane.
    pub lane: String,
    /// The state.
    pub state: String,
    /// So many.
    pub number: i64,
    /// Of pending ones: when the first of them was due, in ms, if it was.
    pub due_since: Option<i64>,
}

/// The store at one moment; all times in ms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gauges {
    /// The time of all of it.
    pub now: i64,
    /// Open and failed shards.
    pub shards: Vec<ShardGauge>,
    /// Messages in the outbox, and since when the oldest waits.
    pub outbox: (i64, Option<i64>),
    /// Customers' connections by state.
    pub connections: Vec<(String, i64)>,
    /// For each of the ages that were asked for: active copies that were complete within it.
    pub copies: Vec<i64>,
    /// Since when the oldest active copy is not complete again.
    pub oldest_copy: Option<i64>,
    /// When the scheduled sync that is due longest or next is due.
    pub next_sync: Option<i64>,
    /// Files whose removal waits for a person.
    pub held: i64,
    /// Deliveries that wait, and since when the oldest does.
    pub deliveries: (i64, Option<i64>),
    /// The database on its disk.
    pub bytes: i64,
}

impl QueueStore {
    /// The store at this moment, with copies counted by `ages` in seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gauges(&self, ages: &[i64]) -> Result<Gauges, StoreError> {
        let now = self.clock.now_ms();
        let (copies, oldest_copy) = self.copies(ages, now).await?;
        Ok(Gauges {
            now,
            shards: self.shard_gauges(now).await?,
            outbox: sqlx::query_as("select count(*), min(created_at) from outbox")
                .fetch_one(&self.pool)
                .await?,
            connections: sqlx::query_as(
                "select state, count(*) from connection where disconnected_at is null and parent_id is null
                 group by state order by state",
            )
            .fetch_all(&self.pool)
            .await?,
            copies,
            oldest_copy,
            next_sync: sqlx::query_scalar(
                "select min(next_sync_at) from connection where next_sync_at is not null",
            )
            .fetch_one(&self.pool)
            .await?,
            held: sqlx::query_scalar("select count(*) from file where held_at is not null")
                .fetch_one(&self.pool)
                .await?,
            deliveries: sqlx::query_as(sql(format!(
                "select count(*), min(since) from webhook_delivery where state = {PENDING_DELIVERY}"
            )))
            .fetch_one(&self.pool)
            .await?,
            bytes: self.bytes().await?,
        })
    }

    async fn shard_gauges(&self, now: i64) -> Result<Vec<ShardGauge>, StoreError> {
        let rows = sqlx::query(sql(format!(
            "select lane, {PENDING_SHARD} as state, count(*) as number,
               min(case when due_at <= $1 then due_at end) as due_since
             from shard where state = {PENDING_SHARD} group by lane
             union all
             select lane, {RELEASED_SHARD}, count(*), cast(null as bigint) from shard where state = {RELEASED_SHARD} group by lane
             union all
             select lane, {RUNNING_SHARD}, count(*), cast(null as bigint) from shard where state = {RUNNING_SHARD} group by lane
             union all
             select lane, {FAILED_SHARD}, count(*), cast(null as bigint) from shard where state = {FAILED_SHARD} group by lane
             order by lane, state"
        )))
        .bind(now)
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ShardGauge {
                    lane: row.try_get("lane")?,
                    state: row.try_get("state")?,
                    number: row.try_get("number")?,
                    due_since: row.try_get("due_since")?,
                })
            })
            .collect()
    }

    /// Copies by age, cumulative, and the oldest.
    async fn copies(&self, ages: &[i64], now: i64) -> Result<(Vec<i64>, Option<i64>), StoreError> {
        let columns: String = ages.iter().enumerate().fold(String::new(), |mut columns, (number, age)| {
            let least = now.saturating_sub(age.saturating_mul(1_000));
            // Numbers of ours, not of anybody's request.
            columns.push_str(&format!(
                ", cast(coalesce(sum(case when complete_at >= {least} then 1 else 0 end), 0) as bigint) as age_{number}"
            ));
            columns
        });
        let row = sqlx::query(sql(format!(
            "select min(complete_at) as oldest{columns} from (
               select coalesce(source_items_synced_at, created_at) as complete_at from connection
               where state = {ACTIVE_CONNECTION} and parent_id is null) as copy"
        )))
        .fetch_one(&self.pool)
        .await?;
        let copies = (0..ages.len()).map(|number| row.try_get(format!("age_{number}").as_str()));
        Ok((copies.collect::<Result<_, _>>()?, row.try_get("oldest")?))
    }

    async fn bytes(&self) -> Result<i64, StoreError> {
        let size = match self.dialect {
            Dialect::Sqlite => "select page_count * page_size from pragma_page_count(), pragma_page_size()",
            Dialect::Postgres => "select pg_database_size(current_database())",
        };
        Ok(sqlx::query_scalar(size).fetch_one(&self.pool).await?)
    }
}
