//! Chunks that customers bring themselves, with vectors of their own or without.

use std::collections::HashMap;

use helpsync_model::{ChunkState, CustomerId, FileId};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::{SearchStore, StoreError, Write, decode, sql};
use crate::search::chunk_rows::{Hold, hold_files, recount};
use crate::search::chunks::{bytes_of, forget_chunks};
use crate::search::index::index_chunks;
use crate::search::terms::ChunkWords;

/// The chunks of one file as they are brought.
#[derive(Debug, Clone)]
pub struct UploadedFile {
    /// Whose.
    pub file: FileId,
    /// Shown as the file's from now on, if given.
    pub chunk_size: Option<i64>,
    /// Shown as the file's from now on, if given.
    pub chunk_overlap: Option<i64>,
    /// In their order.
    pub chunks: Vec<UploadedChunk>,
}

/// A chunk as it is brought.
#[derive(Debug, Clone)]
pub struct UploadedChunk {
    /// Its place in the file.
    pub position: i64,
    /// The text.
    pub text: String,
    /// Equal for equal texts.
    pub hash: String,
    /// Its tokens.
    pub tokens: i64,
    /// Its vector, unless it has none.
    pub vector: Option<Vec<f32>>,
}

/// What came of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uploaded {
    /// It took the place of what the files had.
    Stored,
    /// Nothing was stored: these files have chunks, and were not to lose them.
    HaveChunks(Vec<i64>),
    /// Nothing was stored: these are no files of the customer's.
    Unknown(Vec<i64>),
}

impl SearchStore {
    /// Puts brought chunks in the place of those that files have; all or nothing. They stay until the file's text changes.
    /// `model` is Carbon's name of what made their vectors.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn upload_chunks(
        &self,
        customer: CustomerId,
        model: &str,
        files: &[UploadedFile],
        overwrite: bool,
    ) -> Result<Uploaded, StoreError> {
        let words = self.uploaded_words(customer, files).await?;
        let ids: Vec<i64> = files.iter().map(|one| one.file.0).collect();
        let languages = words.values().flatten().map(|words| words.language).collect();
        self.note_languages(&ids, languages).await?;
        let mut write = self.write().await?;
        hold_files(&mut write, &ids, Hold::Unchanged).await?;
        let known = sqlx::query(sql(format!(
            "select id, connection_id, source_locale, sync_options,
               (select count(*) from chunk where chunk.file_id = file.id) as chunks
             from file where customer_id = $1 and hidden_at is null and id in {}",
            self.dialect.json_integers("$2")
        )))
        .bind(customer.0)
        .bind(json!(ids).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
        let unknown =
            |id: &i64| !known.iter().any(|row| row.try_get::<i64, _>("id").is_ok_and(|it| it == *id));
        let unknown: Vec<i64> = ids.iter().copied().filter(unknown).collect();
        if !unknown.is_empty() {
            return Ok(Uploaded::Unknown(unknown));
        }
        let mut full = Vec::new();
        for row in &known {
            full.extend(
                row.try_get::<i64, _>("id")
                    .ok()
                    .filter(|_| row.try_get("chunks").is_ok_and(|it: i64| it > 0)),
            );
        }
        if !overwrite && !full.is_empty() {
            full.sort_unstable();
            return Ok(Uploaded::HaveChunks(full));
        }
        forget_chunks(&mut write, &ids).await?;
        for row in &known {
            let id: i64 = row.try_get("id")?;
            let Some(file) = files.iter().find(|one| one.file.0 == id) else { continue };
            let words = words.get(&id).map(Vec::as_slice).unwrap_or_default();
            store_uploaded(&mut write, customer, model, file, words, row).await?;
        }
        write.commit().await?;
        Ok(Uploaded::Stored)
    }

    /// What brought chunks are found by, by file. Analysed outside of the transaction and off the runtime's threads; a
    /// file that comes into being in between is found by its words when it is uploaded again.
    async fn uploaded_words(
        &self,
        customer: CustomerId,
        files: &[UploadedFile],
    ) -> Result<HashMap<i64, Vec<ChunkWords>>, StoreError> {
        let ids: Vec<i64> = files.iter().map(|one| one.file.0).collect();
        let rows = sqlx::query(sql(format!(
            "select id, source_locale, name, labels from file where customer_id = $1 and id in {}",
            self.dialect.json_integers("$2")
        )))
        .bind(customer.0)
        .bind(json!(ids).to_string())
        .fetch_all(&self.pool)
        .await?;
        let mut texts = Vec::with_capacity(rows.len());
        for row in &rows {
            let id: i64 = row.try_get("id")?;
            let chunks = files.iter().find(|one| one.file.0 == id).map(|one| one.chunks.as_slice());
            let chunks: Vec<String> =
                chunks.unwrap_or_default().iter().map(|chunk| chunk.text.clone()).collect();
            let labels: Vec<String> = decode::json(row, "file", "labels")?;
            let (locale, name): (String, String) = (row.try_get("source_locale")?, row.try_get("name")?);
            texts.push((id, locale, name, labels, chunks));
        }
        let analyse = move || {
            let analysed = texts.iter().map(|(id, locale, name, labels, chunks)| {
                let words = chunks.iter().map(|chunk| ChunkWords::of(locale, name, labels, chunk));
                (*id, words.collect())
            });
            analysed.collect()
        };
        Ok(tokio::task::spawn_blocking(analyse)
            .await
            .map_err(std::io::Error::other)
            .map_err(sqlx::Error::Io)?)
    }
}

