//! What a reader of JSON finds wrong, in words for people: nobody outside knows a `struct`, a `sequence` or an `i64`.

/// The sentence about a field that is wrong, from what the reader said of it.
pub(crate) fn plain(said: &str) -> String {
    if let Some(rest) = said.strip_prefix("unknown field ") {
        return match rest.split_once(", expected ") {
            Some((_, known)) => format!("is not known here: it may be {}", list(known)),
            None => "is not known here: nothing is".to_owned(),
        };
    }
    if said.starts_with("duplicate field ") {
        return "is given twice".to_owned();
    }
    if let Some((got, known)) = split(said, "unknown variant ") {
        return format!("is {}, and may be {}", got.replace('`', "\""), list(known));
    }
    for start in ["invalid type: ", "invalid value: ", "invalid length "] {
        if let Some((got, wanted)) = split(said, start) {
            let wanted = wanted_words(wanted);
            let got = match start {
                // The reader takes a list for an object whose fields have no names; nobody means that.
                "invalid length " if wanted == "an object" => "a list".to_owned(),
                "invalid length " => format!("a list of {got}"),
                _ => found(got),
            };
            return format!("is {got}, and must be {wanted}");
        }
    }
    said.strip_prefix("expected ").map_or_else(|| said.to_owned(), |wanted| format!("must be {wanted}"))
}

/// What was found and what is wanted instead.
fn split<'a>(said: &'a str, start: &str) -> Option<(&'a str, &'a str)> {
    // What was found may hold anything, what is wanted is ours.
    said.strip_prefix(start)?.rsplit_once(", expected ")
}

/// `one of `a`, `b``, without the marks.
fn list(known: &str) -> String {
    known.replace('`', "")
}

fn found(got: &str) -> String {
    let quoted = |text: &str| text.trim_matches('`').to_owned();
    match got.split_once(' ') {
        Some(("string", text)) => text.to_owned(),
        Some(("integer", number)) => quoted(number),
        Some(("floating", number)) => quoted(number.trim_start_matches("point ")),
        Some(("boolean", value)) => quoted(value),
        _ => match got {
            "sequence" => "a list".to_owned(),
            "map" => "an object".to_owned(),
            "unit value" | "Option value" => "null".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn wanted_words(wanted: &str) -> String {
    let is_number = |name: &str| {
        name.len() > 1
            && name.starts_with(['i', 'u'])
            && name[1..].chars().all(|digit| digit.is_ascii_digit())
    };
    match wanted {
        "a string" | "a borrowed string" | "string" | "str" => "a text".to_owned(),
        "a boolean" | "bool" => "true or false".to_owned(),
        "a sequence" | "sequence" => "a list".to_owned(),
        "a map" | "map" => "an object".to_owned(),
        "unit" => "null".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        name if is_number(name) && name.starts_with('u') => "a whole number that is not negative".to_owned(),
        name if is_number(name) => "a whole number".to_owned(),
        "string or map" | "variant identifier" => "one of the known words".to_owned(),
        name if name.starts_with("struct ") || name.contains("tagged enum ") => "an object".to_owned(),
        name if name.starts_with("enum ") => "one of the known words".to_owned(),
        name if name.starts_with("a tuple of size ") || name.starts_with("tuple ") => {
            "a list of another length".to_owned()
        }
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "read for its errors")]
    struct Wanted {
        name: Option<String>,
        count: Option<u32>,
        total: Option<i64>,
        share: Option<f64>,
        whether: Option<bool>,
        list: Option<Vec<String>>,
        map: Option<BTreeMap<String, i64>>,
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        One,
        Two,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}

    fn said<T: DeserializeOwned + std::fmt::Debug>(body: Value) -> String {
        plain(&serde_json::from_value::<T>(body).unwrap_err().to_string())
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        for (body, text) in [
            (json!([]), "is a list, and must be an object"),
            (json!("x, expected y"), "is \"x, expected y\", and must be an object"),
            (json!(null), "is null, and must be an object"),
            (json!(1.5), "is 1.5, and must be an object"),
            (json!(["a", 5]), "is a list, and must be an object"),
            (json!({ "name": 5 }), "is 5, and must be a text"),
            (json!({ "count": -1 }), "is -1, and must be a whole number that is not negative"),
            (json!({ "total": "5" }), "is \"5\", and must be a whole number"),
            (json!({ "share": true }), "is true, and must be a number"),
            (json!({ "whether": {} }), "is an object, and must be true or false"),
            (json!({ "list": {} }), "is an object, and must be a list"),
            (json!({ "map": [] }), "is a list, and must be an object"),
            (json!({ "word": "three" }), "is \"three\", and may be one or two"),
            (json!({ "word": 5 }), "is 5, and must be one of the known words"),
            (
                json!({ "nmae": "x" }),
                "is not known here: it may be one of name, count, total, share, whether, list, map, word",
            ),
        ] {
            assert_eq!(said::<Wanted>(body.clone()), text, "{body}");
        }
        assert_eq!(said::<Empty>(json!({ "a": 1 })), "is not known here: nothing is");
        let twice = serde_json::from_str::<Wanted>(r#"{"name":"a","name":"b"}"#).unwrap_err();
        assert!(plain(&twice.to_string()).starts_with("is given twice"));
        assert_eq!(plain("expected a list or \"ALL\", got \"x\""), "must be a list or \"ALL\", got \"x\"");
        assert_eq!(plain("must be a text"), "must be a text");
        assert!(matches!((Word::One, Word::Two), (Word::One, Word::Two)));
    }
}
