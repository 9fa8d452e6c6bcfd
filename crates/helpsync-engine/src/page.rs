//! From an answer to stored rows: converted off the runtime's threads, in batches, so that memory is bounded whatever
//! a page holds.

use std::collections::HashSet;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use helpsync_account::Account;
use helpsync_model::{ShardCursor, chain};
use helpsync_store::{
    GoesOn, IncomingArticle, PageOutcome, PageWrite, Progress, SkippedArticle, Split, StartedShard,
    StoreError,
};
use helpsync_zendesk::{Answer, Article, Author, Category, ExportPage, Failure, ListPage, Rejected, Section};
use tokio::sync::mpsc;

use crate::articles::{Converted, converted, described, items, skipped, unread_texts};
use crate::locales::article_anywhere;
use crate::names::{authors, tags_of};
use crate::{Engine, HandlerError};

/// Articles that are converted and stored together.
const BATCH_ARTICLES: usize = 200;
/// HTML that is converted and stored together; one longer article is a batch of its own.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Batches that are converted at once, while one that is converted waits and another is stored.
const BATCHES_AHEAD: usize = 2;

/// What an answer held, before conversion.
#[derive(Default)]
pub(crate) struct Fetched {
    pub(crate) articles: Vec<Article>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) sections: Vec<Section>,
    pub(crate) categories: Vec<Category>,
    pub(crate) authors: Vec<Author>,
    pub(crate) bytes: u64,
}

/// Articles on their way into the store.
#[derive(Default)]
struct Batch {
    articles: Vec<IncomingArticle>,
    skipped: Vec<SkippedArticle>,
    skipped_texts: Vec<SkippedArticle>,
    /// Those of the articles that were not converted, as they came.
    unconverted: Vec<Article>,
}

/// What the shard has reached once the whole of an answer is stored.
#[derive(Default)]
pub(crate) struct Reached<'a> {
    pub(crate) cursor: Option<ShardCursor>,
    pub(crate) progress: Option<Progress>,
    pub(crate) split: Option<Split>,
    /// The shard is done with it; who goes on with the next.
    pub(crate) ends: Option<GoesOn<'a>>,
}

