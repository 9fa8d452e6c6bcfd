//! Vectors of chunks: which wait for one, who gets them, and how that ended.
//!
//! A chunk's row says that it waits. Whoever embeds takes chunks under a lease, asks the endpoint outside of any
//! transaction, and records the outcome for the try that it claimed: one that lost its lease changes nothing.

use std::time::Duration;

use helpsync_model::{ConnectionId, FileId};
use serde_json::json;

use crate::db::decode::millis;
use crate::db::lease::CHUNKS;
use crate::db::states::{EMBEDDED_CHUNK, FAILED_CHUNK, WAITING_CHUNK};
use crate::db::{SearchStore, StoreError, Write, sql};
use crate::search::chunk_rows::{Hold, hold_files, recount, show_error};
use crate::search::chunks::bytes_of;
use crate::search::in_turn::fitting;

/// Carbon's word for a file of which a chunk got no vector.
pub const NOT_EMBEDDED: &str = "Failed to generate embeddings";
const MINUTE_MS: i64 = 60_000;
/// Minutes that are kept after theirs.
const MINUTES_KEPT: i64 = 60;

/// A chunk to be embedded, held under a lease.
#[derive(Debug, Clone)]
pub struct ChunkToEmbed {
    /// Which.
    pub id: i64,
    /// Of which file.
    pub file: FileId,
    /// Which claim this is: the fence of its settling.
    pub attempt: i64,
    /// Tries spent since it last got anywhere, this one included.
    pub failures: i64,
    /// What is to be embedded.
    pub content: String,
}

/// How embedding one chunk ended.
#[derive(Debug, Clone, PartialEq)]
pub enum EmbeddingEnd {
    /// It has a vector.
    Vector(Vec<f32>),
    /// Not this time.
    Retry(Duration),
    /// It failed; it is tried again after a long time, or when its file is fetched anew.
    Failed(Duration),
    /// The process stops: nothing is known, and the try counts for nothing.
    Released,
}

/// How embedding one chunk ended.
#[derive(Debug, Clone)]
pub struct EmbeddedChunk {
    /// As it was claimed.
    pub id: i64,
    /// As it was claimed.
    pub file: FileId,
    /// As it was claimed.
    pub attempt: i64,
    /// How.
    pub end: EmbeddingEnd,
}

