//! From an answer to stored rows: converted off the runtime's threads, in batches, so that memory is bounded whatever
//! a page holds.

use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use helpsync_account::Account;
use helpsync_model::{ShardCursor, chain};
use helpsync_store::{PageOutcome, PageWrite, Progress, SkippedArticle, Split, StartedShard};
use helpsync_zendesk::{Answer, Article, Author, Category, ExportPage, Failure, ListPage, Rejected, Section};

use crate::articles::{incoming, items, skipped};
use crate::names::{authors, tags_of};
use crate::{Engine, HandlerError};

/// Articles that are converted and stored together.
const BATCH_ARTICLES: usize = 1_000;
/// HTML that is converted and stored together; one longer article is a batch of its own.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Batches that are converted while one is stored.
const BATCHES_AHEAD: usize = 2;

/// What an answer held, before conversion.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(crate) articles: Vec<Article>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) sections: Vec<Section>,
    pub(crate) categories: Vec<Category>,
    pub(crate) authors: Vec<Author>,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
}

/// What the shard has reached once the whole of an answer is stored.
#[derive(Default)]
pub(crate) struct Reached {
    pub(crate) cursor: Option<ShardCursor>,
    pub(crate) progress: Option<Progress>,
    pub(crate) split: Option<Split>,
}

impl From<Answer<ExportPage>> for Fetched {
    fn from(answer: Answer<ExportPage>) -> Self {
        let page = answer.value;
        Self {
            articles: page.articles,
            rejected: page.rejected,
            sections: page.sections,
            categories: page.categories,
            authors: page.authors,
            requests: answer.requests.into(),
            bytes: answer.bytes,
        }
    }
}

impl From<Answer<ListPage>> for Fetched {
    fn from(answer: Answer<ListPage>) -> Self {
        let page = answer.value;
        Self {
            articles: page.articles,
            rejected: page.rejected,
            sections: page.sections,
            categories: page.categories,
            authors: page.authors,
            requests: answer.requests.into(),
            bytes: answer.bytes,
        }
    }
}

impl Engine {
    /// Stores what was fetched, batch by batch. `reached` goes with the last of them, so that a walk that breaks off
    /// in between reads the answer once more.
    pub(crate) async fn store_fetched(
        &self,
        started: &StartedShard,
        account: &Account,
        mut fetched: Fetched,
        reached: Reached,
    ) -> Result<PageOutcome, HandlerError> {
        let working = format!("{}: storing {} articles", started.shard.key, fetched.articles.len());
        self.accounts.put_working(started.fence.run, &working).await;
        self.complete_places(started, account, &mut fetched).await?;
        let (alone, broken): (Vec<Rejected>, Vec<Rejected>) =
            fetched.rejected.drain(..).partition(|one| one.is_too_long && one.id.is_some());
        let mut first = PageWrite {
            items: items(&fetched.sections, &fetched.categories),
            authors: authors(std::mem::take(&mut fetched.authors)),
            skipped: broken.into_iter().map(skipped).collect(),
            requests: fetched.requests,
            bytes: fetched.bytes,
            budget_wait_ms: account.take_waited_ms(),
            ..PageWrite::default()
        };
        for rejected in alone {
            let mut page = self.fetch_alone(account, rejected).await?;
            page.budget_wait_ms = account.take_waited_ms();
            self.store.store_page(started, &page).await?;
        }
        let tags = tags_of(&fetched.articles);
        let authors = first.authors.clone();
        let batches = batches(fetched.articles);
        let mut left = batches.len();
        let mut converted =
            stream::iter(batches).map(|articles| self.convert(articles)).buffered(BATCHES_AHEAD);
        while let Some(batch) = converted.next().await {
            let (articles, skipped) = batch?;
            first.articles = articles;
            first.skipped.extend(skipped);
            left -= 1;
            if left > 0 {
                let next = PageWrite { authors: authors.clone(), ..PageWrite::default() };
                self.store.store_page(started, &std::mem::replace(&mut first, next)).await?;
            }
        }
        let Reached { cursor, progress, split } = reached;
        let last = PageWrite { cursor, progress, split, ..first };
        let outcome = self.store.store_page(started, &last).await?;
        self.learn_tags(started, account, &tags).await?;
        Ok(outcome)
    }

    /// An article whose texts were too long for its page, asked for by itself: stored if it fits an answer of its own,
    /// else recorded.
    async fn fetch_alone(&self, account: &Account, rejected: Rejected) -> Result<PageWrite, HandlerError> {
        let id = rejected.id.unwrap_or_default();
        match account.client.article(id).await {
            Ok(answer) => {
                let (articles, skipped) = self.convert(vec![answer.value]).await?;
                let (requests, bytes) = (answer.requests.into(), answer.bytes);
                Ok(PageWrite { articles, skipped, requests, bytes, ..PageWrite::default() })
            }
            Err(Failure::Unreadable { reason }) => {
                let skipped = vec![skipped(Rejected { reason, ..rejected })];
                Ok(PageWrite { skipped, requests: 1, ..PageWrite::default() })
            }
            Err(failure @ Failure::TooLarge { .. }) => {
                let skipped = vec![skipped(Rejected { reason: chain(&failure), ..rejected })];
                Ok(PageWrite { skipped, requests: 1, ..PageWrite::default() })
            }
            // It went between two requests: that is for the removal stage to find out.
            Err(Failure::NotFound(_) | Failure::Forbidden(_)) => {
                Ok(PageWrite { requests: 1, ..PageWrite::default() })
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Converts articles: pure CPU, so off the runtime's threads, and on no more of them than there are cores.
    async fn convert(
        &self,
        articles: Vec<Article>,
    ) -> Result<(Vec<helpsync_store::IncomingArticle>, Vec<SkippedArticle>), HandlerError> {
        let stopped = |error: &dyn std::error::Error| {
            HandlerError::Passing(format!("conversion stopped: {}", chain(error)))
        };
        let turn = Arc::clone(&self.converting).acquire_owned().await.map_err(|error| stopped(&error))?;
        let limits = self.options.limits;
        tokio::task::spawn_blocking(move || {
            let (mut good, mut bad) = (Vec::with_capacity(articles.len()), Vec::new());
            for article in articles {
                match incoming(&article, &limits) {
                    Ok(article) => good.push(article),
                    Err(skipped) => bad.push(skipped),
                }
            }
            drop(turn);
            (good, bad)
        })
        .await
        .map_err(|error| stopped(&error))
    }
}

/// At least one batch, so that what was reached is stored also when there are no articles.
fn batches(articles: Vec<Article>) -> Vec<Vec<Article>> {
    let mut batches = vec![Vec::new()];
    let mut bytes = 0;
    for article in articles {
        let texts = article.translations.iter().flatten().map(|translation| translation.body.len());
        let size = article.body.len() + texts.sum::<usize>();
        let full = batches.last().is_some_and(|batch: &Vec<Article>| {
            !batch.is_empty() && (batch.len() >= BATCH_ARTICLES || bytes + size > BATCH_BYTES)
        });
        if full {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        if let Some(batch) = batches.last_mut() {
            batch.push(article);
        }
    }
    batches
}
