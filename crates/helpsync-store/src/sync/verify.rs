//! Comparing what is held with what Zendesk shows, without changing anything.

use std::collections::{HashMap, HashSet};

use helpsync_model::{ConnectionId, ExportAccess, FileStatus, OrganizationId};
use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::family::check_owner;
use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{AdminStore, Entity, StoreError, Write, decode, sql};
use crate::run::shards::Granted;
use crate::sync::filtered::{LoadedFilter, Seen};
use crate::sync::incoming::IncomingArticle;

/// Files that are looked at in one go for what no listing showed.
const FILES_PER_LOOK: i64 = 5_000;

/// A help center to be compared: a customer's own, or a brand of it.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Its connection.
    pub connection: ConnectionId,
    /// Its address.
    pub subdomain: String,
    /// Whose token and budget it is read with.
    pub granted: Granted,
    /// Whether the grant's user may read the incremental export; `None`: not yet tried.
    pub export_access: Option<ExportAccess>,
    /// The locales by which lists are asked for; empty = without.
    pub list_locales: Vec<String>,
}

/// Why a copy and its article differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Published there, and not here although it should be.
    MissingHere,
    /// It changed there after what is held here.
    NewerThere,
    /// What is held is of a later time than what is shown there.
    OlderThere,
    /// Of one time, and yet not the same.
    Differs,
    /// Here, though nothing of it is published there.
    Draft,
    /// Here, though the selection leaves it out.
    Unselected,
    /// Not here, because a limit of the customer keeps it out.
    OverLimit,
    /// Not here, because it could not be stored; the detail says why.
    Skipped,
    /// Here, and not shown there: deleted, archived or restricted away.
    NotShown,
    /// As that, and its removal waits for a person.
    Held,
}

impl Cause {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingHere => "missing_here",
            Self::NewerThere => "newer_there",
            Self::OlderThere => "older_there",
            Self::Differs => "differs",
            Self::Draft => "draft",
            Self::Unselected => "unselected",
            Self::OverLimit => "over_limit",
            Self::Skipped => "skipped",
            Self::NotShown => "not_shown",
            Self::Held => "held",
        }
    }

    /// Whether a run can do anything about it: what a limit, a reason or a person keeps stays, and nothing older takes the
    /// place of what is newer, for a page may arrive late.
    #[must_use]
    pub const fn is_mendable(self) -> bool {
        !matches!(self, Self::OlderThere | Self::OverLimit | Self::Skipped | Self::Held)
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Zendesk's id.
    pub article_id: i64,
    /// Ours, where there is a file.
    pub file_id: Option<i64>,
    /// Why.
    pub cause: Cause,
    /// More about it, for people.
    pub detail: Option<String>,
    /// When it changed by what is held, in ms.
    pub here_updated_at: Option<i64>,
    /// When it changed by what is shown, in ms.
    pub there_updated_at: Option<i64>,
}

/// A file as it is compared.
struct Held {
    id: i64,
    updated_at: i64,
    content_hash: Option<String>,
    metadata_hash: Option<String>,
    /// Kept with its text, and shown.
    is_whole: bool,
    is_hidden: bool,
}

/// Why articles are not here that are published there.
#[derive(Default)]
struct Absent {
    /// Listed only, as their connection wants it.
    unsynced: HashSet<i64>,
    over_limit: HashSet<i64>,
    skipped: HashMap<i64, String>,
}

