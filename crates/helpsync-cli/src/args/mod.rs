//! The command line.

mod client;
mod manage;
mod process;
#[cfg(test)]
mod reference;

use clap::{ArgAction, Args, Parser, Subcommand};

pub(crate) use client::*;
pub(crate) use manage::*;
pub(crate) use process::*;

/// What `--help` says below the options.
const AFTER_HELP: &str = "\
Exit codes: 0 done; 1 failed; 2 arguments or settings that are not understood; 3 nothing answers, or not now: later it
may work; 4 done, and something wants a person (doctor's warnings); 130 interrupted.
Colours are off where output is no terminal, and where NO_COLOR is set.";

/// Keeps every published article of a Zendesk help center in step with your application.
#[derive(Debug, Parser)]
#[command(name = "helpsync", version, propagate_version = true, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// How it speaks.
    #[command(flatten)]
    pub(crate) manner: Manner,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How a command speaks.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Manner {
    /// Answer in JSON, errors too; processes log in JSON. One document, but JSON lines from `verify`, `export` and
    /// `status --watch`.
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Say nothing but the answer and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub(crate) quiet: bool,
    /// Say also what is asked of the server; processes log more. Twice: still more.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Output")]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything in this process, until Ctrl-C.
    Up(Up),
    /// Show the whole thing on a simulated Zendesk; leaves nothing behind.
    Demo(Demo),
    /// Print the URL by which a customer's administrator connects a workspace.
    Connect(Connect),
    /// Bring a customer's articles up to date.
    Sync(Sync),
    /// Compare a customer's copy with its help center; changes nothing, unless asked to.
    ///
    /// With --json it writes JSON lines as it goes: one object for each difference (workspace, article_id, file_id, cause,
    /// detail, here_updated_at, there_updated_at), then one with "totals" and "repaired_by_run". A
    /// comparison that broke off ends with "broke_off" instead: its "reason" and its "cause". Exit code 4: there are differences, and nothing was started that mends them.
    Verify(Verify),
    /// Fetch one file again.
    Resync(Resync),
    /// What is connected, running and waiting.
    Status(Status),
    /// Ask for work over the broker, as upstream services do.
    Enqueue(Enqueue),
    /// Work that gave up: look at it, do it again or drop it.
    DeadLetters(DeadLetters),
    /// Where events are sent, what did not arrive, and sending it again.
    Webhooks(Webhooks),
    /// The customers: workspace, state, files, and when they were last and are next synced.
    Customers(Remote),
    /// One customer: what is under way, what it waits for, what is held, what failed.
    Show(OneCustomer),
    /// Runs and their receipts, newest first.
    Runs(Runs),
    /// The files of a customer.
    Files(Files),
    /// One file with its texts.
    File(File),
    /// Search the files of a customer.
    Search(Search),
    /// Show or change what of a help center is kept.
    Select(Select),
    /// Whether a customer is synced by itself, and how often.
    Schedule(Schedule),
    /// End the syncs of a customer's workspace; its files stay.
    Disconnect(Disconnect),
    /// Let removals go that are held for a person.
    ApproveRemovals(OneCustomer),
    /// Keep the files whose removals are held for a person.
    RefuseRemovals(OneCustomer),
    /// Hand no work out, of a customer or in a lane; what is under way ends.
    Pause(Pause),
    /// Let paused work go on.
    Resume(Pause),
    /// The processes of the installation: who lives, and what each does.
    Workers(Remote),
    /// The lanes: how much waits in each.
    Lanes(Remote),
    /// What is left of the request limit of each Zendesk account.
    Budgets(Remote),
    /// API keys: who may do what.
    ApiKeys(ApiKeys),
    /// Who changed what and when, the latest first.
    Audit(Audit),
    /// Who sees restricted articles: show it, or set it.
    Readers(Readers),
    /// The keys that seal what is stored: on the machine of the installation, with its settings.
    Keys(Keys),
    /// Organizations, for an operator's key.
    Orgs(Orgs),
    /// Every file of a customer as JSON lines, content included.
    Export(Export),
    /// Check settings, store, keys, queue, coordinator, clocks and Zendesk, and say how to mend what is wrong; changes nothing.
    Doctor(Doctor),
    /// Show how an article's HTML will be stored.
    Convert(Convert),
    /// The settings in force and where each comes from; secrets are hidden.
    Config(Config),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print the manual page, or write one for each command into a folder.
    Man(Man),
}

/// A process of one role: `helpsync-worker`, `helpsync-dispatcher`.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
pub(crate) struct RoleArgs {
    /// A TOML file of settings; without it, the one that HELPSYNC_CONFIG names.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<std::path::PathBuf>,
    /// How it speaks.
    #[command(flatten)]
    pub(crate) manner: Manner,
}
