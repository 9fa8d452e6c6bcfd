//! Which files a query asks for, as a condition in SQL.

use helpsync_model::{CustomerId, EMBEDDING_MODEL_DEFAULT, FileStatus};

use crate::db::conditions::Conditions;
use crate::db::states::{FILE_ERROR, READY_FILE};
use crate::db::{Database, Dialect};
use crate::filter::tag_filter::TagFilter;
use crate::filter::viewer::Viewer;

/// A file that is stored and whose chunks could not be made shows that as its error.
const UNCHUNKED: &str =
    "exists (select 1 from chunking where chunking.file_id = file.id and chunking.error is not null)";

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
#[derive(Debug, Clone, Default, PartialEq)]
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

impl FileFilters {
    /// Whether files have to be looked at one by one: what names them by their ids, or their readers, finds them at once.
    #[must_use]
    pub fn looks_at_each(&self) -> bool {
        let (ids, external_file_ids, connections, viewer) = (None, None, None, None);
        Self { ids, external_file_ids, connections, viewer, ..self.clone() } != Self::default()
    }
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
    /// The conditions on a customer's shown files with ids above `starting_id`.
    pub(crate) fn matching(
        &self,
        customer: CustomerId,
        starting_id: i64,
        filters: &FileFilters,
    ) -> Conditions {
        let mut all = Conditions::new(self.dialect);
        let customer = all.integer(customer.0);
        all.and(&format!("file.customer_id = {customer} and file.hidden_at is null"));
        if starting_id > 0 {
            let above = all.integer(starting_id);
            all.and(&format!("file.id > {above}"));
        }
        among(&mut all, "file.id", filters.ids.as_ref());
        if let Some(connections) = &filters.connections {
            let connections = all.integers(connections);
            all.and(&format!(
                "file.connection_id in (select id from connection where id in {connections}
                   union all select id from connection where parent_id in {connections})"
            ));
        }
        if let Some(articles) = &filters.external_file_ids {
            of_articles(&mut all, &customer, articles);
        }
        one_of(&mut all, "file.external_url", filters.external_urls.as_ref());
        if let Some(statuses) = &filters.statuses {
            of_statuses(&mut all, &customer, statuses);
        }
        one_of(&mut all, "file.request_id", filters.request_ids.as_ref());
        one_of(&mut all, "file.upload_id", filters.upload_ids.as_ref());
        if let Some(name) = &filters.name {
            let pattern = all.text(holding(name));
            all.and(&format!("lower(file.name) like {pattern} escape '\\'"));
        }
        match filters.error.as_deref() {
            None => {}
            Some("") => all.and(&format!("file.error is null and not {UNCHUNKED}")),
            Some(part) => with_error(&mut all, &customer, part),
        }
        if let Some(models) = &filters.embedding_models {
            with_vectors_of(&mut all, models);
        }
        if filters.never_synced {
            all.and("file.content_hash is null and file.content_deleted = 0");
        }
        if let Some(tags) = &filters.tags {
            let condition = tags.sql("file.tags", &mut all);
            all.and(&condition);
        }
        if let Some(viewer) = &filters.viewer {
            let condition = viewer.sql(&mut all);
            all.and(&condition);
        }
        all
    }
}

/// Files of these of Zendesk's ids. What is none names no file.
fn of_articles(all: &mut Conditions, customer: &str, articles: &[String]) {
    let ids: Vec<i64> = articles.iter().filter_map(|id| id.parse().ok()).collect();
    let spelled: Vec<i64> = ids.into_iter().filter(|id| articles.contains(&id.to_string())).collect();
    let spelled = all.integers(&spelled);
    all.and(&format!(
        "file.connection_id in (select id from connection where customer_id = {customer}) and file.article_id in {spelled}"
    ));
}

