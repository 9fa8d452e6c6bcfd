//! `confirm_removed`: asks for hidden articles once more; deletes what is gone, brings back what is not.

use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use helpsync_account::Account;
use helpsync_model::{Confirm, ExportAccess, chain};
use helpsync_store::{ShardEnd, StartedShard, StoreError};
use helpsync_zendesk::{Failure, Rejected};
use tokio::time::Instant;

use crate::find_removed::confirmations;
use crate::locales::article_anywhere;
use crate::page::{Fetched, Reached};
use crate::walk_list::yielded_turn;
use crate::{Engine, HandlerError};

/// Requests under way at once; the account's budget bounds all shards together.
const AT_ONCE: usize = 4;
/// Articles that are asked for by id, where there are too many to ask for each.
const SPOT_CHECKS: usize = 100;
/// How far it is, is told so often to whoever watches.
const TOLD_EVERY: Duration = Duration::from_secs(1);
/// Answers are stored as soon as they come to so many bytes.
const BYTES_KEPT_MAX: u64 = 8 * 1024 * 1024;

impl Engine {
    pub(crate) async fn confirm_removed(
        &self,
        started: &StartedShard,
        account: &Account,
        confirm: &Confirm,
    ) -> Result<ShardEnd, HandlerError> {
        let gone = match confirm {
            Confirm::Listing => {
                if !self.walk_listing(started, account).await?.ended {
                    return Ok(yielded_turn());
                }
                // What the second listing showed is no longer hidden.
                let gone = self.store.unseen_hidden(started.fence.connection, started.fence.run).await?;
                if !self.listing_proves(started, account, &gone).await? {
                    // As many as may be are asked for by id, the others by the runs after this one.
                    let asked_max = self.options.removals_asked_max;
                    let (asked, held) = gone.split_at(gone.len().min(asked_max));
                    tracing::warn!(connection = %started.fence.connection, asked = asked.len(), held = held.len(),
                        "the second listing does not account for removals");
                    self.store.hold(started, held).await?;
                    return Ok(ShardEnd::Done(confirmations(asked, asked_max)));
                }
                gone
            }
            Confirm::Articles { articles } => self.fetch_each(started, account, articles).await?,
        };
        self.store.settle_removed(started, &gone).await?;
        Ok(ShardEnd::Done(Vec::new()))
    }

    /// Whether a second listing that lacks these articles proves that they are gone: it must have shown as many as
    /// Zendesk counts, and of these none that is asked for by id may be there.
    async fn listing_proves(
        &self,
        started: &StartedShard,
        account: &Account,
        gone: &[i64],
    ) -> Result<bool, HandlerError> {
        if gone.is_empty() {
            return Ok(true);
        }
        // By locale there is no count of the whole.
        if started.list_locales.len() > 1 {
            return Ok(false);
        }
        let listed = self.store.seen_articles(started.fence.connection, started.fence.run).await?;
        if listed != self.count(started, account).await? {
            return Ok(false);
        }
        let every = gone.len().div_ceil(SPOT_CHECKS);
        let some: Vec<i64> = gone.iter().copied().step_by(every).collect();
        let found = self.fetch_each(started, account, &some).await?;
        Ok(found.len() == some.len())
    }

    /// Whether they are gone could not be found out: they stay, for all to see.
    pub(crate) async fn give_up_confirming(
        &self,
        started: &StartedShard,
        confirm: &Confirm,
    ) -> Result<(), StoreError> {
        let ids = match confirm {
            Confirm::Articles { articles } => articles.clone(),
            Confirm::Listing => self.store.unseen_hidden(started.fence.connection, started.fence.run).await?,
        };
        self.store.show_again(started, &ids).await
    }

    /// Fetches articles one by one, stores what is there, and answers with what is gone: proved by 404 or
    /// 403 for the article while the help center as a whole still answers, and the grant's user kept his role.
    pub(crate) async fn fetch_each(
        &self,
        started: &StartedShard,
        account: &Account,
        articles: &[i64],
    ) -> Result<Vec<i64>, HandlerError> {
        let mut answers = stream::iter(articles.iter().copied())
            .map(|id| async move { (id, article_anywhere(started, account, id).await) })
            .buffer_unordered(AT_ONCE);
        let mut gone = Vec::new();
        let mut fetched = Fetched::default();
        let (mut asked, mut told) = (0, Instant::now());
        while let Some((id, answer)) = answers.next().await {
            asked += 1;
            if told.elapsed() >= TOLD_EVERY {
                self.accounts.put_asked(started.fence.shard, asked).await;
                told = Instant::now();
            }
            match answer {
                Ok(answer) => {
                    fetched.bytes += answer.bytes;
                    fetched.articles.push(answer.value);
                }
                Err(Failure::NotFound(_) | Failure::Forbidden(_)) => gone.push(id),
                // It is there, or nobody knows: it stays, and the others are no worse for it.
                Err(
                    failure @ (Failure::Unreadable { .. }
                    | Failure::TooLarge { .. }
                    | Failure::Rejected { .. }),
                ) => {
                    fetched.rejected.push(Rejected {
                        id: Some(id),
                        reason: chain(&failure),
                        is_too_long: false,
                        created_at: None,
                        section_id: None,
                    });
                }
                Err(failure) => return Err(failure.into()),
            }
            if fetched.bytes > BYTES_KEPT_MAX {
                let full = std::mem::take(&mut fetched);
                self.store_fetched(started, account, full, Reached::default()).await?;
            }
        }
        drop(answers);
        self.store_fetched(started, account, fetched, Reached::default()).await?;
        if !gone.is_empty() {
            self.prove_healthy(started, account).await?;
        }
        Ok(gone)
    }

    /// Asks something that only a healthy help center answers, and to a grant that may use the export something that
    /// only agents are answered. A 404 for one article is believed only after this.
    async fn prove_healthy(&self, started: &StartedShard, account: &Account) -> Result<(), HandlerError> {
        if started.export_access == Some(ExportAccess::Lost) {
            // A person allowed it, or nothing would have been hidden; asked for alone it proves nothing.
            if started.run.plan.is_none() {
                return Err(HandlerError::Permanent(
                    "the grant's user lost his role: a missing article proves nothing".to_owned(),
                ));
            }
        } else if started.export_access == Some(ExportAccess::Allowed) {
            match self.export_from(account, self.since(started)).await {
                Ok(_) => return Ok(()),
                Err(Failure::Rejected { .. } | Failure::TooLarge { .. }) => {}
                Err(failure) => return Err(HandlerError::of_list(failure)),
            }
        }
        account.client.count_articles().await.map_err(HandlerError::of_list)?;
        Ok(())
    }
}
