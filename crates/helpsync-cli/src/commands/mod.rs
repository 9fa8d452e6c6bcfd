//! One file per command, or per group of small ones.

mod ask;
mod convert;
mod dead_letters;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod enqueue;
mod status;
mod up;
mod webhooks;

use crate::args::{Cli, Command, Config};
use crate::role::settings;

/// What `demo` says in a build that has no simulated Zendesk.
#[cfg(not(feature = "demo"))]
const NO_DEMO: &str = "this build has no simulated Zendesk and therefore no demo: it was made without the feature \
    `demo`, as the production image is. In the repository, `deploy/dev.sh demo` builds one that has it; \
    `docker compose --env-file deploy/demo.env --profile demo up --build` shows the demo in containers";

/// Runs a command.
///
/// # Errors
/// With a text that says what to do.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Up(args) => up::up(args).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::demo(args).await,
        #[cfg(not(feature = "demo"))]
        Command::Demo(_) => anyhow::bail!(NO_DEMO),
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
