//! Arguments of commands that run something here, or need no server.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

/// For `up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// A TOML file of settings.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Also print the connect URL of this workspace.
    #[arg(long, value_name = "SUBDOMAIN")]
    pub(crate) connect: Option<String>,
    /// Sync a simulated Zendesk, which changes all the time, instead of a real one: no account is needed, and nothing is
    /// left behind.
    #[arg(long, conflicts_with = "connect")]
    pub(crate) simulated: bool,
    /// The customer that --connect and --simulated are for.
    #[arg(long, default_value = "me", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) customer: String,
}

/// For `demo`.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Articles in the simulated help center.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub(crate) articles: u32,
    /// Random changes before the second sync.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) changes: u32,
    /// Seed of articles and changes.
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
}

/// For `enqueue`.
#[derive(Debug, Args)]
pub(crate) struct Enqueue {
    /// Whose.
    #[arg(long)]
    pub(crate) customer: String,
    /// Fetch this article, by Zendesk's id, instead of syncing.
    #[arg(long, conflicts_with = "full")]
    pub(crate) article: Option<i64>,
    /// Read everything anew instead of what changed.
    #[arg(long)]
    pub(crate) full: bool,
    /// The broker. An upstream machine needs to know nothing else of the installation.
    #[arg(long, env = "HELPSYNC_QUEUE__URL", hide_env_values = true)]
    pub(crate) broker: Option<String>,
    /// First word of the exchange's name.
    #[arg(long, env = "HELPSYNC_QUEUE__NAME_PREFIX")]
    pub(crate) prefix: Option<String>,
    /// A TOML file of settings, which then says broker and prefix.
    #[arg(long, env = "HELPSYNC_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

/// For `doctor`.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// A TOML file of settings.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Also ask whether this workspace answers.
    #[arg(long, value_name = "SUBDOMAIN")]
    pub(crate) subdomain: Option<String>,
}

/// For `keys`.
#[derive(Debug, Args)]
pub(crate) struct Keys {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: KeyAction,
}

/// For `keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// The keys, and how many secrets each of them sealed.
    List(KeySettings),
    /// Add a key at the end of the ring, where it opens and does not seal yet. Where the keys stand in the settings, it
    /// prints the new value for them.
    Add(AddKey),
    /// Have another key seal: the one that was added, or a new one. It waits until every running process holds the key.
    Rotate(RotateKeys),
    /// Wait until the key in front has sealed everything; running processes do it, or else this command.
    Reseal(KeySettings),
    /// Take a key out of the ring that nothing is sealed with, once nothing that it signed can be good any more.
    Remove(RemoveKey),
}

/// Which installation.
#[derive(Debug, Args)]
pub(crate) struct KeySettings {
    /// A TOML file of settings.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
}

/// For `keys add`.
#[derive(Debug, Args)]
pub(crate) struct AddKey {
    /// Its id; without it, `k` and the next number.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Which installation.
    #[command(flatten)]
    pub(crate) settings: KeySettings,
}

/// For `keys rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateKeys {
    /// The key of the ring that is to seal.
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// How long to wait for running processes.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) wait: u64,
    /// Which installation.
    #[command(flatten)]
    pub(crate) settings: KeySettings,
}

/// For `keys remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveKey {
    /// The key's id, from the list.
    pub(crate) id: String,
    /// End at once what it signed and what may still be good: access tokens, presigned URLs, links.
    #[arg(long)]
    pub(crate) void: bool,
    /// Which installation.
    #[command(flatten)]
    pub(crate) settings: KeySettings,
}

/// For `convert`.
#[derive(Debug, Args)]
pub(crate) struct Convert {
    /// The article's body; `-` or nothing for standard input.
    pub(crate) file: Option<PathBuf>,
    /// The article's own address, which its links and images are resolved against; without it they stay relative.
    #[arg(long, value_parser = page_address)]
    pub(crate) url: Option<String>,
    /// The article's title: a part of its hash.
    #[arg(long, default_value = "")]
    pub(crate) title: String,
    /// What is printed.
    #[arg(long = "as", value_enum, default_value_t)]
    pub(crate) form: Form,
}

/// What `convert` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    /// The Markdown, which is searched and cut into chunks.
    #[default]
    Markdown,
    /// The plain text.
    Text,
    /// The chunks of the default size, each under its number, tokens and headings.
    Chunks,
    /// One JSON document of all that would be stored.
    Json,
}

/// For `config`.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// A TOML file of settings.
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// Print the reference of all settings (Markdown) instead.
    #[arg(long, conflicts_with = "example")]
    pub(crate) reference: bool,
    /// Print an example file instead.
    #[arg(long)]
    pub(crate) example: bool,
}

fn page_address(given: &str) -> Result<String, String> {
    helpsync_content::external_url(given).ok_or_else(|| "not an http or https address".to_owned())
}

/// For `completions`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// For `man`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write a page for each command into this folder, which must be there.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: Option<PathBuf>,
}
