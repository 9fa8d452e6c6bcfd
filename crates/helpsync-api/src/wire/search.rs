//! Searching.

use std::collections::HashMap;

use helpsync_store::{Chunk, File, FileFilters, Scored};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::chunk::{check_model, check_vector, chunk_metadata};
use super::filters::is_other_type;
use super::tag_filter::{flat_tags, tag_filter};
use super::{Int, ids, web_address};
use crate::error::ApiError;

/// The most documents of one answer.
pub(crate) const K_MAX: i64 = 1_000;
/// The longest query.
const QUERY_BYTES_MAX: usize = 32_768;
/// How far from 1 the weights' sum may be.
const WEIGHT_SLACK: f64 = 0.001;
/// How slowly a place further down counts less, in the fusion of both searches: the usual value.
const RANK_CONSTANT: f64 = 60.0;
/// Carbon's rerankers: accepted, and nothing is reranked.
const RERANKERS: [&str; 3] =
    ["COHERE_RERANK_MULTILINGUAL_V3", "JINA_RERANKER_MULTILINGUAL_V2", "PONGO_RERANKER"];

/// How much either way of searching counts.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(crate) struct HybridSearchTuningParams {
    /// Of likeness of meaning.
    pub(crate) weight_a: f64,
    /// Of the words themselves.
    pub(crate) weight_b: f64,
}

#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RerankParams {
    /// Accepted, and nothing is reranked.
    pub(crate) model: String,
}

/// Of what kind files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum FileContentTypes {
    Text,
    Image,
    Audio,
    Video,
}

/// What to look for, and where.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct GetEmbeddingDocumentsBody {
    #[schema(min_length = 1)]
    pub(crate) query: String,
    /// Looked for in the place of `query`.
    pub(crate) query_vector: Option<Vec<f32>>,
    /// So many documents, 1,000 at most.
    #[schema(value_type = i64, minimum = 1)]
    pub(crate) k: Int,
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) file_ids: Option<Vec<Int>>,
    /// Articles have no parents: finds nothing.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) parent_file_ids: Option<Vec<Int>>,
    /// All of these; ignored when `tags_v2` is given.
    #[schema(value_type = Option<Object>)]
    pub(crate) tags: Option<Value>,
    /// The tag filter language.
    #[schema(value_type = Option<Object>)]
    pub(crate) tags_v2: Option<Value>,
    pub(crate) include_tags: Option<bool>,
    pub(crate) include_vectors: Option<bool>,
    /// Fill `presigned_url`.
    pub(crate) include_raw_file: Option<bool>,
    /// Say more of the file in `content_metadata`.
    pub(crate) include_file_level_metadata: Option<bool>,
    /// By meaning and by words; both count the same unless told.
    pub(crate) hybrid_search: Option<bool>,
    pub(crate) hybrid_search_tuning_parameters: Option<HybridSearchTuningParams>,
    /// Articles are texts: another kind finds nothing.
    pub(crate) media_type: Option<FileContentTypes>,
    /// Uploaded embeddings of other models are left out; the installation's own are found under every name.
    pub(crate) embedding_model: Option<String>,
    pub(crate) rerank: Option<RerankParams>,
    /// Only `ARTICLE` finds anything.
    pub(crate) file_types_at_source: Option<Vec<String>>,
}

/// A checked search.
#[derive(Debug)]
pub(crate) struct Search {
    pub(crate) query: String,
    pub(crate) vector: Option<Vec<f32>>,
    pub(crate) k: usize,
    pub(crate) files: FileFilters,
    pub(crate) model: Option<String>,
    /// What meaning and words count, when both do.
    pub(crate) hybrid: Option<(f64, f64)>,
    pub(crate) show: Show,
}

/// What documents say beside their text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Show {
    pub(crate) tags: bool,
    pub(crate) vectors: bool,
    pub(crate) raw_file: bool,
    pub(crate) file: bool,
}

