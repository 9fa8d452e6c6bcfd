//! What one process that stops in the middle, or a queue that is away, does to the others.

use std::time::Duration;

use helpsync_model::{ConnectionId, FileId, Lane, RunId, RunParams, Trigger};
use sqlx::{AnyConnection, Connection as _, Executor as _};

use crate::db::pool::TRUSTED_FOR;
use crate::testing::{TestStore, bring_back, postgres, stores, take_away};
use crate::{RunRequest, Store, StoreError, StoreOutage, UploadedChunk, UploadedFile};

const LATE: Duration = Duration::from_secs(20);
const LEASE: Duration = Duration::from_secs(60);

/// A sync of a fresh customer's workspace.
async fn request(store: &TestStore, customer: &str) -> (ConnectionId, RunId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, customer).await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    (connection, store.admin().request_run(crate::testing::FIRST, &sync(connection)).await.unwrap().run)
}

fn sync(connection: ConnectionId) -> RunRequest {
    RunRequest {
        connection,
        kind: None,
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::default(),
    }
}

/// Waits until a statement of this database waits for a row.
pub(super) async fn somebody_waits(store: &Store) {
    let waits = async {
        loop {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&store.pool)
            .await
            .unwrap();
            if waiting > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LATE, waits).await.unwrap();
}

#[tokio::test]
async fn a_worker_stopped_in_the_middle_of_a_write_keeps_nobody_elses_shards_from_the_sweep() {
    let store = postgres().await;
    let (_, stopped) = request(&store, "stopped").await;
    let (_, other) = request(&store, "other").await;
    let (stopped, other) = (store.start(stopped).await, store.start(other).await);
    store.clock.advance(LEASE + Duration::from_secs(1));
    // The stopped worker's transaction is open and holds its shard.
    let sleeper = store.reopen().await;
    let mut open = sleeper.write().await.unwrap();
    let hold = format!("select id from shard where id = {} for update", stopped.shard.id);
    open.tx.execute(crate::db::sql(hold)).await.unwrap();
    let swept =
        tokio::time::timeout(LATE, store.queue().sweep(LEASE)).await.expect("a sweep that waits for nobody");
    assert_eq!(swept.unwrap().expired, 1);
    open.tx.rollback().await.unwrap();
    assert_eq!(store.queue().sweep(LEASE).await.unwrap().expired, 1, "the next sweep finds it");
    assert_ne!(stopped.shard.id, other.shard.id);
}

#[tokio::test]
async fn a_transaction_that_idles_is_ended_by_the_server() {
    let store = postgres().await;
    let limit: String =
        sqlx::query_scalar("show idle_in_transaction_session_timeout").fetch_one(&store.pool).await.unwrap();
    assert_eq!(limit, "15s");
}

#[tokio::test]
async fn a_start_and_a_request_at_the_same_moment_do_not_lock_each_other_out() {
    let store = postgres().await;
    let (connection, run) = request(&store, "ada").await;
    let shard: i64 = sqlx::query_scalar("select id from shard").fetch_one(&store.pool).await.unwrap();
    // The request has locked the connection, and looks for the run that serves it.
    let mut requesting = store.write().await.unwrap();
    let lock = format!("select id from connection where id = {} for update", connection.0);
    requesting.tx.execute(crate::db::sql(lock)).await.unwrap();
    let worker = store.reopen().await;
    let starting = tokio::spawn(async move {
        worker.queue().start_shard(helpsync_model::ShardId(shard), "worker", LEASE).await
    });
    somebody_waits(&store).await;
    let kept = format!("update run set pending_request = '{{}}' where id = {}", run.0);
    requesting.tx.execute(crate::db::sql(kept)).await.expect("no deadlock");
    requesting.commit().await.unwrap();
    let started = tokio::time::timeout(LATE, starting).await.unwrap().unwrap();
    assert!(started.unwrap().is_some());
}

