//! Articles on their way into the store.

use serde_json::Value;

use crate::db::decode::count;

/// One published translation, converted.
#[derive(Debug, Clone)]
pub struct IncomingTranslation {
    /// For example `en-us`.
    pub locale: String,
    /// As received.
    pub title: String,
    /// The public page.
    pub external_url: Option<String>,
    /// As received.
    pub html: String,
    /// Made from `html`.
    pub markdown: String,
    /// Made from `html`.
    pub plain: String,
    /// SHA-256 of title, NUL, HTML, in lower hex.
    pub hash: String,
    /// ms.
    pub source_updated_at: i64,
}

/// One article as the grant sees it. Without translations nothing of it is published, and nothing is kept.
#[derive(Debug, Clone)]
pub struct IncomingArticle {
    /// Zendesk's id.
    pub article_id: i64,
    /// When it was created at Zendesk, in ms.
    pub created_at: i64,
    /// When it changed at Zendesk, in ms; an older reading never overwrites a newer one.
    pub updated_at: i64,
    /// The locale that it was written in.
    pub source_locale: String,
    /// The section it stands in.
    pub section_id: Option<i64>,
    /// Its author.
    pub author_id: Option<i64>,
    /// `None` = everyone may read it.
    pub user_segment_id: Option<i64>,
    /// Every segment that may read it, that one included.
    pub user_segment_ids: Vec<i64>,
    /// Its labels.
    pub labels: Vec<String>,
    /// What else is kept of it, as JSON.
    pub metadata: Value,
    /// Changes when anything but the content does.
    pub metadata_hash: String,
    /// The version of the converter that made its texts.
    pub converter: i64,
    /// Its texts were not converted and are empty, for its copy was right a moment ago ([`SyncStore::unchanged`]). It is
    /// compared, and never stored: [`StoreError::Unconverted`].
    ///
    /// [`SyncStore::unchanged`]: crate::db::SyncStore::unchanged
    /// [`StoreError::Unconverted`]: crate::db::StoreError::Unconverted
    pub unconverted: bool,
    /// The published translations, the source locale first.
    pub translations: Vec<IncomingTranslation>,
    /// Locales whose stored texts stay, because theirs could not be read.
    pub kept_locales: Vec<String>,
    /// Every stored text stays that is not among `translations`: which ones there are could not be read.
    pub keeps_others: bool,
}

impl IncomingArticle {
    /// What it is called; never empty.
    pub(crate) fn name(&self) -> String {
        match self.translations.first() {
            Some(first) if !first.title.is_empty() => first.title.replace('\0', ""),
            _ => format!("Article {}", self.article_id),
        }
    }

    /// Changes when any translation's title or body does.
    pub(crate) fn content_hash(&self) -> String {
        self.content_hash_of(|_| true)
    }

    /// [`IncomingArticle::content_hash`], of the translations whose locale is kept.
    pub(crate) fn content_hash_of(&self, is_kept: impl Fn(&str) -> bool) -> String {
        self.translations
            .iter()
            .filter(|translation| is_kept(&translation.locale))
            .map(|translation| format!("{}:{}", translation.locale, translation.hash))
            .collect::<Vec<_>>()
            .join(",")
    }

    /// Of its plain texts, in every translation.
    pub(crate) fn characters(&self) -> i64 {
        count(self.translations.iter().map(|translation| translation.plain.chars().count()).sum())
    }

    /// Without its translations.
    pub(crate) fn bare(&self) -> Self {
        Self {
            source_locale: self.source_locale.clone(),
            user_segment_ids: self.user_segment_ids.clone(),
            labels: self.labels.clone(),
            metadata: self.metadata.clone(),
            metadata_hash: self.metadata_hash.clone(),
            translations: Vec::new(),
            kept_locales: self.kept_locales.clone(),
            ..*self
        }
    }
}
