//! Files: synced articles as outside programs see them. Hidden files appear nowhere.

use std::collections::HashMap;
use std::time::Duration;

use helpsync_model::{ConnectionId, CustomerId, FileId, FileStatus, OrganizationId};
use serde_json::Value;
use sqlx::Row;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::query::Query;

use crate::db::conditions::Conditions;
use crate::db::decode::count;
use crate::db::{AdminStore, Entity, StoreError, decode, sql};
use crate::filter::file_query::{FileFilters, FileQuery};

/// Files of a customer that match a filter and are counted: some milliseconds' worth.
pub const COUNTED_MAX: i64 = 10_000;
/// A statement of a list that looks at files one by one ends after this, where the database can end it.
const LISTING_MAX: Duration = Duration::from_secs(20);
/// Steps up the tree at most; a loop of parents ends there.
const PATH_DEPTH_MAX: usize = 16;

/// A synced article, without its text.
#[derive(Debug, Clone)]
pub struct File {
    /// Its id.
    pub id: FileId,
    /// Whose.
    pub organization: OrganizationId,
    /// Whose.
    pub customer: CustomerId,
    /// The organization's id for the customer.
    pub customer_external_id: String,
    /// From which connection.
    pub connection: ConnectionId,
    /// The connection that people know: another one where the file is of a brand.
    pub source: ConnectionId,
    /// Zendesk's id.
    pub article_id: i64,
    /// Where it stands.
    pub status: FileStatus,
    /// Why it could not be stored.
    pub error: Option<String>,
    /// The title.
    pub name: String,
    /// The public page.
    pub external_url: Option<String>,
    /// The locale that it was written in.
    pub source_locale: String,
    /// Its section.
    pub section_id: Option<i64>,
    /// Its author.
    pub author_id: Option<i64>,
    /// Who may read it; `None` = everyone.
    pub user_segment_id: Option<i64>,
    /// Every segment that may read it; none = everyone.
    pub user_segment_ids: Vec<i64>,
    /// Its labels.
    pub labels: Value,
    /// What else is kept of it.
    pub metadata: Value,
    /// The caller's tags.
    pub tags: Value,
    /// The part of the sync options that is kept with it.
    pub sync_options: Value,
    /// ms.
    pub source_created_at: i64,
    /// ms.
    pub source_updated_at: i64,
    /// See `RunCounters`.
    pub request_id: String,
    /// See `RunCounters`.
    pub upload_id: String,
    /// `locale:hash` of every translation.
    pub content_hash: Option<String>,
    /// Bytes of HTML, all translations.
    pub html_bytes: i64,
    /// Characters of plain text, all translations.
    pub characters: i64,
    /// Tokens of its chunks.
    pub tokens: i64,
    /// Its chunks.
    pub chunks: i64,
    /// Those of them that have a vector.
    pub embedded: i64,
    /// Carbon's names of the models that uploaded vectors of it came from, one of them.
    pub uploaded_model: Option<String>,
    /// Its content was deleted and its record kept.
    pub content_deleted: bool,
    /// ms; up to an hour before it was compared last, where it was as it is.
    pub last_sync: Option<i64>,
    /// ms.
    pub created_at: i64,
    /// ms.
    pub updated_at: i64,
}

/// One translation of a file.
#[derive(Debug, Clone)]
pub struct FileContent {
    /// For example `en-us`.
    pub locale: String,
    /// The title.
    pub title: String,
    /// The public page.
    pub external_url: Option<String>,
    /// As received.
    pub html: String,
    /// Made from it.
    pub markdown: String,
    /// Made from it.
    pub plain: String,
    /// SHA-256 of title, NUL, HTML.
    pub hash: String,
}

/// A file that is stored and whose chunks could not be made shows that as its error.
const FIELDS: &str =
    "file.id, file.organization_id, file.customer_id, file.connection_id, file.article_id, file.status,
     file.error, file.name, file.external_url, file.source_locale, file.section_id, file.author_id,
     file.user_segment_id, file.user_segment_ids, file.labels, file.metadata, file.tags, file.sync_options,
     file.source_created_at, file.source_updated_at, file.request_id, file.upload_id, file.content_hash,
     file.html_bytes, file.characters, file.content_deleted, file.last_sync, file.created_at, file.updated_at,
     customer.external_id, chunking.error as chunking_error,
     coalesce(chunking.tokens, 0) as tokens, coalesce(chunking.chunks, 0) as chunks,
     coalesce(chunking.embedded, 0) as embedded,
     coalesce((select parent_id from connection where connection.id = file.connection_id), file.connection_id)
       as source_id,
     (select max(model) from chunk where chunk.file_id = file.id and chunk.uploaded = 1) as uploaded_model";