/// What storing came to.
#[derive(Default)]
pub(crate) struct Stored {
    /// As of the last batch.
    pub(crate) outcome: PageOutcome,
    /// The shard that whoever goes on has, if the shard ended with it.
    pub(crate) next: Option<Box<StartedShard>>,
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
        reached: Reached<'_>,
    ) -> Result<Stored, HandlerError> {
        let working =
            format!("{}: storing {} articles", started.shard.kind().in_words(), fetched.articles.len());
        self.accounts.put_working(started.fence.run, &working).await;
        self.complete_places(started, account, &mut fetched).await?;
        let settled = self.complete_translations(started, account, &mut fetched).await?;
        let (alone, broken): (Vec<Rejected>, Vec<Rejected>) =
            fetched.rejected.drain(..).partition(|one| one.is_too_long && one.id.is_some());
        let first = PageWrite {
            items: items(&fetched.sections, &fetched.categories),
            authors: authors(std::mem::take(&mut fetched.authors)),
            skipped: broken.into_iter().map(skipped).collect(),
            settled,
            bytes: fetched.bytes,
            ..PageWrite::default()
        };
        for rejected in alone {
            if let Some(skipped) = Box::pin(self.fetch_alone(started, account, rejected)).await? {
                let page = PageWrite { skipped: vec![skipped], ..PageWrite::default() };
                self.store.store_page(started, &page).await?;
            }
        }
        let tags = tags_of(&fetched.articles);
        if reached.ends.is_some() {
            // Behind its end the shard may write nothing.
            self.learn_tags(started, account, &tags).await?;
            return self.store_whole(started, account, fetched.articles, first, reached).await;
        }
        // The names are a request, and nothing that is stored needs them.
        let (stored, named) = tokio::join!(
            self.store_whole(started, account, fetched.articles, first, reached),
            Box::pin(self.learn_tags(started, account, &tags))
        );
        named?;
        stored
    }

    /// Stores articles that have all their texts. `first` goes with the first batch of them, `reached` with the last.
    pub(crate) async fn store_whole(
        &self,
        started: &StartedShard,
        account: &Account,
        articles: Vec<Article>,
        mut first: PageWrite,
        reached: Reached<'_>,
    ) -> Result<Stored, HandlerError> {
        let authors = first.authors.clone();
        let batches = batches(articles);
        let mut left = batches.len();
        let (ready, mut converted) = mpsc::channel(1);
        // Beside storing: a stream that nobody polls begins nothing new.
        let convert = async move {
            let batches = stream::iter(batches).map(|articles| self.compared(started, articles));
            let mut batches = batches.buffered(BATCHES_AHEAD);
            while let Some(batch) = batches.next().await {
                if ready.send(batch).await.is_err() {
                    // Storing failed.
                    return;
                }
            }
        };
        let Reached { cursor, progress, split, ends } = reached;
        let mut last = Some(PageWrite { cursor, progress, split, ..PageWrite::default() });
        let store = async move {
            let mut stored = Stored::default();
            while let Some(batch) = converted.recv().await {
                left -= 1;
                let end = if left == 0 { last.take().unwrap_or_default() } else { PageWrite::default() };
                let PageWrite { cursor, progress, split, .. } = end;
                let next = PageWrite { authors: authors.clone(), ..PageWrite::default() };
                let is_last = left == 0 && ends.is_some();
                let (requests, waits) =
                    (account.take_requests(), account.take_waited(self.clock.now_ms(), is_last));
                let first = std::mem::replace(&mut first, next);
                let page = PageWrite { cursor, progress, split, requests, waits, ..first };
                stored = self.store_batch(started, page, batch?, ends.filter(|_| left == 0)).await?;
            }
            Ok(stored)
        };
        tokio::join!(Box::pin(convert), Box::pin(store)).1
    }

    /// Stores a batch. Should an article that needed no conversion have changed meanwhile, it is converted after all.
    async fn store_batch(
        &self,
        started: &StartedShard,
        mut page: PageWrite,
        batch: Batch,
        ends: Option<GoesOn<'_>>,
    ) -> Result<Stored, HandlerError> {
        page.articles = batch.articles;
        page.skipped.extend(batch.skipped);
        page.skipped_translations.extend(batch.skipped_texts);
        match self.store_one(started, &page, ends).await {
            Err(StoreError::Unconverted) => {
                let left = batch.unconverted.into_iter().map(|article| (described(&article), article));
                let made = self.convert(left.collect()).await?;
                page.articles.retain(|article| !article.unconverted);
                page.articles.extend(made.articles);
                page.skipped.extend(made.skipped);
                page.skipped_translations.extend(made.skipped_texts);
                Ok(self.store_one(started, &page, ends).await?)
            }
            stored => Ok(stored?),
        }
    }

    /// Stores one page, and ends the shard with it where it is the last.
    async fn store_one(
        &self,
        started: &StartedShard,
        page: &PageWrite,
        ends: Option<GoesOn<'_>>,
    ) -> Result<Stored, StoreError> {
        let Some(goes_on) = ends else {
            let outcome = self.store.store_page(started, page).await?;
            return Ok(Stored { outcome, next: None });
        };
        let (outcome, next) = self.store.store_last_page(started, page, goes_on().as_ref()).await?;
        Ok(Stored { outcome, next: next.map(Box::new) })
    }

    /// Converts those articles of a batch whose copies are not right already.
    async fn compared(&self, started: &StartedShard, articles: Vec<Article>) -> Result<Batch, HandlerError> {
        let (all, articles, unread, nothing_left) = off_the_runtime(move || {
            // Of these it is not known whether anything is published: they are kept as they are.
            let (nothing_left, articles): (Vec<_>, Vec<_>) = articles
                .into_iter()
                .partition(|article| !article.unread.is_empty() && article.published().is_empty());
            let all: Vec<IncomingArticle> = articles.iter().map(described).collect();
            let unread: Vec<_> = articles.iter().flat_map(unread_texts).collect();
            let nothing_left: Vec<_> = nothing_left.iter().flat_map(unread_texts).collect();
            (all, articles, unread, nothing_left)
        })
        .await?;
        let unchanged: HashSet<i64> = self.store.unchanged(started, &all).await?.into_iter().collect();
        let (same, changed): (Vec<_>, Vec<_>) = all
            .into_iter()
            .zip(articles)
            .partition(|(described, _)| unchanged.contains(&described.article_id));
        let mut batch = self.convert(changed).await?;
        let (same, unconverted): (Vec<_>, Vec<_>) = same.into_iter().unzip();
        batch.articles.extend(same);
        batch.skipped.extend(nothing_left);
        batch.skipped_texts.extend(unread);
        Ok(Batch { unconverted, ..batch })
    }

    /// An article whose texts were too long for its page, asked for by itself: stored if it fits an answer of its own, else
    /// to be recorded.
    async fn fetch_alone(
        &self,
        started: &StartedShard,
        account: &Account,
        rejected: Rejected,
    ) -> Result<Option<SkippedArticle>, HandlerError> {
        let id = rejected.id.unwrap_or_default();
        match article_anywhere(started, account, id).await {
            Ok(answer) => {
                let first = PageWrite { bytes: answer.bytes, ..PageWrite::default() };
                self.store_whole(started, account, vec![answer.value], first, Reached::default()).await?;
                Ok(None)
            }
            Err(Failure::Unreadable { reason }) => Ok(Some(skipped(Rejected { reason, ..rejected }))),
            Err(failure @ Failure::TooLarge { .. }) => {
                Ok(Some(skipped(Rejected { reason: chain(&failure), ..rejected })))
            }
            // It went between two requests: that is for the removal stage to find out.
            Err(Failure::NotFound(_) | Failure::Forbidden(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Converts articles: pure CPU, so off the runtime's threads, and on no more of them than there are cores.
    async fn convert(&self, articles: Vec<(IncomingArticle, Article)>) -> Result<Batch, HandlerError> {
        let turn = Arc::clone(&self.converting).acquire_owned().await.map_err(|error| stopped(&error))?;
        let limits = self.options.limits;
        off_the_runtime(move || {
            let mut batch = Batch::default();
            for (described, article) in articles {
                match converted(article, described, &limits) {
                    Converted::Article(article, skipped) => {
                        batch.articles.push(*article);
                        batch.skipped_texts.extend(skipped);
                    }
                    Converted::Skipped(skipped) => batch.skipped.push(skipped),
                }
            }
            drop(turn);
            batch
        })
        .await
    }
}

/// Pure CPU, on a thread of its own.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HandlerError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| stopped(&error))
}

fn stopped(error: &dyn std::error::Error) -> HandlerError {
    HandlerError::Passing(format!("conversion stopped: {}", chain(error)))
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
