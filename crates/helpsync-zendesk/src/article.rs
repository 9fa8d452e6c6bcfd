//! The things a help center is made of. Source:
//! <https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/> and its neighbours.

use helpsync_model::Timestamp;

use crate::bounded_body::{CUT, TOO_LONG};
use crate::fields::Fields;

/// An article as one answer showed it. `title`, `body` and `draft` are those of `locale`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Article {
    /// Its identity; everything else may change.
    pub id: i64,
    /// The locale it was written in; lower case, such as `en-us`.
    pub source_locale: String,
    /// The locale shown; the source locale unless another was asked for.
    pub locale: String,
    /// May be empty.
    pub title: String,
    /// HTML; may be empty, and is where a translation in the locale shown brings the same.
    pub body: String,
    /// Whether the shown locale is unpublished.
    pub draft: bool,
    /// For people; may be on a mapped host, and changes with the title.
    pub html_url: String,
    /// Its section.
    pub section_id: Option<i64>,
    /// Its author; -1 and absent are seen for deleted users.
    pub author_id: Option<i64>,
    /// Who may read it; `None` is everyone.
    pub user_segment_id: Option<i64>,
    /// All segments that may read it, on plans where there can be several; empty elsewhere.
    pub user_segment_ids: Vec<i64>,
    /// Who may edit it.
    pub permission_group_id: Option<i64>,
    /// Order within the section.
    pub position: i64,
    /// Shown first.
    pub promoted: bool,
    /// Labels; empty on plans without them.
    pub label_names: Vec<String>,
    /// Content tags (ULIDs).
    pub content_tag_ids: Vec<String>,
    /// First saved.
    pub created_at: Timestamp,
    /// Last change of content or metadata; the export's order.
    pub updated_at: Timestamp,
    /// Last change of the content in the shown locale.
    pub edited_at: Option<Timestamp>,
    /// Every locale's text; `None` when the answer carried none.
    pub translations: Option<Vec<Translation>>,
    /// Texts that could not be read, or not be had.
    pub unread: Vec<UnreadTranslation>,
}

/// A text of an article that could not be read. The article's others are unharmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadTranslation {
    /// Lower case, such as `en-us`; `None`: it may be any, or all that are not there.
    pub locale: Option<String>,
    /// What is wrong with it.
    pub reason: String,
}

/// An article's text in one locale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// Lower case, such as `en-us`.
    pub locale: String,
    /// May be empty.
    pub title: String,
    /// HTML; may be empty.
    pub body: String,
    /// Whether this locale is unpublished, whatever the others are.
    pub draft: bool,
    /// Hidden from readers (undocumented by Zendesk).
    pub hidden: bool,
    /// For people.
    pub html_url: String,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// A text that readers may see, as its article has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedText<'a> {
    /// Lower case, such as `en-us`.
    pub locale: &'a str,
    /// May be empty.
    pub title: &'a str,
    /// HTML; may be empty.
    pub body: &'a str,
    /// For people.
    pub html_url: &'a str,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// One record of a page that could not be read. The rest of the page is unharmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its id, when that much could be read.
    pub id: Option<i64>,
    /// What is wrong with it.
    pub reason: String,
    /// Nothing but its length: asked for alone it may fit.
    pub is_too_long: bool,
    /// When it was first saved, when that much could be read.
    pub created_at: Option<Timestamp>,
    /// Its section, when that much could be read.
    pub section_id: Option<i64>,
}

