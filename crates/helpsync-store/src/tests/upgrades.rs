//! Migrations of a later version, while a process of this one runs with its statements prepared.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use helpsync_model::{ConnectionId, RunId, RunKind, WaitKind, WebhookId};
use tokio::sync::Mutex;

use super::chunks::{all, chunk_all, customer, written};
use super::embedding::embed_all;
use super::pages::request;
use crate::db::sql;
use crate::testing::{TestStore, add_a_column_to_every_table, name_of, postgres, stores};
use crate::{
    Customer, CustomerQuery, Dialect, FileFilters, FileOrder, FileQuery, ItemOrder, ItemQuery, ShardEnd,
    VectorSearch, VectorsOf, WebhookQuery,
};

const LEASE: Duration = Duration::from_secs(60);
const MANY: u32 = 100;

/// Connections that hold useless statements are closed in every pool of a process, so whoever looks at connections is
/// alone.
static ALONE: Mutex<()> = Mutex::const_new(());

/// The files of a customer, all of them.
fn every_file(customer: &Customer) -> FileQuery {
    FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 10,
        offset: 0,
    }
}

fn every_item(connection: ConnectionId) -> ItemQuery {
    ItemQuery {
        organization: crate::testing::FIRST,
        connection,
        parent: None,
        roots_only: false,
        ids: None,
        name: None,
        kinds: None,
        starting_id: 0,
        order: ItemOrder::Id,
        descending: false,
        limit: 10,
        offset: 0,
        viewer: None,
    }
}

/// What the processes do all day: a run from request to receipt, chunks, vectors, announcements; each list, each
/// search.
async fn work(store: &TestStore, name: &str) {
    let (customer, connection) = customer(store, name).await;
    let (organization, admin) = (customer.organization, store.admin());
    let key = "00ff".to_owned().into();
    store.webhooks().add_webhook(organization, &format!("https://{name}.example"), &key, 99).await.unwrap();
    store
        .sync_articles(connection, vec![written(11, 5, &["one two", "three"]), written(12, 5, &["four"])])
        .await;
    chunk_all(store, connection, true).await;
    embed_all(store, connection, |text| vec![1.0, text.len() as f32]).await;
    run_of_everything(store, connection).await;
    announce(store, organization).await;

    let (files, matches) = admin.files(&every_file(&customer)).await.unwrap();
    assert_eq!((files.len(), matches), (2, 2));
    assert_eq!(admin.file(customer.id, files[0].id).await.unwrap().article_id, files[0].article_id);
    assert_eq!(admin.file_content(crate::testing::FIRST, files[0].id).await.unwrap().len(), 1);
    admin.path(&files[0]).await.unwrap();
    store.sync().attachments(crate::testing::FIRST, files[0].id).await.unwrap();
    assert_eq!(admin.items(&every_item(connection)).await.unwrap().1, 2);
    assert_eq!(admin.connection(organization, connection).await.unwrap().id, connection);
    assert!(!admin.customers(organization, 0, MANY).await.unwrap().is_empty());
    let query = CustomerQuery {
        counted: true,
        organization,
        external_ids: None,
        ids: None,
        starting_id: 0,
        by_updated_at: true,
        descending: true,
        limit: 10,
        offset: 0,
    };
    assert!(!admin.customers_matching(&query).await.unwrap().0.is_empty());
    assert_eq!(admin.organization(organization).await.unwrap().name, "default");
    assert!(!admin.runs(organization, Some(connection), MANY).await.unwrap().is_empty());
    admin.status(organization).await.unwrap();
    assert!(!admin.failed_shards(organization, 0, MANY).await.unwrap().is_empty());
    assert_eq!(store.search().chunks(&all(&customer)).await.unwrap().0.len(), 3);
    searches(store, &customer).await;
}

async fn searches(store: &TestStore, customer: &Customer) {
    let files = FileFilters::default();
    let found = store.search().chunks_with_words(customer.id, &files, "four", 5).await.unwrap();
    assert_eq!(found.len(), 1);
    let vectors_of = VectorsOf { ours: true, uploaded: Vec::new() };
    let search = VectorSearch {
        customer: customer.id,
        files: &files,
        vector: &[1.0, 4.0],
        vectors_of: &vectors_of,
        model: "m1",
        k: 3,
        also: &[],
    };
    assert_eq!(store.search().nearest_chunks(&search).await.unwrap().0.len(), 3);
}

