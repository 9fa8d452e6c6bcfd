//! The rows that storing a page writes, one function a table: each a statement or two however long the page is.
//!
//! Rows travel as a JSON array that the database unpacks; only long texts are bound one by one. They are written in the order of their article ids, so that
//! two pages that hold the same articles wait for each other and never both ways.

use std::borrow::Cow;
use std::collections::HashMap;

use helpsync_model::{EventKind, FileStatus};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;

use crate::db::decode::count;
use crate::db::{Dialect, StoreError, Write, decode, integer, placeholders, sql, text};
use crate::event::events::{self, Owner};
use crate::run::shards::StartedShard;
use crate::sync::filtered::Seen;
use crate::sync::incoming::{IncomingArticle, IncomingTranslation};

/// Texts of one statement, so that a page's worth of them is never held twice over.
const TEXT_BYTES_PER_STATEMENT: usize = 4 * 1024 * 1024;

/// Translations of one statement: their nine columns each stay far below what the databases bind.
const TRANSLATIONS_PER_STATEMENT: usize = 64;

/// Files that one statement removes.
const FILES_PER_STATEMENT: usize = 1_000;

/// What is stored of an article that comes in.
pub(crate) struct Known {
    pub(crate) file: i64,
    pub(crate) content_hash: Option<String>,
    pub(crate) metadata_hash: Option<String>,
    /// The version of the converter that made its texts.
    pub(crate) converter: i64,
    /// Hidden, deleted, or waiting to be stored: it is stored and announced, whatever comes.
    pub(crate) withdrawn: bool,
    /// Hidden.
    pub(crate) hidden: bool,
    /// Its content was deleted by request.
    pub(crate) deleted: bool,
    /// Of the text that it holds.
    pub(crate) characters: i64,
    /// Only a record of it is kept, by request.
    pub(crate) record: bool,
}

/// Articles as [`ledger_sql`] takes them.
pub(crate) fn ledger_rows(articles: &[&Seen<'_>]) -> String {
    let rows = articles.iter().map(|seen| {
        let article = &seen.article;
        json!({
            "article_id": article.article_id,
            "created_at": article.created_at,
            "updated_at": article.updated_at,
            "published": i64::from(seen.published),
            "placed": i64::from(seen.placed),
            "section_id": article.section_id,
        })
    });
    Value::from_iter(rows).to_string()
}

/// What notes that articles exist, and answers which of the readings are the newest known; placeholders of the connection,
/// the run and the rows.
pub(crate) fn ledger_sql(dialect: Dialect, [connection, run, rows]: [&str; 3]) -> String {
    let columns =
        ["article_id", "created_at", "updated_at", "published", "placed", "section_id"].map(integer);
    format!(
        "insert into remote_article (connection_id, article_id, created_at, updated_at, published, placed, section_id,
           seen_run)
         select {connection}, article_id, created_at, updated_at, published, placed, section_id, {run}
         from {} where true order by article_id
         on conflict (connection_id, article_id) do update set updated_at = excluded.updated_at,
           created_at = excluded.created_at, published = excluded.published, placed = excluded.placed,
           section_id = excluded.section_id, over_limit = null,
           seen_run = case when remote_article.seen_run > excluded.seen_run then remote_article.seen_run
             else excluded.seen_run end
         where remote_article.updated_at <= excluded.updated_at
         returning article_id",
        dialect.json_rows(rows, &columns)
    )
}

/// Notes that this run was shown the articles, whatever is known of them.
pub(crate) async fn touch_ledger(
    write: &mut Write,
    started: &StartedShard,
    articles: &[i64],
) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "update remote_article set seen_run = $2 where connection_id = $1 and seen_run < $2 and {}",
        write.dialect.among("article_id", "$3")
    )))
    .bind(started.fence.connection.0)
    .bind(started.fence.run.0)
    .bind(json!(articles).to_string())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// The files of these articles, locked in their order.
