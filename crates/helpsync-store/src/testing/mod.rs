//! Fresh stores for tests, one on each database.
//!
//! SQLite lives in a temporary folder. Postgres is the server at `HELPSYNC_TEST_POSTGRES_URL` (or on this machine, as
//! user `postgres`), where every store gets a database of its own that is dropped with it. A Postgres that cannot be
//! reached fails the test: a test that silently runs on half of what it claims is worse.

mod backup;
mod bare;
pub mod many;
pub mod plans;
mod schema;
pub mod searchable;
mod work;

use std::ops::Deref;
use std::sync::Arc;

use std::time::Duration;

use helpsync_model::{
    Clock, ConnectionId, Entropy, KeyRing, Lane, ManualClock, OrganizationId, OsEntropy, RunId, RunKind,
    RunParams, SeededEntropy, ShardId, Timestamp, Trigger,
};
use serde_json::json;
use sqlx::{AnyConnection, Connection as _, Executor};
use tempfile::TempDir;

use crate::db::sql;
use crate::db::states::{RUNNING_SHARD, STARTABLE_SHARD};
use crate::{
    Customer, Dialect, GrantCompleted, GrantOutcome, IncomingArticle, IncomingTranslation, NewTokens,
    PageOutcome, PageWrite, RunRequest, ShardEnd, StartedShard, Store, StoreOptions, Vault,
};

pub use bare::{BareTexts, Texts};
pub use schema::{Bare, InTheWay, schema, write_text};
pub use work::{Tally, open_shards, tally};

/// Where the Postgres of the tests is, unless the environment says otherwise.
const POSTGRES_URL: &str = "postgres://postgres@127.0.0.1/postgres";
/// Database connections per store: enough for a race of two and an onlooker.
const CONNECTIONS_MAX: u32 = 4;
/// How often a table is changed under work that is in its way.
const ALTER_TRIES: u32 = 10;
/// When the tests' clocks start: 2026-01-01T00:00:00Z.
const START_SECONDS: i64 = 1_767_225_600;

/// The organization that a test's store has first.
pub const FIRST: OrganizationId = OrganizationId(1);

/// A fresh, empty, migrated store.
#[derive(Debug)]
pub struct TestStore {
    /// The store.
    pub store: Store,
    /// The store's clock; stands still until it is moved.
    pub clock: Arc<ManualClock>,
    url: String,
    home: Home,
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl TestStore {
    /// Another process's view of the same database, with the same keys and clock.
    ///
    /// # Panics
    /// When the database has gone.
    pub async fn reopen(&self) -> Store {
        open(&self.url, self.store.vault().clone(), &self.clock).await
    }

    /// Another process's view of the same database, with keys of its own.
    ///
    /// # Panics
    /// When the database has gone.
    pub async fn reopen_with(&self, ring: &KeyRing) -> Store {
        open(&self.url, Vault::new(ring, self.store.vault().entropy()), &self.clock).await
    }

    /// Where the database is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl TestStore {
    /// Connects a workspace of a customer, with tokens `access-1` and `refresh-1`.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn connect(&self, customer: &Customer, subdomain: &str) -> ConnectionId {
        match self.admin().complete_grant(&grant(customer, subdomain)).await.expect("a completed grant") {
            GrantOutcome::Connected { connection, .. } => connection,
            other @ GrantOutcome::OtherWorkspace { .. } => panic!("{other:?}"),
        }
    }

    /// Stores articles the way a worker does, in a run of their own that is ended.
    ///
    /// # Panics
    /// When any step is refused.
    pub async fn sync_articles(
        &self,
        connection: ConnectionId,
        articles: Vec<IncomingArticle>,
    ) -> PageOutcome {
        let request = RunRequest {
            connection,
            kind: Some(RunKind::Resync),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "request-1".to_owned(),
            upload_id: "upload-1".to_owned(),
            params: RunParams::articles(Vec::new()),
        };
        let run = self.admin().request_run(FIRST, &request).await.expect("a run").run;
        let walk = self.start(run).await;
        let page = PageWrite { articles, ..PageWrite::default() };
        let outcome = self.sync().store_page(&walk, &page).await.expect("a stored page");
        self.queue().end_shard(&walk.fence, &ShardEnd::Done(Vec::new())).await.expect("an ended shard");
        let last = self.start(run).await;
        self.sync().finalize_run(&last).await.expect("an ended run");
        outcome
    }

    /// Starts the shard of a run that waits.
    ///
    /// # Panics
    /// When none does.
    pub async fn start(&self, run: RunId) -> StartedShard {
        let shard: i64 = sqlx::query_scalar(sql(format!(
            "select id from shard where run_id = $1 and state in {STARTABLE_SHARD}"
        )))
        .bind(run.0)
        .fetch_one(&self.store.pool)
        .await
        .expect("a waiting shard");
        let started = self.queue().start_shard(ShardId(shard), "test", Duration::from_secs(60)).await;
        started.expect("a lease").expect("a shard that can be started")
    }
}

