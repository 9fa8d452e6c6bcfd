//! Changing what a connection keeps, and what a new look at the sections changes about it.
//!
//! What is no longer selected goes at once, by what was last read of it, and without a ceiling: the ceiling keeps a
//! fault or a shrunken role from emptying a copy, and here a person said what is to go. What is newly selected is
//! brought by a run that reads everything; it also settles locales, of which articles keep some and lose others.

use helpsync_model::{
    ConnectionId, ConnectionState, CustomerId, DataSourceStatus, Lane, OrganizationId, RunKind, RunParams,
    SelectionFilter, Trigger,
};
use serde_json::json;
use sqlx::Row;

use crate::connection::grants::forget_high_water;
use crate::db::decode::{count, selection_of};
use crate::db::family::{FAMILY, brands_below};
use crate::db::states::ACTIVE_CONNECTION;
use crate::db::{AdminStore, Entity, StoreError, SyncStore, Write, decode, sql};
use crate::event::events::Owner;
use crate::run::runs::{RunRequest, RunRequested, cancel_active, insert_run};
use crate::run::shards::{StartedShard, check_fence_to_change};
use crate::sync::filtered::LoadedFilter;
use crate::sync::page_rows::drop_files_of;
use crate::sync::tree::{NewItem, upsert_items};

/// What changing a selection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelectionFilterChanged {
    /// The run that brings what is newly selected. `None`: the selection was this already, or the connection is paused,
    /// and the first run after it is reconnected does it.
    pub run: Option<RunRequested>,
    /// Files that were removed at once.
    pub removed: i64,
}

/// What a new look at the sections showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeLearned {
    /// Files that were removed, because their sections are not kept any more.
    pub removed: i64,
    /// Articles that are not here stand in sections that are kept now: only reading everything brings them.
    pub gained: bool,
}

impl AdminStore {
    /// What a connection keeps.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn selection(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<SelectionFilter, StoreError> {
        let row = sqlx::query("select id, selection from connection where id = $1 and organization_id = $2")
            .bind(connection.0)
            .bind(organization.0)
            .fetch_optional(&self.pool)
            .await?;
        selection_of(&row.ok_or(StoreError::NotFound(Entity::DataSource))?)
    }

    /// Changes what a connection keeps: removes what is no longer selected, announces it, and starts a run that brings
    /// what is newly selected. The selection that it has already changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn select(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        selection: &SelectionFilter,
        request_id: &str,
        upload_id: &str,
    ) -> Result<SelectionFilterChanged, StoreError> {
        let mut write = self.write().await?;
        let Some(changed) = change(&mut write, organization, connection, selection, request_id).await? else {
            return Ok(SelectionFilterChanged { run: None, removed: 0 });
        };
        let Changed { removed, is_active } = changed;
        let run = if is_active {
            let request = RunRequest {
                connection,
                kind: Some(RunKind::Full),
                trigger: Trigger::Request,
                lane: Lane::OnDemand,
                request_id: request_id.to_owned(),
                upload_id: upload_id.to_owned(),
                params: RunParams::default(),
            };
            Some(insert_run(&mut write, &request).await?)
        } else {
            None
        };
        write.commit().await?;
        SyncStore(self.0.clone()).sweep_blobs(organization).await?;
        Ok(SelectionFilterChanged { run, removed })
    }

    /// How many files [`AdminStore::select`] would remove now: it is done, and taken back.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn would_remove(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        selection: &SelectionFilter,
    ) -> Result<i64, StoreError> {
        let mut write = self.write().await?;
        let changed = change(&mut write, organization, connection, selection, "").await?;
        // Dropped without a commit, the transaction leaves nothing.
        Ok(changed.map_or(0, |changed| changed.removed))
    }

    /// The sections or categories of a copy and its brands, by id, with their names; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn named_places(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
        kind: PlaceKind,
        limit: u32,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let found = sqlx::query_as(sql(format!(
            "select external_id, name from item
             where connection_id in (select id from connection where id in {FAMILY} and organization_id = $2) and kind = $3
             order by external_id limit $4"
        )));
        let found = found.bind(connection.0).bind(organization.0).bind(kind.as_str()).bind(i64::from(limit));
        Ok(found.fetch_all(&self.pool).await?)
    }
}

