//! Arguments of commands that ask a running Helpsync.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use helpsync_model::chain;
use url::Url;

/// A running Helpsync.
#[derive(Debug, Clone, Args)]
pub(crate) struct Remote {
    /// Address of the API; without it, where the settings of this folder have the API listen.
    #[arg(long, env = "HELPSYNC_URL", value_parser = api_address)]
    pub(crate) url: Option<Url>,
    /// API key; without it, the one in the settings, or beside the SQLite file of `helpsync up` in this folder.
    #[arg(long, env = "HELPSYNC_API_KEY", hide_env_values = true)]
    pub(crate) api_key: Option<String>,
    /// The server's settings, a TOML file: they say where it listens and where its key is. Without it, the file that
    /// HELPSYNC_CONFIG names, and the environment.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

fn api_address(given: &str) -> Result<Url, String> {
    let expected = "expected an address such as http://127.0.0.1:7878";
    let url = Url::parse(given).map_err(|error| format!("{}: {expected}", chain(&error)))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(expected.to_owned()) }
}

/// A customer, said either way: `show ada` or `show --customer ada`.
#[derive(Debug, Args)]
#[group(id = "whose", multiple = false)]
pub(crate) struct Whose {
    /// The customer, as `helpsync customers` names it; without it, me.
    #[arg(value_name = "CUSTOMER")]
    named: Option<String>,
    /// The same as an option.
    #[arg(long = "customer", value_name = "CUSTOMER")]
    option: Option<String>,
}

impl Whose {
    pub(crate) fn customer(&self) -> &str {
        self.named.as_deref().or(self.option.as_deref()).unwrap_or("me")
    }
}

/// A customer that has to be said, because nobody is who is meant without a word: either way, as `Whose`.
#[derive(Debug, Args)]
#[group(id = "who", required = true, multiple = false)]
pub(crate) struct NamedCustomer {
    /// The customer, as `helpsync customers` names it.
    #[arg(value_name = "CUSTOMER")]
    named: Option<String>,
    /// The same as an option.
    #[arg(long = "customer", value_name = "CUSTOMER")]
    option: Option<String>,
}

impl NamedCustomer {
    pub(crate) fn customer(&self) -> &str {
        // One of the two is there: the group is required.
        self.named.as_deref().or(self.option.as_deref()).unwrap_or_default()
    }
}

/// For `connect`.
#[derive(Debug, Args)]
pub(crate) struct Connect {
    /// The part before .zendesk.com.
    pub(crate) subdomain: String,
    /// Whose workspace it is.
    #[arg(long, default_value = "me", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) customer: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `sync`.
#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Read everything anew instead of what changed.
    #[arg(long)]
    pub(crate) full: bool,
    /// Stay and show progress until it has ended.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Say what a first sync would take, and start none.
    #[arg(long, conflicts_with_all = ["full", "watch"])]
    pub(crate) dry_run: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: NamedCustomer,
    /// Start the run that mends what differs.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `resync`.
#[derive(Debug, Args)]
pub(crate) struct Resync {
    /// The file's id.
    pub(crate) file_id: i64,
    /// Whose.
    #[arg(long, default_value = "me")]
    pub(crate) customer: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Look again every two seconds until Ctrl-C.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `dead-letters`.
#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: DeadLetterAction,
}

/// For `dead-letters`.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadLetterAction {
    /// All of them: shards, then messages, each oldest first.
    List(Remote),
    /// One, with all that is known of it.
    Show(DeadLetter),
    /// Do its work again.
    Replay(DeadLetter),
    /// Forget it.
    Discard(DeadLetter),
}

/// One dead letter.
#[derive(Debug, Args)]
pub(crate) struct DeadLetter {
    /// Its id, from the list: `shard-7`, or `message-` and the publisher's id.
    pub(crate) id: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `webhooks`.
#[derive(Debug, Args)]
pub(crate) struct Webhooks {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: WebhookAction,
}

/// For `webhooks`.
#[derive(Debug, Subcommand)]
pub(crate) enum WebhookAction {
    /// All of them.
    List(Remote),
    /// The deliveries to one, oldest first.
    Deliveries(WebhookDeliveries),
    /// Send a delivery once more, or all dead ones of a webhook.
    Redeliver(Redeliver),
    /// Give one another signing key and print it, once; the one of before signs too, for a time.
    RotateKey(RotateKey),
}

/// For `webhooks rotate-key`.
#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    /// The webhook's id, from the list.
    pub(crate) webhook: i64,
    /// Hours during which both keys sign.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(0..=720))]
    pub(crate) overlap: u32,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `webhooks deliveries`.
#[derive(Debug, Args)]
pub(crate) struct WebhookDeliveries {
    /// The webhook's id, from the list.
    pub(crate) webhook: i64,
    /// Only those in this state: pending, delivered or dead.
    #[arg(long, value_parser = ["pending", "delivered", "dead"])]
    pub(crate) state: Option<String>,
    /// Only ids above this.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: i64,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `webhooks redeliver`.
#[derive(Debug, Args)]
pub(crate) struct Redeliver {
    /// The delivery's id, from the list of deliveries.
    #[arg(required_unless_present = "dead_of")]
    pub(crate) delivery: Option<i64>,
    /// Every dead delivery of this webhook instead.
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "delivery")]
    pub(crate) dead_of: Option<i64>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}
