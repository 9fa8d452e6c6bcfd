//! Databases before and while they are migrated.

use sqlx::{AnyConnection, Connection as _, Executor as _, Row as _};

use super::backup::execute_at;
use super::{Home, POSTGRES_URL, database_at};
use crate::Store;
use crate::db::sql;

/// A database on Postgres without any table.
#[derive(Debug)]
pub struct Bare {
    /// Where it is.
    pub url: String,
    _home: Home,
}

impl Bare {
    /// Makes one.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn postgres() -> Self {
        sqlx::any::install_default_drivers();
        let server =
            std::env::var("HELPSYNC_TEST_POSTGRES_URL").unwrap_or_else(|_unset| POSTGRES_URL.to_owned());
        let (url, name) = database_at(&server);
        execute_at(&server, &format!("create database {name}")).await;
        Self { url, _home: Home::Database { server, name } }
    }
}

/// A transaction that has made a table which a migration is to make: the migration waits there, in its middle.
#[derive(Debug)]
pub struct InTheWay {
    connection: AnyConnection,
    /// Who is in a transaction sees no news of others.
    onlooker: AnyConnection,
}

impl InTheWay {
    /// Makes `table`, and does not commit.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn of(url: &str, table: &str) -> Self {
        let mut connection = AnyConnection::connect(url).await.expect("a database");
        connection.execute("begin").await.expect("a transaction");
        connection.execute(sql(format!("create table {table} (id bigint)"))).await.expect("a table");
        Self { connection, onlooker: AnyConnection::connect(url).await.expect("a database") }
    }

    /// Whether somebody waits for it.
    ///
    /// # Panics
    /// When the server does not answer.
    pub async fn is_met(&mut self) -> bool {
        let waiting = "select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and wait_event = 'transactionid'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut self.onlooker).await.expect("a count");
        waiting > 0
    }

    /// Takes the table away again.
    pub async fn give_way(self) {
        // A connection that ends takes its transaction with it.
        drop(self.connection.close().await);
        drop(self.onlooker.close().await);
    }
}

/// Everything that migrations have made: each table, column, index, constraint and trigger, and which migrations are done.
///
/// # Panics
/// When the database does not answer.
pub async fn schema(url: &str) -> Vec<String> {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("a database");
    let (parts, done) = if url.starts_with("sqlite:") {
        (
            "select type || ' ' || name || ' ' || coalesce(sql, '') as part from sqlite_master
             where name not like '\\_sqlx%' escape '\\' and tbl_name not like '\\_sqlx%' escape '\\'",
            "select count(*) from sqlite_master where name = '_sqlx_migrations'",
        )
    } else {
        (
            "select 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
               || coalesce(column_default, '') as part
             from information_schema.columns where table_schema = 'public' and table_name <> '_sqlx_migrations'
             union all
             select indexdef from pg_indexes where schemaname = 'public' and tablename <> '_sqlx_migrations'
             union all
             select conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) from pg_constraint
             where connamespace = 'public'::regnamespace and conrelid::regclass::text <> '_sqlx_migrations'
             union all
             select tgname::text || ' ' || pg_get_triggerdef(oid) from pg_trigger where not tgisinternal",
            "select count(*) from pg_tables where schemaname = 'public' and tablename = '_sqlx_migrations'",
        )
    };
    let rows = connection.fetch_all(sql(format!("select part from ({parts}) as made order by part")));
    let rows = rows.await.expect("a schema");
    let mut made: Vec<String> = rows.iter().map(|row| row.try_get("part").expect("a text")).collect();
    let knows: i64 = sqlx::query_scalar(done).fetch_one(&mut connection).await.expect("a count");
    if knows > 0 {
        let done = "select version, cast(case when success then 1 else 0 end as bigint) as whole from _sqlx_migrations order by version";
        let rows = connection.fetch_all(done).await.expect("migrations");
        made.extend(rows.iter().map(|row| {
            format!(
                "migration {} {}",
                row.try_get::<i64, _>("version").expect("a number"),
                row.try_get::<i64, _>("whole").expect("0 or 1")
            )
        }));
    }
    drop(connection.close().await);
    made
}

/// Runs a statement of a test's own with one text bound to it.
///
/// # Panics
/// When the database refuses it.
pub async fn write_text(store: &Store, statement: &'static str, text: &str) {
    sqlx::query(statement).bind(text).execute(&store.pool).await.expect(statement);
}
