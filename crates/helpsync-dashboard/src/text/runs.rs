//! Runs: how they stand, what they wait for, their receipt.

use helpsync_model::{ShardKind, WaitKind};

use super::{sentence, state};

pub(crate) const WAITS_FOR: &str = "Waits for";
pub(crate) const WORKS_ON: &str = "Works on";
pub(crate) const BEGUN: &str = "Begun";
pub(crate) const ENDED: &str = "Ended";
pub(crate) const TRIGGER: &str = "Asked for by";
pub(crate) const STORED: &str = "Stored";
pub(crate) const REMOVED: &str = "Removed";
pub(crate) const SKIPPED: &str = "Skipped";
pub(crate) const SKIPPED_LATELY: &str = "Skipped by the latest runs";
pub(crate) const STAGE: &str = "Stage";
pub(crate) const PLAN: &str = "Plan";
pub(crate) const AUDIT_BECAUSE: &str = "Lists every article because";
pub(crate) const RECEIPT: &str = "Receipt";
pub(crate) const LISTED: &str = "Read";
pub(crate) const CREATED: &str = "Created";
pub(crate) const UPDATED: &str = "Updated";
pub(crate) const UNCHANGED: &str = "Unchanged";
pub(crate) const DRAFTS: &str = "Drafts";
pub(crate) const UNSELECTED: &str = "Left out by the selection";
pub(crate) const REQUESTS: &str = "Requests";
pub(crate) const BYTES: &str = "Bytes";
pub(crate) const FILES_AT_END: &str = "Files at its end";
pub(crate) const DIGEST: &str = "Digest";
pub(crate) const TIMELINE: &str = "Over time";
pub(crate) const WAITED: &str = "Waited for the account's budget";
pub(crate) const WAIT_PACE: &str = "Even pace";
pub(crate) const WAIT_WINDOW: &str = "The next minute";
pub(crate) const WAIT_IN_FLIGHT: &str = "Requests under way";
pub(crate) const WAIT_BLOCKED: &str = "A pause that Zendesk asked for";
pub(crate) const WAIT_PUT_OFF: &str = "Put off";
pub(crate) const WAITS_IN_WORDS: &str = "What was waited for, in words";
pub(crate) const LEGEND_WAITED: &str = "waits";
pub(crate) const LEGEND_WORKED: &str = "works";
pub(crate) const LEGEND_PUT_OFF: &str = "put off";
pub(crate) const LEGEND_FAILED: &str = "failed";

/// What a run waits for, by the API's word for its kind. `None`: its reason says it better.
pub(crate) fn waits_for(kind: Option<&str>) -> Option<&'static str> {
    Some(match kind?.parse().ok()? {
        WaitKind::Suspended => "the end of the account's suspension",
        WaitKind::HelpCenter => "the help center to be shown",
        WaitKind::Budget => "Zendesk's limit of requests",
        WaitKind::Service => "a part of Helpsync",
        WaitKind::Token => "a renewed token",
        WaitKind::Turn => "a free worker",
        WaitKind::Moment => "a moment that has to pass",
        WaitKind::Zendesk => "Zendesk, which does not answer as it should",
        WaitKind::Person => "a person",
        WaitKind::Other => return None,
    })
}

pub(crate) fn read(done: &str) -> String {
    format!("{done} read")
}

pub(crate) fn run(id: i64, kind: &str) -> String {
    format!("{} {id}", sentence(kind).trim_end_matches('.'))
}

pub(crate) fn run_number(id: i64) -> String {
    format!("Run {id}")
}

pub(crate) fn timeline(shards: usize, lasted: &str) -> String {
    let what = if shards == 1 { "1 shard".to_owned() } else { format!("{shards} shards") };
    format!("{what} over {lasted}")
}

pub(crate) fn more_shards(more: usize) -> String {
    if more == 1 {
        "1 more shard is not drawn.".to_owned()
    } else {
        format!("{more} more shards are not drawn.")
    }
}

/// What work of this kind does. Messages that are no shard's have kinds of their own.
pub(crate) fn work(kind: &str) -> String {
    kind.parse::<ShardKind>().map_or_else(|_not_a_shard| state(kind), |kind| kind.in_words().to_owned())
}

/// A shard by what it does and, where several of a run do that, by what it does it to.
pub(crate) fn shard(kind: &str, key: &str) -> String {
    let work = work(kind);
    match key.strip_prefix(kind).unwrap_or(key).trim_start_matches([':', '-', '_', '/', ' ']) {
        "" => work,
        part => format!("{work} ({part})"),
    }
}

pub(crate) fn shard_is(shard: &str, state: &str) -> String {
    format!("{shard}: {state}")
}
