//! `POST /embeddings`: what the customer's articles say about something.

use std::collections::HashMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::{IntoResponse as _, Response};
use helpsync_store::{Customer, File, FileFilters, FileOrder, FileQuery, Scored, VectorSearch};

use super::presigned::{Form, PRESIGNED_SECONDS, presign};
use crate::Api;
use crate::auth::Caller;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::chunk::vectors_of;
use crate::wire::search::{
    DocumentResponse, DocumentResponseList, GetEmbeddingDocumentsBody, Search, merged,
};

/// A query's own vector must be there by then; else its words are searched for.
const QUERY_PATIENCE: Duration = Duration::from_secs(5);
/// A search that finds no turn by then is told to come again. Longer, so that one silent query does not cost the next.
const TURN_PATIENCE: Duration = Duration::from_secs(8);
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
        .takes::<GetEmbeddingDocumentsBody>()
        .viewed()
        .gives::<DocumentResponseList>(),
    ]
}

async fn search(
    State(api): State<Api>,
    Caller(customer): Caller,
    Viewing(viewer): Viewing,
    Body(input): Body<GetEmbeddingDocumentsBody>,
) -> Result<Response, ApiError> {
    let mut search = input.check()?;
    search.files.viewer = viewer;
    // A search reads every vector of the customer and holds a connection to the database for as long.
    let turn = tokio::time::timeout(TURN_PATIENCE, api.searching().acquire()).await;
    let Ok(Ok(_turn)) = turn else {
        return Err(ApiError::unavailable("too many searches are under way: try again"));
    };
    let (found, how) = found(&api, &customer, &mut search).await?;
    let documents = documents(&api, &customer, &search, &found).await?;
    Ok(([(SEARCH.clone(), how)], Json(DocumentResponseList { documents, search: how })).into_response())
}

async fn found(
    api: &Api,
    customer: &Customer,
    search: &mut Search,
) -> Result<(Scored, &'static str), ApiError> {
    if search.files.nothing {
        return Ok((Vec::new(), "semantic"));
    }
    let vector = match search.vector.take() {
        Some(vector) => Some(vector),
        None => query_vector(api, &search.query).await,
    };
    let words = async || {
        api.store().search().chunks_with_words(customer.id, &search.files, &search.query, search.k).await
    };
    let Some(vector) = vector else { return Ok((words().await?, "keyword")) };
    let with_words = if search.hybrid.is_some() { words().await? } else { Vec::new() };
    let also: Vec<i64> = with_words.iter().map(|(chunk, _)| *chunk).collect();
    let mark = api.options().embeddings.as_ref().map(helpsync_embeddings::Client::mark);
    let (nearest, likeness) = api
        .store()
        .search()
        .nearest_chunks(&VectorSearch {
            customer: customer.id,
            files: &search.files,
            vector: &vector,
            vectors_of: &vectors_of(search.model.as_deref()),
            model: mark.as_deref().unwrap_or_default(),
            k: search.k,
            also: &also,
        })
        .await?;
    Ok(match search.hybrid {
        Some(weights) => (merged(&nearest, &likeness, &with_words, weights, search.k), "hybrid"),
        None => (nearest, "semantic"),
    })
}

/// None without an endpoint, and when it does not answer well: searching by words is better than no answer.
async fn query_vector(api: &Api, query: &str) -> Option<Vec<f32>> {
    let client = api.options().embeddings.as_ref()?;
    let failed = match tokio::time::timeout(QUERY_PATIENCE, client.embed(&[query])).await {
        Ok(Ok(mut vectors)) => return vectors.pop(),
        Ok(Err(failure)) => failure.to_string(),
        Err(_elapsed) => "it did not answer in time".to_owned(),
    };
    tracing::warn!(reason = failed, "a query got no vector, its words are searched for");
    None
}

async fn documents(
    api: &Api,
    customer: &Customer,
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
        document.presigned_url = search
            .show
            .raw_file
            .then(|| presign(api, file, Form::Raw, PRESIGNED_SECONDS, search.files.viewer.as_ref()));
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
