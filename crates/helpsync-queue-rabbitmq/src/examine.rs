//! Looking at a broker without changing anything of it: for `helpsync doctor`.

use std::time::Duration;

use helpsync_model::chain;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use secrecy::ExposeSecret as _;

use crate::topology::queues;
use crate::{Names, RabbitSettings};

/// For connecting, and for each question.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a broker looks like.
#[derive(Debug, Default)]
pub struct BrokerExam {
    /// Queues that are as this program declares them.
    pub ready: usize,
    /// Queues that are not there: the next start makes them.
    pub missing: Vec<String>,
    /// Queues that are there and cannot be used, with the reason: other arguments, or no permission.
    pub wrong: Vec<(String, String)>,
}

/// Connects, and asks for every queue. What is not there is not made.
///
/// # Errors
/// Why nothing can be asked: the address, the credentials, the virtual host.
pub async fn examine(settings: &RabbitSettings) -> Result<BrokerExam, String> {
    let connecting = Connection::connect(settings.url.expose_secret(), ConnectionProperties::default());
    let connection = match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(connection) => connection.map_err(|error| chain(&error))?,
        Err(_elapsed) => return Err(format!("it does not answer within {} s", PATIENCE.as_secs())),
    };
    let mut exam = BrokerExam::default();
    let names = Names::new(&settings.prefix);
    for (queue, arguments) in queues(&names, settings.lane_capacity) {
        match ask(&connection, &queue, arguments).await {
            Ok(true) => exam.ready += 1,
            Ok(false) => exam.missing.push(queue),
            Err(why) => exam.wrong.push((queue, why)),
        }
    }
    // The answer is known; a goodbye that fails changes nothing of it.
    drop(tokio::time::timeout(PATIENCE, connection.close(200, "examined".into())).await);
    Ok(exam)
}

/// Whether the queue is there and as it should be. A refusal closes the channel, so each question has its own.
async fn ask(connection: &Connection, queue: &str, arguments: FieldTable) -> Result<bool, String> {
    let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
    match declare(connection, queue, passive, FieldTable::default()).await {
        Ok(()) => {}
        Err(why) if why.contains("NOT_FOUND") || why.contains("NOT-FOUND") || why.contains("404") => {
            return Ok(false);
        }
        Err(why) => return Err(why),
    }
    // It is there: declaring it again makes nothing, and is refused where its arguments are others.
    let active = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    declare(connection, queue, active, arguments).await.map(|()| true)
}

async fn declare(
    connection: &Connection,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> Result<(), String> {
    let asked = async {
        let channel = connection.create_channel().await?;
        channel.queue_declare(queue.into(), options, arguments).await?;
        channel.close(200, "asked".into()).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| chain(&error)),
        Err(_elapsed) => Err(format!("it does not answer within {} s", PATIENCE.as_secs())),
    }
}
