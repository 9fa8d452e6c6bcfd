//! The fence: what keeps a worker that was overtaken from writing.

use helpsync_model::{ConnectionId, RunId, ShardId};

use crate::db::states::RUNNING_SHARD;
use crate::db::{Dialect, StoreError, Write, sql};

/// What a write of the engine must still be true of: if epoch or attempt moved on, it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    /// The connection written to.
    pub connection: ConnectionId,
    /// Its epoch when the run was made.
    pub epoch: i64,
    /// The run written for.
    pub run: RunId,
    /// The shard worked on.
    pub shard: ShardId,
    /// Which attempt at the shard this is.
    pub attempt: i64,
}

/// Locks and checks what the fence stands for. First statement of every write of the engine.
///
/// Locks are taken in one order everywhere: connection, shard, run, articles, files. Writers of one connection share
/// its row; one that will change it must say so at once ([`check_fence_to_change`]), for two that share it and then
/// want it alone wait for each other for ever.
pub(crate) async fn check_fence(write: &mut Write, fence: &Fence) -> Result<(), StoreError> {
    lock_fence(write, fence, write.dialect.for_share()).await
}

/// [`check_fence`] for a write that changes the connection's row.
pub(crate) async fn check_fence_to_change(write: &mut Write, fence: &Fence) -> Result<(), StoreError> {
    lock_fence(write, fence, write.dialect.for_update()).await
}

async fn lock_fence(write: &mut Write, fence: &Fence, lock: &str) -> Result<(), StoreError> {
    let held = format!(
        "update shard set updated_at = $3 where id = $1 and attempt = $2 and state = {RUNNING_SHARD}"
    );
    let held = match write.dialect {
        Dialect::Sqlite => {
            check_epoch(write, fence, lock).await?;
            sqlx::query(sql(held)).bind(fence.shard.0).bind(fence.attempt).bind(write.now)
        }
        Dialect::Postgres => {
            sqlx::query(sql(format!("with {} {held} and {OF_EPOCH} = $5", home("id = $4", lock))))
                .bind(fence.shard.0)
                .bind(fence.attempt)
                .bind(write.now)
                .bind(fence.connection.0)
                .bind(fence.epoch)
        }
    };
    let held = held.execute(&mut *write.tx).await?;
    if held.rows_affected() == 1 { Ok(()) } else { Err(refused(fence)) }
}

/// The beginning of a statement of Postgres that checks the epoch by itself: the connection's row, locked. The condition
/// [`OF_EPOCH`] ` = $n` on the shard that the statement writes has the row locked before that of the shard.
pub(crate) fn home(which: &str, lock: &str) -> String {
    format!("home as (select id, epoch, selection, brand_id from connection where {which}{lock})")
}

/// The epoch of [`home`].
pub(crate) const OF_EPOCH: &str = "(select home.epoch from home)";

/// The first half of the fence: locks the connection's row. The other half is the shard's, for a write that settles it at
/// once, and is refused if it settles none.
pub(crate) async fn check_epoch(write: &mut Write, fence: &Fence, lock: &str) -> Result<(), StoreError> {
    let epoch: Option<i64> =
        sqlx::query_scalar(sql(format!("select epoch from connection where id = $1{lock}")))
            .bind(fence.connection.0)
            .fetch_optional(&mut *write.tx)
            .await?;
    if epoch == Some(fence.epoch) { Ok(()) } else { Err(refused(fence)) }
}

/// Says so, and answers with the error.
pub(crate) fn refused(fence: &Fence) -> StoreError {
    tracing::info!(shard = %fence.shard, run = %fence.run, epoch = fence.epoch, attempt = fence.attempt,
        "a write was refused: the shard is in other hands, or its run was cancelled");
    StoreError::Fenced
}
