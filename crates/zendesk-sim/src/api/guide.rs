//! Labels, user segments, permission groups and content tags.

use serde_json::{Value, json};

use crate::account::State;
use crate::clock::iso;
use crate::content::Audience;
use crate::http::{Answer, Request};

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
