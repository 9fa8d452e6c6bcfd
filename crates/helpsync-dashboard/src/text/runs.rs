//! Runs: how they stand, what they wait for, their receipt.

use helpsync_model::{ShardKind, Timestamp, WaitKind};

use super::{sentence, state};

pub(crate) const WAITS_FOR: &str = "Waits for";
pub(crate) const WORKS_ON: &str = "Works on";
pub(crate) const MISSING_ASKED: &str = "Missing articles asked for";
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
pub(crate) const LISTED: &str = "Read, repeats included";
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
pub(crate) const LEGEND_BUDGET: &str = "waits for budget, by its share of the time";
pub(crate) const LEGEND_PUT_OFF: &str = "put off";
pub(crate) const LEGEND_NOW: &str = "works or waits just now";
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

/// A run's stage.
pub(crate) fn stage(name: &str) -> String {
    match name {
        "plan" => work("plan"),
        "walk" => work("walk_export"),
        "removal" => work("find_removed"),
        "finalize" => work("finalize"),
        _ => state(name),
    }
}

/// How a run reads the articles.
pub(crate) fn plan(name: &str) -> String {
    let known = match name {
        "export" => "the incremental export",
        "offset_pages" => "the list, many pages at once",
        "cursor_ends" => "the list, from both ends",
        "list_changes" => "the list, what changed",
        "locales" => "the lists of each language",
        _ => return state(name),
    };
    known.to_owned()
}

/// A shard by what it does and, where several of a run do that, by what it does it to. Keys are made where shards are added.
pub(crate) fn shard(kind: &str, key: &str) -> String {
    let (work, key) = (work(kind), key.strip_prefix(kind).unwrap_or(key));
    let part = key.trim_start_matches([':', '-', '_', '/', ' ']);
    let part = match (kind, part, part.parse::<i64>()) {
        (_, "", _) => return work,
        // A range of the export is named by the second that it begins with.
        ("walk_export", _, Ok(second)) => format!("from {} on", minute(second)),
        ("walk_list", _, Ok(page)) => format!("from page {page} on"),
        ("walk_list", "oldest" | "latest", _) => format!("from the {part} on"),
        ("confirm_removed", _, Ok(number)) => format!("part {}", number.saturating_add(1)),
        _ => part.to_owned(),
    };
    format!("{work} ({part})")
}

/// A second since 1970 to the minute, in UTC.
fn minute(second: i64) -> String {
    Timestamp::from_second(second)
        .map_or_else(|_too_far| second.to_string(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

pub(crate) fn shard_is(shard: &str, state: &str) -> String {
    format!("{shard}: {state}")
}

/// So long of a span of time was spent waiting within the work.
pub(crate) fn waited_of(waited: &str, span: &str) -> String {
    format!("{waited} of {span}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_have_names_for_people() {
        for (kind, key, name) in [
            ("plan", "plan", "asking Zendesk what there is"),
            ("walk_export", "walk_export", "reading articles"),
            ("walk_export", "walk_export-1766525059", "reading articles (from 2025-12-23 21:24 on)"),
            ("walk_list", "walk_list-101", "reading articles (from page 101 on)"),
            ("walk_list", "walk_list-oldest", "reading articles (from the oldest on)"),
            ("walk_list", "walk_list-changes", "reading articles (changes)"),
            ("confirm_removed", "confirm_removed-0", "asking for each missing article (part 1)"),
            ("confirm_removed", "confirm_removed-listing", "asking for each missing article (listing)"),
        ] {
            assert_eq!(shard(kind, key), name);
        }
        assert_eq!(
            shard("walk_export", "walk_export-9223372036854775807"),
            "reading articles (from 9223372036854775807 on)"
        );
    }
}
