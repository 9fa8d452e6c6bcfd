//! Sections and categories.

use serde_json::Value;

use super::list::{Key, page};
use super::wire;
use crate::account::State;
use crate::clock::Epoch;
use crate::content::{Category, Section};
use crate::http::{Answer, Request};

pub(super) fn sections(state: &State, request: &Request, category: Option<i64>) -> Answer {
    let all = state.center.sections.values().filter(|it| category.is_none_or(|id| it.category_id == id));
    let sort_by = request.query.get("sort_by").unwrap_or("position");
    let key = |it: &Section| key(sort_by, it.position, it.created_at, it.updated_at, it.id);
    let records = all.map(|it| (key(it), it)).collect();
    match page(request, records, sort_by, request.query.get("sort_order") == Some("desc"), false) {
        Ok(cut) => {
            let items: Vec<_> =
                cut.items.into_iter().map(|it| wire::section(state, &request.base, it)).collect();
            listed("sections", &items, cut.envelope)
        }
        Err(answer) => answer,
    }
}

pub(super) fn categories(state: &State, request: &Request) -> Answer {
    let all = state.center.categories.values();
    let sort_by = request.query.get("sort_by").unwrap_or("position");
    let key = |it: &Category| key(sort_by, it.position, it.created_at, it.updated_at, it.id);
    let records = all.map(|it| (key(it), it)).collect();
    match page(request, records, sort_by, request.query.get("sort_order") == Some("desc"), false) {
        Ok(cut) => {
            let items: Vec<_> =
                cut.items.into_iter().map(|it| wire::category(state, &request.base, it)).collect();
            listed("categories", &items, cut.envelope)
        }
        Err(answer) => answer,
    }
}

fn key(sort_by: &str, position: i64, created_at: Epoch, updated_at: Epoch, id: i64) -> Key {
    match sort_by {
        "created_at" => Key(created_at, 0, String::new(), id),
        "updated_at" => Key(updated_at, created_at, String::new(), id),
        _ => Key(position, -created_at, String::new(), id),
    }
}

fn listed(key: &str, items: &impl serde::Serialize, mut envelope: serde_json::Map<String, Value>) -> Answer {
    envelope.insert(key.to_owned(), serde_json::to_value(items).unwrap_or(Value::Null));
    Answer::json(200, Value::Object(envelope))
}

pub(super) fn section(state: &State, request: &Request, id: &str) -> Answer {
    let found = id.parse().ok().and_then(|id: i64| state.center.sections.get(&id));
    found.map_or_else(Answer::no_record, |it| {
        Answer::of(
            200,
            &std::collections::BTreeMap::from([("section", wire::section(state, &request.base, it))]),
        )
    })
}

pub(super) fn category(state: &State, request: &Request, id: &str) -> Answer {
    let found = id.parse().ok().and_then(|id: i64| state.center.categories.get(&id));
    found.map_or_else(Answer::no_record, |it| {
        Answer::of(
            200,
            &std::collections::BTreeMap::from([("category", wire::category(state, &request.base, it))]),
        )
    })
}