pub(crate) async fn known_files(
    write: &mut Write,
    started: &StartedShard,
    mut articles: Vec<i64>,
) -> Result<HashMap<i64, Known>, StoreError> {
    articles.sort_unstable();
    sqlx::query(sql(known_sql(write.dialect)))
        .bind(started.fence.connection.0)
        .bind(json!(articles).to_string())
        .fetch_all(&mut *write.tx)
        .await?
        .iter()
        .map(|row| {
            let hidden_at: Option<i64> = row.try_get("hidden_at")?;
            let status: String = row.try_get("status")?;
            let deleted = row.try_get::<i64, _>("content_deleted")? != 0;
            let known = Known {
                record: !deleted && status == FileStatus::ReadyToSync.as_str(),
                file: row.try_get("id")?,
                content_hash: row.try_get("content_hash")?,
                metadata_hash: row.try_get("metadata_hash")?,
                converter: row.try_get("converter")?,
                deleted,
                characters: row.try_get("characters")?,
                hidden: hidden_at.is_some(),
                withdrawn: hidden_at.is_some() || deleted || status != FileStatus::Ready.as_str(),
            };
            Ok((row.try_get("article_id")?, known))
        })
        .collect()
}

/// What is known of a connection's (`$1`) files of some articles (`$2`).
pub(crate) fn known_sql(dialect: Dialect) -> String {
    let columns = "id, article_id, content_hash, metadata_hash, converter, hidden_at, content_deleted, status, characters";
    let files = dialect.articles_of("file", columns, ["$1", "$2"]);
    format!("select {columns} from {files} order by article_id{}", dialect.for_update())
}

/// Characters of a file's history (`file::history` reads it): a dozen changes.
const HISTORY_CHARS_MAX: i64 = 240;

/// A file as it is sent to the database.
#[derive(Serialize)]
struct FileRow<'a> {
    article_id: i64,
    name: Cow<'a, str>,
    external_url: Option<Cow<'a, str>>,
    source_locale: Cow<'a, str>,
    section_id: Option<i64>,
    author_id: Option<i64>,
    user_segment_id: Option<i64>,
    user_segment_ids: String,
    labels: String,
    metadata: String,
    source_created_at: i64,
    source_updated_at: i64,
    content_hash: String,
    metadata_hash: &'a str,
    converter: i64,
    html_bytes: i64,
    characters: i64,
}

impl<'a> FileRow<'a> {
    fn of(article: &'a IncomingArticle) -> Self {
        let first = &article.translations[0];
        let name = if first.title.is_empty() {
            format!("Article {}", article.article_id).into()
        } else {
            decode::without_nul(&first.title)
        };
        let texts = article.translations.iter();
        Self {
            article_id: article.article_id,
            name,
            external_url: first.external_url.as_deref().map(decode::without_nul),
            source_locale: decode::without_nul(&article.source_locale),
            section_id: article.section_id,
            author_id: article.author_id,
            user_segment_id: article.user_segment_id,
            user_segment_ids: json!(article.user_segment_ids).to_string(),
            labels: json!(article.labels).to_string(),
            metadata: article.metadata.to_string(),
            source_created_at: article.created_at,
            source_updated_at: article.updated_at,
            content_hash: article.content_hash(),
            metadata_hash: &article.metadata_hash,
            converter: article.converter,
            html_bytes: count(texts.map(|translation| translation.html.len()).sum()),
            characters: article.characters(),
        }
    }
}

