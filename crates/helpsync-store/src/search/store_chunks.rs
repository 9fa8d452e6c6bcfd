//! Storing what was chunked: a handful of statements for a whole batch of files.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use helpsync_model::ChunkState;
use serde_json::{Value, json};
use sqlx::Row;

use crate::db::lease::CHUNKING;
use crate::db::states::{EMBEDDED_CHUNK, One, SETTLED_CHUNK, WAITING_CHUNK};
use crate::db::{Dialect, SearchStore, StoreError, Write, integer, sql, text};
use crate::search::chunk_rows::{Hold, hold_files, recount, show_error};
use crate::search::chunking::{Chunked, ChunkedFile, NewChunk};
use crate::search::index::index_chunks;
use crate::search::terms::ChunkWords;

/// Chunks that one statement adds at most, and their text, unless a single one has more: its JSON stays within some
/// megabytes.
pub(crate) const ADDED_PER_STATEMENT: usize = 256;
const BYTES_PER_STATEMENT: usize = 2 * 1024 * 1024;

/// A file that is still held by whoever chunked it, and what becomes of it.
struct Held<'a> {
    one: &'a ChunkedFile,
    connection: i64,
    customer: i64,
    /// Embed also what has not changed.
    anew: bool,
    /// The error that is shown so far.
    shown: Option<String>,
}

impl Held<'_> {
    fn file(&self) -> i64 {
        self.one.file.0
    }

    fn chunks(&self) -> &[NewChunk] {
        match &self.one.chunked {
            Chunked::Chunks { chunks, .. } => chunks,
            Chunked::Failed(_) => &[],
        }
    }

    fn embed(&self) -> bool {
        matches!(self.one.chunked, Chunked::Chunks { embed: true, .. })
    }

    fn error(&self) -> Option<&str> {
        match &self.one.chunked {
            Chunked::Chunks { .. } => None,
            Chunked::Failed(error) => Some(error),
        }
    }
}

/// A chunk of a batch: of which of the files, at which place, and the row that it takes over.
struct Placed<'a> {
    held: &'a Held<'a>,
    place: i64,
    chunk: &'a NewChunk,
    words: String,
    kept: Option<Old>,
}

/// A chunk that is stored.
#[derive(Clone)]
struct Old {
    id: i64,
    hash: String,
    words: Option<String>,
}

/// The languages of these files' chunks.
fn languages(chunked: &[ChunkedFile]) -> BTreeSet<&'static str> {
    let made = chunked.iter().filter_map(|one| match &one.chunked {
        Chunked::Chunks { chunks, .. } => Some(chunks),
        Chunked::Failed(_) => None,
    });
    made.flatten().map(|chunk| chunk.words.language).collect()
}

/// Which of the `old` hashes, by place, each of the `new` ones takes over: equal ones in their order, each once.
fn taken_over(old: &[&str], new: &[&str]) -> Vec<Option<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (place, hash) in old.iter().enumerate().rev() {
        places.entry(hash).or_default().push(place);
    }
    new.iter().map(|hash| places.get_mut(hash).and_then(Vec::pop)).collect()
}

impl SearchStore {
    /// Stores how cutting ended, all or nothing. What another has claimed since, and what is gone, is passed over.
    /// Answers whether chunks now wait for vectors.
    ///
    /// # Errors
    /// [`StoreError`]; the leases then run out, and it is done again.
    pub async fn store_chunks(&self, chunked: &[ChunkedFile]) -> Result<bool, StoreError> {
        let ids: Vec<i64> = chunked.iter().map(|one| one.file.0).collect();
        self.note_languages(&ids, languages(chunked)).await?;
        let mut write = self.write().await?;
        let there = hold_files(&mut write, &ids, Hold::There).await?;
        let held = still_held(&mut write, chunked, &there).await?;
        if held.is_empty() {
            return Ok(false);
        }
        replace(&mut write, &held).await?;
        settle(&mut write, &held).await?;
        for one in held.iter().filter(|one| one.shown.as_deref() != one.error()) {
            show_error(&mut write, one.file(), one.error()).await?;
        }
        recount(&mut write, &held.iter().map(Held::file).collect::<Vec<_>>()).await?;
        write.commit().await?;
        Ok(held.iter().any(Held::embed))
    }
}

