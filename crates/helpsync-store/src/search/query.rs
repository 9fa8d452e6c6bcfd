//! Searching chunks: by vector, exactly, and by words.
//!
//! Both look at one customer's shown files only, narrowed by the same filters that list files. Vectors are read one by one
//! and only the best are kept, so memory does not grow with the number of chunks; where the database compares vectors
//! itself, only those come that may be among the best, and are compared again, so that scores are the same everywhere.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};

use futures::TryStreamExt as _;
use helpsync_model::CustomerId;
use serde_json::json;
use sqlx::Row;

use crate::db::pgvector;
use crate::db::{Dialect, Store, StoreError, sql};
use crate::filter::file_query::{FileFilters, bind_filters};
use crate::search::chunks::{VectorsOf, files_of};

/// Words of a query that count; the rest is passed over.
pub const QUERY_WORDS_MAX: usize = 32;
/// The longest word that is looked for.
const WORD_CHARS_MAX: usize = 64;
/// Words of this length are also found at the start of longer ones.
const PREFIX_CHARS_MIN: usize = 4;
/// Chunks that hold words of a query and are ranked.
const CANDIDATES_MAX: i64 = 1_000;
/// How fast more of the same word stops counting, and how much length counts: the usual values.
const BM25_K: f64 = 1.2;
const BM25_B: f64 = 0.75;

/// A search by vector.
#[derive(Debug, Clone)]
pub struct VectorSearch<'a> {
    /// Whose.
    pub customer: CustomerId,
    /// In which files.
    pub files: &'a FileFilters,
    /// What is looked for; vectors of another length are passed over.
    pub vector: &'a [f32],
    /// Among which vectors.
    pub vectors_of: &'a VectorsOf,
    /// What this installation's model is called: vectors of an older one are not compared with.
    pub model: &'a str,
    /// So many of the best.
    pub k: usize,
    /// Of these chunks the likeness is wanted in any case.
    pub also: &'a [i64],
}

/// Chunks and their scores, best first.
pub type Scored = Vec<(i64, f64)>;

/// A candidate in a heap whose top is the worst.
struct Candidate {
    chunk: i64,
    score: f64,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Candidate {}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.chunk.cmp(&other.chunk))
    }
}

/// The best `k`, whatever comes by.
struct Best {
    k: usize,
    heap: BinaryHeap<Candidate>,
}

impl Best {
    fn new(k: usize) -> Self {
        Self { k, heap: BinaryHeap::new() }
    }

    fn offer(&mut self, chunk: i64, score: f64) {
        self.heap.push(Candidate { chunk, score });
        if self.heap.len() > self.k {
            self.heap.pop();
        }
    }

    fn into_sorted(self) -> Scored {
        self.heap.into_sorted_vec().into_iter().map(|one| (one.chunk, one.score)).collect()
    }
}

/// The cosine of the angle between a vector and a stored one of the same length; 0 where one of them has none.
fn likeness(vector: &[f32], length: f64, stored: &[u8]) -> f64 {
    let (mut product, mut square) = (0.0_f64, 0.0_f64);
    for (ours, theirs) in vector.iter().zip(stored.chunks_exact(4)) {
        let theirs = f64::from(f32::from_le_bytes([theirs[0], theirs[1], theirs[2], theirs[3]]));
        product += f64::from(*ours) * theirs;
        square += theirs * theirs;
    }
    let lengths = length * square.sqrt();
    if lengths > 0.0 { product / lengths } else { 0.0 }
}