/// Stores the chunks of one file, whose row is `row`, and finds them by `words`.
async fn store_uploaded(
    write: &mut Write,
    customer: CustomerId,
    model: &str,
    file: &UploadedFile,
    words: &[ChunkWords],
    row: &AnyRow,
) -> Result<(), StoreError> {
    let (now, id) = (write.now, file.file.0);
    let connection: i64 = row.try_get("connection_id")?;
    sqlx::query(
        "insert into chunking (file_id, connection_id, due_at, version, chunked_version) values ($1, $2, $3, $3, $3)",
    )
    .bind(id)
    .bind(connection)
    .bind(now)
    .execute(&mut *write.tx)
    .await?;
    let locale: String = row.try_get("source_locale")?;
    let mut found = Vec::with_capacity(words.len());
    for (chunk, words) in file.chunks.iter().zip(words) {
        let vector = chunk.vector.as_ref();
        let id: i64 = sqlx::query_scalar(
            "insert into chunk (file_id, connection_id, position, locale, hash, tokens, uploaded, state, due_at,
               created_at, updated_at, model, dimensions, vector, content, words_hash)
             values ($1, $2, $3, $4, $5, $6, 1, $7, $8, $8, $8, $9, cast($10 as bigint), $11, $12, $13)
             returning id",
        )
        .bind(id)
        .bind(connection)
        .bind(chunk.position)
        .bind(&locale)
        .bind(&chunk.hash)
        .bind(chunk.tokens)
        .bind(if vector.is_some() { ChunkState::Embedded } else { ChunkState::Skipped }.as_str())
        .bind(now)
        .bind(model)
        .bind(vector.map(|vector| i64::try_from(vector.len()).unwrap_or(i64::MAX)))
        .bind(vector.map(|vector| bytes_of(vector)))
        .bind(&chunk.text)
        .bind(words.hash())
        .fetch_one(&mut *write.tx)
        .await?;
        found.push((id, words));
    }
    index_chunks(write, customer.0, &found).await?;
    recount(write, &[id]).await?;
    let mut options: serde_json::Map<String, serde_json::Value> = decode::json(row, "file", "sync_options")?;
    for (name, size) in [("chunk_size", file.chunk_size), ("chunk_overlap", file.chunk_overlap)] {
        options.extend(size.map(|size| (name.to_owned(), json!(size))));
    }
    sqlx::query("update file set sync_options = $2, updated_at = $3 where id = $1")
        .bind(id)
        .bind(json!(options).to_string())
        .bind(now)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}
