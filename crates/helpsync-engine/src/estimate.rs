//! What a first sync would take, before it is started: the plan that it would choose, and the requests of all that it reads.

use std::time::Duration;

use helpsync_model::{ExportAccess, OrganizationId, Plan};
use helpsync_store::Compared;
use helpsync_zendesk::{EXPORT_PAGE_MAX, OFFSET_RECORDS_MAX, PAGE_SIZE_MAX};

use crate::Engine;
use crate::outcome::HandlerError;

/// Asks which brands the account has; one page holds those of most accounts.
const BRANDS: u64 = 1;
/// The lists of sections and of categories, where articles do not bring all of them; one page each of most help centers.
const TREE: u64 = 2;
/// Names of content tags.
const TAGS: u64 = 1;
/// Counts the articles: beside the first page, where the latest change is told too, and afterwards to see whether that was all.
const COUNTS: u64 = 2;
/// Asks for the export, which refuses, and once more afterwards.
const REFUSED_EXPORT: u64 = 2;
/// Asks which locales there are.
const LOCALES: u64 = 1;
/// Both walks of a list by cursor read the page where they meet.
const MEETING: u64 = 1;

/// What a first sync would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Estimate {
    /// Articles that Zendesk counts, drafts included.
    pub articles: u64,
    /// How they would be read.
    pub plan: Plan,
    /// Why so, for people.
    pub plan_reason: String,
    /// Requests for that.
    pub requests: u64,
    /// Requests a minute that the account's budget gives.
    pub requests_per_minute: u32,
}

impl Estimate {
    /// How long the requests take by the budget alone.
    #[must_use]
    pub fn takes(&self) -> Duration {
        let minutes = f64::from(u32::try_from(self.requests).unwrap_or(u32::MAX))
            / f64::from(self.requests_per_minute.max(1));
        Duration::from_secs_f64(minutes * 60.0)
    }
}

impl Engine {
    /// What a first sync of a help center would take. One request, or one for each locale that lists are read by; nothing is
    /// changed.
    ///
    /// # Errors
    /// [`HandlerError`].
    pub async fn estimate(
        &self,
        organization: OrganizationId,
        compared: &Compared,
    ) -> Result<Estimate, HandlerError> {
        let (account, home) = self.account_of(organization, compared)?;
        let by_list = matches!(compared.export_access, Some(ExportAccess::Refused | ExportAccess::Lost));
        let by_locale = by_list && compared.list_locales.len() > 1;
        let asked = if by_locale { compared.list_locales.as_slice() } else { &[] };
        let first = compared.list_locales.first().map(String::as_str);
        let asked = std::iter::once(first).chain(asked.iter().skip(1).map(|locale| Some(locale.as_str())));
        let mut lists = Vec::new();
        for locale in asked {
            let counted = account.client.in_locale(locale).count_articles().await;
            lists.push(counted.map_err(HandlerError::of_list)?.value);
        }
        // The list of the default locale, or all there is.
        let articles = lists.first().copied().unwrap_or(0);
        let (plan, reason) = match (by_list, by_locale) {
            (false, _) => (Plan::Export, "the incremental export brings up to 1,000 articles a request"),
            (true, true) => {
                (Plan::Locales, "the incremental export is refused to this grant: the list of each locale")
            }
            (true, false) if articles <= OFFSET_RECORDS_MAX => (
                Plan::OffsetPages,
                "the incremental export is refused to this grant: pages of the list by number",
            ),
            (true, false) => (
                Plan::CursorEnds,
                "the incremental export is refused to this grant: the list by cursor, from both ends",
            ),
        };
        let is_home = compared.connection == compared.granted.connection;
        Ok(Estimate {
            articles,
            plan,
            plan_reason: reason.to_owned(),
            requests: requests(plan, &lists, is_home),
            requests_per_minute: self.accounts.requests_per_minute(&home).await,
        })
    }
}

/// Requests of a first sync of lists with so many articles each. Not among them: attachments, which are asked for one
/// article at a time, tries that failed, and what changes meanwhile.
fn requests(plan: Plan, lists: &[u64], is_home: bool) -> u64 {
    let per_page = if plan == Plan::Export { EXPORT_PAGE_MAX as u64 } else { u64::from(PAGE_SIZE_MAX) };
    let pages: u64 = lists.iter().map(|articles| articles.div_ceil(per_page).max(1)).sum();
    let brands = if is_home { BRANDS } else { 0 };
    let around = brands + TREE + TAGS;
    match plan {
        Plan::Locales => pages + around + REFUSED_EXPORT + LOCALES + lists.len() as u64,
        Plan::OffsetPages => pages + around + COUNTS + REFUSED_EXPORT,
        Plan::CursorEnds => pages + around + COUNTS + REFUSED_EXPORT + MEETING,
        _ => pages + around + COUNTS,
    }
}

#[cfg(test)]
mod tests {
    use helpsync_model::{ListParams, Measured, ShardParams};

    use super::*;
    use crate::planning::whole_list;

    /// Pages that the shards of a plan read.
    fn planned(count: u64) -> (Plan, u64) {
        let (plan, _, shards) = whole_list(Measured { newest: 0, count, crowded: None }, 4);
        let pages = shards.iter().map(|shard| match &shard.params {
            ShardParams::WalkList(ListParams::Pages { first, last, .. }) => u64::from(last - first + 1),
            ShardParams::WalkList(ListParams::End { pages, .. }) => *pages,
            other => panic!("{other:?}"),
        });
        (plan, pages.sum())
    }

    #[test]
    fn as_many_pages_are_estimated_as_the_shards_of_the_plan_read() {
        for (count, by) in [
            (1, Plan::OffsetPages),
            (9_999, Plan::OffsetPages),
            (10_001, Plan::CursorEnds),
            (1_000_050, Plan::CursorEnds),
        ] {
            let (plan, pages) = planned(count);
            assert_eq!(plan, by);
            let around = BRANDS + TREE + TAGS + COUNTS + REFUSED_EXPORT;
            assert_eq!(requests(plan, &[count], true), pages + around, "{count}");
        }
        // A brand below the account does not ask for brands.
        assert_eq!(requests(Plan::Export, &[2_500], true), requests(Plan::Export, &[2_500], false) + BRANDS);
        assert_eq!(
            requests(Plan::Locales, &[250, 90], false),
            4 + TREE + TAGS + REFUSED_EXPORT + LOCALES + 2
        );
    }
}
