//! Messages that are committed but not yet published. Relays claim them for a while, publish, then settle.

use std::collections::HashMap;
use std::time::Duration;

use helpsync_model::{Job, Lane};
use serde::Serialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::Row;

use crate::db::decode::{millis, since};
use crate::db::lease::OUTBOX;
use crate::db::{QueueStore, StoreError, Write, decode, integer, sql, text};

/// One message to publish.
#[derive(Debug, Clone)]
pub struct OutboxMessage {
    /// For [`QueueStore::unclaim_outbox`].
    pub id: i64,
    /// Which claim this is; for [`QueueStore::unclaim_outbox`].
    pub attempt: i64,
    /// The message id: the same however often it is published, and no other message's ever.
    pub dedup: String,
    /// The job.
    pub job: Job,
    /// Its lane.
    pub lane: Lane,
    /// W3C trace context of the moment it was written; every message of a run has the same trace id.
    pub traceparent: String,
    /// How long it had been written when it was claimed.
    pub age: Duration,
}

/// A message that is to be published.
#[derive(Serialize)]
pub(crate) struct NewMessage {
    #[serde(skip)]
    job: Job,
    place: usize,
    dedup: String,
    lane: &'static str,
    body: String,
    traceparent: String,
}

impl NewMessage {
    /// Of a shard that is released at `now`. `upload`: the run's upload id, by which runs of different installations
    /// differ. `parent`: the trace that the run is part of; a run that nobody traces has a derived one, so that one search
    /// finds all its log lines. `place`: which of its release it is.
    pub(crate) fn of(
        job: &Job,
        attempt: i64,
        now: i64,
        upload: &str,
        parent: Option<String>,
        place: usize,
    ) -> Self {
        let dedup = format!("shard-{}-{attempt}-{now}", job.shard);
        let traceparent = parent.unwrap_or_else(|| traceparent(&format!("{upload}/{}", job.run), &dedup));
        let body = String::from_utf8_lossy(&job.to_bytes()).into_owned();
        Self { job: job.clone(), place, dedup, lane: job.lane.as_str(), body, traceparent }
    }
}

/// Adds messages, in their order. With `claim` whoever adds them publishes them too: they are claimed for so long, and
/// these are the answer.
pub(crate) async fn put(
    write: &mut Write,
    messages: Vec<NewMessage>,
    claim: Option<Duration>,
) -> Result<Vec<OutboxMessage>, StoreError> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let columns = [integer("place"), text("dedup"), text("lane"), text("body"), text("traceparent")];
    let attempt = claim.map_or(0, |_| write.now);
    let added = sqlx::query(sql(format!(
        "insert into outbox (dedup, lane, body, traceparent, created_at, attempt, lease_until)
         select dedup, lane, body, traceparent, cast($2 as bigint), cast($3 as bigint), cast($4 as bigint)
         from {} where true order by place
         on conflict (dedup) do nothing returning id, dedup",
        write.dialect.json_rows("$1", &columns)
    )))
    .bind(serde_json::to_string(&messages).map_err(StoreError::unwritable)?)
    .bind(write.now)
    .bind(attempt)
    .bind(claim.map(|lease| write.now.saturating_add(millis(lease))))
    .fetch_all(&mut *write.tx)
    .await?;
    if claim.is_none() {
        return Ok(Vec::new());
    }
    let ids: HashMap<String, i64> = added
        .iter()
        .map(|row| Ok((row.try_get("dedup")?, row.try_get("id")?)))
        .collect::<Result<_, StoreError>>()?;
    let claimed = messages.into_iter().filter_map(|message| {
        let id = *ids.get(&message.dedup)?;
        let NewMessage { job, dedup, traceparent, .. } = message;
        Some(OutboxMessage { id, attempt, dedup, lane: job.lane, job, traceparent, age: Duration::ZERO })
    });
    Ok(claimed.collect())
}

impl QueueStore {
    /// Claims up to `limit` messages for `lease`; a relay that dies leaves them to the next one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_outbox(&self, limit: u32, lease: Duration) -> Result<Vec<OutboxMessage>, StoreError> {
        let now = self.clock.now_ms();
        let claim = sql(format!(
            "{} returning id, attempt, dedup, lane, body, traceparent, created_at",
            OUTBOX.claim(self.dialect, "")
        ));
        let claim =
            sqlx::query(claim).bind(now.saturating_add(millis(lease))).bind(now).bind(i64::from(limit));
        self.answered_alone(claim)
            .await?
            .iter()
            .map(|row| {
                Ok(OutboxMessage {
                    id: row.try_get("id")?,
                    attempt: row.try_get("attempt")?,
                    dedup: row.try_get("dedup")?,
                    job: decode::json(row, "outbox", "body")?,
                    lane: decode::named(row, "outbox", "lane")?,
                    traceparent: row.try_get("traceparent")?,
                    age: since(row.try_get("created_at")?, now),
                })
            })
            .collect()
    }

    /// Forgets messages that the queue has stored, whoever holds them now: stored is stored. They are named by what no
    /// other message ever has: their ids come again when an older backup is restored.
    ///
    /// # Errors
    /// [`StoreError`]; the messages are then published once more, which is harmless.
    pub async fn settle_outbox(&self, stored: &[&OutboxMessage]) -> Result<(), StoreError> {
        let settled = format!("delete from outbox where dedup in {}", self.dialect.json_texts("$1"));
        let stored: Vec<&str> = stored.iter().map(|message| message.dedup.as_str()).collect();
        self.alone(sqlx::query(sql(settled)).bind(json!(stored).to_string())).await.map(drop)
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