impl Article {
    /// The texts that readers may see, the source locale first, each locale once.
    ///
    /// Drafts and hidden translations are left out. The article's own text stands in when the translations are
    /// unknown or do not cover the locale shown.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedText<'_>> {
        let mut texts: Vec<PublishedText<'_>> = Vec::new();
        let known = self.translations.as_deref().unwrap_or_default();
        for translation in known.iter().filter(|translation| !translation.draft && !translation.hidden) {
            if !texts.iter().any(|text| text.locale == translation.locale) {
                texts.push(PublishedText {
                    locale: &translation.locale,
                    title: &translation.title,
                    body: &translation.body,
                    html_url: &translation.html_url,
                    updated_at: translation.updated_at,
                });
            }
        }
        if !self.draft && !known.iter().any(|translation| translation.locale == self.locale) {
            texts.push(PublishedText {
                locale: &self.locale,
                title: &self.title,
                body: &self.body,
                html_url: &self.html_url,
                updated_at: Some(self.updated_at),
            });
        }
        // Stable: the other locales keep Zendesk's order.
        texts.sort_by_key(|text| text.locale != self.source_locale);
        texts
    }

    /// Takes the body of the text that [`Article::published`] has in this locale.
    #[must_use]
    pub fn take_body(&mut self, locale: &str) -> String {
        let mut known = self.translations.iter_mut().flatten();
        let found = known.find(|one| !one.draft && !one.hidden && one.locale == locale);
        std::mem::take(found.map_or(&mut self.body, |one| &mut one.body))
    }

    /// Whoever is in one of these segments may read it; none = everyone.
    #[must_use]
    pub fn segments(&self) -> Vec<i64> {
        let mut segments = self.user_segment_ids.clone();
        segments.extend(self.user_segment_id.filter(|id| !self.user_segment_ids.contains(id)));
        segments
    }

    /// Whether the answer did not tell the article's translations: it has at least the one that it was written in.
    #[must_use]
    pub fn lacks_translations(&self) -> bool {
        self.translations.as_ref().is_none_or(Vec::is_empty) && self.unread.is_empty()
    }

    /// Reads an article of a page, whose texts are gone from it then. One that lost a text for its length is rejected: asked for
    /// alone it may fit.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, String> {
        let article = Self::read_alone(fields)?;
        if article.unread.iter().any(|unread| unread.reason == TOO_LONG) {
            return Err(TOO_LONG.to_owned());
        }
        Ok(article)
    }

    /// Reads an article that was asked for alone, whose texts are gone from it then.
    pub(crate) fn read_alone(fields: &mut Fields) -> Result<Self, String> {
        check_whole(fields)?;
        let updated_at = fields.time("updated_at").ok_or("updated_at is missing or no time")?;
        let source_locale = Some(locale(fields, "source_locale")).filter(|text| !text.is_empty());
        let locale = Some(locale(fields, "locale")).filter(|text| !text.is_empty());
        let locale = locale.or_else(|| source_locale.clone()).unwrap_or_default();
        let (translations, unread) = match fields.take_list("translations") {
            // A text that the sideload leaves out may be empty, or only be left out: the article's own list tells.
            Some(list) if list.iter().all(|one| one.has("body") || one.flag("draft") == Some(true)) => {
                let (good, unread) = read_translations(list);
                // The article's own text is the same as its translation in the locale shown.
                let unread = unread.into_iter().filter(|one| one.locale.as_ref() != Some(&locale)).collect();
                (Some(good), unread)
            }
            _ => (None, Vec::new()),
        };
        let is_translated = translations.iter().flatten().any(|one: &Translation| one.locale == locale);
        Ok(Self {
            id: fields.id("id").ok_or("id is missing or no number")?,
            source_locale: source_locale.unwrap_or_else(|| locale.clone()),
            locale,
            title: fields.text("title"),
            // A page holds every text twice, and is held until the last of them is stored.
            body: if is_translated { String::new() } else { fields.take_text("body") },
            draft: fields.flag("draft").ok_or("draft is missing or no boolean")?,
            html_url: fields.text("html_url"),
            section_id: fields.id("section_id"),
            author_id: fields.id("author_id"),
            user_segment_id: fields.nullable_id("user_segment_id")?,
            user_segment_ids: fields.ids("user_segment_ids")?,
            permission_group_id: fields.id("permission_group_id"),
            position: fields.id("position").unwrap_or(0),
            promoted: fields.flag("promoted").unwrap_or(false),
            label_names: fields.texts("label_names"),
            content_tag_ids: fields.texts("content_tag_ids"),
            created_at: fields.time("created_at").unwrap_or(updated_at),
            updated_at,
            edited_at: fields.time("edited_at"),
            translations,
            unread,
        })
    }
}

/// A locale in the one spelling that is kept: `en-US`, `en_us` and `en-us` are the same.
pub(crate) fn locale(fields: &Fields, key: &str) -> String {
    one_spelling(&fields.text(key))
}

pub(crate) fn one_spelling(locale: &str) -> String {
    locale.trim().to_ascii_lowercase().replace('_', "-")
}

/// Reads the texts of an article, and says of which that was not possible.
pub(crate) fn read_translations(list: Vec<Fields>) -> (Vec<Translation>, Vec<UnreadTranslation>) {
    let (mut good, mut unread) = (Vec::with_capacity(list.len()), Vec::new());
    for mut fields in list {
        match Translation::read(&mut fields) {
            Ok(translation) => good.push(translation),
            Err(reason) => {
                let locale = Some(locale(&fields, "locale")).filter(|text| !text.is_empty());
                unread.push(UnreadTranslation { locale, reason });
            }
        }
    }
    // Of a locale that comes in two spellings, one that can be read is enough.
    unread.retain(|one| !good.iter().any(|good| Some(&good.locale) == one.locale.as_ref()));
    (good, unread)
}

