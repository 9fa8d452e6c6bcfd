//! The audit log: who did what to whom and when. And what an organization wants of those who read.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State;
use helpsync_model::{KeyScope, Timestamp};
use helpsync_store::audit::ACTOR_KINDS;
use helpsync_store::{AuditEntry, AuditQuery};

use super::status::rows;
use crate::Api;
use crate::auth::ByKey;
use crate::body::{Body, Query};
use crate::endpoint::{Access, Endpoint, get, put};
use crate::error::ApiError;
use crate::wire::audit::{AuditLog, AuditLogQuery, AuditRow};
use crate::wire::native::{Readers, ReadersChange};

/// What each operation does, in words, by its name in the log.
static SUMMARIES: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    let changing = super::endpoints().into_iter().filter(Endpoint::is_change);
    changing.map(|endpoint| (endpoint.operation(), endpoint.summary())).collect()
});
/// Longer filters name nothing.
const FILTER_CHARS_MAX: usize = 300;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/helpsync/v1/audit", Access::Key, "Who changed what and when, the latest first", audit_log)
            .parameter("before", "integer", "Only what stands before this id")
            .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
            .parameter("actor", "string", "A kind of actor (`customer`), or one of them (`api_key:7`)")
            .parameter("customer_id", "string", "Done to this customer")
            .parameter("action", "string", "Exactly this, for example `POST /add_webhook`")
            .parameter("from", "string", "Not before this time (RFC 3339)")
            .parameter("until", "string", "Before this time (RFC 3339)")
            .needs(KeyScope::Admin)
            .gives::<AuditLog>(),
        get("/helpsync/v1/readers", Access::Key, "What the organization wants of those who read", readers)
            .gives::<Readers>(),
        put(
            "/helpsync/v1/readers",
            Access::Key,
            "Whether restricted articles are shown only to those who say by whom they are read",
            set_readers,
        )
        .takes::<ReadersChange>()
        .gives::<Readers>(),
    ]
}

fn filter(text: Option<String>, name: &str) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.chars().count() > FILTER_CHARS_MAX => {
            Err(ApiError::bad(format!("{name} has more than {FILTER_CHARS_MAX} characters")))
        }
        text => Ok(text.filter(|text| !text.is_empty())),
    }
}

fn moment(text: Option<String>, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let moment = text.parse::<Timestamp>();
    let moment =
        moment.map_err(|_unclear| ApiError::bad(format!("{name} is a time such as 2026-01-31T12:00:00Z")))?;
    Ok(Some(moment.as_millisecond()))
}

async fn audit_log(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<AuditLogQuery>,
) -> Result<Json<AuditLog>, ApiError> {
    let limit = rows(query.limit);
    let actor = filter(query.actor, "actor")?;
    let kind = actor.as_deref().map(|actor| actor.split(':').next().unwrap_or_default());
    if kind.is_some_and(|kind| !ACTOR_KINDS.contains(&kind)) {
        let kinds = ACTOR_KINDS.join(", ");
        return Err(ApiError::bad(format!("actor is one of {kinds}, or one with its id (api_key:7)")));
    }
    let (actor_kind, actor_id) = match actor.as_deref().map(|actor| actor.split_once(':')) {
        None => (None, None),
        Some(None) => (actor.clone(), None),
        Some(Some((kind, id))) => (Some(kind.to_owned()), Some(id.to_owned())),
    };
    let query = AuditQuery {
        before: query.before.map(|before| before.0),
        limit,
        actor_kind,
        actor_id,
        customer_id: filter(query.customer_id, "customer_id")?,
        action: filter(query.action, "action")?,
        from: moment(query.from, "from")?,
        until: moment(query.until, "until")?,
    };
    let found = api.store().admin().audit_log(organization, &query).await?;
    let next_before = found.last().filter(|_| found.len() >= limit as usize).map(|last| last.id);
    let row = |entry: AuditEntry| {
        let summary = SUMMARIES.get(&entry.action).copied().unwrap_or(&entry.action).to_owned();
        AuditRow::new(entry, summary)
    };
    Ok(Json(AuditLog { entries: found.into_iter().map(row).collect(), next_before }))
}

async fn readers(State(api): State<Api>, ByKey(organization): ByKey) -> Result<Json<Readers>, ApiError> {
    let organization = api.store().admin().organization(organization).await?;
    Ok(Json(Readers { viewer_segments_required: organization.viewer_required }))
}

async fn set_readers(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(change): Body<ReadersChange>,
) -> Result<Json<Readers>, ApiError> {
    let required = change.viewer_segments_required;
    api.store().admin().require_viewers(organization, required).await?;
    Ok(Json(Readers { viewer_segments_required: required }))
}
