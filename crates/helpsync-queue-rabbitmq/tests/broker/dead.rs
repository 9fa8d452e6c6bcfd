//! Bounds of a look at the dead letters.

use helpsync_queue::conformance::next;
use helpsync_queue::{DeadLetter, Origin, Queue as _};
use helpsync_queue_rabbitmq::DeadLetterBounds;

use crate::fixture::{Fixture, reading, url};

const LETTER_BYTES: usize = 1_000;

/// Puts letters of this length with these ids into the list.
async fn die(fixture: &Fixture, ids: impl Iterator<Item = String>) {
    let mut consumer = fixture.queue.consume_requests(1).unwrap();
    for id in ids {
        let body = vec![b'x'; LETTER_BYTES];
        assert!(fixture.queue.publish_raw(Origin::Requests, &id, body).await.is_stored());
        next(&mut consumer).await.dead("no").await.unwrap();
    }
}

async fn shown(fixture: &Fixture, of: &str) -> Vec<String> {
    let owned = |letter: &DeadLetter| letter.id.starts_with(of);
    let letters = fixture.queue.dead_letters_of(&owned, 100, None).await.unwrap();
    letters.into_iter().map(|letter| letter.id).collect()
}

#[tokio::test]
async fn a_look_is_bounded_by_what_is_the_callers_and_others_letters_take_nobodys_place() {
    let bounds = DeadLetterBounds { read: 12, shown: 4, bytes: 3 * LETTER_BYTES };
    let Some(fixture) = reading(&url(), bounds).await else { return };
    die(&fixture, (0..9).map(|number| format!("theirs-{number}"))).await;
    die(&fixture, (0..5).map(|number| format!("ours-{number}"))).await;
    assert_eq!(shown(&fixture, "ours").await, ["ours-0", "ours-1", "ours-2"], "behind nine of others");
    // The bytes of three; with them gone, the one that the bound on what is read had left out is seen.
    assert_eq!(shown(&fixture, "theirs").await.len(), 3);
    let owned = |letter: &DeadLetter| letter.id.starts_with("ours");
    for id in ["ours-0", "ours-1", "ours-2"] {
        assert!(fixture.queue.discard_of(&owned, id).await.unwrap(), "{id}");
    }
    assert_eq!(shown(&fixture, "ours").await, ["ours-3", "ours-4"]);
    assert_eq!(shown(&fixture, "").await.len(), 3, "everything is still there, and as it was");

    let few = DeadLetterBounds { read: 100, shown: 2, bytes: usize::MAX };
    let Some(fixture) = reading(&url(), few).await else { return };
    die(&fixture, (0..3).map(|number| format!("ours-{number}"))).await;
    assert_eq!(shown(&fixture, "ours").await, ["ours-0", "ours-1"]);
}