impl GetEmbeddingDocumentsBody {
    pub(crate) fn check(self) -> Result<Search, ApiError> {
        if self.query.is_empty() || self.query.len() > QUERY_BYTES_MAX {
            return Err(ApiError::field("query", format!("takes a text of 1 to {QUERY_BYTES_MAX} bytes")));
        }
        if self.k.0 < 1 || self.k.0 > K_MAX {
            return Err(ApiError::field("k", format!("takes 1 to {K_MAX}")));
        }
        check_model(self.embedding_model.as_deref(), "embedding_model")?;
        if let Some(vector) = &self.query_vector {
            check_vector(vector, "query_vector")?;
        }
        if let Some(rerank) = &self.rerank
            && !RERANKERS.contains(&rerank.model.as_str())
        {
            let msg = format!("is none of {}", RERANKERS.join(", "));
            return Err(ApiError::field("rerank.model", msg));
        }
        let hybrid = hybrid(self.hybrid_search == Some(true), self.hybrid_search_tuning_parameters)?;
        let tags = match tag_filter(self.tags_v2.as_ref(), "tags_v2")? {
            Some(tags) => Some(tags),
            None => flat_tags(self.tags.as_ref(), "tags")?,
        };
        let nothing = self.parent_file_ids.is_some_and(|ids| !ids.is_empty())
            || self.file_types_at_source.as_deref().is_some_and(is_other_type)
            || self.media_type.is_some_and(|kind| kind != FileContentTypes::Text);
        let says = |flag: Option<bool>| flag == Some(true);
        Ok(Search {
            query: self.query,
            vector: self.query_vector,
            k: usize::try_from(self.k.0).unwrap_or(1),
            // No files named is no condition: clients send an empty list for it.
            files: FileFilters {
                ids: ids(self.file_ids, "file_ids")?.filter(|ids| !ids.is_empty()),
                tags,
                nothing,
                ..FileFilters::default()
            },
            model: self.embedding_model,
            hybrid,
            show: Show {
                tags: says(self.include_tags),
                vectors: says(self.include_vectors),
                raw_file: says(self.include_raw_file),
                file: says(self.include_file_level_metadata),
            },
        })
    }
}

fn hybrid(wanted: bool, weights: Option<HybridSearchTuningParams>) -> Result<Option<(f64, f64)>, ApiError> {
    const FIELD: &str = "hybrid_search_tuning_parameters";
    let HybridSearchTuningParams { weight_a, weight_b } =
        weights.unwrap_or(HybridSearchTuningParams { weight_a: 0.5, weight_b: 0.5 });
    if weight_a < 0.0 || weight_b < 0.0 {
        return Err(ApiError::field(FIELD, "weights must not be negative"));
    }
    let off = (weight_a + weight_b - 1.0).abs();
    // The sum itself is rounded.
    if off > WEIGHT_SLACK + f64::EPSILON * 4.0 {
        return Err(ApiError::field(FIELD, format!("the weights must add up to 1, within {WEIGHT_SLACK}")));
    }
    Ok(wanted.then_some((weight_a, weight_b)))
}

/// Both searches' places as one score, best first, at most `k`: reciprocal rank fusion (Cormack, Clarke and Büttcher,
/// 2009), each weighted. 1 = the first of both.
pub(crate) fn fused(nearest: &Scored, words: &Scored, weights: (f64, f64), k: usize) -> Scored {
    let mut scores: HashMap<i64, f64> = HashMap::new();
    for (found, weight) in [(nearest, weights.0), (words, weights.1)] {
        for (place, (chunk, _)) in found.iter().enumerate().filter(|_| weight > 0.0) {
            *scores.entry(*chunk).or_default() +=
                weight * (RANK_CONSTANT + 1.0) / (RANK_CONSTANT + 1.0 + place as f64);
        }
    }
    let mut fused: Scored = scores.into_iter().collect();
    fused.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    fused.truncate(k);
    fused
}

/// A chunk that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentResponse {
    pub(crate) content: String,
    pub(crate) file_id: i64,
    pub(crate) parent_file_id: Option<i64>,
    /// The file's name.
    pub(crate) source: Option<String>,
    pub(crate) source_url: Option<String>,
    /// `ZENDESK`.
    pub(crate) source_type: Option<&'static str>,
    pub(crate) presigned_url: Option<String>,
    #[schema(value_type = Option<Object>)]
    pub(crate) tags: Option<Value>,
    pub(crate) vector: Option<Vec<f32>>,
    /// Up to 1: the likeness of meaning, or the weight of the words beside the best's, or the places in both, as weighted.
    pub(crate) score: Option<f64>,
    /// From 1.
    pub(crate) rank: Option<i64>,
    /// `locale` and `num_tokens`, and `file` when asked for.
    #[schema(value_type = Option<Object>)]
    pub(crate) content_metadata: Option<Value>,
    pub(crate) chunk_index: Option<i64>,
}

impl DocumentResponse {
    pub(crate) fn new(chunk: Chunk, file: &File, show: Show, score: f64, rank: i64) -> Self {
        let mut metadata = chunk_metadata(&chunk);
        if show.file {
            metadata["file"] = file_metadata(file);
        }
        Self {
            file_id: chunk.file.0,
            parent_file_id: None,
            source: Some(file.name.clone()),
            source_url: web_address(file.external_url.clone()),
            source_type: Some("ZENDESK"),
            presigned_url: None,
            tags: show.tags.then(|| file.tags.clone()),
            vector: chunk.vector.filter(|_| show.vectors),
            score: Some(score),
            rank: Some(rank),
            content_metadata: Some(metadata),
            chunk_index: Some(chunk.position),
            content: chunk.content,
        }
    }
}

