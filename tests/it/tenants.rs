//! Two organizations in one installation: with the credentials of one, no operation shows or changes what is the other's.

use std::collections::BTreeSet;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Map, Value, json};
use zendesk_sim::GenerateOptions;

use crate::app::{API_KEY, Shape, TestApp, make_key, real_time};

const OTHER_KEY: &str = "another-key-of-enough-length";
/// Both organizations have a customer of this name.
const CUSTOMER: &str = "ada";
const SUBDOMAIN: &str = "planted-subdomain";
const HOOK: &str = "https://planted-hook.example.com/events";
const CLIENT: &str = "planted-client";
/// What the owner's own walk must reach, so that the other's means something.
const REACHED_MIN: usize = 12;
const DEPTH_MAX: usize = 6;

/// Ids of everything that the owner has: numbers of all tables together.
struct Planted {
    ids: Vec<i64>,
    texts: BTreeSet<String>,
}

async fn texts(app: &TestApp, key: &str, path: &str, body: Option<Value>) -> String {
    let request = match body {
        Some(body) => app.http.post(app.url(path)).json(&body),
        None => app.http.get(app.url(path)),
    };
    let answer = request.bearer_auth(key).header("customer-id", CUSTOMER).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    answer.text().await.unwrap()
}

/// What moves by itself: chunks are made, and nobody answers at the webhook's address.
const MOVING: [&str; 5] = ["file_statistics", "status", "status_reason", "updated_at", "embeddings"];

fn still(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let left = object.into_iter().filter(|(name, _)| !MOVING.contains(&name.as_str()));
            Value::Object(left.map(|(name, one)| (name, still(one))).collect())
        }
        Value::Array(list) => list.into_iter().map(still).collect(),
        other => other,
    }
}

/// All that the owner sees of its own.
async fn everything(app: &TestApp) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in ["/user_data_sources", "/user_files_v2", "/webhooks", "/white_label/list"] {
        seen.push(texts(app, API_KEY, path, Some(json!({}))).await);
    }
    for path in ["/helpsync/v1/runs", "/helpsync/v1/selection", "/helpsync/v1/events"] {
        seen.push(texts(app, API_KEY, path, None).await);
    }
    seen.iter().map(|text| still(serde_json::from_str(text).unwrap())).collect()
}

async fn planted(app: &TestApp) -> Planted {
    app.account(SUBDOMAIN, GenerateOptions { articles: 5, ..GenerateOptions::default() });
    let run = app.connect(CUSTOMER, SUBDOMAIN).await;
    app.post("/add_webhook", CUSTOMER, json!({ "url": HOOK })).await;
    let redirect = "https://planted.example.com/integrations/zendesk";
    let credentials = json!({ "client_id": CLIENT, "client_secret": "s", "redirect_uri": redirect });
    let record = json!([{ "data_source_type": "ZENDESK", "credentials": credentials }]);
    app.post("/white_label/create", CUSTOMER, record).await;
    let files = app.post("/user_files_v2", CUSTOMER, json!({})).await;
    let files = files["results"].as_array().unwrap();
    let mut ids = BTreeSet::from([run.id.0, run.connection.0, 1, 2, 3]);
    let mut texts = BTreeSet::from([SUBDOMAIN, HOOK, CLIENT].map(str::to_owned));
    texts.insert(run.request_id);
    for file in files {
        ids.insert(file["id"].as_i64().unwrap());
        texts.insert(file["external_file_id"].as_str().unwrap().to_owned());
    }
    texts.retain(|text| text.len() >= 8);
    Planted { ids: ids.into_iter().collect(), texts }
}

fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(name) => document.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// A value of the schema that names what is the owner's wherever it can. `None`: nothing fits.
fn value(document: &Value, name: &str, schema: &Value, id: i64, depth: usize) -> Option<Value> {
    let schema = resolve(document, schema);
    if depth > DEPTH_MAX {
        return None;
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return choices
                .iter()
                .filter(|one| one["type"] != "null")
                .find_map(|one| value(document, name, one, id, depth + 1));
        }
    }
    match name {
        "service" | "source" | "data_source_type" => return Some(json!("ZENDESK")),
        "customer_id" => return Some(json!(CUSTOMER)),
        "customer_ids" => return Some(json!([CUSTOMER])),
        "auto_sync_enabled_sources" => return Some(json!([])),
        "pagination" | "limit" | "offset" | "starting_id" => return None,
        _ => {}
    }
    if let Some(first) = schema["enum"].as_array().and_then(|all| all.first()) {
        return Some(first.clone());
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().find(|kind| **kind != "null")?.as_str()?,
        kind => kind.as_str()?,
    };
    match kind {
        "integer" => Some(json!(id)),
        "string" => Some(json!(id.to_string())),
        "array" => Some(json!([value(document, name, &schema["items"], id, depth + 1)?])),
        "object" => {
            let properties = schema["properties"].as_object().cloned().unwrap_or_default();
            let filled = properties
                .iter()
                .filter_map(|(name, one)| Some((name.clone(), value(document, name, one, id, depth + 1)?)));
            Some(Value::Object(filled.collect()))
        }
        _ => None,
    }
}

/// The whole body, and one with the required fields and what looks like an id.
fn bodies(document: &Value, operation: &Value, id: i64) -> Vec<Option<Value>> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if schema.is_null() {
        return vec![None];
    }
    let whole = value(document, "", schema, id, 0);
    let required: Vec<&str> = resolve(document, schema)["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let few = whole.as_ref().and_then(Value::as_object).map(|whole| {
        let few = whole.iter().filter(|(name, _)| required.contains(&name.as_str()) || name.contains("id"));
        Value::Object(few.map(|(name, one)| (name.clone(), one.clone())).collect::<Map<_, _>>())
    });
    vec![whole, few, Some(json!({}))]
}

