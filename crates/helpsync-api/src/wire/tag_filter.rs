//! The tag filter language: `{"OR": [{"key", "value", "negate"}, {"AND": […]}]}`, and the flat map of old clients.

use helpsync_store::TagFilter;
use serde_json::{Map, Value};

use super::file::tag_text;
use crate::error::ApiError;

/// Levels of `OR` and `AND` within each other.
const DEPTH_MAX: usize = 3;
/// Conditions of one filter, wherever they stand.
const CONDITIONS_MAX: usize = 100;
/// Values of one condition.
const VALUES_MAX: usize = 1_000;

/// Reads the language. Absent, null and empty are no condition: one that is passed over would find, or delete, what
/// was not meant, so anything else must be understood.
pub(crate) fn tag_filter(given: Option<&Value>, field: &str) -> Result<Option<TagFilter>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) if object.is_empty() => Ok(None),
        Some(Value::Object(object)) => Reading { field, conditions: 0 }.group(object, 1).map(Some),
        Some(_) => Err(wrong(field, SHAPE)),
    }
}

/// Reads the flat map: every tag must be its value, or one of a list.
pub(crate) fn flat_tags(given: Option<&Value>, field: &str) -> Result<Option<TagFilter>, ApiError> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) if object.is_empty() => Ok(None),
        Some(Value::Object(object)) => {
            let mut reading = Reading { field, conditions: 0 };
            let parts = object.iter().map(|(key, value)| reading.condition(key, value, false));
            Ok(Some(TagFilter::All(parts.collect::<Result<_, _>>()?)))
        }
        Some(_) => Err(wrong(field, "expected an object of tags and their values")),
    }
}

const SHAPE: &str = "expected an object with one member, \"OR\" or \"AND\", that is a list";

fn wrong(field: &str, text: impl Into<String>) -> ApiError {
    ApiError::field(field, text)
}

struct Reading<'a> {
    field: &'a str,
    conditions: usize,
}

impl Reading<'_> {
    fn group(&mut self, object: &Map<String, Value>, depth: usize) -> Result<TagFilter, ApiError> {
        if depth > DEPTH_MAX {
            return Err(wrong(self.field, format!("nests OR and AND deeper than {DEPTH_MAX} levels")));
        }
        let mut members = object.iter();
        let (Some((word, Value::Array(list))), None) = (members.next(), members.next()) else {
            return Err(wrong(self.field, SHAPE));
        };
        let parts = list.iter().map(|part| self.part(part, depth)).collect::<Result<Vec<_>, _>>()?;
        // An empty list, like an empty object, asks for nothing.
        match word.as_str() {
            _ if parts.is_empty() => Ok(TagFilter::All(parts)),
            "AND" => Ok(TagFilter::All(parts)),
            "OR" => Ok(TagFilter::Any(parts)),
            _ => Err(wrong(self.field, SHAPE)),
        }
    }

    fn part(&mut self, part: &Value, depth: usize) -> Result<TagFilter, ApiError> {
        let shape = "expected {\"key\", \"value\", \"negate\"}, or an object with \"OR\" or \"AND\"";
        let Value::Object(object) = part else { return Err(wrong(self.field, shape)) };
        let Some(key) = object.get("key") else { return self.group(object, depth + 1) };
        let (Value::String(key), Some(value)) = (key, object.get("value")) else {
            return Err(wrong(self.field, shape));
        };
        let negate = match object.get("negate") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(negate)) => *negate,
            Some(_) => return Err(wrong(self.field, "\"negate\" is true or false")),
        };
        self.condition(key, value, negate)
    }

    fn condition(&mut self, key: &str, value: &Value, negate: bool) -> Result<TagFilter, ApiError> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(wrong(self.field, format!("holds more than {CONDITIONS_MAX} conditions")));
        }
        let values = match value {
            Value::Array(list) if list.len() > VALUES_MAX => {
                return Err(wrong(self.field, format!("a condition has more than {VALUES_MAX} values")));
            }
            Value::Array(list) => list.iter().map(tag_text).collect(),
            Value::Null => return Err(wrong(self.field, "a value is missing")),
            one => vec![tag_text(one)],
        };
        Ok(TagFilter::Is { key: key.to_owned(), values, negate })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is(key: &str, values: &[&str], negate: bool) -> TagFilter {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        TagFilter::Is { key: key.to_owned(), values, negate }
    }

    #[test]
    fn the_language_is_read_with_its_defaults() {
        for none in [json!(null), json!({})] {
            assert_eq!(tag_filter(Some(&none), "tags").unwrap(), None);
        }
        let given = json!({"OR": [
            {"key": "a", "value": "x", "negate": true},
            {"AND": [{"key": "b", "value": ["y", 4]}, {"OR": [{"key": "c", "value": true, "negate": null}]}]},
        ]});
        let expected = TagFilter::Any(vec![
            is("a", &["x"], true),
            TagFilter::All(vec![
                is("b", &["y", "4"], false),
                TagFilter::Any(vec![is("c", &["true"], false)]),
            ]),
        ]);
        assert_eq!(tag_filter(Some(&given), "tags").unwrap(), Some(expected));
        let flat = json!({"a": "x", "b": [1, "y"]});
        let expected = TagFilter::All(vec![is("a", &["x"], false), is("b", &["1", "y"], false)]);
        assert_eq!(flat_tags(Some(&flat), "tags").unwrap(), Some(expected));
    }

    #[test]
    fn what_is_not_understood_and_what_is_too_much_is_refused() {
        let one = json!({"key": "a", "value": "x"});
        let deep = json!({"OR": [{"OR": [{"OR": [one.clone()]}]}]});
        assert!(tag_filter(Some(&deep), "tags").is_ok());
        let most: Vec<Value> = vec![one.clone(); CONDITIONS_MAX];
        assert!(tag_filter(Some(&json!({ "AND": most })), "tags").is_ok());
        for given in [
            json!([]),
            json!("x"),
            json!({"NOT": [one]}),
            json!({"OR": [one], "AND": [one]}),
            json!({"OR": one}),
            json!({"OR": [{"key": 1, "value": "x"}]}),
            json!({"OR": [{"key": "a"}]}),
            json!({"OR": [{"key": "a", "value": null}]}),
            json!({"OR": [{"key": "a", "value": "x", "negate": "no"}]}),
            json!({"OR": ["x"]}),
            json!({"OR": [deep]}),
            json!({ "AND": vec![one.clone(); CONDITIONS_MAX + 1] }),
            json!({"OR": [{"key": "a", "value": vec!["x"; VALUES_MAX + 1]}]}),
        ] {
            assert!(tag_filter(Some(&given), "tags").is_err(), "{given}");
        }
        assert!(flat_tags(Some(&json!([])), "tags").is_err());
    }
}
