//! Making changes: what each does to the help center, when it moves an article's time, and which events it sends.

use std::sync::Arc;

use super::change::{Change, ChangeError, Event, EventKind, Mutation};
use super::{Article, Audience, HelpCenter, Translation, text};
use crate::clock::Epoch;
use crate::random::Random;

/// A translation as somebody leaves it.
struct Edited {
    locale: String,
    title: String,
    body: String,
    draft: bool,
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
        let (kind, article) = match change {
            Change::Create { section_id, title, body, draft } => {
                let id = self.create(section_id, title, &body, draft, now)?;
                if !draft {
                    events = self.events(id, EventKind::Published, None);
                }
                ("create", id)
            }
            Change::Edit { id, title, body } => ("edit", self.edit(id, title, body, now)?),
            Change::EditTranslation { id, locale, title, body, draft } => {
                let edited = Edited { locale, title, body, draft };
                ("edit_translation", self.edit_translation(id, edited, now, translation_edit_moves_article)?)
            }
            Change::Publish { id, locale } => {
                events = self.set_draft(id, locale.as_deref(), false, now)?;
                ("publish", id)
            }
            Change::Unpublish { id, locale } => {
                events = self.set_draft(id, locale.as_deref(), true, now)?;
                ("unpublish", id)
            }
            Change::Archive { id } => ("archive", self.archive_article(id)?),
            Change::Delete { id } => ("delete", self.delete_article(id)?),
            Change::Restore { id } => ("restore", self.restore_article(id, now)?),
            Change::Move { id, section_id } => {
                if !self.sections.contains_key(&section_id) {
                    return Err(ChangeError::NoSection(section_id));
                }
                self.touch(id, now)?.section_id = section_id;
                ("move", id)
            }
            Change::Restrict { id } => ("restrict", self.restrict(id, Audience::NobodyHere, now)?),
            Change::RestrictToStaff { id } => ("restrict", self.restrict(id, Audience::Staff, now)?),
            Change::Unrestrict { id } => {
                self.touch(id, now)?.user_segment_id = None;
                ("unrestrict", id)
            }
            Change::Relabel { id, labels } => {
                self.touch(id, now)?.label_names = labels;
                ("relabel", id)
            }
            Change::Attach { id, text } => ("attach", self.attach(id, text, now)?),
            Change::RenameSection { section_id, name } => {
                ("rename_section", self.rename_section(section_id, name, now)?)
            }
            Change::RenameCategory { category_id, name } => {
                ("rename_category", self.rename_category(category_id, name, now)?)
            }
            Change::NestSection { section_id, parent_id } => {
                ("nest_section", self.nest_section(section_id, parent_id, now)?)
            }
            Change::AddSection { category_id } => ("add_section", self.add_section(category_id, now)),
            Change::MoveSection { section_id, category_id } => {
                ("move_section", self.move_section(section_id, category_id, now)?)
            }
            Change::DeleteSection { section_id } => ("delete_section", self.delete_section(section_id)?),
            Change::Vote { id, up } => ("vote", self.vote(id, up)?),
        };
        Ok((Mutation { kind, article }, events))
    }

    fn edit(
        &mut self,
        id: i64,
        title: Option<String>,
        body: Option<String>,
        now: Epoch,
    ) -> Result<i64, ChangeError> {
        let article = self.article_mut(id)?;
        let locale = article.source_locale.clone();
        let source = translation_mut(article, &locale)?;
        source.title = title.unwrap_or_else(|| source.title.clone());
        source.body = body.map_or_else(|| Arc::clone(&source.body), Arc::from);
        source.edited_at = now;
        source.updated_at = now;
        article.updated_at = now;
        Ok(id)
    }

    fn edit_translation(
        &mut self,
        id: i64,
        edited: Edited,
        now: Epoch,
        moves_article: bool,
    ) -> Result<i64, ChangeError> {
        let Edited { locale, title, body, draft } = edited;
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
        if moves_article || fresh.locale == article.source_locale {
            article.updated_at = now;
        }
        match article.translations.iter_mut().find(|t| t.locale == fresh.locale) {
            Some(old) => *old = fresh,
            None => article.translations.push(fresh),
        }
        Ok(id)
    }

    fn archive_article(&mut self, id: i64) -> Result<i64, ChangeError> {
        let article = self.articles.remove(&id).ok_or(ChangeError::NoArticle(id))?;
        self.archive.insert(id, article);
        Ok(id)
    }

    fn delete_article(&mut self, id: i64) -> Result<i64, ChangeError> {
        self.articles.remove(&id).or_else(|| self.archive.remove(&id)).ok_or(ChangeError::NoArticle(id))?;
        self.attachments.retain(|_, attachment| attachment.article_id != id);
        Ok(id)
    }

    fn restore_article(&mut self, id: i64, now: Epoch) -> Result<i64, ChangeError> {
        let mut article = self.archive.remove(&id).ok_or(ChangeError::NoArticle(id))?;
        article.updated_at = now;
        self.articles.insert(id, article);
        Ok(id)
    }

    fn rename_section(&mut self, id: i64, name: String, now: Epoch) -> Result<i64, ChangeError> {
        let section = self.sections.get_mut(&id).ok_or(ChangeError::NoSection(id))?;
        section.name = name;
        section.updated_at = now;
        Ok(id)
    }

    fn vote(&mut self, id: i64, up: bool) -> Result<i64, ChangeError> {
        let article = self.article_mut(id)?;
        article.vote_count += 1;
        article.vote_sum += if up { 1 } else { -1 };
        Ok(id)
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
