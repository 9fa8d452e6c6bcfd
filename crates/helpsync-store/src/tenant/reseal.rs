//! Sealing anew with the first key of the ring what other keys have sealed.

use crate::db::{AdminStore, StoreError, Write, sql};
use crate::tenant::sealed::{COLUMNS, SealedColumn};

/// Values sealed anew in one transaction.
const RESEALED_AT_ONCE: i64 = 100;

/// Where sealing anew has got to.
#[derive(Debug, Clone, Default)]
pub struct ResealCursor {
    column: usize,
    after: Option<String>,
}

/// What one step of sealing anew did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that the first key of the ring has sealed now.
    pub sealed: u64,
    /// Values that no key of the ring opens; they stay as they are.
    pub unopened: u64,
    /// Nothing is left behind the cursor.
    pub is_done: bool,
}

impl AdminStore {
    /// Seals up to some hundred values behind the cursor with the first key of the ring, and moves it on. Values that
    /// somebody else holds are left to the next round. May be repeated and run beside everything else.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed then.
    pub async fn reseal_some(&self, cursor: &mut ResealCursor) -> Result<Resealed, StoreError> {
        let Some(column) = COLUMNS.get(cursor.column) else {
            return Ok(Resealed { is_done: true, ..Resealed::default() });
        };
        let head = self.vault.present_head();
        let (behind, first) = if column.key_is_text { ("$3", "") } else { ("cast($3 as bigint)", "-1") };
        let mut write = self.write().await?;
        let statement = column.select(
            &format!("and not ({}) and {} > {behind}", column.begins(head.len(), "$2"), column.key),
            write.dialect.for_update_skip_locked(),
        );
        let rows = sqlx::query(sql(statement))
            .bind(RESEALED_AT_ONCE)
            .bind(head)
            .bind(cursor.after.as_deref().unwrap_or(first))
            .fetch_all(&mut *write.tx)
            .await?;
        let mut done = Resealed::default();
        let mut last = None;
        for row in &rows {
            let sealed = column.read(row)?;
            match self.vault.open(&sealed.place, &sealed.bytes) {
                Ok(plain) => {
                    let anew = self.vault.seal(&sealed.place, &plain)?;
                    put(&mut write, column, &sealed.key, anew).await?;
                    done.sealed += 1;
                }
                Err(_said_by_the_caller) => done.unopened += 1,
            }
            last = Some(sealed.key);
        }
        write.commit().await?;
        match last {
            Some(key) if i64::try_from(rows.len()).is_ok_and(|rows| rows == RESEALED_AT_ONCE) => {
                cursor.after = Some(key);
            }
            _ => *cursor = ResealCursor { column: cursor.column + 1, after: None },
        }
        done.is_done = cursor.column >= COLUMNS.len();
        Ok(done)
    }
}

async fn put(write: &mut Write, column: &SealedColumn, key: &str, anew: Vec<u8>) -> Result<(), StoreError> {
    let named = if column.key_is_text { "$2" } else { "cast($2 as bigint)" };
    let SealedColumn { table, column, key: row_key, .. } = column;
    sqlx::query(sql(format!("update {table} set {column} = $1 where {row_key} = {named}")))
        .bind(anew)
        .bind(key)
        .execute(&mut *write.tx)
        .await?;
    Ok(())
}
