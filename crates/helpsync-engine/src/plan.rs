//! `plan`: chooses the way of reading that costs the fewest requests.
//!
//! | the grant's user | wanted | plan | requests for N articles |
//! | --- | --- | --- | --- |
//! | agent, administrator | all | `export`: time ranges, at once | N/1,000 |
//! | agent, administrator | what changed | `export` from the mark | 1 |
//! | end user | all, N up to 10,000 | `offset_pages`: at once | N/100 |
//! | end user | all, N above that | `cursor_ends`: from both ends | N/100 |
//! | end user | what changed | `list_changes`: newest first, down to the mark | 1 |
//! | end user, by locale | all | `locales`: each locale's list by cursor | N/100 for each |
//!
//! Whether the export answers shows in its first answer, at no extra request; from then on it is known.

use helpsync_account::Account;
use helpsync_model::{
    ExportAccess, ExportRange, ListEnd, ListParams, Measured, Plan, RunKind, ShardParams, chain,
};
use helpsync_store::{NewShard, RunNote, ShardEnd, StartedShard};
use helpsync_zendesk::{
    Answer, Client, Failure, ListPage, ListQuery, OFFSET_RECORDS_MAX, PAGE_SIZE_MAX, PageRef, Scope, SortBy,
    SortOrder,
};

use crate::{Engine, Handled, HandlerError};

/// The most stretches that the pages of a list are divided into, each read by a shard of its own at the same time. Fewer
/// than the default `dispatcher.release_window`, so that one turn of the release brings them all out.
const STRETCHES_MAX: u32 = 10;

/// Why the export is not read to its end.
pub(crate) enum NoExport {
    /// It answers to agents and administrators only.
    Refused(Failure),
    /// More than a page of articles changed in this second (epoch): time alone does not lead past them.
    Crowded(i64),
    /// A page of it is too long even without its long texts.
    TooLarge,
    /// From this start (epoch seconds) it gives empty pages that lead on and on.
    Endless(i64),
    /// It does not answer from this start (epoch seconds).
    Failing(i64, Failure),
}

impl Engine {
    pub(crate) async fn plan(
        &self,
        started: &StartedShard,
        account: &Account,
    ) -> Result<Handled, HandlerError> {
        let since = self.since(started);
        self.look_for_brands(started, account).await?;
        self.look_for_locales(started, account).await?;
        let moved_in = self.look_at_places(started, account).await?;
        // A limit that never kept anything out needs no look.
        let may_have_room = started.run.kind == RunKind::Delta && started.kept_out;
        let gained = moved_in || may_have_room && self.store.has_room_for_more(started).await?;
        // What was refused for a moment, or to a role that has grown since, is found out by audits.
        let is_refused = started.export_access == Some(ExportAccess::Refused) && !self.is_audit(started);
        if started.run.kind == RunKind::Delta && !gained && is_refused {
            let reason =
                "the incremental export is refused to this grant: the list, by time of change".to_owned();
            let note = RunNote { plan: Some((Plan::ListChanges, reason)), ..RunNote::default() };
            return Ok(Handled::Ends(ShardEnd::Done(vec![changes_since(since)]), Box::new(note)));
        }
        let start = if started.run.kind == RunKind::Full || gained { 0 } else { since };
        let reason = if moved_in {
            "sections moved into what is selected: the incremental export, from the start".to_owned()
        } else if gained {
            "there is room for what limits kept out: the incremental export, from the start".to_owned()
        } else if start == 0 {
            "the incremental export brings up to 1,000 articles a request".to_owned()
        } else {
            format!("the incremental export, from {start}: what changed since the mark, with overlap")
        };
        let note = RunNote { plan: Some((Plan::Export, reason)), ..RunNote::default() };
        let walk = NewShard {
            key: "walk_export".to_owned(),
            params: ShardParams::WalkExport(ExportRange { start, end: None, everything: gained }),
            position: Some(start),
        };
        Ok(Handled::Ends(ShardEnd::Done(vec![walk]), Box::new(note)))
    }

    /// Where a delta starts, in epoch seconds.
    pub(crate) fn since(&self, started: &StartedShard) -> i64 {
        let overlap = i64::try_from(self.options.overlap.as_secs()).unwrap_or(i64::MAX);
        started.high_water.map_or(0, |mark| mark.saturating_sub(overlap).max(0))
    }

