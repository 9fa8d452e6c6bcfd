//! Log output: text for people, JSON for machines, on standard error.

use std::io::IsTerminal as _;

use helpsync_config::{LogFormat, LogSettings};
use helpsync_model::chain;
use tracing_subscriber::EnvFilter;

use crate::AppError;

/// Starts logging for the whole process; a second call changes nothing.
///
/// # Errors
/// [`AppError::LogFilter`].
pub fn start_logging(settings: &LogSettings) -> Result<(), AppError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| AppError::LogFilter(chain(&error)))?;
    let as_text = match settings.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if as_text { builder.try_init() } else { builder.json().flatten_event(true).try_init() };
    // The one error is that a subscriber is there already: that one then gets the lines.
    started.unwrap_or(());
    Ok(())
}
