//! Files: finding, fetching again, deleting, tagging.

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{FileId, KeyScope};
use helpsync_store::{
    Customer, File, FileFilters, FileOrder, FileQuery, ResyncOptions, ResyncRequested, TAGS_BYTES_MAX,
    TagChange,
};
use serde_json::{Value, json};

use super::presigned::{Form, PRESIGNED_SECONDS, presign};
use super::search::slot;
use crate::Api;
use crate::auth::Caller;
use crate::body::Body;
use crate::endpoint::{Access, Endpoint, delete, get, post};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::chunk::check_sizes;
use crate::wire::file::{
    CreateFileTagsInput, DeleteFileTagsInput, DeleteFilesQueryInput, DeleteFilesV2QueryInput,
    OrganizationUserFilesToSyncQueryInput, PresignedURLResponse, ResyncFileQueryInput, StorageQueryInput,
    UserFile, UserFilesV2, tags_as_kept,
};
use crate::wire::filters::FileFiltersInput;
use crate::wire::{GenericSuccessResponse, Int, LIST_MAX, OrderDir, Pagination, SUCCESS, bounded, small};

/// Carbon keeps these for itself.
const RESERVED_TAGS: [&str; 4] =
    ["db_embedding_id", "organization_id", "user_id", "organization_user_file_id"];

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post("/user_files_v2", Access::Customer, "The customer's files", list)
            .needs(KeyScope::Read)
            .viewed()
            .takes::<OrganizationUserFilesToSyncQueryInput>()
            .gives::<UserFilesV2>(),
        post(
            "/user_files",
            Access::Customer,
            "As /user_files_v2, as a bare list, for old clients",
            list_bare,
        )
        .needs(KeyScope::Read)
        .viewed()
        .takes::<OrganizationUserFilesToSyncQueryInput>()
        .gives::<Vec<UserFile>>(),
        post("/resync_file", Access::Customer, "Fetch one article again", resync)
            .needs(KeyScope::Sync)
            .viewed()
            .takes::<ResyncFileQueryInput>()
            .gives::<UserFile>(),
        post("/delete_files_v2", Access::Customer, "Delete files; without filters all of them", delete_v2)
            .viewed()
            .takes::<DeleteFilesV2QueryInput>()
            .gives::<GenericSuccessResponse>(),
        post("/delete_files", Access::Customer, "Delete files, for old clients", delete_many)
            .viewed()
            .takes::<DeleteFilesQueryInput>()
            .gives::<GenericSuccessResponse>(),
        delete("/deletefile/{file_id}", Access::Customer, "Delete one file, for old clients", delete_one)
            .viewed()
            .gives::<GenericSuccessResponse>(),
        post("/create_user_file_tags", Access::Customer, "Add tags to a file", add_tags)
            .viewed()
            .takes::<CreateFileTagsInput>()
            .gives::<UserFile>(),
        post("/delete_user_file_tags", Access::Customer, "Remove tags from a file", remove_tags)
            .viewed()
            .takes::<DeleteFileTagsInput>()
            .gives::<UserFile>(),
        post("/move_to_hot_storage", Access::Customer, "Accepted: every file is in hot storage", storage)
            .takes::<StorageQueryInput>()
            .gives::<bool>(),
        post(
            "/modify_cold_storage_parameters",
            Access::Customer,
            "Accepted: articles have no cold storage",
            storage,
        )
        .takes::<StorageQueryInput>()
        .gives::<bool>(),
        get("/raw_file/{file_id}", Access::Customer, "A URL of the article as Zendesk holds it", raw_file)
            .viewed()
            .gives::<PresignedURLResponse>(),
        get("/parsed_file/{file_id}", Access::Customer, "A URL of the article's plain text", parsed_file)
            .viewed()
            .gives::<PresignedURLResponse>(),
    ]
}

