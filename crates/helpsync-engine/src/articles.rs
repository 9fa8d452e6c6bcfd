//! From Zendesk's article to the form that is stored.

use std::collections::HashMap;

use helpsync_content::{CONVERTER_VERSION, Limits, content_hash, convert, external_url};
use helpsync_model::chain;
use helpsync_store::{IncomingArticle, IncomingTranslation, ItemKind, NewItem, SkippedArticle};
use helpsync_zendesk::{Article, Category, Rejected, Section, UnreadTranslation};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Describes an article without converting its texts: enough to tell whether its copy is right.
pub(crate) fn described(article: &Article) -> IncomingArticle {
    let translations = article.published().into_iter().map(|translation| IncomingTranslation {
        hash: content_hash(translation.title, translation.body),
        external_url: external_url(translation.html_url),
        source_updated_at: translation.updated_at.unwrap_or(article.updated_at).as_millisecond(),
        locale: translation.locale.to_owned(),
        title: without_nul(translation.title.to_owned()),
        html: String::new(),
        markdown: String::new(),
        plain: String::new(),
    });
    let translations = translations.collect::<Vec<_>>();
    let metadata = json!({
        "position": article.position,
        "promoted": article.promoted,
        "permission_group_id": article.permission_group_id,
        "content_tag_ids": article.content_tag_ids,
        "edited_at": article.edited_at,
    });
    let urls: Vec<_> = translations.iter().map(|translation| &translation.external_url).collect();
    let segments = article.segments();
    let mut said = json!([
        article.section_id,
        article.author_id,
        article.user_segment_id,
        article.label_names,
        metadata,
        urls,
    ]);
    // Only where there are several: the hash of everything that was stored before must not move.
    if segments.len() > 1
        && let Some(said) = said.as_array_mut()
    {
        said.push(json!(segments));
    }
    IncomingArticle {
        article_id: article.id,
        created_at: article.created_at.as_millisecond(),
        updated_at: article.updated_at.as_millisecond(),
        source_locale: article.source_locale.clone(),
        section_id: article.section_id,
        author_id: article.author_id,
        user_segment_id: segments.first().copied(),
        user_segment_ids: segments,
        labels: article.label_names.clone(),
        metadata,
        metadata_hash: hex::encode(Sha256::digest(said.to_string())),
        converter: CONVERTER_VERSION.into(),
        unconverted: true,
        translations,
        kept_locales: article.unread.iter().filter_map(|one| one.locale.clone()).collect(),
        keeps_others: article.unread.iter().any(|one| one.locale.is_none()),
    }
}

/// What converting an article came to.
pub(crate) enum Converted {
    /// It is to be stored. Texts of it that could not be converted are left out, with the reason.
    Article(Box<IncomingArticle>, Vec<SkippedArticle>),
    /// None of its texts could be converted.
    Skipped(SkippedArticle),
}

/// Converts what [`described`] an article. Pure CPU, some milliseconds per hundred kilobytes: call it off the runtime's
/// threads.
pub(crate) fn converted(mut article: Article, mut described: IncomingArticle, limits: &Limits) -> Converted {
    let mut bad = Vec::new();
    let texts = std::mem::take(&mut described.translations);
    for (translation, mut to) in article.published().into_iter().zip(texts) {
        match convert(translation.body, Some(translation.html_url), limits) {
            Ok(converted) => {
                to.markdown = without_nul(converted.markdown);
                to.plain = without_nul(converted.text);
                described.translations.push(to);
            }
            Err(error) => {
                bad.push(skipped_text(&article, format!("{}: {}", translation.locale, chain(&error))));
                described.kept_locales.push(translation.locale.to_owned());
            }
        }
    }
    for text in &mut described.translations {
        text.html = without_nul(article.take_body(&text.locale));
    }
    described.unconverted = false;
    match bad.pop() {
        Some(reason) if described.translations.is_empty() => Converted::Skipped(reason),
        last => {
            bad.extend(last);
            Converted::Article(Box::new(described), bad)
        }
    }
}

fn skipped_text(article: &Article, reason: String) -> SkippedArticle {
    SkippedArticle {
        article_id: Some(article.id),
        reason,
        created_at: Some(article.created_at.as_millisecond()),
        section_id: article.section_id,
    }
}

/// The reasons why texts of an article could not be read.
pub(crate) fn unread_texts(article: &Article) -> Vec<SkippedArticle> {
    let reason = |one: &UnreadTranslation| match &one.locale {
        Some(locale) => format!("translation {locale}: {}", one.reason),
        None => one.reason.clone(),
    };
    article.unread.iter().map(|one| skipped_text(article, reason(one))).collect()
}

/// Postgres stores no NUL in text; HTML has no meaning for it either.
fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

pub(crate) fn skipped(rejected: Rejected) -> SkippedArticle {
    SkippedArticle {
        article_id: rejected.id,
        reason: rejected.reason,
        created_at: rejected.created_at.map(helpsync_model::Timestamp::as_millisecond),
        section_id: rejected.section_id,
    }
}

pub(crate) fn items(sections: &[Section], categories: &[Category]) -> Vec<NewItem> {
    let categories = categories.iter().map(|category| NewItem {
        kind: ItemKind::Category,
        external_id: category.id,
        parent: None,
        category: None,
        name: category.name.clone(),
        external_url: external_url(&category.html_url),
    });
    let told: HashMap<i64, i64> =
        sections.iter().filter_map(|section| Some((section.id, section.category_id?))).collect();
    let above = |section: &Section| told.get(&section.parent_section_id?).copied();
    let sections = sections.iter().map(|section| NewItem {
        kind: ItemKind::Section,
        external_id: section.id,
        parent: section
            .parent_section_id
            .map(|id| (ItemKind::Section, id))
            .or(section.category_id.map(|id| (ItemKind::Category, id))),
        // A section is in the category of the one that it stands in.
        category: section.category_id.or_else(|| above(section)),
        name: section.name.clone(),
        external_url: external_url(&section.html_url),
    });
    categories.chain(sections).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_in_the_category_of_the_section_above_it_where_its_own_is_not_told() {
        let section = |id, parent_section_id, category_id| Section {
            id,
            name: String::new(),
            locale: String::new(),
            html_url: String::new(),
            parent_section_id,
            category_id,
            updated_at: None,
        };
        let sections = [section(1, None, Some(7)), section(2, Some(1), None), section(3, Some(9), None)];
        let found: Vec<_> = items(&sections, &[]).iter().map(|item| item.category).collect();
        assert_eq!(found, [Some(7), Some(7), None]);
    }
}
