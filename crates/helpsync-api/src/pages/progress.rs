//! How the first sync goes, until everything is here: live where there are scripts, loaded again where there are none.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use helpsync_account::subscriptions::scopes_allow;
use helpsync_model::{
    ConnectionId, ConnectionState, DataSourceStatus, NO_HELP_CENTER, OrganizationId, Plan, RunKind, RunState,
    Stage, WaitKind,
};
use helpsync_pages::Page;
use helpsync_store::{Connection, Run};
use maud::html;
use serde::{Deserialize, Serialize};

use super::callback::{broken, not_ours};
use super::{look, stream, texts};
use crate::Api;
use crate::auth::check_key_lives;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::signing::Purpose;

/// How long the page can be loaded again.
const PAGE_LIFE: Duration = Duration::from_secs(24 * 3_600);
/// How often a page without scripts is loaded again.
const RELOAD_SECONDS: u32 = 5;
/// Shards of a run whose errors say what stopped it.
const SHARDS_LOOKED_AT: u32 = 100;
const SCRIPT: &str = include_str!("progress.js");

/// What the page's address says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProgressClaim {
    /// The organization.
    pub(crate) o: i64,
    /// The connection.
    pub(crate) d: i64,
    /// When that was made.
    pub(crate) c: i64,
    /// What was noticed when it was granted.
    pub(crate) r: Option<Remark>,
    /// The way back to the application.
    pub(crate) b: Option<String>,
    /// The API key that the link before it was made with: the page does not outlive that.
    pub(crate) k: Option<i64>,
}

/// What a person should know before it surprises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Remark {
    /// An end user granted access.
    EndUser,
    /// Zendesk shows no help center.
    NoHelpCenter,
    /// The account is suspended.
    Suspended,
}

impl Remark {
    /// What stopped a run, where a person at Zendesk can do something about it.
    pub(super) async fn of_stopped(api: &Api, run: &Run) -> Result<Option<Self>, ApiError> {
        if run.state != RunState::Failed {
            return Ok(None);
        }
        let shards = api.store().admin().timeline(run.organization, run.id, SHARDS_LOOKED_AT).await?;
        let mut errors = shards.iter().filter_map(|shard| shard.error.as_deref());
        Ok(errors.any(|error| error.contains(NO_HELP_CENTER)).then_some(Self::NoHelpCenter))
    }

    /// Whether what a sync waits for is the same.
    const fn is_waited_for(self, kind: Option<WaitKind>) -> bool {
        matches!(
            (self, kind),
            (Self::Suspended, Some(WaitKind::Suspended)) | (Self::NoHelpCenter, Some(WaitKind::HelpCenter))
        )
    }

    /// `goes_on`: something asks Zendesk again without anybody's help.
    pub(super) fn text(self, goes_on: bool) -> String {
        let (what, next) = match (self, goes_on) {
            (Self::EndUser, _) => return texts::END_USER.to_owned(),
            (Self::NoHelpCenter, true) => (texts::HELP_CENTER_OFF, texts::ARRIVE_BY_THEMSELVES),
            (Self::Suspended, true) => (texts::ACCOUNT_SUSPENDED, texts::ARRIVE_BY_THEMSELVES),
            (Self::NoHelpCenter, false) => (texts::HELP_CENTER_OFF, texts::ASK_TO_SYNC),
            (Self::Suspended, false) => (texts::ACCOUNT_SUSPENDED, texts::ASK_TO_SYNC),
        };
        format!("{what} {next}")
    }
}

/// All that the page shows of a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Snapshot {
    title: String,
    headline: String,
    lines: Vec<String>,
    /// What a person should know before it surprises, if anything.
    remark: Option<String>,
    /// Articles looked at, of so many.
    done: i64,
    total: Option<i64>,
    failed: bool,
    ended: bool,
}

impl Snapshot {
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }
}

pub(super) fn endpoints() -> Vec<Endpoint> {
    let token = "From the address that the callback leads to";
    vec![
        get(
            "/integrations/zendesk/progress",
            Access::Open,
            "How the first sync goes; a page for people",
            show,
        )
        .parameter("token", "string", token)
        .gives_text("text/html"),
        get(
            "/integrations/zendesk/progress/events",
            Access::Open,
            "The same as server-sent events, for that page",
            events,
        )
        .parameter("token", "string", token)
        .gives_text("text/event-stream"),
    ]
}

