//! Conditions of statements that are put together at run time. Each is written together with what it compares, so that
//! placeholders and what is bound to them cannot come apart, and only what is asked for stands in the statement: a database
//! finds an index for `file.id in (…)`, not for `($3 is null or file.id in (…))`.
//!
//! sqlx's own `QueryBuilder` writes `?` for any database, which Postgres does not read.

use serde::Serialize;
use serde_json::json;

use crate::db::Dialect;

/// A statement over any database, with what is bound to it.
pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

#[derive(Debug, Clone)]
enum Bound {
    Integer(i64),
    Text(String),
}

/// Conditions that must all hold, and what is bound to their placeholders.
#[derive(Debug, Clone)]
pub(crate) struct Conditions {
    dialect: Dialect,
    text: String,
    bound: Vec<Bound>,
}

impl Conditions {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self { dialect, text: String::new(), bound: Vec::new() }
    }

    pub(crate) const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The placeholder of a number.
    pub(crate) fn integer(&mut self, value: i64) -> String {
        self.place(Bound::Integer(value))
    }

    /// The placeholder of a text.
    pub(crate) fn text(&mut self, value: impl Into<String>) -> String {
        self.place(Bound::Text(value.into()))
    }

    /// A list of numbers, to stand behind `in`.
    pub(crate) fn integers(&mut self, values: &[i64]) -> String {
        let place = self.json(values);
        self.dialect.json_integers(&place)
    }

    /// A list of texts, to stand behind `in`.
    pub(crate) fn texts(&mut self, values: &[String]) -> String {
        let place = self.json(values);
        self.dialect.json_texts(&place)
    }

    fn json<T: Serialize>(&mut self, values: &[T]) -> String {
        self.text(json!(values).to_string())
    }

    fn place(&mut self, value: Bound) -> String {
        self.bound.push(value);
        format!("${}", self.bound.len())
    }

    /// Adds a condition.
    pub(crate) fn and(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "where " } else { " and " });
        self.text.push_str(condition);
    }

    /// The `where` clause.
    pub(crate) fn sql(&self) -> &str {
        &self.text
    }

    /// What is bound, as SQL writes it: for tests that look at plans.
    #[cfg(test)]
    pub(crate) fn literals(&self) -> Vec<String> {
        let literal = |bound: &Bound| match bound {
            Bound::Integer(value) => value.to_string(),
            Bound::Text(value) => format!("'{}'", value.replace('\'', "''")),
        };
        self.bound.iter().map(literal).collect()
    }

    /// Binds everything to a statement that holds the clause.
    pub(crate) fn bind<'q>(&self, query: Query<'q>) -> Query<'q> {
        self.bound.iter().fold(query, |query, value| match value {
            Bound::Integer(value) => query.bind(*value),
            Bound::Text(value) => query.bind(value.clone()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_what_is_bound() {
        let mut conditions = Conditions::new(Dialect::Sqlite);
        let (id, name) = (conditions.integer(1), conditions.text("a"));
        conditions.and(&format!("id = {id}"));
        conditions.and(&format!("name = {name}"));
        let ids = conditions.integers(&[1, 2]);
        assert_eq!(conditions.sql(), "where id = $1 and name = $2");
        assert!(ids.contains("$3"), "{ids}");
        assert_eq!(conditions.bound.len(), 3);
    }
}
