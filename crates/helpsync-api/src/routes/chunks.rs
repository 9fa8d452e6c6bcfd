//! Chunks of files and their vectors: listed, and brought by customers themselves.

use axum::Json;
use axum::extract::State;
use helpsync_model::{FileId, KeyScope};
use helpsync_store::{ChunkOrder, ChunkQuery, Customer, FileFilters, FileOrder, Uploaded, VectorsOf};

use crate::Api;
use crate::auth::Caller;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, post};
use crate::error::ApiError;
use crate::routes::files::known_to;
use crate::viewer::Viewing;
use crate::wire::chunk::{
    ChunksAndEmbeddingsUploadInput, EmbeddingAndChunk, EmbeddingsAndChunksQueryInput,
    EmbeddingsAndChunksQueryInputV2, EmbeddingsAndChunksResponse, check_model, vectors_of,
};
use crate::wire::filters::FileFiltersInput;
use crate::wire::{GenericSuccessResponse, OrderDir, Pagination, Paging, SUCCESS};

/// Rows of one answer when they hold vectors. Clients that ask for more page on by `count`.
const VECTORS_PAGE_MAX: i64 = 200;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/text_chunks", Access::Customer, "The chunks of a file", of_one_file)
            .needs(KeyScope::Read)
            .takes::<EmbeddingsAndChunksQueryInput>()
            .viewed()
            .gives::<EmbeddingsAndChunksResponse>(),
        post("/list_chunks_and_embeddings", Access::Customer, "The chunks of many files", of_many_files)
            .needs(KeyScope::Read)
            .takes::<EmbeddingsAndChunksQueryInputV2>()
            .viewed()
            .gives::<EmbeddingsAndChunksResponse>(),
        post(
            "/upload_chunks_and_embeddings",
            Access::Customer,
            "Bring chunks and embeddings of your own",
            upload,
        )
        .viewed()
        .takes::<ChunksAndEmbeddingsUploadInput>()
        .gives::<GenericSuccessResponse>(),
    ]
}

/// What a listing asks for, whichever way its files are named.
struct Wanted {
    files: FileFilters,
    vectors_of: Option<VectorsOf>,
    order: ChunkOrder,
    descending: bool,
    with_vectors: bool,
    /// Of chunks or of files, as the order is.
    paging: Paging,
}

async fn listed(
    api: &Api,
    customer: &Customer,
    wanted: Wanted,
) -> Result<Json<EmbeddingsAndChunksResponse>, ApiError> {
    let Wanted { files, vectors_of, order, descending, with_vectors, paging } = wanted;
    let by_file = matches!(order, ChunkOrder::File(_));
    let query = ChunkQuery {
        customer: customer.id,
        files,
        starting_file: if by_file { paging.starting_id } else { 0 },
        starting_chunk: if by_file { 0 } else { paging.starting_id },
        vectors_of,
        order,
        descending,
        with_vectors,
        limit: if with_vectors { paging.limit.min(VECTORS_PAGE_MAX) } else { paging.limit },
        offset: paging.offset,
    };
    let (chunks, count) = api.store().search().chunks(&query).await?;
    let results = chunks.into_iter().map(EmbeddingAndChunk::from).collect();
    Ok(Json(EmbeddingsAndChunksResponse { results, count }))
}

async fn of_one_file(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<EmbeddingsAndChunksQueryInput>,
) -> Result<Json<EmbeddingsAndChunksResponse>, ApiError> {
    let model = input.filters.embedding_model.as_deref();
    check_model(model, "filters.embedding_model")?;
    let file =
        viewing.of(api.store().admin().file(customer.id, FileId(input.filters.user_file_id.0)).await?)?;
    let wanted = Wanted {
        files: FileFilters { ids: Some(vec![file.id.0]), ..FileFilters::default() },
        vectors_of: model.map(|model| vectors_of(Some(model))),
        order: input.order_by.map_or(ChunkOrder::UpdatedAt, Into::into),
        descending: input.order_dir == Some(OrderDir::Desc),
        with_vectors: input.include_vectors == Some(true),
        paging: Pagination::check(input.pagination)?,
    };
    listed(&api, &customer, wanted).await
}

async fn of_many_files(
    State(api): State<Api>,
    Caller(customer): Caller,
    Viewing { viewer, .. }: Viewing,
    Body(input): Body<EmbeddingsAndChunksQueryInputV2>,
) -> Result<Json<EmbeddingsAndChunksResponse>, ApiError> {
    let wanted = Wanted {
        files: FileFilters { viewer, ..FileFiltersInput::check(Some(input.filters))? },
        vectors_of: None,
        order: ChunkOrder::File(input.order_by.map_or(FileOrder::UpdatedAt, Into::into)),
        descending: input.order_dir == Some(OrderDir::Desc),
        with_vectors: input.include_vectors == Some(true),
        paging: Pagination::check(input.pagination)?,
    };
    listed(&api, &customer, wanted).await
}

async fn upload(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<ChunksAndEmbeddingsUploadInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let (model, overwrite) = (input.embedding_model.clone(), input.overwrite_existing == Some(true));
    // Counting tokens of megabytes is work for a thread of its own.
    let checked = tokio::task::spawn_blocking(move || input.check()).await;
    let files = checked.map_err(|_broken| ApiError::bad("the chunks cannot be read"))??;
    let viewing = viewing.changing();
    for one in &files {
        known_to(&api, &customer, &viewing, one.file).await?;
    }
    crate::told::listed("file_ids", files.iter().map(|one| one.file.0));
    let listed = |ids: Vec<i64>| ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    match api.store().search().upload_chunks(customer.id, &model, &files, overwrite).await? {
        Uploaded::Stored => Ok(SUCCESS),
        Uploaded::Unknown(ids) => Err(ApiError::missing(&format!("file {}", listed(ids)))),
        Uploaded::HaveChunks(ids) => Err(ApiError::conflict(format!(
            "these files have chunks, which only overwrite_existing replaces: {}",
            listed(ids)
        ))),
    }
}