/// A full run by way of the outbox; its last walk fails, so that there is a dead letter.
async fn run_of_everything(store: &TestStore, connection: ConnectionId) {
    let run = store
        .admin()
        .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
        .await
        .unwrap()
        .run;
    assert!(store.queue().release_due(MANY, MANY).await.unwrap() > 0);
    let messages = store.queue().claim_outbox(MANY, LEASE).await.unwrap();
    assert!(messages.iter().any(|message| message.job.run == run));
    store.queue().settle_outbox(&messages.iter().collect::<Vec<_>>()).await.unwrap();
    let plan = store.start(run).await;
    assert!(store.queue().renew_shard(&plan.fence, LEASE).await.unwrap());
    store.queue().end_shard(&plan.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
    let removal = store.start(run).await;
    let waits = ShardEnd::Snooze {
        wait: Duration::from_millis(1),
        kind: WaitKind::Budget,
        reason: "budget".to_owned(),
    };
    store.queue().end_shard(&removal.fence, &waits).await.unwrap();
    let removal = store.start(run).await;
    store.queue().end_shard(&removal.fence, &ShardEnd::Failed("no".to_owned())).await.unwrap();
    let last = store.start(run).await;
    store.sync().finalize_run(&last).await.unwrap();
    store.queue().sweep(LEASE).await.unwrap();
}

async fn announce(store: &TestStore, organization: helpsync_model::OrganizationId) {
    store.webhooks().fan_out_events(MANY).await.unwrap();
    assert!(!store.webhooks().events(organization, 0, MANY).await.unwrap().is_empty());
    let query = WebhookQuery {
        organization,
        ids: None,
        starting_id: 0,
        by_created_at: false,
        descending: false,
        limit: 10,
        offset: 0,
    };
    let (webhooks, _) = store.webhooks().webhooks(&query).await.unwrap();
    let webhook = webhooks.last().unwrap().id;
    store.webhooks().webhook(organization, webhook).await.unwrap();
    store.webhooks().deliveries(organization, webhook, None, 0, MANY).await.unwrap();
    for due in store.webhooks().due_webhooks(WebhookId(0), MANY).await.unwrap() {
        store.webhooks().claim_deliveries(due, MANY, LEASE).await.unwrap();
    }
}

/// The sessions of the store's own database.
async fn sessions(store: &TestStore) -> BTreeSet<i32> {
    let pids: Vec<i32> =
        sqlx::query_scalar("select pid from pg_stat_activity where datname = current_database()")
            .fetch_all(&store.pool)
            .await
            .unwrap();
    pids.into_iter().collect()
}

#[tokio::test]
async fn columns_that_a_later_version_adds_are_not_noticed() {
    let _alone = ALONE.lock().await;
    for store in stores().await {
        // Twice each: a statement is planned for good by its later runs.
        for name in ["ada", "bob"] {
            work(&store, name).await;
        }
        let postgres = store.dialect() == Dialect::Postgres;
        let before = if postgres { sessions(&store).await } else { BTreeSet::new() };
        add_a_column_to_every_table(&store, "added_later").await;
        for name in ["cyd", "dan"] {
            work(&store, name).await;
        }
        if postgres {
            let after = sessions(&store).await;
            assert!(before.is_subset(&after), "{}: connections were given up", name_of(&store));
        }
    }
}

/// Makes the prepared statements over a table useless: a column that they read changes its type.
async fn change_type(store: &TestStore, column: &str, to: &str) {
    let change = format!("alter table run alter column {column} type {to}");
    sqlx::query(sql(change)).execute(&store.pool).await.unwrap();
}

#[tokio::test]
async fn a_read_whose_result_changes_is_prepared_anew_at_once() {
    let _alone = ALONE.lock().await;
    let store = postgres().await;
    let (customer, connection) = customer(&store, "ada").await;
    let run = store.admin().request_run(crate::testing::FIRST, &request(connection, None)).await.unwrap().run;
    // On every connection of the pool.
    let look = || async {
        let read = |_| async { store.admin().run(crate::testing::FIRST, run).await.map(|run| run.id) };
        let one: Vec<RunId> =
            futures::future::try_join_all((0..8).map(read)).await.unwrap().into_iter().collect();
        let list = |_| async { store.admin().runs(customer.organization, None, MANY).await };
        let all = futures::future::try_join_all((0..8).map(list)).await.unwrap();
        assert!(one.iter().all(|id| *id == run) && all.iter().all(|runs| runs.len() == 1));
    };
    look().await;
    let before = sessions(&store).await;
    for to in ["integer", "bigint"] {
        change_type(&store, "listed", to).await;
        look().await;
    }
    assert!(before.is_disjoint(&sessions(&store).await), "they held useless statements");
}

#[tokio::test]
async fn a_transaction_whose_result_changes_fails_once_as_something_that_passes() {
    let _alone = ALONE.lock().await;
    let store = postgres().await;
    let (_, connection) = customer(&store, "ada").await;
    let run = store.admin().request_run(crate::testing::FIRST, &request(connection, None)).await.unwrap().run;
    // Every connection has the statements of a shard's start and end prepared: each is the only free one once.
    let put_back = ShardEnd::Snooze { wait: Duration::ZERO, kind: WaitKind::Turn, reason: "x".to_owned() };
    let mut held = VecDeque::new();
    for _ in 0..store.pool.options().get_max_connections() {
        held.push_back(store.pool.acquire().await.unwrap());
    }
    for _ in 0..held.len() {
        drop(held.pop_front());
        let started = store.start(run).await;
        store.queue().end_shard(&started.fence, &put_back).await.unwrap();
        held.push_back(store.pool.acquire().await.unwrap());
    }
    drop(held);
    let shard = store.start(run).await;
    store.queue().end_shard(&shard.fence, &put_back).await.unwrap();
    change_type(&store, "listed", "integer").await;
    let id = shard.shard.id;
    let error = store.queue().start_shard(id, "w", LEASE).await.unwrap_err();
    assert!(error.is_transient(), "a worker tries it again: {error:?}");
    // On fresh connections from now on: every one that was open held the statement.
    for _ in 0..8 {
        let started = store.queue().start_shard(id, "w", LEASE).await.unwrap().unwrap();
        store.queue().end_shard(&started.fence, &put_back).await.unwrap();
    }
}

#[tokio::test]
async fn a_process_starts_on_the_schema_of_a_later_version_and_says_whether_it_can_use_it() {
    let _alone = ALONE.lock().await;
    for store in stores().await {
        add_a_column_to_every_table(&store, "added_later").await;
        sqlx::query(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time, added_later)
             select version + 1000, 'of a later version', success, checksum, 0, 'new' from _sqlx_migrations",
        )
        .execute(&store.pool)
        .await
        .unwrap();
        let again = store.reopen().await;
        again.ping().await.unwrap();
        let rename = |from: &str, to: &str| sql(format!("alter table shard rename column {from} to {to}"));
        // Both on one connection: SQLite looks for the column in the schema as this connection last read it.
        let mut migrating = store.pool.acquire().await.unwrap();
        sqlx::query(rename("params", "parameters")).execute(&mut *migrating).await.unwrap();
        for process in [&again, &store.store] {
            let error = process.ping().await.unwrap_err();
            assert!(!error.is_transient(), "{}: {error:?}", name_of(&store));
        }
        sqlx::query(rename("parameters", "params")).execute(&mut *migrating).await.unwrap();
        for process in [&again, &store.store] {
            process.ping().await.unwrap();
        }
        again.close().await;
    }
}