#[derive(Deserialize)]
struct TokenQuery {
    token: Option<String>,
}

/// The token of the page's address.
pub(super) fn token(api: &Api, claim: ProgressClaim) -> String {
    api.signer().sign(Purpose::ProgressUrl, claim, api.ends_in(PAGE_LIFE))
}

fn read(api: &Api, query: Result<Query<TokenQuery>, ApiError>) -> Option<(String, ProgressClaim)> {
    let token = query.ok()?.0.token?;
    let claim = api.signer().read(Purpose::ProgressUrl, &token, api.now_ms())?;
    Some((token, claim))
}

async fn events(State(api): State<Api>, query: Result<Query<TokenQuery>, ApiError>) -> Response {
    let Some((_, claim)) = read(&api, query) else {
        return ApiError::bad("this link has expired, or is not one of ours").into_response();
    };
    if let Err(error) = check_key_lives(&api, OrganizationId(claim.o), claim.k).await {
        return error.into_response();
    }
    stream::follow(api, claim).unwrap_or_else(IntoResponse::into_response)
}

async fn show(State(api): State<Api>, query: Result<Query<TokenQuery>, ApiError>) -> Response {
    let Some((token, claim)) = read(&api, query) else { return not_ours().into() };
    let organization = OrganizationId(claim.o);
    if let Err(error) = check_key_lives(&api, organization, claim.k).await {
        return broken(error).into();
    }
    let look = look(&api, organization).await;
    let page = match snapshot(&api, organization, ConnectionId(claim.d), &claim).await {
        Ok(now) => page(&now, &format!("?token={token}")),
        Err(error) => broken(error),
    };
    look.on(look.back(page, claim.b.as_deref())).into()
}

