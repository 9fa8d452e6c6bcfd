//! `helpsync`: see `helpsync --help`.

use std::process::ExitCode;

use clap::Parser as _;
use helpsync_cli::{Cli, run};
use helpsync_model::chain;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("helpsync: {}", chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}
