//! Brands: further help centers of a connected account, each at an address of its own.
//!
//! A brand is a connection below the one that holds the grant (its parent), with a mark, a ledger and runs of its own.
//! Outside programs know the parent only. A brand follows it: what pauses, ends or reconnects the parent does so with
//! its brands, in the same transaction; a request for a sync of the parent is one for them. The parent is locked first.

use helpsync_model::{
    ConnectionEvent, ConnectionId, ConnectionState, DataSourceStatus, OrganizationId, RunParams,
};
use sqlx::Row;

use crate::db::decode::count;
use crate::db::family::{FAMILY, lock};
use crate::db::states::Step;
use crate::db::{AdminStore, Entity, StoreError, SyncStore, Write, sql};
use crate::event::events::Owner;
use crate::run::runs::{RunRequest, cancel_active, insert_run};
use crate::run::shards::{StartedShard, check_fence_to_change};
use crate::sync::page_rows::drop_files_of;
use crate::sync::removal::RemovalCeiling;

/// What an account says of one of its brands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBrand {
    /// Zendesk's id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub subdomain: String,
    /// It is in use, and has a help center.
    pub has_articles: bool,
    /// It was deleted.
    pub deleted: bool,
}

/// A brand whose articles are kept, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Zendesk's id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub subdomain: String,
}

/// A known brand that its account shows no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostBrand {
    /// Zendesk's id.
    pub id: i64,
    /// Zendesk says that it was deleted; else it is merely not shown.
    pub deleted: bool,
}

/// What became of a brand that is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrandEnded {
    /// So many files of it were removed.
    Removed(i64),
    /// So many would have been: more than may go without leave.
    Held(i64),
}

impl AdminStore {
    /// The brands of a connection that are known, its own first. Empty where the grant does not show them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn brands(
        &self,
        organization: OrganizationId,
        connection: ConnectionId,
    ) -> Result<Vec<Brand>, StoreError> {
        let found = sqlx::query(sql(format!(
            "select brand_id, brand_name, subdomain from connection
             where id in {FAMILY} and organization_id = $2 and brand_id is not null and brand_gone = 0
             order by parent_id is not null, id"
        )))
        .bind(connection.0)
        .bind(organization.0)
        .fetch_all(&self.pool)
        .await?;
        found
            .iter()
            .map(|row| {
                Ok(Brand {
                    id: row.try_get("brand_id")?,
                    name: row.try_get::<Option<String>, _>("brand_name")?.unwrap_or_default(),
                    subdomain: row.try_get("subdomain")?,
                })
            })
            .collect()
    }
}

impl SyncStore {
    /// Notes that the account was asked for its brands and does not tell.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn note_brands_asked(&self, started: &StartedShard) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        self.begin_look(&mut write, started).await?;
        write.commit().await
    }

    /// Takes the list of an account's brands. New ones become part of the connection, and a run brings those that its
    /// selection keeps. Answers which known ones are not shown any more: none, unless the list is `whole`.
    ///
    /// # Errors
    /// [`StoreError::Fenced`].
    pub async fn learn_brands(
        &self,
        started: &StartedShard,
        brands: &[NewBrand],
        whole: bool,
    ) -> Result<Vec<LostBrand>, StoreError> {
        let parent = started.fence.connection;
        let mut write = self.write().await?;
        self.begin_look(&mut write, started).await?;
        // A list without the help center that was connected is no list to go by.
        let Some(own) = brands.iter().find(|brand| brand.subdomain == started.subdomain) else {
            write.commit().await?;
            return Ok(Vec::new());
        };
        name(&mut write, parent, own).await?;
        let known: Vec<(i64, i64)> = sqlx::query_as(
            "select id, brand_id from connection where parent_id = $1 and brand_gone = 0 order by id",
        )
        .bind(parent.0)
        .fetch_all(&mut *write.tx)
        .await?;
        let mut found = Vec::new();
        for brand in brands.iter().filter(|brand| brand.id != own.id && !brand.deleted) {
            match known.iter().find(|(_, id)| *id == brand.id) {
                Some((child, _)) => name(&mut write, ConnectionId(*child), brand).await?,
                None if brand.has_articles => {
                    let adopted = adopt(&mut write, parent, brand).await?;
                    found.extend(adopted.filter(|_| started.selection.keeps_brand(Some(brand.id))));
                }
                None => {}
            }
        }
        for connection in found {
            let request = RunRequest {
                connection,
                kind: None,
                trigger: started.run.trigger,
                lane: started.run.lane,
                request_id: started.run.request_id.clone(),
                upload_id: started.run.upload_id.clone(),
                params: RunParams::default(),
            };
            insert_run(&mut write, &request).await?;
        }
        write.commit().await?;
        let lost = known.iter().filter_map(|(_, id)| {
            let shown = brands.iter().find(|brand| brand.id == *id);
            let lost = shown.map_or(whole, |brand| brand.deleted);
            lost.then_some(LostBrand { id: *id, deleted: shown.is_some() })
        });
        Ok(lost.collect())
    }

    /// Ends a brand that is gone, and removes what was kept of it. Where Zendesk does not say that it was `deleted`,
    /// a role may have shrunk: then the ceiling of removals holds.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]; [`StoreError::NotFound`].
    pub async fn end_brand(
        &self,
        started: &StartedShard,
        lost: LostBrand,
        ceiling: RemovalCeiling,
    ) -> Result<BrandEnded, StoreError> {
        let parent = started.fence.connection;
        let mut write = self.write().await?;
        check_fence_to_change(&mut write, &started.fence).await?;
        let child: Option<i64> = sqlx::query_scalar(
            "select id from connection where parent_id = $1 and brand_id = $2 and brand_gone = 0",
        )
        .bind(parent.0)
        .bind(lost.id)
        .fetch_optional(&mut *write.tx)
        .await?;
        let child = ConnectionId(child.ok_or(StoreError::NotFound(Entity::Brand))?);
        lock(&mut write, child).await?;
        let (all, allowed): (i64, i64) = sqlx::query_as(sql(format!(
            "select (select count(*) from file where connection_id in {FAMILY}), cast(sum(removals_allowed) as bigint)
             from connection where id in {FAMILY}"
        )))
        .bind(parent.0)
        .fetch_one(&mut *write.tx)
        .await?;
        let files: Vec<i64> = sqlx::query_scalar(sql(format!(
            "select id from file where connection_id = $1 order by article_id{}",
            self.dialect.for_update()
        )))
        .bind(child.0)
        .fetch_all(&mut *write.tx)
        .await?;
        let found = count(files.len());
        if !lost.deleted && found > ceiling.most_of(all).saturating_add(allowed) {
            hold(&mut write, started, child, found).await?;
            write.commit().await?;
            return Ok(BrandEnded::Held(found));
        }
        let owner = Owner { connection: child, ..started.owner() };
        let request_id = &started.run.request_id;
        drop_files_of(&mut write, owner, request_id, &files).await?;
        cancel_active(&mut write, child, "the brand is gone").await?;
        for what in ["remote_article", "unsynced_article", "item", "author", "content_tag"] {
            sqlx::query(sql(format!("delete from {what} where connection_id = $1")))
                .bind(child.0)
                .execute(&mut *write.tx)
                .await?;
        }
        let Step { from, to } = Step::of::<ConnectionState>(ConnectionEvent::BrandGone);
        sqlx::query(sql(format!(
            "update connection set state = {to}, disconnected_at = $2, brand_gone = 1, epoch = epoch + 1,
               high_water = null, sync_status = $3, updated_at = $2 where id = $1 and state in {from}"
        )))
        .bind(child.0)
        .bind(write.now)
        .bind(DataSourceStatus::Ready.as_str())
        .execute(&mut *write.tx)
        .await?;
        write.count_articles("removed", found);
        sqlx::query("update run set removed = removed + $2 where id = $1")
            .bind(started.fence.run.0)
            .bind(found)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await?;
        self.sweep_blobs(started.organization).await?;
        Ok(BrandEnded::Removed(found))
    }

    async fn begin_look(&self, write: &mut Write, started: &StartedShard) -> Result<(), StoreError> {
        check_fence_to_change(write, &started.fence).await?;
        sqlx::query("update connection set brands_asked_at = $2 where id = $1")
            .bind(started.fence.connection.0)
            .bind(self.clock.now_ms())
            .execute(&mut *write.tx)
            .await?;
        Ok(())
    }
}

