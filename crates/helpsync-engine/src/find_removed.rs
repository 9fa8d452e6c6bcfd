//! `find_removed`: compares what Zendesk counts with what we know, and finds what is gone at least cost.
//!
//! Equal counts mean that nothing is gone, but for pairs of a new article and a removed one, which the audit finds.
//! Few removals are found by probing (`probe`), many by listing everything. A run that has just listed everything
//! only verifies that it did. Whether what it read is all that Zendesk counts is for `completeness`.

use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{
    Confirm, ExportAccess, ListCursor, ListEnd, ListParams, Plan, RunKind, ShardCursor, ShardParams,
};
use helpsync_store::{Known, ListWalk, Missing, NewShard, RemovalVerdict, RunNote, ShardEnd, StartedShard};
use helpsync_zendesk::Failure;

use crate::completeness::Listing;
use crate::page::{Fetched, Reached};
use crate::walk_list::{have_met, yielded_turn};
use crate::{Engine, Handled, HandlerError};

/// Articles asked for one by one in one shard.
const CONFIRMED_PER_SHARD: usize = 50;
/// Leftovers of earlier runs that one run takes up.
const LEFTOVERS_MAX: u32 = 10_000;
/// Pages of the export that are read once more when Zendesk counts more articles than we know.
const TAIL_PAGES_MAX: u32 = 5;

/// What the comparison came to.
pub(crate) enum Compared {
    /// Nothing is gone.
    Same,
    /// Nothing is gone, and nothing was thought to be.
    SameAndNoneHidden,
    /// These articles are.
    Gone(Vec<i64>),
    /// This run has listed everything.
    Listed,
    /// Only a listing can tell.
    Unclear,
}