/// Those of the files that nobody else has claimed, and that were not stored yet in this version; locked in the order
/// of their articles, as pages do.
async fn still_held<'a>(
    write: &mut Write,
    chunked: &'a [ChunkedFile],
    there: &[i64],
) -> Result<Vec<Held<'a>>, StoreError> {
    let lock = match write.dialect {
        Dialect::Sqlite => "",
        Dialect::Postgres => " for no key update of chunking",
    };
    let rows = sqlx::query(sql(format!(
        "select chunking.file_id, chunking.connection_id, chunking.attempt, chunking.chunked_version,
           chunking.embed_anew, chunking.error, file.customer_id
         from chunking join file on file.id = chunking.file_id
         where {} and chunking.lease_until is not null
         order by file.connection_id, file.article_id{lock}",
        write.dialect.among("chunking.file_id", "$1")
    )))
    .bind(json!(there).to_string())
    .fetch_all(&mut *write.tx)
    .await?;
    let by_id: HashMap<i64, &ChunkedFile> = chunked.iter().map(|one| (one.file.0, one)).collect();
    let mut held = Vec::with_capacity(rows.len());
    for row in &rows {
        let file: i64 = row.try_get("file_id")?;
        let (attempt, version): (i64, i64) = (row.try_get("attempt")?, row.try_get("chunked_version")?);
        let Some(one) = by_id.get(&file).filter(|one| one.attempt == attempt && one.version > version) else {
            continue;
        };
        held.push(Held {
            one,
            connection: row.try_get("connection_id")?,
            customer: row.try_get("customer_id")?,
            anew: row.try_get::<i64, _>("embed_anew")? != 0,
            shown: row.try_get("error")?,
        });
    }
    Ok(held)
}

