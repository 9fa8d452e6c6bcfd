//! Cutting files into chunks: which files wait for it, who does it, and what it changes.
//!
//! A page that stores a text raises the version of the file's `chunking` row in its own transaction. Whoever cuts takes
//! rows under a lease, reads the texts, cuts outside of any transaction, and stores the outcome for the version that it
//! read; a newer one waits to be chunked again. Chunks with an equal hash keep their row, and with it their vector.
//!
//! Locks: files first and in the order of their articles, as pages do; then `chunking`, then `chunk`.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use helpsync_model::{ChunkState, ConnectionId, FileId};
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::decode::millis;
use crate::db::lease::CHUNKING;
use crate::db::states::{EMBEDDED_CHUNK, One, SETTLED_CHUNK, WAITING_CHUNK};
use crate::db::{SearchStore, StoreError, Write, decode, sql};
use crate::search::chunk_rows::{hold_files, recount, show_error};
use crate::search::in_turn::fitting;
use crate::search::index::index_chunks;
use crate::search::terms::ChunkWords;

/// A file to be chunked, held under a lease.
#[derive(Debug, Clone)]
pub struct FileToChunk {
    /// Which.
    pub file: FileId,
    /// The version that was read.
    pub version: i64,
    /// Which claim this is, from 1: the fence of its settling.
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
         where id in {} order by article_id
         on conflict (file_id) do update set version = chunking.version + 1, due_at = excluded.due_at, failures = 0,
           lease_until = null",
        write.dialect.json_integers("$1")
    )))
    .bind(json!(files).to_string())
    .bind(write.now)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Which of the `old` hashes, by place, each of the `new` ones takes over: equal ones in their order, each once.
fn taken_over(old: &[&str], new: &[&str]) -> Vec<Option<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, hash) in old.iter().enumerate().rev() {
        places.entry(hash).or_default().push(place);
    }
    new.iter().map(|hash| places.get_mut(hash).and_then(Vec::pop)).collect()
}

/// The languages of these files' chunks.
fn languages(chunked: &[ChunkedFile]) -> BTreeSet<&'static str> {
    let made = chunked.iter().filter_map(|one| match &one.chunked {
        Chunked::Chunks { chunks, .. } => Some(chunks),
        Chunked::Failed(_) => None,
    });
    made.flatten().map(|chunk| chunk.words.language).collect()
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
            CHUNKING.take("", &format!("file_id in {}", self.dialect.json_integers("$2")))
        )))
        .bind(now.saturating_add(millis(lease)))
        .bind(json!(taken).to_string())
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

    /// Stores how cutting ended, all or nothing. What another has claimed since, and what is gone, is passed over.
    /// Answers whether chunks now wait for vectors.
    ///
    /// # Errors
    /// [`StoreError`]; the leases then run out, and it is done again.
    pub async fn store_chunks(&self, chunked: &[ChunkedFile]) -> Result<bool, StoreError> {
        let ids: Vec<i64> = chunked.iter().map(|one| one.file.0).collect();
        self.note_languages(&ids, languages(chunked)).await?;
        let mut write = self.write().await?;
        let mut waiting = false;
        for file in hold_files(&mut write, &ids).await? {
            if let Some(one) = chunked.iter().find(|one| one.file.0 == file) {
                waiting |= self.store_one(&mut write, one).await?;
            }
        }
        write.commit().await?;
        Ok(waiting)
    }

    async fn store_one(&self, write: &mut Write, one: &ChunkedFile) -> Result<bool, StoreError> {
        let file = one.file.0;
        let held: Option<(i64, i64, i64, i64)> = sqlx::query_as(sql(format!(
            "select connection_id, attempt, embed_anew,
               (select customer_id from file where file.id = chunking.file_id) as customer_id
             from chunking where file_id = $1 and chunked_version < $2 and lease_until is not null{}",
            self.dialect.for_update()
        )))
        .bind(file)
        .bind(one.version)
        .fetch_optional(&mut *write.tx)
        .await?;
        let Some((connection, _, anew, customer)) = held.filter(|held| held.1 == one.attempt) else {
            return Ok(false);
        };
        let (chunks, embed, error) = match &one.chunked {
            Chunked::Chunks { chunks, embed } => (chunks.as_slice(), *embed, None),
            Chunked::Failed(error) => (&[] as &[NewChunk], false, Some(error)),
        };
        let changed = Changed { file, customer, connection, chunks, embed, anew: anew != 0 };
        replace(write, &changed).await?;
        sqlx::query(sql(CHUNKING.settle("chunked_version = $3, failures = 0, embed_anew = 0")))
            .bind(file)
            .bind(one.attempt)
            .bind(one.version)
            .execute(&mut *write.tx)
            .await?;
        show_error(write, file, error.map(String::as_str)).await?;
        recount(write, file).await?;
        Ok(embed)
    }
}

