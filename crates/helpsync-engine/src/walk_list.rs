//! `walk_list`: reads listing pages, in one of three ways.
//!
//! - `pages`: a stretch of the list by page number, oldest first. Several stretches are read at once; whether they
//!   make up the whole is verified by count.
//! - `end`: the list by cursor, from the oldest article up or from the latest down. Whether the two meet is verified.
//! - `changes`: what changed, latest first, by cursor, down to a point in time.
//!
//! End users have to name a locale. For them the list by cursor is those of all locales, one after the other; an article
//! that stands in several is read in each, with all its translations.
//!
//! Where the list ignores the order that `changes` asks for, it is read to its end.
//!
//! The mark may go no further than the latest change that was seen before the first page: later changes may concern
//! articles that had been read by then.

use std::collections::HashSet;
use std::ops::Not as _;
use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{ListCursor, ListEnd, ListParams, ShardCursor, WaitKind, chain};
use helpsync_store::{PageWrite, Progress, ShardEnd, StartedShard};
use helpsync_zendesk::{
    Answer, Failure, ListPage, ListQuery, Next, PAGE_SIZE_MAX, PageRef, Scope, SortBy, SortOrder,
};

use crate::circles::{Key, go_round, key, leads_nowhere};
use crate::page::{Fetched, Reached};
use crate::{Engine, HandlerError};

/// Pages read before the shard goes back to the end of the queue, so that others get their turn.
const PAGES_PER_TURN: u32 = 200;
/// Articles created in the same millisecond that are told apart.
const TIED_MAX: usize = 1_000;
/// So often a walk begins anew where a cursor leads nowhere.
const RESTARTS_MAX: u32 = 3;

/// Whether walks from both ends have met, so that together they are the whole list.
pub(crate) fn have_met(up: &ListCursor, down: &ListCursor) -> bool {
    // A list that ended before its share of pages was read to its other end.
    if up.after.is_none() && up.ended || down.after.is_none() && down.ended {
        return true;
    }
    up.edge.zip(down.edge).is_some_and(|(up, down)| up >= down)
}

impl Engine {
    pub(crate) async fn walk_list(
        &self,
        started: &StartedShard,
        account: &Account,
        list: ListParams,
    ) -> Result<ShardEnd, HandlerError> {
        let ended = match list {
            ListParams::Pages { first, last, measured } => {
                self.walk_pages(started, account, first, last, Some(measured.newest)).await?
            }
            ListParams::End { from, pages, measured } => {
                let sort_order = match from {
                    ListEnd::Oldest => SortOrder::Asc,
                    ListEnd::Latest => SortOrder::Desc,
                };
                let query = ListQuery { sort_order, ..ListQuery::walk(Scope::All, None) };
                self.walk_cursor(started, account, query, Until::Pages(pages, measured.newest)).await?.ended
            }
            ListParams::Changes { until } => {
                let query = ListQuery {
                    sort_by: SortBy::UpdatedAt,
                    sort_order: SortOrder::Desc,
                    ..ListQuery::walk(Scope::All, None)
                };
                self.walk_cursor(started, account, query, Until::Changed(until)).await?.ended
            }
        };
        Ok(if ended { ShardEnd::Done(Vec::new()) } else { yielded_turn() })
    }

    /// A stretch of the list by page number. `newest`: how far the mark may go once it is read; `None` = it stays.
    pub(crate) async fn walk_pages(
        &self,
        started: &StartedShard,
        account: &Account,
        first: u32,
        last: u32,
        newest: Option<i64>,
    ) -> Result<bool, HandlerError> {
        let mut number = match started.shard.cursor {
            Some(ShardCursor::Page(number)) => number,
            _ => first,
        };
        if number > last {
            return Ok(true);
        }
        let first = account.client.list_articles(&ListQuery::offset(Scope::All, number)).await;
        let mut answer = first.map_err(HandlerError::of_list)?;
        loop {
            let ended = number >= last;
            let reached = Reached {
                cursor: Some(ShardCursor::Page(number + 1)),
                progress: newest
                    .map(|newest| Progress { position: Some(0).filter(|_| !ended), newest: Some(newest) }),
                ..Reached::default()
            };
            let store = self.store_fetched(started, account, Fetched::from(answer), reached);
            if ended {
                store.await?;
                return Ok(true);
            }
            number += 1;
            let query = ListQuery::offset(Scope::All, number);
            let (stored, fetched) = tokio::join!(store, account.client.list_articles(&query));
            stored?;
            answer = fetched.map_err(HandlerError::of_list)?;
        }
    }

