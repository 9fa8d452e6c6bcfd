//! How a database would run statements if its tables were large.

use std::collections::BTreeSet;

use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::db::sql;

/// In a large table, different values of what belongs to an owner.
const OWNERS: [(&str, i64); 4] =
    [("connection_id", 10_000), ("customer_id", 10_000), ("run_id", 100_000), ("file_id", 500_000)];

/// How a table is told of that is read from its beginning to its end.
pub const WHOLE: &str = " (whole)";

/// A statement, and what it reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planned {
    /// Its text, its white space made even.
    pub statement: String,
    /// Indexes, and tables with [`WHOLE`] behind their names.
    pub reads: BTreeSet<String>,
}

/// The plans of some statements in the database at `url`, if each table that holds anything held `rows`: what Postgres knows
/// of its tables is changed for good, so use a database of the test's own. SQLite's plans depend on no sizes here.
/// Statements that cannot be planned without their values are left out.
///
/// # Panics
/// When the database refuses what it is asked.
pub async fn plans(url: &str, rows: i64, statements: &BTreeSet<String>) -> Vec<Planned> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("a connection");
    let is_sqlite = url.starts_with("sqlite");
    if !is_sqlite {
        enlarge(&mut connection, rows).await;
    }
    let mut planned = BTreeSet::new();
    for text in statements {
        let reads = if is_sqlite {
            reads_in_sqlite(&mut connection, text).await
        } else {
            reads_in_postgres(&mut connection, text).await
        };
        if let Some(reads) = reads {
            planned.insert(Planned { statement: evened(text), reads });
        }
    }
    planned.into_iter().collect()
}

/// With even white space, and one number of a list in place of all.
fn evened(text: &str) -> String {
    let mut even = String::with_capacity(text.len());
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_number = |word: &str| word.trim_matches(|sign| "$(),".contains(sign)).parse::<u32>().is_ok();
        // `$1, $2, $3` are as many as somebody asked for.
        if word.ends_with(',') && word.starts_with('$') && words.peek().is_some_and(|next| is_number(next)) {
            continue;
        }
        if !even.is_empty() {
            even.push(' ');
        }
        even.push_str(word);
    }
    even
}

/// Lets Postgres take its tables for large ones.
async fn enlarge(connection: &mut AnyConnection, rows: i64) {
    let own = "relnamespace = 'public'::regnamespace and relkind = 'r'";
    let tables: Vec<String> =
        sqlx::query_scalar(sql(format!("select relname::text from pg_class where {own}")))
            .fetch_all(&mut *connection)
            .await
            .expect("the tables");
    for table in tables {
        // Else what is changed below is put right in the middle of the test.
        run(connection, format!("alter table {table} set (autovacuum_enabled = off)")).await;
    }
    for (column, different) in OWNERS {
        let having =
            "select table_name::text from information_schema.columns join pg_class on relname = table_name
                      where table_schema = 'public' and relkind = 'r' and column_name = ";
        let tables: Vec<String> = sqlx::query_scalar(sql(format!("{having}'{column}'")))
            .fetch_all(&mut *connection)
            .await
            .expect("the columns");
        for table in tables {
            let told = format!("alter table {table} alter column {column} set (n_distinct = {different})");
            run(connection, told).await;
        }
    }
    run(connection, "analyze".to_owned()).await;
    run(
        connection,
        format!(
            "with large as (select oid, {rows} / reltuples as times from pg_class where {own} and reltuples > 0)
             update pg_class set reltuples = reltuples * times from large
             where pg_class.oid = large.oid
               or pg_class.oid in (select indexrelid from pg_index where indrelid = large.oid)"
        ),
    )
    .await;
    // As a server decides that has seen a statement some times.
    run(connection, "set plan_cache_mode = force_generic_plan".to_owned()).await;
}

async fn run(connection: &mut AnyConnection, statement: String) {
    let told = statement.clone();
    if let Err(error) = sqlx::raw_sql(sql(statement)).execute(connection).await {
        panic!("{told}: {error}");
    }
}

async fn reads_in_postgres(connection: &mut AnyConnection, text: &str) -> Option<BTreeSet<String>> {
    sqlx::raw_sql(sql(format!("prepare looked_at as {text}"))).execute(&mut *connection).await.ok()?;
    let counted = "select coalesce(cardinality(parameter_types), 0)::bigint from pg_prepared_statements \
                   where name = 'looked_at'";
    let values: i64 = sqlx::query_scalar(counted).fetch_one(&mut *connection).await.expect("the parameters");
    let values = vec!["null"; usize::try_from(values).unwrap_or_default()].join(", ");
    let values = if values.is_empty() { values } else { format!("({values})") };
    let explain = format!("explain (costs off) execute looked_at {values}");
    let plan = sqlx::raw_sql(sql(explain)).fetch_all(&mut *connection).await;
    run(connection, "deallocate looked_at".to_owned()).await;
    Some(plan.ok()?.iter().filter_map(|row| read_by_step(row.get(0))).collect())
}

/// `->  Index Scan using file_by_name on file`, `->  Bitmap Index Scan on file_by_name`, `->  Seq Scan on file f`.
fn read_by_step(step: &str) -> Option<String> {
    let words: Vec<&str> = step.split_whitespace().collect();
    let behind = |word: &str| words.iter().position(|one| *one == word).and_then(|at| words.get(at + 1));
    if step.contains("Seq Scan on ") {
        return behind("on").map(|table| format!("{table}{WHOLE}"));
    }
    let index = if step.contains("Bitmap Index Scan on ") { behind("on") } else { behind("using") };
    index.filter(|_| step.contains("Index")).map(|index| (*index).to_owned())
}

async fn reads_in_sqlite(connection: &mut AnyConnection, text: &str) -> Option<BTreeSet<String>> {
    let plan = sqlx::query(sql(format!("explain query plan {text}"))).fetch_all(connection).await.ok()?;
    Some(plan.iter().filter_map(|row| read_by(row.get(3))).collect())
}

/// `SEARCH file USING INDEX file_by_name (…)`, `SCAN file`, `SCAN file USING COVERING INDEX …`.
fn read_by(step: &str) -> Option<String> {
    let is_whole = step.strip_prefix("SCAN ");
    let words: Vec<&str> = is_whole.or_else(|| step.strip_prefix("SEARCH "))?.split(' ').collect();
    let index = words.iter().position(|word| *word == "INDEX").and_then(|at| words.get(at + 1));
    let table = words.first()?;
    Some(match (is_whole, index) {
        (Some(_), _) => format!("{table}{WHOLE}"),
        (None, Some(index)) => (*index).to_owned(),
        (None, None) => format!("{table} by its key"),
    })
}
