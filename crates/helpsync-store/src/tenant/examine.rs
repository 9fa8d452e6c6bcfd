//! Looking at a database without changing anything of it: for `helpsync doctor`, also beside a running server.

use std::path::Path;

use helpsync_model::{KeyRing, chain};
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::db::pool::read_url;
use crate::db::{Dialect, StoreError, migrations, vault::Vault};
use crate::run::processes::keys_of;
use crate::tenant::sealed::COLUMNS;
use crate::tenant::sealing_keys::{KeyUse, sealed_at_all, uses};

/// Of each kind of sealed value so many are opened, the latest first.
const OPENED_MAX: i64 = 500;
/// Webhooks and workspaces looked at.
const LISTED_MAX: i64 = 20;
/// Processes looked at.
const PROCESSES_MAX: i64 = 1_000;
/// Tables that all work goes through.
const WORKED_ON: [&str; 6] = ["run", "shard", "outbox", "file", "connection", "event"];

/// The sealing keys of a process.
#[derive(Debug, Clone)]
pub struct ProcessKeys {
    /// Its name.
    pub holder: String,
    /// Their ids, the one that seals first; `None`: it is of a version that does not say.
    pub keys: Option<Vec<String>>,
    /// When it last said that it lives, in ms.
    pub seen_at: i64,
}

/// What a database looks like.
#[derive(Debug, Default)]
pub struct StoreExam {
    /// False: it is made at the first start.
    pub is_made: bool,
    /// Migrations of this program that it does not have: the next start brings them.
    pub missing_migrations: Vec<i64>,
    /// Migrations that this program does not know: a later one was here.
    pub later_migrations: Vec<i64>,
    /// Migrations of this program that are there with another text: no process of this program starts.
    pub changed_migrations: Vec<i64>,
    /// Why nothing can be written, as far as a look tells.
    pub read_only: Option<String>,
    /// The server's clock, in ms; none of SQLite.
    pub clock_ms: Option<i64>,
    /// Sealed values that were looked at.
    pub sealed: usize,
    /// Those that the keys do not open, by place, with the reason.
    pub unopened: Vec<(String, String)>,
    /// What each key is used for: those of the ring, and others that the database knows.
    pub keys: Vec<KeyUse>,
    /// Processes, the latest seen first.
    pub processes: Vec<ProcessKeys>,
    /// Connected workspaces, some of them.
    pub workspaces: Vec<String>,
    /// Webhooks, some of them: URL, status, reason.
    pub webhooks: Vec<(String, String, Option<String>)>,
}

/// Looks at the database of `url`. `vault`: the keys that should open what it holds; without them everything sealed is
/// counted as unopened.
///
/// # Errors
/// [`StoreError`]: it cannot be read.
pub async fn examine(url: &str, vault: Option<&Vault>) -> Result<StoreExam, StoreError> {
    let Some((mut connection, dialect)) = connect(url).await? else { return Ok(StoreExam::default()) };
    let exam = look(&mut connection, dialect, vault).await;
    // The answer is known; a goodbye that fails changes nothing of it.
    drop(connection.close().await);
    exam
}

/// A connection that only reads, where the database is a file; `None`: there is none yet.
async fn connect(url: &str) -> Result<Option<(AnyConnection, Dialect)>, StoreError> {
    sqlx::any::install_default_drivers();
    let (dialect, url, path) = read_url(url)?;
    let url = match &path {
        Some(path) if !path.exists() || std::fs::metadata(path).is_ok_and(|it| it.len() == 0) => {
            return Ok(None);
        }
        Some(path) => read_only_url(path),
        None => url,
    };
    Ok(Some((AnyConnection::connect(&url).await?, dialect)))
}

/// Nothing is made beside a file that nobody has open: without its log it is read as it is.
fn read_only_url(path: &Path) -> String {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let quiet = if Path::new(&log).exists() { "" } else { "&immutable=true" };
    format!("sqlite:{}?mode=ro{quiet}", path.display())
}

async fn look(
    connection: &mut AnyConnection,
    dialect: Dialect,
    vault: Option<&Vault>,
) -> Result<StoreExam, StoreError> {
    let mut exam = StoreExam {
        is_made: has_table(connection, dialect, "_sqlx_migrations").await?,
        ..StoreExam::default()
    };
    if dialect == Dialect::Postgres {
        let seconds = "select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";
        exam.clock_ms = Some(sqlx::query_scalar(seconds).fetch_one(&mut *connection).await?);
        exam.read_only = refuses_writing(connection, exam.is_made).await?;
    }
    if !exam.is_made {
        return Ok(exam);
    }
    let applied = sqlx::query_as("select version, checksum from _sqlx_migrations order by version");
    let applied: Vec<(i64, Vec<u8>)> = match applied.fetch_all(&mut *connection).await {
        // It says already what the user lacks.
        Err(_) if exam.read_only.is_some() => return Ok(exam),
        applied => applied?,
    };
    compare_migrations(&mut exam, dialect, &applied);
    if !exam.missing_migrations.is_empty() || !exam.changed_migrations.is_empty() {
        return Ok(exam);
    }
    open_sealed(connection, vault, &mut exam).await?;
    let seen = sqlx::query("select holder, seen_at, keys from process order by seen_at desc limit $1");
    for row in seen.bind(PROCESSES_MAX).fetch_all(&mut *connection).await? {
        exam.processes.push(ProcessKeys {
            holder: row.try_get("holder")?,
            seen_at: row.try_get("seen_at")?,
            keys: keys_of(&row)?,
        });
    }
    exam.workspaces = sqlx::query_scalar(
        "select subdomain from connection where disconnected_at is null and parent_id is null order by id desc limit $1",
    )
    .bind(LISTED_MAX)
    .fetch_all(&mut *connection)
    .await?;
    exam.webhooks = sqlx::query_as(
        "select url, status, status_reason from webhook where deleted_at is null order by id desc limit $1",
    )
    .bind(LISTED_MAX)
    .fetch_all(&mut *connection)
    .await?;
    Ok(exam)
}

