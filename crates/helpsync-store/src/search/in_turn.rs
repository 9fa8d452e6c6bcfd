//! What chunking and embedding share: connections have their turns, and a batch has a size.

use helpsync_model::ConnectionId;

use crate::db::lease::LeaseQueue;
use crate::db::{SearchStore, StoreError, sql};

impl SearchStore {
    /// The next connection after `after`, by id and round, that has work due in a queue and whose customer no person has
    /// paused. What is paused is stepped over connection by connection, however much of it waits.
    pub(crate) async fn next_due(
        &self,
        queue: &LeaseQueue,
        after: ConnectionId,
    ) -> Result<Option<ConnectionId>, StoreError> {
        for above in [after.0, 0] {
            let found: Option<i64> = sqlx::query_scalar(sql(next_sql(queue)))
                .bind(above)
                .bind(self.clock.now_ms())
                .fetch_optional(&self.pool)
                .await?;
            if let Some(found) = found {
                return Ok(Some(ConnectionId(found)));
            }
        }
        Ok(None)
    }
}

/// The first connection above `$1` that has something due at `$2` and is not paused.
fn next_sql(queue: &LeaseQueue) -> String {
    let first_above = |place: &str| {
        format!(
            "(select connection_id from {} where connection_id > {place} and {} order by connection_id limit 1)",
            queue.table,
            queue.due("$2")
        )
    };
    format!(
        "with recursive turn (id) as (
           select {} union all
           select {} from turn where turn.id is not null and {PAUSED})
         select id from turn where id is not null and not {PAUSED}",
        first_above("$1"),
        first_above("turn.id")
    )
}

/// Whether a person has paused the customer of a turn.
const PAUSED: &str = "exists (select 1 from connection join customer on customer.id = connection.customer_id
    where connection.id = turn.id and customer.paused_at is not null)";

/// The first of these rows, each an id and a size, that together are no larger than `size_max`; one in any case.
pub(crate) fn fitting(rows: Vec<(i64, i64)>, size_max: i64) -> Vec<i64> {
    let mut total = 0;
    rows.into_iter()
        .enumerate()
        .take_while(|(place, (_, size))| {
            total += size;
            *place == 0 || total <= size_max
        })
        .map(|(_, (id, _))| id)
        .collect()
}
