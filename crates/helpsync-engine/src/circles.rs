//! Lists by cursor that do not end: pages that bring nothing, and pages that come again.

use std::collections::HashSet;

use helpsync_model::ListCursor;
use helpsync_zendesk::Article;

/// Pages in a row that bring no article that the one before did not end with, before the list counts as one without end.
const IDLE_PAGES_MAX: u32 = 10;
/// So often a list comes by one article again before it counts as one that runs in a circle. Some step back now and then.
const ROUNDS_MAX: u32 = 6;
/// When an article was created (ms), and its id.
pub(crate) type Key = (i64, i64);

pub(crate) fn key(article: &Article) -> Key {
    (article.created_at.as_millisecond(), article.id)
}

/// Counts how often the walk came by an article again. Pages may overlap, so one that stays in sight does not count.
pub(crate) fn go_round(at: &mut ListCursor, page: &HashSet<Key>) {
    let mut is_here = at.landmark.is_some_and(|landmark| page.contains(&landmark));
    if is_here && !at.at_landmark {
        at.rounds += 1;
    } else if !is_here && at.rounds == 0 && at.pages.is_power_of_two() {
        at.landmark = at.edge;
        is_here = true;
    }
    at.at_landmark = is_here;
}

/// Why a list that has not ended is not followed any further.
pub(crate) fn leads_nowhere(at: &ListCursor) -> Option<String> {
    if at.ended {
        None
    } else if at.idle >= IDLE_PAGES_MAX {
        Some(format!("{IDLE_PAGES_MAX} pages of the list in a row led nowhere"))
    } else if at.rounds >= ROUNDS_MAX {
        Some(format!("the list ran in a circle, {ROUNDS_MAX} times over"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many pages of a list are read whose page `number` has these articles; `None`: more than 10,000.
    fn pages_read(page: impl Fn(i64) -> std::ops::Range<i64>, articles: i64) -> Option<usize> {
        let mut walk = ListCursor::default();
        (0..10_000).position(|number| {
            let keys: Vec<Key> = page(number).map(|place| (place % articles, 0)).collect();
            (walk.edge, walk.pages) = (keys.last().copied(), walk.pages + 1);
            go_round(&mut walk, &keys.into_iter().collect());
            leads_nowhere(&walk).is_some()
        })
    }

    #[test]
    fn a_list_that_runs_in_a_circle_is_found_out_whatever_its_length() {
        for articles in [120, 200, 251, 300, 1_999, 20_000] {
            let asked = pages_read(|number| number * 100..number * 100 + 100, articles).unwrap();
            let round = usize::try_from(articles / 100 + 1).unwrap();
            assert!(asked <= round * 10 + 40, "{articles}: {asked}");
        }
        let whole = i64::MAX;
        assert_eq!(pages_read(|number| number * 100..number * 100 + 100, whole), None);
        assert_eq!(pages_read(|number| number * 7..number * 7 + 100, whole), None, "pages overlap");
        let steps_back =
            |number: i64| (number - number / 900 * 5) * 100..(number - number / 900 * 5) * 100 + 100;
        assert_eq!(pages_read(steps_back, whole), None);
    }
}