/// What takes things away, which the owner would find nothing after.
fn takes_away(method: &str, path: &str) -> bool {
    method == "delete"
        || ["delete", "revoke", "selection", "white_label"].iter().any(|word| path.contains(word))
}

/// Every operation of the document with every id, but those that `skip` names: those whose answers hold what was planted.
async fn walk(
    app: &TestApp,
    planted: &Planted,
    credentials: impl Fn(RequestBuilder) -> RequestBuilder,
    skip: fn(&str, &str) -> bool,
) -> BTreeSet<String> {
    let document: Value = serde_json::from_str(
        &app.http.get(app.url("/openapi.json")).send().await.unwrap().text().await.unwrap(),
    )
    .unwrap();
    let mut telling = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if skip(method, path) {
                continue;
            }
            for id in &planted.ids {
                let place = filled(path, *id);
                for body in bodies(&document, operation, *id) {
                    let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
                    let mut request = credentials(app.http.request(method.clone(), app.url(&place)));
                    if let Some(body) = &body {
                        request = request.json(body);
                    }
                    let answer = request.send().await.unwrap();
                    assert!(answer.status().as_u16() != 500, "{method} {place} {body:?}");
                    let text = answer.text().await.unwrap();
                    if planted.texts.iter().any(|planted| text.contains(planted.as_str())) {
                        telling.insert(format!("{method} {path}"));
                    }
                }
            }
        }
    }
    telling
}

/// The path with an id in every place.
fn filled(path: &str, id: i64) -> String {
    let parts = path.split('/').map(|part| match part.starts_with('{') {
        true if path.contains("dead-letters") => format!("shard-{id}"),
        true => id.to_string(),
        false => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn nothing_of_another_organization(shape: Shape) {
    let app = TestApp::start(shape, &[], real_time()).await;
    let planted = planted(&app).await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization("other").await.unwrap();
    make_key(admin, other, OTHER_KEY).await;
    let token = texts(&app, OTHER_KEY, "/auth/v1/access_token", None).await;
    let token: Value = serde_json::from_str(&token).unwrap();
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let before = everything(&app).await;

    let none = |_: &str, _: &str| false;
    let key = |request: RequestBuilder| request.bearer_auth(OTHER_KEY);
    let key_and_customer = |request: RequestBuilder| key(request).header("customer-id", CUSTOMER);
    let by_token = |request: RequestBuilder| request.header("authorization", &token);
    assert_eq!(walk(&app, &planted, key, none).await, BTreeSet::new());
    assert_eq!(walk(&app, &planted, key_and_customer, none).await, BTreeSet::new());
    assert_eq!(walk(&app, &planted, by_token, none).await, BTreeSet::new());
    assert_eq!(everything(&app).await, before, "nothing was changed");

    // The same walk by the owner: it does reach what is there.
    let own = |request: RequestBuilder| request.bearer_auth(API_KEY).header("customer-id", CUSTOMER);
    let reached = walk(&app, &planted, own, takes_away).await;
    assert!(reached.len() >= REACHED_MIN, "{reached:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_or_changes_what_is_another_organizations() {
    nothing_of_another_organization(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_or_changes_what_is_another_organizations_on_postgres() {
    nothing_of_another_organization(Shape::Services).await;
}

/// Methods over organizations: their endpoints take an operator's key (docs/api-keys.md).
const OF_OPERATORS: [&str; 3] = ["create_organization", "organizations", "find_organization"];
/// Methods that name their owner by a secret, one that has none, and one that writes down what a request has said of itself.
const BY_SECRET: [&str; 9] = [
    "find_api_key",
    "session",
    "end_session",
    "pending_grant",
    "begin_grant",
    "consume_grant",
    "event_subscription",
    "ping",
    "note_change",
];

fn sources(folder: &str) -> String {
    let mut text = String::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.ends_with("testing") {
                // Tools of tests: no handler calls them.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// The names of the store's methods that the API calls.
fn called(api: &str) -> BTreeSet<String> {
    let api: String = api.split_whitespace().collect();
    let mut called = BTreeSet::new();
    for facet in ["admin", "tokens", "webhooks", "search", "sync"] {
        for rest in api.split(&format!(".{facet}().")).skip(1) {
            called.insert(rest.split('(').next().unwrap_or_default().to_owned());
        }
    }
    called
}

#[test]
fn every_store_method_that_a_handler_calls_is_told_for_whom() {
    let (api, store) = (sources("crates/helpsync-api/src"), sources("crates/helpsync-store/src"));
    let owned = |text: &str| text.contains("OrganizationId") || text.contains("CustomerId");
    let is_owned_struct = |name: &str| {
        let definitions = [format!("pub struct {name} {{"), format!("pub struct {name}<'a> {{")];
        let definition = definitions.iter().find_map(|start| store.split(start.as_str()).nth(1));
        definition.is_some_and(|rest| owned(rest.split("\n}").next().unwrap_or_default()))
    };
    let called = called(&(api + &sources("crates/helpsync-dashboard/src")));
    assert!(called.len() > 50, "{called:?}");
    for name in called.iter().filter(|name| !BY_SECRET.iter().chain(&OF_OPERATORS).any(|other| other == name))
    {
        let of_all: Vec<&str> = store.split(&format!("pub async fn {name}(")).skip(1).collect();
        assert!(!of_all.is_empty(), "{name} was not found");
        for rest in of_all {
            let takes = rest.split(") ->").next().unwrap_or_default();
            let mut words = takes.split(|c: char| !c.is_alphanumeric());
            assert!(owned(takes) || words.any(is_owned_struct), "{name} does not say for whom: {takes}");
        }
    }
}