fn page(now: &Snapshot, address: &str) -> Page {
    let page = if now.failed {
        Page::failed(axum::http::StatusCode::OK, &now.title)
    } else {
        Page::good(&now.title)
    };
    let page = page.part(html! {
        div aria-live="polite" {
            p { strong #headline { (now.headline) } }
            div #lines { @for line in &now.lines { p { (line) } } }
        }
        progress #bar aria-label=(texts::IN_PROGRESS) hidden[now.ended] max=(now.total.unwrap_or(1))
            value=[now.total.map(|total| now.done.min(total))] {}
        div.note.warn #remark hidden[now.remark.is_none()] { p { (now.remark.as_deref().unwrap_or_default()) } }
    });
    if now.ended {
        return page;
    }
    texts::reload(page, address).refresh(RELOAD_SECONDS, address).script(SCRIPT)
}

/// How the connection's newest sync goes now.
pub(super) async fn snapshot(
    api: &Api,
    organization: OrganizationId,
    connection: ConnectionId,
    claim: &ProgressClaim,
) -> Result<Snapshot, ApiError> {
    let found = api.store().admin().connection(organization, connection).await?;
    if found.created_at != claim.c {
        return Err(ApiError::missing("connection"));
    }
    let runs = api.store().admin().runs(organization, Some(connection), 1).await?;
    let mut now = tell(&found, runs.first(), claim.r);
    if now.failed
        && now.remark.is_none()
        && let Some(run) = runs.first()
    {
        let remark = Remark::of_stopped(api, run).await?;
        now.remark = remark.map(|remark| remark.text(found.next_sync_at.is_some()));
    }
    // Asked once, at the end: a stream ends with this.
    if now.ended && !now.failed && !runs.is_empty() {
        let keeps_up = keeps_up(api, &found).await?;
        let then = match (found.is_customer_paused, keeps_up) {
            (true, _) => texts::KEEPS_UP_RESUMED,
            (false, true) => texts::KEEPS_UP,
            (false, false) => texts::KEEPS_UP_WHEN_ASKED,
        };
        now.lines.push(then.to_owned());
    }
    Ok(now)
}

/// Whether changes come without anybody asking: by the schedule, or by Zendesk's events.
async fn keeps_up(api: &Api, connection: &Connection) -> Result<bool, ApiError> {
    let admin = api.store().admin();
    let state = admin.customer_state(connection.organization, &connection.customer_external_id).await?;
    let Some(state) = state.filter(|state| state.paused_at.is_none()) else { return Ok(false) };
    let has_events =
        state.workspace.is_some_and(|one| scopes_allow(&one.scopes) && one.events_error.is_none());
    Ok(connection.next_sync_at.is_some() || has_events)
}

fn tell(connection: &Connection, run: Option<&Run>, remark: Option<Remark>) -> Snapshot {
    let mut now = Snapshot {
        title: texts::is_connected(&connection.subdomain),
        headline: String::new(),
        lines: Vec::new(),
        remark: None,
        done: 0,
        total: None,
        failed: false,
        ended: true,
    };
    let stopped = |now: Snapshot, title: &str, next: &str| Snapshot {
        title: title.to_owned(),
        headline: next.to_owned(),
        failed: true,
        ..now
    };
    match connection.state {
        ConnectionState::Active => {}
        ConnectionState::Paused => {
            return stopped(now, texts::PERMISSION_ENDED, texts::PERMISSION_ENDED_NEXT);
        }
        ConnectionState::Revoked => return stopped(now, texts::DISCONNECTED, texts::NOT_CONNECTED_NEXT),
    }
    let under_way = matches!(connection.sync_status, DataSourceStatus::Queued | DataSourceStatus::Syncing)
        || run.is_some_and(|run| run.state.is_active());
    let is_here = run.is_some_and(|run| !under_way && run.state == RunState::Done);
    // What kept the articles away does so no more once they are here.
    let remark = remark.filter(|remark| !is_here || *remark == Remark::EndUser);
    now.remark = remark.map(|remark| remark.text(under_way || connection.next_sync_at.is_some()));
    let Some(run) = run else {
        now.headline = texts::FETCHED_WHEN_ASKED.to_owned();
        return now;
    };
    if under_way {
        if remark.is_some_and(|remark| remark.is_waited_for(connection.waiting_kind)) {
            // What it waits for says the same, and what comes next.
            now.remark = None;
        }
        return going(now, run, connection.waiting_kind);
    }
    match run.state {
        RunState::Failed | RunState::Incomplete => return stopped(now, texts::STOPPED, texts::STOPPED_NEXT),
        RunState::Cancelled => return stopped(now, texts::ENDED_EARLY, texts::ENDED_EARLY_NEXT),
        RunState::Queued | RunState::Running | RunState::Finalizing | RunState::Done => {}
    }
    now.headline = texts::ALL_HERE.to_owned();
    if let Some(files) = run.files {
        now.lines.push(texts::all_here(files));
    }
    if run.counters.skipped > 0 {
        now.lines.push(texts::skipped(run.counters.skipped));
    }
    let is_restricted = run.plan.is_some_and(|plan| plan != Plan::Export);
    if remark.is_none() && is_restricted {
        now.lines.push(texts::NO_EXPORT.to_owned());
    }
    now
}

/// A run that has not ended.
fn going(mut now: Snapshot, run: &Run, waits_for: Option<WaitKind>) -> Snapshot {
    let counters = &run.counters;
    now.ended = false;
    now.done = counters.created
        + counters.updated
        + counters.unchanged
        + counters.drafts
        + counters.unselected
        + counters.skipped;
    // Zendesk counts all articles; a delta looks at those that changed.
    let is_counted = run.kind == RunKind::Full && run.stage != Stage::Plan;
    now.total = counters.remote_count.filter(|total| is_counted && *total > 0);
    now.headline = match run.stage {
        Stage::Plan => texts::WAITS.to_owned(),
        Stage::Walk => texts::fetched(now.done, now.total),
        Stage::Removal | Stage::Finalize => texts::ENDS.to_owned(),
    };
    match waits_for {
        // Nothing comes in a moment, and nothing goes on without somebody.
        Some(WaitKind::Person) if run.stage == Stage::Plan => {
            now.headline = texts::waits_for(WaitKind::Person).to_owned();
            return now;
        }
        Some(kind) => now.lines.push(texts::waits_for(kind).to_owned()),
        None => {}
    }
    if waits_for != Some(WaitKind::Person) {
        now.lines.push(texts::GOES_ON.to_owned());
    }
    now
}