impl AdminStore {
    /// The help centers of a connection, its own first.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it is not active.
    pub async fn to_compare(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<Vec<Compared>, StoreError> {
        let rows = sqlx::query(sql(format!(
            "select connection.id, connection.subdomain, connection.export_access,
               coalesce(connection.list_locales, '[]') as list_locales,
               coalesce(parent.id, connection.id) as granted_id,
               coalesce(parent.subdomain, connection.subdomain) as granted_subdomain
             from connection left join connection as parent on parent.id = connection.parent_id
             where (connection.id = $1 or connection.parent_id = $1) and connection.organization_id = $2
               and connection.state = {ACTIVE_CONNECTION} and coalesce(parent.state, connection.state) = {ACTIVE_CONNECTION}
             order by connection.id"
        )))
        .bind(connection.0)
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?;
        if rows.is_empty() {
            return Err(StoreError::NotFound(Entity::ActiveConnection));
        }
        rows.iter().map(compared_of).collect()
    }

    /// What of these articles differs from their copies. Changes nothing. Articles of which not every text could be read
    /// are compared by their time alone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn compare(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        articles: &[IncomingArticle],
    ) -> Result<Vec<Difference>, StoreError> {
        // A transaction for one view of selection and files; it is rolled back.
        let mut write = self.write().await?;
        check_owner(&mut write, organization, connection, Entity::ActiveConnection).await?;
        let filter = LoadedFilter::load(&mut write, connection).await?;
        let seen = filter.read(articles);
        let ids: Vec<i64> = articles.iter().map(|article| article.article_id).collect();
        let held = held(&mut write, connection, &ids).await?;
        let lacking = seen.iter().filter(|seen| {
            !seen.article.translations.is_empty() && !held.contains_key(&seen.article.article_id)
        });
        let lacking: Vec<i64> = lacking.map(|seen| seen.article.article_id).collect();
        let absent = absent(&mut write, connection, &lacking).await?;
        Ok(seen.iter().filter_map(|seen| difference(seen, &held, &absent)).collect())
    }

    /// Files of a connection whose articles are none of `seen`, by id above `after`, and where to go on; `None`: all
    /// were looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn not_shown(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        after: i64,
        seen: &HashSet<i64>,
    ) -> Result<(Vec<Difference>, Option<i64>), StoreError> {
        let rows = sqlx::query(
            "select id, article_id, held_at, source_updated_at from file
             where connection_id = $1 and organization_id = $2 and hidden_at is null and article_id > $3
             order by article_id limit $4",
        )
        .bind(connection.0)
        .bind(organization.0)
        .bind(after)
        .bind(FILES_PER_LOOK)
        .fetch_all(&self.pool)
        .await?;
        let next = rows.last().map(|row| row.try_get("article_id")).transpose()?;
        let mut differences = Vec::new();
        for row in &rows {
            let article_id = row.try_get("article_id")?;
            if seen.contains(&article_id) {
                continue;
            }
            let held_at: Option<i64> = row.try_get("held_at")?;
            differences.push(Difference {
                article_id,
                file_id: Some(row.try_get("id")?),
                cause: if held_at.is_some() { Cause::Held } else { Cause::NotShown },
                detail: None,
                here_updated_at: Some(row.try_get("source_updated_at")?),
                there_updated_at: None,
            });
        }
        Ok((differences, next))
    }
}

fn compared_of(row: &AnyRow) -> Result<Compared, StoreError> {
    Ok(Compared {
        connection: ConnectionId(row.try_get("id")?),
        subdomain: row.try_get("subdomain")?,
        granted: Granted {
            connection: ConnectionId(row.try_get("granted_id")?),
            subdomain: row.try_get("granted_subdomain")?,
        },
        export_access: decode::named_if_any(row, "connection", "export_access")?,
        list_locales: decode::json(row, "connection", "list_locales")?,
    })
}