/// Holds the removal of all files of a brand for a person.
async fn hold(
    write: &mut Write,
    started: &StartedShard,
    brand: ConnectionId,
    files: i64,
) -> Result<(), StoreError> {
    write.count_articles("held", files);
    sqlx::query("update run set held = held + $2 where id = $1")
        .bind(started.fence.run.0)
        .bind(files)
        .execute(&mut *write.tx)
        .await?;
    sqlx::query("update file set held_at = $2 where connection_id = $1")
        .bind(brand.0)
        .bind(write.now)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// What is told of a brand may change, and where it is. An address that another row has is left to that.
async fn name(write: &mut Write, connection: ConnectionId, brand: &NewBrand) -> Result<(), StoreError> {
    sqlx::query(
        "update connection set brand_id = $2, brand_name = $3,
           subdomain = case when parent_id is null or exists (select 1 from connection as other
             where other.customer_id = connection.customer_id and other.subdomain = $4) then subdomain else $4 end
         where id = $1",
    )
    .bind(connection.0)
    .bind(brand.id)
    .bind(&brand.name)
    .bind(&brand.subdomain)
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}

/// Makes a brand part of a connection: anew, or out of what is left of an earlier time. What was kept then is compared
/// with everything that the brand has.
async fn adopt(
    write: &mut Write,
    parent: ConnectionId,
    brand: &NewBrand,
) -> Result<Option<ConnectionId>, StoreError> {
    let adopted: Option<i64> = sqlx::query_scalar(
        "insert into connection (organization_id, customer_id, parent_id, brand_id, brand_name, subdomain,
           account_label, state, sync_status, last_sync_action, last_synced_at, tags, sync_options, selection,
           created_at, updated_at)
         select organization_id, customer_id, id, $2, $3, $4, account_label, state, $5, last_sync_action, $6, tags,
           sync_options, selection, $6, $6 from connection where id = $1
         on conflict (customer_id, subdomain) do update set parent_id = excluded.parent_id,
           brand_id = excluded.brand_id, brand_name = excluded.brand_name, brand_gone = 0, state = excluded.state,
           disconnected_at = null, pause_reason = null, epoch = connection.epoch + 1, high_water = null,
           sync_status = excluded.sync_status, tags = excluded.tags, sync_options = excluded.sync_options,
           selection = excluded.selection, updated_at = excluded.updated_at
           where connection.disconnected_at is not null
         returning id",
    )
    .bind(parent.0)
    .bind(brand.id)
    .bind(&brand.name)
    .bind(&brand.subdomain)
    .bind(DataSourceStatus::Ready.as_str())
    .bind(write.now)
    .fetch_optional(&mut *write.tx)
    .await?;
    Ok(adopted.map(ConnectionId))
}
