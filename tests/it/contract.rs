//! Our OpenAPI document beside Carbon's: every difference is listed with its reason in `docs/carbon-differences.md`.
//!
//! Run with `HELPSYNC_TEST_BLESS=1` to write that file anew. Carbon's document is not ours to keep in the repository:
//! where it does not lie beside it, the test says that it skips.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::app::TestApp;
use crate::contract_reasons::{NOT_SERVED, REASONS};

/// Levels of objects that are compared.
const DEPTH_MAX: usize = 4;
const METHODS: [&str; 3] = ["get", "post", "delete"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// One field: what it may be, and whether it must be sent.
#[derive(Debug, Default, Clone)]
struct Field {
    types: BTreeSet<String>,
    required: bool,
}

type Fields = BTreeMap<String, Field>;

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap_or(&Value::Null),
        None => schema,
    }
}

/// Collects the fields of a schema under `path`.
fn collect(document: &Value, schema: &Value, path: &str, required: bool, depth: usize, into: &mut Fields) {
    let schema = resolve(document, schema);
    let field = into.entry(path.to_owned()).or_default();
    field.required |= required;
    match &schema["type"] {
        Value::String(one) => field.types.extend([one.clone()]),
        Value::Array(several) => {
            field.types.extend(several.iter().filter_map(|one| Some(one.as_str()?.to_owned())));
        }
        _ => {}
    }
    for kind in ["anyOf", "oneOf", "allOf"] {
        for branch in schema[kind].as_array().into_iter().flatten() {
            collect(document, branch, path, required, depth, into);
        }
    }
    if depth == DEPTH_MAX {
        return;
    }
    if schema["items"].is_object() {
        collect(document, &schema["items"], &format!("{path}[]"), false, depth + 1, into);
    }
    let needed: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(
            document,
            property,
            &format!("{path}.{name}"),
            needed.contains(&name.as_str()),
            depth + 1,
            into,
        );
    }
}

fn fields(document: &Value, schema: Option<&Value>, name: &str) -> Fields {
    let mut found = Fields::new();
    if let Some(schema) = schema {
        collect(document, schema, name, true, 0, &mut found);
    }
    found
}

/// What only one of two fields can be. A whole number is a number; no type is any.
fn lacks(has: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Vec<String> {
    if has.is_empty() || wanted.is_empty() {
        return Vec::new();
    }
    let covered = |kind: &&String| has.contains(*kind) || (*kind == "integer" && has.contains("number"));
    wanted.iter().filter(|kind| !covered(kind)).cloned().collect()
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once(['.', '[']).map(|(parent, _)| parent)
}

fn compare(carbon: &Fields, ours: &Fields, is_request: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, theirs) in carbon {
        let Some(own) = ours.get(path) else {
            // One line for a whole branch.
            if parent(path).is_none_or(|parent| ours.contains_key(parent)) {
                found.push(format!("{path} is not declared"));
            }
            continue;
        };
        if is_request {
            if theirs.required && !own.required && parent(path).is_some() {
                found.push(format!("{path} may be left out"));
            }
            if own.required && !theirs.required && parent(path).is_some() {
                found.push(format!("{path} must be sent"));
            }
            for kind in lacks(&own.types, &theirs.types) {
                found.push(format!("{path} does not take {kind}"));
            }
        } else {
            for kind in lacks(&theirs.types, &own.types) {
                found.push(format!("{path} may be {kind}"));
            }
        }
    }
    for path in ours.keys() {
        if !carbon.contains_key(path) && parent(path).is_none_or(|parent| carbon.contains_key(parent)) {
            found.push(format!("{path} is ours"));
        }
    }
    found
}

/// A schema that says nothing is no promise to compare with.
fn body(operation: &Value, pointer: &str) -> Option<Value> {
    operation.pointer(pointer).filter(|schema| schema.as_object().is_some_and(|it| !it.is_empty())).cloned()
}

