//! Taking an installation off a broker.

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};

use crate::Names;

/// Deletes every queue and exchange of `names` from the broker at `url`, with the messages in them.
///
/// # Errors
/// When the broker cannot be reached or refuses.
pub async fn delete_topology(url: &str, names: &Names) -> Result<(), lapin::Error> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let (queues, exchanges) = names.all();
    for queue in queues {
        channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await?;
    }
    for exchange in exchanges {
        channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default()).await?;
    }
    connection.close(200, "done".into()).await
}
