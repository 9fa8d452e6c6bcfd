//! Postgres with the extension `vector`: the database itself finds the nearest vectors.
//!
//! Nothing depends on it. Without the extension, and for vectors that it cannot hold, the process compares the bytes.

use helpsync_model::chain;
use sqlx::{AnyConnection, AnyPool, Connection, Executor, Row};

use crate::db::dialect::Dialect;
use crate::db::error::StoreError;
use crate::db::facets::SearchStore;
use crate::db::write::sql;

/// Names the advisory lock under which one process prepares the table.
const LOCK: i64 = 0x6865_6c70_7665_6374;
/// Preparing waits no longer than this for other processes' transactions; the next start tries again.
const LOCK_PATIENCE: &str = "set local lock_timeout = '10s'";
/// The most dimensions that the extension holds. This and the next stand in `pgvector.sql` too, for stored vectors.
const DIMENSIONS_MAX: usize = 16_000;
/// Squares of lengths between which single precision compares as well as ours.
const SQUARES: std::ops::RangeInclusive<f64> = 1e-30..=1e30;
/// The database compares in single precision: what is no further than this behind the last of the best is compared again
/// in double precision. The sum of 1,536 products is off by less (1,536 / 2^24), and of more by far less as a rule.
const ROUNDING_MARGIN: &str = "1e-4";

/// Whether the database finds the nearest vectors. Prepares it for that where it can; that it cannot is no error.
pub(crate) async fn prepare(pool: &AnyPool, dialect: Dialect) -> Result<bool, StoreError> {
    if dialect == Dialect::Sqlite {
        return Ok(false);
    }
    let mut connection = pool.acquire().await?;
    match look(&mut connection).await? {
        Found::Prepared => Ok(true),
        Found::Nothing => Ok(false),
        Found::Extension => match make(&mut connection).await {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::info!(
                    error = chain(&error),
                    "this Postgres has the extension vector, and it could not be used: searches compare vectors in \
                     this process. If it may not be made, let a superuser run \"create extension vector\" in the database"
                );
                Ok(false)
            }
        },
    }
}

/// What a database has.
enum Found {
    Nothing,
    Extension,
    Prepared,
}

async fn look(connection: &mut AnyConnection) -> Result<Found, sqlx::Error> {
    let row = sqlx::query(
        "select exists (select from pg_available_extensions where name = 'vector') as available,
           exists (select from pg_attribute where attrelid = to_regclass('chunk') and attname = 'embedding'
             and not attisdropped)
             and exists (select from pg_trigger where tgrelid = to_regclass('chunk') and tgname = 'chunk_embedding'
               and tgenabled <> 'D') as prepared",
    )
    .fetch_one(connection)
    .await?;
    Ok(match (row.try_get("available")?, row.try_get("prepared")?) {
        (_, true) => Found::Prepared,
        (true, false) => Found::Extension,
        (false, false) => Found::Nothing,
    })
}

async fn make(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let mut tx = connection.begin().await?;
    tx.execute(LOCK_PATIENCE).await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
    // Another process may have been first.
    if !matches!(look(&mut tx).await?, Found::Prepared) {
        tx.execute(include_str!("pgvector.sql")).await?;
    }
    tx.commit().await
}

/// A vector as the extension reads it; `None`: the process must compare it.
pub(crate) fn text_of(vector: &[f32]) -> Option<String> {
    let square: f64 = vector.iter().map(|number| f64::from(*number).powi(2)).sum();
    if vector.len() > DIMENSIONS_MAX || !SQUARES.contains(&square) {
        return None;
    }
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    Some(format!("[{}]", numbers.join(",")))
}

/// Narrows the search of `rows` (what comes behind `select …`) to what may be among the best: `wanted` is the vector's
/// text, `last` how many of the best there are to be less one, `also` the list of chunks to have in any case.
pub(crate) fn nearest(rows: &str, wanted: &str, last: &str, also: &str) -> String {
    format!(
        " and (chunk.embedding is null or chunk.id in {also} or chunk.id in (
             with near as materialized (select chunk.id, chunk.embedding <=> cast({wanted} as vector) as distance {rows}
               and chunk.embedding is not null)
             select id from near where distance <= {ROUNDING_MARGIN} + coalesce(
               (select distance from near order by distance limit 1 offset {last}), 'infinity')))"
    )
}

impl SearchStore {
    /// Lets the database know up to `limit` vectors after the chunk `after` that were stored before it compared any.
    /// Answers the last chunk of them; `None`: there is no more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn fill_embeddings(&self, after: i64, limit: u32) -> Result<Option<i64>, StoreError> {
        if !self.compares {
            return Ok(None);
        }
        let lock = self.dialect.for_update_skip_locked();
        let filled: Vec<i64> = sqlx::query_scalar(sql(format!(
            "update chunk set vector = vector where id in
               (select id from chunk where vector is not null and embedding is null and id > $1 order by id limit $2{lock})
             returning id"
        )))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        Ok(filled.into_iter().max())
    }
}
