//! The JSON Schema that upstream services are given, and the reader that judges their messages: whatever one accepts,
//! the other accepts too.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use helpsync_model::{REQUEST_SCHEMA, Request};
use jsonschema::Validator;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value, json};

const CASES: u32 = 6_000;
/// Of all cases, so many at least are accepted, and so many refused: otherwise the agreement would say little.
const EACH_AT_LEAST: u32 = CASES / 10;

fn document() -> Value {
    serde_json::from_str(include_str!("../../../docs/request.v1.schema.json")).unwrap()
}

fn schema() -> Validator {
    jsonschema::draft202012::new(&document()).unwrap()
}

/// Any small JSON value, often one at a bound.
fn anything() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        numbers(),
        ".{0,3}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!(["sync"])),
    ]
}

/// Around every bound of an article's id, as integers and as floats.
fn numbers() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(-1),
        json!(1),
        json!(1.0),
        json!(1.5),
        json!(-0.0),
        json!(360_001_234_567_i64),
        json!(9_007_199_254_740_991_i64),
        json!(9_007_199_254_740_991.0),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_992.0),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
    ])
}

/// Around every bound of a name.
fn names() -> impl Strategy<Value = Value> {
    prop_oneof![
        12 => "\\PC{1,20}".prop_map(Value::from),
        1 => ".{1,20}".prop_map(Value::from),
        1 => prop::sample::select(vec![0_usize, 1, 254, 255, 256, 300])
            .prop_flat_map(|length| prop::sample::select(vec![
                "x".repeat(length),
                "ß".repeat(length),
                "🦀".repeat(length)
            ]))
            .prop_map(Value::from),
        1 => prop::sample::select(vec!["a\0b", "\u{1f}", "a\u{7f}", "\u{9f}", "a\nb", "\u{a0}"]).prop_map(Value::from),
    ]
}

/// A field that is mostly as `good` makes it, at times anything, at times absent.
fn field(good: impl Strategy<Value = Value> + 'static, absent: u32) -> BoxedStrategy<Option<Value>> {
    prop_oneof![
        16 => good.prop_map(Some),
        1 => anything().prop_map(Some),
        absent => Just(None),
    ]
    .boxed()
}

fn messages() -> impl Strategy<Value = Value> {
    let action = prop::sample::select(vec![json!("sync"), json!("resync_article")]);
    let unknown = (prop::sample::select(vec!["fulll", "Action", "customerId", "", "schema "]), anything());
    let fields = (
        field(Just(json!(REQUEST_SCHEMA)), 1),
        field(names(), 1),
        field(names(), 16),
        field(action, 1),
        field(any::<bool>().prop_map(Value::from), 16),
        field(prop_oneof![3 => (1..=9_007_199_254_740_991_i64).prop_map(Value::from), 1 => numbers()], 16),
        prop_oneof![8 => Just(None), 1 => unknown.prop_map(Some)],
    );
    fields.prop_map(|(schema, customer, organization, action, full, article, unknown)| {
        let named = [
            ("schema", schema),
            ("customer_id", customer),
            ("organization", organization),
            ("action", action),
            ("full", full),
            ("article_id", article),
        ];
        let mut all: Map<String, Value> =
            named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        all.extend(unknown.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(all)
    })
}

/// Messages as they are sent, at times with some bytes changed on the way.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(b"\"{}[]:,01e.n \\x\xff".to_vec())), 1..4),
    ];
    (messages(), changes).prop_map(|(message, changes)| {
        let mut bytes = message.to_string().into_bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

#[test]
fn the_schema_and_the_reader_accept_the_same_messages() {
    let schema = schema();
    let (accepted, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let count = |cell: &std::cell::Cell<u32>| cell.set(cell.get() + 1);
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    runner
        .run(&bytes(), |bytes| {
            let by_schema = serde_json::from_slice(&bytes).is_ok_and(|value: Value| schema.is_valid(&value));
            let read = Request::from_bytes(&bytes);
            count(if by_schema { &accepted } else { &refused });
            prop_assert_eq!(by_schema, read.is_ok(), "{}: {:?}", String::from_utf8_lossy(&bytes), read);
            if let Ok(request) = read {
                let again = request.to_bytes();
                prop_assert_eq!(&Request::from_bytes(&again).unwrap(), &request);
                prop_assert!(schema.is_valid(&serde_json::from_slice(&again).unwrap()), "{:?}", request);
            }
            Ok(())
        })
        .unwrap();
    assert!(
        accepted.get() >= EACH_AT_LEAST && refused.get() >= EACH_AT_LEAST,
        "{} accepted, {} refused",
        accepted.get(),
        refused.get()
    );
}

#[test]
fn the_examples_of_the_schema_are_requests() {
    let (document, schema) = (document(), schema());
    for example in document["examples"].as_array().unwrap() {
        assert!(schema.is_valid(example), "{example}");
        Request::from_bytes(example.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn the_schema_itself_is_one() {
    assert!(jsonschema::meta::is_valid(&document()));
}
