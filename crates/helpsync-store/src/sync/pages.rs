//! Storing a page: articles, their translations, the ledger, the cursor and the mark, in one transaction.

use std::collections::{BTreeMap, HashSet};

use helpsync_model::{EventKind, RunKind, ShardCursor};
use serde_json::json;

use crate::db::decode::count;
use crate::db::states::DONE_SHARD;
use crate::db::{StoreError, SyncStore, Write, sql};
use crate::event::events;
use crate::run::counters::PageCounts;
use crate::run::going_on::move_high_water;
use crate::run::shards::{NewShard, StartedShard, insert_shard};
use crate::search::chunking::mark_for_chunking;
use crate::sync::author_and_tag_names::NewAuthor;
use crate::sync::budget_waits::{BudgetWaits, draw};
use crate::sync::filtered::{LoadedFilter, Seen};
use crate::sync::incoming::IncomingArticle;
use crate::sync::noted::{NotedPage, note_page};
use crate::sync::page_counts::{count_page, counted_before, counts_of, measure_delay};
use crate::sync::page_lock::{Locked, ReachedRow};
use crate::sync::page_rows::{Known, drop_files, known_files, replace_translations, upsert_files};
use crate::sync::quota::{OverLimit, Room};
use crate::sync::settle::{note_settled, settle_unchanged};
use crate::sync::tree::{NewItem, upsert_items};
use crate::sync::unsynced::{list_article, make_records, unlist_articles};

/// An article that could not be stored.
#[derive(Debug, Clone)]
pub struct SkippedArticle {
    /// Zendesk's id, where one could be read.
    pub article_id: Option<i64>,
    /// Why, for people.
    pub reason: String,
    /// When it was created at Zendesk, in ms, where that could be read.
    pub created_at: Option<i64>,
    /// The section it stands in, where that could be read.
    pub section_id: Option<i64>,
}

/// How far a walk has come, in epoch seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Everything of the walk that changed before then is stored; `None` once all of it is.
    pub position: Option<i64>,
    /// The latest change that it has stored.
    pub newest: Option<i64>,
}

impl Progress {
    /// Whether it may move a connection's high-water mark, which goes no further than the hindmost walk.
    pub(crate) fn may_move(self, mark: Option<i64>) -> bool {
        self.position.is_none_or(|position| position > mark.unwrap_or(0))
    }
}

/// The request to hand the rest of a walk's range to a walk of its own.
#[derive(Debug, Clone)]
pub struct Split {
    /// The new walk.
    pub shard: NewShard,
    /// Where this walk goes on if it is made.
    pub cursor: ShardCursor,
    /// It is made while the run has fewer shards of its kind than this.
    pub shards_max: i64,
}

/// One page's worth of changes.
#[derive(Debug, Clone, Default)]
pub struct PageWrite {
    /// What was read.
    pub articles: Vec<IncomingArticle>,
    /// What was read but cannot be stored.
    pub skipped: Vec<SkippedArticle>,
    /// Texts of articles that could not be stored, while the articles' others are.
    pub skipped_translations: Vec<SkippedArticle>,
    /// Articles that were shown as they were read before, without all that belongs to them.
    pub settled: Vec<i64>,
    /// Sections and categories that came with it.
    pub items: Vec<NewItem>,
    /// Names that came with it.
    pub authors: Vec<NewAuthor>,
    /// Where the shard goes on.
    pub cursor: Option<ShardCursor>,
    /// How far the walk is once this page is stored. The connection's high-water mark follows as far as every walk of
    /// the run allows, and never backwards.
    pub progress: Option<Progress>,
    /// Whether the walk is to be cut in two.
    pub split: Option<Split>,
    /// Requests that the page took.
    pub requests: u64,
    /// Bytes that the page took.
    pub bytes: u64,
    /// Time waited for budget.
    pub waits: BudgetWaits,
}

/// What storing a page changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageOutcome {
    /// New files.
    pub created: i64,
    /// Files with new content.
    pub updated: i64,
    /// Files already right.
    pub unchanged: i64,
    /// Articles with nothing published.
    pub drafts: i64,
    /// Published articles that the selection leaves out.
    pub unselected: i64,
    /// Published articles that a limit of the customer keeps out, or whose new text it does.
    pub over_limit: i64,
    /// Files removed because nothing of them is published any more, or selected.
    pub removed: i64,
    /// The walk was cut in two as [`PageWrite::split`] says.
    pub split: bool,
}

