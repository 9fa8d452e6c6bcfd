//! `walk_export`: reads the incremental export over a range of time, `start <= updated_at < end`.
//!
//! Pages come in the order of change, so everything before the next page's start is stored once this one is. The next
//! page is fetched while this one is converted and stored. A range that turns out heavy hands its later half to a
//! shard of its own; the last range is open and ends where Zendesk says that there is no more.

use std::ops::ControlFlow;
use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{
    ExportAccess, ExportCursor, ExportRange, RunKind, ShardCursor, ShardParams, WaitKind, chain,
};
use helpsync_store::{GoesOn, NewShard, Progress, RunNote, ShardEnd, Split, StartedShard};
use helpsync_zendesk::{Answer, ExportPage, Failure, ListPage};

use crate::locales::is_refusal;
use crate::page::{Fetched, Reached, Stored};
use crate::plan::{NoExport, latest};
use crate::walk_list::yielded_turn;
use crate::{Engine, Handled, HandlerError};

/// Pages read before the shard goes back to the end of the queue, so that others get their turn.
const PAGES_PER_TURN: u32 = 100;
/// Pages without an article, one after the other, before the export counts as one that does not lead on.
pub(crate) const EMPTY_PAGES_MAX: u32 = 10;
/// Ranges of one run. Each one more may cost a request: its last page is not full.
pub const RANGES_MAX: i64 = 3;
/// A range is heavy when so many full pages did not end it.
const HEAVY_PAGES: u64 = 2;
/// A range shorter than this is not cut, in seconds.
const CUT_SECONDS_MIN: i64 = 3_600;
/// So long after its begin a second is over, also by a clock that is a little behind ours.
const SECOND_OVER_MS: i64 = 3_000;
/// The longest wait for that: our clock may be behind theirs.
const SECOND_WAIT_MAX_MS: u64 = 15_000;
/// Tries of a start that fails in a way that may pass, before the list takes over.
const EXPORT_TRIES: i64 = 3;
/// Refusals of an export that has answered before, until the grant counts as one that it answers no more.
const REFUSALS: i64 = 2;
/// How far back a start is taken that Zendesk calls too recent, doubled at each further refusal, in seconds.
const STEP_BACK_SECONDS: i64 = 120;
/// A start that is refused and lies further back is refused for another reason.
const RECENT_SECONDS: i64 = 3_600;
/// Refusals of one start before that is an error.
const STEPS_BACK_MAX: u32 = 5;

/// What is left of a range: all of it before the first page.
fn left(started: &StartedShard, range: ExportRange) -> ExportCursor {
    match started.shard.cursor {
        Some(ShardCursor::Export(left)) => left,
        _ => ExportCursor { start: range.start, end: range.end, ..ExportCursor::default() },
    }
}

/// Half of what is left, for a shard of its own. The present only places the cut: wherever it lies, nothing is missed
/// or lost by it.
#[must_use]
pub fn split(left: ExportCursor, now: i64) -> Option<Split> {
    let end = left.end.unwrap_or(now);
    if left.pages < HEAVY_PAGES || end.saturating_sub(left.start) < CUT_SECONDS_MIN {
        return None;
    }
    let cut = left.start + (end - left.start) / 2;
    let later = ExportRange { start: cut, end: left.end, everything: false };
    Some(Split {
        shard: NewShard {
            key: format!("walk_export-{cut}"),
            params: ShardParams::WalkExport(later),
            position: Some(cut),
        },
        cursor: ShardCursor::Export(ExportCursor { end: Some(cut), pages: 0, ..left }),
        shards_max: RANGES_MAX,
    })
}

/// Where the export goes on behind a page that began at `start`; `None`: it has ended. `next_page` may name the page just
/// read, or one before it, at the end of an export that never says null: its articles then tell how far it came. `start`
/// itself: as far as they tell, it is stuck in that second.
fn leads_to(page: &ExportPage, start: i64) -> Option<i64> {
    let next = page.next_start?;
    if next > start {
        return Some(next);
    }
    if page.is_empty() { None } else { Some(page.latest().unwrap_or(next).max(start)) }
}

/// Whether a page ends an export that never says so, and names the present second in place of null: it is empty, and leads
/// to what has happened since the reading began (epoch seconds), which is the next delta's. Their clock says what is present,
/// ours only where theirs is not told.
pub(crate) fn is_the_end(page: &Answer<ExportPage>, next: i64, began: i64) -> bool {
    page.value.is_empty() && next >= page.date.unwrap_or(began)
}

