//! The connections that are open: how many, from where, and which of them wait for a request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio_util::sync::CancellationToken;
use tower::Service;

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct ConnectionState {
    address: IpAddr,
    asked: AtomicBool,
    /// Requests whose answers have not left yet.
    answering: AtomicUsize,
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

    fn waits(&self) -> bool {
        self.answering.load(Ordering::Acquire) == 0
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
}

impl OpenConnections {
    pub(crate) fn new(max: usize, per_address_max: usize) -> Self {
        Self { open: Arc::default(), max, per_address_max }
    }

    fn lock(&self) -> MutexGuard<'_, (u64, Open)> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes all that wait for a request.
    pub(crate) fn close_waiting(&self) {
        self.lock().1.values().filter(|state| state.waits()).for_each(|state| state.close.cancel());
    }

    /// A place for one more, if need be that of the oldest connection that waits. `None`: all are being answered.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut guard = self.lock();
        let (next, open) = &mut *guard;
        let of_address = open.values().filter(|state| state.address == address).count();
        if of_address >= self.per_address_max {
            make_room(open, |state| state.address == address)?;
        }
        if open.len() >= self.max {
            make_room(open, |_| true)?;
        }
        let state = Arc::new(ConnectionState {
            address,
            asked: AtomicBool::new(false),
            answering: AtomicUsize::new(0),
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

/// An answer that is being made or sent.
struct Answering(Arc<ConnectionState>);

impl Answering {
    fn of(state: &Arc<ConnectionState>) -> Self {
        state.answering.fetch_add(1, Ordering::AcqRel);
        state.asked.store(true, Ordering::Release);
        Self(Arc::clone(state))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The router, seen from one connection: it is told the peer's address, and the connection counts as answering until the
/// whole body of an answer is handed over.
#[derive(Clone)]
pub(crate) struct Watched {
    router: Router,
    peer: SocketAddr,
    state: Arc<ConnectionState>,
}

impl Watched {
    pub(crate) fn new(router: Router, peer: SocketAddr, state: Arc<ConnectionState>) -> Self {
        Self { router, peer, state }
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
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let answer = self.router.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Body::new(Sent { body, _answering: answering }))) })
    }
}

/// A body that keeps its connection answering until it is gone.
struct Sent {
    body: Body,
    _answering: Answering,
}

impl HttpBody for Sent {
    type Data = axum::body::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_that_waits_makes_room_and_nobody_who_is_being_answered() {
        let open = OpenConnections::new(3, 2);
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
}