impl Engine {
    pub(crate) async fn find_removed(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Handled, HandlerError> {
        let mut note = RunNote::default();
        let compared = self.compared_anew(started, account, &mut note).await?;
        let found_out = note.remote_count.is_some() || note.export_access.is_some();
        if found_out && !matches!(compared, Compared::Same | Compared::SameAndNoneHidden) {
            // The work goes on for a while: people see by now what was found.
            self.store.note_run(&started.fence, &std::mem::take(&mut note)).await?;
        }
        let mut moving = false;
        if !matches!(compared, Compared::Unclear) {
            self.pass_seconds(started).await?;
        }
        let missing = match &compared {
            Compared::SameAndNoneHidden => {
                return Ok(Handled::Ends(ShardEnd::Done(Vec::new()), Box::new(note)));
            }
            Compared::Same => {
                let hidden = self.store.hidden_articles(started.fence.connection, LEFTOVERS_MAX).await?;
                return Ok(Handled::Ends(
                    ShardEnd::Done(confirmations(&hidden, self.options.removals_asked_max)),
                    Box::new(note),
                ));
            }
            Compared::Gone(articles) => Missing::Articles(articles),
            Compared::Listed => Missing::Unseen,
            Compared::Unclear => {
                self.note_listing(started).await?;
                match self.list_everything(started, account).await? {
                    Listing::Yielded => return Ok(yielded_turn().into()),
                    Listing::Whole => {}
                    Listing::Moving => moving = true,
                }
                self.pass_seconds(started).await?;
                Missing::Unseen
            }
        };
        let hidden = self.store.hide_missing(started, missing, self.options.ceiling).await?;
        if moving {
            let audit_reason =
                Some("Zendesk's count does not stand still: the next run is an audit".to_owned());
            let note = RunNote { audit_next: true, audit_reason, ..RunNote::default() };
            self.store.note_run(&started.fence, &note).await?;
        }
        match hidden {
            RemovalVerdict::Hidden(hidden) => {
                Ok(ShardEnd::Done(confirmations(&hidden, self.options.removals_asked_max)).into())
            }
            RemovalVerdict::Held(held) => {
                tracing::warn!(connection = %started.fence.connection, held, "removals held back");
                Ok(ShardEnd::Done(Vec::new()).into())
            }
        }
    }

    /// Compares, and completes the tree and what is known of the export beside it. `note` gets what that took.
    async fn compared_anew(
        &self,
        started: &StartedShard,
        account: &Account,
        note: &mut RunNote,
    ) -> Result<Compared, HandlerError> {
        if started.shard.cursor.is_some() {
            return Ok(Compared::Unclear);
        }
        let compare = async {
            match started.list_locales.len() {
                0 | 1 => self.compare(started, account, note).await,
                _ => self.compare_locales(started, account).await,
            }
        };
        // None needs another, and each is a request or more.
        let (tree, compared, is_allowed) = tokio::join!(
            Box::pin(self.complete_tree(started, account)),
            Box::pin(compare),
            Box::pin(self.may_read_export_after_all(started, account))
        );
        tree?;
        let compared = compared?;
        if is_allowed {
            note.export_access = Some(ExportAccess::Allowed);
        }
        Ok(compared)
    }

    /// A first sync believes a refusal of the export at once, for most grants that meet it are those of end users. It may have
    /// been the trouble of a moment: whether a role shrinks later shows only where the export is known to answer. What it
    /// answers now counts; a failure tells nothing new.
    async fn may_read_export_after_all(&self, started: &StartedShard, account: &Account) -> bool {
        let is_refused = started.export_access == Some(ExportAccess::Refused);
        is_refused
            && started.run.kind == RunKind::Full
            && account.client.export_articles(self.since(started)).await.is_ok()
    }

    /// `note` gets what asking for the count showed.
    async fn compare(
        &self,
        started: &StartedShard,
        account: &Account,
        note: &mut RunNote,
    ) -> Result<Compared, HandlerError> {
        let connection = started.fence.connection;
        let audit_asked = started.run.params.is_audit();
        let listed = matches!(started.run.plan, Some(Plan::OffsetPages | Plan::CursorEnds));
        let whole = if listed { self.is_whole(started, account).await? } else { None };
        if let Some(whole) = whole {
            return Ok(if whole { Compared::Listed } else { Compared::Unclear });
        }
        let count = counted(account, note).await?;
        let audit_due = self.is_audit_due(started);
        // A first sync has just read everything there is.
        if audit_asked
            || started.run.audit_reason.is_some()
            || (audit_due && started.run.kind != RunKind::Full)
        {
            return Ok(Compared::Unclear);
        }
        let (mut known, mut shown) = self.ours(started).await?;
        if shown < count && started.run.plan == Some(Plan::Export) {
            self.read_tail(started, account).await?;
            (known, shown) = self.ours(started).await?;
        }
        let Known { articles: known, nameless, any_hidden, .. } = known;
        if shown + nameless < count {
            // Equal counts do not show that what is known was read.
            return Ok(Compared::Unclear);
        }
        if known == count || known < count && known + nameless >= count {
            return Ok(if any_hidden { Compared::Same } else { Compared::SameAndNoneHidden });
        }
        if known < count {
            return Ok(Compared::Unclear);
        }
        if started.export_access == Some(ExportAccess::Lost) {
            // What a smaller role does not show is not gone. A person may allow it, which asks for an audit.
            note.held = Some(known - count);
            return Ok(Compared::Same);
        }
        let ledger = self.store.ledger(connection).await?;
        let gone =
            self.probe(started, account, &ledger, usize::try_from(count).unwrap_or(usize::MAX)).await?;
        Ok(gone.map_or(Compared::Unclear, Compared::Gone))
    }

    /// What is known, and how many articles there are in what the run reads: what it was shown, if it reads everything by
    /// the export.
    async fn ours(&self, started: &StartedShard) -> Result<(Known, i64), HandlerError> {
        let known = self.store.known(started.fence.connection, started.fence.run).await?;
        let reads_all = started.run.kind == RunKind::Full && started.run.plan == Some(Plan::Export);
        let shown = if reads_all { known.shown } else { known.articles };
        Ok((known, shown))
    }

    /// Whether this run lists everything: somebody asked for it, something gave reason to, or it is time.
    pub(crate) fn is_audit(&self, started: &StartedShard) -> bool {
        let run = &started.run;
        run.params.is_audit() || run.audit_reason.is_some() || self.is_audit_due(started)
    }

    /// Whether everything is to be listed again, as far as the last time tells.
    pub(crate) fn is_audit_due(&self, started: &StartedShard) -> bool {
        audit_is_due(started.last_audit_at, self.options.audit_every, self.clock.now_ms())
    }

    /// How many articles Zendesk counts now.
    pub(crate) async fn count(&self, started: &StartedShard, account: &Account) -> Result<i64, HandlerError> {
        let mut note = RunNote::default();
        let count = counted(account, &mut note).await?;
        self.store.note_run(&started.fence, &note).await?;
        Ok(count)
    }

    /// Whether the list's shards make up the whole of it. `None`: they were not to.
    async fn is_whole(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Option<bool>, HandlerError> {
        let walks = self.store.list_walks(started.fence.run).await?;
        let Some(first) = walks.first() else { return Ok(None) };
        let measured = match first.params {
            ListParams::Pages { measured, .. } | ListParams::End { measured, .. } => measured,
            ListParams::Changes { .. } => return Ok(None),
        };
        let whole = if matches!(first.params, ListParams::Pages { .. }) {
            // While pages were read by number others may have moved from one to another.
            let count = self.count(started, account).await?;
            let seen = self.store.seen_articles(started.fence.connection, started.fence.run).await?;
            i64::try_from(measured.count) == Ok(count) && seen == count
        } else {
            let met = match (walk_from(&walks, ListEnd::Oldest), walk_from(&walks, ListEnd::Latest)) {
                (Some(oldest), Some(latest)) => have_met(&oldest, &latest),
                _ => return Ok(None),
            };
            // Both may have met over a gap: pages without their articles, or in another order than asked for.
            let count = self.count(started, account).await?;
            met && self.store.seen_articles(started.fence.connection, started.fence.run).await? >= count
        };
        Ok(Some(whole))
    }

    /// Notes that the whole list has been read since seconds with more changes than a page of the export holds.
    async fn pass_seconds(&self, started: &StartedShard) -> Result<(), HandlerError> {
        if started.run.plan == Some(Plan::Export) {
            // It read no list.
            return Ok(());
        }
        let walks = self.store.list_walks(started.fence.run).await?;
        let crowded = walks.iter().filter_map(|walk| match walk.params {
            ListParams::Pages { measured, .. } | ListParams::End { measured, .. } => measured.crowded,
            ListParams::Changes { .. } => None,
        });
        let passed =
            crowded.max().filter(|second| started.passed_second.is_none_or(|passed| *second > passed));
        if passed.is_some() {
            let note = RunNote { passed_second: passed, ..RunNote::default() };
            self.store.note_run(&started.fence, &note).await?;
        }
        Ok(())
    }

    /// What changed since the mark: ranges that end early do not see what is edited while the others go on.
    pub(crate) async fn read_tail(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<(), HandlerError> {
        if started.export_access != Some(ExportAccess::Allowed) {
            return self.read_latest(started, account).await;
        }
        let mut start = started.high_water.unwrap_or(0);
        for _ in 0..TAIL_PAGES_MAX {
            let answer = match self.export_from(account, start).await {
                Ok(answer) => answer,
                Err(Failure::Rejected { .. } | Failure::TooLarge { .. }) => return Ok(()),
                Err(failure) => return Err(failure.into()),
            };
            let next = answer.value.next_start.filter(|next| *next > start);
            self.store_fetched(started, account, Fetched::from(answer), Reached::default()).await?;
            let Some(next) = next else { return Ok(()) };
            start = next;
        }
        Ok(())
    }
}

/// How many articles Zendesk counts now, and in `note` that it does.
async fn counted(account: &Account, note: &mut RunNote) -> Result<i64, HandlerError> {
    let answer = account.client.count_articles().await.map_err(HandlerError::of_list)?;
    let count = i64::try_from(answer.value).unwrap_or(i64::MAX);
    note.remote_count = Some(count);
    Ok(count)
}

/// Whether everything is to be listed again, `every` so often, at `now` (ms), if it last was at `last`.
#[must_use]
pub fn audit_is_due(last: Option<i64>, every: Duration, now: i64) -> bool {
    let every = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    last.is_some_and(|last| last.saturating_add(every) <= now)
}

/// Hidden articles are asked for one by one, or by a second listing where they are more than `asked_max`.
#[must_use]
pub fn confirmations(articles: &[i64], asked_max: usize) -> Vec<NewShard> {
    let shard = |key, confirm| NewShard { key, params: ShardParams::ConfirmRemoved(confirm), position: None };
    if articles.len() > asked_max {
        return vec![shard("confirm_removed-listing".to_owned(), Confirm::Listing)];
    }
    let chunks = articles.chunks(CONFIRMED_PER_SHARD).enumerate();
    chunks
        .map(|(number, articles)| {
            shard(format!("confirm_removed-{number}"), Confirm::Articles { articles: articles.to_vec() })
        })
        .collect()
}

/// Where the walk by cursor stands that began at this end.
fn walk_from(walks: &[ListWalk], end: ListEnd) -> Option<ListCursor> {
    let walk =
        walks.iter().find(|walk| matches!(walk.params, ListParams::End { from, .. } if from == end))?;
    Some(match &walk.cursor {
        Some(ShardCursor::List(at)) => at.clone(),
        _ => ListCursor::default(),
    })
}
