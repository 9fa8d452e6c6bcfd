//! Readers on whose behalf files are asked for.

use serde_json::json;

use crate::db::Dialect;
use crate::file_query::Query;
use crate::files::File;

/// A reader, by the user segments that he is in. Who is signed in is in a segment of that name as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Viewer {
    /// Zendesk's ids of them; none: a stranger, who reads what everybody may.
    pub segments: Vec<i64>,
}

impl Viewer {
    /// Whether the file is for everybody, or for one of the reader's segments.
    #[must_use]
    pub fn may_read(&self, file: &File) -> bool {
        file.user_segment_ids.is_empty() || file.user_segment_ids.iter().any(|id| self.segments.contains(id))
    }

    /// The condition on files; its placeholder is `next`, which moves on.
    ///
    /// Rows of an earlier version have their segment in the one column only: both are looked at.
    pub(crate) fn sql(dialect: Dialect, next: &mut usize) -> String {
        let mine = dialect.json_integers(&format!("${next}"));
        *next += 1;
        let theirs = match dialect {
            Dialect::Sqlite => "select held.value from json_each(file.user_segment_ids) as held",
            Dialect::Postgres => {
                "select cast(held.value as bigint) from json_array_elements_text(cast(file.user_segment_ids as json)) as held"
            }
        };
        format!(
            "((file.user_segment_id is null and file.user_segment_ids = '[]') or file.user_segment_id in {mine}
               or exists ({theirs} where cast(held.value as bigint) in {mine}))"
        )
    }

    pub(crate) fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        query.bind(json!(self.segments).to_string())
    }
}
