//! Messages that are committed but not yet published. Relays claim them for a while, publish, then settle.

use std::time::Duration;

use helpsync_model::{Job, Lane, SCHEMA_VERSION};
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::db::decode::millis;
use crate::db::lease::OUTBOX;
use crate::db::{QueueStore, StoreError, Write, decode, sql};

/// One message to publish.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// For [`QueueStore::settle_outbox`].
    pub id: i64,
    /// Which claim this is, from 1; for [`QueueStore::unclaim_outbox`].
    pub attempt: i64,
    /// The message id: the same however often it is published.
    pub dedup: String,
    /// The job.
    pub job: Job,
    /// Its lane.
    pub lane: Lane,
    /// W3C trace context of the moment it was written; every message of a run has the same trace id.
    pub traceparent: String,
}

/// `upload`: the run's upload id, by which runs of different installations differ.
pub(crate) async fn put(write: &mut Write, dedup: &str, job: &Job, upload: &str) -> Result<(), StoreError> {
    sqlx::query(
        "insert into outbox (dedup, lane, body, created_at, traceparent) values ($1, $2, $3, $4, $5)
         on conflict (dedup) do nothing",
    )
    .bind(dedup)
    .bind(job.lane.as_str())
    .bind(String::from_utf8_lossy(&job.to_bytes()).into_owned())
    .bind(write.now)
    .bind(traceparent(&format!("{upload}/{}", job.run), dedup))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

impl QueueStore {
    /// Claims up to `limit` messages for `lease`; a relay that dies leaves them to the next one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_outbox(&self, limit: u32, lease: Duration) -> Result<Vec<OutboxMessage>, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let claimed = sqlx::query(sql(format!(
            "{} returning id, attempt, dedup, lane, body, traceparent",
            OUTBOX.claim(self.dialect, "")
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
                Ok(OutboxMessage {
                    id: row.try_get("id")?,
                    attempt: row.try_get("attempt")?,
                    dedup: row.try_get("dedup")?,
                    job: decode::json(row, "outbox", "body")?,
                    lane: decode::named(row, "outbox", "lane")?,
                    traceparent: row.try_get("traceparent")?,
                })
            })
            .collect()
    }

    /// Forgets messages that the queue has stored, whoever holds them now: stored is stored.
    ///
    /// # Errors
    /// [`StoreError`]; the messages are then published once more, which is harmless.
    pub async fn settle_outbox(&self, ids: &[i64]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for id in ids {
            sqlx::query("delete from outbox where id = $1").bind(id).execute(&mut *write.tx).await?;
        }
        write.commit().await
    }

    /// Puts back messages that the queue did not take, so that the next look finds them, not one after the claim.
    /// What another relay has claimed since is left to it.
    ///
    /// # Errors
    /// [`StoreError`]; the claim runs out by itself then.
    pub async fn unclaim_outbox(&self, refused: &[&OutboxMessage]) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        for message in refused {
            sqlx::query(sql(OUTBOX.settle("")))
                .bind(message.id)
                .bind(message.attempt)
                .execute(&mut *write.tx)
                .await?;
        }
        write.commit().await
    }
}

/// `00-<trace>-<span>-01`: the trace of the run, the span of the message. Both ids are derived, so that publishing a
/// message again does not start another trace. Source: W3C Trace Context, 3.2.
fn traceparent(run: &str, dedup: &str) -> String {
    let (trace, span) = (Sha256::digest(run), Sha256::digest(dedup));
    format!("00-{}-{}-01", hex::encode(&trace[..16]), hex::encode(&span[..8]))
}

pub(crate) fn job_of(
    shard: helpsync_model::ShardId,
    run: helpsync_model::RunId,
    kind: helpsync_model::ShardKind,
    lane: Lane,
) -> Job {
    Job { schema: SCHEMA_VERSION, shard, run, kind, lane }
}

#[cfg(test)]
mod tests {
    use super::traceparent;

    #[test]
    fn messages_of_one_run_share_a_trace_and_nothing_else() {
        let (one, two, other) = (traceparent("u/1", "a"), traceparent("u/1", "b"), traceparent("u/2", "a"));
        assert_eq!((one.len(), &one[..36]), (55, &two[..36]));
        assert_ne!(one, two);
        assert_ne!(one[..36], other[..36]);
        assert_eq!(one, traceparent("u/1", "a"));
    }
}
