//! What the audit log tells of a request's body.

use helpsync_model::{SelectionFilter, without_query};
use helpsync_store::audit;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::audit::Operation;

/// Of a body, what says what was done to what: names, numbers, switches, and what pages show. Never an article or a chunk,
/// and no secret.
const TOLD: [&str; 79] = [
    "approve",
    AUTHENTICATION,
    "auto_sync_enabled_sources",
    "auto_sync_interval",
    "by",
    "chunk_overlap",
    "chunk_size",
    "chunks_only",
    "client_id",
    "color",
    "connecting_new_account",
    "contact",
    CREDENTIALS,
    "data_source_id",
    DATA_SOURCE_TAGS,
    "data_source_type",
    "delete_child_files",
    "delete_non_synced_only",
    "display_name",
    "embedding_model",
    "enable_auto_sync",
    "expires_in_days",
    "file_id",
    "file_ids",
    SYNC_CONFIG,
    FILTERS,
    "force_embedding_generation",
    "full",
    "generate_chunks_only",
    "generate_sparse_vectors",
    CONFIGURATION,
    "id",
    "ids",
    "incremental_sync",
    "interval_hours",
    "item_ids",
    "kind",
    "lane",
    LIST,
    LOGO,
    "max_characters",
    "max_characters_per_file",
    "max_characters_per_upload",
    "max_files",
    "max_files_per_upload",
    "name",
    "organization",
    "organization_user_file_id",
    "overlap_hours",
    "overwrite_existing",
    "prepend_filename_to_chunks",
    "preserve_file_record",
    "redirect_uri",
    "remove_all_tags",
    "repair",
    "request_id",
    "return_url",
    "return_urls",
    "scope",
    "scopes",
    "send_webhook",
    "service",
    "set_page_as_boundary",
    "skip_embedding_generation",
    "skip_file_processing",
    "source",
    "store_file_only",
    "subdomain",
    "subdomains",
    "sync_files_on_connection",
    SYNC_OPTIONS,
    "sync_source_items",
    "sync_statuses",
    TAGS,
    "tags_to_remove",
    "url",
    "viewer_segments_required",
    "workspace",
    "zendesk_subdomain",
];
/// Whom a body names: they are the entry's own, not part of its detail.
const CUSTOMER: &str = "customer_id";
const CUSTOMERS: &str = "customer_ids";
/// Objects of which is told what is told of a body.
const CREDENTIALS: &str = "credentials";
const CONFIGURATION: &str = "global_user_config";
const AUTHENTICATION: &str = "authentication";
const SYNC_OPTIONS: &str = "sync_options";
const SYNC_CONFIG: &str = "file_sync_config";
const WITHIN: [&str; 5] = [AUTHENTICATION, CREDENTIALS, CONFIGURATION, SYNC_CONFIG, SYNC_OPTIONS];
/// The members of a body that is a list, as the log names them.
const LIST: &str = "list";
/// Objects that are told as they are: which files are meant, and what is kept as it is given.
const FILTERS: &str = "filters";
const TAGS: &str = "tags";
const DATA_SOURCE_TAGS: &str = "data_source_tags";
/// An image, of which only the size is told.
const LOGO: &str = "logo";
/// Members of a list or an object, and characters of a text, that are kept.
const LISTED_MAX: usize = 50;
const CHARS_MAX: usize = 300;
/// Lists and objects within each other that are kept: the filter language has fewer.
const DEPTH_MAX: usize = 12;
/// Filters with more bytes are told as the beginning of their text.
const FILTERS_BYTES_MAX: usize = 2_000;

/// What is told of a body.
pub(crate) struct Told {
    /// Whom it names.
    pub(crate) customers: Vec<String>,
    pub(crate) detail: Map<String, Value>,
}

impl Told {
    /// Of the members that the operation has; `None`: it is no JSON.
    pub(crate) fn of(operation: &Operation, body: &[u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(body);
        let mut object = (Understood { operation }).deserialize(&mut reader).ok()?;
        let (one, several) = (object.remove(CUSTOMER), object.remove(CUSTOMERS));
        let several = several.as_ref().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let customers = one.iter().chain(several).filter_map(|it| it.as_str().map(short)).collect();
        Some(Self { customers, detail: kept(&object) })
    }
}

/// Has the audit log tell an object as it was understood.
pub(crate) fn understood(name: &str, object: &Map<String, Value>) {
    audit::detail(name, bounded(Value::Object(nested(object, DEPTH_MAX))));
}

/// Has the audit log tell which they are, and of very many how many there are.
pub(crate) fn listed(name: &str, ids: impl IntoIterator<Item = i64>) {
    let mut told = Map::new();
    keep(&mut told, name, &ids.into_iter().map(Value::from).collect(), 0);
    for (name, value) in told {
        audit::detail(&name, value);
    }
}

/// Has the audit log tell what a connection keeps from now on: its conditions, or that it has none.
pub(crate) fn selected(selection: &SelectionFilter) {
    let Ok(Value::Object(mut conditions)) = serde_json::to_value(selection) else { return };
    conditions.retain(|_, value| {
        *value != Value::Bool(false) && value.as_array().is_none_or(|list| !list.is_empty())
    });
    let told =
        if conditions.is_empty() { "everything".into() } else { Value::Object(nested(&conditions, 1)) };
    audit::detail("selection", bounded(told));
}

/// The members of a body that its operation has and the log tells of. The rest is read over, however long it is.
struct Understood<'a> {
    operation: &'a Operation,
}

