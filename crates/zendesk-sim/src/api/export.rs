//! The incremental export, with its quirks.

use serde_json::{Map, Value, json};

use super::{Caller, wire};
use crate::account::State;
use crate::content::Article;
use crate::http::{Answer, Request};

pub(super) fn export(state: &State, request: &Request, caller: Caller) -> Answer {
    // End users get 404, not 403.
    if !caller.viewer.is_some_and(|viewer| viewer.role.is_staff()) {
        return Answer::no_endpoint();
    }
    let Some(start) = request.query.number("start_time") else {
        return Answer::json(
            400,
            json!({ "error": "ParameterMissing", "description": "start_time is required" }),
        );
    };
    if let Some(refusal) = state.settings.refuse_recent_start
        && start > state.clock.now() - refusal.min_age_seconds
    {
        let text =
            format!("Too recent start_time. Use a start_time older than {} seconds", refusal.min_age_seconds);
        return Answer::json(refusal.status, json!({ "error": "StartTimeTooRecent", "description": text }));
    }
    let mut changed: Vec<&Article> = state
        .center
        .articles
        .values()
        .filter(|article| article.updated_at >= start && state.center.visible(article, caller.viewer))
        .collect();
    changed.sort_by_key(|article| (article.updated_at, article.id));
    let size = state.settings.incremental_page_size.max(1);
    let has_more = changed.len() > size;
    changed.truncate(size);
    let mut envelope = Map::new();
    envelope.insert("count".to_owned(), json!(changed.len()));
    // An empty answer says 1: never a cursor.
    let end_time = changed.last().map_or(1, |article| article.updated_at);
    envelope.insert("end_time".to_owned(), json!(end_time));
    // The next page starts at the last change, not after it: with more than a page on one second it never gets on.
    let next = request.link(&request.query.with(&[("start_time", &end_time.to_string())]));
    envelope.insert("next_page".to_owned(), if has_more { json!(next) } else { Value::Null });
    let translations = request.query.lists("include", "translations").then_some(caller);
    let articles = changed
        .into_iter()
        .filter_map(|article| {
            let shown = wire::shown(article, caller, None)?;
            Some(wire::article(state, &request.base, article, shown, translations))
        })
        .collect();
    Answer::of(200, &wire::article_list(state, request, articles, envelope))
}
