//! Chunks by the thousand, made by the database itself, for plans and speeds of searches by words.

use sqlx::{AnyConnection, AnyPool, Connection as _};

use crate::db::sql;
use crate::testing::{TestStore, article};
use crate::{Customer, Dialect};

/// Words of a generated chunk: few are common, most are rare.
pub const WORDS: i64 = 100;
/// Two of the most common words, rare ones, and the start of many.
pub const QUERY: &str = "w3x w40x, w1200x w500x w7000x w12";

/// Numbers from `first` on, as a row source with the column `i`; where Postgres is, its alias wants that name.
#[must_use]
pub fn series(dialect: Dialect, first: i64, count: i64) -> String {
    let last = first + count - 1;
    match dialect {
        Dialect::Sqlite => format!(
            "(with recursive n (i) as (select {first} union all select i + 1 from n where i < {last}) select i from n)"
        ),
        Dialect::Postgres => format!("generate_series(cast({first} as bigint), {last})"),
    }
}

/// The word of chunk `s.i` at its place `t.i`: the cube of an even spread makes few words common.
fn word() -> String {
    let spread = "((s.i * 7919 + t.i * 104729 + (s.i * t.i) % 97 * 1009) % 9973)";
    format!("'w' || ({spread} * {spread} / 9973 * {spread} / 9973 * 8000 / 9973) || 'x'")
}

/// The same as the index holds it.
fn lexeme(customer: i64) -> String {
    format!("{customer} || ':' || (1 + (s.i + t.i * 3) % 8) || ':' || {}", word())
}

/// The store's own pool, for statements that are no method of it.
#[must_use]
pub fn pool(store: &TestStore) -> &AnyPool {
    &store.store.pool
}

/// Runs a statement.
///
/// # Panics
/// When the database refuses it.
pub async fn run(store: &TestStore, statement: String) {
    let told = statement.clone();
    if let Err(error) = sqlx::query(sql(statement)).execute(&store.store.pool).await {
        panic!("{told}: {error}");
    }
}

/// A customer with `files` articles of `per_file` chunks each, and their words in the index.
///
/// # Panics
/// When the database refuses it.
pub async fn filled(store: &TestStore, name: &str, files: i64, per_file: i64) -> Customer {
    let customer = with_chunks(store, name, files, per_file).await;
    index_words(store, &customer).await;
    customer
}

/// The same without words.
///
/// # Panics
/// When the database refuses it.
pub async fn with_chunks(store: &TestStore, name: &str, files: i64, per_file: i64) -> Customer {
    let organization = store.admin().ensure_organization("default").await.expect("an organization");
    let customer = store.admin().customer(organization, name).await.expect("a customer");
    let connection = store.connect(&customer, "acme").await;
    let articles = (1..=files).map(|id| article(id, &format!("Article {id}"), 5)).collect();
    store.sync_articles(connection, articles).await;
    let dialect = store.dialect();
    let places = series(dialect, 0, per_file);
    let columns = if dialect == Dialect::Postgres { "(i)" } else { "" };
    run(
        store,
        format!(
            "insert into chunk (file_id, connection_id, position, locale, hash, tokens, state, due_at, created_at,
               updated_at, content)
             select file.id, file.connection_id, s.i, 'en', 'h', 9, 'skipped', 0, 0, 0, 'Some text of a chunk.'
             from file cross join {places} as s{columns} where file.customer_id = {}",
            customer.id.0
        ),
    )
    .await;
    customer
}

/// Puts the words of a customer's chunks into the index.
async fn index_words(store: &TestStore, customer: &Customer) {
    let (dialect, customer) = (store.dialect(), customer.id.0);
    let places = series(dialect, 1, WORDS);
    let lexeme = lexeme(customer);
    let chunks = format!("({}) as s", chunks_of(customer));
    let statement = match dialect {
        Dialect::Sqlite => format!(
            "insert into chunk_word (rowid, words) select s.i,
               {customer} || ':0 ' || (select group_concat({lexeme}, ' ') from {places} as t) from {chunks}"
        ),
        Dialect::Postgres => format!(
            "insert into chunk_word (chunk_id, words) select s.i,
               array_to_tsvector(array_append(array(select distinct {lexeme} from {places} as t (i)), {customer} || ':0'))
             from {chunks}"
        ),
    };
    run(store, statement).await;
}

