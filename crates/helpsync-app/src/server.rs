//! Listening and stopping.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::AppError;

pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), AppError> {
    let failed = |source| AppError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves HTTP/1 until `stop`, then lets answers under way end. A client has `header_timeout` to send the head of a
/// request, counted from the connection or from the answer before; otherwise its connection is closed.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    header_timeout: Duration,
    stop: CancellationToken,
) {
    // HTTP/1 only: telling it from HTTP/2 means waiting for the first bytes, and no timeout holds for that.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(header_timeout);
    let connections = GracefulShutdown::new();
    loop {
        // Goes on after a failed accept, such as one for lack of file descriptors.
        let (stream, _peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "a connection ended early");
            }
        });
    }
    drop(listener);
    connections.shutdown().await;
}

/// Ends at the first SIGINT or SIGTERM.
///
/// # Errors
/// When the operating system takes no handler.
pub fn stop_signal() -> std::io::Result<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::*;

    /// What a connection that is not closed would be waited for.
    const LATE: Duration = Duration::from_secs(30);

    struct Served {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn served(header_timeout: Duration) -> Served {
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let router = Router::new().route("/", get(|| async { "hello" }));
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, header_timeout, stop.clone()));
        Served { address, stop, task }
    }

    /// All that the server sends until it closes the connection.
    async fn until_closed(stream: &mut TcpStream) -> String {
        let mut answer = String::new();
        tokio::time::timeout(LATE, stream.read_to_string(&mut answer)).await.expect("closed").unwrap();
        answer
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_the_head_of_its_request_is_hung_up_on() {
        let served = served(Duration::from_millis(50)).await;
        for start in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let answer = until_closed(&mut stream).await;
            assert!(!answer.contains("hello"), "{answer}");
        }
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_connections_that_ask_nothing() {
        let served = served(LATE).await;
        let mut idle = TcpStream::connect(served.address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        served.stop.cancel();
        tokio::time::timeout(LATE / 2, served.task).await.expect("stopped").unwrap();
        assert!(TcpStream::connect(served.address).await.is_err(), "the port is free again");
    }
}