/// What articles stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceKind {
    /// A category.
    Category,
    /// A section.
    Section,
}

impl PlaceKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Category => "CATEGORY",
            Self::Section => "SECTION",
        }
    }
}

/// What a change of the filter did, within its transaction.
struct Changed {
    removed: i64,
    /// Whether a run can bring what is newly selected.
    is_active: bool,
}

/// Stores the filter and removes what it leaves out. `None`: it was this already.
async fn change(
    write: &mut Write,
    organization: OrganizationId,
    connection: ConnectionId,
    selection: &SelectionFilter,
    request_id: &str,
) -> Result<Option<Changed>, StoreError> {
    let row = sqlx::query(sql(format!(
        "select id, customer_id, state, selection from connection
         where id = $1 and organization_id = $2 and parent_id is null{}",
        write.dialect.for_update()
    )))
    .bind(connection.0)
    .bind(organization.0)
    .fetch_optional(&mut *write.tx)
    .await?
    .ok_or(StoreError::NotFound(Entity::DataSource))?;
    if selection_of(&row)? == *selection {
        return Ok(None);
    }
    sqlx::query(sql(format!("update connection set selection = $2, updated_at = $3 where id in {FAMILY}")))
        .bind(connection.0)
        .bind(serde_json::to_string(selection).map_err(StoreError::unwritable)?)
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    // Whatever becomes of the run that follows, and while the connection is paused: the next one reads everything.
    forget_high_water(write, connection).await?;
    let customer = CustomerId(row.try_get("customer_id")?);
    let mut removed = 0;
    for connection in std::iter::once(connection).chain(brands_below(write, connection).await?) {
        let selected = LoadedFilter::load(write, connection).await?;
        if !selected.brand {
            cancel_active(write, connection, "the brand is not selected").await?;
            settle_status(write, connection).await?;
        }
        let owner = Owner { organization, customer, connection };
        removed += drop_filtered_out(write, owner, &selected, request_id).await?;
    }
    if !selection.attachments {
        drop_attachments(write, connection).await?;
    }
    let state: String = row.try_get("state")?;
    Ok(Some(Changed { removed, is_active: state == ConnectionState::Active.as_str() }))
}

