//! The index of words: what storing and removing chunks does to it.

use serde_json::json;

use crate::db::{Dialect, StoreError, Write, integer, sql, text};
use crate::search::terms::ChunkWords;

/// Chunks go into the index this many at a time: a statement's text stays within some megabytes.
const CHUNKS_PER_STATEMENT: usize = 64;

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
        sqlx::query(sql(format!("delete from chunk_word where {id} in {}", dialect.json_integers("$1"))))
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
    for language in languages(chunks) {
        sqlx::query(
            "insert into customer_language (customer_id, language) values ($1, $2) on conflict do nothing",
        )
        .bind(customer)
        .bind(language)
        .execute(&mut *write.tx)
        .await?;
    }
    Ok(())
}

/// The languages of chunks, each once, in an order that all transactions keep.
fn languages(chunks: &[(i64, &ChunkWords)]) -> Vec<&'static str> {
    let mut languages: Vec<&str> = chunks.iter().map(|(_, words)| words.language).collect();
    languages.sort_unstable();
    languages.dedup();
    languages
}
