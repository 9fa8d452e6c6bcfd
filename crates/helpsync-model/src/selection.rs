//! What of a help center a connection keeps.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

/// Steps up the tree at most; a loop of parents ends there.
const PARENTS_MAX: usize = 16;

/// What of a help center a connection keeps, as a person selected it. An empty list is no condition; every condition
/// must hold. Drafts are never kept, whatever it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectionFilter {
    /// Articles of these brands' help centers; of all of them if none is named.
    pub brands: Vec<i64>,
    /// Articles of these categories, beside those of `sections`.
    pub categories: Vec<i64>,
    /// Articles of these sections and of all below them, beside those of `categories`.
    pub sections: Vec<i64>,
    /// Articles with at least one of these labels; upper and lower case differ, as at Zendesk.
    pub labels: Vec<String>,
    /// Translations in these locales, lower case; an article without any of them is not kept.
    pub locales: Vec<String>,
    /// Only articles that everybody may read.
    pub public_only: bool,
    /// Also what hangs on the articles that are kept: one request more for each of them.
    pub attachments: bool,
}

/// Where a section stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The section that it is in, if it is in one.
    pub parent: Option<i64>,
    /// Its category, if that is known.
    pub category: Option<i64>,
}

/// The sections of a help center, as last seen.
#[derive(Debug, Clone, Default)]
pub struct SectionTree(pub HashMap<i64, Place>);

impl SelectionFilter {
    /// Whether articles of a brand are kept; `None`: of one that is not known, which nobody can have selected.
    #[must_use]
    pub fn keeps_brand(&self, brand: Option<i64>) -> bool {
        self.brands.is_empty() || brand.is_some_and(|brand| self.brands.contains(&brand))
    }

    /// Whether it depends on where articles stand.
    #[must_use]
    pub fn names_places(&self) -> bool {
        !self.categories.is_empty() || !self.sections.is_empty()
    }

    /// The sections that articles are kept of; `None` = it does not depend on them.
    #[must_use]
    pub fn sections_kept(&self, tree: &SectionTree) -> Option<HashSet<i64>> {
        self.names_places().then(|| {
            let known = tree.0.keys().copied().filter(|section| self.keeps_section(*section, tree));
            // A selected section counts also while the tree does not show it.
            known.chain(self.sections.iter().copied()).collect()
        })
    }

    fn keeps_section(&self, section: i64, tree: &SectionTree) -> bool {
        let mut at = Some(section);
        for _ in 0..PARENTS_MAX {
            let Some(id) = at else { return false };
            if self.sections.contains(&id) {
                return true;
            }
            let Some(place) = tree.0.get(&id) else { return false };
            if place.category.is_some_and(|category| self.categories.contains(&category)) {
                return true;
            }
            at = place.parent;
        }
        false
    }

    /// Whether one of the article's labels is selected.
    #[must_use]
    pub fn keeps_labels(&self, labels: &[String]) -> bool {
        self.labels.is_empty() || labels.iter().any(|label| self.labels.contains(label))
    }

    /// Whether a translation's locale is selected.
    #[must_use]
    pub fn keeps_locale(&self, locale: &str) -> bool {
        self.locales.is_empty() || self.locales.iter().any(|selected| selected.eq_ignore_ascii_case(locale))
    }

    /// Whether articles for these segments are kept; none = for everybody.
    #[must_use]
    pub const fn keeps_segments(&self, segments: &[i64]) -> bool {
        !self.public_only || segments.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> SectionTree {
        let place = |parent, category| Place { parent, category };
        SectionTree(HashMap::from([
            (10, place(None, Some(1))),
            (11, place(Some(10), Some(1))),
            (12, place(Some(11), None)),
            (20, place(None, Some(2))),
            (30, place(Some(31), None)),
            (31, place(Some(30), None)),
        ]))
    }

    fn kept(categories: &[i64], sections: &[i64]) -> Vec<i64> {
        let selection = SelectionFilter {
            categories: categories.to_vec(),
            sections: sections.to_vec(),
            ..SelectionFilter::default()
        };
        let mut kept: Vec<i64> = selection.sections_kept(&tree()).expect("places").into_iter().collect();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn a_section_brings_all_below_it_a_category_all_its_sections_and_both_add_up() {
        assert_eq!(kept(&[], &[10]), [10, 11, 12]);
        assert_eq!(kept(&[], &[11]), [11, 12]);
        assert_eq!(kept(&[1], &[]), [10, 11, 12]);
        assert_eq!(kept(&[2], &[12]), [12, 20]);
        assert!(SelectionFilter::default().sections_kept(&tree()).is_none(), "no condition");
    }

    #[test]
    fn a_loop_of_parents_ends_and_an_unknown_section_counts_only_when_it_is_chosen() {
        assert!(kept(&[9], &[]).is_empty());
        assert_eq!(kept(&[], &[99]), [99]);
    }

    #[test]
    fn labels_locales_and_segments_are_conditions_of_their_own() {
        let text = ["a", "b"].map(str::to_owned);
        let all = SelectionFilter::default();
        assert!(all.keeps_labels(&[]) && all.keeps_locale("de") && all.keeps_segments(&[1]));
        let some = SelectionFilter {
            labels: vec!["b".to_owned()],
            locales: vec!["de".to_owned()],
            public_only: true,
            ..SelectionFilter::default()
        };
        assert!(some.keeps_labels(&text) && !some.keeps_labels(&["B".to_owned()]) && !some.keeps_labels(&[]));
        assert!(some.keeps_locale("DE") && !some.keeps_locale("de-at"));
        assert!(some.keeps_segments(&[]) && !some.keeps_segments(&[1]));
    }

    #[test]
    fn members_that_are_not_known_yet_read_as_no_condition() {
        let read: SelectionFilter =
            serde_json::from_str(r#"{"sections":[1],"from_the_future":true}"#).expect("json");
        assert_eq!(read, SelectionFilter { sections: vec![1], ..SelectionFilter::default() });
    }
}
