//! Searching chunks: by vector, exactly, and by words.
//!
//! Both look at one customer's shown files only, narrowed by the same filters that list files. Vectors are read one by one
//! and only the best are kept, so memory does not grow with the number of chunks; where the database compares vectors
//! itself, only those come that may be among the best, and are compared again, so that scores are the same everywhere.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use futures::TryStreamExt as _;
use helpsync_model::CustomerId;
use sqlx::Row;

use crate::db::pgvector;
use crate::db::{SearchStore, StoreError, sql};
use crate::filter::file_query::FileFilters;
use crate::search::chunks::VectorsOf;

/// Vectors that are compared in one go: a millisecond or two, and some megabytes.
const VECTORS_PER_STEP: usize = 512;

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

/// How like the vector each stored one is. Pure CPU: off the runtime's threads.
async fn compared(vector: &Arc<[f32]>, length: f64, step: Vec<(i64, Vec<u8>)>) -> Result<Scored, StoreError> {
    let vector = Arc::clone(vector);
    let compare =
        move || step.iter().map(|(chunk, stored)| (*chunk, likeness(&vector, length, stored))).collect();
    Ok(tokio::task::spawn_blocking(compare).await.map_err(std::io::Error::other).map_err(sqlx::Error::Io)?)
}

impl SearchStore {
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
        let mut matching = self.matching(search.customer, 0, search.files);
        let names = matching.text(search.vectors_of.names());
        matching.and(&search.vectors_of.sql(self.dialect, &names));
        let dimensions = matching.integer(i64::try_from(search.vector.len()).unwrap_or(i64::MAX));
        let model = matching.text(search.model);
        matching.and(&format!(
            "chunk.dimensions = {dimensions} and (chunk.uploaded = 1 or chunk.model = {model})"
        ));
        let rows = format!("from chunk join file on file.id = chunk.file_id {}", matching.sql());
        let narrowed = match pgvector::text_of(search.vector).filter(|_| self.compares) {
            Some(wanted) => {
                let last = i64::try_from(search.k - 1).unwrap_or(i64::MAX);
                let (wanted, last) = (matching.text(wanted), matching.integer(last));
                let also = matching.integers(search.also);
                pgvector::nearest(&rows, &wanted, &last, &also)
            }
            None => String::new(),
        };
        let statement = sql(format!("select chunk.id, chunk.vector {rows}{narrowed}"));
        let mut found = matching.bind(sqlx::query(statement)).fetch(&self.pool);
        let length = search.vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        let vector: Arc<[f32]> = search.vector.into();
        loop {
            let mut step = Vec::with_capacity(VECTORS_PER_STEP);
            while step.len() < VECTORS_PER_STEP
                && let Some(row) = found.try_next().await?
            {
                step.push((row.try_get("id")?, row.try_get("vector")?));
            }
            if step.is_empty() {
                break;
            }
            for (chunk, score) in compared(&vector, length, step).await? {
                best.offer(chunk, score);
                if also.contains(&chunk) {
                    named.insert(chunk, score);
                }
            }
        }
        Ok((best.into_sorted(), named))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::chunks::bytes_of;

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
}
