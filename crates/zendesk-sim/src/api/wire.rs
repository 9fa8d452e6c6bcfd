//! Records as Zendesk writes them. Borrowed, so that a page of a thousand bodies is written without copying them.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Caller;
use crate::account::State;
use crate::clock::iso;
use crate::content::{Article, Category, Section, Translation};

/// The members of `nango/get-article.json`, and translations when asked for.
#[derive(Debug, Serialize)]
pub(super) struct ArticleWire<'a> {
    pub(super) id: i64,
    url: String,
    html_url: String,
    author_id: i64,
    comments_disabled: bool,
    draft: bool,
    promoted: bool,
    position: i64,
    vote_sum: i64,
    vote_count: i64,
    pub(super) section_id: i64,
    created_at: String,
    updated_at: String,
    name: &'a str,
    title: &'a str,
    source_locale: &'a str,
    locale: &'a str,
    outdated: bool,
    outdated_locales: [&'static str; 0],
    edited_at: String,
    user_segment_id: Option<i64>,
    permission_group_id: i64,
    content_tag_ids: &'a [String],
    label_names: &'a [String],
    body: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    translations: Option<Vec<TranslationWire<'a>>>,
}

#[derive(Debug, Serialize)]
pub(super) struct TranslationWire<'a> {
    id: i64,
    url: String,
    html_url: String,
    source_id: i64,
    source_type: &'static str,
    locale: &'a str,
    title: &'a str,
    body: &'a str,
    outdated: bool,
    draft: bool,
    hidden: bool,
    created_at: String,
    updated_at: String,
}

/// What a caller sees of translations: staff all of them, others what is published.
pub(super) fn seen(article: &Article, caller: Caller) -> impl Iterator<Item = &Translation> {
    let staff = caller.viewer.is_some_and(|viewer| viewer.role.is_staff());
    article.translations.iter().filter(move |translation| staff || !translation.draft)
}

/// The translation an article is shown in: the asked locale's, else the source's, else (a guess: Zendesk wants a locale
/// of end users) the first that may be seen.
pub(super) fn shown<'a>(
    article: &'a Article,
    caller: Caller,
    locale: Option<&str>,
) -> Option<&'a Translation> {
    let wanted = locale.unwrap_or(&article.source_locale);
    let mut all = seen(article, caller);
    match (all.by_ref().find(|translation| translation.locale == wanted), locale) {
        (Some(found), _) => Some(found),
        (None, Some(_)) => None,
        (None, None) => seen(article, caller).next(),
    }
}

pub(super) fn article<'a>(
    state: &'a State,
    base: &str,
    article: &'a Article,
    shown: &'a Translation,
    translations: Option<Caller>,
) -> ArticleWire<'a> {
    let (id, locale) = (article.id, shown.locale.as_str());
    ArticleWire {
        id,
        url: format!("{base}/api/v2/help_center/{locale}/articles/{id}.json"),
        html_url: format!("{base}/hc/{locale}/articles/{id}-{}", slug(&shown.title)),
        author_id: article.author_id,
        comments_disabled: false,
        draft: shown.draft,
        promoted: article.promoted,
        position: article.position,
        vote_sum: article.vote_sum,
        vote_count: article.vote_count,
        section_id: article.section_id,
        created_at: iso(article.created_at),
        updated_at: iso(article.updated_at),
        name: &shown.title,
        title: &shown.title,
        source_locale: &article.source_locale,
        locale,
        outdated: false,
        outdated_locales: [],
        edited_at: iso(shown.edited_at),
        user_segment_id: article.user_segment_id,
        permission_group_id: state.center.permission_group_id,
        content_tag_ids: &article.content_tag_ids,
        label_names: &article.label_names,
        body: &shown.body,
        translations: translations
            .map(|caller| seen(article, caller).map(|each| translation(base, article, each)).collect()),
    }
}

pub(super) fn translation<'a>(
    base: &str,
    article: &Article,
    translation: &'a Translation,
) -> TranslationWire<'a> {
    let (id, locale) = (article.id, translation.locale.as_str());
    TranslationWire {
        id: translation.id,
        url: format!("{base}/api/v2/help_center/articles/{id}/translations/{locale}.json"),
        html_url: format!("{base}/hc/{locale}/articles/{id}"),
        source_id: id,
        source_type: "Article",
        locale,
        title: &translation.title,
        body: &translation.body,
        outdated: false,
        draft: translation.draft,
        hidden: false,
        created_at: iso(translation.created_at),
        updated_at: iso(translation.updated_at),
    }
}

