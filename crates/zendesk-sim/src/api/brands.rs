//! The account's brands.

use serde_json::{Value, json};

use super::list::{Key, page};
use crate::account::State;
use crate::http::{Answer, Request};

/// Each with its id; the account's own is the default.
fn all(state: &State, request: &Request) -> Vec<(i64, Value)> {
    let root = request.base.rsplit_once('/').map_or("", |(root, _subdomain)| root);
    let brands = state.brands.iter().enumerate();
    brands.map(|(at, brand)| (brand.id, brand.shown(at == 0, root))).collect()
}

pub(super) fn list(state: &State, request: &Request) -> Answer {
    let brands = all(state, request).into_iter();
    let records = brands.map(|(id, brand)| (Key(0, 0, String::new(), id), brand)).collect();
    match page(request, records, "id", false, false) {
        Ok(cut) => {
            let mut envelope = cut.envelope;
            envelope.insert("brands".to_owned(), cut.items.into());
            Answer::json(200, Value::Object(envelope))
        }
        Err(answer) => answer,
    }
}

pub(super) fn one(state: &State, request: &Request, id: &str) -> Answer {
    let found = all(state, request).into_iter().find(|(known, _)| id.parse() == Ok(*known));
    found.map_or_else(Answer::no_record, |(_, brand)| Answer::json(200, json!({ "brand": brand })))
}