/// Stores or changes files; answers their ids by article.
pub(crate) async fn upsert_files(
    write: &mut Write,
    started: &StartedShard,
    articles: &[&IncomingArticle],
) -> Result<HashMap<i64, i64>, StoreError> {
    if articles.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<FileRow<'_>> = articles.iter().map(|article| FileRow::of(article)).collect();
    let columns = [
        integer("article_id"),
        text("name"),
        text("external_url"),
        text("source_locale"),
        integer("section_id"),
        integer("author_id"),
        integer("user_segment_id"),
        text("user_segment_ids"),
        text("labels"),
        text("metadata"),
        integer("source_created_at"),
        integer("source_updated_at"),
        text("content_hash"),
        text("metadata_hash"),
        integer("converter"),
        integer("html_bytes"),
        integer("characters"),
    ];
    let stored = sqlx::query(sql(format!(
        "insert into file (organization_id, customer_id, connection_id, status, request_id, upload_id, last_sync,
           created_at, updated_at, article_id, name, external_url, source_locale, section_id, author_id,
           user_segment_id, user_segment_ids, labels, metadata, source_created_at, source_updated_at, content_hash,
           metadata_hash, converter, html_bytes, characters, tags, sync_options, attachments_due)
         select $1, $2, $3, $4, $5, $6, $7, $7, $7, article_id, name, external_url, source_locale, section_id,
           author_id, user_segment_id, user_segment_ids, labels, metadata, source_created_at, source_updated_at,
           content_hash, metadata_hash, converter, html_bytes, characters, $9, $10, 1
         from {} where true order by article_id
         on conflict (connection_id, article_id) do update set status = excluded.status, error = null,
           name = excluded.name, external_url = excluded.external_url, source_locale = excluded.source_locale,
           section_id = excluded.section_id, author_id = excluded.author_id,
           user_segment_id = excluded.user_segment_id, user_segment_ids = excluded.user_segment_ids,
           labels = excluded.labels, metadata = excluded.metadata, converter = excluded.converter,
           source_created_at = excluded.source_created_at, source_updated_at = excluded.source_updated_at,
           content_hash = excluded.content_hash, metadata_hash = excluded.metadata_hash,
           html_bytes = excluded.html_bytes, characters = excluded.characters, content_deleted = 0, hidden_at = null,
           attachments_due = 1, held_at = null, last_sync = excluded.last_sync, updated_at = excluded.updated_at,
           history = case
             when excluded.content_hash = file.content_hash and excluded.metadata_hash = file.metadata_hash
               and file.hidden_at is null and file.content_deleted = 0 then file.history
             else substr(excluded.updated_at || case when excluded.content_hash = file.content_hash
               then ':details ' else ':text ' end || file.history, 1, {HISTORY_CHARS_MAX}) end,
           sync_options = case when $11 = 1 then excluded.sync_options else file.sync_options end
         returning id, article_id",
        write.dialect.json_rows("$8", &columns)
    )))
    .bind(started.organization.0)
    .bind(started.customer.0)
    .bind(started.fence.connection.0)
    .bind(FileStatus::Ready.as_str())
    .bind(&started.run.request_id)
    .bind(&started.run.upload_id)
    .bind(write.now)
    .bind(serde_json::to_string(&rows).map_err(StoreError::unwritable)?)
    .bind(json!(started.files.tags).to_string())
    .bind(json!(started.files.kept).to_string())
    .bind(i64::from(started.files.replaces_kept))
    .fetch_all(&mut *write.tx)
    .await?;
    stored.iter().map(|row| Ok((row.try_get("article_id")?, row.try_get("id")?))).collect()
}

