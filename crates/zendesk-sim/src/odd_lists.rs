//! Lists that lead elsewhere than to their end.

use serde_json::{Value, json};

use crate::account::State;
use crate::api;
use crate::http::{Answer, Request};
use crate::traffic::Fault;

/// The cursor that leads to the first page again.
const AGAIN: &str = "again";

/// The answer as the fault has it lead on.
pub(crate) fn led_astray(state: &mut State, answer: Answer, request: &Request, fault: &Fault) -> Answer {
    match fault {
        Fault::EndlessList => endless(answer, request),
        Fault::CircularList => circular(state, answer, request),
        Fault::NeverNull => never_null(state, answer, request),
        Fault::RepeatArticles { count } => repeated(state, answer, request, *count),
        _ => answer,
    }
}

/// Two pages by cursor that lead to each other.
fn circular(state: &mut State, answer: Answer, request: &Request) -> Answer {
    let Some(after) = request.query.get("page[after]") else { return answer };
    if after == AGAIN {
        let mut first = request.clone();
        first.query.take("page[after]");
        return api::answer(state, &first);
    }
    changed(answer, |page| page["meta"] = json!({ "has_more": true, "after_cursor": AGAIN }))
}

/// The export's last page names the present as the next one's start, or what follows the start that was asked for.
fn never_null(state: &State, answer: Answer, request: &Request) -> Answer {
    let start = request.query.number("start_time").unwrap_or(0);
    let next = (state.clock.now_ms() / 1_000).max(start + 1);
    let next_page = request.link(&format!("start_time={next}"));
    changed(answer, |page| {
        if page["next_page"].is_null() {
            page["next_page"] = json!(next_page);
        }
    })
}

fn changed(answer: Answer, change: impl FnOnce(&mut Value)) -> Answer {
    let Ok(mut page) = serde_json::from_slice::<Value>(&answer.body) else { return answer };
    change(&mut page);
    Answer { body: page.to_string().into_bytes(), ..answer }
}

/// An empty page that leads on, by cursor or by time as it was asked for.
fn endless(answer: Answer, request: &Request) -> Answer {
    let page = if let Some(start) = request.query.number("start_time") {
        let next_page = request.link(&format!("start_time={}", start + 1));
        json!({ "articles": [], "count": 0, "end_time": start + 1, "next_page": next_page })
    } else if request.query.get("page[size]").is_some() {
        let after_cursor = format!("{}x", request.query.get("page[after]").unwrap_or_default());
        json!({ "articles": [], "meta": { "has_more": true, "after_cursor": after_cursor } })
    } else {
        return answer;
    };
    Answer { status: 200, body: page.to_string().into_bytes(), ..answer }
}

/// A page whose first articles are those of the list's first page.
fn repeated(state: &mut State, answer: Answer, request: &Request, count: usize) -> Answer {
    let mut first = request.clone();
    let by_cursor = first.query.take("page[after]");
    let by_number = first.query.take("page").is_some_and(|page| page != "1");
    if by_cursor.is_none() && !by_number {
        return answer;
    }
    let first = api::answer(state, &first);
    let (Ok(first), Ok(mut page)) =
        (serde_json::from_slice::<Value>(&first.body), serde_json::from_slice::<Value>(&answer.body))
    else {
        return answer;
    };
    let first = first["articles"].as_array().into_iter().flatten().take(count);
    for (place, article) in page["articles"].as_array_mut().into_iter().flatten().zip(first) {
        place.clone_from(article);
    }
    Answer { body: page.to_string().into_bytes(), ..answer }
}
