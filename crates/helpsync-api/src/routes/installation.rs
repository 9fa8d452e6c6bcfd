//! The whole installation: its processes and lanes, for whoever runs it; the budgets of an organization's accounts.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{ConnectionId, KeyScope, Lane};
use helpsync_store::{ConnectionOrder, ConnectionQuery};

use crate::Api;
use crate::auth::{ByKey, Keyed};
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::wire::installation::{AccountBudget, BudgetDay, Budgets, LaneView, Lanes, ProcessView, Processes};
use crate::wire::timeline::History;

/// Accounts of one answer.
const BUDGETS_MAX: usize = 250;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get(
            "/helpsync/v1/workers",
            Access::Key,
            "The installation's processes, and what each does; takes an operator's key",
            processes,
        )
        .needs(KeyScope::Operator)
        .gives::<Processes>(),
        get(
            "/helpsync/v1/lanes",
            Access::Key,
            "The lanes, and how much waits in each; takes an operator's key",
            lanes,
        )
        .needs(KeyScope::Operator)
        .gives::<Lanes>(),
        post(
            "/helpsync/v1/lanes/{lane}/pause",
            Access::Key,
            "Hand nothing out in a lane; takes an operator's key",
            pause,
        )
        .needs(KeyScope::Operator)
        .gives::<Lanes>(),
        post(
            "/helpsync/v1/lanes/{lane}/resume",
            Access::Key,
            "Hand out again in a lane; takes an operator's key",
            resume,
        )
        .needs(KeyScope::Operator)
        .gives::<Lanes>(),
        get(
            "/helpsync/v1/history",
            Access::Key,
            "The installation's last day in slots of five minutes; takes an operator's key",
            history,
        )
        .needs(KeyScope::Operator)
        .gives::<History>(),
        get("/helpsync/v1/budgets", Access::Key, "What is left of each Zendesk account's limit", budgets)
            .gives::<Budgets>(),
        get(
            "/helpsync/v1/data_sources/{data_source_id}/budget",
            Access::Key,
            "How the limit of a data source's Zendesk account was used in the last day, in slots of half an hour",
            budget_day,
        )
        .gives::<BudgetDay>(),
    ]
}

async fn processes(State(api): State<Api>, _: Keyed) -> Result<Json<Processes>, ApiError> {
    let (seen, now) = (api.store().queue().processes().await?, api.now_ms());
    Ok(Json(Processes { processes: seen.into_iter().map(|one| ProcessView::new(one, now)).collect() }))
}

async fn lanes(State(api): State<Api>, _: Keyed) -> Result<Json<Lanes>, ApiError> {
    let lanes = api.store().queue().lanes().await?;
    Ok(Json(Lanes { lanes: lanes.into_iter().map(LaneView::from).collect() }))
}

fn lane(name: &str) -> Result<Lane, ApiError> {
    Lane::ALL.into_iter().find(|lane| lane.as_str() == name).ok_or_else(|| ApiError::missing("lane"))
}

async fn pause(
    State(api): State<Api>,
    key: Keyed,
    Path(name): Path<String>,
) -> Result<Json<Lanes>, ApiError> {
    api.store().queue().set_lane_paused(lane(&name)?, true).await?;
    lanes(State(api), key).await
}

async fn resume(
    State(api): State<Api>,
    key: Keyed,
    Path(name): Path<String>,
) -> Result<Json<Lanes>, ApiError> {
    api.store().queue().set_lane_paused(lane(&name)?, false).await?;
    api.wake();
    lanes(State(api), key).await
}

async fn history(State(api): State<Api>, _: Keyed) -> Result<Json<History>, ApiError> {
    Ok(Json(History::new(api.store().queue().history().await?, api.now_ms())))
}

async fn budgets(State(api): State<Api>, ByKey(organization): ByKey) -> Result<Json<Budgets>, ApiError> {
    let query = ConnectionQuery {
        organization,
        customer: None,
        ids: None,
        revoked: Some(false),
        starting_id: 0,
        order: ConnectionOrder::UpdatedAt,
        descending: true,
        limit: i64::try_from(BUDGETS_MAX).unwrap_or(i64::MAX),
        offset: 0,
    };
    let (connections, _) = api.store().admin().connections(&query).await?;
    let workspaces: BTreeSet<String> = connections.into_iter().map(|one| one.subdomain).collect();
    let mut budgets = Vec::with_capacity(workspaces.len());
    for workspace in workspaces {
        let seen = api.accounts().budget(&workspace).await;
        budgets.push(AccountBudget::new(workspace, seen));
    }
    Ok(Json(Budgets { budgets }))
}

async fn budget_day(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<BudgetDay>, ApiError> {
    // What is no number names no data source.
    let Ok(id) = id.parse().map(ConnectionId) else { return Err(ApiError::missing("data source")) };
    let connection = api.store().admin().connection(organization, id).await?;
    let used = api.store().admin().account_use(organization, id).await?;
    let now =
        AccountBudget::new(connection.subdomain.clone(), api.accounts().budget(&connection.subdomain).await);
    Ok(Json(BudgetDay::new(now, &used, api.now_ms())))
}