async fn found(
    api: &Api,
    customer: &Customer,
    viewing: Viewing,
    input: OrganizationUserFilesToSyncQueryInput,
) -> Result<(Vec<UserFile>, i64), ApiError> {
    let paging = Pagination::check(input.pagination)?;
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters { viewer: viewing.viewer.clone(), ..FileFiltersInput::check(input.filters)? },
        starting_id: paging.starting_id,
        order: input.order_by.map_or(FileOrder::UpdatedAt, Into::into),
        descending: input.order_dir == Some(OrderDir::Desc),
        limit: paging.limit,
        offset: paging.offset,
    };
    let (files, count) = listed(api, customer, query).await?;
    let life = input.presigned_url_expiry_time_seconds.map_or(PRESIGNED_SECONDS, |seconds| seconds.0);
    let wants = |flag: Option<bool>| flag == Some(true);
    let results = files.into_iter().map(|file| {
        let url = |form: Form| presign(api, &file, form, life, &viewing);
        let raw = wants(input.include_raw_file).then(|| url(Form::Raw));
        let plain = wants(input.include_parsed_text_file).then(|| url(Form::Plain));
        let more = wants(input.include_additional_files).then(|| json!({ "markdown": url(Form::Markdown) }));
        UserFile {
            presigned_url: raw,
            parsed_text_url: plain,
            additional_presigned_urls: more,
            ..UserFile::from(file)
        }
    });
    Ok((results.collect(), count))
}

/// A page of files and how many there are.
async fn listed(api: &Api, customer: &Customer, query: FileQuery) -> Result<(Vec<File>, i64), ApiError> {
    if !query.filters.looks_at_each() {
        return Ok(api.store().admin().files(&query).await?);
    }
    let slot = slot(api.listing(), customer, "lists").await?;
    let api = api.clone();
    // The slot is held as long as the database works, also where whoever asked has gone.
    let listing = tokio::spawn(async move {
        let _slot = slot;
        api.store().admin().files(&query).await
    });
    match listing.await {
        Ok(found) => Ok(found?),
        Err(ended) => match ended.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_stopped) => Err(ApiError::unavailable("the server is stopping: try again")),
        },
    }
}

async fn list(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<OrganizationUserFilesToSyncQueryInput>,
) -> Result<Json<UserFilesV2>, ApiError> {
    let (results, count) = found(&api, &customer, viewing, input).await?;
    Ok(Json(UserFilesV2 { results, count }))
}

async fn list_bare(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<OrganizationUserFilesToSyncQueryInput>,
) -> Result<Json<Vec<UserFile>>, ApiError> {
    Ok(Json(found(&api, &customer, viewing, input).await?.0))
}

async fn resync(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<ResyncFileQueryInput>,
) -> Result<Json<UserFile>, ApiError> {
    let (chunk_size, chunk_overlap) = (input.chunk_size.map(|it| it.0), input.chunk_overlap.map(|it| it.0));
    check_sizes(chunk_size, chunk_overlap, "")?;
    let options = ResyncOptions {
        chunk_size,
        chunk_overlap,
        embed_anew: input.force_embedding_generation == Some(true),
        skip_processing: input.skip_file_processing == Some(true),
    };
    let (id, request_id) = (FileId(input.file_id.0), api.fresh_id());
    known_to(&api, &customer, &viewing, id).await?;
    match api.store().admin().request_resync_with(customer.id, id, &request_id, options).await? {
        ResyncRequested::Kept(file) => Ok(Json((*file).into())),
        ResyncRequested::Queued(file) => {
            api.wake();
            Ok(Json((*file).into()))
        }
        ResyncRequested::Busy => Err(ApiError::conflict("the file is being fetched already")),
    }
}

/// An error where whoever reads may not know of the file.
pub(super) async fn known_to(
    api: &Api,
    customer: &Customer,
    viewing: &Viewing,
    id: FileId,
) -> Result<(), ApiError> {
    if viewing.viewer.is_none() {
        return Ok(());
    }
    viewing.of(api.store().admin().file(customer.id, id).await?).map(drop)
}

async fn delete_matching(
    api: &Api,
    customer: &Customer,
    viewing: Viewing,
    filters: FileFilters,
    (preserve, announce): (bool, bool),
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let filters = FileFilters { viewer: viewing.changing().viewer, ..filters };
    let deleted = api.store().admin().delete_files(customer.id, &filters, preserve, announce).await?;
    tracing::info!(customer = customer.external_id, deleted, preserve, "files deleted by request");
    Ok(SUCCESS)
}

