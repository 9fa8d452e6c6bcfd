//! `helpsync-worker`: one role of a distributed installation. Settings come from `HELPSYNC_CONFIG` and the environment.

use std::process::ExitCode;

use helpsync_app::Role;
use helpsync_cli::run_role;
use helpsync_model::chain;

#[tokio::main]
async fn main() -> ExitCode {
    match run_role(Role::Worker).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helpsync-worker: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
