//! What of a help center is kept.

use helpsync_model::SelectionFilter;
use helpsync_store::Brand;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, bounded};
use crate::error::ApiError;

/// The most entries of one list.
const CHOSEN_MAX: usize = 1_000;
/// The longest label.
const LABEL_CHARS_MAX: usize = 255;
/// Of the categories or sections that there are, so many are told to who named another.
const PLACES_SHOWN_MAX: usize = 20;
/// The longest locale.
const LOCALE_CHARS_MAX: usize = 35;

/// What of a help center is kept. It takes the place of all that was selected before; a list that is absent or empty is
/// no condition, and every condition must hold.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SelectionInput {
    /// Articles of these brands' help centers; `brands` of the answer says which there are.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) brand_ids: Option<Vec<Int>>,
    /// Articles of these categories, beside those of `section_ids`.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) category_ids: Option<Vec<Int>>,
    /// Articles of these sections and all below them, beside those of `category_ids`.
    #[schema(value_type = Option<Vec<i64>>)]
    pub(crate) section_ids: Option<Vec<Int>>,
    /// Articles with at least one of these labels; upper and lower case differ.
    pub(crate) labels: Option<Vec<String>>,
    /// Translations in these locales, such as `en-us`; articles without any of them are left out.
    pub(crate) locales: Option<Vec<String>>,
    /// Only articles that everybody may read: those of user segments are neither stored nor kept.
    pub(crate) public_only: Option<bool>,
    /// Keep also what hangs on the articles. Off unless told: it costs a request for each article, in the background.
    pub(crate) attachments: Option<bool>,
}

/// What of a help center is kept, and what came of changing it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SelectionView {
    pub data_source_id: i64,
    pub brand_ids: Vec<i64>,
    pub category_ids: Vec<i64>,
    pub section_ids: Vec<i64>,
    pub labels: Vec<String>,
    pub locales: Vec<String>,
    pub public_only: bool,
    pub attachments: bool,
    /// The account's brands as far as they are known, the workspace's own first. Empty where the grant does not show
    /// them, and before the first sync: then the workspace's own help center is kept.
    pub brands: Vec<BrandView>,
    /// The run that brings what is newly selected; null where nothing changed, and while the workspace waits to be
    /// connected again.
    pub run_id: Option<i64>,
    /// Files that were removed at once, each with a `FILE_DELETED`.
    pub removed: i64,
}

/// What changing the selection would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SelectionPreview {
    /// Files that would be removed at once.
    pub would_remove: i64,
    pub categories: PlacesNamed,
    pub sections: PlacesNamed,
}

/// Ids of a selection beside what the copy knows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlacesNamed {
    /// Ids of the selection that the copy does not know: mistaken, or of what was made since the last sync.
    pub unknown: Vec<i64>,
    /// Some that it knows, if there are unknown ones.
    pub known: Vec<NamedPlace>,
    /// How many it knows.
    pub known_total: usize,
}

/// A category or a section.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct NamedPlace {
    pub id: i64,
    pub name: String,
}

impl PlacesNamed {
    pub(crate) fn new(selected: &[i64], known: Vec<(i64, String)>) -> Self {
        let unknown = selected.iter().copied().filter(|id| !known.iter().any(|(known, _)| known == id));
        let unknown: Vec<i64> = unknown.collect();
        let known_total = known.len();
        let shown = if unknown.is_empty() { 0 } else { PLACES_SHOWN_MAX };
        let known = known.into_iter().take(shown).map(|(id, name)| NamedPlace { id, name }).collect();
        Self { unknown, known, known_total }
    }
}

/// A brand of the account.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct BrandView {
    pub id: i64,
    pub name: String,
    pub subdomain: String,
    /// Whether its articles are kept.
    pub selected: bool,
}

impl BrandView {
    fn new(brand: Brand, selection: &SelectionFilter) -> Self {
        let selected = selection.keeps_brand(Some(brand.id));
        Self { id: brand.id, name: brand.name, subdomain: brand.subdomain, selected }
    }
}

impl SelectionInput {
    pub(crate) fn check(self) -> Result<SelectionFilter, ApiError> {
        Ok(SelectionFilter {
            brands: numbers(self.brand_ids, "brand_ids")?,
            categories: numbers(self.category_ids, "category_ids")?,
            sections: numbers(self.section_ids, "section_ids")?,
            labels: texts(self.labels, "labels", LABEL_CHARS_MAX, |_| true)?,
            locales: texts(self.locales, "locales", LOCALE_CHARS_MAX, is_locale)?
                .into_iter()
                .map(|locale| locale.to_ascii_lowercase())
                .collect(),
            public_only: self.public_only == Some(true),
            attachments: self.attachments == Some(true),
        })
    }
}

