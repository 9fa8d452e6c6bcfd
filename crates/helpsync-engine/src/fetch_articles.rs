//! `fetch_articles`: brings requested articles up to date, at once.

use helpsync_account::Account;
use helpsync_store::{PageWrite, ShardEnd, SkippedArticle, StartedShard, StoreError};

use crate::{Engine, HandlerError};

impl Engine {
    pub(crate) async fn fetch_articles(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<ShardEnd, HandlerError> {
        let outcome = self.fetch_each(started, account).await?;
        self.store.settle_removed(started, &outcome).await?;
        Ok(ShardEnd::Done(Vec::new()))
    }

    /// Shows on each file that was asked for why it could not be fetched.
    pub(crate) async fn note_unfetched(
        &self,
        started: &StartedShard,
        reason: &str,
    ) -> Result<(), StoreError> {
        let ids = started.shard.params["articles"].as_array().into_iter().flatten();
        let skipped = ids
            .map(|id| SkippedArticle {
                article_id: id.as_i64(),
                reason: reason.to_owned(),
                created_at: None,
                section_id: None,
            })
            .collect();
        self.store.store_page(started, &PageWrite { skipped, ..PageWrite::default() }).await?;
        Ok(())
    }
}