impl Translation {
    /// A translation that does not say whether it is a draft must not be taken for published, nor silently dropped.
    pub(crate) fn read(fields: &mut Fields) -> Result<Self, String> {
        check_whole(fields)?;
        let locale = Some(locale(fields, "locale")).filter(|text| !text.is_empty());
        let locale = locale.ok_or("a translation has no locale")?;
        let draft =
            fields.flag("draft").ok_or_else(|| format!("translation {locale}: draft is no boolean"))?;
        if !draft && fields.lacks("body") {
            return Err("it came without its body".to_owned());
        }
        if let Some(key) = ["title", "body"].into_iter().find(|key| fields.is_no_text(key)) {
            return Err(format!("its {key} is no text"));
        }
        Ok(Self {
            locale,
            title: fields.text("title"),
            body: fields.take_text("body"),
            draft,
            hidden: fields.flag("hidden").unwrap_or(false),
            html_url: fields.text("html_url"),
            updated_at: fields.time("updated_at"),
        })
    }
}

/// A text that was cut out of the answer must not pass for the article's own.
fn check_whole(fields: &Fields) -> Result<(), String> {
    if ["title", "body"].iter().any(|key| fields.is_text(key, CUT)) {
        Err(TOO_LONG.to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn article(json: &str) -> Result<Article, String> {
        Article::read(&mut Fields::parse(json).unwrap())
    }

    fn locales(article: &Article) -> Vec<String> {
        article.published().into_iter().map(|text| text.locale.to_owned()).collect()
    }

    #[test]
    fn nulls_strings_for_numbers_and_unknown_fields_are_read() {
        let read = article(
            r#"{"id":"46408335803921","locale":"en-us","title":null,"body":null,"draft":false,"new_field":{"a":1},
            "section_id":12,"user_segment_id":null,"content_tag_ids":["01ABC",7],"label_names":null,
            "updated_at":"2026-05-06T08:35:34Z","author_id":-1}"#,
        )
        .unwrap();
        assert_eq!((read.id, read.title.as_str(), read.body.as_str()), (46_408_335_803_921, "", ""));
        assert_eq!((read.source_locale.as_str(), read.author_id), ("en-us", Some(-1)));
        assert_eq!(read.content_tag_ids, ["01ABC", "7"]);
        assert_eq!(read.created_at, read.updated_at);
    }

    #[test]
    fn an_article_that_does_not_say_whether_it_is_a_draft_or_restricted_is_not_read() {
        let reason = article(r#"{"id":1,"updated_at":"2026-05-06T08:35:34Z"}"#).unwrap_err();
        assert!(reason.contains("draft"), "{reason}");
        let reason =
            article(r#"{"id":1,"draft":false,"user_segment_id":{},"updated_at":"2026-05-06T08:35:34Z"}"#)
                .unwrap_err();
        assert!(reason.contains("user_segment_id"), "{reason}");
        let several = |ids: &str| {
            article(&format!(
                r#"{{"id":1,"draft":false,"user_segment_id":5,"user_segment_ids":{ids},"updated_at":"2026-05-06T08:35:34Z"}}"#
            ))
        };
        assert_eq!(several(r#"[7,"8"]"#).unwrap().segments(), [7, 8, 5]);
        assert_eq!(several("null").unwrap().segments(), [5]);
        assert!(several("[{}]").unwrap_err().contains("user_segment_ids"));
    }

    #[test]
    fn a_text_that_a_translation_brings_is_held_once_and_is_taken_by_its_locale() {
        let read = |translations: &str| {
            article(&format!(
                r#"{{"id":1,"locale":"en-us","draft":false,"body":"own","updated_at":"2026-05-06T08:35:34Z","translations":{translations}}}"#
            ))
            .unwrap()
        };
        let mut both = read(
            r#"[{"body":"hidden","locale":"de","draft":false,"hidden":true},{"body":"same","locale":"en-us","draft":false},
            {"body":"anders","locale":"de","draft":false}]"#,
        );
        assert_eq!(both.body, "");
        let published: Vec<_> = both.published().iter().map(|text| text.body.to_owned()).collect();
        assert_eq!(published, ["same", "anders"]);
        assert_eq!((both.take_body("de"), both.take_body("en-us")), ("anders".to_owned(), "same".to_owned()));
        let mut own = read(r#"[{"body":"anders","locale":"de","draft":false}]"#);
        assert_eq!((own.take_body("en-us"), own.take_body("de")), ("own".to_owned(), "anders".to_owned()));
        assert_eq!(read("[]").take_body("en-us"), "own");
    }

    #[test]
    fn published_texts_leave_out_drafts_and_start_with_the_source_locale() {
        let read = article(
            r#"{"id":1,"locale":"en-us","source_locale":"en-us","draft":false,"updated_at":"2026-05-06T08:35:34Z",
            "translations":[{"body":"b","locale":"de","draft":false},{"body":"b","locale":"fr","draft":true},
            {"body":"b","locale":"it","draft":false,"hidden":true},{"body":"b","locale":"en-us","draft":false},{"body":"b","locale":"de","draft":false}]}"#,
        )
        .unwrap();
        assert_eq!(locales(&read), ["en-us", "de"]);
    }

    #[test]
    fn a_translation_that_cannot_be_read_costs_no_other_and_spellings_of_a_locale_are_one() {
        let read = article(
            r#"{"id":1,"locale":"en-US","draft":false,"updated_at":"2026-05-06T08:35:34Z",
            "translations":[{"body":"b","locale":"EN_us","draft":null},{"body":"b","locale":"de","draft":null},{"body":"b","locale":"Fr","draft":false},
            {"body":"b","locale":"pt-BR","draft":null},{"body":"b","locale":"pt-br","draft":false},{"body":"b","draft":false}]}"#,
        )
        .unwrap();
        assert_eq!(locales(&read), ["en-us", "fr", "pt-br"]);
        let unread: Vec<_> = read.unread.iter().map(|one| one.locale.as_deref()).collect();
        assert_eq!(unread, [Some("de"), None], "the article's own text is at hand");
        assert!(!read.lacks_translations());
        let bare = r#"{"id":1,"draft":false,"updated_at":"2026-05-06T08:35:34Z"}"#;
        assert!(article(bare).unwrap().lacks_translations());
        for told in [
            "[]",
            "null",
            r#"[{"locale":"de","draft":false,"body":null}]"#,
            r#"[{"locale":"de","draft":false}]"#,
        ] {
            let json = format!(
                r#"{{"id":1,"draft":false,"updated_at":"2026-05-06T08:35:34Z","translations":{told}}}"#
            );
            assert!(article(&json).unwrap().lacks_translations(), "{told}");
        }
    }

    #[test]
    fn a_text_of_an_articles_own_list_may_be_empty_and_must_not_be_missing() {
        let list = [
            r#"{"locale":"de","draft":false,"body":null}"#,
            r#"{"locale":"fr","draft":false}"#,
            r#"{"locale":"it","draft":true}"#,
            r#"{"locale":"es","draft":false,"body":7}"#,
            r#"{"locale":"nl","draft":false,"body":"b","title":{}}"#,
        ];
        let (good, unread) = read_translations(list.map(|json| Fields::parse(json).unwrap()).into());
        assert_eq!(
            good.iter().map(|one| (one.locale.as_str(), one.body.as_str())).collect::<Vec<_>>(),
            [("de", ""), ("it", "")]
        );
        let reasons: Vec<&str> = unread.iter().map(|one| one.reason.as_str()).collect();
        assert_eq!(reasons, ["it came without its body", "its body is no text", "its title is no text"]);
    }

    #[test]
    fn the_articles_own_text_stands_in_for_unknown_translations_unless_it_is_a_draft() {
        let mut read = article(
            r#"{"id":1,"locale":"en-us","draft":false,"updated_at":"2026-05-06T08:35:34Z","title":"T"}"#,
        )
        .unwrap();
        assert_eq!(read.published().first().map(|text| text.title), Some("T"));
        read.draft = true;
        assert!(read.published().is_empty());
    }

    #[test]
    fn a_draft_source_with_a_published_translation_publishes_only_the_translation() {
        let read = article(
            r#"{"id":1,"locale":"en-us","draft":true,"updated_at":"2026-05-06T08:35:34Z",
            "translations":[{"body":"b","locale":"en-us","draft":true},{"body":"b","locale":"de","draft":false}]}"#,
        )
        .unwrap();
        assert_eq!(locales(&read), ["de"]);
    }
}
