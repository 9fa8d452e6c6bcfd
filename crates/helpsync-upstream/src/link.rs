//! One connection with one channel in confirm mode.

use helpsync_model::chain;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ErrorKind, ExchangeKind,
};

use crate::PublishError;

/// The routing key of requests.
const ROUTING_KEY: &str = "request";
/// Persistent.
const ON_DISK: u8 = 2;
/// AMQP's "there is no such thing".
const NOT_FOUND: u16 = 404;

/// A link is used for one message at a time, so a returned message is always the one that was just sent.
#[derive(Debug)]
pub(crate) struct Link {
    connection: Connection,
    /// Whom the broker knows this service as: it refuses every other name in a message.
    user: String,
    channel: Channel,
}

/// What became of one try.
#[derive(Debug)]
pub(crate) enum Try {
    /// The answer to this message; the link may be used again.
    Answered(Result<(), PublishError>),
    /// The link broke; the message may have arrived.
    Broken(String),
}

impl Link {
    /// Connects, and makes sure that there is somebody to publish to.
    pub(crate) async fn open(uri: AMQPUri, exchange: &str) -> Result<Self, PublishError> {
        let properties = ConnectionProperties::default().with_connection_name("helpsync-upstream".into());
        let user = uri.authority.userinfo.username.clone();
        let connection = Connection::connect_uri(uri, properties).await.map_err(unavailable)?;
        let channel = connection.create_channel().await.map_err(unavailable)?;
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Direct, passive, FieldTable::default())
            .await
            .map_err(|error| if is_missing(&error) { no_exchange(exchange) } else { unavailable(error) })?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(unavailable)?;
        Ok(Self { connection, user, channel })
    }

    pub(crate) fn is_usable(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }

    /// Whether the broker takes nothing at present (memory or disk alarm).
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Publishes and waits for the confirm.
    pub(crate) async fn publish(&self, exchange: &str, id: &str, body: &[u8]) -> Try {
        let properties = BasicProperties::default()
            .with_message_id(id.into())
            .with_user_id(self.user.as_str().into())
            .with_content_type("application/json".into())
            .with_delivery_mode(ON_DISK);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sent =
            self.channel.basic_publish(exchange.into(), ROUTING_KEY.into(), options, body, properties).await;
        let confirmed = match sent {
            Ok(confirm) => confirm.await,
            Err(error) => Err(error),
        };
        match confirmed {
            Ok(Confirmation::Ack(None)) => Try::Answered(Ok(())),
            Ok(Confirmation::Ack(Some(_returned))) => Try::Answered(Err(PublishError::Unroutable)),
            Ok(Confirmation::Nack(_)) => Try::Answered(Err(PublishError::Full)),
            Ok(Confirmation::NotRequested) => Try::Broken("the channel gives no confirms".to_owned()),
            // The exchange was deleted since the link was opened: nothing was taken.
            Err(error) if is_missing(&error) => Try::Answered(Err(no_exchange(exchange))),
            Err(error) => Try::Broken(chain(&error)),
        }
    }

    pub(crate) async fn close(self) {
        // What is closed already needs no goodbye.
        drop(self.connection.close(200, "bye".into()).await);
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == NOT_FOUND)
}

fn no_exchange(exchange: &str) -> PublishError {
    PublishError::NoExchange(exchange.to_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err wants")]
fn unavailable(error: lapin::Error) -> PublishError {
    PublishError::Unavailable(chain(&error))
}
