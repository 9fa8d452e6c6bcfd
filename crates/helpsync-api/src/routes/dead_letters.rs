//! Work that gave up: read, replay, discard. One list of the store's shards and the queue's messages.

use std::collections::HashSet;
use std::sync::OnceLock;

use axum::Json;
use axum::extract::{Path, State};
use helpsync_model::{KeyScope, OrganizationId, ShardId};
use helpsync_queue::{DeadLetter as Letter, Origin, QueueError};
use helpsync_store::audit;

use super::status::rows;
use crate::Api;
use crate::auth::ByKey;
use crate::body::Query;
use crate::endpoint::{Access, Endpoint, delete, get, post};
use crate::error::ApiError;
use crate::wire::dead_letter::{
    DeadLetter, DeadLetterId, DeadLetters, DeadLettersQuery, ReplayAnswer, field, groups,
};
use crate::wire::{GenericSuccessResponse, SUCCESS};

/// Messages looked at for one answer; the queue holds no more in one look either.
const MESSAGES_MAX: usize = 10_000;
/// Shards that are grouped for one answer; the newest of more are left out.
const SHARDS_GROUPED_MAX: u32 = 10_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        get("/helpsync/v1/dead-letters", Access::Key, "Work that gave up: shards, then messages", list)
            .parameter("after", "string", "Only what stands behind this id")
            .parameter("limit", "integer", "At most so many; 100 unless told, 1,000 at most")
            .gives::<DeadLetters>(),
        get("/helpsync/v1/dead-letters/{id}", Access::Key, "One piece of work that gave up", show)
            .gives::<DeadLetter>(),
        post("/helpsync/v1/dead-letters/{id}/replay", Access::Key, "Do the work once more", replay)
            .needs(KeyScope::Sync)
            .gives::<ReplayAnswer>(),
        delete("/helpsync/v1/dead-letters/{id}", Access::Key, "Take it off the list", discard)
            .gives::<GenericSuccessResponse>(),
    ]
}

fn missing() -> ApiError {
    ApiError::missing("dead letter")
}

/// What is no id names nothing.
fn parse(id: &str) -> Result<DeadLetterId, ApiError> {
    DeadLetterId::parse(id).ok_or_else(missing)
}

fn away(error: &QueueError) -> ApiError {
    ApiError::unavailable(format!("the queue cannot be asked: {error}"))
}

async fn list(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Query(query): Query<DeadLettersQuery>,
) -> Result<Json<DeadLetters>, ApiError> {
    let limit = rows(query.limit);
    let after = match query.after.as_deref() {
        None | Some("") => DeadLetterId::Shard(ShardId(0)),
        Some(text) => parse(text)?,
    };
    let groups = match query.after.as_deref() {
        None | Some("") => Some(groups(&everything(&api, organization).await?)),
        Some(_) => None,
    };
    let (mut found, after) = match after {
        DeadLetterId::Shard(after) => {
            let failed = api.store().admin().failed_shards(organization, after.0, limit).await?;
            (failed.into_iter().map(DeadLetter::from).collect::<Vec<_>>(), None)
        }
        DeadLetterId::Message(after) => (Vec::new(), Some(after)),
    };
    let limit = limit as usize;
    let mut messages_unavailable = None;
    if found.len() < limit {
        match messages(&api, organization, after.as_deref()).await? {
            Ok(letters) => {
                let room = limit - found.len();
                found.extend(letters.into_iter().take(room).map(DeadLetter::from));
            }
            Err(error) => messages_unavailable = Some(error.to_string()),
        }
    }
    let next = found.last().filter(|_| found.len() == limit).map(|last| last.id.clone());
    Ok(Json(DeadLetters { dead_letters: found, groups, next, messages_unavailable }))
}

/// Whatever gave up, up to a bound, so far as the queue can be asked.
async fn everything(api: &Api, organization: OrganizationId) -> Result<Vec<DeadLetter>, ApiError> {
    let failed = api.store().admin().failed_shards(organization, 0, SHARDS_GROUPED_MAX).await?;
    let mut all: Vec<DeadLetter> = failed.into_iter().map(DeadLetter::from).collect();
    all.extend(messages(api, organization, None).await?.into_iter().flatten().map(DeadLetter::from));
    Ok(all)
}

/// Which dead messages are an organization's: the requests that name it, whose publishers may do so. Whatever names none
/// that exists, and every message of our own, is the operator's.
struct Owner {
    name: String,
    /// Of the operator: the organizations whose requests are not its own.
    others: Option<HashSet<String>>,
}

impl Owner {
    async fn of(api: &Api, organization: OrganizationId) -> Result<Self, ApiError> {
        let name = api.store().admin().organization(organization).await?.name;
        let others = if organization == api.options().operator {
            Some(api.store().admin().other_organizations(organization).await?.into_iter().collect())
        } else {
            None
        };
        Ok(Self { name, others })
    }

