//! What a request changes, for the audit log: the store writes it down with the change.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use helpsync_store::ApiKey;
use helpsync_store::audit::{self, Actor, Audited};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use crate::layers::REQUEST_ID;

/// Of a body, what says what was done to what: names, numbers and switches. Never what somebody wrote, and no secret.
const TOLD: [&str; 35] = [
    "approve",
    "auto_sync_enabled_sources",
    "by",
    "client_id",
    "connecting_new_account",
    "customer_id",
    "data_source_id",
    "data_source_type",
    "enable_auto_sync",
    "expires_in_days",
    "file_id",
    "file_ids",
    "full",
    "id",
    "ids",
    "interval_hours",
    "item_ids",
    "kind",
    "lane",
    "max_characters",
    "max_files",
    "name",
    "organization",
    "organization_user_file_id",
    "overlap_hours",
    "redirect_uri",
    "scope",
    "scopes",
    "service",
    "source",
    "subdomain",
    "url",
    "viewer_segments_required",
    "workspace",
    "zendesk_subdomain",
];
/// Members of a list, and characters of a text, that are kept.
const LISTED_MAX: usize = 50;
const CHARS_MAX: usize = 300;
/// Longer bodies hold contents, and nothing of them is read a second time.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What an endpoint does, as the audit log names it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) is_change: bool,
}

/// Has the store write down what the request changes.
pub(crate) async fn write_down(State(operation): State<Operation>, request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
    let target = request.uri().path().to_owned();
    let customer = customer_in(&operation.name, &target);
    let audited = Audited::new(operation.name, target, id, operation.is_change);
    let answered = async {
        if let Some(customer) = customer {
            audit::about(&[customer]);
        }
        next.run(request).await
    };
    audit::audited(audited, answered).await
}

/// The customer that a path names, where its operation (`POST /…/{customer_id}/…`) says that it names one.
fn customer_in(operation: &str, target: &str) -> Option<String> {
    let (_, path) = operation.split_once(' ')?;
    let (_, customer) = path.split('/').zip(target.split('/')).find(|(name, _)| *name == "{customer_id}")?;
    Some(percent_decode_str(customer).decode_utf8().ok()?.into_owned())
}

/// The request is made with this key, for a customer where it names one.
pub(crate) fn by_key(key: &ApiKey, customer: Option<&str>) {
    let actor = Actor { kind: "api_key", id: key.id.to_string(), name: key.name.clone() };
    audit::acts(key.organization, actor);
    if let Some(customer) = customer {
        audit::about(&[customer.to_owned()]);
    }
}

/// The request is made by a customer, with a token that this key made.
pub(crate) fn by_customer(key: &ApiKey, customer: &str) {
    let name = format!("by a token of the key {}", key.name);
    audit::acts(key.organization, Actor { kind: "customer", id: customer.to_owned(), name });
    audit::about(&[customer.to_owned()]);
}

/// Keeps of a body what the audit log tells of it.
pub(crate) fn told(body: &[u8]) {
    if body.len() > BODY_BYTES_MAX || !audit::is_change() {
        return;
    }
    let Ok(Value::Object(object)) = serde_json::from_slice::<Value>(body) else { return };
    // Whoever asks for others than the one in the header names them in the body.
    if let Some(customer) = object.get("customer_id").and_then(Value::as_str) {
        audit::about(&[short(customer)]);
    }
    if let Some(customers) = object.get("customer_ids").and_then(Value::as_array) {
        let named: Vec<String> = customers.iter().filter_map(|it| it.as_str().map(short)).collect();
        audit::about(&named);
    }
    for (name, value) in kept(&object) {
        audit::detail(&name, value);
    }
}

fn kept(object: &Map<String, Value>) -> Map<String, Value> {
    let told = object.iter().filter(|(name, _)| TOLD.contains(&name.as_str()));
    told.filter_map(|(name, value)| Some((name.clone(), plain(name, value)?))).collect()
}

/// A number, a switch, a short text, or a list of these.
fn plain(name: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        // What stands behind the question mark is often a secret.
        Value::String(text) if name == "url" => {
            Some(short(text.split(['?', '#']).next().unwrap_or_default()).into())
        }
        Value::String(text) => Some(short(text).into()),
        Value::Array(list) => {
            let scalars = list.iter().filter(|it| !it.is_array() && !it.is_object());
            Some(Value::Array(scalars.take(LISTED_MAX).filter_map(|it| plain(name, it)).collect()))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_names_its_customer_where_the_operation_says_so() {
        let operation = "POST /helpsync/v1/customers/{customer_id}/pause";
        for (target, customer) in [
            ("/helpsync/v1/customers/ada/pause", Some("ada")),
            ("/helpsync/v1/customers/ada%2F1/pause", Some("ada/1")),
            ("/helpsync/v1/customers/%ff/pause", None),
        ] {
            assert_eq!(customer_in(operation, target).as_deref(), customer, "{target}");
        }
        assert_eq!(
            customer_in("POST /helpsync/v1/lanes/{lane}/pause", "/helpsync/v1/lanes/backfill/pause"),
            None
        );
    }

    #[test]
    fn secrets_and_contents_of_a_body_are_not_kept() {
        let body = json!({
            "url": "https://user-hook.example/x?token=hidden", "name": "a\nb", "file_ids": [1, 2, {"x": "hidden"}],
            "client_secret": "hidden", "access_token": "hidden", "chunks": ["hidden"], "approve": true, "full": null
        });
        let kept = Value::Object(kept(body.as_object().unwrap()));
        assert_eq!(
            kept,
            json!({ "url": "https://user-hook.example/x", "name": "ab", "file_ids": [1, 2], "approve": true })
        );
        let long = json!({ "ids": vec![1; 500], "name": "x".repeat(5_000) });
        let kept = super::kept(long.as_object().unwrap());
        assert_eq!(kept["ids"].as_array().unwrap().len(), LISTED_MAX);
        assert_eq!(kept["name"].as_str().unwrap().len(), CHARS_MAX);
    }
}
