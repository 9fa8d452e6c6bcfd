//! Looking at a database without changing anything of it: for `helpsync doctor`, also beside a running server.

use std::path::Path;

use helpsync_model::{ConnectionId, OrganizationId, chain};
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::connection::{event_subscriptions, tokens};
use crate::db::pool::read_url;
use crate::db::{Dialect, StoreError, migrations, vault::Vault};
use crate::event::webhooks;
use crate::tenant::oauth_clients;

/// Of each kind of sealed value so many are opened, the latest first.
const OPENED_MAX: i64 = 500;
/// Webhooks and workspaces looked at.
const LISTED_MAX: i64 = 20;
/// Tables that all work goes through.
const WORKED_ON: [&str; 6] = ["run", "shard", "outbox", "file", "connection", "event"];

/// What a database looks like.
#[derive(Debug, Default)]
pub struct StoreExam {
    /// False: it is made at the first start.
    pub is_made: bool,
    /// Migrations of this program that it does not have: the next start brings them.
    pub missing_migrations: Vec<i64>,
    /// Migrations that this program does not know: a later one was here.
    pub later_migrations: Vec<i64>,
    /// Why nothing can be written, as far as a look tells.
    pub read_only: Option<String>,
    /// The server's clock, in ms; none of SQLite.
    pub clock_ms: Option<i64>,
    /// Sealed values that were looked at.
    pub sealed: usize,
    /// Those that the keys do not open, by place, with the reason.
    pub unopened: Vec<(String, String)>,
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
    sqlx::any::install_default_drivers();
    let (dialect, url, path) = read_url(url)?;
    let url = match &path {
        Some(path) if !path.exists() || std::fs::metadata(path).is_ok_and(|it| it.len() == 0) => {
            return Ok(StoreExam::default());
        }
        Some(path) => read_only_url(path),
        None => url,
    };
    let mut connection = AnyConnection::connect(&url).await?;
    let exam = look(&mut connection, dialect, vault).await;
    // The answer is known; a goodbye that fails changes nothing of it.
    drop(connection.close().await);
    exam
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
    let applied = sqlx::query_scalar("select version from _sqlx_migrations order by version");
    let applied: Vec<i64> = match applied.fetch_all(&mut *connection).await {
        // It says already what the user lacks.
        Err(_) if exam.read_only.is_some() => return Ok(exam),
        applied => applied?,
    };
    let migrator = match dialect {
        Dialect::Sqlite => migrations::sqlite(),
        Dialect::Postgres => migrations::postgres(),
    };
    let known: Vec<i64> = migrator.iter().map(|migration| migration.version).collect();
    exam.missing_migrations = known.iter().copied().filter(|version| !applied.contains(version)).collect();
    exam.later_migrations = applied.into_iter().filter(|version| !known.contains(version)).collect();
    if !exam.missing_migrations.is_empty() {
        return Ok(exam);
    }
    open_sealed(connection, vault, &mut exam).await?;
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
    let mut check = |place: String, sealed: Vec<u8>| {
        exam.sealed += 1;
        let why = match vault {
            None => Some("there are no keys".to_owned()),
            Some(vault) => vault.open(&place, &sealed).err().map(|error| chain(&error)),
        };
        exam.unopened.extend(why.map(|why| (place, why)));
    };
    let mut rows = async |statement: &'static str| {
        sqlx::query(statement).bind(OPENED_MAX).fetch_all(&mut *connection).await
    };
    let tokens_of = rows(
        "select id, access_token_sealed, refresh_token_sealed from connection
         where access_token_sealed is not null order by updated_at desc limit $1",
    );
    for row in tokens_of.await? {
        let id = ConnectionId(row.try_get("id")?);
        check(tokens::place(id, "access"), row.try_get("access_token_sealed")?);
        if let Some(refresh) = row.try_get::<Option<Vec<u8>>, _>("refresh_token_sealed")? {
            check(tokens::place(id, "refresh"), refresh);
        }
    }
    let subscriptions = rows(
        "select connection_id, secret_sealed from event_subscription
         where secret_sealed is not null order by updated_at desc limit $1",
    );
    for row in subscriptions.await? {
        let id = ConnectionId(row.try_get("connection_id")?);
        check(event_subscriptions::place(id), row.try_get("secret_sealed")?);
    }
    let clients = rows(
        "select organization_id, client_id, client_secret_sealed from oauth_client
         where client_secret_sealed is not null order by updated_at desc limit $1",
    );
    for row in clients.await? {
        let organization = OrganizationId(row.try_get("organization_id")?);
        let client: String = row.try_get("client_id")?;
        check(oauth_clients::place(organization, &client), row.try_get("client_secret_sealed")?);
    }
    let hooks = rows(
        "select organization_id, url, signing_key_sealed from webhook
         where signing_key_sealed is not null order by updated_at desc limit $1",
    );
    for row in hooks.await? {
        let organization = OrganizationId(row.try_get("organization_id")?);
        let url: String = row.try_get("url")?;
        check(webhooks::place(organization, &url), row.try_get("signing_key_sealed")?);
    }
    Ok(())
}
