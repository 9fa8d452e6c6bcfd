//! States: the machines of the model against the tables, and where their names may stand.

use std::path::Path;

use helpsync_model::{
    ChunkState, ConnectionState, DataSourceStatus, DeliveryState, ExportAccess, FileStatus, Lane, Machine,
    Name, Plan, RunKind, RunState, ShardKind, ShardState, Stage, SyncAction, Trigger, WebhookStatus,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::db::sql;
use crate::testing::{TestStore, grant, stores};
use crate::{GrantOutcome, RunRequest};

/// Random walks of each machine.
const WALKS: u32 = 40;
/// Events of one walk.
const EVENTS_MAX: usize = 12;

/// A table whose rows go through a machine's states, and what its `CHECK`s say of them.
struct Checked<M: 'static> {
    table: &'static str,
    /// Columns that are null in some states: whether one may be null in a state, and whether it may have a value.
    columns: &'static [Column<M>],
}

struct Column<M> {
    name: &'static str,
    may_be_null: fn(M) -> bool,
    may_be_set: fn(M) -> bool,
}

const RUN: Checked<RunState> = Checked {
    table: "run",
    columns: &[Column {
        name: "finished_at",
        may_be_null: RunState::is_active,
        may_be_set: |state| !state.is_active(),
    }],
};
const SHARD: Checked<ShardState> = Checked {
    table: "shard",
    columns: &[Column {
        name: "lease_until",
        may_be_null: |state| !state.holds_lease(),
        may_be_set: ShardState::holds_lease,
    }],
};
const CONNECTION: Checked<ConnectionState> = Checked {
    table: "connection",
    columns: &[Column {
        name: "disconnected_at",
        may_be_null: |state| !state.is_disconnected(),
        may_be_set: ConnectionState::is_disconnected,
    }],
};
const DELIVERY: Checked<DeliveryState> = Checked {
    table: "webhook_delivery",
    columns: &[
        Column {
            name: "finished_at",
            may_be_null: |state| !state.has_ended(),
            may_be_set: DeliveryState::has_ended,
        },
        Column { name: "lease_until", may_be_null: |_| true, may_be_set: |state| !state.has_ended() },
    ],
};

/// One row of each of the four tables.
async fn filled(store: &TestStore) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let GrantOutcome::Connected { connection, .. } =
        store.admin().complete_grant(&grant(&customer, "acme")).await.unwrap()
    else {
        panic!("not connected")
    };
    store
        .admin()
        .request_run(
            crate::testing::FIRST,
            &RunRequest {
                connection,
                kind: Some(RunKind::Full),
                trigger: Trigger::Request,
                lane: Lane::OnDemand,
                request_id: "r".to_owned(),
                upload_id: "u".to_owned(),
                params: helpsync_model::RunParams::default(),
            },
        )
        .await
        .unwrap();
    for statement in [
        "insert into webhook (id, organization_id, url, signing_key_sealed, status, created_at, updated_at)
         select 1, id, 'https://example.com', cast('k' as blob), 'ACTIVE', 0, 0 from organization",
        "insert into webhook_delivery (webhook_id, event_id, organization_id, barrier, state, due_at, since, created_at)
         select 1, min(id), min(organization_id), 0, 'pending', 0, 0, 0 from event",
    ] {
        sqlx::query(statement).execute(&store.store.pool).await.unwrap();
    }
}

/// The one row's new state, with these columns set or null; whether the table took it.
async fn write<M: Name>(store: &TestStore, of: &Checked<M>, state: &str, set: &[bool]) -> bool {
    let columns: Vec<String> = of
        .columns
        .iter()
        .zip(set)
        .map(|(column, set)| format!(", {} = {}", column.name, if *set { "1" } else { "null" }))
        .collect();
    let update = format!("update {} set state = '{state}'{}", of.table, columns.concat());
    match sqlx::query(sql(update)).execute(&store.store.pool).await {
        Ok(done) => {
            assert_eq!(done.rows_affected(), 1, "{}", of.table);
            true
        }
        Err(error) => {
            assert!(error.to_string().contains("CHECK"), "{error}");
            false
        }
    }
}

/// Walks a machine at random from its first state: the table takes each state that it comes to with the columns that
/// it has then, and refuses it with any others.
async fn walk<M: Machine + std::fmt::Debug>(store: &TestStore, of: &Checked<M>) {
    let mut runner = TestRunner::deterministic();
    let events = prop::collection::vec(any::<Index>(), EVENTS_MAX);
    let mut met = Vec::new();
    for _ in 0..WALKS {
        let mut state = M::ALL[0];
        for event in events.new_tree(&mut runner).unwrap().current() {
            let possible: Vec<(M::Event, M)> =
                M::EVENTS.iter().filter_map(|event| Some((*event, state.after(*event)?))).collect();
            if possible.is_empty() {
                break;
            }
            let (event, next) = *event.get(&possible);
            for bits in 0..1_u32 << of.columns.len() {
                let set: Vec<bool> = (0..of.columns.len()).map(|column| bits >> column & 1 == 1).collect();
                let legal = of.columns.iter().zip(&set).all(|(column, set)| {
                    if *set { (column.may_be_set)(next) } else { (column.may_be_null)(next) }
                });
                let taken = write(store, of, next.as_str(), &set).await;
                assert_eq!(taken, legal, "{} {state:?} {event:?} {next:?} {set:?}", of.table);
            }
            state = next;
            met.push(next);
        }
    }
    for state in M::ALL.iter().skip(1) {
        assert!(met.contains(state), "{} never came to {state:?}", of.table);
    }
    let none: Vec<bool> = of.columns.iter().map(|_| false).collect();
    assert!(!write(store, of, "no such state", &none).await, "{}", of.table);
}

#[tokio::test]
async fn the_tables_take_what_the_machines_come_to_and_refuse_what_they_do_not() {
    let store = &stores().await[0];
    assert_eq!(store.dialect, crate::Dialect::Sqlite);
    filled(store).await;
    walk(store, &RUN).await;
    walk(store, &SHARD).await;
    walk(store, &CONNECTION).await;
    walk(store, &DELIVERY).await;
}

fn spellings<N: Name>() -> Vec<&'static str> {
    N::ALL.iter().map(|name| name.as_str()).collect()
}

/// The store's sources but for its tests, and where the names are written.
fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "tests" && name != "testing") {
                sources(&path, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("db/states.rs") {
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn no_source_but_one_writes_the_name_of_a_state_into_sql() {
    let names = [
        spellings::<RunState>(),
        spellings::<RunKind>(),
        spellings::<ShardState>(),
        spellings::<ShardKind>(),
        spellings::<Stage>(),
        spellings::<Plan>(),
        spellings::<Lane>(),
        spellings::<Trigger>(),
        spellings::<ConnectionState>(),
        spellings::<DataSourceStatus>(),
        spellings::<SyncAction>(),
        spellings::<ExportAccess>(),
        spellings::<FileStatus>(),
        spellings::<WebhookStatus>(),
        spellings::<DeliveryState>(),
        spellings::<ChunkState>(),
    ]
    .concat();
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "{}", found.len());
    let mut wrong = Vec::new();
    for (file, text) in &found {
        for (number, line) in text.lines().enumerate() {
            if names.iter().any(|name| line.contains(&format!("'{name}'"))) {
                wrong.push(format!("{file}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "these belong into db/states.rs:\n{}", wrong.join("\n"));
}