    fn owns(&self, letter: &Letter) -> bool {
        let named = match letter.origin {
            Origin::Requests if !letter.of_operator => field(&letter.body, "organization"),
            Origin::Requests | Origin::Lane(_) => None,
        };
        match (&self.others, named) {
            (None, named) => named.as_ref() == Some(&self.name),
            (Some(_), None) => true,
            (Some(others), Some(named)) => !others.contains(&named),
        }
    }

    /// As [`Self::owns`]; of the letter with this id it tells whom it names.
    fn owns_and_tells(&self, letter: &Letter, id: &str, customer: &OnceLock<String>) -> bool {
        let owns = self.owns(letter);
        if owns
            && letter.id == id
            && let Some(named) = field(&letter.body, "customer_id")
        {
            customer.get_or_init(|| named);
        }
        owns
    }
}

/// Has the audit log say whom a message was for, if it names somebody.
fn about(customer: &OnceLock<String>) {
    if let Some(customer) = customer.get() {
        audit::about(std::slice::from_ref(customer));
    }
}

/// The organization's dead messages, oldest first. The inner error: the queue cannot be asked.
async fn messages(
    api: &Api,
    organization: OrganizationId,
    after: Option<&str>,
) -> Result<Result<Vec<Letter>, QueueError>, ApiError> {
    let owner = Owner::of(api, organization).await?;
    Ok(api.queue().dead_letters_of(&|letter| owner.owns(letter), MESSAGES_MAX, after).await)
}

/// The message, if it is the organization's.
async fn message(api: &Api, organization: OrganizationId, id: &str) -> Result<Letter, ApiError> {
    let letters = messages(api, organization, None).await?.map_err(|error| away(&error))?;
    letters.into_iter().find(|letter| letter.id == id).ok_or_else(missing)
}

async fn show(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<DeadLetter>, ApiError> {
    match parse(&id)? {
        DeadLetterId::Shard(id) => {
            let failed = api.store().admin().failed_shard(organization, id).await?;
            Ok(Json(failed.ok_or_else(missing)?.into()))
        }
        DeadLetterId::Message(id) => Ok(Json(message(&api, organization, &id).await?.into())),
    }
}

async fn replay(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<ReplayAnswer>, ApiError> {
    match parse(&id)? {
        DeadLetterId::Shard(shard) => {
            let request_id = api.fresh_id();
            let failed = api.store().admin().failed_shard(organization, shard).await?.ok_or_else(missing)?;
            audit::about(std::slice::from_ref(&failed.customer_id));
            let requested = api.store().admin().replay_failed_shard(organization, shard, &request_id).await?;
            let Some(requested) = requested else { return Err(still_running()) };
            api.wake();
            Ok(Json(ReplayAnswer {
                id,
                run_id: Some(requested.run.0),
                data_source_id: Some(failed.source.0),
                created: Some(requested.created),
                request_id: Some(request_id),
            }))
        }
        DeadLetterId::Message(message_id) => {
            let (owner, customer) = (Owner::of(&api, organization).await?, OnceLock::new());
            let owned = |letter: &Letter| owner.owns_and_tells(letter, &message_id, &customer);
            let replayed = api.queue().replay_of(&owned, &message_id).await;
            if !replayed.map_err(|error| away(&error))? {
                return Err(missing());
            }
            about(&customer);
            api.store().admin().note_change().await?;
            Ok(Json(ReplayAnswer { id, run_id: None, data_source_id: None, created: None, request_id: None }))
        }
    }
}

async fn discard(
    State(api): State<Api>,
    ByKey(organization): ByKey,
    Path(id): Path<String>,
) -> Result<Json<GenericSuccessResponse>, ApiError> {
    match parse(&id)? {
        DeadLetterId::Shard(id) => {
            let failed = api.store().admin().failed_shard(organization, id).await?.ok_or_else(missing)?;
            audit::about(&[failed.customer_id]);
            let gone = api.store().admin().discard_failed_shard(organization, id).await?;
            if gone { Ok(SUCCESS) } else { Err(still_running()) }
        }
        DeadLetterId::Message(id) => {
            let (owner, customer) = (Owner::of(&api, organization).await?, OnceLock::new());
            let owned = |letter: &Letter| owner.owns_and_tells(letter, &id, &customer);
            let gone = api.queue().discard_of(&owned, &id).await;
            if !gone.map_err(|error| away(&error))? {
                return Err(missing());
            }
            about(&customer);
            api.store().admin().note_change().await?;
            Ok(SUCCESS)
        }
    }
}

fn still_running() -> ApiError {
    ApiError::conflict("the job's run has not ended yet: wait until it has, or cancel it")
}
