//! How a command ends: its exit code, and the error that decides it.

use std::process::ExitCode;

use helpsync_app::AppError;
use helpsync_config::ConfigError;
use helpsync_store::StoreError;
use helpsync_upstream::PublishError;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It worked.
    Done = 0,
    /// It failed, and fails again until somebody mends something.
    Failed = 1,
    /// Arguments or settings are not understood; nothing was done. clap's own code too.
    Usage = 2,
    /// Nothing answers, or not now: later it may work.
    Unavailable = 3,
    /// It worked, and something wants a person.
    Attention = 4,
    /// Ctrl-C; 128 and the signal's number, as shells have it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) exit: Exit,
    pub(crate) text: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Refusal {}

/// An error with this exit code; the text says what to do.
pub(crate) fn refusal(exit: Exit, text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Refusal { exit, text: text.into() })
}

/// Whoever reads standard output has seen enough, like `head`: the command ends, and that is no error.
#[derive(Debug)]
pub(crate) struct ReaderGone;

impl std::fmt::Display for ReaderGone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nobody reads the output any more")
    }
}

impl std::error::Error for ReaderGone {}

/// The exit code of an error.
pub(crate) fn exit_of(error: &anyhow::Error) -> Exit {
    if error.is::<ReaderGone>() {
        return Exit::Done;
    }
    error.chain().find_map(exit_of_cause).unwrap_or(Exit::Failed)
}

fn exit_of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(refusal) = cause.downcast_ref::<Refusal>() {
        return Some(refusal.exit);
    }
    if cause.is::<ConfigError>() {
        return Some(Exit::Usage);
    }
    if let Some(error) = cause.downcast_ref::<PublishError>() {
        // What is wrong with the request stays wrong. Else nobody listens: the broker, or a dispatcher behind it.
        let is_wrong = matches!(error, PublishError::Invalid(_) | PublishError::Id);
        return Some(if is_wrong { Exit::Failed } else { Exit::Unavailable });
    }
    match cause.downcast_ref::<AppError>() {
        Some(AppError::NotShared | AppError::LogFilter(_)) => return Some(Exit::Usage),
        Some(AppError::Store(error)) if error.is_transient() => return Some(Exit::Unavailable),
        _ => {}
    }
    let store = cause.downcast_ref::<StoreError>()?;
    store.is_transient().then_some(Exit::Unavailable)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_keeps_its_exit_code_whatever_is_said_around_it() {
        let error = refusal(Exit::Unavailable, "nothing answers");
        assert_eq!(exit_of(&Err::<(), _>(error).context("while asking").unwrap_err()), Exit::Unavailable);
        assert_eq!(exit_of(&anyhow::Error::new(AppError::NotShared)), Exit::Usage);
        assert_eq!(exit_of(&anyhow::anyhow!("anything")), Exit::Failed);
        let nobody = anyhow::Error::new(PublishError::NoExchange("helpsync.jobs".to_owned()));
        assert_eq!(exit_of(&nobody), Exit::Unavailable);
        assert_eq!(exit_of(&anyhow::Error::new(PublishError::Id)), Exit::Failed);
        assert_eq!(exit_of(&anyhow::Error::new(ReaderGone)), Exit::Done);
    }
}
