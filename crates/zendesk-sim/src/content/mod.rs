//! The help center of one account: what there is, who may see it, and how it changes.

mod apply;
mod audience;
mod change;
mod generate;
mod sections;
mod text;
mod truth;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use change::{Change, ChangeError, Mutation};
pub(crate) use change::{Event, EventKind};
pub use generate::{BodyProfile, GenerateOptions};
pub use truth::{TruthArticle, TruthSelectionFilter, TruthTranslation, content_hash};

use crate::clock::Epoch;
use crate::random::{Ids, Random};
use crate::settings::Role;

/// One user of the account.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: Role,
}

/// Who asks. `None` as a viewer means an anonymous caller.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Viewer {
    pub(crate) user_id: i64,
    pub(crate) role: Role,
}

/// Whom a user segment lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    SignedIn,
    Staff,
    /// A segment by tags that none of the account's users carries.
    NobodyHere,
}

#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) audience: Audience,
    pub(crate) created_at: Epoch,
}

#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) position: i64,
    pub(crate) created_at: Epoch,
    pub(crate) updated_at: Epoch,
}

#[derive(Debug, Clone)]
pub(crate) struct Section {
    pub(crate) id: i64,
    pub(crate) category_id: i64,
    pub(crate) parent_section_id: Option<i64>,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) position: i64,
    pub(crate) created_at: Epoch,
    pub(crate) updated_at: Epoch,
}

#[derive(Debug, Clone)]
pub(crate) struct Translation {
    pub(crate) id: i64,
    pub(crate) locale: String,
    pub(crate) title: String,
    pub(crate) body: Arc<str>,
    pub(crate) draft: bool,
    pub(crate) created_at: Epoch,
    pub(crate) updated_at: Epoch,
    pub(crate) edited_at: Epoch,
}

#[derive(Debug, Clone)]
pub(crate) struct Article {
    pub(crate) id: i64,
    pub(crate) section_id: i64,
    pub(crate) author_id: i64,
    /// Locale of the first translation, which is the source.
    pub(crate) source_locale: String,
    /// The source translation first.
    pub(crate) translations: Vec<Translation>,
    pub(crate) label_names: Vec<String>,
    pub(crate) content_tag_ids: Vec<String>,
    pub(crate) user_segment_id: Option<i64>,
    pub(crate) promoted: bool,
    pub(crate) position: i64,
    pub(crate) vote_sum: i64,
    pub(crate) vote_count: i64,
    pub(crate) created_at: Epoch,
    pub(crate) updated_at: Epoch,
}

impl Article {
    pub(crate) fn translation(&self, locale: &str) -> Option<&Translation> {
        self.translations.iter().find(|t| t.locale == locale)
    }

    pub(crate) fn source(&self) -> Option<&Translation> {
        self.translation(&self.source_locale)
    }

    pub(crate) fn has_published(&self) -> bool {
        self.translations.iter().any(|t| !t.draft)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) id: i64,
    pub(crate) article_id: i64,
    pub(crate) file_name: String,
    pub(crate) content_type: &'static str,
    pub(crate) inline: bool,
    pub(crate) bytes: Vec<u8>,
    pub(crate) created_at: Epoch,
}

#[derive(Debug, Clone)]
pub(crate) struct ContentTag {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) created_at: Epoch,
}

/// Everything below one account's `/hc`.
#[derive(Debug)]
pub(crate) struct HelpCenter {
    pub(crate) subdomain: String,
    /// Enabled locales; the first is the default.
    pub(crate) locales: Vec<String>,
    pub(crate) categories: BTreeMap<i64, Category>,
    pub(crate) sections: BTreeMap<i64, Section>,
    pub(crate) articles: BTreeMap<i64, Article>,
    /// Archived articles: in no answer, but restorable.
    pub(crate) archive: BTreeMap<i64, Article>,
    pub(crate) attachments: BTreeMap<i64, Attachment>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) content_tags: Vec<ContentTag>,
    pub(crate) permission_group_id: i64,
    pub(crate) author_ids: Vec<i64>,
    pub(crate) ids: Ids,
}