    /// Lists where the export does not lead on. `latest`: what [`latest`] said. `everything`: a delta is to bring every
    /// article.
    pub(crate) async fn list_instead(
        &self,
        started: &StartedShard,
        latest: &Answer<ListPage>,
        everything: bool,
        why: NoExport,
    ) -> Result<ShardEnd, HandlerError> {
        let latest = &latest.value;
        let newest = latest.articles.first().map_or(0, |article| article.updated_at.as_second());
        let no_export = matches!(why, NoExport::Refused(_) | NoExport::Failing(..) | NoExport::Endless(_));
        let found = self.why_list(started, why, newest);
        let changes_only =
            no_export && started.run.kind == RunKind::Delta && started.high_water.is_some() && !everything;
        // Without a count it is read all the same; whether that was all is asked again afterwards.
        let counted = latest.count;
        let measured = Measured { newest, count: counted.unwrap_or(0), crowded: found.crowded };
        let (plan, how, shards) = if changes_only {
            let how = "the list, by time of change".to_owned();
            (Plan::ListChanges, how, vec![changes_since(self.since(started))])
        } else if started.list_locales.len() > 1 {
            let how = format!("the lists of {} locales, each once", started.list_locales.len());
            (Plan::Locales, how, vec![walk_to_the_end("walk_list-locales", measured)])
        } else if counted.is_none() {
            let how = "the list by cursor, for it is not counted".to_owned();
            (Plan::CursorEnds, how, vec![walk_to_the_end("walk_list-uncounted", measured)])
        } else {
            whole_list(measured, self.options.concurrency)
        };
        let note = RunNote {
            plan: Some((plan, format!("{}: {how}", found.why))),
            remote_count: counted.and_then(|count| i64::try_from(count).ok()),
            export_access: found.access,
            ..RunNote::default()
        };
        self.store.note_run(&started.fence, &note).await?;
        Ok(ShardEnd::Done(shards))
    }

    fn why_list(&self, started: &StartedShard, why: NoExport, newest: i64) -> WhyList {
        match why {
            NoExport::Refused(failure) => {
                let lost = matches!(started.export_access, Some(ExportAccess::Allowed | ExportAccess::Lost));
                let access = if lost { ExportAccess::Lost } else { ExportAccess::Refused };
                let said = if lost { "no longer answers this grant" } else { "is refused to this grant" };
                let why = format!("the incremental export {said} ({})", chain(&failure));
                WhyList { access: Some(access), why, crowded: None }
            }
            NoExport::Crowded(second) => {
                // A second that is over gains no more changes: once listed it is passed for good, and so is every one
                // before the latest change that was seen before the list began.
                let over = newest > second || self.clock.now_ms() / 1000 > second;
                let why = format!("more articles changed in second {second} than a page of the export holds");
                WhyList { access: None, why, crowded: Some(second.max(newest - 1)).filter(|_| over) }
            }
            NoExport::Failing(start, failure) => {
                let why = format!("the incremental export fails from {start} ({})", chain(&failure));
                WhyList { access: None, why, crowded: None }
            }
            NoExport::Endless(start) => {
                let why = format!("the incremental export gives empty pages without end from {start}");
                WhyList { access: None, why, crowded: None }
            }
            NoExport::TooLarge => {
                let why = "a page of the export exceeds zendesk.body_bytes_max".to_owned();
                WhyList { access: None, why, crowded: None }
            }
        }
    }
}

/// One small request tells how many articles there are, when the latest of them changed, and that the help center answers
/// at all.
pub(crate) async fn latest(client: &Client) -> Result<Answer<ListPage>, Failure> {
    let newest_first = ListQuery {
        page: PageRef::Offset { page: 1, per_page: 1 },
        sort_by: SortBy::UpdatedAt,
        sort_order: SortOrder::Desc,
        sideload: false,
        ..ListQuery::walk(Scope::All, None)
    };
    client.list_articles(&newest_first).await
}

/// What a listing is made for.
struct WhyList {
    /// What the export answers, where that was found out.
    access: Option<ExportAccess>,
    /// For people.
    why: String,
    /// Up to this second (epoch) everything is passed for good once the list is read.
    crowded: Option<i64>,
}

/// The shard that reads the list by cursor, however long it is.
fn walk_to_the_end(key: &str, measured: Measured) -> NewShard {
    let walk = ListParams::End { from: ListEnd::Oldest, pages: u64::MAX, measured };
    NewShard { key: key.to_owned(), params: ShardParams::WalkList(walk), position: Some(0) }
}

/// The shards that read the list as a whole, and how, for people. `at_once`: requests to one account that may be under way
/// at once. More shards would not read faster, and the last of them would begin late.
#[must_use]
pub fn whole_list(measured: Measured, at_once: u32) -> (Plan, String, Vec<NewShard>) {
    let shard = |key, list| NewShard { key, params: ShardParams::WalkList(list), position: Some(0) };
    let pages = measured.count.div_ceil(u64::from(PAGE_SIZE_MAX)).max(1);
    if let Ok(pages) = u32::try_from(pages)
        && measured.count <= OFFSET_RECORDS_MAX
    {
        let each = pages.div_ceil(at_once.clamp(1, STRETCHES_MAX));
        let shards = (0..pages.div_ceil(each)).map(|number| {
            let first = number * each + 1;
            let last = pages.min(first + each - 1);
            shard(format!("walk_list-{first}"), ListParams::Pages { first, last, measured })
        });
        return (Plan::OffsetPages, format!("{pages} pages of the list by number"), shards.collect());
    }
    let shards =
        [(ListEnd::Oldest, pages.div_ceil(2)), (ListEnd::Latest, pages / 2 + 1)].map(|(from, pages)| {
            shard(format!("walk_list-{}", from.as_str()), ListParams::End { from, pages, measured })
        });
    (Plan::CursorEnds, format!("{pages} pages of the list by cursor, from both ends"), shards.to_vec())
}

fn changes_since(until: i64) -> NewShard {
    NewShard {
        key: "walk_list-changes".to_owned(),
        params: ShardParams::WalkList(ListParams::Changes { until }),
        position: Some(until),
    }
}