/// What following a page came to.
enum Followed {
    Page(Box<Answer<ExportPage>>),
    /// What changed in the last minute is not to be had yet: it is the next delta's, which starts here.
    TooRecent,
    /// The shard starts anew from its cursor, and there the list takes over.
    Elsewhere,
}

impl Engine {
    pub(crate) async fn walk_export(
        &self,
        started: &StartedShard,
        account: &Account,
        range: ExportRange,
        onward: GoesOn<'_>,
    ) -> Result<Handled, HandlerError> {
        let everything = range.everything;
        let mut range = left(started, range);
        if range.ended {
            return Ok(ShardEnd::Done(Vec::new()).into());
        }
        let began = self.clock.now_ms() / 1000;
        let mut answer = match self.first_page(started, account, range.start, everything).await? {
            ControlFlow::Continue(answer) => answer,
            ControlFlow::Break(handled) => return Ok(handled),
        };
        let mut may_split = true;
        let mut empty = 0;
        for turn in 1_u32.. {
            empty = if answer.value.is_empty() { empty + 1 } else { 0 };
            // An empty page carries `end_time: 1`; only `next_page` says where to go on.
            let next = leads_to(&answer.value, range.start)
                .filter(|next| range.end.is_none_or(|end| *next < end) && !is_the_end(&answer, *next, began));
            let Some(mut next) = next else {
                range.ended = true;
                let stored = self.store_export_page(started, account, answer, &range, None, Some(onward));
                return Ok(Handled::Ended(stored.await?.next));
            };
            if next <= range.start {
                let second = range.start;
                if started.passed_second.is_none_or(|passed| second > passed) {
                    if let Some(wait) = self.until_over(second) {
                        let reason = "a second that is not over".to_owned();
                        return Ok(ShardEnd::Snooze { wait, kind: WaitKind::Moment, reason }.into());
                    }
                    self.store_export_page(started, account, answer, &range, None, None).await?;
                    return self.list_on(started, account, everything, NoExport::Crowded(second)).await;
                }
                next = second + 1;
            }
            if empty >= EMPTY_PAGES_MAX {
                return self.list_on(started, account, everything, NoExport::Endless(range.start)).await;
            }
            range.start = next;
            range.pages += 1;
            let cut = split(range, self.clock.now_ms() / 1000).filter(|_| may_split);
            let followed = if cut.is_some() || turn >= PAGES_PER_TURN {
                let stored = self.store_export_page(started, account, answer, &range, cut, None).await?;
                if stored.outcome.split || turn >= PAGES_PER_TURN {
                    break;
                }
                may_split = false;
                self.next_page(account, next).await?
            } else {
                let stored = self.store_export_page(started, account, answer, &range, None, None);
                let (stored, fetched) = tokio::join!(stored, self.next_page(account, next));
                stored?;
                fetched?
            };
            answer = match followed {
                Followed::Page(page) => *page,
                Followed::TooRecent => return Ok(ShardEnd::Done(Vec::new()).into()),
                Followed::Elsewhere => break,
            };
        }
        Ok(yielded_turn().into())
    }

    /// The first page of a turn, beside a look at the list where one is due; or how the shard ends where there is no export.
    async fn first_page(
        &self,
        started: &StartedShard,
        account: &Account,
        start: i64,
        everything: bool,
    ) -> Result<ControlFlow<Handled, Answer<ExportPage>>, HandlerError> {
        let (first, beside) =
            tokio::join!(self.export_from(account, start), self.look_beside(started, account));
        match first {
            Ok(answer) => {
                let counted = beside.and_then(Result::ok).and_then(|latest| latest.value.count);
                let remote_count = counted.and_then(|count| i64::try_from(count).ok());
                self.note_allowed(started, RunNote { remote_count, ..RunNote::default() }).await?;
                Ok(ControlFlow::Continue(answer))
            }
            Err(failure) => {
                let why = self.no_export(started, start, failure)?;
                let listed = match (beside, why) {
                    (Some(Ok(latest)), why) => self.list_instead(started, &latest, everything, why).await?,
                    (Some(Err(failure)), why @ NoExport::Refused(_)) if is_refusal(&failure) => {
                        self.list_by_locale_instead(started, account, everything, why, failure).await?
                    }
                    (_, why) => {
                        return self.list_on(started, account, everything, why).await.map(ControlFlow::Break);
                    }
                };
                Ok(ControlFlow::Break(listed.into()))
            }
        }
    }

