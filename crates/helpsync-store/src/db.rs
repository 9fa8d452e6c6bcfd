//! The pool, transactions, and where the two databases differ.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use helpsync_model::Clock;
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor, Transaction};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{StoreError, Vault, migrations, pgvector};

/// Which database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// One file, one process; writers take turns.
    Sqlite,
    /// A server shared by many processes.
    Postgres,
}

impl Dialect {
    /// Appended to a select whose rows this transaction will change. `no key`: keys never change, and a row that is
    /// written twice in one transaction locks the rows that it refers to against a lock of the keys too, which would
    /// be a deadlock between two shards of one run that end at once.
    pub(crate) const fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "", // `begin immediate` already keeps every other writer out
            Self::Postgres => " for no key update",
        }
    }

    /// As [`Dialect::for_update`], passing over rows that another transaction holds.
    pub(crate) const fn for_update_skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " for no key update skip locked",
        }
    }

    /// Appended to a select whose rows must not change until this transaction ends.
    pub(crate) const fn for_share(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " for share",
        }
    }

    /// A row source named `incoming`, made from the JSON array of objects that is bound as `placeholder`: many rows in
    /// one statement. Texts must hold no NUL.
    pub(crate) fn json_rows(self, placeholder: &str, columns: &[Column]) -> String {
        let mut list = String::new();
        for Column(name, kind) in columns {
            let separator = if list.is_empty() { "" } else { ", " };
            list.push_str(separator);
            list.push_str(&match (self, kind) {
                (Self::Sqlite, _) => format!("json_extract(value, '$.{name}') as {name}"),
                (Self::Postgres, ColumnKind::Integer) => format!("{name} bigint"),
                (Self::Postgres, ColumnKind::Text) => format!("{name} text"),
            });
        }
        match self {
            Self::Sqlite => format!("(select {list} from json_each({placeholder})) as incoming"),
            Self::Postgres => {
                format!("json_to_recordset(cast({placeholder} as json)) as incoming({list})")
            }
        }
    }

    /// A subselect of the integers in the JSON array that is bound as `placeholder`.
    pub(crate) fn json_integers(self, placeholder: &str) -> String {
        match self {
            Self::Sqlite => format!("(select value from json_each({placeholder}))"),
            Self::Postgres => {
                format!(
                    "(select cast(value as bigint) from json_array_elements_text(cast({placeholder} as json)))"
                )
            }
        }
    }

    /// A subselect of the texts in the JSON array that is bound as `placeholder`.
    pub(crate) fn json_texts(self, placeholder: &str) -> String {
        match self {
            Self::Sqlite => format!("(select value from json_each({placeholder}))"),
            Self::Postgres => {
                format!("(select value from json_array_elements_text(cast({placeholder} as json)))")
            }
        }
    }
}

/// No transaction of ours waits for anything but the database. One that idles this long belongs to a process that was
/// stopped or cut off in its middle, and holds rows that others need.
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(15);
/// Longer than this is no answer for whoever asks whether the database is there.
const PING_MAX: Duration = Duration::from_secs(2);

/// A column of [`Dialect::json_rows`]: its name, which is also the member's, and its type.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) ColumnKind);

/// The types that rows made of JSON have.
#[derive(Clone, Copy)]
pub(crate) enum ColumnKind {
    Integer,
    Text,
}

pub(crate) const fn integer(name: &'static str) -> Column {
    Column(name, ColumnKind::Integer)
}

pub(crate) const fn text(name: &'static str) -> Column {
    Column(name, ColumnKind::Text)
}

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

/// The database, open and migrated. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: AnyPool,
    pub(crate) dialect: Dialect,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) vault: Vault,
    /// The database finds the nearest vectors by itself (pgvector).
    pub(crate) compares: bool,
    /// SQLite has one writer: waiting here is fair and instant, waiting for its file lock is neither.
    writer: Arc<Semaphore>,
}

/// A write transaction; rolled back unless committed.
pub(crate) struct Write {
    pub(crate) tx: Transaction<'static, Any>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Write {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        Ok(self.tx.commit().await?)
    }
}

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
        let (dialect, url) = read_url(&options.url)?;
        let pool = AnyPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(options.acquire_timeout)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if dialect == Dialect::Sqlite {
                        // FULL: a rotated refresh token that was stored stays stored, even if the power goes.
                        for pragma in [
                            "pragma journal_mode = wal",
                            "pragma synchronous = full",
                            "pragma busy_timeout = 10000",
                            "pragma foreign_keys = on",
                        ] {
                            connection.execute(pragma).await?;
                        }
                    } else {
                        connection.execute(sql(idle_limit())).await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await?;
        let migrator = match dialect {
            Dialect::Sqlite => migrations::sqlite(),
            Dialect::Postgres => migrations::postgres(),
        };
        migrator.run(&pool).await?;
        let compares = pgvector::prepare(&pool, dialect).await?;
        Ok(Self { pool, dialect, clock, vault, compares, writer: Arc::new(Semaphore::new(1)) })
    }

    /// Which database this is.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The key ring that seals what this store holds.
    #[must_use]
    pub const fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Answers when the database does, within two seconds.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn ping(&self) -> Result<(), StoreError> {
        match tokio::time::timeout(PING_MAX, sqlx::query("select 1").execute(&self.pool)).await {
            Ok(answer) => answer.map(|_| ()).map_err(StoreError::from),
            Err(_elapsed) => Err(StoreError::Unavailable(sqlx::Error::PoolTimedOut)),
        }
    }

    /// Closes every database connection; calls under way end first.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(crate) async fn write(&self) -> Result<Write, StoreError> {
        match self.dialect {
            Dialect::Sqlite => {
                // The semaphore is never closed, so a turn always comes.
                let turn = Arc::clone(&self.writer).acquire_owned().await.ok();
                Ok(Write { tx: self.pool.begin_with("begin immediate").await?, _turn: turn })
            }
            Dialect::Postgres => Ok(Write { tx: self.pool.begin().await?, _turn: None }),
        }
    }
}

/// SQL put together from our own constants and numbered placeholders; values are always bound.
pub(crate) fn sql(text: String) -> AssertSqlSafe<String> {
    AssertSqlSafe(text)
}

fn idle_limit() -> String {
    format!("set idle_in_transaction_session_timeout = {}", IDLE_IN_TRANSACTION_MAX.as_millis())
}

fn read_url(url: &str) -> Result<(Dialect, String), StoreError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok((Dialect::Postgres, url.to_owned()));
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
    Ok((Dialect::Sqlite, format!("sqlite:{file}?mode=rwc")))
}
