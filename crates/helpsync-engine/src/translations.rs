//! Articles whose answer lacks their translations, though they were asked for. Zendesk may leave the sideload out; what
//! is stored of an article's languages must not go for that. They are asked for article by article.

use std::collections::HashSet;

use futures::stream::{self, StreamExt as _};
use helpsync_account::Account;
use helpsync_model::{RunKind, Stage};
use helpsync_store::{PageWrite, StartedShard};
use helpsync_zendesk::Article;

use crate::articles::items;
use crate::names::authors;
use crate::page::{Fetched, Reached};
use crate::{Engine, HandlerError};

/// Requests under way at once; the account's budget bounds all shards together.
const AT_ONCE: usize = 4;
/// Articles that are completed and stored together: a page that breaks off is not asked for from its start again.
const STORED_TOGETHER: usize = 25;

impl Engine {
    /// Takes from a page the articles that lack their translations, asks for those, and stores them. Answers with the
    /// articles that need not be asked for, because they are stored as they are.
    pub(crate) async fn complete_translations(
        &self,
        started: &StartedShard,
        account: &Account,
        fetched: &mut Fetched,
    ) -> Result<Vec<i64>, HandlerError> {
        if !fetched.articles.iter().any(Article::lacks_translations) {
            return Ok(Vec::new());
        }
        let (lacking, whole): (Vec<Article>, Vec<Article>) =
            std::mem::take(&mut fetched.articles).into_iter().partition(Article::lacks_translations);
        fetched.articles = whole;
        let readings: Vec<(i64, i64)> =
            lacking.iter().map(|article| (article.id, article.updated_at.as_millisecond())).collect();
        // A delta's walk believes the time of change; a full run and an audit look at every text once.
        let by_time = started.run.kind == RunKind::Delta && started.run.stage == Stage::Walk;
        let settled: HashSet<i64> =
            self.store.settled(started, &readings, by_time).await?.into_iter().collect();
        let mut asked: Vec<Article> =
            lacking.into_iter().filter(|article| !settled.contains(&article.id)).collect();
        while !asked.is_empty() {
            let some: Vec<Article> = asked.drain(..asked.len().min(STORED_TOGETHER)).collect();
            let mut answers = stream::iter(some)
                .map(|mut article| async move {
                    let cost = account.client.complete_article(&mut article).await?;
                    Ok::<_, HandlerError>((article, cost))
                })
                .buffered(AT_ONCE);
            let mut first = PageWrite {
                items: items(&fetched.sections, &fetched.categories),
                authors: authors(fetched.authors.clone()),
                ..PageWrite::default()
            };
            let mut articles = Vec::new();
            while let Some(answer) = answers.next().await {
                let (article, cost) = answer?;
                first.bytes += cost.bytes;
                articles.push(article);
            }
            self.store_whole(started, account, articles, first, Reached::default()).await?;
        }
        Ok(settled.into_iter().collect())
    }
}