    /// The page of the list that changed last.
    pub(crate) async fn read_latest(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<(), HandlerError> {
        let query = ListQuery {
            sort_by: SortBy::UpdatedAt,
            sort_order: SortOrder::Desc,
            ..ListQuery::walk(Scope::All, None)
        };
        let answer = account.client.list_articles(&query).await.map_err(HandlerError::of_list)?;
        self.store_fetched(started, account, Fetched::from(answer), Reached::default()).await?;
        Ok(())
    }

    /// Reads the whole list, oldest first, on from the shard's cursor, which it answers with.
    pub(crate) async fn walk_listing(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<ListCursor, HandlerError> {
        self.walk_cursor(started, account, ListQuery::walk(Scope::All, None), Until::End).await
    }

    /// Reads the list, or where it has to be asked for by locale those of all locales one after the other.
    async fn walk_cursor(
        &self,
        started: &StartedShard,
        account: &Account,
        query: ListQuery,
        until: Until,
    ) -> Result<ListCursor, HandlerError> {
        let locales = &started.list_locales;
        let at = match &started.shard.cursor {
            // A cursor of the list without locale leads nowhere in one of those with.
            Some(ShardCursor::List(at)) if at.locale.is_some() != locales.is_empty() => at.clone(),
            _ => ListCursor { locale: (!locales.is_empty()).then_some(0), ..ListCursor::default() },
        };
        if at.ended {
            return Ok(at);
        }
        let begun =
            ListCursor { locale: at.locale.map(|_| 0), restarts: at.restarts + 1, ..ListCursor::default() };
        match Box::pin(self.follow(started, account, query, &until, at)).await? {
            Walked::To(at) => Ok(at),
            Walked::Nowhere(why) => {
                if begun.restarts <= RESTARTS_MAX {
                    let progress = until.progress(&begun);
                    let reached =
                        Reached { cursor: Some(ShardCursor::List(begun)), progress, ..Reached::default() };
                    self.store_whole(started, account, Vec::new(), PageWrite::default(), reached).await?;
                }
                Err(HandlerError::Passing(why))
            }
        }
    }

    /// Reads on from `at`.
    async fn follow(
        &self,
        started: &StartedShard,
        account: &Account,
        query: ListQuery,
        until: &Until,
        mut at: ListCursor,
    ) -> Result<Walked, HandlerError> {
        let locales = &started.list_locales;
        let page = |at: &ListCursor| {
            let page = PageRef::Cursor { after: at.after.clone(), size: PAGE_SIZE_MAX };
            let locale = at.locale.and_then(|number| locales.get(number)).map(String::as_str);
            (account.client.in_locale(locale), ListQuery { page, ..query.clone() })
        };
        let (client, first) = page(&at);
        let mut answer = match client.list_articles(&first).await {
            Ok(answer) => answer,
            Err(failure) => return nowhere(failure, &at),
        };
        let mut before: Option<HashSet<Key>> = None;
        for turn in 1.. {
            let edge = at.edge;
            at.unordered |= until.is_unordered(&at, &answer.value);
            let in_default_locale = at.locale.unwrap_or(0) == 0;
            pass(&mut at, &answer)?;
            let page_keys: HashSet<Key> = answer.value.articles.iter().map(key).collect();
            let brings = match &before {
                Some(before) => page_keys.iter().any(|key| !before.contains(key)),
                // The first page of a try: of the one before it, only its end is known.
                None => at.edge != edge,
            };
            at.idle = if brings || !answer.value.rejected.is_empty() { 0 } else { at.idle + 1 };
            go_round(&mut at, &page_keys);
            before = Some(page_keys);
            if let Some(why) = leads_nowhere(&at) {
                return Ok(Walked::Nowhere(why));
            }
            at.ended = at.ended || until.is_reached(&at, &answer.value);
            if at.ended {
                at = to_next_locale(at, locales.len());
            }
            let reached = Reached {
                cursor: Some(ShardCursor::List(at.clone())),
                progress: until.progress(&at),
                ..Reached::default()
            };
            let mut fetched = Fetched::from(answer);
            if !in_default_locale {
                // Sections have their names in the default one.
                fetched.sections.clear();
                fetched.categories.clear();
            }
            let store = self.store_fetched(started, account, fetched, reached);
            if at.ended || turn >= PAGES_PER_TURN {
                store.await?;
                break;
            }
            let (client, query) = page(&at);
            let (stored, fetched) = tokio::join!(store, client.list_articles(&query));
            stored?;
            answer = match fetched {
                Ok(answer) => answer,
                Err(failure) => return nowhere(failure, &at),
            };
        }
        Ok(Walked::To(at))
    }
}

/// What following a list came to.
enum Walked {
    To(ListCursor),
    /// The cursor leads to nothing: the list has to be read from its start.
    Nowhere(String),
}

/// A cursor that is refused may have ended, or never have been one.
fn nowhere(failure: Failure, at: &ListCursor) -> Result<Walked, HandlerError> {
    match failure {
        Failure::Rejected { status: 400 | 422, .. } if at.after.is_some() => {
            Ok(Walked::Nowhere(format!("the place in the list is not known any more ({})", chain(&failure))))
        }
        failure => Err(HandlerError::of_list(failure)),
    }
}

/// Where the walk goes on once the list of a locale has ended.
fn to_next_locale(at: ListCursor, locales: usize) -> ListCursor {
    let next = at.locale.map_or(1, |locale| locale + 1);
    if next >= locales {
        return at;
    }
    ListCursor {
        locale: Some(next),
        pages: at.pages,
        newest: at.newest,
        listed: at.listed,
        restarts: at.restarts,
        ..ListCursor::default()
    }
}

/// Goes on past a page.
fn pass(at: &mut ListCursor, answer: &Answer<ListPage>) -> Result<(), HandlerError> {
    let list = &answer.value;
    match &list.next {
        Next::End => (at.after, at.ended) = (None, true),
        Next::Cursor(next) => at.after = Some(next.clone()),
        Next::Offset(_) | Next::Unproven => {
            return Err(HandlerError::Passing("the listing did not say whether it ended".to_owned()));
        }
    }
    at.pages += 1;
    let new = count_new(at, list.articles.iter().map(key).collect()).saturating_add(list.rejected.len());
    let locale = at.locale.unwrap_or(0);
    at.listed.resize(at.listed.len().max(locale + 1), 0);
    at.listed[locale] = at.listed[locale].saturating_add(i64::try_from(new).unwrap_or(i64::MAX));
    if let Some(last) = list.articles.last() {
        at.edge = Some(key(last));
    }
    if let Some(last) = list.articles.last() {
        at.oldest_change = Some(last.updated_at.as_second());
    }
    if at.pages == 1 {
        at.newest = list.articles.iter().map(|article| article.updated_at.as_second()).max();
    }
    Ok(())
}

/// Of the articles of a page (creation in ms, id) those that the walk has not read before. Oldest first, they are later
/// than all before them. What comes late counts as read before: a list that keeps no order is counted too short, which
/// costs another reading, and never too long, which would hide what it lacks.
fn count_new(at: &mut ListCursor, mut page: Vec<(i64, i64)>) -> usize {
    page.sort_unstable();
    let mut new = 0;
    for (created, id) in page {
        if at.latest < Some(created) {
            (at.latest, at.tied) = (Some(created), Vec::new());
        } else if at.latest > Some(created) || at.tied.len() >= TIED_MAX || at.tied.contains(&id) {
            continue;
        }
        at.tied.push(id);
        new += 1;
    }
    new
}

/// How far a walk by cursor goes, unless the list ends before.
enum Until {
    /// All of it; the mark stays where it is.
    End,
    /// So many pages; then the mark may be this.
    Pages(u64, i64),
    /// Down to this time of change.
    Changed(i64),
}

impl Until {
    fn is_reached(&self, at: &ListCursor, page: &ListPage) -> bool {
        match self {
            Self::End => false,
            Self::Pages(pages, _) => at.pages >= *pages,
            Self::Changed(until) => {
                !at.unordered && page.articles.last().is_some_and(|last| last.updated_at.as_second() < *until)
            }
        }
    }

    /// Whether a page is not in the order that the walk relies on to stop before the list's end: where `sort_by` is
    /// ignored, what has changed may stand anywhere. `at` is where the walk stood before the page.
    fn is_unordered(&self, at: &ListCursor, page: &ListPage) -> bool {
        if !matches!(self, Self::Changed(_)) {
            return false;
        }
        let times = page.articles.iter().map(|article| article.updated_at.as_second());
        at.oldest_change.into_iter().chain(times).is_sorted_by(|earlier, later| earlier >= later).not()
    }

    fn progress(&self, at: &ListCursor) -> Option<Progress> {
        match self {
            Self::End => None,
            Self::Pages(_, newest) => {
                Some(Progress { position: Some(0).filter(|_| !at.ended), newest: Some(*newest) })
            }
            Self::Changed(until) => {
                Some(Progress { position: Some(*until).filter(|_| !at.ended), newest: at.newest })
            }
        }
    }
}

pub(crate) fn yielded_turn() -> ShardEnd {
    ShardEnd::Snooze { wait: Duration::ZERO, kind: WaitKind::Turn, reason: "its turn".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(after: Option<&str>, edge: (i64, i64)) -> ListCursor {
        ListCursor {
            after: after.map(str::to_owned),
            pages: 3,
            edge: Some(edge),
            ended: true,
            ..ListCursor::default()
        }
    }

    #[test]
    fn an_article_that_comes_again_is_counted_once() {
        let mut at = ListCursor::default();
        assert_eq!(count_new(&mut at, vec![(1, 5), (2, 6), (2, 4), (1, 5)]), 3);
        assert_eq!(count_new(&mut at, vec![(2, 4), (2, 7), (1, 5), (3, 1)]), 2);
        assert_eq!(count_new(&mut at, vec![(3, 1)]), 0);
    }

    #[test]
    fn two_walks_are_the_whole_list_only_when_they_overlap_or_one_saw_the_other_end() {
        assert!(have_met(&at(Some("a"), (5, 2)), &at(Some("b"), (5, 2))));
        assert!(have_met(&at(Some("a"), (6, 1)), &at(Some("b"), (5, 2))));
        assert!(!have_met(&at(Some("a"), (5, 1)), &at(Some("b"), (5, 2))));
        assert!(have_met(&at(None, (1, 1)), &at(Some("b"), (5, 2))));
        assert!(!have_met(&ListCursor::default(), &ListCursor::default()));
    }
}
