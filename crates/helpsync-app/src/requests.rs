//! Requests that upstream services publish straight to the broker.
//!
//! A request is acknowledged after its run is stored. One that can never be done goes to the dead letters with the
//! reason; one that meets a store that is away goes back to the queue, after a pause.

use std::time::Duration;

use helpsync_model::{Lane, OrganizationId, RunKind, RunParams, Trigger, chain};
pub use helpsync_model::{REQUEST_SCHEMA, Request, RequestAction, RequestError};
use helpsync_queue::{Delivery, QueueError};
use helpsync_store::audit::{self, Actor, Audited};
use helpsync_store::{
    ConnectionOrder, ConnectionQuery, Entity, RunRequest, RunRequested, StoreError, StoreOutage,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Parts;

/// Requests taken from the broker at once.
const PREFETCH: usize = 16;
/// After a failure of the store, before the next request is taken.
const STORE_AWAY_WAIT: Duration = Duration::from_secs(1);

/// Serves requests until `stop`.
pub(crate) async fn serve(parts: Parts, stop: CancellationToken) {
    let Some(rabbit) = &parts.rabbit else { return };
    let mut consumer = match rabbit.consume_requests(PREFETCH) {
        Ok(consumer) => consumer,
        Err(error) => {
            tracing::warn!(error = chain(&error), "requests of upstream services are not served");
            return;
        }
    };
    let away = StoreOutage::default();
    loop {
        let delivery = tokio::select! {
            () = stop.cancelled() => return,
            delivery = consumer.next() => delivery,
        };
        let Some(mut delivery) = delivery else { return };
        let look = away.look();
        let settled = match accept(&parts, &delivery).await {
            Ok(()) => {
                look.worked(parts.store.queue(), true, "requests of upstream services are taken again").await;
                parts.wake.notify_one();
                delivery.ack().await
            }
            Err(Refused::Never(reason)) => {
                tracing::warn!(
                    message_id = delivery.id,
                    reason,
                    "a request cannot be done: to the dead letters"
                );
                settle_owner(&parts, &mut delivery);
                delivery.dead(&reason).await
            }
            Err(Refused::NotNow(error)) => {
                look.failed(&error, "the store does not answer, requests are put back");
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(STORE_AWAY_WAIT) => {}
                }
                delivery.release().await
            }
        };
        log_lost(settled);
    }
}

fn log_lost(settled: Result<(), QueueError>) {
    if let Err(error) = settled {
        // It comes again, and an equal run that is under way serves both.
        tracing::info!(error = chain(&error), "a request could not be settled");
    }
}

enum Refused {
    Never(String),
    NotNow(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::NotNow(error) } else { Self::Never(chain(&error)) }
    }
}

/// The organization whose work is asked for, if the publisher may ask for it; `None`: the operator's own. What this process
/// puts back itself, a person has let through.
fn named_organization<'a>(
    parts: &'a Parts,
    user: Option<&str>,
    named: Option<&'a str>,
) -> Result<Option<&'a str>, Refused> {
    let own = parts.rabbit.as_ref().and_then(|rabbit| rabbit.names().user());
    if user.is_some() && user == own {
        return Ok(named);
    }
    let Some(allowed) = parts.settings().queue.organizations_of(user) else { return Ok(named) };
    let who = user.map_or_else(
        || "a publisher that does not say who it is (user_id)".to_owned(),
        |user| format!("the user {user:?}"),
    );
    match (allowed.first(), named) {
        (Some(first), None) => Ok(Some(first)),
        (Some(_), Some(name)) if allowed.contains(&name) => Ok(Some(name)),
        (_, named) => {
            let whose = named
                .map_or_else(|| "this work".to_owned(), |name| format!("work of the organization {name:?}"));
            Err(Refused::Never(format!(
                "{who} may not ask for {whose}: queue.upstream_users does not say so"
            )))
        }
    }
}

