//! `POST /embeddings`: what the customer's articles say about something.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{IntoResponse as _, Response};
use helpsync_model::KeyScope;
use helpsync_store::{Customer, File, FileFilters, FileOrder, FileQuery, Scored, VectorSearch};

use super::presigned::{Form, PRESIGNED_SECONDS, presign};
use crate::Api;
use crate::auth::Caller;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::fair::{FairSlots, Refused, Slot};
use crate::viewer::Viewing;
use crate::wire::chunk::vectors_of;
use crate::wire::search::{DocumentResponse, DocumentResponseList, GetEmbeddingDocumentsBody, Search, fused};

/// A query's own vector must be there by then; else its words are searched for.
const QUERY_PATIENCE: Duration = Duration::from_secs(5);
/// A search that finds no slot by then is told to come again. Longer, so that one silent query does not cost the next.
const SLOT_PATIENCE: Duration = Duration::from_secs(8);
/// So many of the best by meaning and by words are merged, also where fewer are asked for: what both find, neither at
/// the top, may be the best of all.
const HYBRID_DEPTH: usize = 100;
/// Says how it was searched.
pub(crate) static SEARCH: HeaderName = HeaderName::from_static("helpsync-search");

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/embeddings",
            Access::Customer,
            "The chunks that are nearest to a query. Without an embeddings endpoint, or while it does not answer, those \
             that hold its words",
            search,
        )
.needs(KeyScope::Read)
        .takes::<GetEmbeddingDocumentsBody>()
        .viewed()
        .gives::<DocumentResponseList>(),
    ]
}

async fn search(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<GetEmbeddingDocumentsBody>,
) -> Result<Response, ApiError> {
    let mut search = input.check()?;
    search.files.viewer.clone_from(&viewing.viewer);
    let vector = match search.vector.take() {
        Some(vector) => Some(vector),
        None => query_vector(&api, &customer, &search).await?,
    };
    // A search may read every vector of the customer, and holds a connection to the database for as long.
    let _slot = slot(api.searching(), &customer, "searches").await?;
    let (found, how) = found(&api, &customer, &search, vector).await?;
    let documents = documents(&api, &customer, &viewing, &search, &found).await?;
    Ok(([(SEARCH.clone(), how)], Json(DocumentResponseList { documents, search: how })).into_response())
}

/// Waits for a slot; a customer who asks for too much is told so, and others are not.
pub(super) async fn slot(slots: &FairSlots, customer: &Customer, what: &str) -> Result<Slot, ApiError> {
    slots.acquire(customer.organization, customer.id, SLOT_PATIENCE).await.map_err(|refused| match refused {
        Refused::Share => ApiError::throttled(format!("too many {what} are waiting: try again")),
        Refused::Late => ApiError::unavailable(format!("too many {what} are under way: try again")),
    })
}

async fn found(
    api: &Api,
    customer: &Customer,
    search: &Search,
    vector: Option<Vec<f32>>,
) -> Result<(Scored, &'static str), ApiError> {
    if search.files.nothing {
        return Ok((Vec::new(), "semantic"));
    }
    let words =
        async |k| api.store().search().chunks_with_words(customer.id, &search.files, &search.query, k).await;
    let Some(vector) = vector else { return Ok((words(search.k).await?, "keyword")) };
    let k = depth(search.k, search.hybrid.is_some());
    let mark = api.options().embeddings.as_ref().map(helpsync_embeddings::Client::mark);
    let (nearest, _) = api
        .store()
        .search()
        .nearest_chunks(&VectorSearch {
            customer: customer.id,
            files: &search.files,
            vector: &vector,
            vectors_of: &vectors_of(search.model.as_deref()),
            model: mark.as_deref().unwrap_or_default(),
            k,
            also: &[],
        })
        .await?;
    let Some(weights) = search.hybrid else { return Ok((nearest, "semantic")) };
    Ok((fused(&nearest, &words(k).await?, weights, search.k), "hybrid"))
}

