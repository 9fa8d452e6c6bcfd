//! Reading columns: names, JSON, and what to say when a value is not what it should be.

use std::borrow::Cow;
use std::str::FromStr;

use helpsync_model::UnknownName;
use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::any::AnyRow;

use crate::StoreError;

/// Reads a column that holds one of the model's names.
pub(crate) fn named<T>(row: &AnyRow, table: &'static str, column: &'static str) -> Result<T, StoreError>
where
    T: FromStr<Err = UnknownName>,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(StoreError::corrupt(table, column, id_of(row)))
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

fn id_of(row: &AnyRow) -> i64 {
    row.try_get("id").unwrap_or_default()
}
