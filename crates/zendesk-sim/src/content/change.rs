//! What editors do to a help center. One enum for the in-process handle, the control API and random changes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Article, Audience, HelpCenter, Translation, text};
use crate::clock::Epoch;
use crate::random::Random;

/// A change an editor can make. Each moves `updated_at` to now, except votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A new article in the default locale.
    Create {
        /// Section; `None` = the first.
        section_id: Option<i64>,
        /// Title.
        title: String,
        /// HTML.
        body: String,
        /// Not published yet.
        #[serde(default)]
        draft: bool,
    },
    /// New title or body in the source locale; `None` leaves it.
    Edit {
        /// Article.
        id: i64,
        /// New title.
        title: Option<String>,
        /// New HTML.
        body: Option<String>,
    },
    /// Adds or changes a translation.
    EditTranslation {
        /// Article.
        id: i64,
        /// Locale of the translation.
        locale: String,
        /// Title.
        title: String,
        /// HTML.
        body: String,
        /// Its draft flag.
        #[serde(default)]
        draft: bool,
    },
    /// Clears the draft flag of one translation (`None`: of all).
    Publish {
        /// Article.
        id: i64,
        /// Only this locale.
        #[serde(default)]
        locale: Option<String>,
    },
    /// Sets the draft flag of one translation (`None`: of all).
    Unpublish {
        /// Article.
        id: i64,
        /// Only this locale.
        #[serde(default)]
        locale: Option<String>,
    },
    /// Out of every answer, restorable.
    Archive {
        /// Article.
        id: i64,
    },
    /// Gone for good, also from the archive.
    Delete {
        /// Article.
        id: i64,
    },
    /// Back from the archive with the same id.
    Restore {
        /// Article.
        id: i64,
    },
    /// Into another section.
    Move {
        /// Article.
        id: i64,
        /// Where to.
        section_id: i64,
    },
    /// Into a segment that no user of the account is in.
    Restrict {
        /// Article.
        id: i64,
    },
    /// Into the segment of agents and administrators.
    RestrictToStaff {
        /// Article.
        id: i64,
    },
    /// Readable by everyone again.
    Unrestrict {
        /// Article.
        id: i64,
    },
    /// Replaces the labels.
    Relabel {
        /// Article.
        id: i64,
        /// The new ones.
        labels: Vec<String>,
    },
    /// Hangs a PDF on the article, in place of what it had; `None` takes all of it away.
    Attach {
        /// Article.
        id: i64,
        /// What is in it.
        text: Option<String>,
    },
    /// Renames a section. Its articles' `updated_at` does not move.
    RenameSection {
        /// Section.
        section_id: i64,
        /// New name.
        name: String,
    },
    /// A new section at the top of a category.
    AddSection {
        /// Category.
        category_id: i64,
    },
    /// Moves a section, with its subsections, to the top of another category. Its articles' `updated_at` does not move.
    MoveSection {
        /// Section.
        section_id: i64,
        /// Where to.
        category_id: i64,
    },
    /// Deletes a section, its subsections and all their articles.
    DeleteSection {
        /// Section.
        section_id: i64,
    },
    /// A reader's vote; moves no timestamp.
    Vote {
        /// Article.
        id: i64,
        /// Up or down.
        up: bool,
    },
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutation {
    /// Name of the change: `create`, `edit`, `publish`, `unpublish`, `archive`, `delete`, `move`, ...
    pub kind: &'static str,
    /// The article, or the section for changes of sections.
    pub article: i64,
}

/// Why a change could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// No live article has the id.
    #[error("no article {0}")]
    NoArticle(i64),
    /// No section has the id.
    #[error("no section {0}")]
    NoSection(i64),
    /// The article has no such translation.
    #[error("article {0} has no translation {1}")]
    NoTranslation(i64, String),
}

/// What the account's webhooks may hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventKind {
    Published,
    Unpublished,
}

/// An event of one article in one locale.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) kind: EventKind,
    pub(crate) article_id: i64,
    pub(crate) author_id: i64,
    pub(crate) category_id: i64,
    pub(crate) section_id: i64,
    pub(crate) locale: String,
    pub(crate) title: String,
}

