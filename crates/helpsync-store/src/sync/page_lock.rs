//! The beginning of a page's transaction: what its fence stands for is locked, what the shard has reached is written, and
//! what decides about the page's articles is read.

use helpsync_model::{SelectionFilter, ShardCursor};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, Row};

use crate::db::decode::selection_of;
use crate::db::family::lock;
use crate::db::states::RUNNING_SHARD;
use crate::db::{Dialect, StoreError, SyncStore, Write, placeholders, sql};
use crate::run::fence::{Fence, OF_EPOCH, check_epoch, home, refused};
use crate::run::shards::StartedShard;
use crate::sync::pages::{PageWrite, Progress};
use crate::sync::quota::Limits;

/// What decides about a page's articles, as it is while the connection's row is locked.
pub(crate) struct Locked {
    pub(crate) limits: Limits,
    pub(crate) selection: SelectionFilter,
    pub(crate) brand_id: Option<i64>,
}

/// What a page says of how far its shard has come, as the shard's row holds it.
#[derive(Default)]
pub(crate) struct ReachedRow {
    cursor: Option<String>,
    progress: Option<Progress>,
}

impl ReachedRow {
    pub(crate) fn of(cursor: Option<&ShardCursor>, progress: Option<Progress>) -> Result<Self, StoreError> {
        let cursor = cursor.map(serde_json::to_string).transpose().map_err(StoreError::unwritable)?;
        Ok(Self { cursor, progress })
    }

    /// What it sets in the shard's row: five placeholders from `first` on, as [`ReachedRow::bind`] binds them. A new cursor
    /// is progress: the tries spent so far were for what is now stored.
    pub(crate) fn set(first: usize) -> String {
        let [cursor, moved, at_all, position, newest] = placeholders(first);
        format!(
            "cursor = coalesce({cursor}, cursor), failures = case when {moved} = 1 then 1 else failures end,
               position = case when {at_all} = 1 then cast({position} as bigint) else position end,
               newest = case when {at_all} = 1 and coalesce(newest, 0) < {newest} then {newest} else newest end"
        )
    }

    pub(crate) fn bind<'q>(&self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        let progress = self.progress.unwrap_or_default();
        query
            .bind(self.cursor.clone())
            .bind(i64::from(self.cursor.is_some()))
            .bind(i64::from(self.progress.is_some()))
            .bind(progress.position)
            .bind(progress.newest.unwrap_or(0))
    }
}

impl SyncStore {
    /// Begins a page's transaction: the fence is checked, and what the connection's row guards stays as it is. Only a
    /// page that may move the mark, or is held to limits, has that row for itself: the stretches of a list store theirs at
    /// the same time. Of a brand that is held to limits, the row of the connection that it belongs to as well, and first. With
    /// `ends` the shard is done with it. `None`: the page has no articles.
    pub(crate) async fn lock_page(
        &self,
        started: &StartedShard,
        page: &PageWrite,
        ends: bool,
    ) -> Result<(Write, Option<Locked>), StoreError> {
        let granted = started.granted.connection;
        let may_move = |progress: Progress| ends || progress.may_move(started.high_water);
        let mut alone = page.progress.is_some_and(may_move);
        let mut guarded = granted == started.fence.connection;
        let mut first = None;
        // Where a split may come first, what is reached depends on it.
        let reached = match &page.split {
            Some(_) => ReachedRow::default(),
            None => ReachedRow::of(page.cursor.as_ref(), page.progress)?,
        };
        loop {
            let mut write = self.write().await?;
            if let Some(connection) = first {
                lock(&mut write, connection).await?;
            }
            let how = if alone { write.dialect.for_update() } else { write.dialect.for_share() };
            let row = begin(&mut write, started, &reached, how).await?;
            if page.articles.is_empty() {
                return Ok((write, None));
            }
            let limits = Limits::of_row(&row)?;
            let (selection, brand_id) = (selection_of(&row)?, row.try_get("brand_id")?);
            if !limits.are_set() {
                return Ok((write, Some(Locked { limits, selection, brand_id })));
            }
            if alone && guarded {
                // The statement that waited for the lock saw the limits of when it began to wait.
                let limits = Limits::load(&mut *write.tx, started.customer).await?;
                return Ok((write, Some(Locked { limits, selection, brand_id })));
            }
            // A shared lock cannot be made one's own without waiting for others that want the same: begin anew.
            write.tx.rollback().await?;
            first = (!guarded).then_some(granted);
            (alone, guarded) = (true, true);
        }
    }
}

/// Locks and checks what the fence stands for, writes what the shard has reached, and answers with the connection's
/// selection and the customer's limits.
async fn begin(
    write: &mut Write,
    started: &StartedShard,
    reached: &ReachedRow,
    lock: &str,
) -> Result<AnyRow, StoreError> {
    let Fence { connection, epoch, shard, attempt, .. } = started.fence;
    let held = format!(
        "update shard set updated_at = $3, {} where id = $1 and attempt = $2 and state = {RUNNING_SHARD}",
        ReachedRow::set(4)
    );
    let now = write.now;
    let bound = |text: String| {
        let query = sqlx::query(sql(text)).bind(shard.0).bind(attempt).bind(now);
        reached.bind(query)
    };
    let answer = |of: &str, customer: &str| {
        format!(
            "select home.id, home.selection, home.brand_id, customer.limits, organization.limits as organization_limits
             from {of} join customer on customer.id = {customer}
               join organization on organization.id = customer.organization_id"
        )
    };
    let row = match write.dialect {
        Dialect::Postgres => {
            let query = bound(format!(
                "with {}, held as ({held} and {OF_EPOCH} = $10 returning id) {} cross join held",
                home("id = $9", lock),
                answer("home", "$11")
            ));
            query
                .bind(connection.0)
                .bind(epoch)
                .bind(started.customer.0)
                .fetch_optional(&mut *write.tx)
                .await?
        }
        Dialect::Sqlite => {
            check_epoch(write, &started.fence, lock).await?;
            if bound(held).execute(&mut *write.tx).await?.rows_affected() != 1 {
                return Err(refused(&started.fence));
            }
            let query =
                sqlx::query(sql(format!("{} where home.id = $1", answer("connection as home", "$2"))));
            query.bind(connection.0).bind(started.customer.0).fetch_optional(&mut *write.tx).await?
        }
    };
    row.ok_or_else(|| refused(&started.fence))
}