/// Files that show one of these statuses. Those that are ready are most of all, and met soon in any order; of others there
/// are few, and they are found by indexes of their own: once, for a server without statistics yet would look for them anew
/// beside each file.
fn of_statuses(all: &mut Conditions, customer: &str, statuses: &[String]) {
    // Each once, however often it is named; other words are no file's.
    let statuses: Vec<String> = FileStatus::ALL
        .iter()
        .map(|status| status.as_str().to_owned())
        .filter(|status| statuses.contains(status))
        .collect();
    let [ready, failed] =
        [READY_FILE.0, FILE_ERROR.0].map(|one| statuses.iter().any(|it| it == one.as_str()));
    let others: Vec<String> =
        statuses.iter().filter(|status| *status != READY_FILE.0.as_str()).cloned().collect();
    match (ready, failed) {
        (true, true) => {
            let all_of_them = all.texts(&statuses);
            all.and(&format!("file.status in {all_of_them}"));
        }
        (true, false) if others.is_empty() => {
            all.and(&format!("file.status = {READY_FILE} and not {UNCHUNKED}"));
        }
        (true, false) => {
            let others = all.texts(&others);
            all.and(&format!(
                "(file.status in {others} or (file.status = {READY_FILE} and not {UNCHUNKED}))"
            ));
        }
        (false, true) => {
            let chosen = is_one_of(all, "chosen.status", &others);
            all.and(&format!(
                "file.id in (with found as materialized (
                   select chosen.id from file as chosen where chosen.customer_id = {customer}
                     and chosen.hidden_at is null and {chosen}
                   union all select chunking.file_id from chunking join file as ready on ready.id = chunking.file_id
                     where chunking.error is not null and ready.status = {READY_FILE}
                       and chunking.connection_id in (select id from connection where customer_id = {customer}))
                   select id from found)"
            ));
        }
        (false, false) => {
            let chosen = is_one_of(all, "file.status", &others);
            all.and(&chosen);
        }
    }
}

/// That a column is one of these texts. An index of the column serves one of them best.
fn is_one_of(all: &mut Conditions, column: &str, values: &[String]) -> String {
    if let [only] = values {
        let only = all.text(only);
        return format!("{column} = {only}");
    }
    let values = all.texts(values);
    format!("{column} in {values}")
}

/// Files whose error holds `part`. Few files have one, so these are looked up first.
fn with_error(all: &mut Conditions, customer: &str, part: &str) {
    let pattern = all.text(holding(part));
    all.and(&format!(
        "file.id in (with found as materialized (
           select chosen.id from file as chosen where chosen.customer_id = {customer} and chosen.error is not null
             and lower(chosen.error) like {pattern} escape '\\'
           union all select chunking.file_id from chunking join file as other on other.id = chunking.file_id
             where chunking.error is not null and lower(chunking.error) like {pattern} escape '\\'
               and other.error is null
               and chunking.connection_id in (select id from connection where customer_id = {customer}))
           select id from found)"
    ));
}

fn among(all: &mut Conditions, column: &str, values: Option<&Vec<i64>>) {
    if let Some(values) = values {
        let values = all.integers(values);
        all.and(&format!("{column} in {values}"));
    }
}

fn one_of(all: &mut Conditions, column: &str, values: Option<&Vec<String>>) {
    if let Some(values) = values {
        let values = all.texts(values);
        all.and(&format!("{column} in {values}"));
    }
}

/// Files that have a vector of one of these models.
fn with_vectors_of(all: &mut Conditions, models: &[String]) {
    let named = match all.dialect() {
        Dialect::Sqlite => "json_extract(file.sync_options, '$.embedding_model')",
        Dialect::Postgres => "cast(file.sync_options as json) ->> 'embedding_model'",
    };
    let models = all.texts(models);
    // SQLite makes a join of `exists`, and with that lists a file once for each of its chunks where a page is cut out of it.
    all.and(&format!(
        "file.id in (select chunk.file_id from chunk where chunk.file_id = file.id and chunk.dimensions is not null
           and case when chunk.uploaded = 1 then chunk.model
             else coalesce({named}, '{EMBEDDING_MODEL_DEFAULT}') end in {models})"
    ));
}
