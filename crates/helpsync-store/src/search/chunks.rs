//! Chunks: the parts of texts that searches answer with, and how they are listed. A hidden or removed file's chunks
//! appear nowhere: every look at them goes through the file.

use futures::TryStreamExt as _;
use helpsync_model::{CustomerId, FileId};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::bounds::ANSWER_BYTES_MAX;
use crate::db::{Dialect, SearchStore, StoreError, Write, sql};
use crate::filter::file_query::{FileFilters, FileOrder};

/// A number of a vector, written out.
const VECTOR_NUMBER_BYTES: usize = 12;

/// A part of a file's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Its id.
    pub id: i64,
    /// Of which file.
    pub file: FileId,
    /// Its place in the file, from 0.
    pub position: i64,
    /// The locale of the translation that it is a part of.
    pub locale: String,
    /// The text.
    pub content: String,
    /// Its tokens.
    pub tokens: i64,
    /// Its vector, if it has one and it was asked for.
    pub vector: Option<Vec<f32>>,
}

/// Whose vectors are meant: those that this installation made, and those that came with one of Carbon's names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VectorsOf {
    /// Also those that this installation made.
    pub ours: bool,
    /// Uploaded ones, by the name of their model.
    pub uploaded: Vec<String>,
}

impl VectorsOf {
    /// The condition; `place` is bound by [`VectorsOf::names`].
    pub(crate) fn sql(&self, dialect: Dialect, place: &str) -> String {
        let ours = if self.ours { "chunk.uploaded = 0 or " } else { "" };
        format!("({ours}chunk.uploaded = 1 and chunk.model in {})", dialect.json_texts(place))
    }

    pub(crate) fn names(&self) -> String {
        json!(self.uploaded).to_string()
    }
}

/// The column that chunks are listed by; ties by their place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkOrder {
    /// When the chunk was first made.
    CreatedAt,
    /// When it last changed.
    UpdatedAt,
    /// By its place in the file.
    Position,
    /// As their files are.
    File(FileOrder),
}

/// A page of a customer's chunks.
#[derive(Debug, Clone)]
pub struct ChunkQuery {
    /// Whose.
    pub customer: CustomerId,
    /// Of which files.
    pub files: FileFilters,
    /// Only files with an id above this.
    pub starting_file: i64,
    /// Only chunks with an id above this.
    pub starting_chunk: i64,
    /// Only chunks that these vectors belong to.
    pub vectors_of: Option<VectorsOf>,
    /// Ordered by.
    pub order: ChunkOrder,
    /// Largest first.
    pub descending: bool,
    /// With their vectors.
    pub with_vectors: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

const COLUMNS: &str = "chunk.id, chunk.file_id, chunk.position, chunk.locale, chunk.content, chunk.tokens";

fn columns(with_vectors: bool) -> String {
    let vector = if with_vectors { ", chunk.vector" } else { "" };
    format!("{COLUMNS}{vector}")
}

fn chunk_of(row: &AnyRow, with_vector: bool) -> Result<Chunk, StoreError> {
    let vector: Option<Vec<u8>> = if with_vector { row.try_get("vector")? } else { None };
    Ok(Chunk {
        id: row.try_get("id")?,
        file: FileId(row.try_get("file_id")?),
        position: row.try_get("position")?,
        locale: row.try_get("locale")?,
        content: row.try_get("content")?,
        tokens: row.try_get("tokens")?,
        vector: vector.as_deref().map(vector_of),
    })
}

/// A vector as it is stored.
pub(crate) fn bytes_of(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// A stored vector.
pub(crate) fn vector_of(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect()
}

/// Forgets the chunks of files whose text is gone, while their records stay.
pub(crate) async fn forget_chunks(write: &mut Write, files: &[i64]) -> Result<(), StoreError> {
    for table in ["chunk", "chunking"] {
        sqlx::query(sql(format!("delete from {table} where {}", write.dialect.among("file_id", "$1"))))
            .bind(json!(files).to_string())
            .execute(&mut *write.tx)
            .await?;
    }
    Ok(())
}

impl SearchStore {
    /// A page of chunks, and how many match before paging.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunks(&self, query: &ChunkQuery) -> Result<(Vec<Chunk>, i64), StoreError> {
        if query.files.nothing {
            return Ok((Vec::new(), 0));
        }
        let mut matching = self.matching(query.customer, query.starting_file, &query.files);
        let above = matching.integer(query.starting_chunk);
        matching.and(&format!("chunk.id > {above}"));
        if let Some(vectors) = &query.vectors_of {
            let names = matching.text(vectors.names());
            matching.and(&vectors.sql(self.dialect, &names));
        }
        let from = format!("from chunk join file on file.id = chunk.file_id {}", matching.sql());
        let direction = if query.descending { "desc" } else { "asc" };
        let order = match query.order {
            ChunkOrder::CreatedAt => format!("chunk.created_at {direction}, chunk.position {direction}"),
            ChunkOrder::UpdatedAt => format!("chunk.updated_at {direction}, chunk.position {direction}"),
            ChunkOrder::Position => format!("chunk.position {direction}"),
            ChunkOrder::File(order) => {
                format!("{} {direction}, file.id {direction}, chunk.position", order.column())
            }
        };
        let mut paged = matching.clone();
        let (limit, offset) = (paged.integer(query.limit), paged.integer(query.offset));
        let listing = sql(format!(
            "select {} {from} order by {order}, chunk.id limit {limit} offset {offset}",
            columns(query.with_vectors)
        ));
        let mut chunks = Vec::new();
        let mut room = ANSWER_BYTES_MAX;
        // One by one: what is too much as a whole must not be in memory before that is known.
        let mut found = paged.bind(sqlx::query(listing)).fetch(&self.pool);
        while let Some(row) = found.try_next().await? {
            let chunk = chunk_of(&row, query.with_vectors)?;
            let vector = chunk.vector.as_ref().map_or(0, |vector| vector.len() * VECTOR_NUMBER_BYTES);
            room = room
                .checked_sub(chunk.content.len() + vector)
                .ok_or(StoreError::TooLarge { what: "the answer", bytes_max: ANSWER_BYTES_MAX })?;
            chunks.push(chunk);
        }
        drop(found);
        let counting = sql(format!("select count(*) as matches {from}"));
        let counted = matching.bind(sqlx::query(counting)).fetch_one(&self.pool).await?;
        Ok((chunks, counted.try_get("matches")?))
    }

    /// These of a customer's chunks, as far as their files are shown, in no order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn chunks_by_id(
        &self,
        customer: CustomerId,
        ids: &[i64],
        with_vectors: bool,
    ) -> Result<Vec<Chunk>, StoreError> {
        sqlx::query(sql(format!(
            "select {} from chunk join file on file.id = chunk.file_id
             where file.customer_id = $1 and file.hidden_at is null and chunk.id in {}",
            columns(with_vectors),
            self.dialect.json_integers("$2")
        )))
        .bind(customer.0)
        .bind(json!(ids).to_string())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| chunk_of(row, with_vectors))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back_as_they_were_stored() {
        let vector = vec![0.0, -1.5, f32::MAX, 1e-30];
        assert_eq!(vector_of(&bytes_of(&vector)), vector);
        assert!(vector_of(&[1, 2, 3]).is_empty());
    }
}