impl SyncStore {
    /// Takes a whole list of the sections and categories: they are renamed and moved without any article changing.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn learn_tree(
        &self,
        started: &StartedShard,
        items: &[NewItem],
    ) -> Result<TreeLearned, StoreError> {
        let (connection, now) = (started.fence.connection, self.clock.now_ms());
        let mut write = self.write().await?;
        check_fence_to_change(&mut write, &started.fence).await?;
        sqlx::query("update run set progress_at = $2 where id = $1")
            .bind(started.fence.run.0)
            .bind(now)
            .execute(&mut *write.tx)
            .await?;
        upsert_items(&mut write, connection, items).await?;
        let selected = LoadedFilter::load(&mut write, connection).await?;
        let mut learned = TreeLearned::default();
        if let Some(kept) = &selected.sections {
            let kept = json!(kept).to_string();
            let ids = self.dialect.json_integers("$2");
            let outside: i64 = sqlx::query_scalar(sql(format!(
                "select count(*) from remote_article
                 where connection_id = $1 and placed = 0 and published = 1 and section_id in {ids}"
            )))
            .bind(connection.0)
            .bind(&kept)
            .fetch_one(&mut *write.tx)
            .await?;
            learned.gained = outside > 0;
            sqlx::query(sql(format!(
                "update remote_article set placed = 0
                 where connection_id = $1 and placed = 1 and (section_id is null or section_id not in {ids})"
            )))
            .bind(connection.0)
            .bind(&kept)
            .execute(&mut *write.tx)
            .await?;
            let (owner, request_id) = (started.owner(), &started.run.request_id);
            learned.removed = drop_filtered_out(&mut write, owner, &selected, request_id).await?;
            write.count_articles("removed", learned.removed);
            sqlx::query("update run set removed = removed + $2 where id = $1")
                .bind(started.fence.run.0)
                .bind(learned.removed)
                .execute(&mut *write.tx)
                .await?;
        }
        write.commit().await?;
        Ok(learned)
    }

    /// Whether a file stands in a section that is not known, or an item below one that is not.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lacks_sections(&self, connection: ConnectionId) -> Result<bool, StoreError> {
        let lacking: i64 = sqlx::query_scalar(
            "select count(*) from (
               select 'SECTION' as kind, section_id as id from file where connection_id = $1 and section_id is not null
               union select parent_kind, parent_id from item where connection_id = $1 and parent_id is not null
             ) as named
             where not exists (select 1 from item where item.connection_id = $1 and item.kind = named.kind
               and item.external_id = named.id)",
        )
        .bind(connection.0)
        .fetch_one(&self.pool)
        .await?;
        Ok(lacking > 0)
    }

    /// Which of these sections are not known.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unknown_sections(
        &self,
        connection: ConnectionId,
        sections: &[i64],
    ) -> Result<Vec<i64>, StoreError> {
        let known: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select external_id from item where connection_id = $1 and kind = 'SECTION' and external_id in {}",
            self.dialect.json_integers("$2")
        )))
        .bind(connection.0)
        .bind(json!(sections).to_string())
        .fetch_all(&self.pool)
        .await?;
        Ok(sections.iter().copied().filter(|section| !known.contains(section)).collect())
    }
}

/// Forgets the attachments of a connection and its brands; their bytes are swept when nothing refers to them.
async fn drop_attachments(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "delete from attachment where file_id in (select id from file where connection_id in {FAMILY})"
    )))
    .bind(connection.0)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Removes the files that the selection leaves out, by what was last read of them, and announces it.
async fn drop_filtered_out(
    write: &mut Write,
    owner: Owner,
    selected: &LoadedFilter,
    request_id: &str,
) -> Result<i64, StoreError> {
    let selection = &selected.selection;
    if selected.brand && selected.sections.is_none() && selection.labels.is_empty() && !selection.public_only
    {
        return Ok(0);
    }
    let found = sqlx::query(sql(format!(
        "select id, section_id, labels, user_segment_id, user_segment_ids from file
         where connection_id = $1 order by article_id{}",
        write.dialect.for_update()
    )))
    .bind(owner.connection.0)
    .fetch_all(&mut *write.tx)
    .await?;
    let mut files: Vec<i64> = Vec::new();
    for row in &found {
        let labels: Vec<String> = decode::json(row, "file", "labels")?;
        let mut segments: Vec<i64> = decode::json(row, "file", "user_segment_ids")?;
        segments.extend(row.try_get::<Option<i64>, _>("user_segment_id")?);
        let kept = selected.brand
            && selected.keeps_place(row.try_get("section_id")?)
            && selection.keeps_labels(&labels)
            && selection.keeps_segments(&segments);
        if !kept {
            files.push(row.try_get("id")?);
        }
    }
    drop_files_of(write, owner, request_id, &files).await?;
    Ok(count(files.len()))
}

/// What was under way over a brand is cancelled, and nothing follows that would say so.
async fn settle_status(write: &mut Write, connection: ConnectionId) -> Result<(), StoreError> {
    sqlx::query(sql(format!(
        "update connection set sync_status = $2 where id = $1 and state = {ACTIVE_CONNECTION}"
    )))
    .bind(connection.0)
    .bind(DataSourceStatus::Ready.as_str())
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