impl SearchStore {
    /// The next connection after `after`, by id and round, that has chunks to be embedded: no one's thousands stand
    /// before another's few.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_to_embed(&self, after: ConnectionId) -> Result<Option<ConnectionId>, StoreError> {
        self.next_due(&CHUNKS, after).await
    }

    /// Takes up to `limit` chunks of a connection for `lease`, together no more than `tokens_max` unless a single one has
    /// more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_chunks(
        &self,
        connection: ConnectionId,
        limit: u32,
        tokens_max: i64,
        lease: Duration,
    ) -> Result<Vec<ChunkToEmbed>, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let waiting: Vec<(i64, i64)> = sqlx::query_as(sql(CHUNKS.pick(
            self.dialect,
            "id, tokens",
            " and connection_id = $1",
            ["$2", "$3"],
        )))
        .bind(connection.0)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&mut *write.tx)
        .await?;
        let taken = fitting(waiting, tokens_max);
        let mut claimed: Vec<(i64, i64, i64, i64, String)> = sqlx::query_as(sql(format!(
            "{} returning id, file_id, attempt, failures, content",
            CHUNKS.take("$3", "", &self.dialect.among("id", "$2"))
        )))
        .bind(now.saturating_add(millis(lease)))
        .bind(json!(taken).to_string())
        .bind(now)
        .fetch_all(&mut *write.tx)
        .await?;
        write.commit().await?;
        claimed.sort_by_key(|(id, ..)| *id);
        Ok(claimed
            .into_iter()
            .map(|(id, file, attempt, failures, content)| ChunkToEmbed {
                id,
                file: FileId(file),
                attempt,
                failures,
                content,
            })
            .collect())
    }

    /// Records how embedding ended, all or nothing. What was claimed by another since is passed over; a file of which a
    /// chunk failed says so and is announced, and says it no more once all of its chunks have vectors.
    ///
    /// # Errors
    /// [`StoreError`]; the leases then run out, and it is done again.
    pub async fn settle_chunks(&self, ended: &[EmbeddedChunk], model: &str) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let mut files: Vec<i64> = ended.iter().map(|one| one.file.0).collect();
        files.sort_unstable();
        files.dedup();
        for file in hold_files(&mut write, &files, Hold::There).await? {
            let mut changed = false;
            for one in ended.iter().filter(|one| one.file.0 == file) {
                changed |= settle(&mut write, one, model).await?;
            }
            if !changed {
                continue;
            }
            let failed: i64 = sqlx::query_scalar(sql(format!(
                "select count(*) from chunk where file_id = $1 and state = {FAILED_CHUNK}"
            )))
            .bind(file)
            .fetch_one(&mut *write.tx)
            .await?;
            show_error(&mut write, file, (failed > 0).then_some(NOT_EMBEDDED)).await?;
            recount(&mut write, &[file]).await?;
        }
        write.commit().await
    }

    /// Has up to `limit` chunks embedded again whose vectors another model made. Answers how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn requeue_other_models(&self, model: &str, limit: u32) -> Result<u64, StoreError> {
        let mut write = self.write().await?;
        let lock = self.dialect.for_update_skip_locked();
        let requeued = sqlx::query(sql(format!(
            "update chunk set state = {WAITING_CHUNK}, failures = 0, due_at = $2 where id in
               (select id from chunk where state = {EMBEDDED_CHUNK} and uploaded = 0 and (model < $1 or model > $1)
                limit $3{lock})"
        )))
        .bind(model)
        .bind(self.clock.now_ms())
        .bind(i64::from(limit))
        .execute(&mut *write.tx)
        .await?;
        write.commit().await?;
        Ok(requeued.rows_affected())
    }

    /// Takes one of the `most` requests that all processes together may send in a minute. Otherwise: how long until the
    /// next minute.
    ///
    /// # Errors
    /// [`StoreError`]; no request may be sent then.
    pub async fn take_embedding_request(&self, most: u32) -> Result<Result<(), Duration>, StoreError> {
        let now = self.clock.now_ms();
        let minute = now.div_euclid(MINUTE_MS);
        let mut write = self.write().await?;
        let taken = sqlx::query(
            "insert into embedding_minute (minute, requests) values ($1, 1)
             on conflict (minute) do update set requests = embedding_minute.requests + 1
             where embedding_minute.requests < $2",
        )
        .bind(minute)
        .bind(i64::from(most))
        .execute(&mut *write.tx)
        .await?;
        if taken.rows_affected() == 0 {
            let left = MINUTE_MS - now.rem_euclid(MINUTE_MS);
            return Ok(Err(Duration::from_millis(left.unsigned_abs())));
        }
        sqlx::query("delete from embedding_minute where minute < $1")
            .bind(minute - MINUTES_KEPT)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        Ok(Ok(()))
    }
}

/// Whether the chunk is one whose outcome can change what is shown of its file.
async fn settle(write: &mut Write, one: &EmbeddedChunk, model: &str) -> Result<bool, StoreError> {
    let query = match &one.end {
        EmbeddingEnd::Vector(vector) => sqlx::query(sql(CHUNKS.settle(
            &format!("state = {EMBEDDED_CHUNK}, failures = 0, updated_at = $3, model = $4, dimensions = $5, vector = $6"),
        )))
        .bind(one.id)
        .bind(one.attempt)
        .bind(write.now)
        .bind(model)
        .bind(i64::try_from(vector.len()).unwrap_or(i64::MAX))
        .bind(bytes_of(vector)),
        EmbeddingEnd::Retry(wait) => sqlx::query(sql(CHUNKS.settle("due_at = $3")))
            .bind(one.id)
            .bind(one.attempt)
            .bind(write.now.saturating_add(millis(*wait))),
        EmbeddingEnd::Failed(again) => sqlx::query(sql(CHUNKS.settle(&format!("state = {FAILED_CHUNK}, due_at = $3"))))
            .bind(one.id)
            .bind(one.attempt)
            .bind(write.now.saturating_add(millis(*again))),
        EmbeddingEnd::Released => {
            sqlx::query(sql(CHUNKS.settle("failures = failures - 1"))).bind(one.id).bind(one.attempt)
        }
    };
    let changed = query.execute(&mut *write.tx).await?.rows_affected() > 0;
    Ok(changed && matches!(one.end, EmbeddingEnd::Vector(_) | EmbeddingEnd::Failed(_)))
}
