//! What can be wrong with settings, in words that say what to do.

use std::path::PathBuf;

use thiserror::Error;

use crate::setting::key_of;

/// Why settings could not be loaded. No variant's text holds the value of a secret.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The settings file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    File {
        /// The file that was named.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not TOML.
    #[error("the settings file {} is not valid TOML: {reason}", path.display())]
    Syntax {
        /// The file that was named.
        path: PathBuf,
        /// Where and why, without the line itself: it may hold a secret.
        reason: String,
    },
    /// The layers could not be laid over each other; a fault of this crate's declarations.
    #[error("cannot combine the settings")]
    Layers(#[source] config::ConfigError),
    /// Settings that are unknown, missing, malformed, out of bounds or at odds with each other: all of them.
    #[error("{}", listed(.0))]
    Invalid(Vec<Problem>),
}

impl ConfigError {
    /// The single faults of [`ConfigError::Invalid`]; empty for the other variants.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid(problems) => problems,
            _ => &[],
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    match lines.as_slice() {
        [only] => format!("invalid setting: {only}"),
        _ => format!("invalid settings:\n  {}", lines.join("\n  ")),
    }
}

/// One fault in the settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// A value that cannot stand.
    #[error("{}: {wrong}; set {env} to {wanted}", key_of(env))]
    Value {
        /// The setting's environment name.
        env: &'static str,
        /// What is wrong, never quoting a secret.
        wrong: String,
        /// What would be right.
        wanted: String,
    },
    /// A name that no setting has.
    #[error("{name} is not a setting{}", nearest.as_ref().map(|it| format!("; did you mean {it}?")).unwrap_or_default())]
    Unknown {
        /// The name as it was given.
        name: String,
        /// The nearest name of a setting, when one is near.
        nearest: Option<String>,
    },
    /// The file that should hold a secret cannot be read.
    #[error("{name}: cannot read {}: {reason}", path.display())]
    SecretFile {
        /// The variable that names the file.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A secret is given both directly and as a file.
    #[error("{env} and {env}_FILE are both set: keep one")]
    Both {
        /// The direct variable.
        env: &'static str,
    },
}

impl Problem {
    pub(crate) fn value(env: &'static str, wrong: impl Into<String>, wanted: impl Into<String>) -> Self {
        Self::Value { env, wrong: wrong.into(), wanted: wanted.into() }
    }
}
