//! Whether the database is there, and as this version needs it.

use std::time::Duration;

use crate::db::{StoreError, facets::Store, sql};
use crate::run::runs::RUN;

/// Longer than this is no answer for whoever asks whether the database is there.
const PING_MAX: Duration = Duration::from_secs(2);

impl Store {
    /// Answers within two seconds when the database does, and has the columns of the tables that all work goes through:
    /// a process that runs beside a schema which it cannot use is not ready.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Statement`] when the schema is another one.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let statement = sql(format!(
            "select {RUN}, connection.epoch, connection.state, shard.state, shard.attempt, shard.due_at, shard.lease_until,
               shard.params, outbox.dedup, outbox.body, outbox.lease_until
             from connection join run on run.connection_id = connection.id join shard on shard.run_id = run.id
               left join outbox on outbox.id = 0
             where connection.id = 0"
        ));
        match tokio::time::timeout(PING_MAX, sqlx::query(statement).fetch_optional(&self.pool)).await {
            Ok(answer) => answer.map(|_| ()).map_err(StoreError::from),
            Err(_elapsed) => Err(StoreError::from(sqlx::Error::PoolTimedOut)),
        }
    }
}
