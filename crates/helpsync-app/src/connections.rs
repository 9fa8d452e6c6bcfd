//! The connections that are open: how many, from where, and which of them wait for their peer.
//!
//! A peer is waited for while it sends no request, while it does not go on with a body, and while it does not take an
//! answer. Such a connection makes room for a new one: nobody keeps others out by being slow.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use helpsync_api::network;
use helpsync_model::TrustedProxies;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::Service;

/// A part of an answer may be under way to the peer for so long: a slow one is not yet one that takes nothing.
const TAKING_MAX: Duration = Duration::from_secs(2);

/// Whom a proxy was asked by, and before it those that it was told of.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    /// What counts as one peer.
    network: IpAddr,
    asked: AtomicBool,
    /// Requests whose answers have not left yet; ended ones among them are gone.
    answering: Mutex<Vec<Weak<Answering>>>,
    /// Requests that came, and answers that left.
    turns: Arc<AtomicU64>,
    close: CancellationToken,
}

impl ConnectionState {
    /// Whether a request has arrived.
    pub(crate) fn has_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// Ends when the connection is to make room.
    pub(crate) async fn closed(&self) {
        self.close.cancelled().await;
    }

    fn answers(&self) -> MutexGuard<'_, Vec<Weak<Answering>>> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is asked, or all that is waits for the peer.
    fn waits(&self) -> bool {
        self.answers().iter().filter_map(Weak::upgrade).all(|one| one.waits())
    }

    /// A number that changes with every request that comes and every answer that leaves.
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Acquire)
    }

    /// Whether nothing is asked, and no answer is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.answers().iter().all(|one| one.strong_count() == 0)
    }
}

/// By age.
type Open = BTreeMap<u64, Arc<ConnectionState>>;

/// The open connections of a listener. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct OpenConnections {
    open: Arc<Mutex<(u64, Open)>>,
    max: usize,
    per_address_max: usize,
    /// Many clients' connections come from each of these.
    proxies: Arc<TrustedProxies>,
}

impl OpenConnections {
    pub(crate) fn new(max: usize, per_address_max: usize, proxies: Arc<TrustedProxies>) -> Self {
        Self { open: Arc::default(), max, per_address_max, proxies }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Open)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all that ask nothing.
    pub(crate) fn close_idle(&self) {
        self.lock().1.values().filter(|state| state.is_idle()).for_each(|state| state.close.cancel());
    }

    /// A place for one more, if need be that of the oldest connection that waits for its peer. `None`: all are being
    /// answered.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut guard = self.lock();
        let (next, open) = &mut *guard;
        let network = network(address);
        let of_network = open.values().filter(|state| state.network == network).count();
        if of_network >= self.per_address_max && !self.proxies.contains(address) {
            make_room(open, |state| state.network == network)?;
        }
        if open.len() >= self.max {
            make_room(open, |_| true)?;
        }
        let state = Arc::new(ConnectionState {
            network,
            asked: AtomicBool::new(false),
            answering: Mutex::default(),
            turns: Arc::default(),
            close: CancellationToken::new(),
        });
        let number = *next;
        *next += 1;
        open.insert(number, Arc::clone(&state));
        Some(Place { open: self.clone(), number, state })
    }
}

fn make_room(open: &mut Open, among: impl Fn(&ConnectionState) -> bool) -> Option<()> {
    let oldest = open.iter().find(|(_, state)| among(state) && state.waits()).map(|(number, _)| *number)?;
    open.remove(&oldest)?.close.cancel();
    Some(())
}

/// One connection's place, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    open: OpenConnections,
    number: u64,
    state: Arc<ConnectionState>,
}

impl Place {
    pub(crate) fn state(&self) -> &Arc<ConnectionState> {
        &self.state
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.open.lock().1.remove(&self.number);
    }
}

/// A request that is being read, and its answer that is being made or sent.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    turn: Mutex<Turn>,
    /// Of its connection.
    turns: Arc<AtomicU64>,
}

/// Whose turn it is.
#[derive(Debug, Default, Clone, Copy)]
enum Turn {
    #[default]
    Ours,
    /// The next part of the body is the peer's to send.
    Sending,
    /// A part of the answer was handed over then, for the peer to take.
    Taking(Instant),
}

impl Answering {
    pub(crate) fn of(state: &ConnectionState) -> Arc<Self> {
        let answering = Arc::new(Self { turn: Mutex::default(), turns: Arc::clone(&state.turns) });
        answering.turns.fetch_add(1, Ordering::AcqRel);
        let mut all = state.answers();
        all.retain(|one| one.strong_count() > 0);
        all.push(Arc::downgrade(&answering));
        state.asked.store(true, Ordering::Release);
        answering
    }

    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self, turn: Turn) {
        *self.lock() = turn;
    }

    fn nothing_is_sent(&self) {
        let mut turn = self.lock();
        if let Turn::Sending = *turn {
            *turn = Turn::Ours;
        }
    }

    fn waits(&self) -> bool {
        match *self.lock() {
            Turn::Ours => false,
            Turn::Sending => true,
            Turn::Taking(since) => since.elapsed() >= TAKING_MAX,
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.turns.fetch_add(1, Ordering::AcqRel);
    }
}

/// The router, seen from one connection: it is told who asks, and the connection counts as answering until the whole body of
/// an answer is handed over.
#[derive(Clone)]
pub(crate) struct Watched {
    router: Router,
    peer: SocketAddr,
    proxies: Arc<TrustedProxies>,
    state: Arc<ConnectionState>,
}

