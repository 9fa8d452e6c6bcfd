//! The index of words: what storing and removing chunks does to it.

use std::collections::BTreeSet;

use serde_json::json;

use crate::db::{Dialect, SearchStore, StoreError, Write, integer, sql, text};
use crate::search::terms::ChunkWords;

/// Chunks go into the index this many at a time: a statement's text stays within some megabytes.
const CHUNKS_PER_STATEMENT: usize = 64;

/// Pages of the index that one step of a merge writes, about.
const MERGED_PAGES: i64 = 250;
/// Steps of one merge; an index of some gigabytes takes fewer.
const MERGE_STEPS_MAX: usize = 10_000;

/// Puts chunks of a customer into the index; those that are there already are replaced. Chunks that are deleted leave it
/// by themselves.
pub(crate) async fn index_chunks(
    write: &mut Write,
    customer: i64,
    chunks: &[(i64, &ChunkWords)],
) -> Result<(), StoreError> {
    let dialect = write.dialect;
    for some in chunks.chunks(CHUNKS_PER_STATEMENT) {
        let ids: Vec<i64> = some.iter().map(|(id, _)| *id).collect();
        let id = match dialect {
            Dialect::Sqlite => "rowid",
            Dialect::Postgres => "chunk_id",
        };
        sqlx::query(sql(format!("delete from chunk_word where {}", dialect.among(id, "$1"))))
            .bind(json!(ids).to_string())
            .execute(&mut *write.tx)
            .await?;
        let rows = some.iter().map(|(id, words)| json!({ "id": id, "words": words.lexemes(customer) }));
        let words = match dialect {
            Dialect::Sqlite => "words",
            Dialect::Postgres => "array_to_tsvector(string_to_array(words, ' '))",
        };
        sqlx::query(sql(format!(
            "insert into chunk_word ({id}, words) select id, {words} from {}",
            dialect.json_rows("$1", &[integer("id"), text("words")])
        )))
        .bind(json!(rows.collect::<Vec<_>>()).to_string())
        .execute(&mut *write.tx)
        .await?;
    }
    Ok(())
}

impl SearchStore {
    /// SQLite's index keeps the words of what was deleted until the parts that hold them are merged: this merges them, step
    /// by step beside other work. Postgres forgets them by itself (vacuum).
    ///
    /// # Errors
    /// [`StoreError`]; what is left is merged with the next round.
    pub async fn forget_words(&self) -> Result<(), StoreError> {
        if self.dialect != Dialect::Sqlite {
            return Ok(());
        }
        // The first one says that everything is to be merged, the others go on with it. Source:
        // <https://www.sqlite.org/fts5.html#the_merge_command>.
        let mut pages = -MERGED_PAGES;
        for _ in 0..MERGE_STEPS_MAX {
            let mut write = self.write_quietly().await?;
            let changes = "select total_changes()";
            let before: i64 = sqlx::query_scalar(changes).fetch_one(&mut *write.tx).await?;
            sqlx::query("insert into chunk_word (chunk_word, rank) values ('merge', $1)")
                .bind(pages)
                .execute(&mut *write.tx)
                .await?;
            let after: i64 = sqlx::query_scalar(changes).fetch_one(&mut *write.tx).await?;
            write.commit().await?;
            if after - before < 2 && pages > 0 {
                break;
            }
            pages = MERGED_PAGES;
        }
        Ok(())
    }

    /// Notes the languages of what is about to be stored for the customers of these files, each in a transaction of its
    /// own: within that of the chunks, two batches that hold the same languages would wait for each other both ways.
    pub(crate) async fn note_languages(
        &self,
        files: &[i64],
        languages: BTreeSet<&'static str>,
    ) -> Result<(), StoreError> {
        for language in languages {
            // What is asked for may still be refused: it is no change by itself.
            let mut write = self.write_quietly().await?;
            sqlx::query(sql(format!(
                "insert into customer_language (customer_id, language)
                 select distinct customer_id, $1 from file where {} order by customer_id
                 on conflict do nothing",
                self.dialect.among("id", "$2")
            )))
            .bind(language)
            .bind(json!(files).to_string())
            .execute(&mut *write.tx)
            .await?;
            write.commit().await?;
        }
        Ok(())
    }
}
