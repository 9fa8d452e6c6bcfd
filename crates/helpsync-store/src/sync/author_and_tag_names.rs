//! Names of authors and content tags: files hold ids, and a name changes without them.

use std::collections::{BTreeMap, BTreeSet};

use helpsync_model::ConnectionId;
use serde_json::{Value, json};

use crate::db::{Dialect, StoreError, SyncStore, Write, decode, integer, sql, text};
use crate::run::shards::{StartedShard, check_fence};
use crate::sync::filtered::Seen;

/// An author's name, as a page brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAuthor {
    /// Zendesk's id.
    pub author_id: i64,
    /// The name.
    pub name: String,
}

/// The names of those who wrote what is kept of a page, and of nobody else, as [`authors_sql`] takes them; `None`: there are
/// none.
pub(crate) fn author_rows(authors: &[NewAuthor], page: &[Seen<'_>]) -> Option<String> {
    let kept = page.iter().filter(|seen| !seen.article.translations.is_empty());
    let kept: BTreeSet<i64> = kept.filter_map(|seen| seen.article.author_id).collect();
    // In one order everywhere, so that two pages of one help center never wait for each other.
    let named: BTreeMap<i64, &str> = authors
        .iter()
        .filter(|author| kept.contains(&author.author_id))
        .map(|author| (author.author_id, author.name.as_str()))
        .collect();
    if named.is_empty() {
        return None;
    }
    let rows = named.iter().map(|(id, name)| json!({ "author_id": id, "name": decode::without_nul(name) }));
    Some(Value::from_iter(rows).to_string())
}

/// What stores names of authors; placeholders of the connection and the rows.
pub(crate) fn authors_sql(dialect: Dialect, [connection, rows]: [&str; 2]) -> String {
    format!(
        "insert into author (connection_id, author_id, name) select {connection}, author_id, name from {} where true
         order by author_id on conflict (connection_id, author_id) do update set name = excluded.name",
        dialect.json_rows(rows, &[integer("author_id"), text("name")])
    )
}

/// Forgets the names of those of whom nothing is kept any more, once a run removed something.
pub(crate) async fn forget_authors(write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
    sqlx::query(
        "delete from author where connection_id = $1
           and exists (select 1 from run where id = $2 and removed > 0)
           and author_id not in (select author_id from file where connection_id = $1 and author_id is not null)",
    )
    .bind(started.fence.connection.0)
    .bind(started.fence.run.0)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

impl SyncStore {
    /// Which of these content tags were never asked for, or not since `asked_since` (ms).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unnamed_tags(
        &self,
        connection: ConnectionId,
        tags: &BTreeSet<String>,
        asked_since: i64,
    ) -> Result<Vec<String>, StoreError> {
        let known: Vec<String> = sqlx::query_scalar(sql(format!(
            "select tag_id from content_tag where connection_id = $1 and asked_at >= $2 and tag_id in {}",
            self.dialect.json_texts("$3")
        )))
        .bind(connection.0)
        .bind(asked_since)
        .bind(json!(tags).to_string())
        .fetch_all(&self.pool)
        .await?;
        Ok(tags.iter().filter(|tag| !known.contains(*tag)).cloned().collect())
    }

    /// Stores what asking for the content tags showed: their names, and of those in `asked` that no name came.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn name_tags(
        &self,
        started: &StartedShard,
        named: &[(String, String)],
        asked: &[String],
    ) -> Result<(), StoreError> {
        let mut rows: BTreeMap<&str, Option<&str>> = asked.iter().map(|tag| (tag.as_str(), None)).collect();
        rows.extend(named.iter().map(|(tag, name)| (tag.as_str(), Some(name.as_str()))));
        let rows = rows
            .iter()
            .map(|(tag, name)| json!({ "tag_id": decode::without_nul(tag), "name": name.map(decode::without_nul) }));
        let rows = Value::from_iter(rows).to_string();
        let mut write = self.write().await?;
        check_fence(&mut write, &started.fence).await?;
        sqlx::query(sql(format!(
            "insert into content_tag (connection_id, tag_id, name, asked_at) select $1, tag_id, name, $2 from {}
             where true order by tag_id
             on conflict (connection_id, tag_id) do update set name = coalesce(excluded.name, content_tag.name),
               asked_at = excluded.asked_at",
            self.dialect.json_rows("$3", &[text("tag_id"), text("name")])
        )))
        .bind(started.fence.connection.0)
        .bind(self.clock.now_ms())
        .bind(rows)
        .execute(&mut *write.tx)
        .await?;
        write.commit().await
    }
}
