//! What differs between a copy and its help center, and what a sync would take.

use std::collections::BTreeMap;

use helpsync_engine::Estimate;
use helpsync_store::{Compared, Difference, Freshness};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, time};

/// Which copy to compare.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VerifyInput {
    pub(crate) customer_id: Option<String>,
    #[schema(value_type = Option<i64>)]
    pub(crate) data_source_id: Option<Int>,
    /// Start the run that mends what differs.
    pub(crate) repair: Option<bool>,
}

/// Whose.
#[derive(Deserialize)]
pub(crate) struct WhoseQuery {
    pub(crate) customer_id: Option<String>,
    pub(crate) data_source_id: Option<Int>,
}

/// Whose copies, and how many.
#[derive(Deserialize)]
pub(crate) struct FreshnessQuery {
    pub(crate) customer_id: Option<String>,
    pub(crate) limit: Option<Int>,
}

/// A line of the answer to a comparison.
#[derive(Serialize)]
pub(crate) struct DifferenceView<'a> {
    workspace: &'a str,
    article_id: i64,
    file_id: Option<i64>,
    cause: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    here_updated_at: Option<String>,
    there_updated_at: Option<String>,
}

impl<'a> DifferenceView<'a> {
    pub(crate) fn new(compared: &'a Compared, difference: &'a Difference) -> Self {
        Self {
            workspace: &compared.subdomain,
            article_id: difference.article_id,
            file_id: difference.file_id,
            cause: difference.cause.as_str(),
            detail: difference.detail.as_deref(),
            here_updated_at: difference.here_updated_at.map(time),
            there_updated_at: difference.there_updated_at.map(time),
        }
    }
}

/// What a comparison came to.
#[derive(Default, Serialize)]
pub(crate) struct VerifyTotals {
    /// Articles that Zendesk showed, drafts included.
    pub(crate) shown: u64,
    /// Requests that it took.
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// Differences of any cause.
    pub(crate) differences: u64,
    /// Those of them that a run can mend.
    pub(crate) mendable: u64,
    pub(crate) by_cause: BTreeMap<&'static str, u64>,
}

impl VerifyTotals {
    pub(crate) fn count(&mut self, difference: &Difference) {
        self.differences += 1;
        self.mendable += u64::from(difference.cause.is_mendable());
        *self.by_cause.entry(difference.cause.as_str()).or_default() += 1;
    }
}

/// What a first sync of one help center would take.
#[derive(Serialize, ToSchema)]
pub(crate) struct EstimateView {
    pub(crate) workspace: String,
    /// That Zendesk counts, drafts included.
    pub(crate) articles: u64,
    /// How they would be read; as of runs.
    pub(crate) plan: &'static str,
    pub(crate) plan_reason: String,
    pub(crate) requests: u64,
    /// That the account's budget gives now.
    pub(crate) requests_per_minute: u32,
    /// By the budget alone.
    pub(crate) seconds: u64,
}

impl EstimateView {
    pub(crate) fn new(compared: &Compared, estimate: Estimate) -> Self {
        Self {
            workspace: compared.subdomain.clone(),
            articles: estimate.articles,
            plan: estimate.plan.as_str(),
            seconds: estimate.takes().as_secs_f64().ceil() as u64,
            plan_reason: estimate.plan_reason,
            requests: estimate.requests,
            requests_per_minute: estimate.requests_per_minute,
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Estimates {
    pub(crate) data_source_id: i64,
    /// Its own, then those of its brands.
    pub(crate) help_centers: Vec<EstimateView>,
}

/// How fresh a copy is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FreshnessView {
    pub data_source_id: i64,
    pub customer_id: String,
    pub workspace: String,
    /// When a sync was complete last; null: never yet.
    pub complete_at: Option<String>,
    /// Seconds since then.
    pub age_seconds: Option<i64>,
    /// Everything that changed up to then is stored.
    pub stored_up_to: Option<String>,
    /// When the oldest change was told of that is known and not stored yet: by an event of Zendesk's, or by work that gave
    /// up. Null: none is known.
    pub oldest_missing_at: Option<String>,
    /// When the schedule fires next; null: it is off.
    pub next_sync_at: Option<String>,
}

impl FreshnessView {
    pub(crate) fn new(freshness: Freshness, now: i64) -> Self {
        Self {
            data_source_id: freshness.connection.0,
            customer_id: freshness.customer,
            workspace: freshness.subdomain,
            complete_at: freshness.complete_at.map(time),
            age_seconds: freshness.complete_at.map(|at| now.saturating_sub(at).max(0) / 1_000),
            stored_up_to: freshness.stored_up_to.map(time),
            oldest_missing_at: freshness.oldest_missing_at.map(time),
            next_sync_at: freshness.next_sync_at.map(time),
        }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct FreshnessList {
    /// Those that were complete longest ago first.
    pub(crate) copies: Vec<FreshnessView>,
}
