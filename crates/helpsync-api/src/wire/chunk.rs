//! Chunks and their vectors.

use helpsync_content::{CHUNK_SIZE_MAX, chunk_hash, count_tokens};
use helpsync_model::{EMBEDDING_MODEL_DEFAULT, EMBEDDING_MODELS, FileId};
use helpsync_store::{Chunk, ChunkOrder, UploadedChunk, UploadedFile, VectorsOf};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::file::FileOrderBy;
use super::filters::FileFiltersInput;
use super::{Int, OrderDir, Pagination};
use crate::error::ApiError;

/// The most numbers of a vector.
pub(crate) const DIMENSIONS_MAX: usize = 16_384;
/// Files of one upload.
const UPLOAD_FILES_MAX: usize = 100;
/// Chunks of one upload, over all its files.
const UPLOAD_CHUNKS_MAX: usize = 10_000;
/// Bytes of one uploaded chunk: far more than the largest that is cut.
const UPLOAD_TEXT_BYTES_MAX: usize = 262_144;

/// Refuses what is no model of Carbon's.
pub(crate) fn check_model(model: Option<&str>, field: &str) -> Result<(), ApiError> {
    match model {
        Some(model) if !EMBEDDING_MODELS.contains(&model) => {
            let known = EMBEDDING_MODELS.join(", ");
            Err(ApiError::field(field, format!("is none of the models that are known: {known}")))
        }
        _ => Ok(()),
    }
}

/// Refuses sizes that no text can be cut by. Absent ones are as before, or Carbon's.
pub(crate) fn check_sizes(size: Option<i64>, overlap: Option<i64>, field: &str) -> Result<(), ApiError> {
    let most = i64::try_from(CHUNK_SIZE_MAX).unwrap_or(i64::MAX);
    if size.is_some_and(|size| size < 1 || size > most) {
        return Err(ApiError::field(&format!("{field}chunk_size"), format!("takes 1 to {most} tokens")));
    }
    if overlap.is_some_and(|overlap| overlap < 0 || overlap >= size.unwrap_or(most)) {
        let msg = "must not be negative, and must be less than chunk_size";
        return Err(ApiError::field(&format!("{field}chunk_overlap"), msg));
    }
    Ok(())
}

/// Refuses what is no direction.
pub(crate) fn check_vector(vector: &[f32], field: &str) -> Result<(), ApiError> {
    if vector.is_empty() || vector.len() > DIMENSIONS_MAX {
        return Err(ApiError::field(field, format!("takes 1 to {DIMENSIONS_MAX} numbers")));
    }
    if !vector.iter().all(|number| number.is_finite()) || vector.iter().all(|number| *number == 0.0) {
        return Err(ApiError::field(field, "a vector has finite numbers, and not only zeros"));
    }
    Ok(())
}

/// The vectors that one of Carbon's names stands for. This installation has one model, whatever a request calls it.
pub(crate) fn vectors_of(model: Option<&str>) -> VectorsOf {
    VectorsOf { ours: true, uploaded: vec![model.unwrap_or(EMBEDDING_MODEL_DEFAULT).to_owned()] }
}

/// The column that a file's chunks are ordered by.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EmbeddingsAndChunksOrderByColumns {
    CreatedAt,
    UpdatedAt,
    ChunkIndex,
}

impl From<EmbeddingsAndChunksOrderByColumns> for ChunkOrder {
    fn from(order: EmbeddingsAndChunksOrderByColumns) -> Self {
        match order {
            EmbeddingsAndChunksOrderByColumns::CreatedAt => Self::CreatedAt,
            EmbeddingsAndChunksOrderByColumns::UpdatedAt => Self::UpdatedAt,
            EmbeddingsAndChunksOrderByColumns::ChunkIndex => Self::Position,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsAndChunksFilters {
    #[schema(value_type = i64)]
    pub(crate) user_file_id: Int,
    /// Leaves chunks out that were uploaded with another model.
    pub(crate) embedding_model: Option<String>,
}

/// Of one file.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsAndChunksQueryInput {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<EmbeddingsAndChunksOrderByColumns>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: EmbeddingsAndChunksFilters,
    /// Fill `embedding`; at most 200 rows then.
    pub(crate) include_vectors: Option<bool>,
}

/// Of many files.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct EmbeddingsAndChunksQueryInputV2 {
    pub(crate) pagination: Option<Pagination>,
    pub(crate) order_by: Option<FileOrderBy>,
    pub(crate) order_dir: Option<OrderDir>,
    pub(crate) filters: FileFiltersInput,
    /// Fill `embedding`; at most 200 rows then.
    pub(crate) include_vectors: Option<bool>,
}

/// A part of a file's text.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingAndChunk {
    pub user_file_id: i64,
    /// Its place in the file, from 0.
    pub chunk_index: Option<i64>,
    pub source_content: String,
    /// When asked for; null also while it has none.
    pub embedding: Option<Vec<f32>>,
    /// `locale` and `num_tokens`.
    #[schema(value_type = Option<Object>)]
    pub content_metadata: Option<Value>,
}