#[tokio::test]
async fn a_migration_of_another_text_or_of_a_later_version_is_seen_by_who_examines_the_store() {
    let _alone = ALONE.lock().await;
    for store in stores().await {
        let look = async || {
            let exam = crate::examine(store.url(), None).await.unwrap();
            (exam.missing_migrations, exam.later_migrations, exam.changed_migrations)
        };
        assert_eq!(look().await, (vec![], vec![], vec![]), "{}", name_of(&store));
        for statement in [
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             select 9001, 'of a later version', success, checksum, 0 from _sqlx_migrations where version = 1",
            "update _sqlx_migrations set checksum =
               (select checksum from _sqlx_migrations where version = 1) where version = 3",
            "delete from _sqlx_migrations where version = 4",
        ] {
            sqlx::query(statement).execute(&store.pool).await.unwrap();
        }
        assert_eq!(look().await, (vec![4], vec![9001], vec![3]), "{}", name_of(&store));
    }
}

/// The store's sources but for its tests.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests") {
                sources(&path, found);
            }
        } else if path.extension().is_some_and(|it| it == "rs" || it == "sql") {
            found.push((path.to_string_lossy().into_owned(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Whether SQL in this line asks for every column: `select *`, `returning *`, `run.*`.
fn asks_for_every_column(line: &str) -> bool {
    let words = line.trim_start();
    if words.starts_with("//") || words.starts_with("--") {
        return false;
    }
    let lower = words.to_lowercase();
    lower.contains("select *")
        || lower.contains("returning *")
        || lower.match_indices(".*").any(|(at, _)| {
            let before = lower[..at].chars().next_back();
            let after = lower[at + 2..].chars().next();
            before.is_some_and(|it| it.is_ascii_alphanumeric() || it == '_')
                && after.is_none_or(|it| matches!(it, ',' | ' ' | '"'))
        })
}

#[test]
fn every_statement_names_its_columns() {
    assert!(
        ["select *", "returning *\"", "select run.*, x", "x.* from y"]
            .iter()
            .all(|it| asks_for_every_column(it))
    );
    assert!(!asks_for_every_column("..*self") && !asks_for_every_column("count(*)"));
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "{}", found.len());
    let mut wrong = Vec::new();
    for (file, text) in &found {
        let lines = text.lines().enumerate().filter(|(_, line)| asks_for_every_column(line));
        wrong.extend(lines.map(|(number, line)| format!("{file}:{}: {}", number + 1, line.trim())));
    }
    assert!(wrong.is_empty(), "a column that is added stops a process that runs:\n{}", wrong.join("\n"));
}
