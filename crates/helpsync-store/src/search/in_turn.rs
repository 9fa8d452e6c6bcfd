//! What chunking and embedding share: connections have their turns, and a batch has a size.

use helpsync_model::ConnectionId;

use crate::db::lease::LeaseQueue;
use crate::db::{SearchStore, StoreError, sql};

impl SearchStore {
    /// The next connection after `after`, by id and round, that has work due in a queue.
    pub(crate) async fn next_due(
        &self,
        queue: &LeaseQueue,
        after: ConnectionId,
    ) -> Result<Option<ConnectionId>, StoreError> {
        for above in [after.0, 0] {
            let found: Option<i64> = sqlx::query_scalar(sql(format!(
                "select connection_id from {} where connection_id > $1 and {}
                 order by connection_id limit 1",
                queue.table,
                queue.due("$2")
            )))
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
