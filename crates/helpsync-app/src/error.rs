//! Why a process cannot start.

use std::net::SocketAddr;

use helpsync_account::AccountError;
use helpsync_coordinator::CoordinatorError;
use helpsync_embeddings::ClientError;
use helpsync_queue::QueueError;
use helpsync_store::StoreError;
use helpsync_webhooks::SenderError;
use helpsync_zendesk::HttpError;
use thiserror::Error;

/// Why a process cannot start; each text says what to do.
#[derive(Debug, Error)]
pub enum AppError {
    /// The store cannot be opened.
    #[error("cannot open the store in HELPSYNC_STORE__URL{}", store_advice(.0))]
    Store(#[from] StoreError),
    /// Another process holds the SQLite file.
    #[error(
        "{path} is in use by another helpsync process: stop it, or name another file in HELPSYNC_STORE__URL"
    )]
    InUse {
        /// The database file.
        path: String,
    },
    /// The file of the sealing keys is gone, and the database holds what they sealed.
    #[error(
        "the sealing keys in {path} are gone, and {database} holds what they sealed: put the file back from a backup"
    )]
    KeysGone {
        /// The file.
        path: String,
        /// The database file.
        database: String,
    },
    /// A file beside the database cannot be read or written.
    #[error("cannot use the file {path}{}", file_advice(source))]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The address is taken or not ours.
    #[error("cannot listen on {address}: set {setting} to another address, or stop what listens there")]
    Listen {
        /// The setting that names the address.
        setting: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The broker's settings do not fit.
    #[error("cannot use the queue")]
    Queue(#[from] QueueError),
    /// The coordinator's settings do not fit.
    #[error("cannot use the coordinator")]
    Coordinator(#[from] CoordinatorError),
    /// Traces cannot be sent to the address in the settings.
    #[error("cannot send traces to telemetry.otlp_endpoint")]
    Traces(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The HTTP client of webhooks cannot be made.
    #[error(transparent)]
    Webhooks(#[from] SenderError),
    /// The client of embeddings cannot be made.
    #[error(transparent)]
    Embeddings(#[from] ClientError),
    /// Zendesk's address does not fit.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// A worker without a queue would never get work.
    #[error(
        "a process of one role needs shared backends: set HELPSYNC_STORE__URL (postgres), HELPSYNC_QUEUE__URL (amqp) and HELPSYNC_COORDINATOR__URL (redis), or use `helpsync up`"
    )]
    NotShared,
    /// The log filter cannot be read.
    #[error("HELPSYNC_LOG__FILTER: {0}")]
    LogFilter(String),
}

/// What to do, where the cause does not say.
fn store_advice(error: &StoreError) -> String {
    error.advice().map(|advice| format!(" ({advice})")).unwrap_or_default()
}

fn file_advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::PermissionDenied => " (give it to the user that runs Helpsync)",
        std::io::ErrorKind::NotFound => {
            " (its folder is not there: make it, or name another with HELPSYNC_STORE__URL)"
        }
        std::io::ErrorKind::IsADirectory => " (it is a folder: name a file with HELPSYNC_STORE__URL)",
        _ => "",
    }
}