/// What is applied, by version and checksum, beside what this program would apply.
fn compare_migrations(exam: &mut StoreExam, dialect: Dialect, applied: &[(i64, Vec<u8>)]) {
    let migrator = match dialect {
        Dialect::Sqlite => migrations::sqlite(),
        Dialect::Postgres => migrations::postgres(),
    };
    let mut later: Vec<i64> = applied.iter().map(|(version, _)| *version).collect();
    for migration in migrator.iter() {
        later.retain(|version| *version != migration.version);
        match applied.iter().find(|(version, _)| *version == migration.version) {
            None => exam.missing_migrations.push(migration.version),
            Some((version, checksum)) if *checksum != *migration.checksum => {
                exam.changed_migrations.push(*version);
            }
            Some(_) => {}
        }
    }
    exam.later_migrations = later;
}

async fn has_table(connection: &mut AnyConnection, dialect: Dialect, name: &str) -> Result<bool, StoreError> {
    let statement = match dialect {
        Dialect::Sqlite => "select count(*) from sqlite_master where type = 'table' and name = $1",
        Dialect::Postgres => {
            // Unlike the information schema, it tells also of tables that the user may not read.
            "select count(*) from pg_catalog.pg_tables where schemaname = current_schema() and tablename = $1"
        }
    };
    Ok(sqlx::query_scalar::<_, i64>(statement).bind(name).fetch_one(connection).await? > 0)
}

/// What Postgres would say to a write.
async fn refuses_writing(
    connection: &mut AnyConnection,
    is_made: bool,
) -> Result<Option<String>, StoreError> {
    let read_only: String =
        sqlx::query_scalar("show transaction_read_only").fetch_one(&mut *connection).await?;
    if read_only == "on" {
        return Ok(Some(
            "the server only reads: it is a standby, or set to default_transaction_read_only".to_owned(),
        ));
    }
    if !is_made {
        let may_create: bool = sqlx::query_scalar("select has_schema_privilege(current_schema(), 'create')")
            .fetch_one(&mut *connection)
            .await?;
        return Ok((!may_create).then(|| "the user may not create tables in the schema".to_owned()));
    }
    for table in WORKED_ON {
        let granted: bool = sqlx::query_scalar(
            "select has_table_privilege($1, 'select') and has_table_privilege($1, 'insert')
               and has_table_privilege($1, 'update') and has_table_privilege($1, 'delete')",
        )
        .bind(table)
        .fetch_one(&mut *connection)
        .await?;
        if !granted {
            return Ok(Some(format!("the user may not change the table {table}")));
        }
    }
    Ok(None)
}

async fn open_sealed(
    connection: &mut AnyConnection,
    vault: Option<&Vault>,
    exam: &mut StoreExam,
) -> Result<(), StoreError> {
    for column in &COLUMNS {
        for sealed in column.sample(connection, OPENED_MAX).await? {
            exam.sealed += 1;
            let why = match vault {
                None => Some("there are no keys".to_owned()),
                Some(vault) => vault.open(&sealed.place, &sealed.bytes).err().map(|error| chain(&error)),
            };
            exam.unopened.extend(why.map(|why| (sealed.place, why)));
        }
    }
    exam.keys = uses(connection, vault).await?;
    Ok(())
}

/// The id that the one key of a new ring may have for the database of `url`, whatever its version; `None`: it holds what other
/// keys have sealed, and no new ring opens that. Changes nothing.
///
/// # Errors
/// [`StoreError`]: it cannot be read.
pub async fn first_key_id(url: &str) -> Result<Option<String>, StoreError> {
    let Some((mut connection, dialect)) = connect(url).await? else {
        return Ok(Some(KeyRing::id_beside([])));
    };
    let id = free_beside(&mut connection, dialect).await;
    drop(connection.close().await);
    id
}

async fn free_beside(connection: &mut AnyConnection, dialect: Dialect) -> Result<Option<String>, StoreError> {
    if has_table(connection, dialect, "webhook").await? && sealed_at_all(connection).await? > 0 {
        return Ok(None);
    }
    let mut known: Vec<String> = Vec::new();
    if has_table(connection, dialect, "sealing_key").await? {
        known = sqlx::query_scalar("select id from sealing_key").fetch_all(connection).await?;
    }
    Ok(Some(KeyRing::id_beside(known.iter().map(String::as_str))))
}
