//! `[log]`

use crate::{
    Problem,
    declare::section,
    setting::{Setting, Value},
};

section! {
    /// What is logged, and how.
    pub struct LogSettings "log";

    /// `text`, `json`, or `auto`: text on a terminal, JSON elsewhere.
    "HELPSYNC_LOG__FORMAT" format: LogFormat = "auto";
    /// Levels by target, in the syntax of `tracing_subscriber::EnvFilter`, for example `info,helpsync_worker=debug`.
    "HELPSYNC_LOG__FILTER" filter: String = "info,tokio_cron_scheduler=warn,lapin=off,sqlx::pool=off,sqlx_core::pool=off,sqlx::postgres::notice=off";
}

impl LogSettings {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl Value for LogFormat {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(format!("{text:?} is none of auto, json, text")),
        }
    }
    fn show(&self, _: &Setting) -> Option<String> {
        let name = match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Text => "text",
        };
        Some(name.to_owned())
    }
}
