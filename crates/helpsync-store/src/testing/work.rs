//! The work of a store, counted and shown.

use sqlx::Row as _;

use crate::Store;
use crate::db::sql;
use crate::db::states::{ACTIVE_RUN, OPEN_SHARD, RUNNING_SHARD};

/// What a store counts of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Runs that have not ended.
    pub active_runs: i64,
    /// Shards that have not ended.
    pub open_shards: i64,
    /// Shards that somebody works on.
    pub running: i64,
    /// Shards in all.
    pub shards: i64,
    /// Those of them that were started at least once.
    pub started: i64,
    /// Messages that wait to be published.
    pub outbox: i64,
}

/// Counts the work of every organization.
///
/// # Panics
/// When the database does not answer.
pub async fn tally(store: &Store) -> Tally {
    let row = sqlx::query(sql(format!(
        "select
           (select count(*) from run where state in {ACTIVE_RUN}) as active_runs,
           (select count(*) from shard where state in {OPEN_SHARD}) as open_shards,
           (select count(*) from shard where state = {RUNNING_SHARD}) as running,
           (select count(*) from shard) as shards,
           (select count(*) from shard where attempt > 0) as started,
           (select count(*) from outbox) as outbox"
    )))
    .fetch_one(&store.pool)
    .await
    .expect("a count");
    let number = |column: &str| row.try_get::<i64, _>(column).expect("a number");
    Tally {
        active_runs: number("active_runs"),
        open_shards: number("open_shards"),
        running: number("running"),
        shards: number("shards"),
        started: number("started"),
        outbox: number("outbox"),
    }
}

/// Open shards as a person wants to see them who finds that nothing moves.
///
/// # Panics
/// When the store does not answer.
pub async fn open_shards(store: &Store) -> Vec<String> {
    let shards = sqlx::query(sql(format!(
        "select id, key, state, lane, due_at, released_at, lease_until from shard
         where state in {OPEN_SHARD} order by id limit 20"
    )))
    .fetch_all(&store.pool)
    .await
    .expect("shards");
    let now = store.clock.now_ms();
    let rows = shards.iter().map(|row| {
        let text = |column: &str| row.try_get::<String, _>(column).expect("a text");
        let ago = |column: &str| row.try_get::<Option<i64>, _>(column).expect("a time").map(|at| now - at);
        format!(
            "{} {} {} {}, ms ago: due {:?}, released {:?}, end of lease {:?}",
            row.try_get::<i64, _>("id").expect("an id"),
            text("key"),
            text("state"),
            text("lane"),
            ago("due_at"),
            ago("released_at"),
            ago("lease_until")
        )
    });
    rows.collect()
}