async fn held(
    write: &mut Write,
    connection: ConnectionId,
    articles: &[i64],
) -> Result<HashMap<i64, Held>, StoreError> {
    let columns =
        "id, article_id, source_updated_at, content_hash, metadata_hash, hidden_at, content_deleted, status";
    let files = write.dialect.articles_of("file", columns, ["$1", "$2"]);
    let rows = sqlx::query(sql(format!("select {columns} from {files}")))
        .bind(connection.0)
        .bind(json!(articles).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
    let mut held = HashMap::with_capacity(rows.len());
    for row in &rows {
        let hidden_at: Option<i64> = row.try_get("hidden_at")?;
        let deleted: i64 = row.try_get("content_deleted")?;
        let status: FileStatus = decode::named(row, "file", "status")?;
        let content_hash: Option<String> = row.try_get("content_hash")?;
        let file = Held {
            id: row.try_get("id")?,
            updated_at: row.try_get("source_updated_at")?,
            is_whole: deleted == 0 && status == FileStatus::Ready && content_hash.is_some(),
            content_hash,
            metadata_hash: row.try_get("metadata_hash")?,
            is_hidden: hidden_at.is_some(),
        };
        held.insert(row.try_get("article_id")?, file);
    }
    Ok(held)
}

async fn absent(write: &mut Write, connection: ConnectionId, articles: &[i64]) -> Result<Absent, StoreError> {
    if articles.is_empty() {
        return Ok(Absent::default());
    }
    let ids = json!(articles).to_string();
    let of_ids = write.dialect.json_integers("$2");
    let unsynced: Vec<i64> = sqlx::query_scalar(sql(format!(
        "select article_id from unsynced_article where connection_id = $1 and article_id in {of_ids}"
    )))
    .bind(connection.0)
    .bind(&ids)
    .fetch_all(&mut *write.tx)
    .await?;
    let over_limit: Vec<i64> = sqlx::query_scalar(sql(format!(
        "select article_id from remote_article
         where connection_id = $1 and over_limit is not null and article_id in {of_ids}"
    )))
    .bind(connection.0)
    .bind(&ids)
    .fetch_all(&mut *write.tx)
    .await?;
    let skipped: Vec<(i64, String)> = sqlx::query_as(sql(format!(
        "select skipped.article_id, skipped.reason from run join skipped on skipped.run_id = run.id
         where run.connection_id = $1 and skipped.article_id in {of_ids} order by skipped.id"
    )))
    .bind(connection.0)
    .bind(&ids)
    .fetch_all(&mut *write.tx)
    .await?;
    Ok(Absent {
        unsynced: unsynced.into_iter().collect(),
        over_limit: over_limit.into_iter().collect(),
        skipped: skipped.into_iter().collect(),
    })
}

fn difference(seen: &Seen<'_>, held: &HashMap<i64, Held>, absent: &Absent) -> Option<Difference> {
    let article = &seen.article;
    let file = held.get(&article.article_id);
    let told = |cause: Cause, detail: Option<String>| {
        Some(Difference {
            article_id: article.article_id,
            file_id: file.map(|file| file.id),
            cause,
            detail,
            here_updated_at: file.map(|file| file.updated_at),
            there_updated_at: Some(article.updated_at),
        })
    };
    let Some(file) = file else {
        let id = article.article_id;
        if article.translations.is_empty() || absent.unsynced.contains(&id) {
            return None;
        }
        return match absent.skipped.get(&id) {
            _ if absent.over_limit.contains(&id) => told(Cause::OverLimit, None),
            Some(reason) => told(Cause::Skipped, Some(reason.clone())),
            None => told(Cause::MissingHere, None),
        };
    };
    if article.translations.is_empty() {
        let cause = if seen.is_filtered_out() { Cause::Unselected } else { Cause::Draft };
        return if file.is_hidden { None } else { told(cause, None) };
    }
    if file.is_hidden {
        return told(Cause::MissingHere, Some("it is hidden here: it was thought to be gone".to_owned()));
    }
    // Of a record nothing but its existence is promised.
    if !file.is_whole {
        return None;
    }
    let is_unread = article.keeps_others || !article.kept_locales.is_empty();
    let same_text = is_unread || file.content_hash.as_deref() == Some(&article.content_hash());
    let same = same_text && file.metadata_hash.as_deref() == Some(&article.metadata_hash);
    if same && (file.updated_at == article.updated_at || !is_unread) {
        return None;
    }
    let detail = same_text.then(|| "its text is the same".to_owned());
    match article.updated_at.cmp(&file.updated_at) {
        std::cmp::Ordering::Greater => told(Cause::NewerThere, detail),
        std::cmp::Ordering::Less => told(Cause::OlderThere, detail),
        std::cmp::Ordering::Equal => told(Cause::Differs, detail),
    }
}
