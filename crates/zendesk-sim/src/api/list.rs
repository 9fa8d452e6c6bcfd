//! Pages, by number or by cursor, over any sorted records.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::http::{Answer, Request};

/// Records of a page when the request does not say.
const PAGE_SIZE_DEFAULT: i64 = 30;
/// The longest page.
const PAGE_SIZE_MAX: i64 = 100;
/// Offset pages end here, whatever their size.
const OFFSET_PAGES_MAX: i64 = 100;

/// What records are sorted by: two numbers, a text, and the id, which makes it unique.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key(pub(super) i64, pub(super) i64, pub(super) String, pub(super) i64);

/// One page, and the members that say where it lies.
pub(super) struct Page<T> {
    pub(super) items: Vec<T>,
    pub(super) envelope: Map<String, Value>,
}

/// Sorts and cuts. `name` and `descending` are the order as the answer says it.
pub(super) fn page<T>(
    request: &Request,
    mut records: Vec<(Key, T)>,
    name: &str,
    descending: bool,
    keep_last_link: bool,
) -> Result<Page<T>, Answer> {
    let order = |a: &Key, b: &Key| if descending { b.cmp(a) } else { a.cmp(b) };
    records.sort_by(|(a, _), (b, _)| order(a, b));
    if request.query.get("page[size]").is_some() {
        by_cursor(request, records, order, keep_last_link)
    } else {
        by_number(request, records, name, descending)
    }
}

fn by_number<T>(
    request: &Request,
    records: Vec<(Key, T)>,
    name: &str,
    descending: bool,
) -> Result<Page<T>, Answer> {
    let page = request.query.number("page").unwrap_or(1).max(1);
    let per_page = request.query.number("per_page").unwrap_or(PAGE_SIZE_DEFAULT).clamp(1, PAGE_SIZE_MAX);
    if page > OFFSET_PAGES_MAX {
        let error = json!({
            "code": "InvalidPaginationDepth",
            "title": "Pagination depth exceeded",
            "detail": "Use cursor pagination to go beyond 100 pages or 10,000 records",
        });
        return Err(Answer::json(400, json!({ "errors": [error] })));
    }
    let count = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let pages = (count + per_page - 1) / per_page;
    let link = |number: i64| {
        let (number, size) = (number.to_string(), per_page.to_string());
        request.link(&request.query.with(&[("page", &number), ("per_page", &size)]))
    };
    let mut envelope = Map::new();
    for (key, value) in [
        ("count", json!(count)),
        ("next_page", if page < pages { json!(link(page + 1)) } else { Value::Null }),
        ("page", json!(page)),
        ("page_count", json!(pages)),
        ("per_page", json!(per_page)),
        ("previous_page", if page > 1 { json!(link(page - 1)) } else { Value::Null }),
        ("sort_by", json!(name)),
        ("sort_order", json!(if descending { "desc" } else { "asc" })),
    ] {
        envelope.insert(key.to_owned(), value);
    }
    let (skip, take) =
        (usize::try_from((page - 1) * per_page).unwrap_or(0), usize::try_from(per_page).unwrap_or(0));
    let items = records.into_iter().skip(skip).take(take).map(|(_, item)| item).collect();
    Ok(Page { items, envelope })
}

fn by_cursor<T>(
    request: &Request,
    records: Vec<(Key, T)>,
    order: impl Fn(&Key, &Key) -> Ordering,
    keep_last_link: bool,
) -> Result<Page<T>, Answer> {
    let size = request.query.number("page[size]").unwrap_or(PAGE_SIZE_DEFAULT).clamp(1, PAGE_SIZE_MAX);
    let size = usize::try_from(size).unwrap_or(1);
    let after = match request.query.get("page[after]") {
        None => None,
        Some(text) => Some(decode(text).ok_or_else(|| {
            let error = json!({ "code": "InvalidCursor", "title": "page[after] is not valid" });
            Answer::json(400, json!({ "errors": [error] }))
        })?),
    };
    let start =
        after.map_or(0, |after| records.partition_point(|(key, _)| order(key, &after) != Ordering::Greater));
    let has_more = records.len() > start + size;
    let cut: Vec<(Key, T)> = records.into_iter().skip(start).take(size).collect();
    let cursors = cut.first().zip(cut.last()).map(|(first, last)| (encode(&first.0), encode(&last.0)));
    let (before_cursor, after_cursor) = cursors.unzip();
    let size = size.to_string();
    let link = |set: &[(&str, &str)]| request.link(&request.query.with(set));
    let first = {
        let kept: Vec<_> = request.query.pairs().iter().filter(|(key, _)| key != "page[after]").collect();
        let mut out = url::form_urlencoded::Serializer::new(String::new());
        out.extend_pairs(kept);
        request.link(&out.finish())
    };
    let mut links =
        json!({ "first": first, "last": link(&[("page[before]", "bGFzdF9wYWdl"), ("page[size]", &size)]) });
    if let Some(after) = after_cursor.as_deref().filter(|_| has_more || keep_last_link) {
        links["next"] = json!(link(&[("page[after]", after), ("page[size]", &size)]));
    }
    let mut envelope = Map::new();
    let meta = json!({ "has_more": has_more, "after_cursor": after_cursor, "before_cursor": before_cursor });
    envelope.insert("meta".to_owned(), meta);
    envelope.insert("links".to_owned(), links);
    Ok(Page { items: cut.into_iter().map(|(_, item)| item).collect(), envelope })
}

/// Opaque by contract.
fn encode(key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn decode(text: &str) -> Option<Key> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