struct Changed<'a> {
    file: i64,
    customer: i64,
    connection: i64,
    chunks: &'a [NewChunk],
    embed: bool,
    anew: bool,
}

async fn replace(write: &mut Write, changed: &Changed<'_>) -> Result<(), StoreError> {
    // What was uploaded is of a text that is no more.
    let old: Vec<(i64, String, Option<String>)> = sqlx::query_as(
        "select id, hash, words_hash from chunk where file_id = $1 and uploaded = 0 order by position, id",
    )
    .bind(changed.file)
    .fetch_all(&mut *write.tx)
    .await?;
    let old_hashes: Vec<&str> = old.iter().map(|(_, hash, _)| hash.as_str()).collect();
    let new_hashes: Vec<&str> = changed.chunks.iter().map(|chunk| chunk.hash.as_str()).collect();
    let kept = taken_over(&old_hashes, &new_hashes);
    let kept_ids: Vec<i64> = kept.iter().flatten().map(|place| old[*place].0).collect();
    sqlx::query(sql(format!(
        "delete from chunk where file_id = $1 and id not in {}",
        write.dialect.json_integers("$2")
    )))
    .bind(changed.file)
    .bind(json!(kept_ids).to_string())
    .execute(&mut *write.tx)
    .await?;
    let mut found_anew = Vec::new();
    for ((place, chunk), kept) in (0_i64..).zip(changed.chunks).zip(kept) {
        let words = chunk.words.hash();
        let id = match kept.map(|kept| &old[kept]) {
            Some((id, _, had)) => {
                keep(write, changed, *id, place, chunk, &words).await?;
                if had.as_ref() == Some(&words) {
                    continue;
                }
                *id
            }
            None => add(write, changed, place, chunk, &words).await?,
        };
        found_anew.push((id, &chunk.words));
    }
    index_chunks(write, changed.customer, &found_anew).await
}

/// A chunk that stays, at its new place. One that failed to be embedded is tried again; one that is being embedded just
/// now is left to whoever does it.
async fn keep(
    write: &mut Write,
    changed: &Changed<'_>,
    id: i64,
    place: i64,
    chunk: &NewChunk,
    words: &str,
) -> Result<(), StoreError> {
    // Only what is to have a vector may stay with whoever embeds it now.
    let settled = match (changed.embed, changed.anew) {
        (_, true) => "1 = 0".to_owned(),
        (true, false) => format!("state in {SETTLED_CHUNK}"),
        (false, false) => format!("state = {EMBEDDED_CHUNK}"),
    };
    let unless_embedded = |state| {
        format!("case when state = {EMBEDDED_CHUNK} then state else {} end", One::<ChunkState>(state))
    };
    let state = match (changed.embed, changed.anew) {
        (true, true) => WAITING_CHUNK.to_string(),
        (true, false) => unless_embedded(ChunkState::Waiting),
        (false, _) => unless_embedded(ChunkState::Skipped),
    };
    sqlx::query(sql(format!(
        "update chunk set position = $2, locale = $3, words_hash = $5, state = {state},
           failures = case when {settled} then failures else 0 end,
           lease_until = case when {settled} then lease_until end,
           due_at = case when {settled} then due_at else $4 end,
           updated_at = case when position = $2 and locale = $3 then updated_at else $4 end
         where id = $1"
    )))
    .bind(id)
    .bind(place)
    .bind(&chunk.locale)
    .bind(write.now)
    .bind(words)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Adds a chunk; answers its id.
async fn add(
    write: &mut Write,
    changed: &Changed<'_>,
    place: i64,
    chunk: &NewChunk,
    words: &str,
) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar(
        "insert into chunk (file_id, connection_id, position, locale, hash, tokens, state, due_at, created_at,
           updated_at, content, words_hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9, $10) returning id",
    )
    .bind(changed.file)
    .bind(changed.connection)
    .bind(place)
    .bind(&chunk.locale)
    .bind(&chunk.hash)
    .bind(chunk.tokens)
    .bind(if changed.embed { ChunkState::Waiting } else { ChunkState::Skipped }.as_str())
    .bind(write.now)
    .bind(&chunk.text)
    .bind(words)
    .fetch_one(&mut *write.tx)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::taken_over;

    #[test]
    fn equal_chunks_are_taken_over_once_each_in_their_order() {
        let taken = taken_over(&["a", "b", "a"], &["a", "c", "a", "a", "b"]);
        assert_eq!(taken, [Some(0), None, Some(2), None, Some(1)]);
        assert_eq!(taken_over(&[], &["a"]), [None]);
    }
}