/// Holds the removal of one more file of each connection, as a run does that finds too much missing.
///
/// # Panics
/// When the database does not answer.
pub async fn hold_a_file(store: &Store) {
    sqlx::query("update file set held_at = 1 where id in (select min(id) from file where held_at is null group by connection_id)")
        .execute(&store.pool)
        .await
        .expect("a held file");
}

/// Deletes a customer as a process does that ends right after the answer: its rows are gone, and its texts stay in the database's
/// files.
///
/// # Panics
/// When there is none, or the database does not answer.
pub async fn delete_without_forgetting(store: &Store, organization: OrganizationId, external_id: &str) {
    let found = store.admin().find_customer(organization, external_id).await.expect("an answer");
    let customer = found.expect("a customer").id;
    store.admin().delete_rows(organization, customer, external_id).await.expect("deleted rows");
}

/// Ends every lease of a shard that runs, as if its worker had slept beyond it. Answers how many there were.
///
/// # Panics
/// When the database does not answer.
pub async fn end_leases(store: &Store) -> u64 {
    sqlx::query(sql(format!("update shard set lease_until = 1 where state = {RUNNING_SHARD}")))
        .execute(&store.pool)
        .await
        .expect("leases end")
        .rows_affected()
}

/// Writes `text` over the Markdown of every stored text, and says which version of the converter made it, if given.
///
/// # Panics
/// When the database does not answer.
pub async fn overwrite_markdown(store: &Store, text: &str, converter: Option<i64>) {
    let texts = sqlx::query("update translation set markdown = $1").bind(text);
    texts.execute(&store.pool).await.expect("texts are written over");
    if let Some(converter) = converter {
        let files = sqlx::query("update file set converter = $1").bind(converter);
        files.execute(&store.pool).await.expect("versions are written over");
    }
}

/// Takes a table away, so that every statement that names it is refused until [`bring_back`] puts it there again.
///
/// # Panics
/// When the database does not answer, or has no such table.
pub async fn take_away(store: &Store, table: &str) {
    rename(store, table, &format!("{table}_away")).await;
}

/// Puts a table back that [`take_away`] took.
///
/// # Panics
/// When the database does not answer, or the table was not taken.
pub async fn bring_back(store: &Store, table: &str) {
    rename(store, &format!("{table}_away"), table).await;
}

/// Adds a column to every table, as the migration of a later version does while this process runs.
///
/// # Panics
/// When the database does not answer.
pub async fn add_a_column_to_every_table(store: &Store, name: &str) {
    let tables = match store.dialect() {
        Dialect::Sqlite => {
            "select name from sqlite_master where type = 'table' and name not like 'sqlite%' and name not like '%chunk_word%'"
        }
        Dialect::Postgres => "select cast(tablename as text) from pg_tables where schemaname = 'public'",
    };
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&store.pool).await.expect("tables");
    assert!(tables.len() > 20, "{tables:?}");
    for table in tables {
        let statement = format!("alter table {table} add column {name} text not null default 'new'");
        for tries_left in (0..ALTER_TRIES).rev() {
            match sqlx::query(sql(statement.clone())).execute(&store.pool).await {
                Ok(_) => break,
                // Of it and a transaction that wait for each other, the database ends one.
                Err(error) => assert!(tries_left > 0, "{statement}: {error}"),
            }
        }
    }
}

async fn rename(store: &Store, from: &str, to: &str) {
    let statement = sql(format!("alter table {from} rename to {to}"));
    sqlx::query(statement).execute(&store.pool).await.expect("a table is renamed");
}

/// A grant of `subdomain`, with tokens `access-1` and `refresh-1`.
#[must_use]
pub fn grant(customer: &Customer, subdomain: &str) -> GrantCompleted {
    GrantCompleted {
        organization: customer.organization,
        customer: customer.id,
        subdomain: subdomain.to_owned(),
        client_id: Some("client".to_owned()),
        sync_options: json!({}),
        tags: json!({}),
        tokens: NewTokens {
            access: "access-1".to_owned().into(),
            refresh: Some("refresh-1".to_owned().into()),
            expires_at: None,
            refresh_expires_at: None,
        },
        scopes: Some("hc:read".to_owned()),
        account_label: "ann@example.com".to_owned(),
    }
}