/// What [`FIELDS`] are read from, besides `file`.
const WITH: &str =
    "join customer on customer.id = file.customer_id left join chunking on chunking.file_id = file.id";
/// Who may read a file; empty: everybody.
pub(crate) fn readers_of(row: &AnyRow) -> Result<Vec<i64>, StoreError> {
    let mut segments: Vec<i64> = decode::json(row, "file", "user_segment_ids")?;
    // A process of an earlier version writes the one column only.
    let alone = row.try_get::<Option<i64>, _>("user_segment_id")?.filter(|id| !segments.contains(id));
    segments.extend(alone);
    Ok(segments)
}

fn file_of(row: &AnyRow) -> Result<File, StoreError> {
    let user_segment_id: Option<i64> = row.try_get("user_segment_id")?;
    let user_segment_ids = readers_of(row)?;
    let stored: FileStatus = decode::named(row, "file", "status")?;
    let chunking_error: Option<String> = row.try_get("chunking_error")?;
    let failed = stored == FileStatus::Ready && chunking_error.is_some();
    Ok(File {
        id: FileId(row.try_get("id")?),
        organization: OrganizationId(row.try_get("organization_id")?),
        customer: CustomerId(row.try_get("customer_id")?),
        customer_external_id: row.try_get("external_id")?,
        connection: ConnectionId(row.try_get("connection_id")?),
        source: ConnectionId(row.try_get("source_id")?),
        article_id: row.try_get("article_id")?,
        status: if failed { FileStatus::SyncError } else { stored },
        error: row.try_get::<Option<String>, _>("error")?.or(chunking_error),
        name: row.try_get("name")?,
        external_url: row.try_get("external_url")?,
        source_locale: row.try_get("source_locale")?,
        section_id: row.try_get("section_id")?,
        author_id: row.try_get("author_id")?,
        user_segment_id,
        user_segment_ids,
        labels: decode::json(row, "file", "labels")?,
        metadata: decode::json(row, "file", "metadata")?,
        tags: decode::json(row, "file", "tags")?,
        sync_options: decode::json(row, "file", "sync_options")?,
        source_created_at: row.try_get("source_created_at")?,
        source_updated_at: row.try_get("source_updated_at")?,
        request_id: row.try_get("request_id")?,
        upload_id: row.try_get("upload_id")?,
        content_hash: row.try_get("content_hash")?,
        html_bytes: row.try_get("html_bytes")?,
        characters: row.try_get("characters")?,
        tokens: row.try_get("tokens")?,
        chunks: row.try_get("chunks")?,
        embedded: row.try_get("embedded")?,
        uploaded_model: row.try_get("uploaded_model")?,
        content_deleted: row.try_get::<i64, _>("content_deleted")? != 0,
        last_sync: row.try_get("last_sync")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
    })
}

