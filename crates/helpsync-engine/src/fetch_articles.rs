//! `fetch_articles`: brings requested articles up to date, at once.

use helpsync_account::Account;
use helpsync_store::{PageWrite, ShardEnd, SkippedArticle, StartedShard, StoreError};

use crate::{Engine, HandlerError};

impl Engine {
    pub(crate) async fn fetch_articles(
        &self,
        started: &StartedShard,
        account: &Account,
        articles: &[i64],
    ) -> Result<ShardEnd, HandlerError> {
        let outcome = self.fetch_each(started, account, articles).await?;
        self.store.settle_removed(started, &outcome).await?;
        Ok(ShardEnd::Done(Vec::new()))
    }

    /// Shows on each file that was asked for why it could not be fetched.
    pub(crate) async fn note_unfetched(
        &self,
        started: &StartedShard,
        articles: &[i64],
        reason: &str,
    ) -> Result<(), StoreError> {
        let skipped = articles
            .iter()
            .map(|id| SkippedArticle {
                article_id: Some(*id),
                reason: reason.to_owned(),
                created_at: None,
                section_id: None,
            })
            .collect();
        self.store.store_page(started, &PageWrite { skipped, ..PageWrite::default() }).await?;
        Ok(())
    }
}
