//! Streams of server-sent events that open pages listen to: so many at once, and no longer than that.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, stream};
use helpsync_model::{ConnectionId, OrganizationId};

use super::progress::{ProgressClaim, Snapshot, snapshot};
use crate::Api;
use crate::auth::check_key_lives;
use crate::error::ApiError;

/// Streams open at once; each holds a connection of the listener's and asks the store now and then.
const STREAMS_MAX: usize = 200;
/// Of one workspace.
const STREAMS_OF_ONE_MAX: usize = 8;
/// How often the store is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A stream ends after this; the page then asks for another.
const STREAM_LIFE: Duration = Duration::from_secs(5 * 60);
/// How long a page waits before it asks again.
const RETRY: Duration = Duration::from_secs(3);
/// So that nothing between takes a quiet stream for a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The streams that are open, by workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Streams(Arc<Mutex<HashMap<i64, usize>>>);

/// One of them.
struct Place {
    streams: Streams,
    connection: i64,
}

impl Streams {
    fn enter(&self, connection: i64) -> Option<Place> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<usize>() >= STREAMS_MAX {
            return None;
        }
        let of_one = open.entry(connection).or_default();
        if *of_one >= STREAMS_OF_ONE_MAX {
            return None;
        }
        *of_one += 1;
        Some(Place { streams: self.clone(), connection })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_one) = open.get_mut(&self.connection) {
            *of_one -= 1;
            if *of_one == 0 {
                open.remove(&self.connection);
            }
        }
    }
}

/// How a sync goes, each time that changes, until it has ended. Every event tells all of it, so a stream that broke off is
/// taken up by any other.
pub(super) fn follow(api: Api, claim: ProgressClaim) -> Result<Response, ApiError> {
    let Some(place) = api.streams().enter(claim.d) else {
        return Err(ApiError::unavailable("too many pages are listening: load the page again in a while"));
    };
    let stop = api.options().stop.clone();
    let started = tokio::time::Instant::now();
    let watch = Watch { api, claim, place, last: None, ended: false };
    let events = stream::unfold(watch, move |mut watch| {
        let stop = stop.clone();
        async move {
            loop {
                if watch.ended || started.elapsed() > STREAM_LIFE {
                    return None;
                }
                if let Some(event) = watch.look().await? {
                    return Some((Ok(event), watch));
                }
                tokio::select! {
                    () = stop.cancelled() => return None,
                    () = tokio::time::sleep(LOOK_EVERY) => {}
                }
            }
        }
    });
    Ok(answer(events))
}

fn answer(events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static) -> Response {
    // Proxies must not collect what is to arrive at once.
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), "no");
    ([unbuffered], Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))).into_response()
}

struct Watch {
    api: Api,
    claim: ProgressClaim,
    /// Freed with the stream, also when the page goes away.
    place: Place,
    last: Option<Snapshot>,
    ended: bool,
}

impl Watch {
    /// The event of what is new; the inner `None`: nothing is. The outer one ends the stream: the page asks again.
    async fn look(&mut self) -> Option<Option<Event>> {
        debug_assert_eq!(self.place.connection, self.claim.d);
        let (organization, connection) = (OrganizationId(self.claim.o), ConnectionId(self.claim.d));
        // Links end at once with the key that they were made with.
        check_key_lives(&self.api, organization, self.claim.k).await.ok()?;
        let now = snapshot(&self.api, organization, connection, &self.claim).await.ok()?;
        if self.last.as_ref() == Some(&now) {
            return Some(None);
        }
        self.ended = now.has_ended();
        let name = if self.ended { "end" } else { "state" };
        let event = Event::default().event(name).retry(RETRY).json_data(&now).ok()?;
        self.last = Some(now);
        Some(Some(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_bounded_for_one_workspace_and_for_all() {
        let streams = Streams::default();
        let mut of_one: Vec<_> = (0..STREAMS_OF_ONE_MAX).map(|_| streams.enter(1).unwrap()).collect();
        assert!(streams.enter(1).is_none());
        let others: Vec<_> = (STREAMS_OF_ONE_MAX..STREAMS_MAX)
            .map(|number| streams.enter(100 + i64::try_from(number).unwrap()).unwrap())
            .collect();
        assert!(streams.enter(2).is_none());
        of_one.pop();
        assert!(streams.enter(2).is_some(), "whoever goes makes room");
        drop((of_one, others));
        assert!(streams.0.lock().unwrap().is_empty(), "nothing is kept of those that went");
    }
}
