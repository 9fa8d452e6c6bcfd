//! `[sync]`

use std::time::Duration;

use crate::{Problem, declare::section};

section! {
    /// What a sync does, how often, and how far it may go.
    pub struct SyncSettings "sync";

    /// Time between scheduled syncs of a customer whose schedule is on.
    "HELPSYNC_SYNC__INTERVAL_HOURS" interval: Duration = "24", 1..=720;
    /// How far before its high-water mark a delta starts, against late and reordered changes.
    "HELPSYNC_SYNC__OVERLAP_SECONDS" overlap: Duration = "300", 60..=86_400;
    /// Time between audits, which compare every id even when the counts agree.
    "HELPSYNC_SYNC__AUDIT_EVERY_HOURS" audit_every: Duration = "168", 1..=8_760;
    /// A run that would remove more than this share of a customer's articles holds its removals for a person.
    "HELPSYNC_SYNC__REMOVAL_CEILING_PERCENT" removal_ceiling_percent: u8 = "30", 1..=100;
    /// So many removals are always allowed, however large their share.
    "HELPSYNC_SYNC__REMOVAL_CEILING_MIN" removal_ceiling_min: u64 = "100", 0..=1_000_000;
    /// Articles that a run finds gone are asked for by their ids, so many at most. Of more, a second listing has to account for
    /// all of them, and samples are asked for.
    "HELPSYNC_SYNC__REMOVALS_ASKED_MAX" removals_asked_max: usize = "10000", 100..=1_000_000;
    /// A larger article body is recorded as skipped, with this reason.
    "HELPSYNC_SYNC__ARTICLE_BYTES_MAX" article_bytes_max: usize = "16777216", 1_024..=268_435_456;
    /// A larger attachment is recorded as skipped, with this reason. Zendesk takes up to 20 MB.
    "HELPSYNC_SYNC__ATTACHMENT_BYTES_MAX" attachment_bytes_max: u64 = "20971520", 1_024..=268_435_456;
}

impl SyncSettings {
    fn problems(&self) -> Vec<Problem> {
        if self.overlap < self.interval {
            return Vec::new();
        }
        vec![Problem::value(
            "HELPSYNC_SYNC__OVERLAP_SECONDS",
            "the overlap is not shorter than the interval, so every delta would read everything twice",
            "less than sync.interval_hours",
        )]
    }
}
