//! One file per command, or per group of small ones.

mod api_keys;
mod ask;
mod audit;
mod convert;
mod customers;
mod dead_letters;
#[cfg(feature = "demo")]
mod demo;
mod doctor;
mod enqueue;
mod files;
mod generate;
mod installation;
mod keys;
mod ports;
mod reach;
mod runs;
mod scopes;
#[cfg(feature = "demo")]
mod simulated;
mod status;
mod up;
mod verify;
mod watch;
mod webhooks;

use clap::Parser as _;
use serde_json::{Value, json};

use crate::args::{Cli, Command, Config};
use crate::exit::{Exit, exit_of};
use crate::output::{Output, not_understood};
use crate::role::settings;

/// What `demo` says in a build that has no simulated Zendesk.
#[cfg(not(feature = "demo"))]
const NO_DEMO: &str = "this build has no simulated Zendesk and therefore no demo: it was made without the feature \
    `demo`, as the production image is. In the repository, `deploy/dev.sh demo` builds one that has it; \
    `docker compose --env-file deploy/demo.env --profile demo up --build` shows the demo in containers";

/// The whole of `helpsync`: reads the command line, runs the command and says what went wrong.
pub async fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return not_understood("helpsync", &error),
    };
    let mut output = Output::from(cli.manner);
    // Boxed: the commands' futures are large, and one of them runs.
    match Box::pin(run(cli, &mut output)).await {
        Ok(exit) => exit,
        Err(error) => {
            let exit = exit_of(&error);
            if exit != Exit::Done {
                output.error("helpsync", &error, exit);
            }
            exit
        }
    }
}

/// `told`: how to speak, also of the error that this ends with.
async fn run(cli: Cli, told: &mut Output) -> anyhow::Result<Exit> {
    let output = *told;
    match cli.command {
        Command::Up(args) => Box::pin(up::up(args, cli.manner, told)).await,
        #[cfg(feature = "demo")]
        Command::Demo(args) => return Box::pin(demo::demo(args, output)).await,
        #[cfg(not(feature = "demo"))]
        Command::Demo(_) => anyhow::bail!(NO_DEMO),
        Command::Connect(args) => ask::connect(args, output).await,
        Command::Sync(args) => return ask::sync(args, output).await,
        Command::Verify(args) => return verify::verify(args, output).await,
        Command::Resync(args) => ask::resync(args, output).await,
        Command::Status(args) => status::status(args, output).await,
        Command::Enqueue(args) => enqueue::enqueue(args, output).await,
        Command::DeadLetters(args) => dead_letters::dead_letters(args, output).await,
        Command::Webhooks(args) => webhooks::webhooks(args, output).await,
        Command::Customers(remote) => customers::customers(&remote, output).await,
        Command::Show(args) => customers::show(args, output).await,
        Command::Runs(args) => runs::runs(args, output).await,
        Command::Files(args) => files::files(args, output).await,
        Command::File(args) => files::file(args, output).await,
        Command::Search(args) => files::search(args, output).await,
        Command::Select(args) => files::select(args, output).await,
        Command::Schedule(args) => customers::schedule(args, output).await,
        Command::Disconnect(args) => customers::disconnect(args, output).await,
        Command::ApproveRemovals(args) => customers::approve_removals(args, output).await,
        Command::RefuseRemovals(args) => customers::refuse_removals(args, output).await,
        Command::Pause(args) => customers::pause(args, true, output).await,
        Command::Resume(args) => customers::pause(args, false, output).await,
        Command::Workers(remote) => installation::workers(&remote, output).await,
        Command::Lanes(remote) => installation::lanes(&remote, output).await,
        Command::Budgets(remote) => installation::budgets(&remote, output).await,
        Command::ApiKeys(args) => api_keys::api_keys(args, output).await,
        Command::Audit(args) => audit::audit(args, output).await,
        Command::Readers(args) => audit::readers(args, output).await,
        Command::Keys(args) => keys::keys(args, output).await,
        Command::Orgs(args) => api_keys::orgs(args, output).await,
        Command::Export(args) => ask::export(args, output).await,
        Command::Doctor(args) => return doctor::doctor(args, output).await,
        Command::Convert(args) => convert::convert(&args, output),
        Command::Config(args) => config(&args, output),
        Command::Completions(args) => generate::completions(&args, output),
        Command::Man(args) => generate::man(&args, output),
    }
    .map(|()| Exit::Done)
}

fn config(args: &Config, output: Output) -> anyhow::Result<()> {
    let (document, text) = if args.reference || args.example {
        let text = if args.reference { helpsync_config::reference() } else { helpsync_config::example() };
        (json!({ "text": text }), text)
    } else {
        let settings = settings(args.config.clone())?;
        let values = settings
            .values()
            .into_iter()
            .map(|(key, value, origin)| (key, json!({ "value": value, "from": origin })));
        (Value::Object(values.collect()), settings.redacted())
    };
    output.show(&document, || text)
}
