//! Help centers whose lists are refused without a locale, as Zendesk documents it for end users. The lists of all locales
//! are read then, each once. An article that has several translations stands in several lists, so there is no count of
//! the whole: each list is compared with its own.

use std::collections::HashSet;
use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{ExportAccess, ListEnd, ListParams, Plan, RunKind, ShardCursor, chain};
use helpsync_store::{RunNote, StartedShard};
use helpsync_zendesk::{
    Answer, Article, Failure, ListPage, ListQuery, Locales, OFFSET_RECORDS_MAX, PAGE_SIZE_MAX, Scope, SortBy,
    SortOrder, same_locale,
};

use crate::completeness::{COUNTS_MAX, Listing};
use crate::find_removed::Compared;
use crate::page::{Fetched, Reached};
use crate::plan::latest;
use crate::{Engine, HandlerError};

/// Locales that are read; Zendesk has fewer.
const LOCALES_MAX: usize = 200;
/// What changed so long before the run began counts as changed meanwhile: their clock may be behind ours.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

/// Lists that are to be had by locale only.
pub(crate) struct ByLocale {
    /// The default one first.
    pub(crate) locales: Vec<String>,
    /// What [`latest`] said of that one.
    pub(crate) latest: Answer<ListPage>,
}

/// Whether a list is refused that may be to be had by locale.
pub(crate) const fn is_refusal(failure: &Failure) -> bool {
    matches!(failure, Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Rejected { .. })
}

/// An article by its id: without a locale, and if that is refused in each of the locales.
pub(crate) async fn article_anywhere(
    started: &StartedShard,
    account: &Account,
    id: i64,
) -> Result<Answer<Article>, Failure> {
    let mut answer = account.client.in_locale(None).article(id).await;
    for locale in &started.list_locales {
        match answer {
            Err(
                Failure::NotFound(_) | Failure::Forbidden(_) | Failure::Rejected { status: 400 | 422, .. },
            ) => {
                answer = account.client.in_locale(Some(locale)).article(id).await;
            }
            answer => return answer,
        }
    }
    answer
}

impl Engine {
    /// After a list was refused: whether it is to be had by locale, which is noted. To agents and administrators it is
    /// to be had without, so that their refusal has another cause.
    pub(crate) async fn learn_locales(
        &self,
        started: &StartedShard,
        account: &Account,
        error: &HandlerError,
    ) -> Result<bool, HandlerError> {
        let refused = matches!(
            error,
            HandlerError::NoHelpCenter(_)
                | HandlerError::Zendesk(Failure::Rejected { status: 400 | 422, .. })
        );
        if !refused || !started.list_locales.is_empty() {
            return Ok(false);
        }
        if started.export_access == Some(ExportAccess::Allowed) {
            let answer = account.client.export_articles(self.since(started)).await;
            if !matches!(answer, Err(Failure::NotFound(_) | Failure::Forbidden(_))) {
                return Ok(false);
            }
        }
        Ok(self.lists_by_locale(started, account, error).await?.is_some())
    }

    /// The locales by which lists are to be had that are refused without, which is noted.
    pub(crate) async fn lists_by_locale(
        &self,
        started: &StartedShard,
        account: &Account,
        error: &HandlerError,
    ) -> Result<Option<ByLocale>, HandlerError> {
        let Some(locales) = locales(account).await else { return Ok(None) };
        let Some(first) = locales.first() else { return Ok(None) };
        // Both at once: what was refused before may have been the export, or a help center that was away for a moment.
        let client = account.client.in_locale(Some(first));
        let (plain, latest) = tokio::join!(account.client.count_articles(), latest(&client));
        let (Err(plain), Ok(latest)) = (plain, latest) else { return Ok(None) };
        if !is_refusal(&plain) || latest.value.count.is_none() {
            return Ok(None);
        }
        tracing::info!(connection = %started.fence.connection, error = chain(error), locales = locales.len(),
            "lists are read by locale");
        let note = RunNote { list_locales: Some(locales.clone()), ..RunNote::default() };
        self.store.note_run(&started.fence, &note).await?;
        Ok(Some(ByLocale { locales, latest }))
    }

