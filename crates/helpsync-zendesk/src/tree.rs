//! Sections, categories and locales: what articles are sorted into.

use helpsync_model::Timestamp;
use serde_json::Value;

use crate::article::{locale, one_spelling};
use crate::articles::PAGE_SIZE_MAX;
use crate::client::{Answer, Client};
use crate::envelope::{Envelope, Next, text};
use crate::fields::Fields;
use crate::{Failure, Rejected};

/// The longest name of a locale.
const LOCALE_BYTES_MAX: usize = 32;

/// A section of a category, or of another section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its identity.
    pub id: i64,
    /// May be empty.
    pub name: String,
    /// Its category.
    pub category_id: Option<i64>,
    /// The section it is in, on plans with nesting.
    pub parent_section_id: Option<i64>,
    /// The locale shown.
    pub locale: String,
    /// For people.
    pub html_url: String,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// A category: the top of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Its identity.
    pub id: i64,
    /// May be empty.
    pub name: String,
    /// The locale shown.
    pub locale: String,
    /// For people.
    pub html_url: String,
    /// Last change.
    pub updated_at: Option<Timestamp>,
}

/// One page of sections or categories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreePage<T> {
    /// The records.
    pub items: Vec<T>,
    /// Records that could not be read.
    pub rejected: Vec<Rejected>,
    /// Records in the whole list.
    pub count: Option<u64>,
    /// Pages in the whole list.
    pub page_count: Option<u32>,
    /// Where the list goes on.
    pub next: Next,
}

/// The languages of a help center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locales {
    /// Spelt as Zendesk does, for they are put into paths; each once, whatever its spellings.
    pub locales: Vec<String>,
    /// The one that readers land on, where Zendesk tells. It may be missing from the list.
    pub default_locale: Option<String>,
}

/// Whether two spellings are of one locale: `en-US`, `en_us` and `en-us` are.
#[must_use]
pub fn same_locale(one: &str, other: &str) -> bool {
    one_spelling(one) == one_spelling(other)
}

fn fit_for_paths(locale: &str) -> Option<String> {
    let locale = locale.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let fits = !locale.is_empty() && locale.len() <= LOCALE_BYTES_MAX && locale.chars().all(plain);
    fits.then(|| locale.to_owned())
}

impl Section {
    pub(crate) fn read(fields: &Fields) -> Result<Self, String> {
        Ok(Self {
            id: fields.id("id").ok_or("id is missing or no number")?,
            name: fields.text("name"),
            category_id: fields.id("category_id"),
            parent_section_id: fields.id("parent_section_id"),
            locale: locale(fields, "locale"),
            html_url: fields.text("html_url"),
            updated_at: fields.time("updated_at"),
        })
    }
}

impl Category {
    pub(crate) fn read(fields: &Fields) -> Result<Self, String> {
        Ok(Self {
            id: fields.id("id").ok_or("id is missing or no number")?,
            name: fields.text("name"),
            locale: locale(fields, "locale"),
            html_url: fields.text("html_url"),
            updated_at: fields.time("updated_at"),
        })
    }
}

impl Client {
    /// Offset page `page` (from 1) of the sections, latest change first, [`PAGE_SIZE_MAX`] a page.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn sections(&self, page: u32) -> Result<Answer<TreePage<Section>>, Failure> {
        self.tree_page("sections", page, Section::read).await
    }

    /// Offset page `page` (from 1) of the categories, latest change first, [`PAGE_SIZE_MAX`] a page.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn categories(&self, page: u32) -> Result<Answer<TreePage<Category>>, Failure> {
        self.tree_page("categories", page, Category::read).await
    }

    /// The help center's languages.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn locales(&self) -> Result<Answer<Locales>, Failure> {
        self.get("/api/v2/help_center/locales", &[]).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let told: Vec<Value> =
                envelope.value("locales").ok_or_else(|| Failure::malformed("locales is missing"))?;
            let mut locales: Vec<String> = Vec::new();
            for locale in told.iter().filter_map(Value::as_str).filter_map(fit_for_paths) {
                if !locales.iter().any(|known| same_locale(known, &locale)) {
                    locales.push(locale);
                }
            }
            let default_locale = envelope.value::<String>("default_locale");
            Ok(Locales { locales, default_locale: default_locale.as_deref().and_then(fit_for_paths) })
        })
    }

    async fn tree_page<T>(
        &self,
        key: &str,
        page: u32,
        read: impl Fn(&Fields) -> Result<T, String>,
    ) -> Result<Answer<TreePage<T>>, Failure> {
        let (number, size) = (page.to_string(), PAGE_SIZE_MAX.to_string());
        let path = self.localized(key);
        let pairs =
            [("sort_by", "updated_at"), ("sort_order", "desc"), ("page", &number), ("per_page", &size)];
        self.get(&path, &pairs).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let (items, rejected) = envelope.records(key, |fields| read(fields))?;
            Ok(TreePage {
                items,
                rejected,
                count: envelope.count("count"),
                page_count: envelope.count("page_count").and_then(|count| count.try_into().ok()),
                next: envelope.next_offset(self.endpoint(), page)?,
            })
        })
    }
}