fn differences(carbon: &Value, ours: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (path, operations) in carbon["paths"].as_object().unwrap() {
        let here = path.trim_end_matches('/');
        for method in METHODS {
            let theirs = &operations[method];
            if theirs.is_null() {
                continue;
            }
            let title = format!("{} {here}", method.to_uppercase());
            let own = &ours["paths"][here][method];
            if own.is_null() {
                found.push(format!("{title} is not served"));
                continue;
            }
            for (name, pointer) in [
                ("request", "/requestBody/content/application~1json/schema"),
                ("answer", "/responses/200/content/application~1json/schema"),
            ] {
                let (Some(a), Some(b)) = (body(theirs, pointer), body(own, pointer)) else { continue };
                let lines = compare(
                    &fields(carbon, Some(&a), name),
                    &fields(ours, Some(&b), name),
                    name == "request",
                );
                found.extend(lines.into_iter().map(|line| format!("{title}: {line}")));
            }
        }
    }
    for (path, operations) in ours["paths"].as_object().unwrap() {
        let known = &carbon["paths"][path];
        for method in METHODS.into_iter().filter(|method| !operations[*method].is_null()) {
            let slashed = &carbon["paths"][format!("{path}/")];
            if known[method].is_null() && slashed[method].is_null() {
                found.push(format!("{} {path} is ours", method.to_uppercase()));
            }
        }
    }
    found
}

/// `*` stands for anything.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty() || pattern.ends_with('*')
}

fn document(lines: &[String]) -> Result<String, Vec<String>> {
    let mut by_reason: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut unexplained = Vec::new();
    for line in lines {
        let explained = NOT_SERVED.iter().chain(REASONS).find(|(pattern, _)| fits(pattern, line));
        match explained {
            None => unexplained.push(line.clone()),
            Some((_, reason)) => match by_reason.iter_mut().find(|(known, _)| known == reason) {
                Some((_, group)) => group.push(line),
                None => by_reason.push((reason, vec![line])),
            },
        }
    }
    if !unexplained.is_empty() {
        return Err(unexplained);
    }
    by_reason
        .sort_by_key(|(reason, _)| NOT_SERVED.iter().chain(REASONS).position(|(_, known)| known == reason));
    let mut text = String::from(
        "# Where our API differs from Carbon's\n\nFound by comparing the two OpenAPI documents; every group has its \
         reason. `HELPSYNC_TEST_BLESS=1 cargo test\n-p helpsync-tests contract` writes this page anew; a difference \
         without a reason fails the test.\n",
    );
    for (reason, group) in by_reason {
        write!(text, "\n## {reason}\n\n").unwrap();
        for line in group {
            writeln!(text, "- `{line}`").unwrap();
        }
    }
    Ok(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_difference_from_carbons_document_has_its_reason() {
    let Ok(text) = std::fs::read_to_string(root().join("../shared/reference/carbon-openapi.json")) else {
        eprintln!("SKIPPED: Carbon's OpenAPI document is not beside this repository");
        return;
    };
    let carbon: Value = serde_json::from_str(&text).unwrap();
    let app = TestApp::embedded().await;
    let answer = app.http.get(app.url("/openapi.json")).send().await.unwrap();
    let ours: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    app.stop().await;
    let written = document(&differences(&carbon, &ours)).unwrap_or_else(|unexplained| {
        panic!("without a reason in contract_reasons.rs:\n{}", unexplained.join("\n"))
    });
    let page = root().join("docs/carbon-differences.md");
    if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
        std::fs::write(&page, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&page).unwrap_or_default();
    assert!(
        kept == written,
        "docs/carbon-differences.md is out of date: run this test with HELPSYNC_TEST_BLESS=1"
    );
}

#[test]
fn a_missing_field_a_narrower_type_and_a_new_demand_are_found() {
    let carbon = serde_json::json!({ "type": "object", "required": ["a"], "properties": {
        "a": { "type": "integer" }, "b": { "anyOf": [{ "type": "string" }, { "type": "null" }] },
        "c": { "type": "object", "properties": { "d": { "type": "string" } } },
    } });
    let ours = serde_json::json!({ "type": "object", "required": ["b"], "properties": {
        "a": { "type": "number" }, "b": { "type": "string" }, "e": { "type": "string" },
    } });
    let of = |schema| fields(&Value::Null, Some(schema), "request");
    let found = compare(&of(&carbon), &of(&ours), true);
    assert_eq!(
        found,
        [
            "request.a may be left out",
            "request.b must be sent",
            "request.b does not take null",
            "request.c is not declared",
            "request.e is ours",
        ]
    );
    assert!(fits("POST * is ours", "POST /x is ours") && !fits("POST * is ours", "GET /x is ours"));
    assert!(fits("*: request.a*", "POST /x: request.abc is ours") && !fits("*: answer", "POST /x: answer.a"));
}
