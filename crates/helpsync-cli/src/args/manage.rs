//! Arguments of commands that look at customers and steer them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{NamedCustomer, Remote, Whose};

/// One customer.
#[derive(Debug, Args)]
pub(crate) struct OneCustomer {
    /// Which.
    #[command(flatten)]
    pub(crate) whose: NamedCustomer,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Runs {
    /// What to do with them; without it they are listed.
    #[command(subcommand)]
    pub(crate) action: Option<RunAction>,
    /// Of this customer only.
    #[command(flatten)]
    pub(crate) of: OfCustomer,
    /// At most so many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// One customer, or all of them.
#[derive(Debug, Args)]
#[group(id = "of", multiple = false)]
pub(crate) struct OfCustomer {
    /// Of this customer only.
    #[arg(value_name = "CUSTOMER")]
    named: Option<String>,
    /// The same as an option.
    #[arg(long = "customer", value_name = "CUSTOMER")]
    option: Option<String>,
}

impl OfCustomer {
    pub(crate) fn customer(&self) -> Option<&str> {
        self.named.as_deref().or(self.option.as_deref())
    }
}

/// For `runs`.
#[derive(Debug, Subcommand)]
pub(crate) enum RunAction {
    /// One run and its receipt.
    Show(OneRun),
    /// Show a run until it has ended.
    Watch(OneRun),
}

/// One run.
#[derive(Debug, Args)]
pub(crate) struct OneRun {
    /// Its id, from the list.
    pub(crate) run: i64,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `files`.
#[derive(Debug, Args)]
pub(crate) struct Files {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Only those whose removal waits for a person.
    #[arg(long)]
    pub(crate) held: bool,
    /// Only ids above this.
    #[arg(long, default_value_t = 0)]
    pub(crate) after: i64,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=250))]
    pub(crate) limit: u32,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `file`.
#[derive(Debug, Args)]
pub(crate) struct File {
    /// Its id, from the list.
    pub(crate) id: i64,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to look for.
    pub(crate) query: String,
    /// Whose files.
    #[arg(long, default_value = "me")]
    pub(crate) customer: String,
    /// So many answers.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `select`: the selection as it is, unless an option or a file changes it. What is given takes the place of all that was
/// selected before.
#[derive(Debug, Args)]
pub(crate) struct Select {
    /// Whose.
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// Keep everything.
    #[arg(long, group = "choice")]
    pub(crate) everything: bool,
    /// Keep what this JSON file says, in the form of PUT /helpsync/v1/selection; `-` for standard input.
    #[arg(long, group = "choice", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Articles of this category; may be repeated.
    #[arg(long, conflicts_with = "choice", value_name = "ID")]
    pub(crate) category: Vec<i64>,
    /// Articles of this section and all below it; may be repeated.
    #[arg(long, conflicts_with = "choice", value_name = "ID")]
    pub(crate) section: Vec<i64>,
    /// Articles of this brand; may be repeated.
    #[arg(long, conflicts_with = "choice", value_name = "ID")]
    pub(crate) brand: Vec<i64>,
    /// Articles with this label; may be repeated.
    #[arg(long, conflicts_with = "choice")]
    pub(crate) label: Vec<String>,
    /// Translations in this locale; may be repeated.
    #[arg(long, conflicts_with = "choice")]
    pub(crate) locale: Vec<String>,
    /// Only what everybody may read.
    #[arg(long, conflicts_with = "choice")]
    pub(crate) public_only: bool,
    /// Attachments too.
    #[arg(long, conflicts_with = "choice")]
    pub(crate) attachments: bool,
    /// Do it without a question, also where it removes files.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `schedule`.
#[derive(Debug, Args)]
pub(crate) struct Schedule {
    /// Whose.
    pub(crate) customer: String,
    /// Whether it is synced by itself; without it, what is set is shown.
    #[arg(value_enum)]
    pub(crate) switch: Option<Switch>,
    /// Hours between two syncs, instead of the organization's or 24.
    #[arg(long, requires = "switch", value_name = "HOURS", value_parser = ["3", "6", "12", "24"])]
    pub(crate) every: Option<String>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `schedule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// For `disconnect`.
#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// Whose workspace.
    #[command(flatten)]
    pub(crate) whose: NamedCustomer,
    /// Do it: the token is revoked, syncs stop, files stay.
    #[arg(long)]
    pub(crate) yes: bool,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `pause` and `resume`.
#[derive(Debug, Args)]
#[group(id = "what", required = true, multiple = false, args = ["customer", "option", "lane"])]
pub(crate) struct Pause {
    /// The work of this customer.
    pub(crate) customer: Option<String>,
    /// The same as an option.
    #[arg(long = "customer", value_name = "CUSTOMER")]
    pub(crate) option: Option<String>,
    /// The work of a lane, of every organization.
    #[arg(long, value_parser = ["on_demand", "scheduled", "backfill"])]
    pub(crate) lane: Option<String>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `api-keys`.
#[derive(Debug, Args)]
pub(crate) struct ApiKeys {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: ApiKeyAction,
}

/// For `api-keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum ApiKeyAction {
    /// The organization's API keys, without secrets.
    List(Remote),
    /// Make an API key and print it, once.
    Create(CreateApiKey),
    /// Revoke an API key, at once.
    Revoke(ById),
}

/// For `api-keys create`.
#[derive(Debug, Args)]
pub(crate) struct CreateApiKey {
    /// What people call it, unique in its organization.
    pub(crate) name: String,
    /// What it may do; each may do what those before it may.
    #[arg(long, value_parser = ["read", "sync", "admin", "operator"])]
    pub(crate) scope: String,
    /// Days until it ends; without it, when it is revoked.
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<i64>,
    /// Another organization's name, with an operator's key.
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<String>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `audit`: who changed what and when, the latest first.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    /// Done to this customer.
    #[arg(long)]
    pub(crate) customer: Option<String>,
    /// A kind of actor (api_key, customer, upstream, browser, operator), or one of them: api_key:7.
    #[arg(long)]
    pub(crate) actor: Option<String>,
    /// Exactly this action, for example "POST /add_webhook".
    #[arg(long)]
    pub(crate) action: Option<String>,
    /// Not before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Before this time (RFC 3339).
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only ids below this.
    #[arg(long, value_name = "ID")]
    pub(crate) before: Option<i64>,
    /// At most so many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) limit: u32,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `readers`.
#[derive(Debug, Args)]
pub(crate) struct Readers {
    /// What to set; without it, what is set is shown.
    #[arg(value_enum)]
    pub(crate) rule: Option<ReaderRule>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Who sees restricted articles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReaderRule {
    /// Requests that name their reader's segments (Helpsync-Viewer-Segments), and no others.
    Named,
    /// Requests without a reader see them too: the application decides who may.
    Anybody,
}

/// For `orgs`.
#[derive(Debug, Args)]
pub(crate) struct Orgs {
    /// What to do with them.
    #[command(subcommand)]
    pub(crate) action: OrgAction,
}

/// For `orgs`.
#[derive(Debug, Subcommand)]
pub(crate) enum OrgAction {
    /// All of them.
    List(Remote),
    /// Make an organization and print its first API key, once.
    Create(CreateOrg),
    /// Remove an organization that has no customers.
    Remove(ById),
    /// Change what its pages show and allow; an empty text takes away.
    Set(Box<SetOrg>),
}

/// For `orgs set`.
#[derive(Debug, Args)]
pub(crate) struct SetOrg {
    /// What pages call the organization.
    #[arg(long, value_name = "NAME")]
    pub(crate) display_name: Option<String>,
    /// A PNG, JPEG, GIF or WebP image of at most 32 KiB.
    #[arg(long, value_name = "FILE")]
    pub(crate) logo: Option<PathBuf>,
    /// Take the logo away.
    #[arg(long, conflicts_with = "logo")]
    pub(crate) no_logo: bool,
    /// Of the main button, `#rrggbb`.
    #[arg(long, value_name = "COLOR")]
    pub(crate) color: Option<String>,
    /// Whom people turn to with questions.
    #[arg(long, value_name = "TEXT")]
    pub(crate) contact: Option<String>,
    /// An address that pages may lead back to, with all below it, without `*`; may be repeated, and takes the place of all
    /// before. Once empty: none.
    #[arg(long, value_name = "URL")]
    pub(crate) return_url: Option<Vec<String>>,
    /// A workspace that customers may connect; may be repeated, and takes the place of all before. Once empty: any.
    #[arg(long, value_name = "SUBDOMAIN")]
    pub(crate) subdomain: Option<Vec<String>>,
    /// Another organization's name, with an operator's key.
    #[arg(long, value_name = "NAME")]
    pub(crate) organization: Option<String>,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// For `orgs create`.
#[derive(Debug, Args)]
pub(crate) struct CreateOrg {
    /// Its name, unique.
    pub(crate) name: String,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}

/// Something by its id, from the list.
#[derive(Debug, Args)]
pub(crate) struct ById {
    /// Its id, from the list.
    pub(crate) id: i64,
    /// Where Helpsync runs.
    #[command(flatten)]
    pub(crate) remote: Remote,
}
