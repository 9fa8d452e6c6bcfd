//! One file per command, or per group of small ones.

mod ask;
mod convert;
mod dead_letters;
mod demo;
mod doctor;
mod enqueue;
mod status;
mod up;
mod webhooks;

use crate::args::{Cli, Command, Config};
use crate::role::settings;

/// Runs a command.
///
/// # Errors
/// With a text that says what to do.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Up(args) => up::up(args).await,
        Command::Demo(args) => demo::demo(args).await,
        Command::Connect(args) => ask::connect(args).await,
        Command::Sync(args) => ask::sync(args).await,
        Command::Resync(args) => ask::resync(args).await,
        Command::Status(args) => status::status(args).await,
        Command::Enqueue(args) => enqueue::enqueue(args).await,
        Command::DeadLetters(args) => dead_letters::dead_letters(args).await,
        Command::Webhooks(args) => webhooks::webhooks(args).await,
        Command::Customers(args) => ask::customers(args).await,
        Command::Export(args) => ask::export(args).await,
        Command::Doctor(args) => doctor::doctor(args).await,
        Command::Convert(args) => convert::convert(&args),
        Command::Config(args) => config(&args),
    }
}

fn config(args: &Config) -> anyhow::Result<()> {
    let text = if args.reference {
        helpsync_config::reference()
    } else if args.example {
        helpsync_config::example()
    } else {
        settings(args.config.clone())?.redacted()
    };
    println!("{}", text.trim_end());
    Ok(())
}
