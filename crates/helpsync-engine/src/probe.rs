//! Finding few removals by rank.
//!
//! In the order of creation theirs is ours without what is gone, so pages agree up to the first removal and differ
//! from there on: halving finds it. One page tells of a hundred ranks. Page numbers reach 10,000 records deep; beyond
//! that counts by category, then by section, say where to look.
//!
//! Whatever does not fit this picture (an article that we do not know, a record that cannot be read, counts that do
//! not add up) leaves the question to the listing. What is found is only hidden; confirming it is another matter.

use std::collections::{BTreeMap, HashMap, HashSet};

use helpsync_account::Account;
use helpsync_store::{ItemKind, LedgerEntry, StartedShard};
use helpsync_zendesk::{Failure, ListQuery, OFFSET_RECORDS_MAX, PAGE_SIZE_MAX, PageRef, Scope};

use crate::{Engine, HandlerError};

/// Ranks that one page tells of.
const PAGE: usize = PAGE_SIZE_MAX as usize;
/// Records that page numbers reach.
const DEPTH: usize = OFFSET_RECORDS_MAX as usize;
/// Sections may be nested; a circle of them ends here.
const PARENTS_MAX: usize = 16;

/// Requests that probing for `gone` of `known` articles takes at most.
fn probes_max(known: usize, gone: usize) -> usize {
    let pages = known.div_ceil(PAGE);
    gone.saturating_mul((pages + 1).next_power_of_two().ilog2() as usize)
}

/// Requests that finding `gone` articles takes at most by probing, where Zendesk counts `count`, page numbers reach all of
/// them, and listing everything takes more. `None`: it is listed, or counts by category say more.
#[must_use]
pub fn probes(count: usize, gone: usize, listing: usize) -> Option<usize> {
    (count <= DEPTH).then(|| probes_max(count, gone)).filter(|probes| *probes < listing)
}

/// Finds the first page that differs from ours, and what is missing on it.
#[derive(Debug)]
struct Search {
    ours: Vec<i64>,
    count: usize,
    gone: Vec<i64>,
    /// Pages below agree; pages from `high` on differ. From 1.
    low: usize,
    high: usize,
    /// Theirs at `high`.
    differing: Vec<i64>,
}

impl Search {
    fn new(ours: Vec<i64>, count: usize) -> Self {
        let high = count.div_ceil(PAGE) + 1;
        Self { ours, count, gone: Vec::new(), low: 1, high, differing: Vec::new() }
    }

    /// The page to ask for next; `None`: everything is found.
    fn next(&mut self) -> Option<usize> {
        if self.ours.len() <= self.count {
            return None;
        }
        if self.low < self.high {
            return Some(usize::midpoint(self.low, self.high));
        }
        // Every page agrees: what is missing came after the last of theirs.
        self.gone.extend(self.ours.split_off(self.count));
        None
    }

    /// Takes page `number`; false when it cannot be theirs.
    fn take(&mut self, number: usize, theirs: Vec<i64>) -> bool {
        let from = (number - 1) * PAGE;
        let until = (from + PAGE).min(self.ours.len());
        if self.ours.get(from..until) == Some(&theirs[..]) {
            self.low = number + 1;
        } else {
            self.high = number;
            self.differing = theirs;
        }
        self.low < self.high || self.differing.is_empty() || self.compare()
    }

    /// Finds what is missing on the first page that differs, and goes on behind it.
    fn compare(&mut self) -> bool {
        let theirs = std::mem::take(&mut self.differing);
        let mut at = (self.low - 1) * PAGE;
        let left: HashSet<i64> = self.ours.get(at..).unwrap_or_default().iter().copied().collect();
        let mut found = Vec::new();
        for id in &theirs {
            if !left.contains(id) {
                return false;
            }
            while self.ours.get(at).is_some_and(|ours| ours != id) {
                found.push(self.ours.remove(at));
            }
            if self.ours.get(at) != Some(id) {
                return false; // in another order than ours
            }
            at += 1;
        }
        if theirs.len() < PAGE {
            found.extend(self.ours.split_off(at));
        }
        let progress = !found.is_empty();
        self.gone.extend(found);
        (self.low, self.high) = (self.low + 1, self.count.div_ceil(PAGE) + 1);
        progress && self.ours.len() >= self.count && self.low <= self.high
    }
}

