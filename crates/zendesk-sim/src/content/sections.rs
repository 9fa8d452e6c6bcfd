//! What editors do to sections.

use super::{ChangeError, HelpCenter, Section};
use crate::clock::Epoch;

impl HelpCenter {
    pub(super) fn add_section(&mut self, category_id: i64, now: Epoch) -> i64 {
        let id = self.ids.next();
        let section = Section {
            id,
            category_id,
            parent_section_id: None,
            name: format!("Section {id}"),
            description: None,
            position: 0,
            created_at: now,
            updated_at: now,
        };
        self.sections.insert(id, section);
        id
    }

    pub(super) fn rename_category(&mut self, id: i64, name: String, now: Epoch) -> Result<i64, ChangeError> {
        let category = self.categories.get_mut(&id).ok_or(ChangeError::NoCategory(id))?;
        (category.name, category.updated_at) = (name, now);
        Ok(id)
    }

    pub(super) fn nest_section(
        &mut self,
        section_id: i64,
        parent_id: i64,
        now: Epoch,
    ) -> Result<i64, ChangeError> {
        let parent = self.sections.get(&parent_id).ok_or(ChangeError::NoSection(parent_id))?;
        self.place_section(section_id, Some(parent_id), parent.category_id, now)
    }

    pub(super) fn move_section(
        &mut self,
        section_id: i64,
        category_id: i64,
        now: Epoch,
    ) -> Result<i64, ChangeError> {
        self.place_section(section_id, None, category_id, now)
    }

    fn place_section(
        &mut self,
        section_id: i64,
        parent_id: Option<i64>,
        category_id: i64,
        now: Epoch,
    ) -> Result<i64, ChangeError> {
        let top = self.sections.get_mut(&section_id).ok_or(ChangeError::NoSection(section_id))?;
        top.parent_section_id = parent_id;
        let mut moved = vec![section_id];
        while let Some(id) = moved.pop() {
            if let Some(section) = self.sections.get_mut(&id) {
                (section.category_id, section.updated_at) = (category_id, now);
            }
            moved.extend(self.sections.values().filter(|s| s.parent_section_id == Some(id)).map(|s| s.id));
        }
        Ok(section_id)
    }

    pub(super) fn delete_section(&mut self, section_id: i64) -> Result<i64, ChangeError> {
        self.sections.remove(&section_id).ok_or(ChangeError::NoSection(section_id))?;
        let mut gone = vec![section_id];
        while let Some(parent) = gone.pop() {
            self.articles.retain(|_, article| article.section_id != parent);
            gone.extend(self.sections.values().filter(|s| s.parent_section_id == Some(parent)).map(|s| s.id));
            self.sections.retain(|_, section| section.parent_section_id != Some(parent));
        }
        Ok(section_id)
    }
}
