//! The body of a delivery, in Carbon's form.
//!
//! One key, `payload`, holds JSON as a string; every scalar inside is a string. Both are written the way Python's
//! `json.dumps` does it: a space after `:` and `,`, and nothing but printable ASCII. The one difference that a receiver
//! in JavaScript makes by parsing and writing the body again is the space after `"payload":`.

use helpsync_store::ClaimedDelivery;
use serde_json::Value;

/// A body in both spellings that are signed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Body {
    /// As it is sent.
    pub(crate) sent: String,
    /// As JavaScript would write it.
    pub(crate) compact: String,
}

/// The body of a delivery: the same at every try, because its time is the event's.
pub(crate) fn body(delivery: &ClaimedDelivery) -> Body {
    let event = &delivery.event;
    let timestamp = event.created_at.div_euclid(1_000).to_string();
    let mut inner = String::from("{\"webhook_type\": ");
    text(&mut inner, event.kind.as_str());
    inner.push_str(", \"obj\": {\"object_type\": ");
    text(&mut inner, &event.object_type);
    inner.push_str(", \"object_id\": ");
    match serde_json::from_str(&event.object_id) {
        Ok(list @ Value::Array(_)) if event.object_type == "FILE_LIST" => value(&mut inner, &list),
        _ => text(&mut inner, &event.object_id),
    }
    inner.push_str(", \"additional_information\": ");
    match &event.detail {
        Value::Object(members) if members.is_empty() => text(&mut inner, "null"),
        detail => value(&mut inner, detail),
    }
    inner.push_str("}, \"customer_id\": ");
    text(&mut inner, delivery.customer.as_deref().unwrap_or("null"));
    inner.push_str(", \"timestamp\": ");
    text(&mut inner, &timestamp);
    inner.push('}');

    let mut payload = String::new();
    text(&mut payload, &inner);
    Body { sent: format!("{{\"payload\": {payload}}}"), compact: format!("{{\"payload\":{payload}}}") }
}

/// Scalars become strings, as Python's `str` would make them; nothing is `null`.
fn value(out: &mut String, from: &Value) {
    match from {
        Value::Null => text(out, "null"),
        Value::Bool(true) => text(out, "True"),
        Value::Bool(false) => text(out, "False"),
        Value::Number(number) => text(out, &number.to_string()),
        Value::String(string) => text(out, string),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                value(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (at, (name, member)) in members.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { ", " });
                text(out, name);
                out.push_str(": ");
                value(out, member);
            }
            out.push('}');
        }
    }
}

/// A JSON string of printable ASCII.
fn text(out: &mut String, from: &str) {
    out.push('"');
    for character in from.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
pub(crate) mod tests {
    use helpsync_model::{ConnectionId, CustomerId, DeliveryId, EventKind};
    use helpsync_store::Event;
    use serde_json::json;

    use super::*;

    pub(crate) fn delivery(kind: EventKind, object: (&str, &str), detail: Value) -> ClaimedDelivery {
        let event = Event {
            id: 1,
            customer: Some(CustomerId(1)),
            connection: Some(ConnectionId(1)),
            kind,
            object_type: object.0.to_owned(),
            object_id: object.1.to_owned(),
            detail,
            created_at: 1_700_000_000_999,
            traceparent: None,
        };
        ClaimedDelivery {
            id: DeliveryId(1),
            attempt: 1,
            failures: 1,
            event,
            customer: Some("cust-1".to_owned()),
        }
    }

    /// The payload, parsed.
    fn payload(delivery: &ClaimedDelivery) -> Value {
        let body = body(delivery);
        assert!(body.sent.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", body.sent);
        let outer: Value = serde_json::from_str(&body.sent).unwrap();
        assert_eq!(outer.as_object().unwrap().len(), 1);
        // What a receiver in JavaScript makes of it: serde_json writes as compactly.
        assert_eq!(outer.to_string(), body.compact);
        serde_json::from_str(outer["payload"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn the_body_of_the_published_form_is_written_byte_for_byte() {
        let detail = json!({ "is_resync": false, "request_id": "req-1" });
        let body = body(&delivery(EventKind::FileReady, ("FILE", "42"), detail));
        let right = r#"{"payload": "{\"webhook_type\": \"FILE_READY\", \"obj\": {\"object_type\": \"FILE\", \"object_id\": \"42\", \"additional_information\": {\"is_resync\": \"False\", \"request_id\": \"req-1\"}}, \"customer_id\": \"cust-1\", \"timestamp\": \"1700000000\"}"}"#;
        assert_eq!(body.sent, right);
    }

    #[test]
    fn every_kind_has_its_name_and_strings_only() {
        fn strings_only(value: &Value) -> bool {
            match value {
                Value::String(_) => true,
                Value::Array(items) => items.iter().all(strings_only),
                Value::Object(members) => members.values().all(strings_only),
                _ => false,
            }
        }
        for kind in EventKind::ALL {
            let detail = json!({ "a": true, "b": 7, "c": null, "d": [1.5, { "e": "x" }] });
            let payload = payload(&delivery(*kind, ("DATA_SOURCE", "7"), detail));
            assert_eq!(payload["webhook_type"], kind.as_str());
            assert!(strings_only(&payload), "{payload}");
            let given = &payload["obj"]["additional_information"];
            assert_eq!(given, &json!({ "a": "True", "b": "7", "c": "null", "d": ["1.5", { "e": "x" }] }));
        }
    }

    #[test]
    fn lists_are_lists_and_nothing_is_the_word_null() {
        let list = payload(&delivery(EventKind::FilesCreated, ("FILE_LIST", "[1,2]"), json!({})));
        assert_eq!(list["obj"]["object_id"], json!(["1", "2"]));
        assert_eq!(list["obj"]["additional_information"], "null");
        let mut plain = delivery(EventKind::FileStatisticsAggregated, ("NONE", "null"), Value::Null);
        plain.customer = None;
        let plain = payload(&plain);
        assert_eq!((&plain["obj"]["object_id"], &plain["customer_id"]), (&json!("null"), &json!("null")));
        assert_eq!(plain["obj"]["additional_information"], "null");
    }

    #[test]
    fn strange_texts_survive() {
        let text = "ü \u{1F600} \"quoted\" \\ \n\r\t\u{8}\u{c}\u{0}\u{7f} </script> ẞ";
        let mut strange =
            delivery(EventKind::FileError, ("FILE", "1"), json!({ "reason": text, "k\"ey": text }));
        strange.customer = Some(text.to_owned());
        let payload = payload(&strange);
        assert_eq!(payload["customer_id"], text);
        assert_eq!(payload["obj"]["additional_information"], json!({ "reason": text, "k\"ey": text }));
    }
}
