//! Cutting files into chunks: which files wait for it, and who does it. `store_chunks.rs` has what it changes.
//!
//! A page that stores a text raises the version of the file's `chunking` row in its own transaction. Whoever cuts takes
//! rows under a lease, reads the texts, cuts outside of any transaction, and stores the outcome for the version that it
//! read; a newer one waits to be chunked again. Chunks with an equal hash keep their row, and with it their vector.
//!
//! Locks: files first and in the order of their articles, as pages do; then `chunking`, then `chunk`.

use std::time::Duration;

use helpsync_model::{ConnectionId, FileId};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::millis;
use crate::db::lease::CHUNKING;
use crate::db::{SearchStore, StoreError, Write, decode, sql};
use crate::search::in_turn::fitting;
use crate::search::terms::ChunkWords;

/// A file to be chunked, held under a lease.
#[derive(Debug, Clone)]
pub struct FileToChunk {
    /// Which.
    pub file: FileId,
    /// The version that was read.
    pub version: i64,
    /// Which claim this is: the fence of its settling.
    pub attempt: i64,
    /// Tries spent since it was last chunked or changed, this one included.
    pub failures: i64,
    /// The title.
    pub name: String,
    /// Its labels: its chunks are found by them.
    pub labels: Vec<String>,
    /// Its sync options: how it is to be chunked.
    pub options: Value,
    /// Locale, title and Markdown of every translation, the source locale first.
    pub texts: Vec<(String, String, String)>,
}

/// What becomes of a file's chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunked {
    /// These are its chunks, in their order.
    Chunks {
        /// All of them.
        chunks: Vec<NewChunk>,
        /// Whether they are to have vectors.
        embed: bool,
    },
    /// It cannot be chunked: what it had is gone, and this is shown.
    Failed(String),
}

/// A chunk as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// The locale of its translation.
    pub locale: String,
    /// The text.
    pub text: String,
    /// Equal for equal texts.
    pub hash: String,
    /// Its tokens.
    pub tokens: i64,
    /// What it is found by.
    pub words: ChunkWords,
}

/// How cutting one file ended.
#[derive(Debug, Clone)]
pub struct ChunkedFile {
    /// As it was claimed.
    pub file: FileId,
    /// As it was claimed.
    pub version: i64,
    /// As it was claimed.
    pub attempt: i64,
    /// What came of it.
    pub chunked: Chunked,
}

/// Notes that these files' texts or options changed. Versions start from the time: a row that was deleted and made anew is
/// not taken for the one that somebody cuts yet.
pub(crate) async fn mark_for_chunking(write: &mut Write, files: &[i64]) -> Result<(), StoreError> {
    if files.is_empty() {
        return Ok(());
    }
    sqlx::query(sql(format!(
        "insert into chunking (file_id, connection_id, due_at, version) select id, connection_id, $2, $2 from file
         where {} order by article_id
         on conflict (file_id) do update set version = chunking.version + 1, due_at = excluded.due_at, failures = 0,
           lease_until = null",
        write.dialect.among("id", "$1")
    )))
    .bind(json!(files).to_string())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

impl SearchStore {
    /// The next connection after `after`, by id and round, that has files to be chunked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_to_chunk(&self, after: ConnectionId) -> Result<Option<ConnectionId>, StoreError> {
        self.next_due(&CHUNKING, after).await
    }

    /// Takes up to `limit` files of a connection for `lease`, together no more than `bytes_max` of HTML unless a single
    /// one has more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn claim_files_to_chunk(
        &self,
        connection: ConnectionId,
        limit: u32,
        bytes_max: i64,
        lease: Duration,
    ) -> Result<Vec<FileToChunk>, StoreError> {
        let mut write = self.write().await?;
        let now = write.now;
        let waiting: Vec<(i64, i64)> = sqlx::query_as(sql(CHUNKING.pick(
            self.dialect,
            "file_id, (select html_bytes from file where file.id = due.file_id) as html_bytes",
            " and connection_id = $1",
            ["$2", "$3"],
        )))
        .bind(connection.0)
        .bind(now)
        .bind(i64::from(limit))
        .fetch_all(&mut *write.tx)
        .await?;
        let taken = fitting(waiting, bytes_max);
        let claimed = sqlx::query(sql(format!(
            "{} returning file_id, version, attempt, failures",
            CHUNKING.take("$3", "", &self.dialect.among("file_id", "$2"))
        )))
        .bind(now.saturating_add(millis(lease)))
        .bind(json!(taken).to_string())
        .bind(now)
        .fetch_all(&mut *write.tx)
        .await?;
        write.commit().await?;
        let mut files = Vec::with_capacity(claimed.len());
        for row in &claimed {
            files.extend(self.to_chunk(row).await?);
        }
        Ok(files)
    }

    /// The version was read before the texts: if they change in between, their version waits to be chunked again.
    async fn to_chunk(&self, claimed: &AnyRow) -> Result<Option<FileToChunk>, StoreError> {
        let file: i64 = claimed.try_get("file_id")?;
        let Some(row) = sqlx::query("select id, name, labels, sync_options from file where id = $1")
            .bind(file)
            .fetch_optional(&self.pool)
            .await?
        else {
            return Ok(None);
        };
        let texts = sqlx::query_as(
            "select locale, title, markdown from translation join file on file.id = translation.file_id
             where file_id = $1 order by case when locale = file.source_locale then 0 else 1 end, locale",
        )
        .bind(file)
        .fetch_all(&self.pool)
        .await?;
        Ok(Some(FileToChunk {
            file: FileId(file),
            version: claimed.try_get("version")?,
            attempt: claimed.try_get("attempt")?,
            failures: claimed.try_get("failures")?,
            name: row.try_get("name")?,
            labels: decode::json(&row, "file", "labels")?,
            options: decode::json(&row, "file", "sync_options")?,
            texts,
        }))
    }
}
