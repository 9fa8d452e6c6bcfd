//! The pool, and how transactions begin.

use std::fs::OpenOptions;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use helpsync_model::{Clock, chain};
use helpsync_telemetry::metrics as telemetry;
use sqlx::any::{Any, AnyArguments, AnyConnectOptions, AnyPoolOptions, AnyRow};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::query::Query;
use sqlx::{AnyConnection, ConnectOptions as _, Connection as _, Executor, Row};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::db::error::StoreError;
use crate::db::facets::Store;
use crate::db::file::{Holder, SqliteFile};
use crate::db::outage::StoreOutage;
use crate::db::outdated::holds_outdated;
use crate::db::reads::Reads;
use crate::db::vault::Vault;
use crate::db::{Dialect, Write, migrations, pgvector, sql};

/// No transaction of ours waits for anything but the database. One that idles this long belongs to a process that was
/// stopped or cut off in its middle, and holds rows that others need.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(15);

/// A try to connect that is to tell why others failed.
const TELLING_TRY: Duration = Duration::from_secs(2);

/// A connection that was used so lately is used again without a look: work in hand makes one statement after the other. A
/// statement that fails in that time passes, and what tries it again waits longer.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_millis(90);

/// How to open a [`Store`].
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite:PATH` or `postgres://…`.
    pub url: String,
    /// Database connections held at most by this process.
    pub connections_max: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout: Duration,
}

/// What all facets share. Outside this crate it has neither a name nor a method.
#[derive(Debug, Clone)]
pub struct Database {
    pub(crate) pool: Reads,
    pub(crate) dialect: Dialect,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) vault: Vault,
    /// The database finds the nearest vectors by itself (pgvector).
    pub(crate) compares: bool,
    /// Of SQLite.
    pub(crate) file: Option<Arc<SqliteFile>>,
    /// SQLite has one writer: waiting here is fair and instant, waiting for its file lock is neither.
    pub(crate) writer: Arc<Semaphore>,
    /// Whether it takes what it is told: see `Store::ping_shared`.
    pub(crate) seen: Arc<Seen>,
}

/// What looks at a database have shown.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When it last took what it was told.
    pub(crate) up_at: tokio::sync::Mutex<Option<tokio::time::Instant>>,
    pub(crate) outage: StoreOutage,
}

/// How each connection to SQLite is set up.
const PRAGMAS: [&str; 5] = [
    "pragma journal_mode = wal",
    // A rotated refresh token that was stored stays stored, even if the power goes.
    "pragma synchronous = full",
    "pragma busy_timeout = 10000",
    "pragma foreign_keys = on",
    // What is deleted is overwritten in the file.
    "pragma secure_delete = on",
];

