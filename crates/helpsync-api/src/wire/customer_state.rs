//! How customers stand.

use helpsync_model::OrganizationId;
use helpsync_store::{
    CustomerFilter, CustomerSearch, CustomerSort, CustomerState, HeldFile, Viewer, WorkspaceState,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Int, SOUGHT_CHARS_MAX, short, time, web_address};
use crate::error::ApiError;

/// Which customers.
#[derive(Deserialize)]
pub(crate) struct CustomersQuery {
    after: Option<Int>,
    after_age: Option<Int>,
    pub(crate) limit: Option<Int>,
    search: Option<String>,
    state: Option<String>,
    sort: Option<String>,
    organization_user_id: Option<Int>,
}

impl CustomersQuery {
    /// As the store takes them, `limit` at most.
    pub(crate) fn check(self, organization: OrganizationId, limit: u32) -> Result<CustomerSearch, ApiError> {
        short(self.search.as_deref(), "search", SOUGHT_CHARS_MAX)?;
        let filter = match self.state.as_deref() {
            None | Some("") => None,
            Some("syncing") => Some(CustomerFilter::Syncing),
            Some("ready") => Some(CustomerFilter::Ready),
            Some("failed") => Some(CustomerFilter::Failed),
            Some("reconnect") => Some(CustomerFilter::Reconnect),
            Some("paused") => Some(CustomerFilter::Paused),
            Some("held") => Some(CustomerFilter::Held),
            Some("dead_letters") => Some(CustomerFilter::DeadLetters),
            Some("not_connected") => Some(CustomerFilter::NotConnected),
            Some(_) => {
                return Err(ApiError::bad(
                    "state is one of syncing, ready, failed, reconnect, paused, held, dead_letters and not_connected",
                ));
            }
        };
        let sort = match self.sort.as_deref() {
            None | Some("" | "id") => CustomerSort::Id,
            Some("age") => CustomerSort::Age,
            Some(_) => return Err(ApiError::bad("sort is one of id and age")),
        };
        // Ages begin below 0: copies that were never complete have none.
        let first_age = if self.after.is_some() { 0 } else { -1 };
        Ok(CustomerSearch {
            organization,
            id: self.organization_user_id.map(|id| id.0),
            text: self.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
            filter,
            sort,
            after: self.after.map_or(0, |after| after.0),
            after_age: self.after_age.map_or(first_age, |age| age.0),
            limit,
        })
    }
}

/// How a customer stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CustomerView {
    pub customer_id: String,
    pub organization_user_id: i64,
    /// Since when a person has paused its work.
    pub paused_at: Option<String>,
    /// Whether it is synced by itself, by its own setting or its organization's.
    pub scheduled: bool,
    /// Hours between its scheduled syncs, if it has an interval of its own.
    pub interval_hours: Option<i64>,
    /// Files shown.
    pub files: i64,
    /// Its connected workspace.
    pub workspace: Option<WorkspaceView>,
}

/// A connected workspace, its brands included.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct WorkspaceView {
    pub data_source_id: i64,
    pub subdomain: String,
    /// `active`, or `paused`: its grant has ended, and it waits to be connected again.
    pub state: String,
    pub pause_reason: Option<String>,
    /// What its grant allows, as Zendesk said it, separated by spaces.
    pub scopes: String,
    /// Who granted it.
    pub granted_by: String,
    /// `QUEUED_FOR_SYNCING`, `SYNCING`, `READY` or `SYNC_ERROR`.
    pub sync_status: String,
    /// When a sync last ended well.
    pub complete_at: Option<String>,
    /// Seconds since then.
    pub age_seconds: Option<i64>,
    /// When its schedule fires next.
    pub next_sync_at: Option<String>,
    /// Files whose removal waits for a person.
    pub held: i64,
    /// Shards that gave up.
    pub dead_letters: i64,
    /// The run under way.
    pub run_id: Option<i64>,
    /// What that waits for, in words.
    pub waiting_for: Option<String>,
    /// Of what kind that is: `suspended`, `help_center`, `budget`, `service`, `token`, `turn`, `moment`, `zendesk`, `person` or
    /// `other`.
    pub waiting_kind: Option<String>,
    /// Until when; null when it waits for nothing but a free worker.
    pub waiting_until: Option<String>,
    /// What is wrong with Zendesk's events, if anything: changes then come with the next sync.
    pub events_error: Option<String>,
}

impl CustomerView {
    pub(crate) fn new(state: CustomerState, now_ms: i64) -> Self {
        Self {
            customer_id: state.customer_id,
            organization_user_id: state.id,
            paused_at: state.paused_at.map(time),
            scheduled: state.is_scheduled,
            interval_hours: state.interval_hours,
            files: state.files,
            workspace: state.workspace.map(|workspace| WorkspaceView::new(workspace, now_ms)),
        }
    }
}

impl WorkspaceView {
    fn new(state: WorkspaceState, now_ms: i64) -> Self {
        Self {
            data_source_id: state.connection.0,
            subdomain: state.subdomain,
            state: state.state,
            pause_reason: state.pause_reason,
            scopes: state.scopes,
            granted_by: state.account_label,
            sync_status: state.sync_status,
            complete_at: state.complete_at.map(time),
            age_seconds: state.complete_at.map(|at| (now_ms - at).max(0) / 1_000),
            next_sync_at: state.next_sync_at.map(time),
            held: state.held,
            dead_letters: state.dead_letters,
            run_id: state.run,
            waiting_for: state.waiting_for,
            waiting_kind: state.waiting_kind.map(|kind| kind.as_str().to_owned()),
            waiting_until: state.waiting_until.filter(|at| *at > now_ms).map(time),
            events_error: state.events_error,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Customers {
    /// Oldest first.
    pub customers: Vec<CustomerView>,
    /// Pass it as `after` to read on; null at the end.
    pub next: Option<i64>,
    /// By age: pass it as `after_age` with that.
    pub next_age: Option<i64>,
}

/// A file whose removal waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldFileView {
    pub id: i64,
    /// Zendesk's.
    pub article_id: i64,
    /// Empty where whoever reads may not know of the article.
    pub name: String,
    pub external_url: Option<String>,
    pub held_at: String,
}

impl HeldFileView {
    /// As this reader may see it.
    pub(crate) fn new(file: HeldFile, viewer: Option<&Viewer>) -> Self {
        let is_shown = viewer.is_none_or(|viewer| viewer.may_read(&file.user_segment_ids));
        Self {
            id: file.id,
            article_id: file.article_id,
            name: if is_shown { file.name } else { String::new() },
            external_url: web_address(file.external_url.filter(|_| is_shown)),
            held_at: time(file.held_at),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct HeldFiles {
    /// Oldest first.
    pub held: Vec<HeldFileView>,
    /// Pass it as `after` to read on; null at the end.
    pub next: Option<i64>,
}

/// What came of refusing removals.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedRemovals {
    /// Files that are kept.
    pub(crate) kept: u64,
}
