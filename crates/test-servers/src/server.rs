//! One server: prepared, launched, killed, launched again.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::launch;

/// Below the range that systems take the ports of outgoing connections from: a restarted server gets its port back.
const PORTS: std::ops::Range<u16> = 21_000..30_000;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// PostgreSQL, user `postgres`, database `postgres`.
    Postgres,
    /// Redis, keeping nothing on disk.
    Redis,
    /// RabbitMQ, a node of its own.
    RabbitMq,
}

/// How a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Without a word; what it had written it finds again.
    Crash,
    /// In order, hanging up on its clients.
    Stop,
}

/// A server in a temporary folder. Ends with its handle.
#[derive(Debug)]
pub struct OwnServer {
    service: Service,
    port: u16,
    /// For nodes that talk to each other; only RabbitMQ uses it.
    second_port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl OwnServer {
    /// Prepares a server and launches it; [`OwnServer::answers`] waits for it. `None`, with a word about it, when this
    /// machine has no such server.
    ///
    /// # Panics
    /// When there is one and it cannot be prepared.
    #[must_use]
    pub fn start(service: Service) -> Option<Self> {
        Self::start_after(service, |_folder| Ok(()))
    }

    /// As [`OwnServer::start`], a PostgreSQL with the extension `vector`: that of the Python package `pgserver`.
    ///
    /// # Panics
    /// When there is one and it cannot be prepared.
    #[must_use]
    pub fn start_postgres_with_vector() -> Option<Self> {
        Self::start_after(Service::Postgres, launch::bring_vector)
    }

    fn start_after(service: Service, bring: impl FnOnce(&Path) -> Result<(), String>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if let Err(why) = bring(folder.path()).and_then(|()| launch::prepare(service, folder.path())) {
            eprintln!("SKIPPED: no {service:?} can be started: {why}");
            return None;
        }
        let (port, second_port) = (free_port(), free_port());
        let mut server = Self { service, port, second_port, folder, child: None };
        if let Err(why) = server.try_launch() {
            eprintln!("SKIPPED: no {service:?} can be started: {why}");
            return None;
        }
        Some(server)
    }

    /// Launches it (again), on the same port and with what it had stored.
    ///
    /// # Panics
    /// When it cannot be launched.
    pub fn launch(&mut self) {
        self.try_launch().unwrap();
    }

    fn try_launch(&mut self) -> Result<(), String> {
        assert!(self.child.is_none(), "{:?} runs already", self.service);
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .map_err(|error| error.to_string())?;
        let mut command = launch::command(self.service, self.folder.path(), self.port, self.second_port)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            // Its children end with it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Ends it, and returns when it has ended. One that is not running is left alone.
    pub fn end(&mut self, death: Death) {
        let Some(mut child) = self.child.take() else { return };
        let id = child.id();
        // Postgres leaves shared memory behind when it is killed outright; its own way to crash is SIGQUIT.
        let (signal, whom) = match (self.service, death) {
            (Service::Postgres, Death::Crash) => ("QUIT", id.to_string()),
            (Service::Postgres, Death::Stop) => ("INT", id.to_string()),
            (_, Death::Crash) => ("KILL", format!("-{id}")),
            (_, Death::Stop) => ("TERM", format!("-{id}")),
        };
        let sent = Command::new("kill").args([&format!("-{signal}"), "--", &whom]).status();
        if !sent.is_ok_and(|status| status.success()) {
            drop(child.kill());
        }
        drop(child.wait());
        // The port is free when the last of its processes is gone.
        while TcpListener::bind((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Waits until it answers.
    ///
    /// # Panics
    /// When it does not within `late`, with the end of its log.
    pub async fn answers(&self, late: Duration) {
        let answered = tokio::time::timeout(late, async {
            while !self.try_ask().await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        if answered.await.is_err() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(20).collect();
            panic!("{:?} did not answer within {late:?}; its log, newest first: {tail:#?}", self.service);
        }
    }

    /// Where it listens, as `host:port`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its URL, reached through `port`: its own, or that of a proxy.
    #[must_use]
    pub fn url(&self, port: u16) -> String {
        match self.service {
            Service::Postgres => format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable"),
            Service::Redis => format!("redis://127.0.0.1:{port}"),
            Service::RabbitMq => format!("amqp://guest:guest@127.0.0.1:{port}/%2f"),
        }
    }

    /// Its port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Makes a Redis forget everything.
    ///
    /// # Panics
    /// When it is none, or does not answer.
    pub async fn flush(&self) {
        assert_eq!(self.service, Service::Redis);
        assert_eq!(self.say(b"FLUSHALL\r\n", 5).await.unwrap(), b"+OK\r\n");
    }

    /// The least that shows each of them to be ready for clients.
    async fn try_ask(&self) -> bool {
        match self.service {
            Service::Redis => self.say(b"PING\r\n", 7).await.is_some_and(|answer| answer == b"+PONG\r\n"),
            // The protocol's opening: a server that takes clients answers with its own.
            Service::RabbitMq => {
                self.say(b"AMQP\x00\x00\x09\x01", 1).await.is_some_and(|answer| answer == [1])
            }
            Service::Postgres => {
                let mut opening = vec![0, 0, 0, 0, 0, 3, 0, 0];
                opening.extend(b"user\0postgres\0database\0postgres\0\0");
                opening[3] = u8::try_from(opening.len()).unwrap_or(u8::MAX);
                // `R`: go on with authentication; while it starts, it sends an error.
                self.say(&opening, 1).await.is_some_and(|answer| answer == b"R")
            }
        }
    }

    async fn say(&self, words: &[u8], answer_bytes: usize) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address()).await.ok()?;
        stream.write_all(words).await.ok()?;
        let mut answer = vec![0; answer_bytes];
        let read = tokio::time::timeout(Duration::from_secs(1), stream.read_exact(&mut answer)).await;
        read.ok()?.ok().map(|_| answer)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.end(Death::Crash);
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let size = PORTS.end - PORTS.start;
    // Processes of tests that run at once begin in different places.
    let start = u16::try_from(std::process::id() % u32::from(size)).unwrap_or(0);
    (0..size)
        .map(|_| PORTS.start + (start + NEXT.fetch_add(1, Ordering::Relaxed) % size) % size)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port")
}