/// A query for the ids of a customer's chunks, and the text of each.
///
/// Its columns are `i` and, with [`texts_of`], `words`.
fn chunks_of(customer: i64) -> String {
    format!(
        "select chunk.id as i from chunk join file on file.id = chunk.file_id where file.customer_id = {customer}"
    )
}

/// A query for id (`i`) and text (`words`) of every chunk of a customer that [`filled`] made: the words that it is found by.
#[must_use]
pub fn texts_of(store: &TestStore, customer: &Customer) -> String {
    let (word, places, chunks) = (word(), series(store.dialect(), 1, WORDS), chunks_of(customer.id.0));
    let (join, columns) = match store.dialect() {
        Dialect::Sqlite => ("group_concat", ""),
        Dialect::Postgres => ("string_agg", " (i)"),
    };
    format!(
        "select s.i, (select {join}({word}, ' ') from {places} as t{columns}) as words from ({chunks}) as s"
    )
}

/// Takes the index of words away before very many chunks are stored, where that is faster.
///
/// # Panics
/// When the database refuses it.
pub async fn without_index(store: &TestStore) {
    if store.dialect() == Dialect::Postgres {
        run(store, "drop index chunk_word_words".to_owned()).await;
    }
}

/// Makes it again, and statistics and visibility as autovacuum would.
///
/// # Panics
/// When the database refuses it.
pub async fn with_index(store: &TestStore) {
    if store.dialect() == Dialect::Postgres {
        let index = "create index chunk_word_words on chunk_word using gin (words) with (fastupdate = off)";
        run(store, index.to_owned()).await;
        run(store, "vacuum analyze".to_owned()).await;
    }
}

/// How many files wait to be chunked, or are just being.
///
/// # Panics
/// When the database does not answer.
pub async fn unchunked(store: &TestStore) -> i64 {
    sqlx::query_scalar("select count(*) from chunking where chunked_version < version")
        .fetch_one(&store.store.pool)
        .await
        .expect("a count")
}

/// So many vectors, of so many numbers each.
#[derive(Debug, Clone, Copy)]
pub struct Vectors {
    /// Vectors.
    pub count: i64,
    /// Numbers of each.
    pub dimensions: usize,
}

/// Gives a customer chunks with vectors, as if they had been uploaded with Carbon's usual model, in the database at `url`
/// that a process uses. All are of one file. All but the last point away from `[1, 0, 0, …]`; the last points there, and
/// its text is `the nearest`.
///
/// # Panics
/// When the database refuses it, or the customer has no file.
pub async fn add_vectors(url: &str, customer: &str, vectors: Vectors) {
    sqlx::any::install_default_drivers();
    let dialect = if url.starts_with("sqlite") { Dialect::Sqlite } else { Dialect::Postgres };
    let literal = |numbers: &dyn Fn(usize) -> f32| {
        let bytes: Vec<u8> = (0..vectors.dimensions).flat_map(|at| numbers(at).to_le_bytes()).collect();
        match dialect {
            Dialect::Sqlite => format!("x'{}'", hex::encode(bytes)),
            Dialect::Postgres => format!("cast('\\x{}' as bytea)", hex::encode(bytes)),
        }
    };
    let nearest = literal(&|at| if at == 0 { 1.0 } else { 0.0 });
    let away = literal(&|at| if at == 0 { 0.0 } else { 1.0 });
    let (last, dimensions) = (vectors.count, vectors.dimensions);
    let places = series(dialect, 1, vectors.count);
    let columns = if dialect == Dialect::Postgres { "(i)" } else { "" };
    let statement = format!(
        "insert into chunk (file_id, connection_id, position, locale, hash, tokens, uploaded, state, due_at, created_at,
           updated_at, model, dimensions, vector, content)
         select file.id, file.connection_id, s.i, 'en', 'h', 9, 1, 'embedded', 0, 0, 0, 'OPENAI', {dimensions},
           case when s.i = {last} then {nearest} else {away} end,
           case when s.i = {last} then 'the nearest' else 'away' end
         from (select min(file.id) as id from file join customer on customer.id = file.customer_id
           where customer.external_id = '{customer}') as first
         join file on file.id = first.id cross join {places} as s{columns}"
    );
    let mut connection = AnyConnection::connect(url).await.expect("a connection");
    let added = sqlx::query(sql(statement)).execute(&mut connection).await.expect("vectors are stored");
    assert_eq!(
        added.rows_affected(),
        u64::try_from(vectors.count).unwrap_or_default(),
        "{customer} has a file"
    );
}