    /// [`Engine::list_instead`] where the list was refused too: that of an end user may be to be had by locale.
    async fn list_by_locale_instead(
        &self,
        started: &StartedShard,
        account: &Account,
        everything: bool,
        why: NoExport,
        failure: Failure,
    ) -> Result<ShardEnd, HandlerError> {
        let refused = HandlerError::of_list(failure);
        let Some(by) = self.lists_by_locale(started, account, &refused).await? else { return Err(refused) };
        let started = &StartedShard { list_locales: by.locales, ..started.clone() };
        self.list_instead(started, &by.latest, everything, why).await
    }

    /// [`Engine::list_instead`], as the end of this shard.
    async fn list_on(
        &self,
        started: &StartedShard,
        account: &Account,
        everything: bool,
        why: NoExport,
    ) -> Result<Handled, HandlerError> {
        let latest = latest(&account.client).await.map_err(HandlerError::of_list)?;
        self.list_instead(started, &latest, everything, why).await.map(Handled::from)
    }

    /// Why the list takes over from an export that does not answer.
    fn no_export(
        &self,
        started: &StartedShard,
        start: i64,
        failure: Failure,
    ) -> Result<NoExport, HandlerError> {
        match failure {
            // Refused to everybody but agents: not the same as an absent help center, which the list would show too.
            Failure::NotFound(_) | Failure::Forbidden(_) if self.may_be_refused(started) => {
                Ok(NoExport::Refused(failure))
            }
            Failure::NotFound(_) | Failure::Forbidden(_) => Err(HandlerError::ExportRefused(failure)),
            Failure::TooLarge { .. } => Ok(NoExport::TooLarge),
            failure if self.export_fails(started, &failure) => Ok(NoExport::Failing(start, failure)),
            failure => Err(failure.into()),
        }
    }

    /// How long to wait until a second (epoch) is over by our clock and by one that differs a little: what is listed after
    /// it can have no more changes in it. `None` where it is over, or where our clock is far behind.
    fn until_over(&self, second: i64) -> Option<Duration> {
        let over_at = second.saturating_mul(1000).saturating_add(SECOND_OVER_MS);
        let wait = over_at.saturating_sub(self.clock.now_ms());
        let wait = u64::try_from(wait).ok().filter(|wait| (1..=SECOND_WAIT_MAX_MS).contains(wait));
        wait.map(Duration::from_millis)
    }

    /// Whether the export does not answer from where it is asked, so that the list has to take over: at once where it
    /// refuses the start, after some tries where that may pass.
    pub(crate) fn export_fails(&self, started: &StartedShard, failure: &Failure) -> bool {
        match failure {
            Failure::Rejected { .. } => true,
            Failure::Unavailable { .. } | Failure::Malformed(_) => {
                let tries = i64::from(self.options.attempts_max).min(EXPORT_TRIES);
                started.shard.failures >= tries
            }
            _ => false,
        }
    }

    /// Whether a refusal is believed: that of an export which has answered this grant only when it is refused again. A help
    /// center that is away for a moment refuses it too, and what is believed holds removals back.
    fn may_be_refused(&self, started: &StartedShard) -> bool {
        let tries = i64::from(self.options.attempts_max).min(REFUSALS);
        started.export_access != Some(ExportAccess::Allowed) || started.shard.failures >= tries
    }

    /// The export answers this grant: from now on that is known. `counted` is noted with it.
    async fn note_allowed(&self, started: &StartedShard, counted: RunNote) -> Result<(), HandlerError> {
        let is_new = started.export_access != Some(ExportAccess::Allowed);
        if is_new || counted.remote_count.is_some() {
            let export_access = is_new.then_some(ExportAccess::Allowed);
            self.store.note_run(&started.fence, &RunNote { export_access, ..counted }).await?;
        }
        Ok(())
    }

