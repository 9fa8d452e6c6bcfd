//! What must hold afterwards, read from the store itself.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use helpsync_app::Parts;
use helpsync_model::{ConnectionId, CustomerId, EventKind, RunKind, RunState};
use helpsync_queue::Queue as _;
use helpsync_store::{Event, FileFilters, FileOrder, FileQuery, Run};

use super::traffic::Customer;
use crate::copy::{assert_same, held, truth};

const PAGE: u32 = 1_000;
const RUNS_MAX: u32 = 1_000_000;

/// Every customer's copy equals its workspace.
pub(super) async fn assert_copies_exact(parts: &Parts, customers: &[Customer]) {
    for customer in customers {
        println!("comparing {}", customer.id);
        let ours = held(&parts.store, parts.organization, &customer.id).await;
        assert_same(&truth(&customer.account), &ours);
    }
}

/// Everything else.
pub(super) async fn assert_nothing_lost_or_doubled(parts: &Parts, customers: &[Customer]) {
    let runs = parts.store.admin().runs(parts.organization, None, RUNS_MAX).await.unwrap();
    let events = all_events(parts).await;
    assert_runs_ended_once(&runs, &events);
    assert_syncs_of_one_workspace_never_overlapped(&runs);
    for customer in customers {
        let id = parts.store.admin().customer(parts.organization, &customer.id).await.unwrap().id;
        assert_events_tell_the_whole_story(parts, id, &events).await;
        let refused = customer.account.requests().iter().filter(|request| request.status == 429).count();
        assert_eq!(refused, 0, "{}: answers 429", customer.id);
    }
    let letters = parts.rabbit.as_ref().unwrap().dead_letters(100, None).await.unwrap();
    assert!(letters.is_empty(), "dead letters: {letters:#?}");
    let failed = parts.store.admin().failed_shards(parts.organization, 0, 100).await.unwrap();
    assert!(failed.is_empty(), "failed shards: {failed:#?}");
}

/// One end a run, and one announcement of it; what is announced for an upload is what was run for it.
fn assert_runs_ended_once(runs: &[Run], events: &[Event]) {
    let mut announced: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind == EventKind::AllFilesProcessed) {
        *announced.entry(&event.object_id).or_default() += 1;
    }
    let mut ended: BTreeMap<&str, usize> = BTreeMap::new();
    for run in runs {
        assert!(!run.state.is_active() && run.finished_at.is_some(), "{run:#?}");
        assert_ne!(run.state, RunState::Failed, "{run:#?}");
        if run.state == RunState::Done {
            *ended.entry(&run.upload_id).or_default() += 1;
        }
    }
    assert_eq!(announced, ended, "announced ends against ended runs, by upload");
}

fn assert_syncs_of_one_workspace_never_overlapped(runs: &[Run]) {
    let mut by_connection: HashMap<ConnectionId, Vec<&Run>> = HashMap::new();
    for run in runs.iter().filter(|run| run.kind != RunKind::Resync) {
        by_connection.entry(run.connection).or_default().push(run);
    }
    for mut runs in by_connection.into_values() {
        runs.sort_by_key(|run| run.id.0);
        for pair in runs.windows(2) {
            assert!(pair[0].finished_at.unwrap() <= pair[1].created_at, "{pair:#?}");
        }
    }
}

/// Whoever follows the announcements holds exactly the files that we hold.
async fn assert_events_tell_the_whole_story(parts: &Parts, customer: CustomerId, events: &[Event]) {
    let (mut told, mut ready, mut gone) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for event in events.iter().filter(|event| event.customer == Some(customer)) {
        let file = || event.object_id.parse::<i64>().unwrap();
        match event.kind {
            EventKind::FilesCreated => {
                for id in serde_json::from_str::<Vec<i64>>(&event.object_id).unwrap() {
                    assert!(told.insert(id), "file {id} was announced twice as new");
                    assert!(!gone.contains(&id), "file {id} was announced after its removal");
                }
            }
            EventKind::FileReady => {
                ready.insert(file());
            }
            EventKind::FileDeleted => {
                assert!(told.remove(&file()), "the removal of file {} was announced before it", file());
                gone.insert(file());
            }
            _ => {}
        }
    }
    let files = files(parts, customer).await;
    assert_eq!(told, files, "files announced and not removed, against files held");
    assert!(files.is_subset(&ready), "files held and never announced as ready");
}

async fn files(parts: &Parts, customer: CustomerId) -> BTreeSet<i64> {
    let mut query = FileQuery {
        customer,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: i64::from(PAGE),
        offset: 0,
    };
    let mut ids = BTreeSet::new();
    loop {
        let (page, _) = parts.store.admin().files(&query).await.unwrap();
        let Some(last) = page.last() else { return ids };
        query.starting_id = last.id.0;
        ids.extend(page.iter().map(|file| file.id.0));
    }
}

async fn all_events(parts: &Parts) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = events.last().map_or(0, |event| event.id);
        let page = parts.store.webhooks().events(parts.organization, after, PAGE).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page);
    }
}