impl HelpCenter {
    /// Makes the change at `now`. Returns what was done and the events that webhooks may hear of.
    pub(crate) fn apply(
        &mut self,
        change: Change,
        now: Epoch,
        translation_edit_moves_article: bool,
    ) -> Result<(Mutation, Vec<Event>), ChangeError> {
        let mut events = Vec::new();
        let done = |kind, article| Mutation { kind, article };
        let mutation = match change {
            Change::Create { section_id, title, body, draft } => {
                let id = self.create(section_id, title, &body, draft, now)?;
                if !draft {
                    events = self.events(id, EventKind::Published, None);
                }
                done("create", id)
            }
            Change::Edit { id, title, body } => {
                let article = self.article_mut(id)?;
                let locale = article.source_locale.clone();
                let source = translation_mut(article, &locale)?;
                source.title = title.unwrap_or_else(|| source.title.clone());
                source.body = body.map_or_else(|| Arc::clone(&source.body), Arc::from);
                source.edited_at = now;
                source.updated_at = now;
                article.updated_at = now;
                done("edit", id)
            }
            Change::EditTranslation { id, locale, title, body, draft } => {
                let new_id = self.ids.next();
                let article = self.article_mut(id)?;
                let fresh = Translation {
                    id: article.translation(&locale).map_or(new_id, |t| t.id),
                    created_at: article.translation(&locale).map_or(now, |t| t.created_at),
                    body: Arc::from(body),
                    updated_at: now,
                    edited_at: now,
                    locale,
                    title,
                    draft,
                };
                if translation_edit_moves_article || fresh.locale == article.source_locale {
                    article.updated_at = now;
                }
                match article.translations.iter_mut().find(|t| t.locale == fresh.locale) {
                    Some(old) => *old = fresh,
                    None => article.translations.push(fresh),
                }
                done("edit_translation", id)
            }
            Change::Publish { id, locale } => {
                events = self.set_draft(id, locale.as_deref(), false, now)?;
                done("publish", id)
            }
            Change::Unpublish { id, locale } => {
                events = self.set_draft(id, locale.as_deref(), true, now)?;
                done("unpublish", id)
            }
            Change::Archive { id } => {
                let article = self.articles.remove(&id).ok_or(ChangeError::NoArticle(id))?;
                self.archive.insert(id, article);
                done("archive", id)
            }
            Change::Delete { id } => {
                self.articles
                    .remove(&id)
                    .or_else(|| self.archive.remove(&id))
                    .ok_or(ChangeError::NoArticle(id))?;
                self.attachments.retain(|_, attachment| attachment.article_id != id);
                done("delete", id)
            }
            Change::Restore { id } => {
                let mut article = self.archive.remove(&id).ok_or(ChangeError::NoArticle(id))?;
                article.updated_at = now;
                self.articles.insert(id, article);
                done("restore", id)
            }
            Change::Move { id, section_id } => {
                if !self.sections.contains_key(&section_id) {
                    return Err(ChangeError::NoSection(section_id));
                }
                self.touch(id, now)?.section_id = section_id;
                done("move", id)
            }
            Change::Restrict { id } => {
                self.restrict(id, Audience::NobodyHere, now)?;
                done("restrict", id)
            }
            Change::RestrictToStaff { id } => {
                self.restrict(id, Audience::Staff, now)?;
                done("restrict", id)
            }
            Change::Unrestrict { id } => {
                self.touch(id, now)?.user_segment_id = None;
                done("unrestrict", id)
            }
            Change::Relabel { id, labels } => {
                self.touch(id, now)?.label_names = labels;
                done("relabel", id)
            }
            Change::Attach { id, text } => {
                self.attach(id, text, now)?;
                done("attach", id)
            }
            Change::RenameSection { section_id, name } => {
                let section = self.sections.get_mut(&section_id).ok_or(ChangeError::NoSection(section_id))?;
                section.name = name;
                section.updated_at = now;
                done("rename_section", section_id)
            }
            Change::AddSection { category_id } => done("add_section", self.add_section(category_id, now)),
            Change::MoveSection { section_id, category_id } => {
                self.move_section(section_id, category_id, now)?;
                done("move_section", section_id)
            }
            Change::DeleteSection { section_id } => {
                self.delete_section(section_id)?;
                done("delete_section", section_id)
            }
            Change::Vote { id, up } => {
                let article = self.article_mut(id)?;
                article.vote_count += 1;
                article.vote_sum += if up { 1 } else { -1 };
                done("vote", id)
            }
        };
        Ok((mutation, events))
    }

