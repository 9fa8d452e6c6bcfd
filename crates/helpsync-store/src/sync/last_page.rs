//! The last page of a shard, and the shard's end with it: one transaction.

use crate::db::{StoreError, SyncStore};
use crate::run::going_on::{Ending, Found, Onward, end_in};
use crate::run::shards::{ShardEnd, StartedShard};
use crate::sync::page_counts::counts_of;
use crate::sync::pages::{PageOutcome, PageWrite};

impl SyncStore {
    /// [`SyncStore::store_page`], and the shard is done with it. The other answer is as of
    /// `QueueStore::end_shard_and_go_on`.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the shard is no longer this worker's; nothing is changed then.
    pub async fn store_last_page(
        &self,
        started: &StartedShard,
        page: &PageWrite,
        onward: Option<&Onward>,
    ) -> Result<(PageOutcome, Option<StartedShard>), StoreError> {
        let (mut write, outcome) = self.write_page(started, page, true).await?;
        let (end, counts) = (ShardEnd::Done(Vec::new()), counts_of(page, &outcome, write.now));
        let ending = Ending {
            fence: &started.fence,
            end: &end,
            found: Found::Page(&counts),
            lock: None,
            high_water: page.progress.map(|_| started.high_water.unwrap_or(0)),
            onward,
        };
        let next = end_in(&mut write, &ending).await?;
        write.commit().await?;
        Ok((outcome, next))
    }
}
