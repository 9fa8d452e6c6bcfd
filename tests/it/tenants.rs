//! Two organizations in one installation: with the credentials of one, no operation shows or changes what is the other's.

use std::collections::BTreeSet;

use helpsync_store::testing::hold_a_file;
use reqwest::{Method, RequestBuilder};
use serde_json::{Map, Value, json};

use crate::app::{API_KEY, Shape, TestApp, make_key};
use crate::planted::{CUSTOMER, Planted, STRANGER, session};

const OTHER_KEY: &str = "another-key-of-enough-length";
const DEPTH_MAX: usize = 6;
/// Operations whose answers to the owner hold what was planted, so that looking for it in others' means something.
const TELLING_MIN: usize = 40;

/// Operations that the owner's own walk does not reach: what opens them is a secret of its own, which no credential is.
const NOT_REACHED: [(&str, &str); 13] = [
    ("GET /integrations/zendesk", "a state, and Zendesk's code"),
    ("GET /integrations/zendesk/connect", "a state"),
    ("POST /integrations/zendesk/connect", "a state"),
    ("GET /integrations/zendesk/progress", "a token"),
    ("GET /integrations/zendesk/progress/events", "a token"),
    ("GET /integrations/zendesk/sync", "a token"),
    ("POST /integrations/zendesk/sync", "a token"),
    ("GET /integrations/zendesk/manage", "a token"),
    ("POST /integrations/zendesk/manage", "a token"),
    ("GET /presigned_file", "a token"),
    ("GET /presigned_attachment", "a token"),
    ("POST /integrations/zendesk/events/{endpoint}", "Zendesk's signature"),
    ("POST /integrations/connect", "a token of Zendesk's"),
];

/// The walk may have fetched by then what a letter was about; `audited` replays some.
const SOMETIMES_REACHED: &str = "POST /helpsync/v1/dead-letters/{id}/replay";

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

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    described: Value,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The owner does what takes things away last, and a dead letter is taken away before another one is replayed, which may
    /// mend both.
    fn turn(&self) -> usize {
        let has = |word: &str| self.path.contains(word);
        match self.method {
            Method::GET => 0,
            Method::DELETE if has("dead-letters") => 1,
            _ if has("/delete_users") => 4,
            Method::DELETE => 3,
            _ if ["delete", "revoke", "selection"].iter().any(|word| has(word)) => 3,
            _ => 2,
        }
    }

    /// Whether its path names something that only one organization can have; both may have a customer of a name.
    fn names_an_object(&self) -> bool {
        self.path.contains('{') && !self.path.contains("{customer_id}")
    }

    /// The path with what is the owner's in its braces, without a query and with each that names something of the owner's.
    fn places(&self, planted: &Planted) -> Vec<String> {
        let paths = match self.path.split_once('{') {
            None => vec![self.path.clone()],
            Some((before, behind)) => {
                let behind = behind.split_once('}').unwrap().1;
                let objects = planted.objects(&self.path);
                objects.iter().map(|object| format!("{before}{object}{behind}")).collect()
            }
        };
        let mut places = paths.clone();
        for parameter in self.described["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            if let Some(value) = planted.in_query(name).filter(|_| parameter["in"] == "query") {
                places.extend(paths.iter().map(|path| format!("{path}?{name}={value}")));
            }
        }
        places
    }
}

async fn operations(app: &TestApp) -> Vec<Operation> {
    let document = document(app).await;
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            all.push(Operation { method, path: path.clone(), described: described.clone() });
        }
    }
    all.sort_by_key(Operation::turn);
    all
}

async fn document(app: &TestApp) -> Value {
    app.http.get(app.url("/openapi.json")).send().await.unwrap().json().await.unwrap()
}

/// What a walk over every operation came to.
#[derive(Debug, Default)]
struct Walked {
    /// Operations whose answers hold what was planted and not sent.
    telling: BTreeSet<String>,
    /// Those that did what they are for.
    done: BTreeSet<String>,
    /// Those among them whose path names something of the owner's.
    done_to_objects: BTreeSet<String>,
    refused: BTreeSet<String>,
}

