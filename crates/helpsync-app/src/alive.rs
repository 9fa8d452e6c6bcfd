//! A process says that it lives, so that people see who does.

use std::time::Duration;

use helpsync_model::chain;
use helpsync_store::ProcessSign;
use tokio_util::sync::CancellationToken;

use crate::{Parts, Role};

/// Between two signs. The API calls a process dead after three that did not come.
const SIGN_EVERY: Duration = Duration::from_secs(10);
/// Where Linux says what the machine, or the container, is called.
const HOST_FILE: &str = "/proc/sys/kernel/hostname";

pub(crate) fn sign(holder: &str, role: Role, concurrency: usize) -> ProcessSign {
    let host = std::fs::read_to_string(HOST_FILE).unwrap_or_default();
    let host = if host.trim().is_empty() { "unknown" } else { host.trim() };
    let (role, concurrency) = match role {
        Role::All => ("all", concurrency),
        Role::Dispatcher => ("dispatcher", 0),
        Role::Worker => ("worker", concurrency),
    };
    ProcessSign {
        holder: holder.to_owned(),
        role,
        host: host.to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        concurrency: i64::try_from(concurrency).unwrap_or(i64::MAX),
        keys: Vec::new(),
    }
}

/// Gives signs until `stop`, and says goodbye.
pub(crate) async fn tell(parts: Parts, mut sign: ProcessSign, stop: CancellationToken) {
    loop {
        sign.keys = parts.store.vault().ids();
        // A store that is away is told of by those who need it.
        if let Err(error) = parts.store.queue().note_process(&sign).await {
            tracing::debug!(error = chain(&error), "no sign of life could be left");
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(SIGN_EVERY) => {}
            () = parts.keys_changed.notified() => {}
        }
    }
    if let Err(error) = parts.store.queue().forget_process(&sign.holder).await {
        tracing::debug!(error = chain(&error), "no goodbye could be left");
    }
}
