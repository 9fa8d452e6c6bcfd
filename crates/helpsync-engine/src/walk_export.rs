//! `walk_export`: reads the incremental export over a range of time, `start <= updated_at < end`.
//!
//! Pages come in the order of change, so everything before the next page's start is stored once this one is. The next
//! page is fetched while this one is converted and stored. A range that turns out heavy hands its later half to a
//! shard of its own; the last range is open and ends where Zendesk says that there is no more.

use std::time::Duration;

use helpsync_account::Account;
use helpsync_model::{ExportAccess, ShardKind};
use helpsync_store::{NewShard, Progress, RunNote, ShardEnd, Split, StartedShard};
use helpsync_zendesk::{Answer, ExportPage, Failure};
use serde_json::{Value, json};

use crate::page::{Fetched, Reached};
use crate::plan::NoExport;
use crate::{Engine, HandlerError};

/// Pages read before the shard goes back to the end of the queue, so that others get their turn.
const PAGES_PER_TURN: u32 = 100;
/// Ranges of one run. Each one more may cost a request: its last page is not full.
pub(crate) const RANGES_MAX: i64 = 3;
/// A range is heavy when so many full pages did not end it.
const HEAVY_PAGES: u64 = 2;
/// A range shorter than this is not cut, in seconds.
const CUT_SECONDS_MIN: i64 = 3_600;
/// How far back a start is taken that Zendesk calls too recent, doubled at each further refusal, in seconds.
const STEP_BACK_SECONDS: i64 = 120;
/// Refusals of one start before that is an error.
const STEPS_BACK_MAX: u32 = 5;

/// Where a range stands.
#[derive(Debug, Clone, Copy)]
struct Range {
    start: i64,
    end: Option<i64>,
    pages: u64,
    ended: bool,
}

impl Range {
    fn of(started: &StartedShard) -> Result<Self, HandlerError> {
        let from = started.shard.cursor.as_ref().unwrap_or(&started.shard.params);
        let start = from["start"].as_i64();
        Ok(Self {
            start: start.ok_or_else(|| HandlerError::Permanent("the shard has no start".to_owned()))?,
            end: from["end"].as_i64(),
            pages: from["pages"].as_u64().unwrap_or(0),
            ended: from["ended"].as_bool() == Some(true),
        })
    }

    fn cursor(&self) -> Value {
        json!({ "start": self.start, "end": self.end, "pages": self.pages, "ended": self.ended })
    }

