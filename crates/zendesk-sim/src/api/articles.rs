//! Lists of articles.

use super::list::{Key, page};
use super::{Caller, wire};
use crate::account::State;
use crate::content::{Article, Translation};
use crate::http::{Answer, Request};

/// Which articles are listed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Within {
    All,
    Section(i64),
    Category(i64),
}

pub(super) fn list(
    state: &State,
    request: &Request,
    caller: Caller,
    locale: Option<&str>,
    within: Within,
) -> Answer {
    let center = &state.center;
    let known = match within {
        Within::All => true,
        Within::Section(id) => center.sections.contains_key(&id),
        Within::Category(id) => center.categories.contains_key(&id),
    };
    if !known {
        return Answer::no_record();
    }
    let inside = |article: &Article| match within {
        Within::All => true,
        Within::Section(id) => article.section_id == id,
        Within::Category(id) => {
            center.sections.get(&article.section_id).is_some_and(|it| it.category_id == id)
        }
    };
    let labels: Option<Vec<&str>> =
        request.query.get("label_names").map(|text| text.split(',').map(str::trim).collect());
    let labelled = |article: &Article| {
        labels
            .as_ref()
            .is_none_or(|labels| article.label_names.iter().any(|it| labels.contains(&it.as_str())))
    };
    let asked = request.query.get("sort_by").filter(|_| !state.settings.sort_by_ignored);
    let sort_by = asked.unwrap_or("position");
    let descending = request.query.get("sort_order") == Some("desc");
    let records: Vec<(Key, (&Article, &Translation))> = center
        .articles
        .values()
        .filter(|article| inside(article) && labelled(article) && center.visible(article, caller.viewer))
        .filter_map(|article| {
            let shown = wire::shown(article, caller, locale)?;
            Some((key(article, shown, sort_by), (article, shown)))
        })
        .collect();
    let cut = match page(request, records, sort_by, descending, state.settings.links_next_on_last_page) {
        Ok(cut) => cut,
        Err(answer) => return answer,
    };
    let translations = request.query.lists("include", "translations").then_some(caller);
    let articles = cut
        .items
        .into_iter()
        .map(|(article, shown)| wire::article(state, &request.base, article, shown, translations))
        .collect();
    Answer::of(200, &wire::article_list(state, request, articles, cut.envelope))
}

fn key(article: &Article, shown: &Translation, sort_by: &str) -> Key {
    let number = |first: i64| Key(first, 0, String::new(), article.id);
    match sort_by {
        "created_at" => number(article.created_at),
        "updated_at" => Key(article.updated_at, article.created_at, String::new(), article.id),
        "edited_at" => number(shown.edited_at),
        "title" => Key(0, 0, shown.title.to_lowercase(), article.id),
        // Newest first within one position.
        _ => Key(article.position, -article.created_at, String::new(), article.id),
    }
}