impl Watched {
    pub(crate) fn new(
        router: Router,
        peer: SocketAddr,
        proxies: Arc<TrustedProxies>,
        state: Arc<ConnectionState>,
    ) -> Self {
        Self { router, peer, proxies, state }
    }

    /// Who asks. The port is the peer's, also where that is a proxy: nobody's rate depends on it.
    fn client(&self, headers: &HeaderMap) -> SocketAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev().map(HeaderValue::as_bytes);
        SocketAddr::new(self.proxies.client(self.peer.ip(), lines), self.peer.port())
    }
}

impl<B> Service<Request<B>> for Watched
where
    B: HttpBody<Data = axum::body::Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router always is.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answering = Answering::of(&self.state);
        let received = |body| {
            let (body, answering) = (Body::new(body), Arc::clone(&answering));
            Body::new(Passing { body, answering, is_received: true })
        };
        let mut request = request.map(received);
        // The one place where it is found out: whatever bounds or logs an address reads it from here.
        let client = self.client(request.headers());
        request.extensions_mut().insert(ConnectInfo(client));
        let answer = self.router.call(request);
        Box::pin(async move {
            Ok(answer.await?.map(|body| Body::new(Passing { body, answering, is_received: false })))
        })
    }
}

/// The body of a request or of its answer: it tells whose turn it is, and the connection counts as answering until the
/// answer's is gone.
struct Passing {
    body: Body,
    answering: Arc<Answering>,
    /// From the peer; else to it.
    is_received: bool,
}

impl HttpBody for Passing {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.answering.turn(match (self.is_received, &polled) {
            (true, Poll::Pending) => Turn::Sending,
            // It is polled again once there is room for more of it.
            (false, Poll::Ready(Some(_))) => Turn::Taking(Instant::now()),
            _ => Turn::Ours,
        });
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Of a body that nobody reads on, nothing is waited for.
        if self.is_received {
            self.answering.nothing_is_sent();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_waits_makes_room_and_nobody_who_is_being_answered() {
        let open = OpenConnections::new(3, 2, Arc::default());
        let [a, b] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let is_closed = |place: &Place| place.state.close.is_cancelled();
        let first = open.enter(a).unwrap();
        let second = open.enter(a).unwrap();
        let other = open.enter(b).unwrap();
        let answering = Answering::of(&first.state);
        let third = open.enter(a).unwrap();
        assert!(!is_closed(&first) && is_closed(&second), "the other one of its address");
        assert!(!is_closed(&other) && !is_closed(&third));
        let _more = [Answering::of(&third.state), Answering::of(&other.state)];
        assert!(open.enter(a).is_none() && open.enter(b).is_none(), "all are being answered");
        drop(answering);
        assert!(open.enter(b).is_some() && is_closed(&first));
        drop((first, second, third, other));
        assert!(open.lock().1.is_empty());
    }

    #[test]
    fn one_network_of_ipv6_is_one_peer() {
        let open = OpenConnections::new(9, 2, Arc::default());
        let places: Vec<_> =
            (1..=3).map(|host| open.enter(format!("2001:db8::{host}").parse().unwrap()).unwrap()).collect();
        let closed: Vec<bool> = places.iter().map(|place| place.state.close.is_cancelled()).collect();
        assert_eq!(closed, [true, false, false]);
    }

    #[test]
    fn a_trusted_proxy_opens_as_many_connections_as_there_may_be() {
        let proxies = TrustedProxies::new(vec!["192.0.2.1".parse().unwrap()]);
        let open = OpenConnections::new(4, 2, Arc::new(proxies));
        let enter = |text: &str| open.enter(text.parse().unwrap()).unwrap();
        let places: Vec<_> = ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"].map(enter).into();
        let closed = |number: usize| places[number].state.close.is_cancelled();
        assert!(!(0..4).any(closed));
        let _other = enter("192.0.2.2");
        assert!(closed(0) && !(1..4).any(closed), "the bound of all connections holds");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_slow_to_send_or_to_take_makes_room_and_whoever_waits_for_us_does_not() {
        let open = OpenConnections::new(1, 1, Arc::default());
        let place = open.enter("192.0.2.1".parse().unwrap()).unwrap();
        let answering = Answering::of(&place.state);
        let of = |body, is_received| Passing { body, answering: Arc::clone(&answering), is_received };
        let poll = |passing: &mut Passing| {
            Pin::new(passing).poll_frame(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
        };
        let slow = || Body::from_stream(futures::stream::pending::<Result<&'static str, Infallible>>());
        let mut received = of(slow(), true);
        assert!(!place.state.waits(), "nobody has wanted the body yet");
        assert!(!poll(&mut received) && place.state.waits());
        drop(received);
        assert!(!place.state.waits(), "it is answered without the rest");
        let mut sent = of(slow(), false);
        assert!(!poll(&mut sent) && !place.state.waits(), "more of the answer is ours to make");
        let mut sent = of(Body::from("some"), false);
        assert!(poll(&mut sent) && !place.state.waits());
        tokio::time::advance(TAKING_MAX).await;
        assert!(place.state.waits() && !place.state.is_idle(), "the peer has taken nothing");
        assert!(poll(&mut sent) && !place.state.waits());
    }
}