impl Store {
    /// Opens the database, makes the SQLite file if it is missing, and applies migrations.
    ///
    /// # Errors
    /// [`StoreError::Url`], [`StoreError::Unavailable`] or [`StoreError::Migration`].
    pub async fn open(
        options: &StoreOptions,
        vault: Vault,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (dialect, url, path) = read_url(&options.url)?;
        if let Some(path) = &path {
            make_file(path)?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(options.acquire_timeout)
            // The hook below asks a server more, for the same round trip.
            .test_before_acquire(dialect == Dialect::Sqlite)
            .before_acquire(move |connection, held| {
                Box::pin(async move {
                    // Statements are prepared anew where a migration changed what they answer.
                    if holds_outdated(held.age) {
                        return Ok(false);
                    }
                    if dialect == Dialect::Sqlite {
                        // SQLite ends a transaction by itself when its disk is full. The driver does not hear of it, and
                        // such a connection would refuse every transaction from then on.
                        return Ok(!connection.is_in_transaction());
                    }
                    if held.idle_for < TRUSTED_FOR {
                        return Ok(true);
                    }
                    // A server that only reads has been taken over from: the next connection leads to its successor.
                    let read_only: String =
                        connection.fetch_one("show transaction_read_only").await?.try_get(0)?;
                    Ok(read_only != "on")
                })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        for pragma in PRAGMAS {
                            connection.execute(pragma).await?;
                        }
                    } else {
                        connection.execute(sql(idle_limit())).await?;
                        // Compiling a statement costs more than any of ours gains by it.
                        connection.execute("set jit = off").await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await;
        let pool = match pool {
            // It hides what each of its tries met: one more, which tells.
            Err(sqlx::Error::PoolTimedOut) => return Err(why_nobody_connects(&url).await),
            pool => pool?,
        };
        match dialect {
            Dialect::Sqlite => migrations::sqlite().run(&pool).await?,
            Dialect::Postgres => migrate_postgres(options).await?,
        }
        let compares = pgvector::prepare(&pool, dialect).await?;
        let writer = Arc::new(Semaphore::new(1));
        let file =
            path.map(|path| SqliteFile::of(&path).map(Arc::new)).transpose().map_err(sqlx::Error::Io)?;
        let pool = Reads { pool, system: dialect.system() };
        let seen = Arc::default();
        Ok(Self::of(Database { pool, dialect, clock, vault, compares, file, writer, seen }))
    }

    /// From now on a SQLite file is written only while `holder` keeps others off it, and lives. Nothing on Postgres.
    pub fn hold(&self, holder: &Arc<dyn Holder>) {
        if let Some(file) = &self.file {
            file.hold(holder);
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The key ring that seals what this store holds.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Has metrics tell how many connections to the database are held, and how many of them are used.
    pub fn tell_connections(&self) {
        let pool: &sqlx::AnyPool = &self.pool;
        let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
        telemetry::pool(idle, pool.size().saturating_sub(idle), pool.options().get_max_connections());
    }

    /// Closes every database connection; calls under way end first.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl Database {
    /// Begins a write transaction; on SQLite after a turn as its one writer.
    pub(crate) async fn write(&self) -> Result<Write, StoreError> {
        let (since, span) = (Instant::now(), transaction_span());
        let turn = self.turn().await?;
        let tx = match self.dialect {
            Dialect::Sqlite => self.pool.begin_with("begin immediate").await?,
            Dialect::Postgres => self.pool.begin().await?,
        };
        telemetry::database(self.dialect.system(), "begin", since.elapsed());
        Ok(Write::new(tx, self.dialect, self.clock.now_ms(), turn, span))
    }
}

impl Database {
    /// Runs one statement that is a transaction by itself: what begins and ends one would cost two round trips more.
    /// Answers how many rows it changed.
    pub(crate) async fn alone(&self, query: Query<'_, Any, AnyArguments>) -> Result<u64, StoreError> {
        let (since, span) = (Instant::now(), transaction_span());
        let _turn = self.turn().await?;
        let changed = query.execute(&*self.pool).instrument(span).await?.rows_affected();
        telemetry::database(self.dialect.system(), "transaction", since.elapsed());
        Ok(changed)
    }

    /// [`Database::alone`] for a statement that returns rows.
    pub(crate) async fn answered_alone(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let (since, span) = (Instant::now(), transaction_span());
        let _turn = self.turn().await?;
        let rows = query.fetch_all(&*self.pool).instrument(span).await?;
        telemetry::database(self.dialect.system(), "transaction", since.elapsed());
        Ok(rows)
    }

    /// Reads what may take long: a server ends the statement after `most`, whether or not anybody still waits for it. SQLite
    /// has no such bound.
    ///
    /// # Errors
    /// [`StoreError::TooSlow`] where it was ended.
    pub(crate) async fn answered_within(
        &self,
        query: Query<'_, Any, AnyArguments>,
        most: Duration,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut read = self.pool.begin().await?;
        if self.dialect == Dialect::Postgres {
            sqlx::query("select set_config('statement_timeout', $1, true)")
                .bind(most.as_millis().to_string())
                .execute(&mut *read)
                .await?;
        }
        query.fetch_all(&mut *read).await.map_err(StoreError::of_bounded)
    }

    /// A turn as SQLite's one writer; `None` on a server, which has many.
    async fn turn(&self) -> Result<Option<OwnedSemaphorePermit>, StoreError> {
        if self.dialect == Dialect::Postgres {
            return Ok(None);
        }
        if let Some(file) = &self.file {
            file.check().map_err(sqlx::Error::Io)?;
        }
        // The semaphore is never closed, so a turn always comes.
        Ok(Arc::clone(&self.writer).acquire_owned().await.ok())
    }

    /// [`Database::write`] for what is no change that anybody asked for: notes of use, counters, states that are used up.
    pub(crate) async fn write_quietly(&self) -> Result<Write, StoreError> {
        let mut write = self.write().await?;
        write.is_quiet = true;
        Ok(write)
    }
}

/// Why a server takes no connection.
async fn why_nobody_connects(url: &str) -> StoreError {
    match tokio::time::timeout(TELLING_TRY, AnyConnection::connect(url)).await {
        Ok(Err(error)) => error.into(),
        Ok(Ok(_)) | Err(_) => sqlx::Error::PoolTimedOut.into(),
    }
}

/// Applies migrations by a connection of their own: it waits for the processes that started at the same time, and a wait for a
/// lock is no slow statement to warn of.
async fn migrate_postgres(options: &StoreOptions) -> Result<(), StoreError> {
    let url: AnyConnectOptions = options.url.parse()?;
    let one = AnyPoolOptions::new().max_connections(1).acquire_timeout(options.acquire_timeout);
    let one = one.connect_with(url.disable_statement_logging()).await?;
    let migrated = migrations::postgres().run(&one).await;
    one.close().await;
    Ok(migrated?)
}

/// Part of the trace of some work. Whoever looks for work once a second has none: such looks would be most traces of all.
fn transaction_span() -> tracing::Span {
    if tracing::Span::current().is_none() {
        return tracing::Span::none();
    }
    tracing::info_span!("transaction", otel.kind = "client")
}

fn idle_limit() -> String {
    format!("set idle_in_transaction_session_timeout = {}", IDLE_IN_TRANSACTION_MAX.as_millis())
}

/// Which database it is, what it is connected to by, and SQLite's file.
pub(crate) fn read_url(url: &str) -> Result<(Dialect, String, Option<PathBuf>), StoreError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok((Dialect::Postgres, plain_on_this_machine(url), None));
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Err(StoreError::Url("must start with sqlite: or postgres://".to_owned()));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    let file = path.split('?').next().unwrap_or_default();
    if file.is_empty() || file.contains(":memory:") {
        return Err(StoreError::Url("sqlite: needs a file, for example sqlite:helpsync.db".to_owned()));
    }
    if let Some(folder) =
        Path::new(file).parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists())
    {
        return Err(StoreError::Url(format!("the folder {} does not exist", folder.display())));
    }
    // Never made by connecting: a file that is deleted would come back empty.
    Ok((Dialect::Sqlite, format!("sqlite:{file}?mode=rw"), Some(PathBuf::from(file))))
}

/// On this machine nobody listens between us and Postgres, so it is asked without TLS where the URL leaves the choice: TLS would
/// cost both sides processor time, and a statement of more than 16 kB 40 ms. The driver sends each record of TLS by itself and
/// does not set `TCP_NODELAY`, so the second waits until the first is acknowledged. Source:
/// <https://github.com/launchbadge/sqlx/issues/4335>.
fn plain_on_this_machine(url: &str) -> String {
    let left_open = url.parse::<PgConnectOptions>().is_ok_and(|options| {
        let host = options.get_host().trim_matches(['[', ']']);
        let near = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        near && matches!(options.get_ssl_mode(), PgSslMode::Prefer)
    });
    if !left_open || url.contains("sslmode=") || url.contains("ssl-mode=") {
        return url.to_owned();
    }
    format!("{url}{}sslmode=disable", if url.contains('?') { '&' } else { '?' })
}

/// An empty file is an empty database.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new().create(true).append(true).open(path);
    made.map(drop).map_err(|error| {
        StoreError::Url(format!("the file {} cannot be used: {}", path.display(), chain(&error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_on_this_machine_is_asked_without_tls_unless_its_url_says_how() {
        for (url, asked) in [
            ("postgres://u:p@127.0.0.1/x", "postgres://u:p@127.0.0.1/x?sslmode=disable"),
            (
                "postgres://u@[::1]:5433/x?application_name=a",
                "postgres://u@[::1]:5433/x?application_name=a&sslmode=disable",
            ),
            ("postgresql://localhost/x", "postgresql://localhost/x?sslmode=disable"),
            ("postgres://u@127.0.0.1/x?sslmode=require", "postgres://u@127.0.0.1/x?sslmode=require"),
            ("postgres://u@127.0.0.1/x?sslmode=prefer", "postgres://u@127.0.0.1/x?sslmode=prefer"),
            ("postgres://u:p@db.example.com/x", "postgres://u:p@db.example.com/x"),
            ("postgres://u:p@10.0.0.7/x", "postgres://u:p@10.0.0.7/x"),
        ] {
            let (dialect, read, _) = read_url(url).unwrap();
            assert_eq!((dialect, read.as_str()), (Dialect::Postgres, asked));
        }
    }
}
