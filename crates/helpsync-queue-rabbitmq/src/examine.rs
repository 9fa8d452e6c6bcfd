//! Looking at a broker without changing anything of it: for `helpsync doctor`.

use std::time::Duration;

use helpsync_model::chain;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ErrorKind};
use secrecy::ExposeSecret as _;

use crate::rights::{self, MissingRight};
use crate::topology::queues;
use crate::{Names, RabbitSettings};

/// For connecting, and for saying goodbye.
const PATIENCE: Duration = Duration::from_secs(5);
/// For all questions together, some seventy: a broker that is busy needs some time for them, and one that has gone silent
/// must not be waited for as often as it is asked.
const EXAM_PATIENCE: Duration = Duration::from_secs(30);
/// What the broker says of what is not there, and of what its user may not do.
const NOT_FOUND: u16 = 404;
const ACCESS_REFUSED: u16 = 403;

/// What a broker looks like.
#[derive(Debug, Default)]
pub struct BrokerExam {
    /// Queues that are as this program declares them.
    pub ready: usize,
    /// Queues that are not there: the next start makes them.
    pub missing: Vec<String>,
    /// Queues that are there and cannot be used, with the reason: mostly other arguments.
    pub wrong: Vec<(String, String)>,
    /// What the user may not do.
    pub missing_rights: Vec<MissingRight>,
}

/// Why a question has no good answer.
pub(crate) struct Refusal {
    /// The broker's number for it; none if the connection or the channel was gone before it was asked.
    code: Option<u16>,
    /// The channel was gone.
    is_channel_gone: bool,
    pub(crate) text: String,
}

impl Refusal {
    pub(crate) fn is_of_rights(&self) -> bool {
        self.code == Some(ACCESS_REFUSED)
    }

    pub(crate) fn is_of_the_channel(&self) -> bool {
        self.is_channel_gone
    }
}

/// Connects, and asks for every queue and every right. What is not there is not made.
///
/// # Errors
/// Why nothing can be asked: the address, the credentials, the virtual host; or that answers are missing.
pub async fn examine(settings: &RabbitSettings) -> Result<BrokerExam, String> {
    let connecting = Connection::connect(settings.url.expose_secret(), ConnectionProperties::default());
    let connection = match tokio::time::timeout(PATIENCE, connecting).await {
        Ok(connection) => connection.map_err(|error| chain(&error))?,
        Err(_elapsed) => return Err(unanswered(PATIENCE)),
    };
    let exam = tokio::time::timeout(EXAM_PATIENCE, ask_all(&connection, settings)).await;
    // What broke off in the middle looks like rights that are there.
    let is_whole = connection.status().connected();
    // The answer is known; a goodbye that fails changes nothing of it.
    drop(tokio::time::timeout(PATIENCE, connection.close(200, "examined".into())).await);
    match exam {
        Ok(exam) if is_whole => Ok(exam),
        Ok(_) => Err("it broke the connection off in the middle of its answers".to_owned()),
        Err(_elapsed) => Err(unanswered(EXAM_PATIENCE)),
    }
}

fn unanswered(patience: Duration) -> String {
    format!("it does not answer within {} s", patience.as_secs())
}

/// Every question, one after the other.
async fn ask_all(connection: &Connection, settings: &RabbitSettings) -> BrokerExam {
    let mut exam = BrokerExam::default();
    let names = Names::new(&settings.prefix);
    for (queue, arguments) in queues(&names, settings.lane_capacity) {
        match state(connection, &queue, arguments).await {
            Ok(true) => exam.ready += 1,
            Ok(false) => exam.missing.push(queue),
            // The right is among those that are asked for below.
            Err(refusal) if refusal.is_of_rights() => {}
            Err(refusal) => exam.wrong.push((queue, refusal.text)),
        }
    }
    exam.missing_rights = rights::missing(connection, &names).await;
    exam
}

/// Whether the queue is there and as it should be.
async fn state(connection: &Connection, queue: &str, arguments: FieldTable) -> Result<bool, Refusal> {
    let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
    match declare(connection, queue, passive, FieldTable::default()).await {
        Ok(()) => {}
        Err(Refusal { code: Some(NOT_FOUND), .. }) => return Ok(false),
        Err(refusal) => return Err(refusal),
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
) -> Result<(), Refusal> {
    ask(connection, async |channel| channel.queue_declare(queue.into(), options, arguments).await.map(drop))
        .await
}

/// Asks one thing. A refusal closes the channel, so each question has its own.
pub(crate) async fn ask(
    connection: &Connection,
    question: impl AsyncFnOnce(&lapin::Channel) -> Result<(), lapin::Error>,
) -> Result<(), Refusal> {
    let asked = async {
        let channel = connection.create_channel().await?;
        question(&channel).await?;
        channel.close(200, "asked".into()).await
    };
    asked.await.map_err(|error: lapin::Error| Refusal {
        code: code(&error),
        is_channel_gone: matches!(error.kind(), ErrorKind::InvalidChannelState(..)),
        text: chain(&error),
    })
}

fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}