    /// Half of what is left, for a shard of its own. The present only places the cut: wherever it lies, nothing is
    /// missed or lost by it.
    fn split(&self, now: i64) -> Option<Split> {
        let end = self.end.unwrap_or(now);
        if self.pages < HEAVY_PAGES || end.saturating_sub(self.start) < CUT_SECONDS_MIN {
            return None;
        }
        let cut = self.start + (end - self.start) / 2;
        Some(Split {
            shard: NewShard {
                key: format!("walk_export-{cut}"),
                kind: ShardKind::WalkExport,
                params: json!({ "start": cut, "end": self.end }),
                position: Some(cut),
            },
            cursor: Self { end: Some(cut), pages: 0, ..*self }.cursor(),
            shards_max: RANGES_MAX,
        })
    }
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
    ) -> Result<ShardEnd, HandlerError> {
        let mut range = Range::of(started)?;
        if range.ended {
            return Ok(ShardEnd::Done(Vec::new()));
        }
        let mut answer = match self.export_from(account, range.start).await {
            Ok(answer) => answer,
            // Refused to everybody but agents: not the same as an absent help center, which the list would show too.
            Err(failure @ (Failure::NotFound(_) | Failure::Forbidden(_))) => {
                return self.list_instead(started, account, NoExport::Refused(failure)).await;
            }
            Err(Failure::TooLarge { .. }) => {
                return self.list_instead(started, account, NoExport::TooLarge).await;
            }
            Err(failure) => return Err(failure.into()),
        };
        if started.export_access != Some(ExportAccess::Allowed) {
            let note = RunNote { export_access: Some(ExportAccess::Allowed), ..RunNote::default() };
            self.store.note_run(&started.fence, &note).await?;
        }
        let mut may_split = true;
        for turn in 1_u32.. {
            // An empty page carries `end_time: 1`; only `next_page` says where to go on.
            let next = answer.value.next_start.filter(|next| range.end.is_none_or(|end| *next < end));
            let Some(mut next) = next else {
                range.ended = true;
                self.store_export_page(started, account, answer, &range, None).await?;
                return Ok(ShardEnd::Done(Vec::new()));
            };
            if next <= range.start {
                let second = range.start;
                if started.passed_second != Some(second) {
                    self.store_export_page(started, account, answer, &range, None).await?;
                    return self.list_instead(started, account, NoExport::Crowded(second)).await;
                }
                next = second + 1;
            }
            range.start = next;
            range.pages += 1;
            let split = range.split(self.clock.now_ms() / 1000).filter(|_| may_split);
            if split.is_some() || turn >= PAGES_PER_TURN {
                let split_done = self.store_export_page(started, account, answer, &range, split).await?;
                if split_done || turn >= PAGES_PER_TURN {
                    break;
                }
                may_split = false;
                answer = match self.next_page(account, next).await? {
                    Followed::Page(page) => *page,
                    Followed::TooRecent => return Ok(ShardEnd::Done(Vec::new())),
                    Followed::Elsewhere => break,
                };
                continue;
            }
            let (stored, fetched) = tokio::join!(
                self.store_export_page(started, account, answer, &range, None),
                self.next_page(account, next)
            );
            stored?;
            answer = match fetched? {
                Followed::Page(page) => *page,
                Followed::TooRecent => return Ok(ShardEnd::Done(Vec::new())),
                Followed::Elsewhere => break,
            };
        }
        Ok(ShardEnd::Snooze { wait: Duration::ZERO, reason: "its turn".to_owned() })
    }

    async fn next_page(&self, account: &Account, start: i64) -> Result<Followed, HandlerError> {
        match account.client.export_articles(start).await {
            Ok(answer) => Ok(Followed::Page(Box::new(answer))),
            Err(Failure::Rejected { status: 400 | 422, .. }) => Ok(Followed::TooRecent),
            Err(Failure::NotFound(_) | Failure::Forbidden(_) | Failure::TooLarge { .. }) => {
                Ok(Followed::Elsewhere)
            }
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
                Err(Failure::Rejected { status: 400 | 422, .. }) if steps < STEPS_BACK_MAX => steps += 1,
                other => return other,
            }
        }
    }

    /// `range` is what is left once the page is stored. True: it was cut in two.
    async fn store_export_page(
        &self,
        started: &StartedShard,
        account: &Account,
        mut answer: Answer<ExportPage>,
        range: &Range,
        split: Option<Split>,
    ) -> Result<bool, HandlerError> {
        if let Some(end) = range.end {
            // The next range reads those.
            answer.value.articles.retain(|article| article.updated_at.as_second() < end);
        }
        let newest = answer.value.articles.iter().map(|article| article.updated_at.as_second()).max();
        let position = Some(range.start).filter(|_| !range.ended);
        let reached =
            Reached { cursor: Some(range.cursor()), progress: Some(Progress { position, newest }), split };
        Ok(self.store_fetched(started, account, Fetched::from(answer), reached).await?.split)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: i64, end: Option<i64>, pages: u64) -> Range {
        Range { start, end, pages, ended: false }
    }

    #[test]
    fn a_heavy_range_is_cut_in_the_middle_of_what_is_left() {
        let split = range(10_000, None, HEAVY_PAGES).split(30_000).unwrap();
        assert_eq!(split.shard.params, json!({ "start": 20_000, "end": null }));
        assert_eq!(
            (split.cursor["start"].as_i64(), split.cursor["end"].as_i64()),
            (Some(10_000), Some(20_000))
        );
        let split = range(10_000, Some(20_000), HEAVY_PAGES).split(30_000).unwrap();
        assert_eq!(split.shard.params, json!({ "start": 15_000, "end": 20_000 }));
    }

    #[test]
    fn a_light_or_short_range_stays_whole() {
        assert!(range(10_000, None, HEAVY_PAGES - 1).split(90_000).is_none());
        assert!(range(10_000, None, 9).split(10_000 + CUT_SECONDS_MIN - 1).is_none());
        assert!(range(10_000, None, 9).split(0).is_none(), "a clock that is behind cuts nothing");
    }
}
