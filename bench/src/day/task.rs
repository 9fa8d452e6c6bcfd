//! What a shard asks Zendesk and stores, and what follows it: by the planning that the engine itself calls.

use helpsync_engine::planning::{audit_is_due, confirmations, probes, split, whole_list};
use helpsync_model::{
    Confirm, ExportCursor, ExportRange, ListParams, Measured, RunKind, RunState, ShardCursor, ShardParams,
    Stage,
};
use helpsync_zendesk::{EXPORT_PAGE_MAX, PAGE_SIZE_MAX};

use super::population::Customer;
use super::{Installed, tally::Lateness};

/// Requests of a look at sections and categories that are as they were.
const TREE_REQUESTS: u32 = 2;
/// An export that is refused, and the small request that then tells how long the list is.
const REFUSED_EXPORT_REQUESTS: u32 = 2;
/// As the settings of these names are unless told: `sync.removals_asked_max`, `zendesk.concurrency`.
const REMOVALS_ASKED_MAX: usize = 10_000;
const CONCURRENCY: u32 = 4;
const EXPORT_PAGE: u32 = EXPORT_PAGE_MAX as u32;
/// The articles of a help center were changed last in the years before, evenly.
const CHANGED_OVER_SECONDS: i64 = 4 * 365 * 86_400;

/// A run under way.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) customer: u32,
    pub(super) kind: RunKind,
    pub(super) lateness: Lateness,
    pub(super) state: RunState,
    pub(super) stage: Stage,
    /// When it was wanted, ms.
    pub(super) wanted_at: i64,
    /// ms.
    pub(super) started_at: Option<i64>,
    /// Shards that have not ended.
    pub(super) open: u64,
    /// Ranges of the export.
    pub(super) ranges: i64,
    pub(super) changed: u32,
    pub(super) removed: u32,
}

/// What is left of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) enum Task {
    /// Requests, and what all of them bring: articles that are new or changed, and articles that are as they were.
    Ask { requests: u32, stored: u32, compared: u32 },
    /// The whole export, page by page.
    Export(ExportCursor),
    /// Nothing is asked.
    End,
}

/// What one answer brought.
#[derive(Debug, Clone, Default)]
pub(super) struct Brought {
    pub(super) stored: u32,
    pub(super) compared: u32,
    /// A shard of its own for a part of what is left.
    pub(super) split: Option<ShardParams>,
}

impl Run {
    /// What a shard of it has to do.
    pub(super) fn task(&self, params: &ShardParams, customer: &Customer, now: i64, of: &Installed) -> Task {
        let full = self.kind == RunKind::Full;
        let asked = |requests, stored| Task::Ask { requests, stored, compared: 0 };
        match params {
            // A first sync counts the articles, and reads sections with them.
            ShardParams::Plan => asked(if full { 1 } else { TREE_REQUESTS }, 0),
            ShardParams::WalkExport(range) if full && customer.export => {
                let ExportRange { start, end, .. } = *range;
                Task::Export(ExportCursor { start, end, ..ExportCursor::default() })
            }
            ShardParams::WalkExport(_) if full => asked(REFUSED_EXPORT_REQUESTS, 0),
            ShardParams::WalkExport(_) => asked(self.changed / EXPORT_PAGE + 1, self.changed),
            ShardParams::WalkList(ListParams::Changes { .. }) => {
                asked(self.changed / PAGE_SIZE_MAX + 1, self.changed)
            }
            ShardParams::WalkList(ListParams::Pages { first, last, .. }) => {
                let before = (first - 1) * PAGE_SIZE_MAX;
                let stored = (last * PAGE_SIZE_MAX).min(customer.articles).saturating_sub(before);
                asked(last - first + 1, stored)
            }
            ShardParams::WalkList(ListParams::End { pages, .. }) => {
                asked(u32::try_from(*pages).unwrap_or(u32::MAX).max(1), customer.articles / 2)
            }
            ShardParams::FindRemoved => self.comparison(customer, now, of),
            ShardParams::ConfirmRemoved(Confirm::Articles { articles }) => {
                asked(u32::try_from(articles.len()).unwrap_or(u32::MAX), 0)
            }
            ShardParams::ConfirmRemoved(Confirm::Listing) => Task::Ask {
                requests: pages(customer.articles, PAGE_SIZE_MAX),
                stored: 0,
                compared: customer.articles,
            },
            ShardParams::FetchArticles(asked_for) => {
                let count = u32::try_from(asked_for.articles.len()).unwrap_or(u32::MAX);
                asked(count, count)
            }
            ShardParams::FetchAttachments | ShardParams::Finalize => Task::End,
        }
    }

