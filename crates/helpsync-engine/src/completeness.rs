//! Whether what a run listed is all that Zendesk counts. A listing may end cleanly and lack articles all the same: pages
//! come empty, items are dropped, or move from one page to another.
//!
//! The articles are read once more, by page number in place of the cursor, and what is still owed then is noted with
//! the run: it ends as incomplete unless asking by id makes up for it.

use helpsync_account::Account;
use helpsync_model::ShardCursor;
use helpsync_store::{RunNote, StartedShard};
use helpsync_zendesk::{OFFSET_RECORDS_MAX, PAGE_SIZE_MAX};

use crate::list_by_export::ByExport;
use crate::{Engine, HandlerError};

/// How often Zendesk is asked for its count before that counts as moving.
pub(crate) const COUNTS_MAX: usize = 4;

/// What listing everything came to.
pub(crate) enum Listing {
    /// It goes on at the shard's next turn.
    Yielded,
    /// It has ended, and what is still owed is noted.
    Whole,
    /// It has ended, but the count does not stand still long enough to compare it.
    Moving,
}

/// What the run has seen, against what Zendesk counts.
enum Compared {
    Equal,
    /// Zendesk counts so many, twice in a row, and the run has seen fewer.
    Short(i64),
    Moving,
}

impl Engine {
    /// Reads the whole list, and again by page number if it was short and page numbers reach.
    pub(crate) async fn list_everything(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Listing, HandlerError> {
        let mut owed = None;
        if !matches!(started.shard.cursor, Some(ShardCursor::Page(_))) {
            match self.list_by_export(started, account).await? {
                ByExport::Yielded => return Ok(Listing::Yielded),
                ByExport::Whole => {}
                ByExport::No => {
                    let at = self.walk_listing(started, account).await?;
                    if !at.ended {
                        return Ok(Listing::Yielded);
                    }
                    if started.list_locales.len() > 1 {
                        return self.compare_listed(started, account, &at.listed).await;
                    }
                }
            }
            match self.compare_seen(started, account).await? {
                Compared::Equal => return Ok(Listing::Whole),
                Compared::Moving => return Ok(Listing::Moving),
                Compared::Short(count) => owed = Some(count),
            }
        }
        let count = match owed {
            Some(count) => count,
            None => self.count(started, account).await?,
        };
        let records = u64::try_from(count).unwrap_or(u64::MAX);
        if records <= OFFSET_RECORDS_MAX {
            let pages = u32::try_from(records.div_ceil(u64::from(PAGE_SIZE_MAX))).unwrap_or(u32::MAX);
            self.walk_pages(started, account, 1, pages, None).await?;
        }
        match self.compare_seen(started, account).await? {
            Compared::Equal => Ok(Listing::Whole),
            Compared::Moving => Ok(Listing::Moving),
            Compared::Short(count) => {
                let note = RunNote { owed: Some(count), ..RunNote::default() };
                self.store.note_run(&started.fence, &note).await?;
                Ok(Listing::Whole)
            }
        }
    }

    /// What came while the list was read is read before the next count, so only a count that stays the same shows
    /// that something is missing.
    async fn compare_seen(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Compared, HandlerError> {
        let (connection, run) = (started.fence.connection, started.fence.run);
        let mut last = None;
        for _ in 0..COUNTS_MAX {
            let count = self.count(started, account).await?;
            let seen = self.store.seen_articles(connection, run).await?;
            if seen.saturating_add(self.store.nameless_records(run).await?) >= count {
                return Ok(Compared::Equal);
            }
            if last == Some(count) {
                return Ok(Compared::Short(count));
            }
            last = Some(count);
            self.read_tail(started, account).await?;
        }
        Ok(Compared::Moving)
    }
}
