//! The client on a real broker: `HELPSYNC_TEST_AMQP_URL`, or the one on this machine; without one the tests say that
//! they skip. Every test has an exchange of its own and deletes it.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::time::Duration;

use helpsync_model::{Entropy as _, OsEntropy};
use helpsync_upstream::{PublishError, Request, RequestAction, Upstream};
use lapin::options::{
    BasicAckOptions, BasicGetOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::net::{TcpListener, TcpStream};

const SHORT: Duration = Duration::from_millis(600);

fn url() -> String {
    std::env::var("HELPSYNC_TEST_AMQP_URL")
        .unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

fn request() -> Request {
    Request::new("ada", RequestAction::Sync { full: false })
}

/// What an installation would have declared.
struct Broker {
    prefix: String,
    channel: Channel,
    _connection: Connection,
}

impl Broker {
    /// `bounded`: the queue takes one message and refuses more.
    async fn with_queue(bounded: bool) -> Option<Self> {
        let connection = match Connection::connect(&url(), ConnectionProperties::default()).await {
            Ok(connection) => connection,
            Err(error) => {
                eprintln!("SKIPPED: no broker at HELPSYNC_TEST_AMQP_URL or the default: {error}");
                return None;
            }
        };
        let channel = connection.create_channel().await.unwrap();
        let prefix = format!("helpsync-test-{}", OsEntropy.uuid().simple());
        let broker = Self { prefix, channel, _connection: connection };
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let (exchange, queue) = (broker.exchange(), broker.queue());
        let channel = &broker.channel;
        channel
            .exchange_declare(exchange.as_str().into(), ExchangeKind::Direct, options, FieldTable::default())
            .await
            .unwrap();
        let mut arguments = FieldTable::default();
        if bounded {
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(1));
            arguments.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        }
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(queue.as_str().into(), durable, arguments).await.unwrap();
        let (queue, exchange) = (queue.as_str().into(), exchange.as_str().into());
        let bind = QueueBindOptions::default();
        channel.queue_bind(queue, exchange, "request".into(), bind, FieldTable::default()).await.unwrap();
        Some(broker)
    }

    fn exchange(&self) -> String {
        format!("{}.jobs", self.prefix)
    }

    fn queue(&self) -> String {
        format!("{}.requests.v1", self.prefix)
    }

    fn client(&self) -> Upstream {
        Upstream::new(&url()).unwrap().with_prefix(&self.prefix)
    }

    /// Takes every message; ids and bodies.
    async fn taken(&self) -> Vec<(String, Vec<u8>)> {
        let mut taken = Vec::new();
        while let Some(message) =
            self.channel.basic_get(self.queue().into(), BasicGetOptions::default()).await.unwrap()
        {
            assert!(message.ack(BasicAckOptions::default()).await.unwrap());
            assert_eq!(message.properties.delivery_mode(), &Some(2), "kept on disk");
            let id = message.properties.message_id().as_ref().unwrap().to_string();
            taken.push((id, message.delivery.data));
        }
        taken
    }

    async fn delete_queue(&self) {
        self.channel.queue_delete(self.queue().into(), QueueDeleteOptions::default()).await.unwrap();
    }

    async fn delete_exchange(&self) {
        self.channel.exchange_delete(self.exchange().into(), ExchangeDeleteOptions::default()).await.unwrap();
    }

    async fn clean_up(self) {
        self.delete_queue().await;
        self.delete_exchange().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_as_it_was_written_and_one_connection_serves_many() {
    let Some(broker) = Broker::with_queue(false).await else { return };
    let client = broker.client();
    for id in ["r-1", "r-2", "r-3"] {
        client.publish(id, &request()).await.unwrap();
    }
    client.close().await;
    let taken = broker.taken().await;
    assert_eq!(taken.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>(), ["r-1", "r-2", "r-3"]);
    assert!(taken.iter().all(|(_, body)| Request::from_bytes(body).unwrap() == request()));
    broker.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_reader_would_refuse_is_never_sent() {
    // Port 1 is reserved: nothing answers there, and nothing has to.
    let client = Upstream::new("amqp://guest:hunter2@127.0.0.1:1/%2f").unwrap();
    let nobody = Request::new("", RequestAction::Sync { full: false });
    assert!(matches!(client.publish("r", &nobody).await, Err(PublishError::Invalid(_))));
    let beyond = Request::new("ada", RequestAction::ResyncArticle { article_id: 0 });
    assert!(matches!(client.publish("r", &beyond).await, Err(PublishError::Invalid(_))));
    for id in [String::new(), "x".repeat(256)] {
        assert!(matches!(client.publish(&id, &request()).await, Err(PublishError::Id)));
    }
    assert!(!format!("{client:?}").contains("hunter2"));
    assert!(!Upstream::new("http://guest:hunter2@x").unwrap_err().to_string().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_waited_for_until_the_deadline() {
    let client = Upstream::new("amqp://guest:guest@127.0.0.1:1/%2f").unwrap().with_deadline(SHORT);
    let error = client.publish("r", &request()).await.unwrap_err();
    assert!(matches!(error, PublishError::Unavailable(_)) && error.is_transient(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_exchange_a_missing_queue_and_a_full_one_are_told_apart() {
    let Some(broker) = Broker::with_queue(true).await else { return };
    let client = broker.client().with_deadline(SHORT);
    client.publish("r-1", &request()).await.unwrap();
    let full = client.publish("r-2", &request()).await.unwrap_err();
    assert!(matches!(full, PublishError::Full) && full.is_transient(), "{full:?}");
    broker.delete_queue().await;
    let unroutable = client.publish("r-3", &request()).await.unwrap_err();
    assert!(matches!(unroutable, PublishError::Unroutable) && !unroutable.is_transient(), "{unroutable:?}");
    broker.delete_exchange().await;
    for client in [client, broker.client().with_deadline(SHORT)] {
        let missing = client.publish("r-4", &request()).await.unwrap_err();
        assert!(matches!(missing, PublishError::NoExchange(_)) && !missing.is_transient(), "{missing:?}");
        assert!(missing.to_string().contains("dispatcher"), "{missing}");
    }
}

/// A proxy that drops its first `cuts` connections after some bytes, then lets everything through.
async fn proxy(cuts: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let uri: lapin::uri::AMQPUri = url().parse().unwrap();
    let target = format!("{}:{}", uri.authority.host, uri.authority.port);
    tokio::spawn(async move {
        let mut left = cuts;
        while let Ok((mut client, _)) = listener.accept().await {
            if left > 0 {
                left -= 1;
                continue;
            }
            let mut server = TcpStream::connect(&target).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_made_anew_within_the_deadline() {
    let Some(broker) = Broker::with_queue(false).await else { return };
    let through = url().replacen(":5672", &format!(":{}", proxy(2).await), 1);
    let client =
        Upstream::new(&through).unwrap().with_prefix(&broker.prefix).with_deadline(Duration::from_secs(30));
    client.publish("r-1", &request()).await.unwrap();
    assert_eq!(broker.taken().await.len(), 1);
    broker.clean_up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_sent_and_not_confirmed_is_reported_as_unknown() {
    let Some(broker) = Broker::with_queue(false).await else { return };
    let (port, silence) = mute_proxy().await;
    let through = url().replacen(":5672", &format!(":{port}"), 1);
    let client =
        Upstream::new(&through).unwrap().with_prefix(&broker.prefix).with_deadline(Duration::from_secs(5));
    client.publish("r-1", &request()).await.unwrap();
    silence.store(true, std::sync::atomic::Ordering::SeqCst);
    let client = client.with_deadline(SHORT);
    let error = client.publish("r-2", &request()).await.unwrap_err();
    assert!(matches!(error, PublishError::Unknown { .. }) && error.is_transient(), "{error:?}");
    broker.clean_up().await;
}

/// A proxy that can be told to hold back every answer of the broker.
async fn mute_proxy() -> (u16, std::sync::Arc<std::sync::atomic::AtomicBool>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let uri: lapin::uri::AMQPUri = url().parse().unwrap();
    let target = format!("{}:{}", uri.authority.host, uri.authority.port);
    let silence = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let told = silence.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&target).await.unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            tokio::spawn(async move { tokio::io::copy(&mut from_client, &mut to_server).await });
            let told = told.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(read @ 1..) = from_server.read(&mut buffer).await {
                    if !told.load(std::sync::atomic::Ordering::SeqCst)
                        && to_client.write_all(&buffer[..read]).await.is_err()
                    {
                        break;
                    }
                }
            });
        }
    });
    (port, silence)
}
