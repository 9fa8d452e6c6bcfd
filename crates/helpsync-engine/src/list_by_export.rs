//! Listing every article by the incremental export, where that may be read: up to 1,000 a request, where a page of the list
//! has 100. What is stored as it is is not converted. Every article is in it, drafts too, and what changes meanwhile comes
//! once more at its end.
//!
//! Where the export does not lead to its end the list is read instead, from its start.

use helpsync_account::Account;
use helpsync_model::{ExportAccess, ExportCursor, ExportRange, RunKind, ShardCursor};
use helpsync_store::{RunNote, StartedShard};
use helpsync_zendesk::{EXPORT_PAGE_MAX, Failure, PAGE_SIZE_MAX};

use crate::page::{Fetched, Reached};
use crate::walk_export::{EMPTY_PAGES_MAX, is_the_end};
use crate::{Engine, HandlerError};

/// Pages read before the shard goes back to the end of the queue, so that others get their turn.
const PAGES_PER_TURN: u32 = 100;

/// What listing by the export came to.
pub(crate) enum ByExport {
    /// It may not be read, or does not lead to its end.
    No,
    /// It goes on at the shard's next turn.
    Yielded,
    /// Every article was seen.
    Whole,
}

impl Engine {
    /// How many articles a request brings that lists them all.
    pub(crate) fn articles_a_request(&self, started: &StartedShard) -> usize {
        if self.is_listed_by_export(started) { EXPORT_PAGE_MAX } else { PAGE_SIZE_MAX as usize }
    }

    /// An audit looks at the list, which shows what the export may lack; so does a run that has just read the export from
    /// its start.
    fn is_listed_by_export(&self, started: &StartedShard) -> bool {
        let run = &started.run;
        started.export_access == Some(ExportAccess::Allowed)
            && started.list_locales.len() <= 1
            && run.kind == RunKind::Delta
            && !self.is_audit(started)
    }

    /// Says in the run's plan how all articles are listed, once.
    pub(crate) async fn note_listing(&self, started: &StartedShard) -> Result<(), HandlerError> {
        let (Some(plan), None) = (started.run.plan, &started.shard.cursor) else { return Ok(()) };
        let how = if self.is_listed_by_export(started) {
            "by the incremental export, up to 1,000 a request"
        } else if started.list_locales.len() > 1 {
            "by the lists of all locales"
        } else {
            "by the list, 100 a request"
        };
        let reason = started.run.plan_reason.as_deref().unwrap_or_default();
        let reason = format!("{reason}; what is gone is found by listing every article {how}");
        let note = RunNote { plan: Some((plan, reason)), ..RunNote::default() };
        Ok(self.store.note_run(&started.fence, &note).await?)
    }

    /// Reads the whole export, on from the shard's cursor.
    pub(crate) async fn list_by_export(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<ByExport, HandlerError> {
        let mut at = match started.shard.cursor {
            Some(ShardCursor::Export(at)) => at,
            None if self.is_listed_by_export(started) => {
                let ExportRange { start, end, .. } = ExportRange::default();
                ExportCursor { start, end, ..ExportCursor::default() }
            }
            _ => return Ok(ByExport::No),
        };
        if at.ended {
            return Ok(ByExport::Whole);
        }
        let began = self.clock.now_ms() / 1000;
        let mut empty = 0;
        for _ in 0..PAGES_PER_TURN {
            let answer = match account.client.export_articles(at.start).await {
                Ok(answer) => answer,
                // What changed in the last minute is not to be had yet.
                Err(Failure::Rejected { status: 400 | 422, .. }) if at.pages > 0 => {
                    self.read_latest(started, account).await?;
                    return Ok(ByExport::Whole);
                }
                Err(
                    Failure::NotFound(_)
                    | Failure::Forbidden(_)
                    | Failure::TooLarge { .. }
                    | Failure::Rejected { .. }
                    | Failure::Malformed(_),
                ) => return Ok(ByExport::No),
                // Nor after its tries one that breaks off. Other failures are none of the export's.
                Err(failure) if self.export_fails(started, &failure) => return Ok(ByExport::No),
                Err(failure) => return Err(failure.into()),
            };
            empty = if answer.value.is_empty() { empty + 1 } else { 0 };
            match answer.value.next_start.filter(|next| !is_the_end(&answer, *next, began)) {
                None => at.ended = true,
                // More changed in this second than a page holds: time alone does not lead past it.
                Some(next) if next <= at.start => return Ok(ByExport::No),
                Some(_) if empty >= EMPTY_PAGES_MAX => return Ok(ByExport::No),
                Some(next) => at.start = next,
            }
            at.pages += 1;
            let reached = Reached { cursor: Some(ShardCursor::Export(at)), ..Reached::default() };
            self.store_fetched(started, account, Fetched::from(answer), reached).await?;
            if at.ended {
                return Ok(ByExport::Whole);
            }
        }
        Ok(ByExport::Yielded)
    }
}