    /// Draws a change that can be made now. The draw depends on the generator and the live articles only.
    pub(crate) fn random_change(&self, random: &mut Random) -> Option<Change> {
        let ids: Vec<i64> = self.articles.keys().copied().collect();
        let sections: Vec<i64> = self.sections.keys().copied().collect();
        let Some(id) = random.pick(&ids).copied() else {
            return Some(self.random_create(random, &sections));
        };
        let with_draft = |draft: bool, random: &mut Random| {
            let fit: Vec<i64> = self
                .articles
                .values()
                .filter(|a| a.source().is_some_and(|t| t.draft == draft))
                .map(|a| a.id)
                .collect();
            random.pick(&fit).copied()
        };
        Some(match random.below(10) {
            0 | 1 => self.random_create(random, &sections),
            2..=4 => Change::Edit {
                id,
                title: random.chance(0.3).then(|| text::title(random, self.default_locale())),
                body: Some(text::body(random, self.default_locale(), &self.subdomain, 3000, &[])),
            },
            5 => Change::Publish { id: with_draft(true, random).unwrap_or(id), locale: None },
            6 => Change::Unpublish { id: with_draft(false, random).unwrap_or(id), locale: None },
            7 => Change::Archive { id },
            8 => Change::Delete { id },
            _ => Change::Move { id, section_id: random.pick(&sections).copied()? },
        })
    }

    fn random_create(&self, random: &mut Random, sections: &[i64]) -> Change {
        Change::Create {
            section_id: random.pick(sections).copied(),
            title: text::title(random, self.default_locale()),
            body: text::body(random, self.default_locale(), &self.subdomain, 2000, &[]),
            draft: random.chance(0.2),
        }
    }

    fn create(
        &mut self,
        section_id: Option<i64>,
        title: String,
        body: &str,
        draft: bool,
        now: Epoch,
    ) -> Result<i64, ChangeError> {
        let section_id = match section_id {
            Some(id) => id,
            None => *self.sections.keys().next().ok_or(ChangeError::NoSection(0))?,
        };
        let section = self.sections.get(&section_id).ok_or(ChangeError::NoSection(section_id))?;
        if let Some(category) = self.categories.get_mut(&section.category_id) {
            category.updated_at = now; // recorded: creating an article moves its category
        }
        let locale = self.default_locale().to_owned();
        let id = self.ids.next();
        let source = Translation {
            id: self.ids.next(),
            locale: locale.clone(),
            title,
            body: Arc::from(body),
            draft,
            created_at: now,
            updated_at: now,
            edited_at: now,
        };
        let article = Article {
            id,
            section_id,
            author_id: self.author_ids.first().copied().unwrap_or(-1),
            source_locale: locale,
            translations: vec![source],
            label_names: Vec::new(),
            content_tag_ids: Vec::new(),
            user_segment_id: None,
            promoted: false,
            position: 0,
            vote_sum: 0,
            vote_count: 0,
            created_at: now,
            updated_at: now,
        };
        self.articles.insert(id, article);
        Ok(id)
    }

    pub(super) fn events(&self, id: i64, kind: EventKind, locale: Option<&str>) -> Vec<Event> {
        let Some(article) = self.articles.get(&id) else { return Vec::new() };
        let category_id = self.sections.get(&article.section_id).map_or(0, |s| s.category_id);
        let of = article.translations.iter().filter(|t| locale.is_none_or(|l| l == t.locale));
        of.map(|translation| Event {
            kind,
            article_id: id,
            author_id: article.author_id,
            category_id,
            section_id: article.section_id,
            locale: translation.locale.clone(),
            title: translation.title.clone(),
        })
        .collect()
    }

    pub(super) fn article_mut(&mut self, id: i64) -> Result<&mut Article, ChangeError> {
        self.articles.get_mut(&id).ok_or(ChangeError::NoArticle(id))
    }

    pub(super) fn touch(&mut self, id: i64, now: Epoch) -> Result<&mut Article, ChangeError> {
        let article = self.article_mut(id)?;
        article.updated_at = now;
        Ok(article)
    }
}

fn translation_mut<'a>(article: &'a mut Article, locale: &str) -> Result<&'a mut Translation, ChangeError> {
    let id = article.id;
    let found = article.translations.iter_mut().find(|t| t.locale == locale);
    found.ok_or_else(|| ChangeError::NoTranslation(id, locale.to_owned()))
}