    /// What [`latest`] says, asked for beside the first page of a full run: who watches it sees how many articles are left,
    /// and where there is no export the list takes over at once. With an export the run does well without it.
    async fn look_beside(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Option<Result<Answer<ListPage>, Failure>> {
        let run = &started.run;
        let is_wanted = run.kind == RunKind::Full
            && run.counters.remote_count.is_none()
            && started.shard.cursor.is_none()
            && started.list_locales.is_empty();
        if !is_wanted {
            return None;
        }
        let looked = latest(&account.client).await;
        if let Err(failure) = &looked {
            tracing::debug!(error = chain(failure), "articles are not counted beforehand");
        }
        Some(looked)
    }

    /// Whether a start (epoch) may be one that Zendesk calls too recent, with clocks that differ.
    fn is_recent(&self, start: i64) -> bool {
        start.saturating_add(RECENT_SECONDS) > self.clock.now_ms() / 1000
    }

    async fn next_page(&self, account: &Account, start: i64) -> Result<Followed, HandlerError> {
        match account.client.export_articles(start).await {
            Ok(answer) => Ok(Followed::Page(Box::new(answer))),
            Err(Failure::Rejected { status: 400 | 422, .. }) if self.is_recent(start) => {
                Ok(Followed::TooRecent)
            }
            Err(
                Failure::NotFound(_)
                | Failure::Forbidden(_)
                | Failure::TooLarge { .. }
                | Failure::Rejected { .. },
            ) => Ok(Followed::Elsewhere),
            Err(failure) => Err(failure.into()),
        }
    }

    /// A page from `start` on, or from a little earlier when Zendesk finds that too recent: a mark may lie less than a
    /// minute back, or our clock or theirs be wrong.
    pub(crate) async fn export_from(
        &self,
        account: &Account,
        start: i64,
    ) -> Result<Answer<ExportPage>, Failure> {
        let mut steps = 0;
        loop {
            let back = if steps == 0 { 0 } else { STEP_BACK_SECONDS << (steps - 1) };
            match account.client.export_articles(start.saturating_sub(back).max(0)).await {
                Err(Failure::Rejected { status: 400 | 422, .. }) if steps < STEPS_BACK_MAX && start > 0 => {
                    steps += 1;
                }
                other => return other,
            }
        }
    }

    /// `range` is what is left once the page is stored. With `ends` the shard is done with it.
    async fn store_export_page(
        &self,
        started: &StartedShard,
        account: &Account,
        mut answer: Answer<ExportPage>,
        range: &ExportCursor,
        split: Option<Split>,
        ends: Option<GoesOn<'_>>,
    ) -> Result<Stored, HandlerError> {
        if let Some(end) = range.end {
            // The next range reads those.
            answer.value.articles.retain(|article| article.updated_at.as_second() < end);
        }
        let newest = answer.value.articles.iter().map(|article| article.updated_at.as_second()).max();
        // The next page may be said to begin in a time that has not come yet there. The mark goes by what was read.
        let position =
            Some(newest.map_or(range.start, |newest| newest.min(range.start))).filter(|_| !range.ended);
        let reached = Reached {
            cursor: Some(ShardCursor::Export(*range)),
            progress: Some(Progress { position, newest }),
            split,
            ends,
        };
        self.store_fetched(started, account, Fetched::from(answer), reached).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: i64, end: Option<i64>, pages: u64) -> ExportCursor {
        ExportCursor { start, end, pages, ended: false }
    }

    fn later(start: i64, end: Option<i64>) -> ShardParams {
        ShardParams::WalkExport(ExportRange { start, end, everything: false })
    }

    #[test]
    fn a_heavy_range_is_cut_in_the_middle_of_what_is_left() {
        let open = split(range(10_000, None, HEAVY_PAGES), 30_000).unwrap();
        assert_eq!(open.shard.params, later(20_000, None));
        assert_eq!(open.cursor, ShardCursor::Export(range(10_000, Some(20_000), 0)));
        let closed = split(range(10_000, Some(20_000), HEAVY_PAGES), 30_000).unwrap();
        assert_eq!(closed.shard.params, later(15_000, Some(20_000)));
    }

    #[test]
    fn a_light_or_short_range_stays_whole() {
        assert!(split(range(10_000, None, HEAVY_PAGES - 1), 90_000).is_none());
        assert!(split(range(10_000, None, 9), 10_000 + CUT_SECONDS_MIN - 1).is_none());
        assert!(split(range(10_000, None, 9), 0).is_none(), "a clock that is behind cuts nothing");
    }
}
