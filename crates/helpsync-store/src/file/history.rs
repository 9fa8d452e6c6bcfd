//! What changed of a file and when, as its row keeps it: the last few changes.

use helpsync_model::{FileId, OrganizationId};
use sqlx::Row as _;

use crate::db::{AdminStore, Entity, StoreError};

/// A change of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// When it was stored, in ms.
    pub at: i64,
    /// `created`, `text` (a translation's text or title), `details` (anything else of it) or `held` (its removal
    /// waits for a person).
    pub what: String,
}

/// The changes that a history tells of, as far as they are whole.
fn changes_of(history: &str) -> Vec<FileChange> {
    let whole = history.rsplit_once(' ').map_or("", |(whole, _cut)| whole);
    let one = |text: &str| {
        let (at, what) = text.split_once(':')?;
        Some(FileChange { at: at.parse().ok()?, what: what.to_owned() })
    };
    whole.split(' ').filter_map(one).collect()
}

impl AdminStore {
    /// What changed of a file that is shown, the latest first: a dozen changes at most, and that it was created.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn file_history(
        &self,
        organization: OrganizationId,
        id: FileId,
    ) -> Result<Vec<FileChange>, StoreError> {
        let row = sqlx::query(
            "select history, created_at, held_at from file
             where id = $1 and organization_id = $2 and hidden_at is null",
        )
        .bind(id.0)
        .bind(organization.0)
        .fetch_optional(&self.pool)
        .await?
        .ok_or(StoreError::NotFound(Entity::File))?;
        let mut changes = changes_of(&row.try_get::<String, _>("history")?);
        let held: Option<i64> = row.try_get("held_at")?;
        changes.extend(held.map(|at| FileChange { at, what: "held".to_owned() }));
        changes.sort_by_key(|change| std::cmp::Reverse(change.at));
        changes.push(FileChange { at: row.try_get("created_at")?, what: "created".to_owned() });
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_was_cut_off_is_left_out() {
        let told = |history: &str| -> Vec<(i64, String)> {
            changes_of(history).into_iter().map(|change| (change.at, change.what)).collect()
        };
        let (text, details) = ("text".to_owned(), "details".to_owned());
        assert_eq!(told("30:text 20:details "), [(30, text.clone()), (20, details.clone())]);
        assert_eq!(told("30:text 20:details 1"), [(30, text.clone()), (20, details)]);
        assert_eq!(told("30:text 20:det"), [(30, text)]);
        assert_eq!(told(""), []);
        assert_eq!(told("123"), []);
    }
}
