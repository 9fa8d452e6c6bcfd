//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use url::Url;

/// Keeps every published article of a Zendesk help center in step with your application.
#[derive(Debug, Parser)]
#[command(name = "helpsync", version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run everything in this process, until Ctrl-C.
    Up(Up),
    /// Show the whole thing on a simulated Zendesk; leaves nothing behind.
    Demo(Demo),
    /// Print the URL by which a customer's administrator connects a workspace.
    Connect(Connect),
    /// Bring a customer's articles up to date.
    Sync(Sync),
    /// Fetch one file again.
    Resync(Resync),
    /// What is connected, running and waiting.
    Status(Status),
    /// PermitRequest for work by the broker, as upstream services do.
    Enqueue(Enqueue),
    /// Work that gave up: look at it, do it again or drop it.
    DeadLetters(DeadLetters),
    /// Where events are sent, what did not arrive, and sending it again.
    Webhooks(Webhooks),
    /// The customers and their schedules.
    Customers(Plain),
    /// Every file of a customer as JSON lines, content included.
    Export(Export),
    /// Check settings, store, queue, coordinator and Zendesk, and say what is wrong.
    Doctor(Doctor),
    /// Show how an article's HTML will be stored.
    Convert(Convert),
    /// The settings in force and where each comes from; secrets are hidden.
    Config(Config),
}

/// A running Helpsync.
#[derive(Debug, Clone, Args)]
pub struct Remote {
    /// Address of the API.
    #[arg(long, env = "HELPSYNC_URL", default_value = "http://127.0.0.1:8080")]
    pub url: Url,
    /// API key; without it, the one beside the SQLite file of `helpsync up` in this folder.
    #[arg(long, env = "HELPSYNC_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}

/// For `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// A TOML file of settings.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Also print the connect URL of this workspace.
    #[arg(long, value_name = "SUBDOMAIN")]
    pub connect: Option<String>,
    /// The customer that --connect is for.
    #[arg(long, default_value = "me")]
    pub customer: String,
}

/// For `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Articles in the simulated help center.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(50..=100_000))]
    pub articles: u32,
    /// Random changes before the second sync.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub changes: u32,
    /// Seed of articles and changes.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

/// For `connect`.
#[derive(Debug, Args)]
pub struct Connect {
    /// The part before .zendesk.com.
    pub subdomain: String,
    /// Whose workspace it is.
    #[arg(long, default_value = "me")]
    pub customer: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `sync`.
#[derive(Debug, Args)]
pub struct Sync {
    /// Whose.
    #[arg(long, default_value = "me")]
    pub customer: String,
    /// Read everything anew instead of what changed.
    #[arg(long)]
    pub full: bool,
    /// Stay and show progress until it has ended.
    #[arg(long)]
    pub watch: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `resync`.
#[derive(Debug, Args)]
pub struct Resync {
    /// The file's id.
    pub file_id: i64,
    /// Whose.
    #[arg(long, default_value = "me")]
    pub customer: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
    /// Look again every two seconds until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `enqueue`.
#[derive(Debug, Args)]
pub struct Enqueue {
    /// Whose.
    #[arg(long)]
    pub customer: String,
    /// Fetch this article, by Zendesk's id, instead of syncing.
    #[arg(long, conflicts_with = "full")]
    pub article: Option<i64>,
    /// Read everything anew instead of what changed.
    #[arg(long)]
    pub full: bool,
    /// The broker. An upstream machine needs to know nothing else of the installation.
    #[arg(long, env = "HELPSYNC_QUEUE__URL", hide_env_values = true)]
    pub broker: Option<String>,
    /// First word of the exchange's name.
    #[arg(long, env = "HELPSYNC_QUEUE__NAME_PREFIX")]
    pub prefix: Option<String>,
    /// A TOML file of settings, which then says broker and prefix.
    #[arg(long, env = "HELPSYNC_CONFIG")]
    pub config: Option<PathBuf>,
}

/// For `dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLetters {
    /// What to do with them.
    #[command(subcommand)]
    pub action: DeadLetterAction,
}

/// For `dead-letters`.
#[derive(Debug, Subcommand)]
pub enum DeadLetterAction {
    /// All of them: shards, then messages, each oldest first.
    List(Plain),
    /// One, with all that is known of it.
    Show(DeadLetter),
    /// Do its work again.
    Replay(DeadLetter),
    /// Forget it.
    Discard(DeadLetter),
}

/// One dead letter.
#[derive(Debug, Args)]
pub struct DeadLetter {
    /// Its id, from the list: `shard-7`, or `message-` and the publisher's id.
    pub id: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `webhooks`.
#[derive(Debug, Args)]
pub struct Webhooks {
    /// What to do with them.
    #[command(subcommand)]
    pub action: WebhookAction,
}

/// For `webhooks`.
#[derive(Debug, Subcommand)]
pub enum WebhookAction {
    /// All of them.
    List(Plain),
    /// The deliveries to one, oldest first.
    Deliveries(WebhookDeliveries),
    /// Send a delivery once more, or all dead ones of a webhook.
    Redeliver(Redeliver),
}

/// For `webhooks deliveries`.
#[derive(Debug, Args)]
pub struct WebhookDeliveries {
    /// The webhook's id, from the list.
    pub webhook: i64,
    /// Only those in this state: pending, delivered or dead.
    #[arg(long, value_parser = ["pending", "delivered", "dead"])]
    pub state: Option<String>,
    /// Only ids above this.
    #[arg(long, default_value_t = 0)]
    pub after: i64,
    /// How it is shown, and where Helpsync runs.
    #[command(flatten)]
    pub plain: Plain,
}

/// For `webhooks redeliver`.
#[derive(Debug, Args)]
pub struct Redeliver {
    /// The delivery's id, from the list of deliveries.
    #[arg(required_unless_present = "dead_of")]
    pub delivery: Option<i64>,
    /// Every dead delivery of this webhook instead.
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "delivery")]
    pub dead_of: Option<i64>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For listings.
#[derive(Debug, Args)]
pub struct Plain {
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// Whose.
    #[arg(long, default_value = "me")]
    pub customer: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub remote: Remote,
}

/// For `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// A TOML file of settings.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Also ask whether this workspace answers.
    #[arg(long, value_name = "SUBDOMAIN")]
    pub subdomain: Option<String>,
}

/// For `convert`.
#[derive(Debug, Args)]
pub struct Convert {
    /// The article's body; `-` or nothing for standard input.
    pub file: Option<PathBuf>,
    /// The article's own address, which its links and images are resolved against; without it they stay relative.
    #[arg(long, value_parser = page_address)]
    pub url: Option<String>,
    /// The article's title: a part of its hash.
    #[arg(long, default_value = "")]
    pub title: String,
    /// What is printed.
    #[arg(long = "as", value_enum, default_value_t)]
    pub form: Form,
}

/// What `convert` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
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

fn page_address(given: &str) -> Result<String, String> {
    helpsync_content::external_url(given).ok_or_else(|| "not an http or https address".to_owned())
}

/// For `config`.
#[derive(Debug, Args)]
pub struct Config {
    /// A TOML file of settings.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Print the reference of all settings (Markdown) instead.
    #[arg(long, conflicts_with = "example")]
    pub reference: bool,
    /// Print an example file instead.
    #[arg(long)]
    pub example: bool,
}
