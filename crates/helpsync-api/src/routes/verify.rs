//! Comparing a copy with its help center, and what a first sync would take.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::{Body as Stream, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use helpsync_engine::HandlerError;
use helpsync_model::{KeyScope, Lane, OrganizationId, RunKind, RunParams, Trigger, chain};
use helpsync_store::audit::of_this_request;
use helpsync_store::{Compared, Connection, Difference, RunRequest, StoreError};
use helpsync_zendesk::Class;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::sync::meant;
use crate::Api;
use crate::auth::ByKey;
use crate::body::{Body, Query};
use crate::endpoint::{Access, Endpoint, get, post};
use crate::error::ApiError;
use crate::wire::verify::{DifferenceView, EstimateView, Estimates, VerifyInput, VerifyTotals, WhoseQuery};

/// A comparison that finds nothing for so long says so by an empty line: readers and proxies take silence for an end.
const STILL_HERE_AFTER: Duration = Duration::from_secs(15);
/// Pieces of the answer that wait for its reader; the comparison waits then.
const PIECES_AHEAD: usize = 4;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(
            "/helpsync/v1/verify",
            Access::Key,
            "Compare a customer's copy with its help center, changing nothing: a JSON object a line, one for each \
             difference, empty lines while there is nothing to tell, the totals last, with customer and workspace; a comparison that broke off ends with \"broke_off\" \
             instead: its \"reason\", and its \"cause\" (passing, grant or other)",
            verify,
        )
        .takes::<VerifyInput>()
        .gives_text("application/x-ndjson"),
        get(
            "/helpsync/v1/estimate",
            Access::Key,
            "What a first sync of a customer's help center would take",
            estimate,
        )
        // It asks Zendesk, at the cost of the account's budget.
        .needs(KeyScope::Sync)
        .parameter("customer_id", "string", "Whose; or data_source_id")
        .parameter("data_source_id", "integer", "Which; or customer_id")
        .gives::<Estimates>(),
    ]
}

async fn verify(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Body(input): Body<VerifyInput>,
) -> Result<Response, ApiError> {
    let connection = meant(&api, organization, input.customer_id.as_deref(), input.data_source_id).await?;
    let all = api.store().admin().to_compare(organization, connection.id).await?;
    let (tell, told) = mpsc::channel(PIECES_AHEAD);
    let repair = input.repair == Some(true);
    let work = async move {
        let compared = compare(&api, organization, &all, &tell).await;
        let last = match compared {
            Ok(totals) => {
                end(&api, organization, &connection, totals, repair).await.map_err(HandlerError::from)
            }
            Err(error) => Err(error),
        };
        let last = last.unwrap_or_else(|error| {
            let reason = chain(&error);
            tracing::warn!(connection = %connection.id, error = reason, "a comparison broke off");
            json!({ "broke_off": { "reason": reason, "cause": Cause::of(&error).as_str() } })
        });
        // Whoever asked may have gone.
        drop(tell.send(format!("{last}\n").into()).await);
    };
    // It ends with the answer: nobody sends requests for a reader that has gone.
    let task = AbortOnDropHandle::new(tokio::spawn(of_this_request(work)));
    let lines = stream::unfold((told, task), |(mut told, task)| async move {
        let piece = match tokio::time::timeout(STILL_HERE_AFTER, told.recv()).await {
            Ok(piece) => piece?,
            Err(_elapsed) => Bytes::from_static(b"\n"),
        };
        Some((Ok::<_, Infallible>(piece), (told, task)))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Stream::from_stream(lines)).into_response())
}

/// Why something that asks Zendesk broke off, as far as it decides what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Later it may work.
    Passing,
    /// The workspace has to be connected again.
    Grant,
    /// Anything else.
    Other,
}

impl Cause {
    fn of(error: &HandlerError) -> Self {
        let is_passing = match error {
            HandlerError::Zendesk(failure) => match failure.class() {
                Class::Unauthorized => return Self::Grant,
                class => matches!(class, Class::Transient { .. } | Class::Throttled { .. }),
            },
            HandlerError::Store(error) => error.is_transient(),
            HandlerError::Passing(_) => true,
            HandlerError::NoHelpCenter(_) | HandlerError::ExportRefused(_) | HandlerError::Permanent(_) => {
                false
            }
        };
        if is_passing { Self::Passing } else { Self::Other }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Grant => "grant",
            Self::Other => "other",
        }
    }
}

fn not_estimated(error: &HandlerError) -> ApiError {
    let reason = chain(error);
    match Cause::of(error) {
        Cause::Passing => ApiError::unavailable(format!("{reason}: try again in some minutes")),
        Cause::Grant => {
            ApiError::conflict(format!("{reason}: connect it again with /integrations/oauth_url"))
        }
        Cause::Other => ApiError::conflict(reason),
    }
}

async fn compare(
    api: &Api,
    organization: OrganizationId,
    all: &[Compared],
    tell: &mpsc::Sender<Bytes>,
) -> Result<VerifyTotals, HandlerError> {
    let mut totals = VerifyTotals::default();
    for one in all {
        let (told, mut found) = mpsc::channel::<Vec<Difference>>(PIECES_AHEAD);
        let pass_on = async {
            while let Some(found) = found.recv().await {
                found.iter().for_each(|difference| totals.count(difference));
                // Whoever asked may have gone; the whole task ends with the answer then.
                drop(tell.send(lines(one, &found)).await);
            }
        };
        let comparison = api.engine().verify(api.store().admin(), organization, one, told);
        let (verified, ()) = tokio::join!(comparison, pass_on);
        let verified = verified?;
        totals.shown += verified.shown;
        totals.requests += verified.requests;
        totals.bytes += verified.bytes;
    }
    Ok(totals)
}

fn lines(compared: &Compared, found: &[Difference]) -> Bytes {
    let mut text = String::new();
    for difference in found {
        let view = DifferenceView::new(compared, difference);
        // Plain texts and numbers always become JSON.
        if let Ok(line) = serde_json::to_string(&view) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text.into()
}

/// The last line: the totals, and the run that mends what differs.
async fn end(
    api: &Api,
    organization: OrganizationId,
    connection: &Connection,
    totals: VerifyTotals,
    repair: bool,
) -> Result<Value, StoreError> {
    let mut line = json!({
        "customer_id": connection.customer_external_id,
        "workspace": connection.subdomain,
        "data_source_id": connection.id.0,
        "totals": totals,
    });
    if repair && totals.mendable > 0 {
        let request = RunRequest {
            connection: connection.id,
            kind: Some(RunKind::Full),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: api.fresh_id(),
            upload_id: api.fresh_id(),
            params: RunParams::default(),
        };
        let requested = api.store().admin().request_run(organization, &request).await;
        line["repaired_by_run"] = json!(requested?.run.0);
        api.wake();
    }
    Ok(line)
}

async fn estimate(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<WhoseQuery>,
) -> Result<Json<Estimates>, ApiError> {
    let connection = meant(&api, organization, query.customer_id.as_deref(), query.data_source_id).await?;
    let mut help_centers = Vec::new();
    for one in api.store().admin().to_compare(organization, connection.id).await? {
        let estimated = api.engine().estimate(organization, &one).await;
        let estimated = estimated.map_err(|error| not_estimated(&error))?;
        help_centers.push(EstimateView::new(&one, estimated));
    }
    Ok(Json(Estimates { data_source_id: connection.id.0, help_centers }))
}