    /// Where lists are read by locale: a full run and an audit ask whether the help center has other locales by now, and
    /// where the export answers, whether lists still want one. A locale goes when its list does, for what stands in it alone
    /// would go with it. What is found counts from the next shard on.
    pub(crate) async fn look_for_locales(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<(), HandlerError> {
        if started.list_locales.is_empty() || !self.is_audit(started) && started.run.kind == RunKind::Delta {
            return Ok(());
        }
        // Lists by locale hold what a list without may leave out. Only the export is known to hold everything.
        let may_do_without = started.export_access == Some(ExportAccess::Allowed);
        // A count is a page of the list.
        if may_do_without && account.client.in_locale(None).count_articles().await.is_ok() {
            tracing::info!(connection = %started.fence.connection, "lists are read without a locale again");
            let note = RunNote { list_locales: Some(Vec::new()), ..RunNote::default() };
            return Ok(self.store.note_run(&started.fence, &note).await?);
        }
        if let Some(mut now) = locales(account).await.filter(|now| !now.is_empty()) {
            for known in &started.list_locales {
                if !now.iter().any(|locale| same_locale(locale, known))
                    && account.client.in_locale(Some(known)).count_articles().await.is_ok()
                {
                    now.push(known.clone());
                }
            }
            if now != started.list_locales {
                let note = RunNote { list_locales: Some(now), ..RunNote::default() };
                self.store.note_run(&started.fence, &note).await?;
            }
        }
        Ok(())
    }

    /// Whether anything is gone, as far as the lists' counts tell.
    pub(crate) async fn compare_locales(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Compared, HandlerError> {
        let counts = self.counts(started, account).await?;
        let whole = started.run.plan == Some(Plan::Locales) && started.run.kind == RunKind::Full;
        let listed = if whole { self.listed(started).await? } else { None };
        if let Some(listed) = listed.filter(|listed| missing(&counts, listed) == 0) {
            tracing::debug!(connection = %started.fence.connection, ?listed, "every locale was listed");
            self.note_counts(started, counts).await?;
            return Ok(Compared::Listed);
        }
        let lost = started.export_access == Some(ExportAccess::Lost);
        let same = started.locale_counts.as_ref() == Some(&counts);
        Ok(if self.is_audit(started) || lost || !same { Compared::Unclear } else { Compared::Same })
    }

    /// After listing every locale: what the lists' counts say of it.
    pub(crate) async fn compare_listed(
        &self,
        started: &StartedShard,
        account: &Account,
        listed: &[i64],
    ) -> Result<Listing, HandlerError> {
        let (mut last, mut listed) = (None, listed.to_vec());
        let mut read_again = false;
        for _ in 0..COUNTS_MAX {
            let counts = self.counts(started, account).await?;
            let short = missing(&counts, &listed);
            if short == 0 {
                self.note_counts(started, counts).await?;
                return Ok(Listing::Whole);
            }
            if last.as_ref() == Some(&counts) {
                if self.changes_meanwhile(started, account).await? {
                    return Ok(Listing::Moving);
                }
                if !read_again {
                    read_again = true;
                    self.read_short_lists(started, account, &counts, &mut listed).await?;
                    continue;
                }
                let (connection, run) = (started.fence.connection, started.fence.run);
                let seen = self.store.seen_articles(connection, run).await?;
                // They are among what was listed: they do not make up for what is missing.
                let nameless = self.store.nameless_records(run).await?;
                let owed = seen.saturating_add(nameless).saturating_add(short);
                let note = RunNote { owed: Some(owed), ..RunNote::default() };
                self.store.note_run(&started.fence, &note).await?;
                return Ok(Listing::Whole);
            }
            last = Some(counts);
        }
        Ok(Listing::Moving)
    }

    /// Reads the lists that were short once more, by page number in place of the cursor, where page numbers reach. That
    /// brings what the cursor left out, and tells a list that repeats articles from one that is in another order.
    async fn read_short_lists(
        &self,
        started: &StartedShard,
        account: &Account,
        counts: &[i64],
        listed: &mut [i64],
    ) -> Result<(), HandlerError> {
        for ((locale, count), listed) in started.list_locales.iter().zip(counts).zip(listed) {
            let records = u64::try_from(*count).unwrap_or(0);
            if *listed >= *count || records > OFFSET_RECORDS_MAX {
                continue;
            }
            let pages = u32::try_from(records.div_ceil(u64::from(PAGE_SIZE_MAX))).unwrap_or(u32::MAX);
            // As many as page numbers reach, at most.
            let (mut ids, mut rejected) = (HashSet::new(), 0);
            let client = account.client.in_locale(Some(locale));
            for number in 1..=pages {
                let answer = client.list_articles(&ListQuery::offset(Scope::All, number)).await;
                let answer = answer.map_err(HandlerError::of_list)?;
                ids.extend(answer.value.articles.iter().map(|article| article.id));
                rejected += answer.value.rejected.len();
                let mut fetched = Fetched::from(answer);
                // Sections have their names in the default one.
                fetched.sections.clear();
                fetched.categories.clear();
                self.store_fetched(started, account, fetched, Reached::default()).await?;
            }
            *listed = (*listed).max(i64::try_from(ids.len() + rejected).unwrap_or(i64::MAX));
        }
        Ok(())
    }

    async fn note_counts(&self, started: &StartedShard, counts: Vec<i64>) -> Result<(), HandlerError> {
        let note = RunNote { locale_counts: Some(counts), ..RunNote::default() };
        Ok(self.store.note_run(&started.fence, &note).await?)
    }

    /// How many articles each locale has now.
    async fn counts(&self, started: &StartedShard, account: &Account) -> Result<Vec<i64>, HandlerError> {
        let mut counts = Vec::with_capacity(started.list_locales.len());
        for locale in &started.list_locales {
            let answer = account.client.in_locale(Some(locale)).count_articles().await;
            let answer = answer.map_err(HandlerError::of_list)?;
            counts.push(i64::try_from(answer.value).unwrap_or(i64::MAX));
        }
        let note = RunNote { remote_count: counts.iter().copied().max(), ..RunNote::default() };
        self.store.note_run(&started.fence, &note).await?;
        Ok(counts)
    }

    /// How many articles of each locale the run's walk has listed.
    async fn listed(&self, started: &StartedShard) -> Result<Option<Vec<i64>>, HandlerError> {
        let walks = self.store.list_walks(started.fence.run).await?;
        let walk = walks.into_iter().find_map(|walk| match (walk.params, walk.cursor) {
            (ListParams::End { from: ListEnd::Oldest, .. }, Some(ShardCursor::List(at))) if at.ended => {
                Some(at)
            }
            _ => None,
        });
        Ok(walk.filter(|at| at.listed.len() == started.list_locales.len()).map(|at| at.listed))
    }

    /// Whether an article of a locale has changed since the run began: what changed last of each is read and stored.
    async fn changes_meanwhile(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<bool, HandlerError> {
        let began = Duration::from_millis(started.run.started_at.unwrap_or(0).try_into().unwrap_or(0));
        let since = i64::try_from(began.saturating_sub(CLOCKS_DIFFER).as_secs()).unwrap_or(i64::MAX);
        let mut changes = false;
        for locale in &started.list_locales {
            let query = ListQuery {
                sort_by: SortBy::UpdatedAt,
                sort_order: SortOrder::Desc,
                ..ListQuery::walk(Scope::All, None)
            };
            let answer = account.client.in_locale(Some(locale)).list_articles(&query).await;
            let answer = answer.map_err(HandlerError::of_list)?;
            changes |= answer.value.articles.iter().any(|article| article.updated_at.as_second() >= since);
            self.store_fetched(started, account, Fetched::from(answer), Reached::default()).await?;
        }
        Ok(changes)
    }
}

/// How many articles of the locale that lacks most were not listed.
fn missing(counts: &[i64], listed: &[i64]) -> i64 {
    let listed = listed.iter().copied().chain(std::iter::repeat(0));
    counts.iter().zip(listed).map(|(count, listed)| count.saturating_sub(listed).max(0)).max().unwrap_or(0)
}

/// The default locale first. `None`: the help center does not tell.
async fn locales(account: &Account) -> Option<Vec<String>> {
    let Locales { mut locales, default_locale } = account.client.locales().await.ok()?.value;
    if let Some(default) = default_locale {
        match locales.iter().position(|locale| same_locale(locale, &default)) {
            Some(at) => locales[..=at].rotate_right(1),
            // What the list leaves out is one of its locales if it has articles.
            None if account.client.in_locale(Some(&default)).count_articles().await.is_ok() => {
                locales.insert(0, default);
            }
            None => {}
        }
    }
    locales.truncate(LOCALES_MAX);
    Some(locales)
}
