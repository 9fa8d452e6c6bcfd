//! Totals that triggers keep (table `kept_total`), so that nobody has to count a million rows.
//!
//! On Postgres each change adds a row of its own, for two writers that change one row would wait for each other. Readers sum
//! up; the dispatcher adds what has come together to the row that is the sum, so that there is never much to read.

use crate::db::{Dialect, QueueStore, StoreError};

/// Changes that are added up in one go.
const CHANGES_MAX: i64 = 10_000;

const FOLD: &str = "with changes as (
     delete from kept_total where ctid in
       (select ctid from kept_total where base = 0 order by customer_id, organization_id limit $1 for update skip locked)
     returning customer_id, organization_id, files, characters, html_bytes, tokens, embedded, held, active, paused)
   insert into kept_total (customer_id, organization_id, base, files, characters, html_bytes, tokens, embedded, held,
     active, paused)
   select customer_id, organization_id, 1, sum(files), sum(characters), sum(html_bytes), sum(tokens), sum(embedded),
     sum(held), sum(active), sum(paused)
   from changes group by customer_id, organization_id order by customer_id, organization_id
   on conflict (customer_id, organization_id) where base = 1 do update set files = kept_total.files + excluded.files,
     characters = kept_total.characters + excluded.characters, html_bytes = kept_total.html_bytes + excluded.html_bytes,
     tokens = kept_total.tokens + excluded.tokens, embedded = kept_total.embedded + excluded.embedded,
     held = kept_total.held + excluded.held, active = kept_total.active + excluded.active,
     paused = kept_total.paused + excluded.paused";

impl QueueStore {
    /// Adds up some of what has changed in totals. Answers whether there may be more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_up_totals(&self) -> Result<bool, StoreError> {
        if self.dialect == Dialect::Sqlite {
            // Its one writer has done so already.
            return Ok(false);
        }
        let totals = self.alone(sqlx::query(FOLD).bind(CHANGES_MAX)).await?;
        // So many totals have at least so many changes behind them; a last round that adds nothing costs little.
        Ok(totals > 0)
    }
}