#[derive(Debug, Serialize)]
pub(super) struct SectionWire<'a> {
    id: i64,
    url: String,
    html_url: String,
    category_id: i64,
    position: i64,
    sorting: &'static str,
    created_at: String,
    updated_at: String,
    name: &'a str,
    description: Option<&'a str>,
    locale: &'a str,
    source_locale: &'a str,
    outdated: bool,
    parent_section_id: Option<i64>,
    theme_template: &'static str,
}

pub(super) fn section<'a>(state: &'a State, base: &str, section: &'a Section) -> SectionWire<'a> {
    let (id, locale) = (section.id, state.center.default_locale());
    SectionWire {
        id,
        url: format!("{base}/api/v2/help_center/{locale}/sections/{id}.json"),
        html_url: format!("{base}/hc/{locale}/sections/{id}-{}", slug(&section.name)),
        category_id: section.category_id,
        position: section.position,
        sorting: "manual",
        created_at: iso(section.created_at),
        updated_at: iso(section.updated_at),
        name: &section.name,
        description: section.description.as_deref(),
        locale,
        source_locale: locale,
        outdated: false,
        parent_section_id: section.parent_section_id,
        theme_template: "section_page",
    }
}

#[derive(Debug, Serialize)]
pub(super) struct CategoryWire<'a> {
    id: i64,
    url: String,
    html_url: String,
    position: i64,
    created_at: String,
    updated_at: String,
    name: &'a str,
    description: &'a str,
    locale: &'a str,
    source_locale: &'a str,
    outdated: bool,
}

pub(super) fn category<'a>(state: &'a State, base: &str, category: &'a Category) -> CategoryWire<'a> {
    let (id, locale) = (category.id, state.center.default_locale());
    CategoryWire {
        id,
        url: format!("{base}/api/v2/help_center/{locale}/categories/{id}.json"),
        html_url: format!("{base}/hc/{locale}/categories/{id}-{}", slug(&category.name)),
        position: category.position,
        created_at: iso(category.created_at),
        updated_at: iso(category.updated_at),
        name: &category.name,
        description: &category.description,
        locale,
        source_locale: locale,
        outdated: false,
    }
}

/// A list with its sideloads.
#[derive(Debug, Serialize)]
pub(super) struct ArticleList<'a> {
    pub(super) articles: Vec<ArticleWire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sections: Option<Vec<SectionWire<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) categories: Option<Vec<CategoryWire<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) users: Option<Vec<Value>>,
    #[serde(flatten)]
    pub(super) envelope: Map<String, Value>,
}

/// The list with the sections and categories of its articles, as `include` asks.
pub(super) fn article_list<'a>(
    state: &'a State,
    request: &crate::http::Request,
    articles: Vec<ArticleWire<'a>>,
    envelope: Map<String, Value>,
) -> ArticleList<'a> {
    let asks = |word: &str| request.query.lists("include", word);
    let mut ids: Vec<i64> = articles.iter().map(|article| article.section_id).collect();
    ids.sort_unstable();
    ids.dedup();
    // Those that hold articles of this page, and not those above them.
    let sections: Vec<&Section> = ids.iter().filter_map(|id| state.center.sections.get(id)).collect();
    let mut categories: Vec<i64> = sections.iter().map(|section| section.category_id).collect();
    categories.sort_unstable();
    categories.dedup();
    let categories = categories.iter().filter_map(|id| state.center.categories.get(id));
    let wrote = |id: i64| articles.iter().any(|article| article.author_id == id);
    let users = asks("users").then(|| {
        let authors = state.users.iter().filter(|user| wrote(user.id));
        authors.map(|user| json!({ "id": user.id, "name": user.name, "email": user.email, "role": user.role.wire_name() })).collect()
    });
    ArticleList {
        users,
        sections: asks("sections")
            .then(|| sections.into_iter().map(|it| section(state, &request.base, it)).collect()),
        categories: asks("categories")
            .then(|| categories.map(|it| category(state, &request.base, it)).collect()),
        articles,
        envelope,
    }
}

fn slug(title: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    let dashed = title.chars().map(|c| if c.is_alphanumeric() { c } else { '-' });
    dashed.take(CHARACTERS_MAX).collect()
}
