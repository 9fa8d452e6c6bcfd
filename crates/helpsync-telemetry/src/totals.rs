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

/// All of them.
pub static TOTALS: [&Total; 5] = [&REQUESTS, &THROTTLED, &ARTICLES, &SHARDS_ENDED, &PUBLISHED];
