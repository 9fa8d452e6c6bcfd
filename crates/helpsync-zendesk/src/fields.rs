//! Lenient reading of one JSON record: what Zendesk documents, what it was seen to send, and nothing that panics.

use helpsync_model::{Timestamp, chain};
use serde_json::{Map, Value};

/// The largest whole number below which a fraction keeps every other one.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// A whole number as it may be written: also as a text, or with a fraction of zero.
pub(crate) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number =
                number.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < WHOLE_MAX)?;
            format!("{number:.0}").parse().ok()
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// One JSON object.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        // serde_json's text names the fault and its place, never the content.
        let value =
            serde_json::from_str(json).map_err(|error| format!("not readable as json: {}", chain(&error)))?;
        Self::of(value).ok_or_else(|| "not an object".to_owned())
    }

    fn of(value: Value) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self(map)),
            _ => None,
        }
    }

    /// A whole number, also as text.
    pub(crate) fn id(&self, key: &str) -> Option<i64> {
        whole_number(self.0.get(key)?)
    }

    /// As it came; empty if it did not.
    pub(crate) fn raw(&self, key: &str) -> String {
        self.0.get(key).map(Value::to_string).unwrap_or_default()
    }

    /// Whether it is not even there as null.
    pub(crate) fn lacks(&self, key: &str) -> bool {
        !self.0.contains_key(key)
    }

    /// Whether it is there, and not null.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_null())
    }

    /// Like [`Fields::id`] where null has a meaning of its own, so that nonsense must not pass for null.
    pub(crate) fn nullable_id(&self, key: &str) -> Result<Option<i64>, String> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.id(key).map(Some).ok_or_else(|| format!("{key} is neither a number nor null")),
        }
    }

    /// A text; empty when it is null, absent or no text.
    pub(crate) fn text(&self, key: &str) -> String {
        self.0.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    /// The same, and it is gone from here then: long texts are not copied.
    pub(crate) fn take_text(&mut self, key: &str) -> String {
        match self.0.get_mut(key).map(Value::take) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        }
    }

    /// Whether it is this text.
    pub(crate) fn is_text(&self, key: &str, text: &str) -> bool {
        self.0.get(key).and_then(Value::as_str) == Some(text)
    }

    /// Whether it is there and something else than a text.
    pub(crate) fn is_no_text(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|value| !value.is_string() && !value.is_null())
    }

    /// A text that says something.
    pub(crate) fn some_text(&self, key: &str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    /// A boolean.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    /// An RFC 3339 time.
    pub(crate) fn time(&self, key: &str) -> Option<Timestamp> {
        self.0.get(key)?.as_str()?.parse().ok()
    }

    /// A list of texts; numbers become texts, anything else is left out.
    pub(crate) fn texts(&self, key: &str) -> Vec<String> {
        let items = self.0.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            })
            .collect()
    }

    /// A list of whole numbers, also as texts; empty when it is null or absent. Nonsense in it must not pass for less.
    pub(crate) fn ids(&self, key: &str) -> Result<Vec<i64>, String> {
        let wrong = || format!("{key} is no list of numbers");
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Number(number) => number.as_i64().ok_or_else(wrong),
                    Value::String(text) => text.trim().parse().map_err(|_not_a_number| wrong()),
                    _ => Err(wrong()),
                })
                .collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// A list of objects, which is gone from here then; `None` when there is no list. An item that is no object reads as an
    /// empty one.
    pub(crate) fn take_list(&mut self, key: &str) -> Option<Vec<Self>> {
        let Some(Value::Array(items)) = self.0.get_mut(key).map(Value::take) else { return None };
        Some(items.into_iter().map(|item| Self::of(item).unwrap_or_else(|| Self(Map::new()))).collect())
    }
}