impl Engine {
    /// The articles of the ledger that are gone, Zendesk counting only `count`. `None`: a listing costs less, or only
    /// that can tell.
    pub(crate) async fn probe(
        &self,
        started: &StartedShard,
        account: &Account,
        ledger: &[LedgerEntry],
        count: usize,
    ) -> Result<Option<Vec<i64>>, HandlerError> {
        let listing = count.div_ceil(self.articles_a_request(started));
        if ledger.iter().any(|entry| entry.created_at == 0) || ledger.len() <= count {
            return Ok(None);
        }
        let mut probe = Probe { account };
        let found = if count <= DEPTH {
            if probes(count, ledger.len() - count, listing).is_none() {
                return Ok(None);
            }
            let ours = ledger.iter().map(|entry| entry.article_id).collect();
            probe.scope(Scope::All, ours, count).await?
        } else {
            let parents = self.store.section_parents(started.fence.connection).await?;
            probe.by_category(ledger, &parents, ledger.len() - count, listing).await?
        };
        Ok(found.filter(|gone| ledger.len() - gone.len() == count))
    }
}

struct Probe<'a> {
    account: &'a Account,
}

impl Probe<'_> {
    async fn scope(
        &mut self,
        scope: Scope,
        ours: Vec<i64>,
        count: usize,
    ) -> Result<Option<Vec<i64>>, HandlerError> {
        let mut search = Search::new(ours, count);
        while let Some(number) = search.next() {
            let page = u32::try_from(number).unwrap_or(u32::MAX);
            let query = ListQuery { sideload: false, ..ListQuery::offset(scope, page) };
            let answer = self.account.client.list_articles(&query).await.map_err(HandlerError::of_list)?;
            // A record that could not be read leaves a gap whose place is unknown.
            if !answer.value.rejected.is_empty() {
                return Ok(None);
            }
            let mut theirs: Vec<i64> = answer.value.articles.iter().map(|article| article.id).collect();
            theirs.dedup();
            if !search.take(number, theirs) {
                return Ok(None);
            }
        }
        Ok(Some(search.gone))
    }

    /// Counts every category until the places of all `gone` are known, then the sections of those that are too large.
    async fn by_category(
        &mut self,
        ledger: &[LedgerEntry],
        parents: &HashMap<i64, (ItemKind, i64)>,
        gone: usize,
        listing: usize,
    ) -> Result<Option<Vec<i64>>, HandlerError> {
        let mut tree: BTreeMap<i64, BTreeMap<i64, Vec<i64>>> = BTreeMap::new();
        for entry in ledger {
            let Some(section) = entry.section_id else { return Ok(None) };
            let Some(category) = category_of(section, parents) else { return Ok(None) };
            tree.entry(category).or_default().entry(section).or_default().push(entry.article_id);
        }
        let sections = tree.values().map(BTreeMap::len).max().unwrap_or(0);
        let places = tree.len().saturating_add(gone.saturating_mul(sections));
        if places.saturating_add(probes_max(DEPTH, gone)) >= listing {
            return Ok(None);
        }
        let order: HashMap<i64, usize> =
            ledger.iter().enumerate().map(|(rank, entry)| (entry.article_id, rank)).collect();
        let sizes: Vec<(i64, usize)> =
            tree.iter().map(|(id, sections)| (*id, sections.values().map(Vec::len).sum())).collect();
        let Some(short) = self.shortfalls(&sizes, Scope::Category, gone).await? else { return Ok(None) };
        let mut found = Vec::new();
        for (category, size, missing) in short {
            let Some(sections) = tree.remove(&category) else { return Ok(None) };
            let mut scopes = Vec::new();
            if size - missing <= DEPTH {
                let mut ours: Vec<i64> = sections.into_values().flatten().collect();
                ours.sort_by_key(|id| order.get(id));
                scopes.push((Scope::Category(category), ours, missing));
            } else {
                let sizes: Vec<_> = sections.iter().map(|(id, articles)| (*id, articles.len())).collect();
                let Some(short) = self.shortfalls(&sizes, Scope::Section, missing).await? else {
                    return Ok(None);
                };
                for (section, size, missing) in short {
                    if size - missing > DEPTH {
                        return Ok(None);
                    }
                    let ours = sections.get(&section).cloned().unwrap_or_default();
                    scopes.push((Scope::Section(section), ours, missing));
                }
            }
            for (scope, ours, missing) in scopes {
                let count = ours.len() - missing;
                if count == 0 {
                    found.extend(ours);
                    continue;
                }
                let Some(gone) = self.scope(scope, ours, count).await? else { return Ok(None) };
                found.extend(gone);
            }
        }
        Ok(Some(found))
    }

    /// Where Zendesk counts fewer than we do: id, our count, and by how many. `None` when it counts more somewhere.
    async fn shortfalls(
        &mut self,
        sizes: &[(i64, usize)],
        scope: impl Fn(i64) -> Scope,
        gone: usize,
    ) -> Result<Option<Vec<(i64, usize, usize)>>, HandlerError> {
        let mut left = gone;
        let mut short = Vec::new();
        for (number, (id, ours)) in sizes.iter().enumerate() {
            if left == 0 {
                break;
            }
            // The last one's share is what is left.
            let theirs = if number + 1 == sizes.len() {
                ours.saturating_sub(left)
            } else {
                self.count(scope(*id)).await?
            };
            let Some(missing) = ours.checked_sub(theirs).filter(|missing| *missing <= left) else {
                return Ok(None);
            };
            left -= missing;
            if missing > 0 {
                short.push((*id, *ours, missing));
            }
        }
        Ok(Some(short).filter(|_| left == 0))
    }

    async fn count(&mut self, scope: Scope) -> Result<usize, HandlerError> {
        let query = ListQuery {
            page: PageRef::Offset { page: 1, per_page: 1 },
            sideload: false,
            ..ListQuery::walk(scope, None)
        };
        match self.account.client.list_articles(&query).await {
            Ok(answer) => {
                let count = answer.value.count.and_then(|count| usize::try_from(count).ok());
                count.ok_or_else(|| HandlerError::Passing("the list has no count".to_owned()))
            }
            // The whole section or category is gone, or so it says: what was in it is asked for all the same.
            Err(Failure::NotFound(_)) => Ok(0),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn category_of(section: i64, parents: &HashMap<i64, (ItemKind, i64)>) -> Option<i64> {
    let mut at = section;
    for _ in 0..PARENTS_MAX {
        match parents.get(&at)? {
            (ItemKind::Category, id) => return Some(*id),
            (ItemKind::Section, id) => at = *id,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a search against a list; what it found and how many pages it asked for.
    fn search(ours: &[i64], theirs: &[i64]) -> Option<(Vec<i64>, usize)> {
        let mut search = Search::new(ours.to_vec(), theirs.len());
        let mut asked = 0;
        while let Some(number) = search.next() {
            asked += 1;
            assert!(asked <= ours.len() + 20, "it does not end");
            let page = theirs.iter().skip((number - 1) * PAGE).take(PAGE).copied().collect();
            if !search.take(number, page) {
                return None;
            }
        }
        search.gone.sort_unstable();
        Some((search.gone, asked))
    }

    #[test]
    fn one_removal_among_ten_thousand_takes_seven_pages() {
        let ours: Vec<i64> = (0..10_000).collect();
        for gone in [0, 99, 100, 4_321, 9_899, 9_999] {
            let theirs: Vec<i64> = ours.iter().copied().filter(|id| *id != gone).collect();
            let (found, asked) = search(&ours, &theirs).unwrap();
            assert_eq!(found, [gone]);
            assert!(asked <= 7, "{gone}: {asked}");
        }
    }

    #[test]
    fn an_article_that_we_do_not_know_is_left_to_the_listing() {
        let ours: Vec<i64> = (0..500).collect();
        let theirs: Vec<i64> = (0..499).map(|id| if id == 200 { 9_999 } else { id }).collect();
        assert_eq!(search(&ours, &theirs), None);
        // Two of the page that differs have changed places.
        let mut swapped: Vec<i64> = (0..499).collect();
        swapped.swap(450, 451);
        assert_eq!(search(&ours, &swapped), None);
    }

    proptest! {
        #[test]
        fn exactly_what_is_missing_is_found_within_the_bound(
            known in 1_usize..3_000, gone in proptest::collection::hash_set(0_i64..3_000, 1..6),
        ) {
            let ours: Vec<i64> = (0..i64::try_from(known).unwrap()).collect();
            let theirs: Vec<i64> = ours.iter().copied().filter(|id| !gone.contains(id)).collect();
            let mut missing: Vec<i64> = gone.into_iter().filter(|id| ours.contains(id)).collect();
            missing.sort_unstable();
            let (found, asked) = search(&ours, &theirs).unwrap();
            prop_assert_eq!(&found, &missing);
            prop_assert!(asked <= probes_max(known, missing.len()), "{} pages", asked);
        }
    }
}
