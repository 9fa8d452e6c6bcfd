//! `helpsync-dispatcher`: one role of a distributed installation. Settings come from `HELPSYNC_CONFIG` and the environment.

use std::process::ExitCode;

use helpsync_app::Role;
use helpsync_cli::run_role;

#[tokio::main]
async fn main() -> ExitCode {
    match run_role(Role::Dispatcher).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helpsync-dispatcher: {error:#}");
            ExitCode::FAILURE
        }
    }
}
