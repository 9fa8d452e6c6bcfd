//! Reads to its end what a handler left of a request's body. A connection that is closed with bytes unread is reset, and
//! a client that is still sending then sees the reset instead of the answer that says what to do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::extract::Request;
use axum::http::header::EXPECT;
use axum::middleware::Next;
use axum::response::Response;
use futures::{StreamExt, stream};

/// Of a body that nobody wants no more than this is read; who sends more than that loses the connection.
const LEFT_BYTES_MAX: usize = 16 * 1_024 * 1_024;
/// The answer waits no longer than this for what is left.
const LEFT_PATIENCE: Duration = Duration::from_secs(5);

/// Lets the handler read as much as it wants, then reads the rest, within bounds.
pub(crate) async fn drain(request: Request, next: Next) -> Response {
    // Who asks before he sends has sent nothing, and need not be told to.
    if request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let shared = Shared(Arc::new(Mutex::new(body.into_data_stream())));
    let response = next.run(Request::from_parts(parts, shared.body())).await;
    // Who does not manage in time, or sends too much, is let go.
    let _elapsed = tokio::time::timeout(LEFT_PATIENCE, shared.read_the_rest()).await;
    response
}

/// A body that the handler reads and the layer around it reads on.
#[derive(Clone)]
struct Shared(Arc<Mutex<BodyDataStream>>);

impl Shared {
    fn body(&self) -> Body {
        Body::from_stream(self.clone().pieces())
    }

    fn pieces(self) -> impl stream::Stream<Item = Result<axum::body::Bytes, axum::Error>> + Send + 'static {
        stream::poll_fn(move |context| {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
        })
    }

    async fn read_the_rest(self) {
        let mut pieces = self.pieces();
        let mut left = LEFT_BYTES_MAX;
        while let Some(Ok(piece)) = pieces.next().await {
            let Some(fewer) = left.checked_sub(piece.len()) else { return };
            left = fewer;
        }
    }
}
