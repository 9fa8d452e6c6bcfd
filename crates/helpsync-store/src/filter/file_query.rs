//! Which files a query asks for, as a condition in SQL.

use helpsync_model::{CustomerId, EMBEDDING_MODEL_DEFAULT};
use serde_json::json;

use crate::db::states::{FILE_ERROR, READY_FILE};
use crate::db::{Database, Dialect};
use crate::filter::tag_filter::TagFilter;
use crate::filter::viewer::Viewer;

/// The status and the error that are shown.
fn status() -> String {
    format!(
        "case when file.status = {READY_FILE} and exists (select 1 from chunking
           where chunking.file_id = file.id and chunking.error is not null) then {FILE_ERROR} else file.status end"
    )
}
const ERROR: &str =
    "coalesce(file.error, (select chunking.error from chunking where chunking.file_id = file.id))";

/// The column that a listing is ordered by; ties by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FileOrder {
    /// When it was first stored.
    CreatedAt,
    /// When it last changed.
    #[default]
    UpdatedAt,
    /// By title.
    Name,
    /// When it was last compared.
    LastSync,
    /// By size.
    FileSize,
    /// By id.
    Id,
}

impl FileOrder {
    pub(crate) const fn column(self) -> &'static str {
        match self {
            Self::CreatedAt => "file.created_at",
            Self::UpdatedAt => "file.updated_at",
            Self::Name => "lower(file.name)",
            Self::LastSync => "file.last_sync",
            Self::FileSize => "file.html_bytes",
            Self::Id => "file.id",
        }
    }
}

/// Which of a customer's files. `None` = no condition.
#[derive(Debug, Clone, Default)]
pub struct FileFilters {
    /// Our ids.
    pub ids: Option<Vec<i64>>,
    /// Zendesk's ids.
    pub external_file_ids: Option<Vec<String>>,
    /// Public pages.
    pub external_urls: Option<Vec<String>>,
    /// Part of the title.
    pub name: Option<String>,
    /// Connections.
    pub connections: Option<Vec<i64>>,
    /// Statuses, in Carbon's words.
    pub statuses: Option<Vec<String>>,
    /// Part of the error; empty = files without one.
    pub error: Option<String>,
    /// Request ids.
    pub request_ids: Option<Vec<String>>,
    /// Upload ids.
    pub upload_ids: Option<Vec<String>>,
    /// On their tags.
    pub tags: Option<TagFilter>,
    /// Only what this reader may read.
    pub viewer: Option<Viewer>,
    /// Carbon's names of the models that their vectors are called by.
    pub embedding_models: Option<Vec<String>>,
    /// Records of which no content was ever fetched.
    pub never_synced: bool,
    /// Nothing matches: a condition named something that this product never holds.
    pub nothing: bool,
}

/// A page of a customer's files.
#[derive(Debug, Clone)]
pub struct FileQuery {
    /// Whose.
    pub customer: CustomerId,
    /// Which.
    pub filters: FileFilters,
    /// Only ids above this.
    pub starting_id: i64,
    /// Ordered by.
    pub order: FileOrder,
    /// Largest first.
    pub descending: bool,
    /// At most so many.
    pub limit: i64,
    /// After so many.
    pub offset: i64,
}

/// The columns of files that [`Database::matching`] looks at.
pub(crate) const MATCHED: &str =
    "file.id, file.customer_id, file.connection_id, file.article_id, file.status, file.error, file.name,
  file.external_url, file.user_segment_id, file.user_segment_ids, file.tags, file.sync_options,
  file.request_id, file.upload_id, file.content_hash, file.content_deleted, file.hidden_at";

/// A pattern for `like … escape '\'` that matches texts holding `part`.
pub(crate) fn holding(part: &str) -> String {
    let escaped = part.to_lowercase().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

impl Database {
    /// The condition of a query, and the number of the first placeholder behind its own.
    pub(crate) fn matching(&self, filters: &FileFilters) -> (String, usize) {
        let mut next = 13;
        let mut more = String::new();
        if filters.never_synced {
            more.push_str(" and file.content_hash is null and file.content_deleted = 0");
        }
        if let Some(tags) = &filters.tags {
            more.push_str(" and ");
            more.push_str(&tags.sql(self.dialect, "file.tags", &mut next));
        }
        if filters.viewer.is_some() {
            more.push_str(" and ");
            more.push_str(&Viewer::sql(self.dialect, &mut next));
        }
        let integers = |place: &str| self.dialect.json_integers(&format!("coalesce({place}, '[]')"));
        let texts = |place: &str| self.dialect.json_texts(&format!("coalesce({place}, '[]')"));
        let connections = integers("$7");
        let named = match self.dialect {
            Dialect::Sqlite => "json_extract(file.sync_options, '$.embedding_model')",
            Dialect::Postgres => "cast(file.sync_options as json) ->> 'embedding_model'",
        };
        let matching = format!(
            "where file.customer_id = $1 and file.hidden_at is null and file.id > $2
               and ($3 is null or file.id in {})
               and ($4 is null or cast(file.article_id as text) in {})
               and ($5 is null or file.external_url in {})
               and ($6 is null or lower(file.name) like $6 escape '\\')
               and ($7 is null or file.connection_id in
                 (select id from connection where id in {connections}
                  union all select id from connection where parent_id in {connections}))
               and ($8 is null or {} in {})
               and ($9 is null or ($9 = '%%' and {ERROR} is null) or ($9 <> '%%' and lower({ERROR}) like $9 escape '\\'))
               and ($10 is null or file.request_id in {})
               and ($11 is null or file.upload_id in {})
               and ($12 is null or exists (select 1 from chunk where chunk.file_id = file.id
                 and chunk.dimensions is not null and case when chunk.uploaded = 1 then chunk.model
                   else coalesce({named}, '{EMBEDDING_MODEL_DEFAULT}') end in {})){more}",
            integers("$3"),
            texts("$4"),
            texts("$5"),
            status(),
            texts("$8"),
            texts("$10"),
            texts("$11"),
            texts("$12"),
        );
        (matching, next)
    }
}

pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// Binds the placeholders of [`Database::matching`].
pub(crate) fn bind_filters<'q>(query: Query<'q>, wanted: &FileQuery) -> Query<'q> {
    let integers = |list: &Option<Vec<i64>>| list.as_ref().map(|list| json!(list).to_string());
    let texts = |list: &Option<Vec<String>>| list.as_ref().map(|list| json!(list).to_string());
    let filters = &wanted.filters;
    let query = query
        .bind(wanted.customer.0)
        .bind(wanted.starting_id)
        .bind(integers(&filters.ids))
        .bind(texts(&filters.external_file_ids))
        .bind(texts(&filters.external_urls))
        .bind(filters.name.as_deref().map(holding))
        .bind(integers(&filters.connections))
        .bind(texts(&filters.statuses))
        .bind(filters.error.as_deref().map(holding))
        .bind(texts(&filters.request_ids))
        .bind(texts(&filters.upload_ids))
        .bind(texts(&filters.embedding_models));
    let query = match &filters.tags {
        Some(tags) => tags.bind(query),
        None => query,
    };
    match &filters.viewer {
        Some(viewer) => viewer.bind(query),
        None => query,
    }
}