/// What a page makes of its articles.
#[derive(Default)]
struct Changes<'a> {
    /// Files that are right, with their articles' time.
    unchanged: Vec<(i64, i64)>,
    /// Files of which nothing is published any more, or selected.
    withdrawn: Vec<i64>,
    /// Articles that the selection leaves out.
    unselected: Vec<i64>,
    /// Articles to be stored.
    stored: Vec<&'a IncomingArticle>,
    /// Those of them whose content is new, and whether an older one was known.
    announced: Vec<(i64, bool)>,
    /// When those changed that are new or have other texts, as they are announced.
    changed_at: Vec<i64>,
    /// Files whose translations are replaced.
    known: Vec<i64>,
    /// Articles that may be asked for, and nobody did.
    listed: Vec<&'a IncomingArticle>,
    /// Those to be stored of which only a record is kept, and whether it was known.
    records: Vec<(i64, bool)>,
    /// Articles that a limit keeps out.
    over_limit: Vec<OverLimit<'a>>,
}

impl<'a> Changes<'a> {
    /// An article whose content is kept, and is not stored as it is.
    /// `once`: 0 if the run has counted it before.
    fn store(
        &mut self,
        article: &'a IncomingArticle,
        known: Option<&Known>,
        once: i64,
        outcome: &mut PageOutcome,
    ) {
        let has_other_text = |known: &Known| known.content_hash.as_deref() != Some(&article.content_hash());
        let announced = known.is_none_or(|known| has_other_text(known) || known.withdrawn);
        let is_changed = known.is_none_or(|known| has_other_text(known) || known.hidden || known.deleted);
        if announced {
            self.announced.push((article.article_id, known.is_some()));
            self.changed_at.extend(is_changed.then_some(article.updated_at));
        }
        match (known.is_some(), is_changed) {
            (false, _) => outcome.created += 1,
            (true, true) => outcome.updated += 1,
            (true, false) => outcome.unchanged += once,
        }
        self.known.extend(known.map(|known| known.file));
        self.stored.push(article);
    }
}

impl SyncStore {
    /// Stores a page for the shard that read it, all or nothing. The number of statements does not depend on the
    /// page's length, but for one more per 64 translations or 4 MiB of them.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the shard is no longer this worker's; nothing is changed then.
    pub async fn store_page(
        &self,
        started: &StartedShard,
        page: &PageWrite,
    ) -> Result<PageOutcome, StoreError> {
        let (write, outcome) = self.write_page(started, page, false).await?;
        write.commit().await?;
        Ok(outcome)
    }

    /// What [`SyncStore::store_page`] does, not yet committed. With `ends` the shard's end follows in the transaction,
    /// which counts the page and moves the mark.
    pub(crate) async fn write_page(
        &self,
        started: &StartedShard,
        page: &PageWrite,
        ends: bool,
    ) -> Result<(Write, PageOutcome), StoreError> {
        let (mut write, locked) = self.lock_page(started, page, ends).await?;
        let mut outcome = PageOutcome::default();
        let counted = if let Some(Locked { limits, selection, brand_id }) = locked {
            let mut items = page.items.as_slice();
            if selection.names_places() {
                // What is kept depends on them.
                upsert_items(&mut write, started.fence.connection, std::mem::take(&mut items)).await?;
            }
            let filter = LoadedFilter::of(&mut write, started.fence.connection, selection, brand_id).await?;
            let seen = filter.read(&page.articles);
            let latest = latest_of(&seen);
            let ids: Vec<i64> = latest.iter().map(|seen| seen.article.article_id).collect();
            let requested = self.requested_over_limit(&mut write, started, &ids).await?;
            let noted = note_page(&mut write, started, page, items, &seen, &latest).await?;
            let room = Room::load(&mut *write.tx, started, limits).await?;
            let changes =
                compare(&mut write, started, &latest, room, &noted, &requested, &mut outcome).await?;
            self.apply(&mut write, started, &changes, &mut outcome).await?;
            self.record_over_limit(&mut write, started, &changes.over_limit).await?;
            noted.counted
        } else {
            upsert_items(&mut write, started.fence.connection, &page.items).await?;
            counted_before(&mut write, started, page).await?
        };
        draw(&mut write, &started.fence, page.waits.span).await?;
        let settled = count(page.settled.iter().filter(|id| !counted.contains(id)).count());
        self.record_skipped(&mut write, started, &page.skipped).await?;
        self.record_reasons(&mut write, started, &page.skipped_translations).await?;
        note_settled(&mut write, started, &page.settled).await?;
        outcome.unchanged += settled;
        if ends {
            count_page(&mut write, page, &outcome);
        } else {
            self.settle_page(&mut write, started, page, &mut outcome).await?;
        }
        Ok((write, outcome))
    }