/// What is said of a chunk itself.
pub(crate) fn chunk_metadata(chunk: &Chunk) -> Value {
    json!({ "locale": chunk.locale, "num_tokens": chunk.tokens })
}

impl From<Chunk> for EmbeddingAndChunk {
    fn from(chunk: Chunk) -> Self {
        Self {
            user_file_id: chunk.file.0,
            chunk_index: Some(chunk.position),
            content_metadata: Some(chunk_metadata(&chunk)),
            source_content: chunk.content,
            embedding: chunk.vector,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EmbeddingsAndChunksResponse {
    pub results: Vec<EmbeddingAndChunk>,
    /// How many match before paging.
    pub count: i64,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChunksAndEmbeddings {
    /// Its place in the file; null: its place in this list.
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_number: Option<Int>,
    pub(crate) chunk: String,
    /// Needed, unless `chunks_only`.
    pub(crate) embedding: Option<Vec<f32>>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct SingleChunksAndEmbeddingsUploadInput {
    #[schema(value_type = i64)]
    pub(crate) file_id: Int,
    /// Shown as the file's.
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_size: Option<Int>,
    /// Shown as the file's.
    #[schema(value_type = Option<i64>)]
    pub(crate) chunk_overlap: Option<Int>,
    pub(crate) chunks_and_embeddings: Vec<ChunksAndEmbeddings>,
}

/// Chunks of one's own in the place of those that files have; they stay until the file's text changes.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChunksAndEmbeddingsUploadInput {
    /// What made the embeddings; searches that name it find them.
    pub(crate) embedding_model: String,
    pub(crate) chunks_and_embeddings: Vec<SingleChunksAndEmbeddingsUploadInput>,
    /// Also in the place of chunks that are there.
    pub(crate) overwrite_existing: Option<bool>,
    /// The chunks have no embeddings, and get none.
    pub(crate) chunks_only: Option<bool>,
}

impl ChunksAndEmbeddingsUploadInput {
    /// As the store takes them.
    pub(crate) fn check(self) -> Result<Vec<UploadedFile>, ApiError> {
        const FIELD: &str = "chunks_and_embeddings";
        check_model(Some(&self.embedding_model), "embedding_model")?;
        let files = self.chunks_and_embeddings;
        if files.is_empty() || files.len() > UPLOAD_FILES_MAX {
            return Err(ApiError::field(FIELD, format!("takes 1 to {UPLOAD_FILES_MAX} files")));
        }
        let chunks: usize = files.iter().map(|file| file.chunks_and_embeddings.len()).sum();
        if chunks > UPLOAD_CHUNKS_MAX {
            let msg = format!("takes up to {UPLOAD_CHUNKS_MAX} chunks over all files, this has {chunks}");
            return Err(ApiError::field(FIELD, msg));
        }
        let chunks_only = self.chunks_only == Some(true);
        let mut seen = std::collections::HashSet::new();
        let mut checked = Vec::with_capacity(files.len());
        for (number, file) in files.into_iter().enumerate() {
            let field = format!("{FIELD}.{number}.");
            if !seen.insert(file.file_id.0) {
                return Err(ApiError::field(&format!("{field}file_id"), "a file stands in the list twice"));
            }
            checked.push(file.check(&field, chunks_only)?);
        }
        Ok(checked)
    }
}

impl SingleChunksAndEmbeddingsUploadInput {
    fn check(self, field: &str, chunks_only: bool) -> Result<UploadedFile, ApiError> {
        let (size, overlap) = (self.chunk_size.map(|it| it.0), self.chunk_overlap.map(|it| it.0));
        check_sizes(size, overlap, field)?;
        let length = self.chunks_and_embeddings.first().and_then(|one| one.embedding.as_ref()).map(Vec::len);
        let mut positions = std::collections::HashSet::new();
        let mut chunks = Vec::with_capacity(self.chunks_and_embeddings.len());
        for (place, one) in (0_i64..).zip(self.chunks_and_embeddings) {
            let field = format!("{field}chunks_and_embeddings.{place}.");
            let wrong = |name: &str, msg: &str| Err(ApiError::field(&format!("{field}{name}"), msg));
            if one.chunk.trim().is_empty() || one.chunk.len() > UPLOAD_TEXT_BYTES_MAX {
                return wrong("chunk", &format!("takes a text of up to {UPLOAD_TEXT_BYTES_MAX} bytes"));
            }
            let position = one.chunk_number.map_or(place, |number| number.0);
            if position < 0 || !positions.insert(position) {
                return wrong(
                    "chunk_number",
                    "chunks of a file have different numbers, none of them negative",
                );
            }
            let vector = one.embedding.filter(|_| !chunks_only);
            match &vector {
                // Carbon's word for it.
                None if !chunks_only => return wrong("embedding", "Mismatch between chunks and embeddings"),
                None => {}
                Some(vector) => {
                    check_vector(vector, &format!("{field}embedding"))?;
                    if Some(vector.len()) != length {
                        return wrong("embedding", "embeddings of a file have the same length");
                    }
                }
            }
            chunks.push(UploadedChunk {
                position,
                hash: chunk_hash(&one.chunk),
                tokens: i64::try_from(count_tokens(&one.chunk)).unwrap_or(i64::MAX),
                text: one.chunk,
                vector,
            });
        }
        Ok(UploadedFile { file: FileId(self.file_id.0), chunk_size: size, chunk_overlap: overlap, chunks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upload(chunks: &Value, more: &Value) -> Result<Vec<UploadedFile>, ApiError> {
        let mut body = json!({ "embedding_model": "OPENAI",
            "chunks_and_embeddings": [{ "file_id": 1, "chunks_and_embeddings": chunks }] });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more.clone());
        }
        serde_json::from_value::<ChunksAndEmbeddingsUploadInput>(body).unwrap().check()
    }

    #[test]
    fn an_upload_is_taken_when_everything_about_it_fits() {
        let good = json!([{ "chunk_number": null, "chunk": "a", "embedding": [1.0] },
            { "chunk_number": 5, "chunk": "b", "embedding": [2.0] }]);
        let files = upload(&good, &json!({})).unwrap();
        let places: Vec<i64> = files[0].chunks.iter().map(|chunk| chunk.position).collect();
        assert_eq!(places, [0, 5]);
        let bare = json!([{ "chunk_number": 0, "chunk": "a" }]);
        assert!(upload(&bare, &json!({ "chunks_only": true })).unwrap()[0].chunks[0].vector.is_none());
        for wrong in [
            bare,
            json!([{ "chunk_number": 0, "chunk": " ", "embedding": [1.0] }]),
            json!([{ "chunk_number": -1, "chunk": "a", "embedding": [1.0] }]),
            json!([{ "chunk_number": 1, "chunk": "a", "embedding": [1.0] }, { "chunk": "b", "embedding": [1.0] }]),
            json!([{ "chunk": "a", "embedding": [1.0] }, { "chunk": "b", "embedding": [1.0, 2.0] }]),
            json!([{ "chunk": "a", "embedding": [] }]),
            json!([{ "chunk": "a", "embedding": [0.0] }]),
            json!([{ "chunk": "a", "embedding": vec![1.0; DIMENSIONS_MAX + 1] }]),
            json!([{ "chunk": "x".repeat(UPLOAD_TEXT_BYTES_MAX + 1), "embedding": [1.0] }]),
            json!(vec![json!({ "chunk": "a", "embedding": [1.0] }); UPLOAD_CHUNKS_MAX + 1]),
        ] {
            assert!(
                upload(&wrong, &json!({})).is_err(),
                "{}",
                &wrong.to_string()[..wrong.to_string().len().min(200)]
            );
        }
        let file = json!({ "file_id": 1, "chunks_and_embeddings": good });
        assert!(upload(&good, &json!({ "embedding_model": "MINE" })).is_err());
        assert!(upload(&good, &json!({ "chunks_and_embeddings": [] })).is_err());
        assert!(upload(&good, &json!({ "chunks_and_embeddings": [file, file] })).is_err());
        let many: Vec<Value> =
            (0..=UPLOAD_FILES_MAX).map(|id| json!({ "file_id": id, "chunks_and_embeddings": [] })).collect();
        assert!(upload(&good, &json!({ "chunks_and_embeddings": many[1..] })).is_ok());
        assert!(upload(&good, &json!({ "chunks_and_embeddings": many })).is_err());
    }

    #[test]
    fn sizes_are_checked_against_each_other() {
        let most = i64::try_from(CHUNK_SIZE_MAX).unwrap();
        for (size, overlap) in
            [(None, None), (Some(1), Some(0)), (Some(most), Some(most - 1)), (None, Some(20))]
        {
            assert!(check_sizes(size, overlap, "").is_ok(), "{size:?} {overlap:?}");
        }
        for (size, overlap) in [
            (Some(0), None),
            (Some(most + 1), None),
            (Some(10), Some(10)),
            (None, Some(-1)),
            (None, Some(most)),
        ] {
            assert!(check_sizes(size, overlap, "").is_err(), "{size:?} {overlap:?}");
        }
    }
}
