//! Categories and sections of a help center, to be chosen by name.

use std::collections::{BTreeMap, HashSet};

use maud::{Markup, html};

/// Sections within sections; a loop of parents ends there.
const DEPTH_MAX: usize = 16;
/// The field of a chosen category.
pub const CATEGORY: &str = "category";
/// The field of a chosen section.
pub const SECTION: &str = "section";

/// A category or a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// Zendesk's id.
    pub id: i64,
    /// The folder that it stands in.
    pub parent: Option<i64>,
    /// What people call it.
    pub name: String,
    /// Otherwise a section.
    pub is_category: bool,
}

/// Boxes for folders, in the order of their tree. What is chosen beyond those that are shown stays chosen.
#[must_use]
pub fn folders(folders: &[Folder], categories: &[i64], sections: &[i64], read_only: bool) -> Markup {
    let shown: HashSet<i64> = folders.iter().map(|folder| folder.id).collect();
    let hidden = |name: &'static str, ids: &[i64]| {
        let beyond: Vec<i64> = ids.iter().copied().filter(|id| !shown.contains(id)).collect();
        html! { @for id in &beyond { input type="hidden" name=(name) value=(id); } }
    };
    html! {
        @for (folder, depth) in in_order(folders) {
            @let (name, chosen) = if folder.is_category { (CATEGORY, categories) } else { (SECTION, sections) };
            label class=(if depth > 0 { "check below" } else { "check" }) {
                input type="checkbox" name=(name) value=(folder.id) checked[chosen.contains(&folder.id)]
                    disabled[read_only];
                span { (folder.name) }
            }
        }
        (hidden(CATEGORY, categories))
        (hidden(SECTION, sections))
    }
}

/// Folders, each followed by those that stand in it.
fn in_order(folders: &[Folder]) -> Vec<(&Folder, usize)> {
    let known: HashSet<i64> = folders.iter().map(|folder| folder.id).collect();
    let mut below: BTreeMap<Option<i64>, Vec<&Folder>> = BTreeMap::new();
    for folder in folders {
        let parent = folder.parent.filter(|parent| known.contains(parent));
        below.entry(parent).or_default().push(folder);
    }
    let mut ordered = Vec::new();
    let mut waiting: Vec<(&Folder, usize)> = Vec::new();
    let push = |waiting: &mut Vec<_>, parent: Option<i64>, depth: usize| {
        waiting.extend(below.get(&parent).into_iter().flatten().rev().map(|folder| (*folder, depth)));
    };
    push(&mut waiting, None, 0);
    while let Some((folder, depth)) = waiting.pop() {
        ordered.push((folder, depth));
        if depth < DEPTH_MAX {
            push(&mut waiting, Some(folder.id), depth + 1);
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(id: i64, parent: Option<i64>) -> Folder {
        Folder { id, parent, name: format!("<{id}>"), is_category: parent.is_none() }
    }

    #[test]
    fn folders_stand_below_their_own_and_a_loop_ends() {
        let all =
            [folder(1, None), folder(2, None), folder(3, Some(1)), folder(4, Some(3)), folder(5, Some(99))];
        let told: Vec<(i64, usize)> =
            in_order(&all).iter().map(|(folder, depth)| (folder.id, *depth)).collect();
        assert_eq!(told, [(1, 0), (3, 1), (4, 2), (2, 0), (5, 0)]);
        assert!(in_order(&[folder(6, Some(7)), folder(7, Some(6))]).is_empty());
    }

    #[test]
    fn what_is_chosen_and_not_shown_stays_chosen() {
        let html = folders(&[folder(1, None), folder(3, Some(1))], &[1, 8], &[9], false).into_string();
        assert!(
            html.contains("name=\"category\" value=\"1\" checked") && html.contains("&lt;1&gt;"),
            "{html}"
        );
        assert!(html.contains("name=\"section\" value=\"3\">"), "{html}");
        for (name, id) in [("category", 8), ("section", 9)] {
            assert!(html.contains(&format!("type=\"hidden\" name=\"{name}\" value=\"{id}\"")), "{html}");
        }
    }
}