/// The words that a text is searched by: lower case, each once, at most [`QUERY_WORDS_MAX`].
#[must_use]
pub fn search_words(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    words(text)
        .filter(|word| word.chars().count() <= WORD_CHARS_MAX)
        .filter(|word| seen.insert(word.clone()))
        .take(QUERY_WORDS_MAX)
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn is_prefix(word: &str) -> bool {
    word.chars().count() >= PREFIX_CHARS_MIN
}

/// The words as the database's own query language wants them. They hold letters and digits only.
fn match_text(dialect: Dialect, words: &[String], all: bool) -> String {
    let quoted = words.iter().map(|word| match (dialect, is_prefix(word)) {
        (Dialect::Sqlite, true) => format!("\"{word}\"*"),
        (Dialect::Sqlite, false) => format!("\"{word}\""),
        (Dialect::Postgres, true) => format!("'{word}':*"),
        (Dialect::Postgres, false) => format!("'{word}'"),
    });
    let join = match (dialect, all) {
        (Dialect::Sqlite, true) => " AND ",
        (Dialect::Sqlite, false) => " OR ",
        (Dialect::Postgres, true) => " & ",
        (Dialect::Postgres, false) => " | ",
    };
    quoted.collect::<Vec<_>>().join(join)
}

/// Ranks texts by BM25 over themselves; the best has 1, those without any of the words are left out.
fn rank(texts: &[(i64, String)], wanted: &[String]) -> Scored {
    let counted: Vec<(i64, f64, Vec<f64>)> = texts
        .iter()
        .map(|(chunk, text)| {
            let (mut length, mut found) = (0.0, vec![0.0; wanted.len()]);
            for word in words(text) {
                length += 1.0;
                for (count, wanted) in found.iter_mut().zip(wanted) {
                    if word == *wanted || (is_prefix(wanted) && word.starts_with(wanted.as_str())) {
                        *count += 1.0;
                    }
                }
            }
            (*chunk, length, found)
        })
        .collect();
    let all = counted.len() as f64;
    let mean = (counted.iter().map(|(_, length, _)| length).sum::<f64>() / all.max(1.0)).max(1.0);
    let rarity: Vec<f64> = (0..wanted.len())
        .map(|word| {
            let holding = counted.iter().filter(|(_, _, found)| found[word] > 0.0).count() as f64;
            (1.0 + (all - holding + 0.5) / (holding + 0.5)).ln()
        })
        .collect();
    let mut scored: Scored = counted
        .into_iter()
        .map(|(chunk, length, found)| {
            let damped = BM25_K * (1.0 - BM25_B + BM25_B * length / mean);
            let score = found
                .iter()
                .zip(&rarity)
                .map(|(count, rare)| rare * count * (BM25_K + 1.0) / (count + damped));
            (chunk, score.sum())
        })
        .filter(|(_, score)| *score > 0.0)
        .collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let best = scored.first().map_or(1.0, |(_, score)| *score);
    scored.into_iter().map(|(chunk, score)| (chunk, score / best)).collect()
}

impl Store {
    /// The chunks whose vectors point most nearly where `vector` does, best first, and the likeness of those that were
    /// asked for by name. Exact: every vector of the files is looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn nearest_chunks(
        &self,
        search: &VectorSearch<'_>,
    ) -> Result<(Scored, HashMap<i64, f64>), StoreError> {
        let mut best = Best::new(search.k);
        let mut named = HashMap::new();
        if search.files.nothing || search.k == 0 {
            return Ok((Vec::new(), named));
        }
        let also: HashSet<i64> = search.also.iter().copied().collect();
        let files = files_of(search.customer, search.files, 0);
        let (matching, next) = self.matching(search.files);
        let vectors = search.vectors_of.sql(self.dialect, &format!("${next}"));
        let rows = format!(
            "from chunk join file on file.id = chunk.file_id {matching}
               and {vectors} and chunk.dimensions = ${} and (chunk.uploaded = 1 or chunk.model = ${})",
            next + 1,
            next + 2
        );
        let wanted = if self.compares { pgvector::text_of(search.vector) } else { None };
        let narrowed =
            wanted.as_ref().map_or(String::new(), |_| pgvector::nearest(self.dialect, &rows, next + 3));
        let statement = format!("select chunk.id, chunk.vector {rows}{narrowed}");
        let mut query = bind_filters(sqlx::query(sql(statement)), &files)
            .bind(search.vectors_of.names())
            .bind(i64::try_from(search.vector.len()).unwrap_or(i64::MAX))
            .bind(search.model);
        if let Some(wanted) = wanted {
            let last = i64::try_from(search.k - 1).unwrap_or(i64::MAX);
            query = query.bind(wanted).bind(last).bind(json!(search.also).to_string());
        }
        let mut found = query.fetch(&self.pool);
        let length = search.vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        while let Some(row) = found.try_next().await? {
            let chunk: i64 = row.try_get("id")?;
            let score = likeness(search.vector, length, &row.try_get::<Vec<u8>, _>("vector")?);
            best.offer(chunk, score);
            if also.contains(&chunk) {
                named.insert(chunk, score);
            }
        }
        Ok((best.into_sorted(), named))
    }

    /// Chunks that hold words of `text`, best first, at most `k` of the thousand that hold the most; the best has the
    /// score 1.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunks_with_words(
        &self,
        customer: CustomerId,
        filters: &FileFilters,
        text: &str,
        k: usize,
    ) -> Result<Scored, StoreError> {
        let words = search_words(text);
        if filters.nothing || words.is_empty() {
            return Ok(Vec::new());
        }
        let mut texts =
            self.holding_words(customer, filters, &match_text(self.dialect, &words, true)).await?;
        // Those with all of the words stand for themselves; others fill up what is left of the bound.
        if words.len() > 1 && texts.len() < usize::try_from(CANDIDATES_MAX).unwrap_or(usize::MAX) {
            let known: HashSet<i64> = texts.iter().map(|(chunk, _)| *chunk).collect();
            let more =
                self.holding_words(customer, filters, &match_text(self.dialect, &words, false)).await?;
            texts.extend(more.into_iter().filter(|(chunk, _)| !known.contains(chunk)));
        }
        let mut ranked = rank(&texts, &words);
        ranked.truncate(k);
        Ok(ranked)
    }

    async fn holding_words(
        &self,
        customer: CustomerId,
        filters: &FileFilters,
        words: &str,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let files = files_of(customer, filters, 0);
        let (matching, next) = self.matching(filters);
        let statement = match self.dialect {
            Dialect::Sqlite => format!(
                "select chunk.id, chunk.content from chunk_word join chunk on chunk.id = chunk_word.rowid
                   join file on file.id = chunk.file_id {matching} and chunk_word match ${next}
                 order by chunk_word.rank limit ${}",
                next + 1
            ),
            Dialect::Postgres => format!(
                "select chunk.id, chunk.content from chunk join file on file.id = chunk.file_id {matching}
                   and to_tsvector('simple', chunk.content) @@ to_tsquery('simple', ${next}) limit ${}",
                next + 1
            ),
        };
        bind_filters(sqlx::query(sql(statement)), &files)
            .bind(words)
            .bind(CANDIDATES_MAX)
            .fetch_all(&self.pool)
            .await?
            .iter()
            .map(|row| Ok((row.try_get("id")?, row.try_get("content")?)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::chunks::bytes_of;

    fn texts(texts: &[&str]) -> Vec<(i64, String)> {
        (1..).zip(texts.iter().map(|text| (*text).to_owned())).collect()
    }

    #[test]
    fn the_best_are_kept_in_order_and_no_more_of_them() {
        let mut best = Best::new(3);
        for (chunk, score) in [(1, 0.1), (2, 0.9), (3, 0.5), (4, 0.5), (5, f64::NAN.min(0.0)), (6, 0.95)] {
            best.offer(chunk, score);
            assert!(best.heap.len() <= 3);
        }
        assert_eq!(best.into_sorted(), [(6, 0.95), (2, 0.9), (3, 0.5)]);
    }

    #[test]
    fn likeness_is_of_direction_alone() {
        let of = |a: &[f32], b: &[f32]| {
            let length = a.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
            likeness(a, length, &bytes_of(b))
        };
        assert!((of(&[1.0, 0.0], &[5.0, 0.0]) - 1.0).abs() < 1e-9);
        assert!((of(&[1.0, 1.0], &[-2.0, -2.0]) + 1.0).abs() < 1e-9);
        assert!(of(&[1.0, 0.0], &[0.0, 3.0]).abs() < 1e-9);
        assert!(of(&[1.0, 0.0], &[0.0, 0.0]).abs() < 1e-9 && of(&[0.0], &[0.0]).abs() < 1e-9);
    }

    #[test]
    fn words_are_read_without_signs_and_within_their_bounds() {
        assert_eq!(
            search_words("Re-set: the PASSWORD, the \"password\" *"),
            ["re", "set", "the", "password"]
        );
        assert!(search_words("' | & ! ( ) * : -- \" ").is_empty());
        assert_eq!(search_words(&"x".repeat(WORD_CHARS_MAX)).len(), 1);
        assert!(search_words(&"x".repeat(WORD_CHARS_MAX + 1)).is_empty());
        let many: Vec<String> = (0..=QUERY_WORDS_MAX).map(|it| format!("w{it}")).collect();
        assert_eq!(search_words(&many.join(" ")).len(), QUERY_WORDS_MAX);
    }

    #[test]
    fn rare_words_count_more_than_common_ones_and_long_words_are_found_in_longer_ones() {
        let texts =
            texts(&["how to do the thing", "how to do the other thing", "the passwords of all", "none"]);
        let wanted = search_words("how to do the password");
        let ranked = rank(&texts, &wanted);
        assert_eq!(ranked.iter().map(|(chunk, _)| *chunk).collect::<HashSet<_>>(), HashSet::from([1, 2, 3]));
        assert!((ranked[0].1 - 1.0).abs() < 1e-9);
        assert_eq!(rank(&texts, &search_words("the password"))[0].0, 3);
        assert!(rank(&[], &wanted).is_empty() && rank(&texts, &search_words("zebra")).is_empty());
    }
}