/// Every operation of the document with everything that is the owner's.
async fn walk(
    app: &TestApp,
    planted: &Planted,
    is_owner: bool,
    credentials: impl Fn(RequestBuilder) -> RequestBuilder,
) -> Walked {
    let document = document(app).await;
    let mut walked = Walked::default();
    for operation in operations(app).await {
        let name = operation.name();
        let mut all: Vec<Option<Value>> = planted.bodies(&name).into_iter().map(Some).collect();
        for id in &planted.ids {
            all.extend(bodies(&document, &operation.described, *id));
        }
        all.dedup();
        for place in operation.places(planted) {
            for body in &all {
                if is_owner && name.contains("_removals") {
                    hold_a_file(&app.parts().store).await;
                }
                let mut request = credentials(app.http.request(operation.method.clone(), app.url(&place)));
                if let Some(body) = body {
                    request = request.json(body);
                }
                let answer = request.send().await.unwrap();
                let status = answer.status();
                assert!(status != 500, "{name} {place} {body:?}");
                let text = answer.text().await.unwrap();
                let sent = format!("{place} {}", body.as_ref().map(Value::to_string).unwrap_or_default());
                let tells =
                    |planted: &String| text.contains(planted.as_str()) && !sent.contains(planted.as_str());
                if planted.texts.iter().any(tells) {
                    walked.telling.insert(name.clone());
                }
                if !status.is_success() {
                    walked.refused.insert(format!("{name} {status} {text:.200}"));
                    continue;
                }
                walked.done.insert(name.clone());
                if operation.names_an_object() {
                    walked.done_to_objects.insert(name.clone());
                }
                // One is enough, and what it takes away is there once.
                if is_owner {
                    break;
                }
            }
            if is_owner && walked.done.contains(&name) {
                break;
            }
        }
    }
    walked
}

async fn nothing_of_another_organization(shape: Shape) {
    let (app, planted) = Planted::start(shape).await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization(STRANGER).await.unwrap();
    make_key(admin, other, OTHER_KEY).await;
    let token = app.http.get(app.url("/auth/v1/access_token")).bearer_auth(OTHER_KEY);
    let token: Value = token.header("customer-id", CUSTOMER).send().await.unwrap().json().await.unwrap();
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let session = session(&app).await;
    let before = planted.everything(&app, &session).await;

    let key = |request: RequestBuilder| request.bearer_auth(OTHER_KEY);
    let key_and_customer = |request: RequestBuilder| key(request).header("customer-id", CUSTOMER);
    let by_token = |request: RequestBuilder| request.header("authorization", &token);
    let nobody = |request: RequestBuilder| request;
    for walked in [
        walk(&app, &planted, false, key).await,
        walk(&app, &planted, false, key_and_customer).await,
        walk(&app, &planted, false, by_token).await,
        walk(&app, &planted, false, nobody).await,
    ] {
        assert_eq!(walked.telling, BTreeSet::new());
        assert_eq!(walked.done_to_objects, BTreeSet::new());
    }
    let after = planted.everything(&app, &session).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "nothing was changed");
    }

    // The same walk by the owner does what every operation is for.
    planted.account.clear_faults();
    let own = |request: RequestBuilder| request.bearer_auth(API_KEY).header("customer-id", CUSTOMER);
    let walked = walk(&app, &planted, true, own).await;
    let not_done: BTreeSet<String> = operations(&app).await.iter().map(Operation::name).collect();
    let not_done: BTreeSet<&str> =
        not_done.iter().filter(|name| !walked.done.contains(*name)).map(String::as_str).collect();
    let not_done = not_done.into_iter().filter(|name| *name != SOMETIMES_REACHED).collect::<BTreeSet<_>>();
    assert_eq!(not_done, NOT_REACHED.iter().map(|(name, _)| *name).collect(), "{:#?}", walked.refused);
    assert!(walked.telling.len() >= TELLING_MIN, "{:?}", walked.telling);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_or_changes_what_is_another_organizations() {
    Box::pin(nothing_of_another_organization(Shape::Embedded)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_operation_shows_or_changes_what_is_another_organizations_on_postgres() {
    Box::pin(nothing_of_another_organization(Shape::Services)).await;
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
        let starts = ["(", "<"].map(|after| format!("pub async fn {name}{after}"));
        let of_all: Vec<&str> = starts.iter().flat_map(|start| store.split(start.as_str()).skip(1)).collect();
        assert!(!of_all.is_empty(), "{name} was not found");
        for rest in of_all {
            let takes = rest.split(") ->").next().unwrap_or_default();
            let mut words = takes.split(|c: char| !c.is_alphanumeric());
            assert!(owned(takes) || words.any(is_owned_struct), "{name} does not say for whom: {takes}");
        }
    }
}
