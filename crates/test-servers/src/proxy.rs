//! A TCP proxy whose connections can be cut, refused and stalled.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Bytes forwarded at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// What the proxy does with traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    /// New connections are closed at once.
    Refuse,
    /// Connections stay open and nothing passes.
    Stall,
}

/// Stands between a client and its server. Forwards until told otherwise; ends with its handle.
#[derive(Debug)]
pub struct Proxy {
    /// Where clients connect, on the loopback address.
    pub port: u16,
    mode: watch::Sender<Mode>,
    target: Arc<Mutex<String>>,
    open: Arc<Mutex<Vec<AbortHandle>>>,
    listening: AbortHandle,
}

impl Proxy {
    /// Forwards to `target` (`host:port`), which need not answer yet.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, seen) = watch::channel(Mode::Forward);
        let open: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let all = Arc::clone(&open);
        let target = Arc::new(Mutex::new(target));
        let leads_to = Arc::clone(&target);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *seen.borrow() == Mode::Refuse {
                    continue;
                }
                let target = leads_to.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let forward = tokio::spawn(forward(client, target, seen.clone())).abort_handle();
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.retain(|forward| !forward.is_finished());
                all.push(forward);
            }
        });
        Self { port, mode, target, open, listening: listening.abort_handle() }
    }

    /// Leads new connections to another server, as an address does that outlives a failover; the others stay.
    pub fn lead_to(&self, target: String) {
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
    }

    /// Cuts every connection, and says how many there were; new ones get through.
    pub fn cut(&self) -> usize {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|forward| !forward.is_finished());
        open.iter().for_each(AbortHandle::abort);
        open.drain(..).len()
    }

    /// Cuts every connection and refuses new ones, until [`Proxy::forward`].
    pub fn refuse(&self) {
        self.mode.send_replace(Mode::Refuse);
        self.cut();
    }

    /// Lets nothing through and closes nothing, as a network that drops packets, until [`Proxy::forward`].
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Forwards again.
    pub fn forward(&self) {
        self.mode.send_replace(Mode::Forward);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn forward(client: TcpStream, target: String, mode: watch::Receiver<Mode>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // The end of either direction is the end of both, as with a cut.
    tokio::select! {
        () = copy(from_client, to_server, mode.clone()) => {}
        () = copy(from_server, to_client, mode) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut mode: watch::Receiver<Mode>,
) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        if mode.wait_for(|mode| *mode != Mode::Stall).await.is_err() {
            return;
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_millis(100);

    /// A server that sends back what it gets.
    async fn echo() -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = client.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        address
    }

    async fn echoes(stream: &mut TcpStream) -> std::io::Result<bool> {
        stream.write_all(b"x").await?;
        let mut byte = [0];
        stream.read_exact(&mut byte).await.map(|_| true)
    }

    #[tokio::test]
    async fn traffic_passes_is_stalled_is_cut_and_is_refused() {
        let proxy = Proxy::start(echo().await).await;
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port));
        let mut stream = connect().await.unwrap();
        assert!(echoes(&mut stream).await.unwrap());

        proxy.stall();
        assert!(tokio::time::timeout(SOON, echoes(&mut stream)).await.is_err(), "nothing passes");
        proxy.forward();
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();

        assert_eq!(proxy.cut(), 1);
        assert!(echoes(&mut stream).await.is_err());
        proxy.refuse();
        let mut refused = connect().await.unwrap();
        assert!(echoes(&mut refused).await.is_err());
        proxy.forward();
        let mut again = connect().await.unwrap();
        assert!(echoes(&mut again).await.unwrap());
    }
}
