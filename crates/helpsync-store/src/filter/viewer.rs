//! Readers on whose behalf files are asked for.

use crate::db::Dialect;
use crate::db::conditions::Conditions;

/// A reader, by the user segments that he is in. Who is signed in is in a segment of that name as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Zendesk's ids of them; none: a stranger, who reads what everybody may.
    pub segments: Vec<i64>,
}

impl Viewer {
    /// Whether what these segments may read is for everybody, or for one of the reader's segments.
    #[must_use]
    pub fn may_read(&self, user_segment_ids: &[i64]) -> bool {
        user_segment_ids.is_empty() || user_segment_ids.iter().any(|id| self.segments.contains(id))
    }

    /// The condition on files, with the reader's segments bound to `all`.
    pub(crate) fn sql(&self, all: &mut Conditions) -> String {
        let mine = all.integers(&self.segments);
        Self::may_read_sql(all.dialect(), &mine)
    }

    /// The condition on files, for the segments `mine`.
    ///
    /// Rows of an earlier version have their segment in the one column only: both are looked at.
    pub(crate) fn may_read_sql(dialect: Dialect, mine: &str) -> String {
        let one_of_theirs = Self::one_of(dialect, "file.user_segment_ids", mine);
        format!(
            "((file.user_segment_id is null and file.user_segment_ids = '[]') or file.user_segment_id in {mine}
               or {one_of_theirs})"
        )
    }

    /// Whether one of a column's segments is among `mine`.
    pub(crate) fn one_of(dialect: Dialect, column: &str, mine: &str) -> String {
        let theirs = match dialect {
            Dialect::Sqlite => format!("json_each({column})"),
            Dialect::Postgres => format!("json_array_elements_text(cast({column} as json))"),
        };
        format!("exists (select 1 from {theirs} as held where cast(held.value as bigint) in {mine})")
    }
}