/// A published article with one translation, changed at Zendesk `version` seconds after 1970.
#[must_use]
pub fn article(id: i64, title: &str, version: i64) -> IncomingArticle {
    IncomingArticle {
        kept_locales: Vec::new(),
        keeps_others: false,
        article_id: id,
        created_at: 1_000,
        updated_at: version * 1_000,
        source_locale: "en-us".to_owned(),
        section_id: Some(20),
        author_id: Some(7),
        user_segment_id: None,
        user_segment_ids: Vec::new(),
        labels: vec!["label".to_owned()],
        metadata: json!({}),
        metadata_hash: format!("meta-{version}"),
        converter: 1,
        unconverted: false,
        translations: vec![IncomingTranslation {
            locale: "en-us".to_owned(),
            title: title.to_owned(),
            external_url: Some(format!("https://acme.zendesk.com/hc/en-us/articles/{id}")),
            html: format!("<p>{title}</p>"),
            markdown: format!("{title}\n"),
            plain: title.to_owned(),
            hash: format!("hash-{title}-{version}"),
            source_updated_at: version * 1_000,
        }],
    }
}

#[derive(Debug)]
enum Home {
    Folder { _folder: TempDir },
    Database { server: String, name: String },
}

impl Drop for Home {
    fn drop(&mut self) {
        let Self::Database { server, name } = self else { return };
        let (server, name) = (server.clone(), name.clone());
        // A test's own runtime may be ending: the clean-up brings its own.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let mut connection = AnyConnection::connect(&server).await.ok()?;
                for name in [&name, &format!("{name}_backup")] {
                    connection
                        .execute(sql(format!("drop database if exists {name} with (force)")))
                        .await
                        .ok()?;
                }
                Some(())
            })
        });
        if dropping.join().ok().flatten().is_none() {
            eprintln!("a test database was left behind");
        }
    }
}

/// A fresh store on each database.
///
/// # Panics
/// When one cannot be made.
pub async fn stores() -> [TestStore; 2] {
    [sqlite().await, postgres().await]
}

/// A fresh store on SQLite.
///
/// # Panics
/// When it cannot be made.
pub async fn sqlite() -> TestStore {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("store.db").display());
    fresh(url, Home::Folder { _folder: folder }).await
}

/// A fresh store on Postgres.
///
/// # Panics
/// When it cannot be made.
pub async fn postgres() -> TestStore {
    let server = std::env::var("HELPSYNC_TEST_POSTGRES_URL").unwrap_or_else(|_unset| POSTGRES_URL.to_owned());
    postgres_at(server).await
}

/// A fresh store on the Postgres at this URL.
///
/// # Panics
/// When it cannot be made.
pub async fn postgres_at(server: String) -> TestStore {
    sqlx::any::install_default_drivers();
    let (url, name) = database_at(&server);
    let mut connection = AnyConnection::connect(&server).await.unwrap_or_else(|error| {
        panic!(
            "the tests need a Postgres at {server} ({error}): start one (deploy/dev.sh sets services up), \
             or name one in HELPSYNC_TEST_POSTGRES_URL"
        )
    });
    connection.execute(sql(format!("create database {name}"))).await.expect("a fresh database");
    fresh(url, Home::Database { server, name }).await
}

/// The URL and the name of a database at a server that no other test has.
fn database_at(server: &str) -> (String, String) {
    let name = format!("helpsync_test_{}", OsEntropy.uuid().simple());
    let (base, query) = server.split_once('?').map_or((server, None), |(base, query)| (base, Some(query)));
    // postgres://user@host:port/database: the part after the last slash is the database.
    let root = base.rsplit_once('/').map_or(base, |(root, _)| root);
    let url = query.map_or_else(|| format!("{root}/{name}"), |query| format!("{root}/{name}?{query}"));
    (url, name)
}

async fn fresh(url: String, home: Home) -> TestStore {
    let start = Timestamp::from_second(START_SECONDS).expect("a time");
    let clock = Arc::new(ManualClock::new(start));
    let vault = Vault::new(&KeyRing::generate("k1", &SeededEntropy::new(7)), Arc::new(OsEntropy));
    TestStore { store: open(&url, vault, &clock).await, clock, url, home }
}

async fn open(url: &str, vault: Vault, clock: &Arc<ManualClock>) -> Store {
    let options = StoreOptions {
        url: url.to_owned(),
        connections_max: CONNECTIONS_MAX,
        acquire_timeout: Duration::from_secs(10),
    };
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    Store::open(&options, vault, clock).await.expect("a fresh store opens")
}

/// What a test calls the database in its messages.
#[must_use]
pub fn name_of(store: &Store) -> &'static str {
    match store.dialect() {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgres",
    }
}

/// How many attachments' bytes are kept, whoever refers to them.
///
/// # Panics
/// When the database does not answer.
pub async fn blobs(store: &Store) -> i64 {
    sqlx::query_scalar("select count(*) from blob").fetch_one(&store.pool).await.expect("a count")
}