/// Puts translations in the place of those that the files had; `known` of the files had any. Of `kept` some stay.
pub(crate) async fn replace_translations(
    write: &mut Write,
    known: &[i64],
    kept: &[(i64, &IncomingArticle)],
    translations: &[(i64, &IncomingTranslation)],
) -> Result<(), StoreError> {
    let all: Vec<i64> =
        known.iter().copied().filter(|file| !kept.iter().any(|(kept, _)| kept == file)).collect();
    if !all.is_empty() {
        drop_translations(write, &all).await?;
    }
    for (file, article) in kept {
        let new: Vec<&str> = article.translations.iter().map(|new| new.locale.as_str()).collect();
        sqlx::query(sql(format!(
            "delete from translation where file_id = $1
               and (locale in {} or ($3 = 0 and locale not in {}))",
            write.dialect.json_texts("$2"),
            write.dialect.json_texts("$4")
        )))
        .bind(*file)
        .bind(json!(new).to_string())
        .bind(i64::from(article.keeps_others))
        .bind(json!(article.kept_locales).to_string())
        .execute(&mut *write.tx)
        .await?;
    }
    let size = |(_, one): &(i64, &IncomingTranslation)| one.html.len() + one.markdown.len() + one.plain.len();
    let mut rest = translations;
    while !rest.is_empty() {
        let (mut bytes, mut fitting) = (0, 0);
        while fitting < rest.len().min(TRANSLATIONS_PER_STATEMENT)
            && (fitting == 0 || bytes + size(&rest[fitting]) <= TEXT_BYTES_PER_STATEMENT)
        {
            bytes += size(&rest[fitting]);
            fitting += 1;
        }
        // Powers of two: few statements to be prepared, whatever the pages hold.
        let taken = 1 << fitting.ilog2();
        insert_translations(write, &rest[..taken]).await?;
        rest = &rest[taken..];
    }
    Ok(())
}

/// Long texts are bound one by one: to escape them into JSON and back costs several times what storing them does.
async fn insert_translations(
    write: &mut Write,
    translations: &[(i64, &IncomingTranslation)],
) -> Result<(), StoreError> {
    const COLUMNS: usize = 9;
    let rows: Vec<String> = (0..translations.len())
        .map(|row| {
            let [file, locale, title, external_url, html, markdown, plain, hash, updated_at] =
                placeholders::<COLUMNS>(row * COLUMNS + 1);
            format!(
                "({file}, {locale}, {title}, cast({external_url} as text), {html}, {markdown}, {plain}, {hash},
                  {updated_at})"
            )
        })
        .collect();
    let mut insert = sqlx::query(sql(format!(
        "insert into translation (file_id, locale, title, external_url, html, markdown, plain, hash, source_updated_at)
         values {}",
        rows.join(", ")
    )));
    for (file, translation) in translations {
        insert = insert
            .bind(*file)
            .bind(decode::without_nul(&translation.locale).into_owned())
            .bind(decode::without_nul(&translation.title).into_owned())
            .bind(translation.external_url.as_deref().map(|url| decode::without_nul(url).into_owned()))
            .bind(decode::without_nul(&translation.html).into_owned())
            .bind(decode::without_nul(&translation.markdown).into_owned())
            .bind(decode::without_nul(&translation.plain).into_owned())
            .bind(&translation.hash)
            .bind(translation.source_updated_at);
    }
    insert.execute(&mut *write.tx).await?;
    Ok(())
}

async fn drop_translations(write: &mut Write, files: &[i64]) -> Result<(), StoreError> {
    let ids = json!(files).to_string();
    sqlx::query(sql(format!("delete from translation where {}", write.dialect.among("file_id", "$1"))))
        .bind(ids)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Deletes files with their content and announces it. The ledger is the caller's.
pub(crate) async fn drop_files(
    write: &mut Write,
    started: &StartedShard,
    files: &[i64],
) -> Result<(), StoreError> {
    drop_files_of(write, started.owner(), &started.run.request_id, files).await
}

/// [`drop_files`], outside of a run.
pub(crate) async fn drop_files_of(
    write: &mut Write,
    owner: Owner,
    request_id: &str,
    files: &[i64],
) -> Result<(), StoreError> {
    let detail = json!({ "request_id": request_id });
    for some in files.chunks(FILES_PER_STATEMENT) {
        drop_translations(write, some).await?;
        sqlx::query(sql(format!("delete from file where {}", write.dialect.among("id", "$1"))))
            .bind(json!(some).to_string())
            .execute(&mut *write.tx)
            .await?;
        let gone: Vec<_> = some.iter().map(|file| (file.to_string(), detail.clone())).collect();
        events::record_all(write, owner, EventKind::FileDeleted, "FILE", &gone).await?;
    }
    Ok(())
}