impl SelectionView {
    pub(crate) fn new(
        data_source_id: i64,
        selection: SelectionFilter,
        brands: Vec<Brand>,
        run_id: Option<i64>,
        removed: i64,
    ) -> Self {
        Self {
            data_source_id,
            brand_ids: selection.brands.clone(),
            brands: brands.into_iter().map(|brand| BrandView::new(brand, &selection)).collect(),
            category_ids: selection.categories,
            section_ids: selection.sections,
            labels: selection.labels,
            locales: selection.locales,
            public_only: selection.public_only,
            attachments: selection.attachments,
            run_id,
            removed,
        }
    }
}

/// Brands can be selected only where they are known: what is not known is not synced.
pub(crate) fn check_brands(selection: &SelectionFilter, known: &[Brand]) -> Result<(), ApiError> {
    let unknown = |id: &&i64| !known.iter().any(|brand| brand.id == **id);
    let Some(unknown) = selection.brands.iter().find(unknown) else { return Ok(()) };
    let known: Vec<String> =
        known.iter().map(|brand| format!("{} ({})", brand.id, brand.subdomain)).collect();
    let how = if known.is_empty() {
        "the account's brands are not known: they are asked for by a full sync, with a grant that has the scope `read`"
            .to_owned()
    } else {
        format!("the account's brands are {}", known.join(", "))
    };
    Err(ApiError::field("brand_ids", format!("there is no brand {unknown}: {how}")))
}

fn is_locale(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

fn numbers(list: Option<Vec<Int>>, field: &str) -> Result<Vec<i64>, ApiError> {
    let list = bounded(list, field, CHOSEN_MAX)?.unwrap_or_default();
    if let Some(wrong) = list.iter().find(|id| id.0 <= 0) {
        return Err(ApiError::field(field, format!("{} is no id: ids are positive numbers", wrong.0)));
    }
    let mut numbers: Vec<i64> = list.iter().map(|id| id.0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn texts(
    list: Option<Vec<String>>,
    field: &str,
    chars_max: usize,
    fits: impl Fn(&str) -> bool,
) -> Result<Vec<String>, ApiError> {
    let list = bounded(list, field, CHOSEN_MAX)?.unwrap_or_default();
    let mut texts: Vec<String> = list.iter().map(|text| text.trim().to_owned()).collect();
    if texts.iter().any(|text| text.is_empty() || text.chars().count() > chars_max || !fits(text)) {
        let what = if field == "locales" { "a locale such as en-us" } else { "a text" };
        return Err(ApiError::field(field, format!("each entry is {what} of 1 to {chars_max} characters")));
    }
    texts.sort_unstable();
    texts.dedup();
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: serde_json::Value) -> Option<SelectionFilter> {
        serde_json::from_value::<SelectionInput>(value).ok()?.check().ok()
    }

    #[test]
    fn lists_are_read_in_one_form_whatever_their_order() {
        let given = json!({ "category_ids": ["7", 3, 7], "labels": [" b", "a"], "locales": ["DE", "en-us"] });
        let right = SelectionFilter {
            categories: vec![3, 7],
            labels: vec!["a".to_owned(), "b".to_owned()],
            locales: vec!["de".to_owned(), "en-us".to_owned()],
            ..SelectionFilter::default()
        };
        assert_eq!(read(given), Some(right));
        assert_eq!(read(json!({ "labels": null })), Some(SelectionFilter::default()));
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            json!({ "category_ids": [0] }),
            json!({ "section_ids": ["x"] }),
            json!({ "labels": [""] }),
            json!({ "labels": ["x".repeat(LABEL_CHARS_MAX + 1)] }),
            json!({ "locales": ["en us"] }),
            json!({ "locales": ["a".repeat(LOCALE_CHARS_MAX + 1)] }),
            json!({ "section_ids": (1..=1_001).collect::<Vec<i64>>() }),
            json!({ "sections": [1] }),
        ] {
            assert_eq!(read(wrong.clone()), None, "{wrong}");
        }
        assert!(read(json!({ "section_ids": (1..=1_000).collect::<Vec<i64>>() })).is_some());
    }
}
