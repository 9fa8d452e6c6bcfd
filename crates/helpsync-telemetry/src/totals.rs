//! What this process has done since it started, in few numbers: whoever keeps a history takes what has come to them.

use std::sync::atomic::{AtomicI64, Ordering};

/// One number that only grows.
#[derive(Debug)]
pub struct Total {
    /// What it counts.
    pub name: &'static str,
    count: AtomicI64,
}

impl Total {
    const fn new(name: &'static str) -> Self {
        Self { name, count: AtomicI64::new(0) }
    }

    pub(crate) fn add(&self, number: u64) {
        self.count.fetch_add(i64::try_from(number).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// How much it is.
    #[must_use]
    pub fn get(&self) -> i64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Requests to Zendesk.
pub(crate) static REQUESTS: Total = Total::new("requests");
/// Those that were answered 429.
pub(crate) static THROTTLED: Total = Total::new("throttled");
/// Articles that were stored because they were new or had changed.
pub(crate) static ARTICLES: Total = Total::new("articles");
/// Shards on which work ended.
pub(crate) static SHARDS_ENDED: Total = Total::new("shards_ended");
/// Messages that the queue took.
pub(crate) static PUBLISHED: Total = Total::new("published");

/// Those of one lane, called after it.
pub(crate) static ENDED_IN_LANE: [Total; 3] =
    [Total::new("ended.on_demand"), Total::new("ended.scheduled"), Total::new("ended.backfill")];

/// Work on a shard of this lane has ended.
pub(crate) fn shard_ended(lane: &str) {
    SHARDS_ENDED.add(1);
    let of_lane = ENDED_IN_LANE.iter().find(|total| total.name.strip_prefix("ended.") == Some(lane));
    if let Some(total) = of_lane {
        total.add(1);
    }
}

/// All of them.
pub static TOTALS: [&Total; 8] = [
    &REQUESTS,
    &THROTTLED,
    &ARTICLES,
    &SHARDS_ENDED,
    &PUBLISHED,
    &ENDED_IN_LANE[0],
    &ENDED_IN_LANE[1],
    &ENDED_IN_LANE[2],
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_counts_for_all_and_for_its_lane() {
        let counts = || (SHARDS_ENDED.get(), ENDED_IN_LANE.each_ref().map(Total::get));
        let (all, lanes) = counts();
        for lane in ["on_demand", "backfill", "backfill", "no such lane"] {
            shard_ended(lane);
        }
        let (now, then) = counts();
        assert_eq!((now - all, then[0] - lanes[0], then[1] - lanes[1], then[2] - lanes[2]), (4, 1, 0, 2));
    }
}
