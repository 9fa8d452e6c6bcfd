//! What the ids of a file are called.

use std::collections::HashMap;

use serde_json::json;
use sqlx::Row;

use crate::db::{Store, StoreError, sql};
use crate::file::files::File;

/// What a file's ids are called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileNames {
    /// The author, where a page told it.
    pub author: Option<String>,
    /// Its content tags, in the article's order, and their names where Zendesk told them.
    pub content_tags: Vec<(String, Option<String>)>,
}

impl Store {
    /// What a file's author and content tags are called.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn names(&self, file: &File) -> Result<FileNames, StoreError> {
        let author =
            sqlx::query_scalar("select name from author where connection_id = $1 and author_id = $2")
                .bind(file.connection.0)
                .bind(file.author_id)
                .fetch_optional(&self.pool)
                .await?;
        let tags = file.metadata["content_tag_ids"].as_array().map(Vec::as_slice).unwrap_or_default();
        let tags: Vec<String> = tags.iter().filter_map(|tag| tag.as_str().map(str::to_owned)).collect();
        if tags.is_empty() {
            return Ok(FileNames { author, content_tags: Vec::new() });
        }
        let known: HashMap<String, Option<String>> = sqlx::query(sql(format!(
            "select tag_id, name from content_tag where connection_id = $1 and tag_id in {}",
            self.dialect.json_texts("$2")
        )))
        .bind(file.connection.0)
        .bind(json!(tags).to_string())
        .fetch_all(&self.pool)
        .await?
        .iter()
        .map(|row| Ok((row.try_get("tag_id")?, row.try_get("name")?)))
        .collect::<Result<_, StoreError>>()?;
        let named = |tag: String| {
            let name = known.get(&tag).cloned().flatten();
            (tag, name)
        };
        Ok(FileNames { author, content_tags: tags.into_iter().map(named).collect() })
    }
}
