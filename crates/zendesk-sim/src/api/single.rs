//! One article and what hangs on it.

use serde_json::{Value, json};

use super::{Caller, attachments, wire};
use crate::account::State;
use crate::http::{Answer, Request};

pub(super) fn article(
    state: &State,
    request: &Request,
    caller: Caller,
    locale: Option<&str>,
    id: i64,
    tail: &[&str],
) -> Answer {
    let found = state.center.articles.get(&id).filter(|article| state.center.visible(article, caller.viewer));
    let Some(article) = found else { return Answer::no_record() };
    let base = &request.base;
    match tail {
        [] => {
            let Some(shown) = wire::shown(article, caller, locale) else { return Answer::no_record() };
            let translations = request.query.lists("include", "translations").then_some(caller);
            let wire = wire::article(state, base, article, shown, translations);
            Answer::of(200, &std::collections::BTreeMap::from([("article", wire)]))
        }
        ["translations"] => {
            let all: Vec<_> =
                wire::seen(article, caller).map(|each| wire::translation(base, article, each)).collect();
            let count = all.len();
            let value = serde_json::to_value(all).unwrap_or(Value::Null);
            let body = json!({ "translations": value, "count": count, "page": 1, "page_count": 1, "per_page": 100,
                "next_page": null, "previous_page": null });
            Answer::json(200, body)
        }
        ["translations", "missing"] => {
            let missing: Vec<&String> =
                state.center.locales.iter().filter(|locale| article.translation(locale).is_none()).collect();
            Answer::json(200, json!({ "locales": missing }))
        }
        ["translations", locale] => match wire::seen(article, caller).find(|each| each.locale == *locale) {
            Some(each) => {
                let wire = wire::translation(base, article, each);
                Answer::of(200, &std::collections::BTreeMap::from([("translation", wire)]))
            }
            None => Answer::no_record(),
        },
        ["labels"] => {
            let labels: Vec<Value> = article.label_names.iter().map(|name| json!({ "name": name })).collect();
            Answer::json(
                200,
                json!({ "labels": labels, "count": article.label_names.len(), "next_page": null }),
            )
        }
        ["attachments"] => attachments::attachments(state, base, id, None),
        ["attachments", "inline"] => attachments::attachments(state, base, id, Some(true)),
        ["attachments", "block"] => attachments::attachments(state, base, id, Some(false)),
        _ => Answer::no_endpoint(),
    }
}
