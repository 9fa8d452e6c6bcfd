//! Lenient reading of one JSON record: what Zendesk documents, what it was seen to send, and nothing that panics.

use helpsync_model::Timestamp;
use serde_json::{Map, Value};

/// One JSON object.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Reads an object; half a surrogate pair in it (real texts cut by real scripts) becomes U+FFFD.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let value = match serde_json::from_str(json) {
            Ok(value) => value,
            Err(first) => serde_json::from_str(&mend_surrogates(json)).map_err(|_same| {
                // serde_json's text names the fault and its place, never the content.
                format!("not readable as json: {first}")
            })?,
        };
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
        match self.0.get(key)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
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

    /// Whether it is this text.
    pub(crate) fn is_text(&self, key: &str, text: &str) -> bool {
        self.0.get(key).and_then(Value::as_str) == Some(text)
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

    /// A list of objects; `None` when there is no list. An item that is no object reads as an empty one.
    pub(crate) fn list(&self, key: &str) -> Option<Vec<Self>> {
        let items = self.0.get(key)?.as_array()?;
        Some(items.iter().map(|item| Self::of(item.clone()).unwrap_or_else(|| Self(Map::new()))).collect())
    }
}

/// Replaces each `\uD800`..`\uDFFF` escape that has no partner by `\uFFFD`.
fn mend_surrogates(json: &str) -> String {
    let bytes = json.as_bytes();
    let unit = |at: usize| -> Option<u16> {
        let escape = bytes.get(at..at + 6)?;
        if &escape[..2] != b"\\u" {
            return None;
        }
        u16::from_str_radix(std::str::from_utf8(&escape[2..]).ok()?, 16).ok()
    };
    let mut mended = String::with_capacity(json.len());
    let mut copied = 0;
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match (unit(at), unit(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(&json[copied..at]);
                mended.push_str("\\ufffd");
                at += 6;
                copied = at;
            }
            (Some(_), _) => at += 6,
            // Another escape: the character after the backslash must not be taken for the start of one.
            (None, _) => at += 2,
        }
    }
    mended.push_str(json.get(copied..).unwrap_or_default());
    mended
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_surrogate_pair_costs_one_character_and_not_the_article() {
        let fields =
            Fields::parse(r#"{"a":"x\ud83dy","b":"\ud83d\ude00","c":"\\ud83d","d":"\udc00\ud83d"}"#).unwrap();
        assert_eq!(fields.text("a"), "x\u{fffd}y");
        assert_eq!(fields.text("b"), "😀");
        assert_eq!(fields.text("c"), "\\ud83d");
        assert_eq!(fields.text("d"), "\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn mending_never_panics_and_leaves_sound_text_alone(text in any::<String>(), units in "(\\\\u[dD][89a-fA-F][0-9]{2}|x|\\\\\\\\|é){0,9}") {
            let sound = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(mend_surrogates(&sound), sound);
            let odd = format!("\"{units}\"");
            prop_assert!(serde_json::from_str::<String>(&mend_surrogates(&odd)).is_ok(), "{}", odd);
            mend_surrogates(&text);
        }
    }
}
