//! A connection that comes back.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use helpsync_model::{Entropy, Outage, chain};
use helpsync_queue::QueueError;
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::RECONNECT;
use crate::settings::RabbitSettings;
use crate::topology::{self, Names};

/// The supervisor looks at its connection at least this often, whatever the client library tells it.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// For a polite goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The link that tells of the first connection.
pub(crate) const FIRST: &str = "publishing";

/// The state of a link.
#[derive(Debug, Clone)]
pub(crate) enum LinkState {
    /// Not connected, and why (for logs and the status page; without credentials).
    Down(String),
    /// Connected, topology declared.
    Up(Arc<Connection>),
}

/// A handle to a supervised connection. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    state: watch::Receiver<LinkState>,
    call_timeout: Duration,
}

/// What a supervisor needs.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor {
    pub(crate) uri: AMQPUri,
    pub(crate) name: &'static str,
    pub(crate) settings: RabbitSettings,
    pub(crate) names: Names,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) shutdown: CancellationToken,
    /// Of all links of the process.
    pub(crate) outage: Arc<Outage>,
}

impl Link {
    /// Starts the supervisor on `tasks`. It runs until its shutdown token is cancelled.
    pub(crate) fn start(supervisor: Supervisor, tasks: &tokio_util::task::TaskTracker) -> Self {
        let (tell, state) = watch::channel(LinkState::Down("connecting".to_owned()));
        let call_timeout = supervisor.settings.call_timeout;
        tasks.spawn(supervisor.run(tell));
        Self { state, call_timeout }
    }

    /// The state now.
    pub(crate) fn state(&self) -> LinkState {
        match self.state.borrow().clone() {
            LinkState::Up(connection) if !connection.status().connected() => {
                LinkState::Down("the connection was lost".to_owned())
            }
            state => state,
        }
    }

    /// Whether it is connected.
    pub(crate) fn is_up(&self) -> bool {
        matches!(self.state(), LinkState::Up(_))
    }

    /// Whether the broker blocks publishers on this connection.
    pub(crate) fn is_blocked(&self) -> bool {
        matches!(self.state(), LinkState::Up(connection) if connection.status().blocked())
    }

    /// Waits until connected.
    pub(crate) async fn up(&self) -> Result<(), QueueError> {
        let mut state = self.state.clone();
        let waited = state.wait_for(|state| matches!(state, LinkState::Up(_))).await;
        waited.map(|_| ()).map_err(|_closed| QueueError::Closed)
    }

    /// A new channel on the present connection.
    pub(crate) async fn channel(&self) -> Result<Channel, QueueError> {
        match self.state() {
            LinkState::Down(why) => Err(QueueError::Unavailable(why)),
            LinkState::Up(connection) => self.call("open a channel", connection.create_channel()).await,
        }
    }

    /// A call under the deadline.
    pub(crate) async fn call<T>(
        &self,
        action: &'static str,
        call: impl Future<Output = Result<T, lapin::Error>>,
    ) -> Result<T, QueueError> {
        match tokio::time::timeout(self.call_timeout, call).await {
            Ok(answer) => answer.map_err(|error| QueueError::Unavailable(chain(&error))),
            Err(_elapsed) => Err(QueueError::Timeout { action, after: self.call_timeout }),
        }
    }
}

impl Supervisor {
    async fn run(self, tell: watch::Sender<LinkState>) {
        let mut failures = 0u32;
        // Only one of a process's links says that it is connected at first.
        let mut told = self.name != FIRST;
        loop {
            let attempt = tokio::select! {
                () = self.shutdown.cancelled() => break,
                attempt = self.connect() => attempt,
            };
            match attempt {
                Ok(connection) => {
                    if self.outage.ends() || !told {
                        tracing::info!("connected to rabbitmq");
                    } else {
                        tracing::debug!(link = self.name, "connected to rabbitmq");
                    }
                    told = true;
                    failures = 0;
                    let connection = Arc::new(connection);
                    tell.send_replace(LinkState::Up(Arc::clone(&connection)));
                    let lost = tokio::select! {
                        () = self.shutdown.cancelled() => None,
                        why = lost(&connection) => Some(why),
                    };
                    let Some(why) = lost else {
                        tell.send_replace(LinkState::Down("closed".to_owned()));
                        close(&connection).await;
                        break;
                    };
                    self.failed(&why, "lost rabbitmq, connecting again with growing pauses");
                    tell.send_replace(LinkState::Down(why));
                }
                Err(error) => {
                    self.failed(
                        &chain(&error),
                        "cannot connect to rabbitmq, trying again with growing pauses",
                    );
                    tell.send_replace(LinkState::Down(chain(&error)));
                }
            }
            failures = failures.saturating_add(1);
            tokio::select! {
                () = self.shutdown.cancelled() => break,
                () = tokio::time::sleep(RECONNECT.wait(failures, self.entropy.as_ref())) => {}
            }
        }
        tell.send_replace(LinkState::Down("closed".to_owned()));
    }

    /// All links of a process meet the same outage: it is told once.
    fn failed(&self, why: &str, what: &'static str) {
        if self.outage.begins() {
            let pauses_to_seconds = RECONNECT.ceiling(u32::MAX).as_secs();
            tracing::warn!(why, pauses_to_seconds, "{what}");
        } else {
            tracing::debug!(link = self.name, why, "{what}");
        }
    }

    /// Connects and declares the topology.
    async fn connect(&self) -> Result<Connection, QueueError> {
        let properties = ConnectionProperties::default()
            .with_connection_name(format!("{} {}", self.settings.prefix, self.name).into());
        let within = self.settings.connect_timeout;
        let connected =
            tokio::time::timeout(within, Connection::connect_uri(self.uri.clone(), properties)).await;
        let connection = match connected {
            Ok(connection) => connection.map_err(|error| QueueError::Unavailable(chain(&error)))?,
            Err(_elapsed) => return Err(QueueError::Timeout { action: "connect", after: within }),
        };
        let declared = tokio::time::timeout(self.settings.call_timeout, async {
            let channel = connection.create_channel().await?;
            topology::declare(&channel, &self.names, self.settings.lane_capacity).await?;
            channel.close(200, "declared".into()).await
        });
        let problem = match declared.await {
            Ok(Ok(())) => return Ok(connection),
            Ok(Err(error)) => QueueError::Unavailable(format!("declaring the queues: {}", chain(&error))),
            Err(_elapsed) => {
                QueueError::Timeout { action: "declare the queues", after: self.settings.call_timeout }
            }
        };
        close(&connection).await;
        Err(problem)
    }
}

/// Waits for the end of a connection; gives the reason.
async fn lost(connection: &Connection) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    let mut why = "the connection ended".to_owned();
    while connection.status().connected() {
        if let Ok(Some(lapin::Event::Error(error))) = tokio::time::timeout(CHECK_EVERY, events.next()).await {
            why = chain(&error);
            // The state follows the event within moments; without this pause the loop would spin meanwhile.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    why
}

async fn close(connection: &Connection) {
    match tokio::time::timeout(CLOSE_TIMEOUT, connection.close(200, "bye".into())).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(error = chain(&error), "the connection was gone before it could be closed");
        }
        Err(_elapsed) => tracing::warn!("rabbitmq did not answer the goodbye"),
    }
}
