//! The protocol as it is: every state within each of these bounds. docs/protocol.md has the same table.
//!
//! `HELPSYNC_TEST_PROTOCOL_DEEP=1` goes further; that takes minutes and some gigabytes.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::path::Path;

use helpsync_protocol::{
    Bounds, MET_CANCELLED, MET_DONE, MET_FAILED, MET_REFUSED, MET_REMOVAL, MET_SECOND, Protocol, story,
    walk_graph,
};
use stateright::{Checker as _, Expectation, Model as _};

/// More states than any bounds here have.
const STATES_MAX: usize = 60_000_000;

/// Bounds, by the name that docs/protocol.md calls them, and what an execution within them can come to.
type Case = (&'static str, Bounds, &'static [&'static str]);

/// What is checked with every build: processes that are killed or stand still.
const PROCESSES: [Case; 4] = [
    ("calm", Bounds { walks: 2, ..Bounds::CALM }, &[MET_DONE, MET_REMOVAL]),
    ("killed", Bounds { walks: 2, crashes: 1, ..Bounds::CALM }, &[MET_DONE]),
    ("killed twice", Bounds { crashes: 2, ..Bounds::CALM }, &[MET_DONE]),
    ("overslept", Bounds { walks: 2, sleeps: 1, silences: 2, ..Bounds::CALM }, &[MET_DONE, MET_REFUSED]),
];

/// The same: a queue that loses and doubles, shards that fail, people who come in between.
const OTHERS: [Case; 5] = [
    ("bad queue", Bounds { crashes: 1, losses: 1, doubles: 1, ..Bounds::CALM }, &[MET_DONE, MET_REMOVAL]),
    ("late", Bounds { crashes: 1, delays: 1, ..Bounds::CALM }, &[MET_DONE]),
    (
        "interrupted",
        Bounds { sleeps: 1, interrupts: 1, ..Bounds::CALM },
        &[MET_DONE, MET_CANCELLED, MET_REFUSED, MET_SECOND],
    ),
    (
        "asked again",
        Bounds { failures: 2, requests: 1, interrupts: 1, ..Bounds::CALM },
        &[MET_DONE, MET_FAILED, MET_CANCELLED, MET_SECOND],
    ),
    ("failing", Bounds { walks: 2, put_backs: 1, failures: 2, ..Bounds::CALM }, &[MET_DONE, MET_FAILED]),
];

/// What `HELPSYNC_TEST_PROTOCOL_DEEP` adds.
const DEEP: [Case; 5] = [
    ("killed twice, two walks", Bounds { walks: 2, crashes: 2, ..Bounds::CALM }, &[MET_DONE]),
    (
        "killed beside a bad queue, two walks",
        Bounds { walks: 2, crashes: 1, losses: 1, doubles: 1, ..Bounds::CALM },
        &[MET_DONE],
    ),
    ("killed and interrupted", Bounds { crashes: 1, interrupts: 1, ..Bounds::CALM }, &[MET_CANCELLED]),
    (
        "failing, late and asked again, two walks",
        Bounds { walks: 2, delays: 1, put_backs: 1, failures: 2, requests: 1, ..Bounds::CALM },
        &[MET_DONE, MET_FAILED, MET_SECOND],
    ),
    (
        "overslept, put back, interrupted and asked again",
        Bounds { sleeps: 1, requests: 1, interrupts: 1, put_backs: 1, ..Bounds::CALM },
        &[MET_DONE, MET_CANCELLED, MET_REFUSED, MET_SECOND],
    ),
];

/// Checks every state; answers how many there are.
fn check((name, bounds, met): Case) -> usize {
    let checker = Protocol::new(bounds).checker().spawn_bfs().join();
    let mut found = checker.discoveries();
    for property in checker.model().properties() {
        if property.expectation == Expectation::Always
            && let Some(path) = found.remove(property.name)
        {
            panic!("{name}: against {:?}:\n{}", property.name, story(path));
        }
    }
    for met in met {
        assert!(found.contains_key(met), "{name}: never {met}");
    }
    let graph = walk_graph(&Protocol::new(bounds), STATES_MAX).unwrap();
    assert_eq!(graph.circle, None, "{name}: an execution need not end");
    assert_eq!(graph.states, checker.unique_state_count(), "{name}");
    println!("{name}: {} states, {} steps at most, {} ends", graph.states, graph.longest, graph.ends);
    graph.states
}

/// The number of states that docs/protocol.md gives for these bounds.
fn written(name: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md");
    let page = std::fs::read_to_string(page).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {name} |")));
    let Some(row) = row else { return format!("no row {name:?}") };
    row.trim_end_matches('|').rsplit('|').next().unwrap().trim().replace(',', "")
}

fn check_all(all: &[Case]) {
    let wrong: Vec<String> = all
        .iter()
        .filter_map(|case| {
            let states = check(*case).to_string();
            (states != written(case.0)).then(|| format!("{}: {states}", case.0))
        })
        .collect();
    assert!(wrong.is_empty(), "docs/protocol.md has other numbers of states than {wrong:?}");
}

#[test]
fn nothing_breaks_while_processes_are_killed_or_sleep() {
    check_all(&PROCESSES);
}

#[test]
fn nothing_breaks_while_the_queue_shards_and_people_do_their_worst() {
    check_all(&OTHERS);
}

#[test]
fn nothing_breaks_further_out_either_if_that_is_asked_for() {
    if std::env::var_os("HELPSYNC_TEST_PROTOCOL_DEEP").is_some() {
        check_all(&DEEP);
    }
}
