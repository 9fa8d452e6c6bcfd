//! Whether the database is there, and as this version needs it.

use std::time::Duration;

use tokio::time::Instant;

use crate::db::{Database, StoreError, facets::Store, sql};
use crate::run::runs::RUN;
use crate::run::start::read_connection;

/// Longer than this is no answer for whoever asks whether the database is there.
const PING_MAX: Duration = Duration::from_secs(2);
/// How old an answer may be that many share.
const SHARED_FOR: Duration = Duration::from_secs(1);

impl Store {
    /// Answers within two seconds when the database takes what it is told and is as this version needs it: its file is
    /// there, its disk has room, it is no server that only reads, and the tables that all work goes through, from the
    /// release of a shard to its start, have their columns. A process that runs beside a schema which it cannot use is not ready.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], or whatever the database says; [`StoreError::Statement`] when the schema is another one.
    pub async fn ping(&self) -> Result<(), StoreError> {
        in_time(self.try_both()).await
    }

    /// [`Store::ping`] for whoever may ask as often as they like: a good answer is good for a second, and of many who ask
    /// at once one looks. The log tells once that it takes nothing, for whoever only reads would not meet that.
    ///
    /// # Errors
    /// As those of [`Store::ping`].
    pub async fn ping_shared(&self) -> Result<(), StoreError> {
        let look = self.seen.outage.look();
        let seen = in_time(async {
            let mut up_at = self.seen.up_at.lock().await;
            if up_at.is_some_and(|at| at.elapsed() < SHARED_FOR) {
                return Ok(());
            }
            self.try_both().await?;
            *up_at = Some(Instant::now());
            Ok(())
        })
        .await;
        match &seen {
            Ok(()) => look.worked(self, true, "the database takes what it is told again").await,
            Err(error) => {
                look.failed(error, "the database does not take what it is told, this process is not ready");
            }
        }
        seen
    }

    async fn try_both(&self) -> Result<(), StoreError> {
        self.try_read().await?;
        self.try_write().await
    }

    async fn try_read(&self) -> Result<(), StoreError> {
        let statement = sql(format!(
            "select {RUN}, connection.epoch, connection.state, shard.state, shard.attempt, shard.due_at, shard.lease_until,
               shard.params, outbox.dedup, outbox.body, outbox.lease_until
             from connection join run on run.connection_id = connection.id join shard on shard.run_id = run.id
               left join outbox on outbox.id = 0
             where connection.id = 0"
        ));
        sqlx::query(statement).fetch_optional(&self.pool).await?;
        sqlx::query(sql(read_connection())).bind(0_i64).fetch_optional(&self.pool).await?;
        Ok(())
    }
}

impl Database {
    /// Answers within two seconds whether the database takes what it is told: see [`Store::ping`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn takes_writes(&self) -> Result<(), StoreError> {
        in_time(self.try_write()).await
    }

    async fn try_write(&self) -> Result<(), StoreError> {
        if let Some(file) = &self.file {
            file.check().and_then(|()| file.check_room()).map_err(sqlx::Error::Io)?;
            // Whoever writes now finds out by himself, and has the turn.
            if self.writer.available_permits() == 0 {
                return Ok(());
            }
        }
        let mut write = self.write().await?;
        sqlx::query(
            "insert into ping (id, at) values (1, $1) on conflict (id) do update set at = excluded.at",
        )
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}

async fn in_time(asked: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    match tokio::time::timeout(PING_MAX, asked).await {
        Ok(answer) => answer,
        Err(_elapsed) => Err(StoreError::from(sqlx::Error::PoolTimedOut)),
    }
}