/// Settles whose a request is that cannot be done: as a dead letter it has no publisher any more. One that names an
/// organization that its publisher may not speak for is the operator's, and so is what nobody can read.
fn settle_owner(parts: &Parts, delivery: &mut Delivery) {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&delivery.body) else { return };
    let named = fields.get("organization").and_then(Value::as_str);
    match named_organization(parts, delivery.user.as_deref(), named) {
        Err(_) => delivery.of_operator = true,
        Ok(Some(name)) if named.is_none() => {
            let name = name.to_owned();
            fields.insert("organization".to_owned(), name.into());
            delivery.body = Value::Object(fields).to_string().into_bytes();
        }
        Ok(_) => {}
    }
}

/// Asks for the run; the audit log says who did.
async fn requested_run(
    parts: &Parts,
    delivery: &Delivery,
    organization: OrganizationId,
    request: &Request,
    run_request: &RunRequest,
) -> Result<RunRequested, StoreError> {
    let work = async {
        let actor = Actor {
            kind: "upstream",
            id: delivery.user.clone().unwrap_or_default(),
            name: "an upstream service".to_owned(),
        };
        audit::acts(organization, actor);
        audit::about(std::slice::from_ref(&request.customer_id));
        match request.action {
            RequestAction::Sync { full } => audit::detail("full", full.into()),
            RequestAction::ResyncArticle { article_id } => audit::detail("article_id", article_id.into()),
        }
        parts.store.admin().request_run(organization, run_request).await
    };
    let id = run_request.request_id.clone();
    audit::audited(Audited::new("upstream request".to_owned(), String::new(), id, true), work).await
}

async fn accept(parts: &Parts, delivery: &Delivery) -> Result<(), Refused> {
    let request = Request::from_bytes(&delivery.body).map_err(|error| Refused::Never(chain(&error)))?;
    let organization =
        match named_organization(parts, delivery.user.as_deref(), request.organization.as_deref())? {
            None => parts.organization,
            Some(name) => parts
                .store
                .admin()
                .find_organization(name)
                .await?
                .ok_or_else(|| Refused::Never(format!("there is no organization {name:?}")))?,
        };
    let customer = parts
        .store
        .admin()
        .find_customer(organization, &request.customer_id)
        .await?
        .ok_or_else(|| Refused::Never(format!("there is no customer {:?}", request.customer_id)))?;
    let query = ConnectionQuery {
        organization,
        customer: Some(customer.id),
        ids: None,
        revoked: Some(false),
        starting_id: 0,
        order: ConnectionOrder::CreatedAt,
        descending: false,
        limit: 1,
        offset: 0,
    };
    let connection =
        parts.store.admin().connections(&query).await?.0.into_iter().next().ok_or_else(|| {
            Refused::Never(format!("customer {:?} has no connected workspace", request.customer_id))
        })?;
    let (kind, params) = match request.action {
        RequestAction::Sync { full: true } => (Some(RunKind::Full), RunParams::default()),
        RequestAction::Sync { full: false } => (None, RunParams::default()),
        RequestAction::ResyncArticle { article_id } => {
            (Some(RunKind::Resync), RunParams::articles(vec![article_id]))
        }
    };
    // A message without an id gets one, so that files and logs can name what brought them.
    let id = match delivery.id.as_str() {
        "" => parts.runtime.entropy.uuid().to_string(),
        id => id.to_owned(),
    };
    let run_request = RunRequest {
        connection: connection.id,
        kind,
        trigger: Trigger::Upstream,
        lane: Lane::OnDemand,
        request_id: id.clone(),
        upload_id: id.clone(),
        params,
    };
    match requested_run(parts, delivery, organization, &request, &run_request).await {
        Ok(requested) => {
            // The link between the asking service's trace and the run's own.
            tracing::info!(run = %requested.run, created = requested.created, message_id = id,
                traceparent = delivery.traceparent, "a request is served");
            Ok(())
        }
        Err(StoreError::NotFound(Entity::ActiveConnection)) => {
            Err(Refused::Never(format!("the workspace of customer {:?} is paused", request.customer_id)))
        }
        Err(error) => Err(error.into()),
    }
}
