//! One file with its text.

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::FileId;
use helpsync_store::File;

use super::attachments::presign;
use crate::Api;
use crate::auth::{ByKey, Reader};
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::viewer::Viewing;
use crate::wire::file::UserFile;
use crate::wire::native::{AttachmentView, ContentTagView, FileDetail, FileHistory, TranslationView};
use crate::wire::time;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/helpsync/v1/files/{file_id}", Access::Either, "An article with its text in every locale", file)
            .viewed()
            .gives::<FileDetail>(),
        get("/helpsync/v1/files/{file_id}/history", Access::Key, "The last changes of a file", history)
            .gives::<FileHistory>(),
    ]
}

/// A file with everything that is kept of it.
pub(super) async fn detail(
    api: &Api,
    file: File,
    path: Vec<String>,
    viewing: &Viewing,
) -> Result<FileDetail, ApiError> {
    let attachments = api.store().sync().attachments(file.organization, file.id).await?;
    let attachments = attachments.into_iter().map(|one| {
        let url = one.blob.map(|_| presign(api, &file, one.attachment_id, viewing));
        AttachmentView::new(one, url)
    });
    let attachments = attachments.collect();
    let translations = api.store().admin().file_content(file.organization, file.id).await?;
    let names = api.store().admin().names(&file).await?;
    Ok(FileDetail {
        attachments,
        path,
        labels: file.labels.clone(),
        author_id: file.author_id,
        author_name: names.author,
        content_tags: names.content_tags.into_iter().map(|(id, name)| ContentTagView { id, name }).collect(),
        user_segment_id: file.user_segment_id,
        user_segment_ids: file.user_segment_ids.clone(),
        content_hash: file.content_hash.clone(),
        source_locale: file.source_locale.clone(),
        source_updated_at: time(file.source_updated_at),
        metadata: file.metadata.clone(),
        file: UserFile::from(file),
        translations: translations.into_iter().map(TranslationView::from).collect(),
    })
}

async fn file(
    State(api): State<Api>,
    reader: Reader,
    viewing: Viewing,
    Path(id): Path<String>,
) -> Result<Json<FileDetail>, ApiError> {
    // What is no number names no file.
    let Ok(id) = id.parse().map(FileId) else { return Err(ApiError::missing("file")) };
    let file = match reader {
        Reader::ByKey(organization) => api.store().admin().file_of_organization(organization, id).await?,
        Reader::Caller(customer) => api.store().admin().file(customer.id, id).await?,
    };
    let file = viewing.of(file)?;
    let path = api.store().admin().path(&file).await?;
    Ok(Json(detail(&api, file, path, &viewing).await?))
}

async fn history(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    viewing: Viewing,
    Path(id): Path<String>,
) -> Result<Json<FileHistory>, ApiError> {
    // What is no number names no file.
    let Ok(id) = id.parse().map(FileId) else { return Err(ApiError::missing("file")) };
    if viewing.viewer.is_some() {
        viewing.of(api.store().admin().file_of_organization(organization, id).await?)?;
    }
    let changes = api.store().admin().file_history(organization, id).await?;
    Ok(Json(FileHistory { changes: changes.into_iter().map(Into::into).collect() }))
}
