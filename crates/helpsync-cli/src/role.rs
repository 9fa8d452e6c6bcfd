//! Running roles until a signal.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use helpsync_app::{Parts, Process, Role, Runtime, start_logging, stop_signal};
use helpsync_config::Settings;

/// Reads the settings of this process.
pub(crate) fn settings(config: Option<PathBuf>) -> anyhow::Result<Settings> {
    Ok(Settings::load(config, std::env::vars())?)
}

/// Runs one role until SIGINT or SIGTERM, then drains it.
///
/// # Errors
/// When it cannot start, or a part of it ends before its time.
pub async fn run_role(role: Role) -> anyhow::Result<()> {
    let settings = settings(None)?;
    start_logging(&settings.log)?;
    let stop = stop_signal().context("cannot handle signals")?;
    let process = Process::start(Parts::open(settings, Runtime::default()).await?, role).await?;
    if let Some(url) = process.api_url() {
        eprintln!("helpsync-dispatcher: API at {url}");
    }
    if let Some(address) = process.health_address() {
        eprintln!("health at http://{address}/readyz");
    }
    run_until(process, stop).await
}

/// Waits for the signal or the failure of a role, then stops the process in order.
pub(crate) async fn run_until(process: Process, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let failed = tokio::select! {
        () = stop => false,
        () = process.failed() => true,
    };
    if !failed {
        eprintln!("stopping: running jobs reach a safe point first");
    }
    process.stop().await;
    if failed {
        bail!("a part of the process ended before its time; its log line says why");
    }
    Ok(())
}
