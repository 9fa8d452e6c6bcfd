//! Open pages that stay current. All who look at the same share one look at it, which ends with the last of them: nobody
//! looks, nothing is asked. Every event is the whole state of a page, so a stream that broke off goes on with the next.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use futures::stream;
use helpsync_model::OrganizationId;
use maud::Markup;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::problem::Problem;
use crate::text as t;
use crate::visitor::Visitor;

/// Open streams of all browsers together.
const STREAMS_MAX: usize = 200;
/// Open streams of one browser.
const STREAMS_OF_SESSION_MAX: usize = 10;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A look that takes long is followed by a pause of so many times as long: the database has other work.
const PAUSE_TIMES: u32 = 5;
/// A stream says that it lives when nothing else is said, and looks whether its session does, however much is said.
const ALIVE_EVERY: Duration = Duration::from_secs(15);
/// A stream ends by then; browsers open the next by themselves.
const STREAM_LIFE: Duration = Duration::from_secs(600);
/// What a browser waits before it opens the next.
const RETRY: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Overview { organization: OrganizationId, operator: bool },
    Customer { organization: OrganizationId, customer: i64 },
    Run { organization: OrganizationId, run: i64 },
}

/// Regions of a page by name.
pub(crate) type Regions = Vec<(&'static str, Markup)>;

/// The state of a page, as an event holds it.
#[derive(Debug)]
struct Shown {
    id: String,
    data: String,
}

/// One look after the other, for all who look at a topic.
#[derive(Debug)]
struct Feed {
    shown: watch::Receiver<Option<Arc<Shown>>>,
    _looks: AbortOnDropHandle<()>,
}

/// Every feed that somebody looks at.
#[derive(Debug)]
pub(crate) struct Hub {
    feeds: Mutex<HashMap<Topic, Weak<Feed>>>,
    streams: Arc<Semaphore>,
    of_session: Arc<Mutex<HashMap<String, usize>>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            feeds: Mutex::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            of_session: Arc::default(),
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among the open streams, given back with it.
#[derive(Debug)]
struct Place {
    session: String,
    of_session: Arc<Mutex<HashMap<String, usize>>>,
    _all: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = lock(&self.of_session);
        if let Some(count) = open.get_mut(&self.session) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.session);
            }
        }
    }
}

impl Hub {
    fn place(&self, session: &str) -> Option<Place> {
        let all = Arc::clone(&self.streams).try_acquire_owned().ok()?;
        let mut open = lock(&self.of_session);
        let count = open.entry(session.to_owned()).or_default();
        if *count >= STREAMS_OF_SESSION_MAX {
            return None;
        }
        *count += 1;
        let of_session = Arc::clone(&self.of_session);
        Some(Place { session: session.to_owned(), of_session, _all: all })
    }

    /// The feed of a topic; `begin` starts one where nobody looks yet.
    fn feed(&self, topic: Topic, begin: impl FnOnce() -> Feed) -> Arc<Feed> {
        let mut feeds = lock(&self.feeds);
        feeds.retain(|_, feed| feed.strong_count() > 0);
        if let Some(feed) = feeds.get(&topic).and_then(Weak::upgrade) {
            return feed;
        }
        let feed = Arc::new(begin());
        feeds.insert(topic, Arc::downgrade(&feed));
        feed
    }
}

fn shown(regions: Regions) -> Shown {
    let texts = regions.into_iter().map(|(name, markup)| (name.to_owned(), markup.into_string().into()));
    let data = Value::Object(texts.collect()).to_string();
    Shown { id: hex::encode(&Sha256::digest(&data)[..8]), data }
}

/// Makes the regions of a page anew.
pub(crate) type Look = Arc<dyn Fn(Visitor) -> BoxFuture<'static, Result<Regions, Problem>> + Send + Sync>;

fn begin(visitor: Visitor, look: Look) -> Feed {
    let (tell, told) = watch::channel(None::<Arc<Shown>>);
    let looks = tokio::spawn(async move {
        loop {
            let began = Instant::now();
            // What cannot be seen just now is seen by a later look.
            if let Ok(regions) = look(visitor.clone()).await {
                let now = shown(regions);
                tell.send_if_modified(|before| {
                    let is_news = before.as_ref().is_none_or(|before| before.id != now.id);
                    if is_news {
                        *before = Some(Arc::new(now));
                    }
                    is_news
                });
            }
            tokio::time::sleep(pause(began.elapsed())).await;
        }
    });
    Feed { shown: told, _looks: AbortOnDropHandle::new(looks) }
}

/// Before the next look.
fn pause(took: Duration) -> Duration {
    LOOK_EVERY.max(took.saturating_mul(PAUSE_TIMES))
}

/// When a session is looked at again.
#[derive(Debug)]
struct NextCheck(Instant);

