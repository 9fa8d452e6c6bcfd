//! Conditions on tags, as SQL over the JSON that they are kept in.

use serde_json::json;

use crate::db::Dialect;
use crate::filter::file_query::Query;

/// A condition on the tags of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagFilter {
    /// All of these hold; of none, nothing is asked.
    All(Vec<Self>),
    /// One of these holds; of none, nothing holds.
    Any(Vec<Self>),
    /// The tag `key` is one of `values`, or a list that has one of them as a member.
    Is {
        /// The tag.
        key: String,
        /// Any of these.
        values: Vec<String>,
        /// Holds when it otherwise would not, also for rows without the tag.
        negate: bool,
    },
}

impl TagFilter {
    /// The condition on `column`, whose placeholders start at `next`, which is moved on.
    pub(crate) fn sql(&self, dialect: Dialect, column: &str, next: &mut usize) -> String {
        let mut join = |parts: &[Self], word: &str, empty: &str| {
            let parts: Vec<String> = parts.iter().map(|part| part.sql(dialect, column, next)).collect();
            if parts.is_empty() { empty.to_owned() } else { format!("({})", parts.join(word)) }
        };
        match self {
            Self::All(parts) => join(parts, " and ", "1 = 1"),
            Self::Any(parts) => join(parts, " or ", "1 = 0"),
            Self::Is { negate, .. } => {
                let (key, values) = (*next, dialect.json_texts(&format!("${}", *next + 1)));
                *next += 2;
                let not = if *negate { "not " } else { "" };
                let (tags, is_list, members, text) = match dialect {
                    Dialect::Sqlite => (
                        format!("json_each({column})"),
                        "tag.type = 'array'",
                        "json_each(tag.value) as member",
                        "tag.value",
                    ),
                    Dialect::Postgres => (
                        format!("json_each(cast({column} as json))"),
                        "json_typeof(tag.value) = 'array'",
                        "json_array_elements_text(tag.value) as member (value)",
                        "tag.value #>> '{}'",
                    ),
                };
                format!(
                    "{not}exists (select 1 from {tags} as tag where tag.key = ${key} and case when {is_list}
                       then exists (select 1 from {members} where member.value in {values})
                       else {text} in {values} end)"
                )
            }
        }
    }

    /// Binds the placeholders of [`TagFilter::sql`].
    pub(crate) fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().fold(query, |query, part| part.bind(query)),
            Self::Is { key, values, .. } => query.bind(key.clone()).bind(json!(values).to_string()),
        }
    }
}
