//! Running roles until a signal.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{CommandFactory as _, FromArgMatches as _};
use helpsync_app::{Process, Role, Runtime, logs_json, start_logging, stop_signal};
use helpsync_config::{LogFormat, LogSettings, Settings};

use crate::args::{Manner, RoleArgs};
use crate::exit::{Exit, exit_of};
use crate::output::{Output, not_understood};

/// The filters of `-q`, `-v` and `-vv`, in the place of `log.filter`. A target is the beginning of a name: `helpsync` is
/// every crate of ours.
const QUIET: &str = "warn";
const VERBOSE: &str = "info,helpsync=debug,tokio_cron_scheduler=warn";
const VERY_VERBOSE: &str = "debug,helpsync=trace,tokio_cron_scheduler=info";
/// Reads the settings of this process.
pub(crate) fn settings(config: Option<PathBuf>) -> anyhow::Result<Settings> {
    Ok(Settings::load(config, std::env::vars())?)
}

/// What the command line says about logging wins over the settings.
pub(crate) fn log_settings(log: &LogSettings, manner: Manner) -> LogSettings {
    let mut log = log.clone();
    let filter = match (manner.quiet, manner.verbose) {
        (true, _) => Some(QUIET),
        (false, 0) => None,
        (false, 1) => Some(VERBOSE),
        (false, _) => Some(VERY_VERBOSE),
    };
    if let Some(filter) = filter {
        filter.clone_into(&mut log.filter);
    }
    if manner.json {
        log.format = LogFormat::Json;
    }
    log
}

/// The whole of a one-role binary.
pub async fn role_main(role: Role) -> Exit {
    let (name, about) = match role {
        Role::Worker => ("helpsync-worker", "Runs the work of a distributed Helpsync, until SIGTERM."),
        Role::Dispatcher | Role::All => (
            "helpsync-dispatcher",
            "Has the API of a distributed Helpsync, its schedules and webhooks, and hands work out, until SIGTERM.",
        ),
    };
    let command = RoleArgs::command().name(name).about(about);
    let read = command.try_get_matches().and_then(|matches| RoleArgs::from_arg_matches(&matches));
    let args = match read {
        Ok(args) => args,
        Err(error) => return not_understood(name, &error),
    };
    let mut output = Output::from(args.manner);
    match run_role(role, name, args, &mut output).await {
        Ok(()) => Exit::Done,
        Err(error) => {
            let exit = exit_of(&error);
            output.error(name, &error, exit);
            exit
        }
    }
}

/// Runs one role until SIGINT or SIGTERM, then drains it.
async fn run_role(role: Role, name: &str, args: RoleArgs, output: &mut Output) -> anyhow::Result<()> {
    let settings = settings(args.config)?;
    let service = match role {
        Role::Worker => "helpsync-worker",
        Role::Dispatcher => "helpsync-dispatcher",
        Role::All => "helpsync",
    };
    let log = log_settings(&settings.log, args.manner);
    start_logging(&log, &settings.telemetry, service)?;
    output.logged = logs_json(log.format);
    let stop = stop_signal().context("cannot handle signals")?;
    let process = Process::open(settings, Runtime::default(), role).await?;
    if let Some(url) = process.api_url() {
        output.note(format_args!("{name}: API at {url}"));
    }
    if let Some(address) = process.health_address() {
        output.note(format_args!("health at http://{address}/readyz"));
    }
    run_until(process, stop, *output).await
}

/// Waits for the signal or the failure of a role, then stops the process in order.
pub(crate) async fn run_until(
    process: Process,
    stop: impl Future<Output = ()>,
    output: Output,
) -> anyhow::Result<()> {
    let failed = tokio::select! {
        () = stop => false,
        () = process.failed() => true,
    };
    if !failed {
        output.note("stopping: running jobs reach a safe point first");
    }
    process.stop().await;
    if failed {
        bail!("a part of the process ended before its time; its log line says why");
    }
    Ok(())
}