    async fn apply(
        &self,
        write: &mut Write,
        started: &StartedShard,
        changes: &Changes<'_>,
        outcome: &mut PageOutcome,
    ) -> Result<(), StoreError> {
        let whole = started.run.kind == RunKind::Full;
        settle_unchanged(write, &changes.unchanged, whole).await?;
        drop_files(write, started, &changes.withdrawn).await?;
        let files = upsert_files(write, started, &changes.stored).await?;
        let file_of = |article: i64| files.get(&article).copied().unwrap_or_default();
        if started.files.lists_only {
            unlist_articles(write, started, &changes.unselected).await?;
        }
        for article in &changes.listed {
            list_article(write, started, article).await?;
        }
        let records: HashSet<i64> = changes.records.iter().map(|(article, _)| *article).collect();
        let record_files: Vec<i64> = records.iter().map(|article| file_of(*article)).collect();
        make_records(write, &record_files).await?;
        let translations: Vec<_> = changes
            .stored
            .iter()
            .filter(|article| !records.contains(&article.article_id))
            .flat_map(|article| {
                article.translations.iter().map(|translation| (file_of(article.article_id), translation))
            })
            .collect();
        let keeping = |article: &&&IncomingArticle| article.keeps_others || !article.kept_locales.is_empty();
        let kept: Vec<(i64, &IncomingArticle)> = (changes.stored.iter().filter(keeping))
            .map(|article| (file_of(article.article_id), *article))
            .collect();
        replace_translations(write, &changes.known, &kept, &translations).await?;
        let texts = changes.stored.iter().filter(|article| !records.contains(&article.article_id));
        let texts: Vec<i64> = texts.map(|article| file_of(article.article_id)).collect();
        mark_for_chunking(write, &texts).await?;
        let ready: Vec<_> = changes
            .announced
            .iter()
            .map(|(article, is_resync)| {
                let detail = json!({ "is_resync": is_resync, "request_id": started.run.request_id });
                (file_of(*article).to_string(), detail)
            })
            .collect();
        events::record_all(write, started.owner(), EventKind::FileReady, "FILE", &ready).await?;
        if !whole {
            measure_delay(write, changes.changed_at.iter().copied());
        }
        if outcome.created > 0 {
            let new = changes.announced.iter().chain(&changes.records).filter(|(_, is_resync)| !is_resync);
            let ids: Vec<i64> = new.map(|(article, _)| file_of(*article)).collect();
            let detail = json!({ "request_id": started.run.request_id, "upload_id": started.run.upload_id });
            let created = [(json!(ids).to_string(), detail)];
            events::record_all(write, started.owner(), EventKind::FilesCreated, "FILE_LIST", &created)
                .await?;
        }
        Ok(())
    }

    async fn settle_page(
        &self,
        write: &mut Write,
        started: &StartedShard,
        page: &PageWrite,
        outcome: &mut PageOutcome,
    ) -> Result<(), StoreError> {
        let counts = counts_of(page, outcome, write.now);
        let counted = sqlx::query(sql(format!("update run set {} where id = $1", PageCounts::set(2))));
        counts.bind(counted.bind(started.fence.run.0)).execute(&mut *write.tx).await?;
        count_page(write, page, outcome);
        if let Some(split) = &page.split {
            outcome.split = self.split(write, started, split).await?;
        }
        // What the page reached is written by now, unless there was a split to be made first.
        if page.split.is_some() {
            let cursor = page.split.as_ref().filter(|_| outcome.split).map(|split| &split.cursor);
            let reached = ReachedRow::of(cursor.or(page.cursor.as_ref()), page.progress)?;
            let set = format!("update shard set {} where id = $1", ReachedRow::set(2));
            reached.bind(sqlx::query(sql(set)).bind(started.fence.shard.0)).execute(&mut *write.tx).await?;
        }
        if page.progress.is_some_and(|progress| progress.may_move(started.high_water)) {
            let walks = format!(
                "select min(case when state <> {DONE_SHARD} then position end), max(newest) from shard where run_id = $1"
            );
            let walks = sqlx::query_as(sql(walks)).bind(started.fence.run.0);
            let (hindmost, latest): (Option<i64>, Option<i64>) = walks.fetch_one(&mut *write.tx).await?;
            let known = started.high_water.unwrap_or(0);
            move_high_water(write, started.fence.connection, known, hindmost, latest).await?;
        }
        Ok(())
    }

