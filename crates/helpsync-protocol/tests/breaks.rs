//! The protocol with a part taken out: the checker finds how it goes wrong. docs/protocol.md tells the same stories;
//! `HELPSYNC_TEST_BLESS=1` writes them there.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::path::{Path, PathBuf};

use helpsync_protocol::{
    Bounds, Break, ENDS, LEASE_KEPT, MESSAGE_KEPT, NO_SHARD_LOST, NO_STALE_WRITE, NO_UNCLEAN_REMOVAL,
    ONE_END, Protocol, story,
};
use stateright::{Checker as _, HasDiscoveries, Model as _};

const CRASH: Bounds = Bounds { crashes: 1, ..Bounds::CALM };
const SLEEP: Bounds = Bounds { sleeps: 1, ..Bounds::CALM };
const PUT_BACK: Bounds = Bounds { put_backs: 1, ..Bounds::CALM };
const TWO_WALKS: Bounds = Bounds { walks: 2, ..Bounds::CALM };
const FAILURE: Bounds = Bounds { failures: 1, ..Bounds::CALM };
const REQUEST: Bounds = Bounds { failures: 1, requests: 1, ..Bounds::CALM };
const SILENT: Bounds = Bounds { silences: 1, ..Bounds::CALM };

/// What is taken out, by the name of its story; where that goes wrong; and against what.
const BROKEN: [(&str, Bounds, &str); 10] = [
    ("acknowledge first", CRASH.without(Break::AcknowledgeLast), MESSAGE_KEPT),
    ("no epoch", SLEEP.without(Break::Epoch), NO_STALE_WRITE),
    ("no attempt", SLEEP.without(Break::Attempt), NO_STALE_WRITE),
    ("publish before commit", PUT_BACK.without(Break::CommitBeforePublish), MESSAGE_KEPT),
    ("no sweeper", CRASH.without(Break::Sweeper), ENDS),
    ("finalize without a lock", TWO_WALKS.without(Break::FinalizeLock), NO_SHARD_LOST),
    ("finalize without a lock, twice", Bounds::CALM.without(Break::FinalizeLock), ONE_END),
    ("removal after a failed walk", FAILURE.without(Break::CleanListing), NO_UNCLEAN_REMOVAL),
    ("the request is lost with the run", REQUEST.without(Break::RequestOutlivesFailure), ENDS),
    ("clocks two thirds of a lease apart", Bounds { clocks_apart: 2, ..SILENT }, LEASE_KEPT),
];

/// The shortest way to break the property. The checker ends with the last one that it sees before it stops, so it is
/// asked for shorter ones until there is none.
fn counterexample(bounds: Bounds, property: &'static str) -> Option<String> {
    let (mut shortest, mut below) = (None, 0);
    loop {
        let found = HasDiscoveries::AnyOf([property].into());
        let checker = Protocol::unfolded(bounds).checker().finish_when(found);
        // 0 is no bound.
        let checker = checker.target_max_depth(below).spawn_bfs().join();
        let Some(path) = checker.discovery(property) else { return shortest.map(story) };
        below = path.clone().into_states().len();
        shortest = Some(path);
    }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocol.md")
}

/// Where the story of this name stands in the page.
fn place(page: &str, name: &str) -> std::ops::Range<usize> {
    let head = format!("<!-- story: {name} -->\n```text\n");
    let Some(start) = page.find(&head) else { panic!("docs/protocol.md has no story {name:?}") };
    let start = start + head.len();
    let length = page[start..].find("```").unwrap();
    start..start + length
}

#[test]
fn without_a_part_of_the_protocol_the_checker_finds_how_it_goes_wrong() {
    let mut page_now = std::fs::read_to_string(page()).unwrap();
    let before = page_now.clone();
    for (name, bounds, property) in BROKEN {
        let story = counterexample(bounds, property).unwrap_or_else(|| panic!("{name}: nothing found"));
        println!("{name}, against {property:?}:\n{story}");
        let whole = Bounds { without: None, clocks_apart: 1, ..bounds };
        assert_eq!(counterexample(whole, property), None, "{name}: it is not this that breaks");
        page_now.replace_range(place(&page_now, name), &story);
    }
    if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
        std::fs::write(page(), page_now).unwrap();
    } else {
        assert_eq!(page_now, before, "HELPSYNC_TEST_BLESS=1 writes the stories into docs/protocol.md");
    }
}

/// A finding, not a wish: whoever raises the epoch ends the shards in the same transaction, and a shard that is ended
/// refuses writes by itself. The epoch is a second lock on the same door.
#[test]
fn the_epoch_of_the_connection_alone_can_be_missed() {
    let bounds = Bounds { sleeps: 1, interrupts: 1, ..Bounds::CALM };
    let without = bounds.without(Break::EpochOfConnection);
    let checker = Protocol::new(without).checker().spawn_bfs().join();
    assert!(checker.unique_state_count() > 50_000);
    assert!(checker.discovery(NO_STALE_WRITE).is_none());
}
