//! What a customer may have: `max_files` and its kin, in Carbon's words, and what there is room for.
//!
//! The customer's own setting wins over its organization's, name by name; unset, null and -1 are no limit. A customer
//! has one workspace, so whoever holds its connection's row alone, also for its brands, decides exactly.

use std::collections::HashSet;

use helpsync_model::{CustomerId, EventKind};
use serde_json::{Value, json};
use sqlx::any::AnyRow;
use sqlx::{Any, Executor};

use crate::db::decode::count;
use crate::db::{StoreError, SyncStore, Write, decode, integer, sql};
use crate::event::events;
use crate::run::shards::StartedShard;
use crate::sync::incoming::IncomingArticle;
use crate::sync::page_rows::Known;
use crate::sync::pages::SkippedArticle;

/// The most that a customer may have; `None` = no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    files: Option<i64>,
    files_per_upload: Option<i64>,
    characters: Option<i64>,
    characters_per_file: Option<i64>,
    characters_per_upload: Option<i64>,
}

/// What a customer has, and what one upload brought of it: deleted content is none of it, hidden files are.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    files: i64,
    characters: i64,
    upload_files: i64,
    upload_characters: i64,
}

/// What is left of a customer's limits while a page is looked at.
#[derive(Debug, Default)]
pub(crate) struct Room {
    limits: Limits,
    used: Usage,
}

/// An article that a limit keeps out.
pub(crate) struct OverLimit<'a> {
    pub(crate) article: &'a IncomingArticle,
    /// Names the limit, for people.
    pub(crate) reason: String,
    /// What it would add as content.
    characters: i64,
}

impl Limits {
    fn of(own: &Value, organization: &Value) -> Self {
        let limit = |name: &str| {
            let set = own[name].as_i64().or_else(|| organization[name].as_i64());
            set.filter(|most| *most >= 0)
        };
        Self {
            files: limit("max_files"),
            files_per_upload: limit("max_files_per_upload"),
            characters: limit("max_characters"),
            characters_per_file: limit("max_characters_per_file"),
            characters_per_upload: limit("max_characters_per_upload"),
        }
    }

    /// As they are at this moment.
    pub(crate) async fn load<'e>(
        from: impl Executor<'e, Database = Any>,
        customer: CustomerId,
    ) -> Result<Self, StoreError> {
        let row = sqlx::query(
            "select customer.id, customer.limits, organization.limits as organization_limits
             from customer join organization on organization.id = customer.organization_id where customer.id = $1",
        )
        .bind(customer.0)
        .fetch_one(from)
        .await?;
        Self::of_row(&row)
    }

    /// Of a row with `limits`, the customer's, and `organization_limits`.
    pub(crate) fn of_row(row: &AnyRow) -> Result<Self, StoreError> {
        let of_organization = decode::json(row, "organization", "organization_limits")?;
        Ok(Self::of(&decode::json(row, "customer", "limits")?, &of_organization))
    }

    pub(crate) fn are_set(&self) -> bool {
        *self != Self::default()
    }

    /// Whether what there is already matters.
    fn add_up(&self) -> bool {
        Self { characters_per_file: None, ..*self }.are_set()
    }
}

impl Room {
    /// One statement; none where no limit adds up.
    pub(crate) async fn load<'e>(
        from: impl Executor<'e, Database = Any>,
        started: &StartedShard,
        limits: Limits,
    ) -> Result<Self, StoreError> {
        if !limits.add_up() {
            return Ok(Self { limits, used: Usage::default() });
        }
        let (files, characters, upload_files, upload_characters) = sqlx::query_as(
            "select count(*) as files, cast(coalesce(sum(characters), 0) as bigint) as characters,
               count(case when upload_id = $2 then 1 end) as upload_files,
               cast(coalesce(sum(case when upload_id = $2 then characters end), 0) as bigint) as upload_characters
             from file where customer_id = $1 and content_deleted = 0",
        )
        .bind(started.customer.0)
        .bind(&started.run.upload_id)
        .fetch_one(from)
        .await?;
        Ok(Self { limits, used: Usage { files, characters, upload_files, upload_characters } })
    }

    /// Takes back what a file holds that goes.
    pub(crate) fn free(&mut self, known: &Known) {
        self.used.files -= i64::from(!known.deleted);
        self.used.characters -= known.characters;
    }

    /// Makes room for an article's file, as content or as a record; `Some`: a limit keeps it out. What is there
    /// already may stay, whatever limits were set since, and may change as long as that breaks none.
    pub(crate) fn keeps_out<'a>(
        &mut self,
        article: &'a IncomingArticle,
        known: Option<&Known>,
        is_record: bool,
    ) -> Option<OverLimit<'a>> {
        if !self.limits.are_set() {
            return None;
        }
        let known = known.filter(|known| !known.deleted);
        let characters = if is_record { 0 } else { article.characters() };
        let grown = characters - known.map_or(0, |known| known.characters);
        let is_new = known.is_none();
        let rewritten = known.is_none_or(|it| it.content_hash.as_deref() != Some(&article.content_hash()));
        let (limits, used) = (&self.limits, &mut self.used);
        let broken = [
            ("max_characters_per_file", limits.characters_per_file, rewritten, characters),
            ("max_files", limits.files, is_new, used.files + 1),
            ("max_files_per_upload", limits.files_per_upload, is_new, used.upload_files + 1),
            ("max_characters", limits.characters, grown > 0, used.characters + grown),
            (
                "max_characters_per_upload",
                limits.characters_per_upload,
                is_new && grown > 0,
                used.upload_characters + grown,
            ),
        ]
        .into_iter()
        .find_map(|(name, most, asked, would_be)| {
            let most = most.filter(|most| asked && would_be > *most)?;
            Some(format!("{name} would be exceeded: it is {most}"))
        });
        if let Some(reason) = broken {
            return Some(OverLimit { article, reason, characters });
        }
        used.files += i64::from(is_new);
        used.characters += grown;
        if is_new {
            used.upload_files += 1;
            used.upload_characters += characters;
        }
        None
    }
}