/// How many of the best are looked for.
fn depth(k: usize, hybrid: bool) -> usize {
    if hybrid { k.max(HYBRID_DEPTH) } else { k }
}

/// None without an endpoint, and when it does not answer well: searching by words is better than no answer.
async fn query_vector(api: &Api, customer: &Customer, search: &Search) -> Result<Option<Vec<f32>>, ApiError> {
    let Some(client) = api.options().embeddings.as_ref().filter(|_| !search.files.nothing) else {
        return Ok(None);
    };
    let _slot = slot(api.embedding(), customer, "searches").await?;
    let failed = match tokio::time::timeout(QUERY_PATIENCE, client.embed(&[&search.query])).await {
        Ok(Ok(mut vectors)) => return Ok(vectors.pop()),
        Ok(Err(failure)) => failure.to_string(),
        Err(_elapsed) => "it did not answer in time".to_owned(),
    };
    tracing::warn!(reason = failed, "a query got no vector, its words are searched for");
    Ok(None)
}

async fn documents(
    api: &Api,
    customer: &Customer,
    viewing: &Viewing,
    search: &Search,
    found: &Scored,
) -> Result<Vec<DocumentResponse>, ApiError> {
    let ids: Vec<i64> = found.iter().map(|(chunk, _)| *chunk).collect();
    let chunks = api.store().search().chunks_by_id(customer.id, &ids, search.show.vectors).await?;
    let mut files: Vec<i64> = chunks.iter().map(|chunk| chunk.file.0).collect();
    files.sort_unstable();
    files.dedup();
    let filters =
        FileFilters { ids: Some(files), viewer: search.files.viewer.clone(), ..FileFilters::default() };
    let files: HashMap<i64, File> = matching(api, customer, filters).await?;
    let mut chunks: HashMap<i64, _> = chunks.into_iter().map(|chunk| (chunk.id, chunk)).collect();
    let mut documents = Vec::with_capacity(found.len());
    for (id, score) in found {
        // What went between the two looks is not shown.
        let Some(chunk) = chunks.remove(id) else { continue };
        let Some(file) = files.get(&chunk.file.0) else { continue };
        let rank = i64::try_from(documents.len() + 1).unwrap_or(i64::MAX);
        let mut document = DocumentResponse::new(chunk, file, search.show, *score, rank);
        document.presigned_url =
            search.show.raw_file.then(|| presign(api, file, Form::Raw, PRESIGNED_SECONDS, viewing));
        documents.push(document);
    }
    Ok(documents)
}

/// Of files that are named by their ids.
async fn matching(
    api: &Api,
    customer: &Customer,
    filters: FileFilters,
) -> Result<HashMap<i64, File>, ApiError> {
    let named = filters.ids.as_ref().map_or(0, Vec::len);
    let query = FileQuery {
        customer: customer.id,
        limit: i64::try_from(named).unwrap_or(i64::MAX),
        filters,
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        offset: 0,
    };
    let (files, _) = api.store().admin().files(&query).await?;
    Ok(files.into_iter().map(|file| (file.id.0, file)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chunks from `first` on, as many as a hybrid search for one looks at, and the chunk 0 among them.
    fn list(first: i64, place: usize) -> Scored {
        let mut list: Scored = (first..).take(depth(1, true)).map(|chunk| (chunk, 1.0)).collect();
        list[place].0 = 0;
        list
    }

    #[test]
    fn a_hybrid_search_for_one_looks_deep_enough_to_find_what_both_have_in_their_middle() {
        let (nearest, words) = (list(1_000, 59), list(2_000, 59));
        assert_eq!((nearest.len(), words.len()), (HYBRID_DEPTH, HYBRID_DEPTH));
        let best = fused(&nearest, &words, (0.5, 0.5), 1);
        assert_eq!((best.len(), best[0].0), (1, 0));
        // Who asks for more than that gets it, and other searches look for no more than is asked.
        assert_eq!(depth(HYBRID_DEPTH + 1, true), HYBRID_DEPTH + 1);
        assert_eq!(depth(1, false), 1);
    }
}
