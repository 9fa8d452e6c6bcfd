//! Everything that is no article.

use serde_json::{Value, json};

use super::list::{Key, page};
use super::wire;
use crate::account::State;
use crate::clock::iso;
use crate::content::{Audience, Viewer};
use crate::http::{Answer, Request};

pub(super) fn sections(state: &State, request: &Request, category: Option<i64>) -> Answer {
    let all = state.center.sections.values().filter(|it| category.is_none_or(|id| it.category_id == id));
    let records = all.map(|it| (Key(it.position, -it.created_at, String::new(), it.id), it)).collect();
    let sort_by = request.query.get("sort_by").unwrap_or("position");
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
    let records = all.map(|it| (Key(it.position, -it.created_at, String::new(), it.id), it)).collect();
    let sort_by = request.query.get("sort_by").unwrap_or("position");
    match page(request, records, sort_by, request.query.get("sort_order") == Some("desc"), false) {
        Ok(cut) => {
            let items: Vec<_> =
                cut.items.into_iter().map(|it| wire::category(state, &request.base, it)).collect();
            listed("categories", &items, cut.envelope)
        }
        Err(answer) => answer,
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

pub(super) fn labels(state: &State) -> Answer {
    let labels: Vec<Value> = state.center.labels().into_iter().map(|name| json!({ "name": name })).collect();
    Answer::json(200, json!({ "count": labels.len(), "labels": labels, "next_page": null }))
}

pub(super) fn segments(state: &State, request: &Request) -> Answer {
    let all: Vec<Value> = state
        .center
        .segments
        .iter()
        .map(|segment| {
            json!({
                "id": segment.id,
                "name": segment.name,
                "user_type": if segment.audience == Audience::Staff { "staff" } else { "signed_in_users" },
                "built_in": segment.audience != Audience::NobodyHere,
                "tags": if segment.audience == Audience::NobodyHere { vec!["early_access"] } else { Vec::new() },
                "or_tags": [],
                "group_ids": [],
                "organization_ids": [],
                "added_user_ids": [],
                "created_at": iso(segment.created_at),
                "updated_at": iso(segment.created_at),
                "url": format!("{}/api/v2/help_center/user_segments/{}.json", request.base, segment.id),
            })
        })
        .collect();
    Answer::json(200, json!({ "count": all.len(), "user_segments": all, "next_page": null }))
}

pub(super) fn guide(state: &State, rest: &[&str]) -> Answer {
    match rest {
        ["permission_groups"] => {
            let group = json!({ "id": state.center.permission_group_id, "name": "Agents and admins", "built_in": true,
                "edit": [], "publish": [] });
            Answer::json(200, json!({ "permission_groups": [group], "count": 1, "next_page": null }))
        }
        ["content_tags"] => {
            let records: Vec<Value> = state
                .center
                .content_tags
                .iter()
                .map(|tag| json!({ "id": tag.id, "name": tag.name, "created_at": iso(tag.created_at), "updated_at": iso(tag.created_at) }))
                .collect();
            Answer::json(200, json!({ "records": records, "meta": { "has_more": false }, "links": {} }))
        }
        _ => Answer::no_endpoint(),
    }
}

pub(super) fn me(state: &State, viewer: Viewer) -> Answer {
    let Some(user) = state.users.iter().find(|user| user.id == viewer.user_id) else {
        return super::anonymous();
    };
    let user = json!({ "id": user.id, "name": user.name, "email": user.email, "role": user.role.wire_name(),
        "verified": true, "active": true, "suspended": false, "locale": state.center.default_locale(), "time_zone": "UTC" });
    Answer::json(200, json!({ "user": user }))
}

/// `/api/v2/oauth/tokens/{current | id}`.
pub(super) fn token(state: &mut State, request: &Request, id: &str) -> Answer {
    let now = state.clock.now();
    let Some(bearer) = &request.bearer else { return Answer::bad_token() };
    let Some(token) = state.oauth.bearer(bearer, now).cloned() else { return Answer::bad_token() };
    if id != "current" && id.parse() != Ok(token.id) {
        return Answer::no_record();
    }
    match request.method.as_str() {
        "DELETE" => {
            state.oauth.revoke(bearer);
            Answer::empty(204)
        }
        "GET" => {
            let shown = json!({
                "id": token.id,
                "url": format!("{}/api/v2/oauth/tokens/{}.json", request.base, token.id),
                "client_id": token.id,
                "user_id": token.user_id,
                "scopes": token.scopes,
                "token": token.access.chars().take(10).collect::<String>(),
                "refresh_token": token.refresh.as_ref().map(|text| text.chars().take(10).collect::<String>()),
                "created_at": iso(token.created_at),
                "used_at": token.used_at.map(iso),
                "expires_at": token.expires_at.map(iso),
                "refresh_token_expires_at": token.refresh_expires_at.map(iso),
            });
            Answer::json(200, json!({ "token": shown }))
        }
        _ => Answer::no_endpoint(),
    }
}

pub(super) fn attachments(state: &State, base: &str, article: i64, inline: Option<bool>) -> Answer {
    let all: Vec<Value> = state
        .center
        .attachments
        .values()
        .filter(|it| it.article_id == article && inline.is_none_or(|inline| it.inline == inline))
        .map(|it| {
            json!({
                "id": it.id,
                "url": format!("{base}/api/v2/help_center/articles/attachments/{}.json", it.id),
                "article_id": it.article_id,
                "file_name": it.file_name,
                "display_file_name": it.file_name,
                "content_url": format!("{base}/hc/article_attachments/{}", it.id),
                "relative_path": format!("/hc/article_attachments/{}", it.id),
                "content_type": it.content_type,
                "size": it.bytes.len(),
                "inline": it.inline,
                "created_at": iso(it.created_at),
                "updated_at": iso(it.created_at),
            })
        })
        .collect();
    Answer::json(200, json!({ "article_attachments": all, "count": all.len(), "next_page": null }))
}

pub(super) fn attachment_bytes(state: &State, id: &str) -> Answer {
    let found = id.parse().ok().and_then(|id: i64| state.center.attachments.get(&id));
    found.map_or_else(Answer::no_record, |it| Answer::bytes(it.content_type, it.bytes.clone()))
}