    /// The run row is locked by now, so two walks that split at once are counted one after the other.
    async fn split(
        &self,
        write: &mut Write,
        started: &StartedShard,
        split: &Split,
    ) -> Result<bool, StoreError> {
        let made: i64 = sqlx::query_scalar("select count(*) from shard where run_id = $1 and kind = $2")
            .bind(started.fence.run.0)
            .bind(split.shard.params.kind().as_str())
            .fetch_one(&mut *write.tx)
            .await?;
        if made >= split.shards_max {
            return Ok(false);
        }
        let (run, connection) = (started.fence.run, started.fence.connection);
        insert_shard(write, run, connection, started.run.lane, &split.shard).await?;
        Ok(true)
    }
}

/// Says what is to be done about each article that is `noted` in the ledger.
async fn compare<'a>(
    write: &mut Write,
    started: &StartedShard,
    articles: &[&'a Seen<'a>],
    mut room: Room,
    page: &NotedPage,
    requested: &HashSet<i64>,
    outcome: &mut PageOutcome,
) -> Result<Changes<'a>, StoreError> {
    let NotedPage { noted, counted } = page;
    let ids: Vec<i64> = articles.iter().map(|seen| seen.article.article_id).collect();
    let known = known_files(write, started, ids).await?;
    let mut changes = Changes::default();
    let withdrawn =
        |seen: &&Seen<'_>| noted.contains(&seen.article.article_id) && seen.article.translations.is_empty();
    let going = articles.iter().copied().filter(withdrawn);
    going.filter_map(|seen| known.get(&seen.article.article_id)).for_each(|known| room.free(known));
    for seen in articles.iter().copied() {
        let article: &'a IncomingArticle = &seen.article;
        let known = known.get(&article.article_id);
        let is_record = started.files.keeps_record(known.map(|known| known.record));
        let once = i64::from(!counted.contains(&article.article_id));
        if !noted.contains(&article.article_id) {
            outcome.unchanged += once;
        } else if article.translations.is_empty() {
            if seen.is_filtered_out() {
                outcome.unselected += 1;
                changes.unselected.push(article.article_id);
            } else {
                outcome.drafts += 1;
            }
            changes.withdrawn.extend(known.map(|known| known.file));
        } else if let Some(known) = known.filter(|known| is_same(known, article)) {
            changes.unchanged.push((known.file, article.updated_at));
            outcome.unchanged += once;
        } else if article.unconverted {
            return Err(StoreError::Unconverted);
        } else if known.is_none() && started.files.lists_only && !requested.contains(&article.article_id) {
            changes.listed.push(article);
            outcome.unchanged += once;
        } else if let Some(over) = room.keeps_out(article, known, is_record) {
            changes.over_limit.push(over);
        } else if is_record {
            changes.records.push((article.article_id, known.is_some()));
            changes.stored.push(article);
            outcome.created += i64::from(known.is_none());
            outcome.unchanged += if known.is_some() { once } else { 0 };
        } else {
            changes.store(article, known, once, outcome);
        }
    }
    outcome.over_limit += count(changes.over_limit.len());
    outcome.removed += count(changes.withdrawn.len());
    Ok(changes)
}

/// By their ids; of an article that comes twice the newest reading, of equal ones the last.
fn latest_of<'a>(page: &'a [Seen<'a>]) -> Vec<&'a Seen<'a>> {
    let mut latest: BTreeMap<i64, &'a Seen<'a>> = BTreeMap::new();
    for seen in page {
        let known = latest.get(&seen.article.article_id);
        if known.is_none_or(|known| known.article.updated_at <= seen.article.updated_at) {
            latest.insert(seen.article.article_id, seen);
        }
    }
    latest.into_values().collect()
}

fn is_same(known: &Known, article: &IncomingArticle) -> bool {
    !known.withdrawn
        && known.content_hash.as_deref() == Some(&article.content_hash())
        && known.metadata_hash.as_deref() == Some(&article.metadata_hash)
        && known.converter == article.converter
}
