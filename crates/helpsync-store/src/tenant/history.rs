//! The last day of the whole installation in numbers: one for each name and slot of five minutes.

use crate::db::{QueueStore, StoreError};

/// A slot, in ms.
pub const SLOT_MS: i64 = 5 * 60_000;
/// Slots that are kept: a day.
pub const HISTORY_SLOTS: i64 = 288;

/// One number of one slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPoint {
    /// Of what.
    pub name: String,
    /// Five minutes since 1970.
    pub slot: i64,
    /// How much.
    pub value: i64,
}

impl QueueStore {
    /// Notes numbers in the present slot, and forgets slots that are older than a day: `seen` take the place of what was
    /// noted there, `counted` are added to it, so that every process can count its own.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_history(
        &self,
        seen: &[(&str, i64)],
        counted: &[(&str, i64)],
    ) -> Result<(), StoreError> {
        let mut write = self.write().await?;
        let slot = write.now.div_euclid(SLOT_MS);
        // In one order, or two processes would wait for each other.
        let mut all: Vec<(&str, i64, i64)> = seen.iter().map(|(name, value)| (*name, *value, 0)).collect();
        all.extend(counted.iter().map(|(name, value)| (*name, *value, 1)));
        all.sort_unstable();
        for (name, value, adds) in all {
            sqlx::query(
                "insert into history_point (name, slot, value) values ($1, $2, $3)
                 on conflict (name, slot) do update set value = excluded.value + $4 * history_point.value",
            )
            .bind(name)
            .bind(slot)
            .bind(value)
            .bind(adds)
            .execute(&mut *write.tx)
            .await?;
        }
        sqlx::query("delete from history_point where slot <= $1")
            .bind(slot - HISTORY_SLOTS)
            .execute(&mut *write.tx)
            .await?;
        write.commit().await
    }

    /// What was noted of the last day, by name and slot.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn history(&self) -> Result<Vec<HistoryPoint>, StoreError> {
        let since = self.clock.now_ms().div_euclid(SLOT_MS) - HISTORY_SLOTS;
        let rows: Vec<(String, i64, i64)> =
            sqlx::query_as("select name, slot, value from history_point where slot > $1 order by name, slot")
                .bind(since)
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(name, slot, value)| HistoryPoint { name, slot, value }).collect())
    }
}
