//! One member of an answer's JSON, set to something else or taken out.

use serde_json::Value;

/// Stands for every item of a list.
const EACH: &str = "*";

/// Puts `value` at `at`, or takes out what is there. Several places are separated by commas. Of the items that the first
/// `*` stands for, each `every`th is met.
pub(crate) fn put(root: &mut Value, at: &str, every: usize, value: Option<&Value>) {
    for at in at.split(',') {
        let steps: Vec<&str> = at.split('/').filter(|step| !step.is_empty()).collect();
        put_at(root, &steps, every.max(1), value);
    }
}

fn put_at(place: &mut Value, steps: &[&str], every: usize, value: Option<&Value>) {
    match (steps, place) {
        ([EACH, rest @ ..], Value::Array(items)) => {
            for item in items.iter_mut().step_by(every) {
                put_at(item, rest, 1, value);
            }
        }
        ([name], Value::Object(members)) => match value {
            Some(value) => drop(members.insert((*name).to_owned(), value.clone())),
            None => drop(members.remove(*name)),
        },
        ([name, rest @ ..], Value::Object(members)) => {
            if let Some(member) = members.get_mut(*name) {
                put_at(member, rest, every, value);
            }
        }
        ([], place) => place.clone_from(value.unwrap_or(&Value::Null)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(at: &str, every: usize, value: Option<&Value>) -> Value {
        let mut root = json!({ "count": 3, "items": [{ "a": [{ "b": 1 }] }, { "a": [] }, { "a": [{ "b": 2 }, { "b": 3 }] }] });
        put(&mut root, at, every, value);
        root
    }

    #[test]
    fn members_are_set_and_taken_out_wherever_they_stand() {
        assert_eq!(after("/count", 1, Some(&json!("x")))["count"], "x");
        assert_eq!(after("/new", 1, Some(&Value::Null)).get("new"), Some(&Value::Null));
        assert_eq!(after("/count", 1, None).get("count"), None);
        assert_eq!(after("/count,/items", 1, None), json!({}));
        let all = after("/items/*/a/*/b", 1, Some(&Value::Null))["items"].clone();
        assert_eq!(
            all,
            json!([{ "a": [{ "b": null }] }, { "a": [] }, { "a": [{ "b": null }, { "b": null }] }])
        );
        assert_eq!(after("/items/*/a", 2, None)["items"], json!([{}, { "a": [] }, {}]));
        assert_eq!(after("/items/*", 3, Some(&json!(7)))["items"][0], 7);
        assert_eq!(after("/elsewhere/*/a", 1, None), after("/count/a", 1, None));
    }
}