async fn delete_v2(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<DeleteFilesV2QueryInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let filters = FileFiltersInput::check(input.filters)?;
    let how = (input.preserve_file_record == Some(true), input.send_webhook == Some(true));
    delete_matching(&api, &customer, viewing, filters, how).await
}

async fn delete_many(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<DeleteFilesQueryInput>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let unsynced_only = input.delete_non_synced_only.filter(|only| *only);
    if input.file_ids.is_none() && input.sync_statuses.is_none() && unsynced_only.is_none() {
        return Err(ApiError::field(
            "file_ids",
            "say which files: by file_ids, sync_statuses or delete_non_synced_only; /delete_files_v2 with {} deletes all",
        ));
    }
    let filters = FileFiltersInput::of_ids(input.file_ids, input.sync_statuses, unsynced_only);
    let filters = FileFiltersInput::check(Some(filters))?;
    delete_matching(&api, &customer, viewing, filters, (false, input.send_webhook == Some(true))).await
}

/// One of the customer's files, by number in the path.
async fn own_file(api: &Api, customer: &Customer, id: &str) -> Result<File, ApiError> {
    // What is no number names no file.
    let Ok(id) = id.parse() else { return Err(ApiError::missing("file")) };
    Ok(api.store().admin().file(customer.id, FileId(id)).await?)
}

async fn delete_one(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    let viewing = viewing.changing();
    let file = viewing.of(own_file(&api, &customer, &id).await?)?;
    let filters = FileFiltersInput::of_ids(Some(vec![Int(file.id.0)]), None, None);
    let filters = FileFiltersInput::check(Some(filters))?;
    delete_matching(&api, &customer, viewing, filters, (false, false)).await
}

async fn raw_file(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Path(id): Path<String>,
) -> Result<Json<PresignedURLResponse>, ApiError> {
    url_of(&api, &customer, viewing, &id, Form::Raw).await
}

async fn url_of(
    api: &Api,
    customer: &Customer,
    viewing: Viewing,
    id: &str,
    form: Form,
) -> Result<Json<PresignedURLResponse>, ApiError> {
    let file = viewing.of(own_file(api, customer, id).await?)?;
    let presigned_url = presign(api, &file, form, PRESIGNED_SECONDS, &viewing);
    Ok(Json(PresignedURLResponse { presigned_url }))
}

async fn parsed_file(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Path(id): Path<String>,
) -> Result<Json<PresignedURLResponse>, ApiError> {
    url_of(&api, &customer, viewing, &id, Form::Plain).await
}

async fn storage(
    Caller(_customer): Caller,
    Body(input): Body<StorageQueryInput>,
) -> Result<Json<bool>, ApiError> {
    FileFiltersInput::check(input.filters)?;
    Ok(Json(true))
}

async fn add_tags(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<CreateFileTagsInput>,
) -> Result<Json<UserFile>, ApiError> {
    if let Some(reserved) = RESERVED_TAGS.iter().find(|key| input.tags.contains_key(**key)) {
        return Err(ApiError::bad(format!("the tag {reserved} is reserved")));
    }
    small(&input.tags, "tags", TAGS_BYTES_MAX)?;
    let Value::Object(tags) = tags_as_kept(&Value::Object(input.tags)) else {
        return Err(ApiError::field("tags", "expected an object"));
    };
    let id = FileId(input.organization_user_file_id.0);
    known_to(&api, &customer, &viewing, id).await?;
    api.store().admin().change_file_tags(customer.id, id, &TagChange::Merge(tags)).await?;
    Ok(Json(api.store().admin().file(customer.id, id).await?.into()))
}

async fn remove_tags(
    State(api): State<Api>,
    Caller(customer): Caller,
    viewing: Viewing,
    Body(input): Body<DeleteFileTagsInput>,
) -> Result<Json<UserFile>, ApiError> {
    let tags = bounded(Some(input.tags), "tags", LIST_MAX)?.unwrap_or_default();
    let id = FileId(input.organization_user_file_id.0);
    known_to(&api, &customer, &viewing, id).await?;
    api.store().admin().change_file_tags(customer.id, id, &TagChange::Remove(tags)).await?;
    Ok(Json(api.store().admin().file(customer.id, id).await?.into()))
}