impl SyncStore {
    /// Records what limits kept out: with its reason like all that is skipped, and in the ledger, so that a run brings
    /// it once there is room. The first of a run is announced.
    pub(crate) async fn record_over_limit(
        &self,
        write: &mut Write,
        started: &StartedShard,
        over: &[OverLimit<'_>],
    ) -> Result<(), StoreError> {
        let Some(first) = over.first() else { return Ok(()) };
        let skipped: Vec<_> = over.iter().map(OverLimit::skipped).collect();
        self.record_skipped(write, started, &skipped).await?;
        let marks =
            over.iter().map(|one| json!({ "id": one.article.article_id, "characters": one.characters }));
        sqlx::query(sql(format!(
            "update remote_article set over_limit = characters from {}
             where remote_article.connection_id = $1 and remote_article.article_id = incoming.id",
            self.dialect.json_rows("$2", &["id", "characters"].map(integer))
        )))
        .bind(started.fence.connection.0)
        .bind(Value::from_iter(marks).to_string())
        .execute(&mut *write.tx)
        .await?;
        write.count_articles("skipped", count(over.len()));
        let so_far: i64 = sqlx::query_scalar(
            "update run set skipped = skipped + $2, over_limit = over_limit + $2 where id = $1
             returning over_limit",
        )
        .bind(started.fence.run.0)
        .bind(count(over.len()))
        .fetch_one(&mut *write.tx)
        .await?;
        if so_far > count(over.len()) {
            return Ok(());
        }
        let (request_id, upload_id) = (&started.run.request_id, &started.run.upload_id);
        let detail = json!({ "reason": first.reason, "request_id": request_id, "upload_id": upload_id });
        let reached = [(started.customer.to_string(), detail)];
        let kind = EventKind::FileSyncLimitReached;
        events::record_all(write, started.owner(), kind, "ORGANIZATION_USER", &reached).await
    }

    /// Where articles are listed and wait to be asked for: those that were asked for, and that a limit kept out when they were
    /// last read. They need not be asked for again.
    pub(crate) async fn requested_over_limit(
        &self,
        write: &mut Write,
        started: &StartedShard,
        articles: &[i64],
    ) -> Result<HashSet<i64>, StoreError> {
        if !started.files.lists_only {
            return Ok(HashSet::new());
        }
        let found: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select article_id from remote_article
             where connection_id = $1 and over_limit is not null and article_id in {}",
            self.dialect.json_integers("$2")
        )))
        .bind(started.fence.connection.0)
        .bind(json!(articles).to_string())
        .fetch_all(&mut *write.tx)
        .await?;
        Ok(found.into_iter().collect())
    }

    /// Whether there is room now for something that a limit kept out: only reading everything brings that.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn has_room_for_more(&self, started: &StartedShard) -> Result<bool, StoreError> {
        const NONE: i64 = i64::MAX;
        let limits = Limits::load(&self.pool, started.customer).await?;
        let used = Room::load(&self.pool, started, limits).await?.used;
        let left = |most: Option<i64>, used: i64| most.map_or(NONE, |most| (most - used).max(0));
        let files = left(limits.files, used.files).min(left(limits.files_per_upload, used.upload_files));
        let characters = left(limits.characters, used.characters);
        let new_characters = characters.min(left(limits.characters_per_upload, used.upload_characters));
        let fitting: i64 = sqlx::query_scalar(
            "select count(*) from remote_article as ledger left join file on file.connection_id = ledger.connection_id
               and file.article_id = ledger.article_id and file.content_deleted = 0
             where ledger.connection_id = $1 and ledger.over_limit is not null and ledger.over_limit <= $2
               and case when file.id is null then $3 > 0 and ledger.over_limit <= $4
                 else ledger.over_limit - file.characters <= $5 end",
        )
        .bind(started.fence.connection.0)
        .bind(limits.characters_per_file.unwrap_or(NONE))
        .bind(files)
        .bind(new_characters)
        .bind(characters)
        .fetch_one(&self.pool)
        .await?;
        Ok(fitting > 0)
    }
}

impl OverLimit<'_> {
    fn skipped(&self) -> SkippedArticle {
        SkippedArticle {
            article_id: Some(self.article.article_id),
            reason: self.reason.clone(),
            created_at: Some(self.article.created_at),
            section_id: self.article.section_id,
        }
    }
}
