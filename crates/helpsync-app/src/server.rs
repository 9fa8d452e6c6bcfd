//! Listening, and what strangers may take of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware;
use axum::serve::Listener;
use helpsync_model::TrustedProxies;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::AppError;
use crate::connections::{ConnectionState, OpenConnections, Watched};
use crate::heads::{self, HEAD_BYTES_MAX};

/// A line of the log about refused connections for so long: whoever opens them must not fill it.
const REFUSED_TOLD_EVERY: Duration = Duration::from_mins(1);

/// Requests at once on a connection of HTTP/2.
const STREAMS_MAX: u32 = 64;

/// Listens on the address that `setting` names.
pub(crate) async fn listen(
    address: SocketAddr,
    setting: &'static str,
) -> Result<(TcpListener, SocketAddr), AppError> {
    let failed = |source| AppError::Listen { setting, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What strangers may take of a listener.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionLimits {
    /// For the head of the first request.
    pub(crate) header_timeout: Duration,
    /// Between two requests, the head of the second included.
    pub(crate) idle_timeout: Duration,
    /// Open at once.
    pub(crate) connections_max: usize,
    /// Open at once from one address.
    pub(crate) per_address_max: usize,
    /// Whose connections are other clients'.
    pub(crate) proxies: Arc<TrustedProxies>,
    /// Whether HTTP/2 is answered too.
    pub(crate) http2: bool,
}

/// What answers on connections: HTTP/1, and HTTP/2 where it is wanted. Which it is, the first bytes say; who sends none of
/// them is closed as whoever asks nothing.
fn builder(limits: &ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // Counted from the connection's start or from the answer before.
    let head = limits.header_timeout.max(limits.idle_timeout);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES_MAX);
    if !limits.http2 {
        return builder.http1_only();
    }
    let head_bytes = u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(head_bytes)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_timeout);
    builder
}

/// Serves HTTP until `stop`, then lets answers under way end. Nobody can keep others out by opening connections:
/// those that wait for their peer make room for new ones.
pub(crate) async fn serve(
    mut listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    stop: CancellationToken,
) {
    let router = router.layer(middleware::from_fn(heads::check));
    let builder = builder(&limits);
    let connections = GracefulShutdown::new();
    let open =
        OpenConnections::new(limits.connections_max, limits.per_address_max, Arc::clone(&limits.proxies));
    let mut refused = Refused::default();
    loop {
        // Goes on after a failed accept, such as one for lack of file descriptors.
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let Some(place) = open.enter(peer.ip()) else {
            refused.tell(peer);
            continue;
        };
        let (proxies, state) = (Arc::clone(&limits.proxies), Arc::clone(place.state()));
        let service = TowerToHyperService::new(Watched::new(router.clone(), peer, proxies, state));
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        let connection = connections.watch(connection);
        tokio::spawn(async move {
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(error, "a connection ended early");
                },
                () = place.state().closed() => tracing::debug!("a waiting connection makes room"),
                () = silent(place.state(), limits.header_timeout) => tracing::debug!("a connection asked nothing"),
                () = idle(place.state(), limits.idle_timeout) => tracing::debug!("a connection asked nothing more"),
            }
            drop(place);
        });
    }
    drop(listener);
    open.close_idle();
    connections.shutdown().await;
}

/// Connections that were refused: told of once a minute, however many they are.
#[derive(Default)]
struct Refused {
    number: u64,
    told: Option<Instant>,
}

impl Refused {
    fn tell(&mut self, peer: SocketAddr) {
        self.number = self.number.saturating_add(1);
        if self.told.is_none_or(|told| told.elapsed() >= REFUSED_TOLD_EVERY) {
            let number = std::mem::take(&mut self.number);
            tracing::warn!(%peer, number, "connections are refused: all that are open are being answered");
            self.told = Some(Instant::now());
        }
    }
}

/// Ends when the connection has not asked anything by then.
async fn silent(state: &ConnectionState, patience: Duration) {
    tokio::time::sleep(patience).await;
    if state.has_asked() {
        std::future::pending::<()>().await;
    }
}