impl HelpCenter {
    /// An empty help center with its built-in segments. `birth` dates what exists from the start.
    pub(crate) fn new(
        subdomain: &str,
        locales: Vec<String>,
        author_ids: Vec<i64>,
        seed: u64,
        birth: Epoch,
    ) -> Self {
        let mut random = Random::named(seed, subdomain);
        let mut ids = Ids::new(random.clone());
        let segment = |ids: &mut Ids, name: &str, audience| Segment {
            id: ids.next(),
            name: name.to_owned(),
            audience,
            created_at: birth,
        };
        let segments = vec![
            segment(&mut ids, "Signed-in users", Audience::SignedIn),
            segment(&mut ids, "Agents and admins", Audience::Staff),
            segment(&mut ids, "Early access customers", Audience::NobodyHere),
        ];
        let tag_names = ["billing", "beta", "mobile", "api", "how-to"];
        let content_tags = tag_names
            .iter()
            .map(|name| ContentTag { id: random.ulid(), name: (*name).to_owned(), created_at: birth })
            .collect();
        let locales = if locales.is_empty() { vec!["en-us".to_owned()] } else { locales };
        Self {
            subdomain: subdomain.to_owned(),
            locales,
            categories: BTreeMap::new(),
            sections: BTreeMap::new(),
            articles: BTreeMap::new(),
            archive: BTreeMap::new(),
            attachments: BTreeMap::new(),
            segments,
            content_tags,
            permission_group_id: ids.next(),
            author_ids,
            ids,
        }
    }

    pub(crate) fn default_locale(&self) -> &str {
        self.locales.first().map_or("en-us", String::as_str)
    }

    pub(crate) fn segment_for(&self, audience: Audience) -> Option<i64> {
        self.segments.iter().find(|s| s.audience == audience).map(|s| s.id)
    }

    /// Whether the viewer may know of the article at all: staff see drafts, others only what is published,
    /// and everyone only what his segments admit.
    pub(crate) fn visible(&self, article: &Article, viewer: Option<Viewer>) -> bool {
        let staff = viewer.is_some_and(|v| v.role.is_staff());
        let admitted = match article.user_segment_id {
            None => true,
            Some(id) => match self.segments.iter().find(|s| s.id == id).map(|s| s.audience) {
                Some(Audience::SignedIn) => viewer.is_some(),
                Some(Audience::Staff) => staff,
                Some(Audience::NobodyHere) | None => false,
            },
        };
        admitted && (staff || article.has_published())
    }

    /// Names from the category down to the article's own section.
    pub(crate) fn path(&self, section_id: i64) -> Vec<String> {
        let mut names = Vec::new();
        let mut next = Some(section_id);
        let mut category = None;
        // The generator nests once; the bound keeps a cycle made by hand from hanging the simulator.
        while let Some(section) = next.and_then(|id| self.sections.get(&id)).filter(|_| names.len() < 16) {
            names.push(section.name.clone());
            category = self.categories.get(&section.category_id);
            next = section.parent_section_id;
        }
        names.extend(category.map(|c| c.name.clone()));
        names.reverse();
        names
    }

    /// A section and those above it, nearest first.
    pub(crate) fn sections_above(&self, section_id: i64) -> Vec<i64> {
        let mut ids = Vec::new();
        let mut next = Some(section_id);
        while let Some(section) = next.and_then(|id| self.sections.get(&id)).filter(|_| ids.len() < 16) {
            ids.push(section.id);
            next = section.parent_section_id;
        }
        ids
    }

    /// Labels in use, each once, in alphabetical order.
    pub(crate) fn labels(&self) -> Vec<&str> {
        let mut labels: Vec<&str> =
            self.articles.values().flat_map(|a| a.label_names.iter().map(String::as_str)).collect();
        labels.sort_unstable();
        labels.dedup();
        labels
    }
}