#[tokio::test]
async fn a_change_of_a_schedule_holds_up_nobody_who_writes_a_row_of_the_customer() {
    let store = postgres().await;
    let (connection, _) = request(&store, "ada").await;
    // Whoever ends a stage of a run has the connection, and announces it with a row that refers to the customer.
    let mut ending = store.write().await.unwrap();
    let lock = format!("select id from connection where id = {} for update", connection.0);
    ending.tx.execute(crate::db::sql(lock)).await.unwrap();
    let other = store.reopen().await;
    let changing = tokio::spawn(async move {
        let change = crate::ScheduleChange { interval_hours: Some(6), ..crate::ScheduleChange::default() };
        other.admin().set_schedules(crate::testing::FIRST, &["ada".to_owned()], &change).await
    });
    somebody_waits(&store).await;
    ending.tx.execute("select id from customer for key share").await.expect("no deadlock");
    ending.commit().await.unwrap();
    tokio::time::timeout(LATE, changing).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn messages_that_the_queue_refused_are_found_by_the_next_look() {
    for store in stores().await {
        request(&store, "ada").await;
        assert_eq!(store.queue().release_due(10, 10).await.unwrap(), 1);
        let claimed = store.queue().claim_outbox(10, LEASE).await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert!(store.queue().claim_outbox(10, LEASE).await.unwrap().is_empty());
        store.queue().unclaim_outbox(&[&claimed[0]]).await.unwrap();
        let again = store.queue().claim_outbox(10, LEASE).await.unwrap();
        assert_eq!(again[0].dedup, claimed[0].dedup);
        // A relay that gives up late takes nothing from the one that holds it now.
        store.queue().unclaim_outbox(&[&claimed[0]]).await.unwrap();
        assert!(store.queue().claim_outbox(10, LEASE).await.unwrap().is_empty());
        // However long the queue is away, what waits for it is not lost; what it took and nobody started is.
        store.clock.advance(LEASE + Duration::from_secs(1));
        assert_eq!(store.queue().sweep(LEASE).await.unwrap().lost, 0);
        store.queue().settle_outbox(&[&claimed[0]]).await.unwrap();
        assert_eq!(store.queue().sweep(LEASE).await.unwrap().lost, 1);
    }
}

/// As after a failover behind the address: what is open leads to a server that only reads, what is opened to another.
/// Waits until the pool looks at each of its connections before it is used.
async fn nobody_is_trusted(store: &TestStore) {
    let mut onlooker = AnyConnection::connect(store.url()).await.unwrap();
    let waits = async {
        loop {
            let lately: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                   and state_change > clock_timestamp() - cast($1 || ' milliseconds' as interval)",
            )
            .bind(format!("{}", TRUSTED_FOR.as_millis()))
            .fetch_one(&mut onlooker)
            .await
            .unwrap();
            if lately == 0 {
                return;
            }
        }
    };
    tokio::time::timeout(LATE, waits).await.expect("connections that are idle");
}

#[tokio::test]
async fn connections_to_a_server_that_only_reads_are_left_for_new_ones() {
    let store = postgres().await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut connection = store.pool.acquire().await.unwrap();
        connection.execute("set session characteristics as transaction read only").await.unwrap();
        open.push(connection);
    }
    drop(open);
    // One that was used a moment ago is used again without a look.
    nobody_is_trusted(&store).await;
    for number in 0..6 {
        request(&store, &number.to_string()).await;
    }
    assert!(store.ping().await.is_ok());
}

#[tokio::test]
async fn a_server_that_only_reads_is_named_and_good_again_once_it_writes() {
    let store = postgres().await;
    let name: String =
        sqlx::query_scalar("select cast(current_database() as text)").fetch_one(&store.pool).await.unwrap();
    let set = async |value: &str| {
        let mut connection = store.pool.acquire().await.unwrap();
        connection.execute("set default_transaction_read_only = off").await.unwrap();
        let text = format!("alter database {name} set default_transaction_read_only = {value}");
        connection.execute(crate::db::sql(text)).await.unwrap();
        // What is open keeps what it began with, also what is on its way back and not yet idle.
        connection.close().await.unwrap();
        while store.pool.size() > 0 {
            store.pool.acquire().await.unwrap().close().await.unwrap();
        }
    };
    set("on").await;
    let error = store.ping().await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(helpsync_model::chain(&error).contains("read-only"), "{error:?}");
    set("off").await;
    assert!(store.ping().await.is_ok());
}

