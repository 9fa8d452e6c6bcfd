//! Who may read, and what hangs on an article.

use super::change::{Event, EventKind};
use super::{Attachment, Audience, ChangeError, HelpCenter};
use crate::clock::Epoch;

impl HelpCenter {
    pub(super) fn set_draft(
        &mut self,
        id: i64,
        locale: Option<&str>,
        draft: bool,
        now: Epoch,
    ) -> Result<Vec<Event>, ChangeError> {
        let article = self.article_mut(id)?;
        let mut changed = Vec::new();
        for translation in article.translations.iter_mut().filter(|t| locale.is_none_or(|l| l == t.locale)) {
            if translation.draft != draft {
                changed.push(translation.locale.clone());
            }
            translation.draft = draft;
            translation.updated_at = now;
        }
        article.updated_at = now;
        let kind = if draft { EventKind::Unpublished } else { EventKind::Published };
        Ok(changed.iter().flat_map(|locale| self.events(id, kind, Some(locale))).collect())
    }

    pub(super) fn attach(&mut self, id: i64, text: Option<String>, now: Epoch) -> Result<i64, ChangeError> {
        self.touch(id, now)?;
        self.attachments.retain(|_, attachment| attachment.article_id != id);
        if let Some(text) = text {
            let attachment = Attachment {
                id: self.ids.next(),
                article_id: id,
                file_name: "sheet.pdf".to_owned(),
                content_type: "application/pdf",
                inline: false,
                bytes: text.into_bytes(),
                created_at: now,
            };
            self.attachments.insert(attachment.id, attachment);
        }
        Ok(id)
    }

    pub(super) fn restrict(&mut self, id: i64, audience: Audience, now: Epoch) -> Result<i64, ChangeError> {
        let segment = self.segment_for(audience);
        self.touch(id, now)?.user_segment_id = segment;
        Ok(id)
    }
}
