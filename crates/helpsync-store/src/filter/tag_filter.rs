//! Conditions on tags, as SQL over the JSON that they are kept in.

use crate::db::Dialect;
use crate::db::conditions::Conditions;

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
    /// The condition on `column`, with what it compares bound to `all`.
    pub(crate) fn sql(&self, column: &str, all: &mut Conditions) -> String {
        let mut join = |parts: &[Self], word: &str, empty: &str| {
            let parts: Vec<String> = parts.iter().map(|part| part.sql(column, all)).collect();
            if parts.is_empty() { empty.to_owned() } else { format!("({})", parts.join(word)) }
        };
        match self {
            Self::All(parts) => join(parts, " and ", "1 = 1"),
            Self::Any(parts) => join(parts, " or ", "1 = 0"),
            Self::Is { key, values, negate } => {
                let (key, values) = (all.text(key), all.texts(values));
                let not = if *negate { "not " } else { "" };
                let (tags, is_list, members, text) = match all.dialect() {
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
                    "{not}exists (select 1 from {tags} as tag where tag.key = {key} and case when {is_list}
                       then exists (select 1 from {members} where member.value in {values})
                       else {text} in {values} end)"
                )
            }
        }
    }
}
