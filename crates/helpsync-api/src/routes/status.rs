//! What people look at: status, runs, announcements.

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{ConnectionId, OrganizationId, RunId, Stage};
use helpsync_store::{MissingArticles, Run, RunsOf};

use crate::Api;
use crate::auth::ByKey;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, get};
use crate::error::ApiError;
use crate::readiness::store_readiness;
use crate::wire::dead_letter::DeadLetter;
use crate::wire::native::{
    After, EventView, Events, MissingArticlesView, PausedLane, RunView, Runs, RunsQuery, SkippedArticles,
    SkippedView, Status,
};
use crate::wire::timeline::{TimedShardView, Timeline};
use crate::wire::verify::{FreshnessList, FreshnessQuery, FreshnessView};
use crate::wire::{Int, time};

/// Rows of one answer when the request does not say.
const ROWS_DEFAULT: u32 = 100;
/// The most rows of one answer.
const ROWS_MAX: u32 = 1_000;

/// Copies that the status names.
const OLDEST_SHOWN: u32 = 10;

/// Paused customers that the status names.
const PAUSED_SHOWN: u32 = 10;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/helpsync/v1/status", Access::Key, "The organization at a glance", status).gives::<Status>(),
        get(
            "/helpsync/v1/freshness",
            Access::Key,
            "How fresh each customer's copy is, the oldest first",
            freshness,
        )
        .parameter("customer_id", "string", "Of this customer only")
        .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
        .gives::<FreshnessList>(),
        get("/helpsync/v1/runs", Access::Key, "Runs and their receipts, newest first", runs)
            .parameter("data_source_id", "integer", "Of this data source only")
            .parameter(
                "customer_id",
                "string",
                "Of this customer only, whatever its workspaces; or data_source_id",
            )
            .parameter("before", "integer", "Only ids below this")
            .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
            .gives::<Runs>(),
        get("/helpsync/v1/runs/{run_id}", Access::Key, "One run and its receipt", run).gives::<RunView>(),
        get(
            "/helpsync/v1/runs/{run_id}/shards",
            Access::Key,
            "The shards of a run over time, and what they waited for; the oldest 1,000",
            shards,
        )
        .gives::<Timeline>(),
        get(
            "/helpsync/v1/runs/{run_id}/skipped",
            Access::Key,
            "Articles that a run could not store, and why; oldest first",
            skipped,
        )
        .parameter("after", "integer", "Only ids above this")
        .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
        .gives::<SkippedArticles>(),
        get("/helpsync/v1/events", Access::Key, "Announcements, oldest first", events)
            .parameter("after", "integer", "Only ids above this")
            .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
            .gives::<Events>(),
    ]
}

/// How many rows an answer holds.
pub(super) fn rows(limit: Option<Int>) -> u32 {
    limit.map_or(ROWS_DEFAULT, |limit| u32::try_from(limit.0.max(1)).unwrap_or(ROWS_MAX).min(ROWS_MAX))
}

async fn status(State(api): State<Api>, ByKey(id): ByKey) -> Result<Json<Status>, ApiError> {
    let organization = api.store().admin().organization(id).await?;
    let status = api.store().admin().status(id).await?;
    let oldest = api.store().admin().freshness(id, None, OLDEST_SHOWN).await?;
    let paused_customers = api.store().admin().paused_customers(id, PAUSED_SHOWN).await?;
    let paused_lanes = api.store().queue().paused_lanes().await?;
    let dead_messages = match id == api.options().operator {
        true => api.queue().stats().await.ok().map(|stats| stats.dead),
        false => None,
    };
    Ok(Json(Status {
        version: api.options().version,
        now: time(api.now_ms()),
        organization: organization.name,
        store: store_readiness(api.store()).await,
        active: status.active,
        paused: status.paused,
        paused_customers,
        paused_lanes: paused_lanes
            .into_iter()
            .map(|(lane, at)| PausedLane { lane: lane.as_str(), paused_at: time(at) })
            .collect(),
        files: status.files,
        held: status.held,
        oldest: oldest.into_iter().map(|copy| FreshnessView::new(copy, api.now_ms())).collect(),
        runs: status.runs.into_iter().map(RunView::from).collect(),
        dead_letters: status.failed.into_iter().map(DeadLetter::from).collect(),
        dead_messages,
    }))
}