impl Understood<'_> {
    fn wants(&self, name: &str) -> bool {
        let is_told = TOLD.contains(&name) || name == CUSTOMER || name == CUSTOMERS;
        is_told && self.operation.members.iter().any(|member| member == name)
    }
}

impl<'de> DeserializeSeed<'de> for Understood<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Understood<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object, or a list of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(one) = members.next_element_seed(Understood { operation: self.operation })? {
            if list.len() < LISTED_MAX {
                list.push(Value::Object(one));
            }
        }
        Ok(Map::from_iter([(LIST.to_owned(), Value::Array(list))]))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut understood = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if self.wants(&name) {
                understood.insert(name, members.next_value()?);
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(understood)
    }
}

/// What is told, and of a list that is cut how many there were (`file_ids_in_all`).
fn kept(object: &Map<String, Value>) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in object.iter().filter(|(name, _)| TOLD.contains(&name.as_str())) {
        match value {
            Value::Object(as_it_is) if matches!(name.as_str(), FILTERS | TAGS | DATA_SOURCE_TAGS) => {
                told.insert(name.clone(), bounded(Value::Object(nested(as_it_is, DEPTH_MAX))));
            }
            Value::Object(within) if WITHIN.contains(&name.as_str()) => {
                told.insert(name.clone(), Value::Object(kept(within)));
            }
            Value::Array(all) if name == LIST => {
                let all = all.iter().filter_map(Value::as_object).map(|one| Value::Object(kept(one)));
                told.insert(name.clone(), Value::Array(all.take(LISTED_MAX).collect()));
            }
            _ => keep(&mut told, name, value, 0),
        }
    }
    told
}

/// Keeps of a member what is told of it; `depth`: of so many lists and objects within it.
fn keep(told: &mut Map<String, Value>, name: &str, value: &Value, depth: usize) {
    let Some(kept) = plain(name, value, depth) else { return };
    told.insert(short(name), kept);
    if let Some(list) = value.as_array().filter(|list| list.len() > LISTED_MAX) {
        told.insert(format!("{}_in_all", short(name)), list.len().into());
    }
}

fn nested(object: &Map<String, Value>, depth: usize) -> Map<String, Value> {
    let mut told = Map::new();
    for (name, value) in object.iter().take(LISTED_MAX) {
        keep(&mut told, name, value, depth.saturating_sub(1));
    }
    told
}

/// The value, or the beginning of its text.
fn bounded(value: Value) -> Value {
    let mut text = value.to_string();
    if text.len() <= FILTERS_BYTES_MAX {
        return value;
    }
    text.truncate(text.floor_char_boundary(FILTERS_BYTES_MAX));
    text.push('…');
    text.into()
}