fn file_metadata(file: &File) -> Value {
    let metadata = json!({
        "type": "ARTICLE",
        "name": file.name,
        "external_file_id": file.article_id.to_string(),
        "external_url": web_address(file.external_url.clone()),
        "labels": file.labels,
        "section_id": file.section_id,
        "source_created_at": super::time(file.source_created_at),
        "source_updated_at": super::time(file.source_updated_at),
    });
    Value::Object(metadata.as_object().cloned().unwrap_or_else(Map::new))
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DocumentResponseList {
    pub(crate) documents: Vec<DocumentResponse>,
    /// How it was searched: `semantic`, `hybrid` or `keyword`. Also in the header `Helpsync-Search`.
    pub(crate) search: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(more: &Value) -> Result<Search, ApiError> {
        let mut body = json!({ "query": "q", "k": 3 });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more.clone());
        }
        serde_json::from_value::<GetEmbeddingDocumentsBody>(body).unwrap().check()
    }

    #[test]
    fn every_field_has_its_bounds() {
        assert!(check(&json!({})).unwrap().hybrid.is_none());
        let long = "x".repeat(QUERY_BYTES_MAX);
        for good in [
            json!({ "k": K_MAX }),
            json!({ "k": "7" }),
            json!({ "query": long }),
            json!({ "embedding_model": null, "query_vector": null, "tags": {}, "tags_v2": {}, "rerank": null }),
            json!({ "rerank": { "model": "PONGO_RERANKER" }, "embedding_model": "SOLAR_1_MINI" }),
            json!({ "query_vector": [0.0, 1.0] }),
        ] {
            assert!(check(&good).is_ok(), "{good}");
        }
        for wrong in [
            json!({ "k": 0 }),
            json!({ "k": K_MAX + 1 }),
            json!({ "query": "" }),
            json!({ "query": format!("{long}x") }),
            json!({ "embedding_model": "MINE" }),
            json!({ "query_vector": [] }),
            json!({ "query_vector": [0.0] }),
            json!({ "rerank": { "model": "MINE" } }),
            json!({ "tags_v2": { "NOT": [{ "key": "a", "value": "b" }] } }),
        ] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
        for other in [
            json!({ "media_type": "IMAGE" }),
            json!({ "parent_file_ids": [1] }),
            json!({ "file_types_at_source": ["TICKET"] }),
        ] {
            assert!(check(&other).unwrap().files.nothing, "{other}");
        }
        assert!(
            !check(&json!({ "media_type": "TEXT", "file_types_at_source": ["ARTICLE"] }))
                .unwrap()
                .files
                .nothing
        );
        assert!(check(&json!({ "file_ids": [] })).unwrap().files.ids.is_none());
    }

    #[test]
    fn weights_add_up_to_one_within_a_thousandth() {
        let of = |a: f64, b: f64| {
            check(&json!({ "hybrid_search": true,
                "hybrid_search_tuning_parameters": { "weight_a": a, "weight_b": b } }))
        };
        assert_eq!(check(&json!({ "hybrid_search": true })).unwrap().hybrid, Some((0.5, 0.5)));
        for (a, b) in [(1.0, 0.0), (0.3, 0.7), (0.3, 0.7009), (0.3, 0.701), (0.3, 0.699)] {
            assert!(of(a, b).is_ok(), "{a} {b}");
        }
        for (a, b) in [(0.3, 0.7011), (0.3, 0.6989), (0.0, 0.0), (1.5, -0.5)] {
            assert!(of(a, b).is_err(), "{a} {b}");
        }
    }

    #[test]
    fn both_searches_count_by_place_and_as_they_are_weighted() {
        let nearest = vec![(1, 0.9), (2, 0.8)];
        let words = vec![(3, 1.0), (2, 0.5)];
        let order = |weights| fused(&nearest, &words, weights, 9).iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(order((0.5, 0.5)), [2, 1, 3], "what both find comes first");
        assert_eq!(order((0.9, 0.1)), [2, 1, 3]);
        assert_eq!(order((0.1, 0.9)), [2, 3, 1]);
        assert_eq!(order((1.0, 0.0)), [1, 2]);
        assert_eq!(order((0.0, 1.0)), [3, 2]);
        assert_eq!(fused(&nearest, &words, (0.5, 0.5), 1).len(), 1);
        let same = vec![(7, 0.1)];
        assert!((fused(&same, &same, (0.3, 0.7), 1)[0].1 - 1.0).abs() < 1e-9);
    }
}