async fn freshness(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<FreshnessQuery>,
) -> Result<Json<FreshnessList>, ApiError> {
    let customer = match &query.customer_id {
        None => None,
        Some(name) => {
            let found = api.store().admin().find_customer(organization, name).await?;
            Some(found.ok_or_else(|| ApiError::missing("customer"))?.id)
        }
    };
    let now = api.now_ms();
    let copies = api.store().admin().freshness(organization, customer, rows(query.limit)).await?;
    let copies = copies.into_iter().map(|copy| FreshnessView::new(copy, now)).collect();
    Ok(Json(FreshnessList { copies }))
}

async fn runs(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<RunsQuery>,
) -> Result<Json<Runs>, ApiError> {
    let (admin, limit) = (api.store().admin(), rows(query.limit));
    let of = match (query.data_source_id, query.customer_id) {
        (Some(_), Some(_)) => return Err(ApiError::bad("send either customer_id or data_source_id")),
        (Some(id), None) => RunsOf::Connection(admin.connection(organization, ConnectionId(id.0)).await?.id),
        (None, Some(customer)) => {
            let customer = admin.find_customer(organization, &customer).await?;
            RunsOf::Customer(customer.ok_or_else(|| ApiError::missing("customer"))?.id)
        }
        (None, None) => RunsOf::Organization,
    };
    let before = query.before.map(|before| RunId(before.0));
    let runs = admin.runs_before(organization, of, before, limit).await?;
    let next_before = runs.last().filter(|_| runs.len() >= limit as usize).map(|last| last.id.0);
    Ok(Json(Runs { runs: runs.into_iter().map(RunView::from).collect(), next_before }))
}

async fn run(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<RunView>, ApiError> {
    let run = named(&api, organization, &id).await?;
    if !run.state.is_active() {
        return Ok(Json(RunView::from(run)));
    }
    let working_on = api.accounts().working(run.id).await;
    let missing = match run.stage {
        Stage::Removal => api.store().admin().missing_articles(organization, run.id).await?,
        Stage::Plan | Stage::Walk | Stage::Finalize => MissingArticles::default(),
    };
    let mut asked = missing.asked;
    for (shard, of) in missing.under_way {
        asked += api.accounts().asked(shard).await.min(of);
    }
    let missing_articles = (missing.total > 0).then_some(MissingArticlesView { asked, total: missing.total });
    Ok(Json(RunView { working_on, missing_articles, ..RunView::from(run) }))
}

/// The run that a path names.
async fn named(api: &Api, organization: OrganizationId, id: &str) -> Result<Run, ApiError> {
    // What is no number names no run; nor does another organization's.
    let Ok(id) = id.parse() else { return Err(ApiError::missing("run")) };
    Ok(api.store().admin().run(organization, RunId(id)).await?)
}

async fn shards(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<Timeline>, ApiError> {
    let run = named(&api, organization, &id).await?;
    let shards = api.store().admin().timeline(organization, run.id, ROWS_MAX).await?;
    Ok(Json(Timeline { shards: shards.into_iter().map(TimedShardView::from).collect() }))
}

async fn skipped(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
    Query(query): Query<After>,
) -> Result<Json<SkippedArticles>, ApiError> {
    let run = named(&api, organization, &id).await?;
    let after = query.after.map_or(0, |after| after.0);
    let skipped = api.store().admin().skipped(organization, run.id, after, rows(query.limit)).await?;
    let next = skipped.last().map_or(after, |one| one.id);
    Ok(Json(SkippedArticles { skipped: skipped.into_iter().map(SkippedView::from).collect(), next }))
}

async fn events(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<After>,
) -> Result<Json<Events>, ApiError> {
    let after = query.after.map_or(0, |after| after.0);
    let events = api.store().webhooks().events(organization, after, rows(query.limit)).await?;
    let next = events.last().map_or(after, |event| event.id);
    Ok(Json(Events { events: events.into_iter().map(EventView::from).collect(), next }))
}
