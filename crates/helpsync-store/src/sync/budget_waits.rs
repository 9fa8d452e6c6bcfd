//! How long a run waits for budget, and for what.

use crate::db::{StoreError, Write};
use crate::run::fence::Fence;
use crate::run::timeline::{WAITS_BYTES_MAX, WaitSpan, span_line};

/// Time spent waiting for budget, in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetWaits {
    /// For anything. Waits for two things at once count once, so the others may sum up to more.
    pub all_ms: u64,
    /// For the even pace of requests.
    pub pace_ms: u64,
    /// For the account's next minute.
    pub window_ms: u64,
    /// For requests under way.
    pub in_flight_ms: u64,
    /// For the end of a pause that Zendesk asked for.
    pub blocked_ms: u64,
    /// In the store, because the wait was too long to be waited out.
    pub put_off_ms: u64,
    /// A span of the shard's time to be drawn, with what was waited in it.
    pub span: Option<WaitSpan>,
}

/// Writes a span into the shard's row, for whoever looks at it over time. Half of the column is left for what it was put off
/// for.
pub(crate) async fn draw(write: &mut Write, fence: &Fence, span: Option<WaitSpan>) -> Result<(), StoreError> {
    let Some(span) = span else { return Ok(()) };
    sqlx::query("update shard set waits = waits || $2 where id = $1 and length(waits) < $3")
        .bind(fence.shard.0)
        .bind(span_line(&span))
        .bind(WAITS_BYTES_MAX / 2)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}

/// Adds them to a run's row.
pub(crate) async fn add(write: &mut Write, fence: &Fence, waits: &BudgetWaits) -> Result<(), StoreError> {
    draw(write, fence, waits.span).await?;
    if waits.all_ms == 0 {
        return Ok(());
    }
    let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    sqlx::query(
        "update run set budget_wait_ms = budget_wait_ms + $2, wait_pace_ms = wait_pace_ms + $3,
           wait_window_ms = wait_window_ms + $4, wait_in_flight_ms = wait_in_flight_ms + $5,
           wait_blocked_ms = wait_blocked_ms + $6, wait_put_off_ms = wait_put_off_ms + $7 where id = $1",
    )
    .bind(fence.run.0)
    .bind(ms(waits.all_ms))
    .bind(ms(waits.pace_ms))
    .bind(ms(waits.window_ms))
    .bind(ms(waits.in_flight_ms))
    .bind(ms(waits.blocked_ms))
    .bind(ms(waits.put_off_ms))
    .execute(&mut *write.tx)
    .await?;
    Ok(())
}