impl AdminStore {
    /// A page of files, and how many match before paging: of all files as it is kept, of some of them exactly up to
    /// [`COUNTED_MAX`] and beyond the page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn files(&self, query: &FileQuery) -> Result<(Vec<File>, i64), StoreError> {
        if query.filters.nothing {
            return Ok((Vec::new(), 0));
        }
        let matching = self.matching(query.customer, query.starting_id, &query.filters);
        let (listing, paged) = page_of(query, &matching);
        let found = self.listed(query, paged.bind(sqlx::query(sql(listing)))).await?;
        let found = found.iter().map(file_of).collect::<Result<Vec<_>, _>>()?;
        let count = if query.starting_id == 0 && query.filters == FileFilters::default() {
            self.customer_totals(query.customer).await?.files
        } else {
            self.count_files(query, &matching, count(found.len())).await?
        };
        Ok((found, count))
    }

    /// What a statement of this list finds, within the bound of those that look at files one by one.
    async fn listed(
        &self,
        query: &FileQuery,
        statement: Query<'_, Any, AnyArguments>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        match query.filters.looks_at_each() {
            true => self.answered_within(statement, LISTING_MAX).await,
            false => Ok(statement.fetch_all(&self.pool).await?),
        }
    }

    /// How many files match, no more than [`COUNTED_MAX`] of them counted; at least those up to the page's end, of which
    /// `found` are on it, and one more behind a page that is full.
    async fn count_files(
        &self,
        query: &FileQuery,
        matching: &Conditions,
        found: i64,
    ) -> Result<i64, StoreError> {
        if query.offset == 0 && found < query.limit {
            return Ok(found);
        }
        let mut bounded = matching.clone();
        let most = bounded.integer(COUNTED_MAX);
        let counting = sql(format!(
            "select count(*) as matches from (select 1 as one from file {} limit {most}) as counted",
            matching.sql()
        ));
        let counted = self.listed(query, bounded.bind(sqlx::query(counting))).await?;
        let counted: i64 = counted.first().ok_or(sqlx::Error::RowNotFound)?.try_get("matches")?;
        if counted < COUNTED_MAX || found == 0 {
            return Ok(counted);
        }
        let behind = i64::from(found == query.limit);
        Ok(counted.max(query.offset.saturating_add(found).saturating_add(behind)))
    }

    /// One of a customer's files.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn file(&self, customer: CustomerId, id: FileId) -> Result<File, StoreError> {
        let row = sqlx::query(sql(format!(
            "select {FIELDS} from file {WITH} where file.id = $1 and file.customer_id = $2 and hidden_at is null"
        )))
        .bind(id.0)
        .bind(customer.0)
        .fetch_optional(&self.pool)
        .await?;
        file_of(&row.ok_or(StoreError::NotFound(Entity::File))?)
    }

    /// One of an organization's files.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn file_of_organization(
        &self,
        organization: OrganizationId,
        id: FileId,
    ) -> Result<File, StoreError> {
        let row = sqlx::query(sql(format!(
            "select {FIELDS} from file {WITH} where file.id = $1 and file.organization_id = $2 and hidden_at is null"
        )))
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&self.pool)
        .await?;
        file_of(&row.ok_or(StoreError::NotFound(Entity::File))?)
    }

    /// Every translation of a file that is shown, the source locale first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn file_content(
        &self,
        organization: OrganizationId,
        id: FileId,
    ) -> Result<Vec<FileContent>, StoreError> {
        sqlx::query(
            "select translation.locale, translation.title, translation.external_url, translation.html, translation.markdown,
               translation.plain, translation.hash from translation join file on file.id = translation.file_id
             where file_id = $1 and file.organization_id = $2 and file.hidden_at is null
             order by case when locale = file.source_locale then 0 else 1 end, locale",
        )
        .bind(id.0)
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            Ok(FileContent {
                locale: row.try_get("locale")?,
                title: row.try_get("title")?,
                external_url: row.try_get("external_url")?,
                html: row.try_get("html")?,
                markdown: row.try_get("markdown")?,
                plain: row.try_get("plain")?,
                hash: row.try_get("hash")?,
            })
        })
        .collect()
    }

    /// The names from the category down to the file's own section, as last seen.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn path(&self, file: &File) -> Result<Vec<String>, StoreError> {
        let tree: Tree = sqlx::query(
            "select kind, external_id, name, parent_kind, parent_id from item where connection_id = $1",
        )
        .bind(file.connection.0)
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| {
            let parent = Option::zip(row.try_get("parent_kind")?, row.try_get("parent_id")?);
            Ok(((row.try_get("kind")?, row.try_get("external_id")?), (row.try_get("name")?, parent)))
        })
        .collect::<Result<_, sqlx::Error>>()?;
        let section = file.section_id.map(|section| ("SECTION".to_owned(), section));
        Ok(path_in(&tree, section.as_ref()))
    }
}

/// The statement that reads a page: first which files are on it, from an index alone where the order has one, and then all
/// of these. A page far behind so costs what is skipped of the index.
pub(crate) fn page_of(query: &FileQuery, matching: &Conditions) -> (String, Conditions) {
    let order = query.order.column();
    let direction = if query.descending { "desc" } else { "asc" };
    let mut paged = matching.clone();
    let (limit, offset) = (paged.integer(query.limit), paged.integer(query.offset));
    let listing = format!(
        "select {FIELDS} from (select file.id as on_page from file {}
           order by {order} {direction}, file.id {direction} limit {limit} offset {offset}) as page
         join file on file.id = page.on_page {WITH} order by {order} {direction}, file.id {direction}",
        matching.sql()
    );
    (listing, paged)
}

/// Kind and Zendesk's id of a folder.
type Key = (String, i64);
/// Its name, and what it stands in.
type Tree = HashMap<Key, (String, Option<Key>)>;

/// The names down to a folder. One that stands in itself, over whatever others, is named once.
fn path_in(tree: &Tree, folder: Option<&Key>) -> Vec<String> {
    let (mut passed, mut path) = (Vec::new(), Vec::new());
    let mut at = folder;
    while let Some((key, (name, parent))) = at.and_then(|key| tree.get_key_value(key))
        && path.len() < PATH_DEPTH_MAX
        && !passed.contains(&key)
    {
        passed.push(key);
        path.push(name.clone());
        at = parent.as_ref();
    }
    path.reverse();
    path
}
