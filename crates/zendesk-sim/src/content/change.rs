//! What editors do to a help center. One enum for the in-process handle, the control API and random changes.

use serde::{Deserialize, Serialize};

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
    /// Renames a category. Its articles' `updated_at` does not move.
    RenameCategory {
        /// Category.
        category_id: i64,
        /// New name.
        name: String,
    },
    /// Puts a section, with its subsections, below another one. Its articles' `updated_at` does not move.
    NestSection {
        /// Section.
        section_id: i64,
        /// The section above it.
        parent_id: i64,
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
    /// No category has the id.
    #[error("no category {0}")]
    NoCategory(i64),
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