impl NextCheck {
    /// Whether it is time; the next one is set then.
    fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.0;
        if is_due {
            self.0 = now + ALIVE_EVERY;
        }
        is_due
    }
}

struct Stream {
    visitor: Visitor,
    feed: Arc<Feed>,
    shown: watch::Receiver<Option<Arc<Shown>>>,
    /// What the browser has.
    has: Option<String>,
    check: NextCheck,
    ends_at: Instant,
    _place: Place,
}

impl Stream {
    /// The next event; `None`: the end.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        let stop = self.visitor.dashboard.stop().clone();
        loop {
            // Before anything is said: a stream that always has something to say is looked at as often as a quiet one.
            let checked = self.check.is_due(Instant::now());
            if checked && self.session_has_ended().await {
                return None;
            }
            let now = self.shown.borrow_and_update().clone();
            if let Some(now) = now.filter(|now| self.has.as_ref() != Some(&now.id)) {
                self.has = Some(now.id.clone());
                let event = Event::default().id(&now.id).retry(RETRY).data(&now.data);
                return Some((Ok(event), self));
            }
            if Instant::now() >= self.ends_at {
                return None;
            }
            if checked {
                return Some((Ok(Event::default().comment("alive")), self));
            }
            tokio::select! {
                () = stop.cancelled() => return None,
                changed = self.shown.changed() => changed.ok()?,
                () = tokio::time::sleep_until(self.check.0) => {}
            }
        }
    }

    /// By a log out, or with its key. A store that is away ends no session.
    async fn session_has_ended(&self) -> bool {
        matches!(self.visitor.dashboard.store().admin().session(&self.visitor.secret).await, Ok(None))
    }
}

/// The stream of a topic for one browser. What it has already seen is not sent again.
pub(crate) fn stream(
    visitor: Visitor,
    headers: &HeaderMap,
    topic: Topic,
    look: Look,
) -> Result<Response, Problem> {
    let dashboard = visitor.dashboard.clone();
    let Some(place) = dashboard.hub().place(&visitor.token) else {
        return Err(Problem::new(&dashboard, StatusCode::SERVICE_UNAVAILABLE, t::STREAMS_FULL));
    };
    let feed = dashboard.hub().feed(topic, || begin(visitor.clone(), look));
    let has = headers.get("last-event-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
    let shown = feed.shown.clone();
    let now = Instant::now();
    let (check, ends_at) = (NextCheck(now + ALIVE_EVERY), now + STREAM_LIFE);
    let stream = Stream { visitor, feed, shown, has, check, ends_at, _place: place };
    let events = stream::unfold(stream, Stream::next);
    Ok(([("x-accel-buffering", "no")], Sse::new(events)).into_response())
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("feed", &self.feed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_look_is_followed_by_a_long_pause() {
        assert_eq!(pause(Duration::from_millis(10)), LOOK_EVERY);
        assert_eq!(pause(Duration::from_secs(2)), Duration::from_secs(10));
    }

    #[test]
    fn a_session_is_looked_at_as_often_on_a_busy_stream_as_on_a_quiet_one() {
        let began = Instant::now();
        let mut check = NextCheck(began + ALIVE_EVERY);
        let looks = (1..=60).filter(|second| check.is_due(began + Duration::from_secs(*second))).count();
        assert_eq!(looks, 4, "an event a second puts no look off");
    }

    #[tokio::test]
    async fn places_are_bounded_in_all_and_given_back() {
        let hub = Hub::default();
        let mut places: Vec<Place> =
            (0..STREAMS_MAX).map(|one| hub.place(&format!("session {one}")).unwrap()).collect();
        assert!(hub.place("one more").is_none());
        places.pop();
        let place = hub.place("one more").unwrap();
        drop((place, places));
        assert!(lock(&hub.of_session).is_empty());
    }

    #[tokio::test]
    async fn a_feed_is_shared_and_ends_with_the_last_who_looks() {
        let hub = Hub::default();
        let topic = Topic::Overview { organization: OrganizationId(1), operator: false };
        let (tell, told) = watch::channel(None);
        let tell = Arc::new(tell);
        let looking = Arc::clone(&tell);
        let feed = hub.feed(topic.clone(), || Feed {
            shown: told,
            _looks: AbortOnDropHandle::new(tokio::spawn(async move {
                let _held = looking;
                std::future::pending::<()>().await;
            })),
        });
        let again = hub.feed(topic, || panic!("there is one"));
        assert!(Arc::ptr_eq(&feed, &again));
        drop(feed);
        tokio::task::yield_now().await;
        assert_eq!(Arc::strong_count(&tell), 2, "somebody looks still");
        drop(again);
        while Arc::strong_count(&tell) > 1 {
            tokio::task::yield_now().await;
        }
    }
}