/// Puts the new chunks in the place of the old ones. A chunk whose hash is known keeps its row, and with it its vector.
async fn replace(write: &mut Write, held: &[Held<'_>]) -> Result<(), StoreError> {
    let files = json!(held.iter().map(Held::file).collect::<Vec<_>>()).to_string();
    let placed = placed(held, &old_chunks(write, &files).await?);
    let kept: Vec<i64> = placed.iter().filter_map(|one| one.kept.as_ref()).map(|old| old.id).collect();
    // What was uploaded is of a text that is no more.
    sqlx::query(sql(format!(
        "delete from chunk where {} and id not in {}",
        write.dialect.among("file_id", "$1"),
        write.dialect.json_integers("$2")
    )))
    .bind(&files)
    .bind(json!(kept).to_string())
    .execute(&mut *write.tx)
    .await?;
    keep(write, &placed).await?;
    let mut found_anew: BTreeMap<i64, Vec<(i64, &ChunkWords)>> = BTreeMap::new();
    for one in &placed {
        if let Some(old) = one.kept.as_ref().filter(|old| old.words.as_ref() != Some(&one.words)) {
            found_anew.entry(one.held.customer).or_default().push((old.id, &one.chunk.words));
        }
    }
    let new: Vec<&Placed<'_>> = placed.iter().filter(|one| one.kept.is_none()).collect();
    for some in statements(&new) {
        for (one, id) in add(write, some).await? {
            found_anew.entry(one.held.customer).or_default().push((id, &one.chunk.words));
        }
    }
    for (customer, chunks) in found_anew {
        index_chunks(write, customer, &chunks).await?;
    }
    Ok(())
}

/// The made chunks that these files have, in their order. `files` is a JSON array.
async fn old_chunks(write: &mut Write, files: &str) -> Result<HashMap<i64, Vec<Old>>, StoreError> {
    let rows = sqlx::query(sql(format!(
        "select id, file_id, hash, words_hash from chunk where {} and uploaded = 0
         order by file_id, position, id",
        write.dialect.among("file_id", "$1")
    )))
    .bind(files)
    .fetch_all(&mut *write.tx)
    .await?;
    let mut old: HashMap<i64, Vec<Old>> = HashMap::new();
    for row in &rows {
        let one =
            Old { id: row.try_get("id")?, hash: row.try_get("hash")?, words: row.try_get("words_hash")? };
        old.entry(row.try_get("file_id")?).or_default().push(one);
    }
    Ok(old)
}

fn placed<'a>(held: &'a [Held<'a>], old: &HashMap<i64, Vec<Old>>) -> Vec<Placed<'a>> {
    let mut placed = Vec::new();
    for one in held {
        let old = old.get(&one.file()).map_or(&[] as &[Old], Vec::as_slice);
        let old_hashes: Vec<&str> = old.iter().map(|old| old.hash.as_str()).collect();
        let new_hashes: Vec<&str> = one.chunks().iter().map(|chunk| chunk.hash.as_str()).collect();
        let kept = taken_over(&old_hashes, &new_hashes);
        placed.extend((0..).zip(one.chunks()).zip(kept).map(|((place, chunk), kept)| Placed {
            held: one,
            place,
            chunk,
            words: chunk.words.hash(),
            kept: kept.map(|kept| old[kept].clone()),
        }));
    }
    placed
}

/// Chunks that stay, at their new places. One that failed to be embedded is tried again; one that is being embedded just
/// now is left to whoever does it.
async fn keep(write: &mut Write, placed: &[Placed<'_>]) -> Result<(), StoreError> {
    for (embed, anew) in [(false, false), (false, true), (true, false), (true, true)] {
        let alike = |one: &&Placed<'_>| one.held.embed() == embed && one.held.anew == anew;
        let rows: Vec<Value> = placed
            .iter()
            .filter(alike)
            .filter_map(|one| {
                let old = one.kept.as_ref()?;
                let (place, locale, words) = (one.place, &one.chunk.locale, &one.words);
                Some(json!({ "kept": old.id, "place": place, "kept_locale": locale, "words": words }))
            })
            .collect();
        if rows.is_empty() {
            continue;
        }
        // Only what is to have a vector may stay with whoever embeds it now.
        let settled = match (embed, anew) {
            (_, true) => "1 = 0".to_owned(),
            (true, false) => format!("state in {SETTLED_CHUNK}"),
            (false, false) => format!("state = {EMBEDDED_CHUNK}"),
        };
        let unless_embedded = |state| {
            format!("case when state = {EMBEDDED_CHUNK} then state else {} end", One::<ChunkState>(state))
        };
        let state = match (embed, anew) {
            (true, true) => WAITING_CHUNK.to_string(),
            (true, false) => unless_embedded(ChunkState::Waiting),
            (false, _) => unless_embedded(ChunkState::Skipped),
        };
        sqlx::query(sql(format!(
            "update chunk set position = place, locale = kept_locale, words_hash = words, state = {state},
               failures = case when {settled} then failures else 0 end,
               lease_until = case when {settled} then lease_until end,
               due_at = case when {settled} then due_at else $1 end,
               updated_at = case when position = place and locale = kept_locale then updated_at else $1 end
             from {} where chunk.id = incoming.kept",
            write
                .dialect
                .json_rows("$2", &[integer("kept"), integer("place"), text("kept_locale"), text("words")])
        )))
        .bind(write.now)
        .bind(Value::from(rows).to_string())
        .execute(&mut *write.tx)
        .await?;
    }
    Ok(())
}

/// New chunks in portions of what one statement takes.
fn statements<'a, 'b>(new: &'b [&'a Placed<'a>]) -> impl Iterator<Item = &'b [&'a Placed<'a>]> {
    let mut rest = new;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |one: &&&Placed<'_>| {
            bytes += one.chunk.text.len();
            bytes <= BYTES_PER_STATEMENT
        };
        let count = rest.iter().take(ADDED_PER_STATEMENT).take_while(fits).count().max(1);
        let (some, others) = rest.split_at_checked(count)?;
        rest = others;
        Some(some)
    })
}

/// Adds chunks; answers the id of each.
async fn add<'a>(
    write: &mut Write,
    new: &[&'a Placed<'a>],
) -> Result<Vec<(&'a Placed<'a>, i64)>, StoreError> {
    let rows = new.iter().map(|one| {
        let state = if one.held.embed() { ChunkState::Waiting } else { ChunkState::Skipped };
        json!({
            "file_id": one.held.file(),
            "connection_id": one.held.connection,
            "position": one.place,
            "locale": one.chunk.locale,
            "hash": one.chunk.hash,
            "tokens": one.chunk.tokens,
            "state": state.as_str(),
            "content": one.chunk.text,
            "words_hash": one.words,
        })
    });
    let columns = [
        integer("file_id"),
        integer("connection_id"),
        integer("position"),
        text("locale"),
        text("hash"),
        integer("tokens"),
        text("state"),
        text("content"),
        text("words_hash"),
    ];
    let added = sqlx::query(sql(format!(
        "insert into chunk (file_id, connection_id, position, locale, hash, tokens, state, due_at, created_at,
           updated_at, content, words_hash)
         select file_id, connection_id, position, locale, hash, tokens, state, $1, $1, $1, content, words_hash from {}
         order by file_id, position
         returning id, file_id, position",
        write.dialect.json_rows("$2", &columns)
    )))
    .bind(write.now)
    .bind(Value::from_iter(rows).to_string())
    .fetch_all(&mut *write.tx)
    .await?;
    let mut ids: HashMap<(i64, i64), i64> = HashMap::with_capacity(added.len());
    for row in &added {
        ids.insert((row.try_get("file_id")?, row.try_get("position")?), row.try_get("id")?);
    }
    Ok(new.iter().filter_map(|one| Some((*one, *ids.get(&(one.held.file(), one.place))?))).collect())
}

/// Ends the leases.
async fn settle(write: &mut Write, held: &[Held<'_>]) -> Result<(), StoreError> {
    let rows = held.iter().map(
        |one| json!({ "held": one.file(), "held_attempt": one.one.attempt, "held_version": one.one.version }),
    );
    let source = write.dialect.json_rows("$1", &["held", "held_attempt", "held_version"].map(integer));
    let outcome = "chunked_version = held_version, failures = 0, embed_anew = 0";
    sqlx::query(sql(CHUNKING.settle_all(&source, &write.dialect.among("file_id", "$2"), outcome)))
        .bind(Value::from_iter(rows).to_string())
        .bind(json!(held.iter().map(Held::file).collect::<Vec<_>>()).to_string())
        .execute(&mut *write.tx)
        .await?;
    Ok(())
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