    /// The count of articles, and what finding those costs that are gone.
    fn comparison(&self, customer: &Customer, now: i64, of: &Installed) -> Task {
        let counted = |requests, compared| Task::Ask { requests: requests + 1, stored: 0, compared };
        if self.kind == RunKind::Full {
            return counted(0, 0);
        }
        let all = customer.articles;
        if audit_is_due(customer.audited_at, of.audit_every, now) {
            return counted(pages(all, PAGE_SIZE_MAX) + 1, all);
        }
        if self.removed == 0 {
            return counted(0, 0);
        }
        let listing = pages(all, if customer.export { EXPORT_PAGE } else { PAGE_SIZE_MAX });
        let left = all.saturating_sub(self.removed) as usize;
        match probes(left, self.removed as usize, listing as usize) {
            Some(requests) => counted(u32::try_from(requests).unwrap_or(u32::MAX), 0),
            None => counted(listing + 1, all),
        }
    }

    /// The shards that a shard of it leaves when it is done.
    pub(super) fn follow(&self, done: &ShardParams, customer: &Customer, now: i64) -> Vec<ShardParams> {
        let full = self.kind == RunKind::Full;
        match done {
            ShardParams::Plan if full || customer.export => {
                vec![ShardParams::WalkExport(ExportRange::default())]
            }
            ShardParams::Plan => vec![ShardParams::WalkList(ListParams::Changes { until: 0 })],
            ShardParams::WalkExport(_) if full && !customer.export => {
                let measured =
                    Measured { newest: now / 1_000, count: u64::from(customer.articles), crowded: None };
                whole_list(measured, CONCURRENCY).2.into_iter().map(|shard| shard.params).collect()
            }
            ShardParams::FindRemoved if self.kind == RunKind::Delta => {
                let gone: Vec<i64> = (0..i64::from(self.removed)).collect();
                confirmations(&gone, REMOVALS_ASKED_MAX).into_iter().map(|shard| shard.params).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Task {
    /// Takes one answer; whether it was the last.
    pub(super) fn answered(&mut self, customer: &Customer, ranges: &mut i64, now: i64) -> (Brought, bool) {
        match self {
            Self::Ask { requests, stored, compared } => {
                let brought = Brought {
                    stored: *stored / (*requests).max(1),
                    compared: *compared / (*requests).max(1),
                    split: None,
                };
                (*stored, *compared) = (*stored - brought.stored, *compared - brought.compared);
                *requests = requests.saturating_sub(1);
                (brought, *requests == 0)
            }
            Self::Export(at) => page_of_export(at, customer, ranges, now),
            Self::End => (Brought::default(), true),
        }
    }
}

/// The next page of the export. The first comes from the beginning of time, where nothing is.
fn page_of_export(at: &mut ExportCursor, customer: &Customer, ranges: &mut i64, now: i64) -> (Brought, bool) {
    let now = now / 1_000;
    let oldest = now - CHANGED_OVER_SECONDS;
    let each = f64::from(customer.articles) / CHANGED_OVER_SECONDS as f64;
    at.start = at.start.max(oldest);
    let left = (at.end.unwrap_or(now) - at.start).max(0) as f64 * each;
    if left <= f64::from(EXPORT_PAGE) {
        at.ended = true;
        return (Brought { stored: left.round() as u32, ..Brought::default() }, true);
    }
    at.start += (f64::from(EXPORT_PAGE) / each).ceil() as i64;
    at.pages += 1;
    let mut brought = Brought { stored: EXPORT_PAGE, ..Brought::default() };
    if let Some(cut) = split(*at, now).filter(|cut| *ranges < cut.shards_max) {
        if let ShardCursor::Export(cursor) = cut.cursor {
            *at = cursor;
        }
        *ranges += 1;
        brought.split = Some(cut.shard.params);
    }
    (brought, false)
}

fn pages(articles: u32, each: u32) -> u32 {
    articles.div_ceil(each).max(1)
}
