//! What a correct copy of the help center must hold, computed straight from the simulator's state.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{HelpCenter, Viewer};
use crate::clock::Epoch;

/// One published article as a copy must hold it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthArticle {
    /// Article id.
    pub id: i64,
    /// Section it is in.
    pub section_id: i64,
    /// That section and those above it, nearest first.
    pub sections: Vec<i64>,
    /// Category it is in.
    pub category_id: i64,
    /// Names from the category down to the section.
    pub path: Vec<String>,
    /// Labels, in the order set.
    pub labels: Vec<String>,
    /// Segment that may read it; `None` = everyone.
    pub user_segment_id: Option<i64>,
    /// Its author.
    pub author_id: i64,
    /// Ids and names of its content tags, in the order set.
    pub content_tags: Vec<(String, String)>,
    /// Ids and bytes of what hangs on it, by id.
    pub attachments: Vec<(i64, Vec<u8>)>,
    /// Last change of content or metadata.
    pub updated_at: Epoch,
    /// The published translations only (`draft: false`), the source's first if it is among them.
    pub translations: Vec<TruthTranslation>,
}

/// One published translation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthTranslation {
    /// Locale, lower case: `en-us`.
    pub locale: String,
    /// Its title.
    pub title: String,
    /// [`content_hash`] of title and body.
    pub hash: String,
}

/// What a copy was asked to hold; an empty list is no condition.
#[derive(Debug, Clone, Default)]
pub struct TruthSelectionFilter {
    /// Articles of these, beside those of `sections`.
    pub categories: Vec<i64>,
    /// Articles of these and of all below them, beside those of `categories`.
    pub sections: Vec<i64>,
    /// Articles with one of these.
    pub labels: Vec<String>,
    /// Translations in these.
    pub locales: Vec<String>,
    /// Only what everyone may read.
    pub public_only: bool,
}

impl TruthSelectionFilter {
    /// What it leaves of a correct copy.
    pub fn of(&self, articles: Vec<TruthArticle>) -> Vec<TruthArticle> {
        articles.into_iter().filter_map(|article| self.of_one(article)).collect()
    }

    fn of_one(&self, mut article: TruthArticle) -> Option<TruthArticle> {
        let anywhere = self.categories.is_empty() && self.sections.is_empty();
        let placed = anywhere
            || self.categories.contains(&article.category_id)
            || article.sections.iter().any(|section| self.sections.contains(section));
        let labelled =
            self.labels.is_empty() || article.labels.iter().any(|label| self.labels.contains(label));
        let open = !self.public_only || article.user_segment_id.is_none();
        if !self.locales.is_empty() {
            article.translations.retain(|translation| self.locales.contains(&translation.locale));
        }
        (placed && labelled && open && !article.translations.is_empty()).then_some(article)
    }
}

/// Lower-case hexadecimal SHA-256 of the title's bytes, one zero byte, and the body's bytes.
pub fn content_hash(title: &str, body: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(title.as_bytes());
    hasher.update([0]);
    hasher.update(body.as_bytes());
    hex::encode(hasher.finalize())
}

impl HelpCenter {
    /// Articles with at least one published translation that the viewer may see, by id.
    pub(crate) fn truth(&self, viewer: Option<Viewer>) -> Vec<TruthArticle> {
        let published = self.articles.values().filter(|a| a.has_published() && self.visible(a, viewer));
        published
            .map(|article| TruthArticle {
                id: article.id,
                section_id: article.section_id,
                sections: self.sections_above(article.section_id),
                category_id: self.sections.get(&article.section_id).map_or(0, |section| section.category_id),
                path: self.path(article.section_id),
                labels: article.label_names.clone(),
                user_segment_id: article.user_segment_id,
                author_id: article.author_id,
                content_tags: article
                    .content_tag_ids
                    .iter()
                    .filter_map(|id| self.content_tags.iter().find(|tag| tag.id == *id))
                    .map(|tag| (tag.id.clone(), tag.name.clone()))
                    .collect(),
                attachments: self
                    .attachments
                    .values()
                    .filter(|one| one.article_id == article.id)
                    .map(|one| (one.id, one.bytes.clone()))
                    .collect(),
                updated_at: article.updated_at,
                translations: article
                    .translations
                    .iter()
                    .filter(|t| !t.draft)
                    .map(|t| TruthTranslation {
                        locale: t.locale.clone(),
                        title: t.title.clone(),
                        hash: content_hash(&t.title, &t.body),
                    })
                    .collect(),
            })
            .collect()
    }
}