/// A number, a switch, a short text, or a list of these; with `depth` what is within each other too.
fn plain(name: &str, value: &Value, depth: usize) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) if matches!(name, "url" | "return_url" | "external_urls") => {
            Some(short(without_query(text)).into())
        }
        Value::String(text) if name == LOGO && !text.is_empty() => {
            Some(format!("an image of {} characters", text.len()).into())
        }
        Value::String(text) => Some(short(text).into()),
        Value::Array(list) => {
            let told = list.iter().filter(|it| depth > 0 || !it.is_array() && !it.is_object());
            let told = told.take(LISTED_MAX).filter_map(|it| plain(name, it, depth.saturating_sub(1)));
            Some(Value::Array(told.collect()))
        }
        Value::Object(object) if depth > 0 => Some(Value::Object(nested(object, depth))),
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
    use crate::endpoint::{Content, Endpoint};

    #[test]
    fn what_an_operation_does_not_have_is_not_said_to_have_been_done() {
        let members = ["customer_id", "file_ids", "full", "secret"].map(str::to_owned).to_vec();
        let operation =
            Operation { name: "POST /x".to_owned(), is_change: true, acts_for_customer: true, members };
        let read = |body: &str| {
            let mut reader = serde_json::Deserializer::from_str(body);
            (Understood { operation: &operation }).deserialize(&mut reader).ok().map(Value::Object)
        };
        let long = "x".repeat(1_000_000);
        let body = format!(
            r#"{{"customer_id":"ada","approve":true,"customer_ids":["eve"],"secret":1,"x":"{long}","full":true}}"#
        );
        assert_eq!(read(&body), Some(json!({ "customer_id": "ada", "full": true })));
        assert_eq!(read("[1]"), None);
        assert_eq!(read(r#"[{"full":true,"x":1}]"#), Some(json!({ "list": [{ "full": true }] })));
    }

    /// Members of bodies that change something, and are told by no name: secrets, contents, and what is told otherwise or
    /// says nothing of what was done.
    const NOT_TOLD: [&str; 10] = [
        "chunks_and_embeddings",
        "configuration_key_name",
        "data_source_configs",
        // All of these are told as `selection`.
        "attachments",
        "brand_ids",
        "category_ids",
        "labels",
        "locales",
        "public_only",
        "section_ids",
    ];

    #[test]
    fn what_a_body_may_hold_is_told_or_there_is_a_reason() {
        let mut forgotten = Vec::new();
        for endpoint in crate::routes::endpoints().into_iter().filter(Endpoint::is_change) {
            let members = endpoint.takes.as_ref().map(Content::members).unwrap_or_default();
            let is_told = |name: &str| {
                TOLD.contains(&name) || [CUSTOMER, CUSTOMERS].contains(&name) || NOT_TOLD.contains(&name)
            };
            forgotten.extend(
                members
                    .into_iter()
                    .filter(|name| !is_told(name))
                    .map(|name| format!("{}: {name}", endpoint.operation())),
            );
        }
        assert_eq!(forgotten, Vec::<String>::new());
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
        let client =
            json!({ "client_id": "c", "client_secret": "hidden", "redirect_uri": "https://a.example/" });
        let within =
            json!({ "credentials": client, "global_user_config": { "max_files": 3, "x": "hidden" } });
        let list = json!({ "list": [within.clone()] });
        let shown = json!({ "credentials": { "client_id": "c", "redirect_uri": "https://a.example/" },
            "global_user_config": { "max_files": 3 } });
        assert_eq!(Value::Object(super::kept(within.as_object().unwrap())), shown);
        assert_eq!(Value::Object(super::kept(list.as_object().unwrap())), json!({ "list": [shown] }));
        let long = json!({ "ids": vec![1; 500], "name": "x".repeat(5_000) });
        let kept = super::kept(long.as_object().unwrap());
        assert_eq!(kept["ids"].as_array().unwrap().len(), LISTED_MAX);
        assert_eq!(kept["ids_in_all"], 500);
        assert_eq!(kept["name"].as_str().unwrap().len(), CHARS_MAX);
    }

    #[test]
    fn filters_are_told_as_they_are_and_within_bounds() {
        let told = |filters: Value| kept(json!({ FILTERS: filters }).as_object().unwrap())[FILTERS].clone();
        let filters = json!({
            "ids": [1, 2], "name": "a\u{1b}b", "external_urls": ["https://acme.example/x?token=hidden"], "root_files_only": true,
            "tags_v2": { "OR": [{ "AND": [{ "key": "team", "value": ["a", "b"] }, { "key": "x", "value": 1 }] }] },
        });
        let mut shown = filters.clone();
        (shown["name"], shown["external_urls"]) = (json!("ab"), json!(["https://acme.example/x"]));
        assert_eq!(told(filters), shown);
        let many = told(json!({ "ids": vec![7; 400] }));
        assert_eq!((many["ids"].as_array().unwrap().len(), &many["ids_in_all"]), (LISTED_MAX, &json!(400)));
        let long = told(json!({ "upload_ids": vec!["ü".repeat(5_000); 400] }));
        let long = long.as_str().unwrap();
        assert!(long.starts_with("{\"upload_ids\":[\"ü") && long.ends_with('…'), "{long}");
        assert!(long.len() <= FILTERS_BYTES_MAX + '…'.len_utf8());
        let deep = (0..100).fold(json!(1), |within, _| json!({ "AND": [within] }));
        assert!(told(json!({ "tags_v2": deep })).to_string().len() < 200);
        // Elsewhere an object is not told.
        assert!(kept(json!({ "name": { "a": 1 }, "ids": [[1]] }).as_object().unwrap()).get("name").is_none());
    }
}
