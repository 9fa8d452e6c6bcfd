//! Reading columns: names, JSON, and what to say when a value is not what it should be.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use helpsync_model::{SelectionFilter, UnknownName};
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::db::error::StoreError;

/// Reads a column that holds one of the model's names.
pub(crate) fn named<T>(row: &AnyRow, table: &'static str, column: &'static str) -> Result<T, StoreError>
where
    T: FromStr<Err = UnknownName>,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(StoreError::corrupt(table, column, id_of(row)))
}

/// [`named`] for a column that may be null.
pub(crate) fn named_if_any<T>(
    row: &AnyRow,
    table: &'static str,
    column: &'static str,
) -> Result<Option<T>, StoreError>
where
    T: FromStr<Err = UnknownName>,
{
    match row.try_get::<Option<String>, _>(column)? {
        Some(text) => text.parse().map(Some).map_err(StoreError::corrupt(table, column, id_of(row))),
        None => Ok(None),
    }
}

/// Reads a column that holds JSON.
pub(crate) fn json<T: DeserializeOwned>(
    row: &AnyRow,
    table: &'static str,
    column: &'static str,
) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    serde_json::from_str(&text).map_err(|source| StoreError::Corrupt {
        table,
        column,
        row: id_of(row),
        source: source.into(),
    })
}

/// Postgres stores no NUL in text, and nothing here has a meaning for it.
pub(crate) fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "")) } else { Cow::Borrowed(text) }
}

/// What a connection keeps.
pub(crate) fn selection_of(connection: &AnyRow) -> Result<SelectionFilter, StoreError> {
    json(connection, "connection", "selection")
}

/// A duration as the columns hold it, in ms.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// How long `then` was ago (both in ms); nothing if it is to come, for clocks differ.
pub(crate) fn since(then: i64, now: i64) -> Duration {
    Duration::from_millis(now.saturating_sub(then).try_into().unwrap_or(0))
}

/// A length as the columns hold it.
pub(crate) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn id_of(row: &AnyRow) -> i64 {
    row.try_get("id").unwrap_or_default()
}
