//! Searching by words as it was until 2026-11: the baseline of searches. The texts of one customer's chunks stand in a
//! full-text table (SQLite) or are analysed anew for each search (Postgres), joined with all chunks and files.

use helpsync_store::testing::TestStore;
use helpsync_store::testing::searchable::{pool, run, texts_of};
use helpsync_store::{Customer, Dialect};

/// So many were ranked.
const CANDIDATES_MAX: i64 = 1_000;
/// [`QUERY`](helpsync_store::testing::searchable::QUERY) as each database had it: any of its words.
const SQLITE_WORDS: &str = r#""w3x" OR "w40x" OR "w1200x"* OR "w500x"* OR "w7000x"* OR "w12""#;
const POSTGRES_WORDS: &str = "'w3x' | 'w40x' | 'w1200x':* | 'w500x':* | 'w7000x':* | 'w12'";

/// Stores a customer's texts as they were stored then.
pub(crate) async fn fill(store: &TestStore, customer: &Customer) {
    let texts = texts_of(store, customer);
    let statements: &[String] = match store.dialect() {
        Dialect::Sqlite => &[
            "create table old_chunk (id integer primary key, content text not null)".to_owned(),
            "create virtual table old_word using fts5 (content, content = 'old_chunk', content_rowid = 'id',
               tokenize = 'unicode61 remove_diacritics 2')"
                .to_owned(),
            format!("insert into old_chunk (id, content) {texts}"),
            "insert into old_word (rowid, content) select id, content from old_chunk".to_owned(),
        ],
        Dialect::Postgres => &[
            "create table old_chunk (id bigint primary key, content text not null)".to_owned(),
            format!("insert into old_chunk (id, content) {texts}"),
            "create index old_word on old_chunk using gin (to_tsvector('simple', content))".to_owned(),
        ],
    };
    for statement in statements {
        run(store, statement.clone()).await;
    }
}

/// One search; how many chunks it would rank.
pub(crate) async fn search(store: &TestStore, customer: &Customer) -> anyhow::Result<usize> {
    let (statement, words) = match store.dialect() {
        Dialect::Sqlite => (
            "select chunk.id, old_chunk.content from old_word join chunk on chunk.id = old_word.rowid
               join old_chunk on old_chunk.id = chunk.id join file on file.id = chunk.file_id
             where file.customer_id = $1 and file.hidden_at is null and old_word match $2
             order by old_word.rank limit $3",
            SQLITE_WORDS,
        ),
        Dialect::Postgres => (
            "select chunk.id, old_chunk.content from chunk join old_chunk on old_chunk.id = chunk.id
               join file on file.id = chunk.file_id
             where file.customer_id = $1 and file.hidden_at is null
               and to_tsvector('simple', old_chunk.content) @@ to_tsquery('simple', $2) limit $3",
            POSTGRES_WORDS,
        ),
    };
    let rows = sqlx::query(statement).bind(customer.id.0).bind(words).bind(CANDIDATES_MAX);
    Ok(rows.fetch_all(pool(store)).await?.len())
}
