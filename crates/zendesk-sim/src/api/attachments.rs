//! What hangs on articles.

use serde_json::{Value, json};

use crate::account::State;
use crate::clock::iso;
use crate::http::Answer;

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
                "relative_path": format!("/hc/article_attachments/{}/{}", it.id, it.file_name),
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
