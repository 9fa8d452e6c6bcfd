//! What crosses the line, in Carbon's names and nullability. Every declared field of an answer is always there, with
//! `null` where there is no value; every optional field of a request may be `null`, which means absent.

pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod branding;
pub(crate) mod chunk;
pub(crate) mod customer_state;
pub(crate) mod data_source;
pub(crate) mod dead_letter;
pub(crate) mod file;
pub(crate) mod filters;
pub(crate) mod grant;
pub(crate) mod installation;
pub(crate) mod item;
pub(crate) mod native;
pub(crate) mod organization;
pub(crate) mod overview;
pub(crate) mod search;
pub(crate) mod selection;
pub(crate) mod tag_filter;
pub(crate) mod timeline;
pub(crate) mod user;
pub(crate) mod verify;
pub(crate) mod webhook;
pub(crate) mod white_label;

use helpsync_model::{Timestamp, is_unseen};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::error::ApiError;

/// An address of the web, and nothing that would act where it is followed: whatever was stored, and by which version.
pub(crate) fn web_address(stored: Option<String>) -> Option<String> {
    stored.and_then(|address| helpsync_content::external_url(&address))
}

/// The most rows of one answer. Clients that ask for more page on by `count`.
pub(crate) const PAGE_MAX: i64 = 1_000;
/// Rows of one answer when the request does not say.
const PAGE_DEFAULT: i64 = 10;
/// The most ids or texts in one list of a filter.
pub(crate) const LIST_MAX: usize = 10_000;

/// The longest text that something is looked for by.
pub(crate) const SOUGHT_CHARS_MAX: usize = 1_000;

/// A number that may come as text: production clients sent `"7"` where 7 is declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int(pub(crate) i64);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Int;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Int, E> {
                Ok(Int(value))
            }
            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Int, E> {
                let Ok(value) = i64::try_from(value) else {
                    return Err(E::custom("the number is too large"));
                };
                Ok(Int(value))
            }
            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Int, E> {
                let Ok(value) = value.trim().parse() else {
                    return Err(E::custom("expected a whole number"));
                };
                Ok(Int(value))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl utoipa::PartialSchema for Int {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        i64::schema()
    }
}

impl ToSchema for Int {}

/// `{"success": true}`.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct GenericSuccessResponse {
    pub(crate) success: bool,
}

pub(crate) const SUCCESS: axum::Json<GenericSuccessResponse> =
    axum::Json(GenericSuccessResponse { success: true });

/// Which part of a listing.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
pub(crate) struct Pagination {
    /// At most so many rows; 10 unless told, 1,000 at most.
    #[schema(value_type = Option<i64>)]
    limit: Option<Int>,
    /// After so many rows.
    #[schema(value_type = Option<i64>)]
    offset: Option<Int>,
    /// Only rows with an id above this.
    #[schema(value_type = Option<i64>)]
    starting_id: Option<Int>,
}

/// A checked [`Pagination`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    pub(crate) limit: i64,
    pub(crate) offset: i64,
    pub(crate) starting_id: i64,
}

impl Pagination {
    pub(crate) fn check(pagination: Option<Self>) -> Result<Paging, ApiError> {
        let given = pagination.unwrap_or_default();
        let number = |value: Option<Int>, default: i64, name: &str| {
            let value = value.map_or(default, |value| value.0);
            if value < 0 {
                return Err(ApiError::field(&format!("pagination.{name}"), "must not be negative"));
            }
            Ok(value)
        };
        Ok(Paging {
            limit: number(given.limit, PAGE_DEFAULT, "limit")?.min(PAGE_MAX),
            offset: number(given.offset, 0, "offset")?,
            starting_id: number(given.starting_id, 0, "starting_id")?,
        })
    }
}

/// Which way a listing is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderDir {
    Asc,
    Desc,
}

/// A stored time (ms) as it is sent: ISO 8601, UTC, with a `Z`.
pub(crate) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The longest name that people give to something of ours, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A name that people give to something of ours: short, and with nothing in it that they cannot see.
pub(crate) fn own_name(text: &str, field: &str) -> Result<String, ApiError> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || text.chars().any(is_unseen) {
        return Err(ApiError::field(
            field,
            format!(
                "has 1 to {NAME_CHARS_MAX} characters, none of them a control or format character that people cannot see"
            ),
        ));
    }
    Ok(text.to_owned())
}

/// Refuses a text that is kept, or looked for, and longer than `chars_max`.
pub(crate) fn short(text: Option<&str>, field: &str, chars_max: usize) -> Result<(), ApiError> {
    match text {
        Some(text) if text.chars().count() > chars_max => {
            Err(ApiError::field(field, format!("is longer than {chars_max} characters")))
        }
        _ => Ok(()),
    }
}

/// Refuses a value that is kept, and longer than `bytes_max` as JSON.
pub(crate) fn small<T: Serialize>(value: &T, field: &str, bytes_max: usize) -> Result<(), ApiError> {
    let bytes = serde_json::to_vec(value).map_or(usize::MAX, |json| json.len());
    if bytes > bytes_max {
        return Err(ApiError::field(field, format!("is longer than {bytes_max} bytes")));
    }
    Ok(())
}

/// A bounded list of texts.
pub(crate) fn bounded<T>(list: Option<Vec<T>>, field: &str, most: usize) -> Result<Option<Vec<T>>, ApiError> {
    match list {
        Some(list) if list.len() > most => {
            Err(ApiError::field(field, format!("holds more than {most} entries")))
        }
        list => Ok(list),
    }
}

/// Ids of a list.
pub(crate) fn ids(list: Option<Vec<Int>>, field: &str) -> Result<Option<Vec<i64>>, ApiError> {
    Ok(bounded(list, field, LIST_MAX)?.map(|list| list.into_iter().map(|id| id.0).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_come_as_text_and_nothing_else() {
        for text in ["7", "\"7\"", "\" 7 \""] {
            assert_eq!(serde_json::from_str::<Int>(text).unwrap(), Int(7), "{text}");
        }
        for text in ["7.5", "\"x\"", "true", "null", "[]", "18446744073709551615", "\"9223372036854775808\""]
        {
            assert!(serde_json::from_str::<Int>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_utc_with_a_z() {
        assert_eq!(time(1_767_225_600_123), "2026-01-01T00:00:00.123Z");
        assert_eq!(time(i64::MAX), "1970-01-01T00:00:00Z");
    }
}