/// Ends when nothing was asked or answered for `patience`, and at the latest for twice that. Of HTTP/2 nothing else ends a
/// connection whose client answers pings.
async fn idle(state: &ConnectionState, patience: Duration) {
    loop {
        let turns = state.turns();
        tokio::time::sleep(patience).await;
        if state.is_idle() && state.turns() == turns {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::connections::Answering;

    /// What a connection that is not closed would be waited for.
    const LATE: Duration = Duration::from_secs(30);

    struct Served {
        address: SocketAddr,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn served(header_timeout: Duration, http2: bool) -> Served {
        served_for(header_timeout, LATE, http2).await
    }

    async fn served_for(header_timeout: Duration, idle_timeout: Duration, http2: bool) -> Served {
        let (listener, address) = listen("127.0.0.1:0".parse().unwrap(), "").await.unwrap();
        let endless = || async {
            let pieces = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; 64 * 1024]));
            axum::body::Body::from_stream(pieces)
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/read", axum::routing::post(|body: String| async move { body }))
            .route("/long", get(endless));
        let stop = CancellationToken::new();
        let limits = ConnectionLimits {
            header_timeout,
            idle_timeout,
            connections_max: 4,
            per_address_max: 4,
            proxies: Arc::default(),
            http2,
        };
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
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
        let served = served(Duration::from_millis(50), false).await;
        for start in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(start.as_bytes()).await.unwrap();
            let answer = until_closed(&mut stream).await;
            assert!(!answer.contains("hello"), "{answer}");
        }
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("hello"), "{answer}");
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn the_head_of_a_later_request_has_a_time_limit_too_and_so_has_silence_after_an_answer() {
        let second = Duration::from_secs(1);
        let served = served_for(second, second, false).await;
        for start in ["", "GET / HTTP/1.1\r\nhost: x\r\n"] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            for _ in 0..2 {
                stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                let mut answer = String::new();
                while !answer.ends_with("hello") {
                    answer.push(char::from(stream.read_u8().await.unwrap()));
                }
            }
            stream.write_all(start.as_bytes()).await.unwrap();
            let answer = until_closed(&mut stream).await;
            assert!(!answer.contains("hello"), "{answer}");
        }
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn a_head_is_bounded_however_it_arrives_and_names_one_host() {
        let served = served(LATE, false).await;
        let long = "x".repeat(HEAD_BYTES_MAX);
        for (head, status) in [
            ("GET / HTTP/1.1\r\nhost: x\r\n".to_owned(), 200),
            ("GET / HTTP/1.0\r\n".to_owned(), 200),
            (format!("GET / HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n"), 431),
            (format!("GET /?{long} HTTP/1.1\r\nhost: x\r\n"), 431),
            ("GET / HTTP/1.1\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n".to_owned(), 400),
        ] {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).await.unwrap();
            let answer = until_closed(&mut stream).await;
            assert_eq!(answer.get(9..12), Some(status.to_string().as_str()), "{answer}");
        }
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn connections_that_ask_nothing_make_room_and_those_being_answered_do_not() {
        let served = served(LATE, false).await;
        let ask = async |stream: &mut TcpStream| {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).await.unwrap();
            assert_eq!(&first, b"HTTP/1.1 200");
        };
        // Far more than the four that may be open, half open for as long as they are let.
        let mut half_open = Vec::new();
        for _ in 0..100 {
            let mut stream = TcpStream::connect(served.address).await.unwrap();
            // The server may have hung up already.
            let _sent = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n").await;
            half_open.push(stream);
            if half_open.len() % 25 == 0 {
                ask(&mut TcpStream::connect(served.address).await.unwrap()).await;
            }
        }
        assert_eq!(until_closed(&mut half_open[0]).await, "", "the oldest is gone");
        served.stop.cancel();
        served.task.await.unwrap();
    }

    /// Ten times as many as may be open, each with the head of a request and a byte of its body, or with an answer that it
    /// does not take.
    #[tokio::test]
    async fn who_does_not_go_on_with_a_body_or_takes_no_answer_keeps_nobody_out() {
        let served = served(LATE, false).await;
        let post = "POST /read HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\nx";
        for slow in [post, "GET /long HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let mut held = Vec::new();
            let attack = async {
                for _ in 0..40 {
                    let mut stream = TcpStream::connect(served.address).await.unwrap();
                    // The server may have hung up already.
                    let _sent = stream.write_all(slow.as_bytes()).await;
                    held.push(stream);
                }
                std::future::pending::<()>().await;
            };
            let other = async {
                let client = reqwest::Client::builder().timeout(LATE).build().unwrap();
                let mut answered = 0;
                while answered < 5 {
                    let asked = client.get(format!("http://{}/", served.address)).send().await;
                    answered += usize::from(asked.is_ok_and(|answer| answer.status().is_success()));
                }
            };
            tokio::select! {
                () = attack => {}
                answered = tokio::time::timeout(LATE, other) => answered.expect("others are answered"),
            }
        }
        served.stop.cancel();
        served.task.abort();
    }

    #[tokio::test]
    async fn the_head_of_a_request_has_a_bound() {
        let served = served(LATE, false).await;
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(2 * HEAD_BYTES_MAX));
        let _cut = stream.write_all(head.as_bytes()).await;
        let mut answer = [0; 12];
        let read = tokio::time::timeout(LATE, stream.read_exact(&mut answer)).await.expect("an answer");
        // Or the connection is reset before the answer is read: what was sent is not read to its end.
        assert!(read.is_err() || &answer == b"HTTP/1.1 431", "{answer:?}");
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test]
    async fn http2_is_answered_where_a_setting_says_so_and_nowhere_else() {
        let client = reqwest::Client::builder().http2_prior_knowledge().timeout(LATE).build().unwrap();
        for wanted in [false, true] {
            let served = served(LATE, wanted).await;
            let answer = client.get(format!("http://{}/", served.address)).send().await;
            assert_eq!(answer.is_ok_and(|answer| answer.version() == reqwest::Version::HTTP_2), wanted);
            served.stop.cancel();
            served.task.await.unwrap();
        }
        // HTTP/1 goes on, and nobody waits for the rest of a beginning for ever.
        let served = served(Duration::from_millis(50), true).await;
        let mut half = TcpStream::connect(served.address).await.unwrap();
        half.write_all(b"PRI * HTTP/2.0\r\n").await.unwrap();
        assert_eq!(until_closed(&mut half).await, "");
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        assert!(until_closed(&mut stream).await.ends_with("hello"));
        served.stop.cancel();
        served.task.await.unwrap();
    }

    /// A GET of HTTP/2: preface, empty settings, the head of one request by the static table.
    const GET_BY_HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\
        \0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01x";
    const PING: u8 = 6;
    const ACK: u8 = 1;

    #[tokio::test]
    async fn a_client_of_http2_that_answers_pings_and_asks_nothing_more_is_hung_up_on() {
        let served = served_for(LATE, Duration::from_millis(50), true).await;
        let mut stream = TcpStream::connect(served.address).await.unwrap();
        stream.write_all(GET_BY_HTTP2).await.unwrap();
        let answers_pings = async {
            let (mut head, mut pings) = ([0; 9], 0);
            while stream.read_exact(&mut head).await.is_ok() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; length as usize];
                if stream.read_exact(&mut payload).await.is_err() {
                    break;
                }
                if head[3] == PING && head[4] & ACK == 0 {
                    head[4] |= ACK;
                    pings += 1;
                    // The server may be gone by now.
                    drop(stream.write_all(&[&head[..], &payload].concat()).await);
                }
            }
            pings
        };
        let pings = tokio::time::timeout(LATE, answers_pings).await.expect("closed");
        println!("{pings} pings");
        served.stop.cancel();
        served.task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_once_nothing_was_asked_or_answered_for_long_enough() {
        let open = OpenConnections::new(1, 1, Arc::default());
        let place = open.enter([127, 0, 0, 1].into()).unwrap();
        let patience = Duration::from_secs(10);
        let ended =
            async |after: Duration| tokio::time::timeout(after, idle(place.state(), patience)).await.is_ok();
        assert!(ended(patience * 2).await);
        let answering = Answering::of(place.state());
        assert!(!ended(patience * 9).await, "it is being answered");
        let (idle, ()) = tokio::join!(ended(patience * 2 - Duration::from_secs(1)), async {
            tokio::time::sleep(patience / 2).await;
            drop(answering);
        });
        assert!(!idle, "it was answered just now");
        assert!(ended(patience * 2).await);
    }

    #[tokio::test]
    async fn a_stop_does_not_wait_for_connections_that_ask_nothing() {
        let served = served(LATE, false).await;
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