/// SQLite ends the transaction by itself where it cannot go on; the next one finds a connection all the same.
#[tokio::test]
async fn a_transaction_that_the_database_ended_by_itself_spoils_no_other() {
    for store in stores().await {
        for _ in 0..3 {
            let mut write = store.write().await.unwrap();
            // As SQLite does on a full disk.
            write.tx.execute("rollback").await.unwrap();
            drop(write);
            request(&store, "ada").await;
        }
    }
}

#[tokio::test]
async fn an_outage_is_told_once_and_ends_with_what_shows_that_it_is_over() {
    for store in stores().await {
        let outage = StoreOutage::default();
        let away = || StoreError::from(sqlx::Error::PoolTimedOut);
        let begins = |error: StoreError| outage.look().begins(&error);
        let ends = async |did| outage.look().ends(&store, did).await;
        assert!(!ends(true).await, "nothing was told");
        let overlapping = outage.look();
        assert!(begins(away()) && !begins(away()));
        assert!(!overlapping.ends(&store, true).await, "it began before the last failure");
        // It can be read, and takes no writes: a look that had nothing to do works.
        take_away(&store, "ping").await;
        assert!(!ends(false).await);
        assert!(!begins(away()), "told once");
        bring_back(&store, "ping").await;
        assert!(ends(false).await && !ends(false).await);
        assert!(begins(away()) && ends(true).await);

        // A statement that is refused: another look did not come to it.
        let refused = || StoreError::from(sqlx::Error::RowNotFound);
        assert!(begins(refused()) && !begins(refused()));
        assert!(!ends(false).await);
        assert!(begins(away()), "another trouble");
        assert!(begins(refused()) && ends(true).await);
    }
}

#[tokio::test]
async fn what_is_committed_is_counted_whoever_stops_waiting_for_it() {
    for store in stores().await {
        store.admin().ensure_organization("default").await.unwrap();
        let mut write = store.write().await.unwrap();
        sqlx::query("insert into customer (organization_id, external_id, created_at, updated_at) values ($1, 'ada', 1, 1)")
            .bind(crate::testing::FIRST.0)
            .execute(&mut *write.tx)
            .await
            .unwrap();
        let (told, heard) = tokio::sync::oneshot::channel();
        write.once_committed(move || told.send(()).unwrap());
        // As a worker is stopped whose lease is gone.
        let mut commit = Box::pin(write.commit());
        assert!(futures::poll!(&mut commit).is_pending(), "{}", crate::testing::name_of(&store));
        drop(commit);
        tokio::time::timeout(LATE, heard).await.unwrap().unwrap();
        let known = store.admin().find_customer(crate::testing::FIRST, "ada").await.unwrap();
        assert!(known.is_some(), "it is written");
    }
}

#[tokio::test]
async fn chunks_that_are_brought_while_a_page_is_stored_wait_for_it_and_hold_nothing_that_it_wants() {
    let store = postgres().await;
    let (customer, connection) = super::chunks::customer(&store, "ada").await;
    store.sync_articles(connection, vec![super::chunks::written(11, 5, &["a text"])]).await;
    super::chunks::chunk_all(&store, connection, false).await;
    let file: i64 = sqlx::query_scalar("select id from file").fetch_one(&store.pool).await.unwrap();
    let brought = UploadedFile {
        file: FileId(file),
        chunk_size: Some(7),
        chunk_overlap: None,
        chunks: vec![UploadedChunk {
            position: 0,
            text: "brought".to_owned(),
            hash: "h".to_owned(),
            tokens: 3,
            vector: None,
        }],
    };
    // A page changes the file first, and then has it chunked again.
    let mut page = store.write().await.unwrap();
    page.tx.execute("update file set updated_at = updated_at").await.unwrap();
    let other = store.reopen().await;
    let bringing =
        tokio::spawn(
            async move { other.search().upload_chunks(customer.id, "OPENAI", &[brought], true).await },
        );
    somebody_waits(&store).await;
    page.tx.execute("update chunking set version = version + 1").await.expect("no deadlock");
    page.commit().await.unwrap();
    tokio::time::timeout(LATE, bringing).await.unwrap().unwrap().unwrap();
}
